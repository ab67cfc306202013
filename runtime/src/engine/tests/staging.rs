//! What is told of staged directories.

use super::*;
use crate::engine::dry;
use crate::engine::staging::{Label, Staging};
use crate::model::event::What;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn what_changes_in_one_of_several_directories_has_its_whole_path() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().canonicalize().unwrap();
    let grants: Vec<DirGrant> = ["one", "two"]
        .map(|name| {
            std::fs::create_dir(home.join(name)).unwrap();
            std::fs::write(home.join(name).join("old"), "old\n").unwrap();
            let host = home.join(name).display().to_string();
            DirGrant { guest: host.clone(), host: Some(host), mode: DirMode::Discard }
        })
        .into();
    let staging = Staging::of(&grants, &Label::of_guest(), &Stages::new(home.join("scratch"))).unwrap().unwrap();
    for (number, view) in staging.views(&grants).unwrap().iter().enumerate() {
        let at = std::path::PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&*view.dir)));
        std::fs::write(at.join("old"), format!("new {number}\n")).unwrap();
    }
    let path = |at: &str| home.join(at).display().to_string();
    let (changes, at) = staging.changes().unwrap();
    assert_eq!(changes.modified, [path("one/old"), path("two/old")]);
    assert_eq!(staging.observe(&[]).unwrap().files, changes);
    let (before, after) = staging.sides(&at[&path("two/old")]).unwrap();
    let text = |file: Option<std::fs::File>| std::io::read_to_string(file.unwrap()).unwrap();
    assert_eq!((text(before), text(after)), ("old\n".to_owned(), "new 1\n".to_owned()));
    staging.discard().unwrap();
}

#[test]
fn names_that_are_no_text_are_told_apart_and_found_again() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = dir.path().canonicalize().unwrap();
    let names = [&b"a\xfe"[..], b"a\xff", br"a\xFE", b"a\n", "a\u{fffd}".as_bytes()];
    let written = [r"a\xFE", r"a\xFF", r"a\\xFE", r"a\x0A", "a\u{fffd}"];
    for name in names {
        std::fs::write(home.join(OsStr::from_bytes(name)), "old\n").unwrap();
    }
    let host = home.display().to_string();
    let grants = [DirGrant { guest: host.clone(), host: Some(host), mode: DirMode::Discard }];
    let staging = Staging::of(&grants, &Label::of_guest(), &Stages::new(scratch.path())).unwrap().unwrap();
    for view in &staging.views(&grants).unwrap() {
        let at = std::path::PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&*view.dir)));
        for (number, name) in names.iter().enumerate() {
            std::fs::write(at.join(OsStr::from_bytes(name)), format!("new {number}\n")).unwrap();
        }
    }
    let What::WouldChange { files, diffs } = dry::would_change(Some(&staging)) else { panic!("nothing is told") };
    let mut sorted = written.map(ToOwned::to_owned);
    sorted.sort();
    assert_eq!(files.modified, sorted);
    for (number, path) in written.iter().enumerate() {
        let diff = diffs.iter().find(|diff| diff.path == *path).unwrap_or_else(|| panic!("{path}: {diffs:?}"));
        assert!(diff.diff.contains(&format!("-old\n+new {number}\n")), "{path}: {}", diff.diff);
    }
    staging.discard().unwrap();
}
