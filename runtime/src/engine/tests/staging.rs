//! What is told of staged directories.

use super::*;
use crate::engine::staging::{Label, Staging};

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
    let changes = staging.changes().unwrap();
    assert_eq!(changes.modified, [path("one/old"), path("two/old")]);
    assert_eq!(staging.observe(&[]).unwrap().files, changes);
    let (before, after) = staging.sides(&path("two/old")).unwrap();
    let text = |file: Option<std::fs::File>| std::io::read_to_string(file.unwrap()).unwrap();
    assert_eq!((text(before), text(after)), ("old\n".to_owned(), "new 1\n".to_owned()));
    staging.discard().unwrap();
}
