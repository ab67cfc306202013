//! Directory grants: modes, borders, denials, and what is left afterwards.

use super::*;
use crate::exec::Staged;
use crate::exec::testing::{Kind, inside, is_mounted_below};
use std::fs;
use std::os::unix::fs::symlink;

/// Opens `path` below the first grant and ends with the errno.
fn opening(path: &str, create: bool) -> String {
    let body = format!("(call $check (call $open (i32.const 3) (i32.const {}) (i32.const {})))", path.len(), i32::from(create));
    preview1(&format!("(data (i32.const 1024) {path:?})"), &body)
}

/// Creates `path` below the grant with descriptor `fd` and writes `text` to it.
fn writing(fd: u32, path: &str, text: &str) -> String {
    let body = format!(
        "(call $check (call $open (i32.const {fd}) (i32.const {}) (i32.const 1))) (call $write (i32.load (i32.const 0)) (i32.const 1200) (i32.const {}))",
        path.len(),
        text.len()
    );
    preview1(&format!("(data (i32.const 1024) {path:?}) (data (i32.const 1200) {text:?})"), &body)
}

fn with_dir(wat: &str, host: &Path, mode: DirMode) -> Job {
    Job { dirs: vec![grant(host, "/data", mode)], ..job(wat) }
}

#[test]
fn read_reads_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("note"), "hello\n").unwrap();
    let wat = preview1(
        r#"(data (i32.const 1024) "note")"#,
        "(call $check (call $open (i32.const 3) (i32.const 4) (i32.const 0)))
         (call $write (i32.const 1) (i32.const 2048) (call $read (i32.load (i32.const 0)) (i32.const 100)))",
    );
    assert_eq!(run_on(&executor(), &with_dir(&wat, dir.path(), DirMode::Read)).0.tail, ["hello"]);

    let refused = run(&with_dir(&opening("new", true), dir.path(), DirMode::Read));
    assert_eq!(refused.exit_code, Some(63), "EPERM");
    let denials = refused.denials.unwrap();
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0].what, "write to /data/new");
    assert!(!dir.path().join("new").exists());

    let unlink = preview1(r#"(data (i32.const 1024) "note")"#, "(call $check (call $unlink (i32.const 3) (i32.const 1024) (i32.const 4)))");
    assert_eq!(run(&with_dir(&unlink, dir.path(), DirMode::Read)).exit_code, Some(63));
    assert!(dir.path().join("note").exists());
}

#[test]
fn write_writes_live() {
    let dir = tempfile::tempdir().unwrap();
    let execution = run(&with_dir(&writing(3, "new", "text"), dir.path(), DirMode::Write));
    assert_eq!((execution.outcome, execution.denials), (Outcome::Succeeded, Some(Vec::new())));
    assert_eq!(fs::read_to_string(dir.path().join("new")).unwrap(), "text");
}

#[test]
fn a_missing_file_is_no_denial() {
    let dir = tempfile::tempdir().unwrap();
    let execution = run(&with_dir(&opening("absent", false), dir.path(), DirMode::Read));
    assert_eq!((execution.exit_code, execution.denials), (Some(44), Some(Vec::new())));
}

#[test]
fn scratch_is_empty_private_and_gone_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let executor = WasmExecutor::builder().scratch_root(root.path()).build().unwrap();
    // The file is created exclusively: a second run would fail if the first one's directory were still there.
    let wat = writing(3, "file", "text").replace("(i32.const 1))) (call $write", "(i32.const 5))) (call $write");
    let job = Job { dirs: vec![DirGrant { host: None, guest: "/tmp".into(), mode: DirMode::Scratch }], ..job(&wat) };
    for _ in 0..2 {
        assert_eq!(run_on(&executor, &job).0.outcome, Outcome::Succeeded);
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn what_leads_out_of_a_grant_is_refused_and_seen() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    symlink(dir.path().join("secret"), inside.join("absolute")).unwrap();
    symlink("../secret", inside.join("relative")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    for path in ["../secret", "absolute", "relative", "up/secret", "/etc/passwd"] {
        for mode in [DirMode::Read, DirMode::Write] {
            let execution = run(&with_dir(&opening(path, false), &inside, mode));
            assert_eq!(execution.exit_code, Some(63), "{path}");
            assert_eq!(execution.denials.unwrap().len(), 1, "{path}");
        }
    }
}

#[test]
fn an_outer_read_with_an_inner_write_is_two_handles() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("data");
    fs::create_dir(&inner).unwrap();
    let dirs = vec![grant(outer.path(), "/app", DirMode::Read), grant(&inner, "/app/data", DirMode::Write)];
    assert_eq!(run(&Job { dirs: dirs.clone(), ..job(&writing(4, "new", "x")) }).outcome, Outcome::Succeeded);
    assert!(inner.join("new").exists());
    assert_eq!(run(&Job { dirs, ..job(&writing(3, "data/other", "x")) }).exit_code, Some(63));
    assert!(!inner.join("other").exists());
}

#[test]
fn grants_that_cannot_hold_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let cases = [
        (vec![grant(dir.path(), "/a", DirMode::Write), grant(&inner, "/b", DirMode::Read)], "lies in grant"),
        (vec![grant(&dir.path().join("absent"), "/a", DirMode::Read)], "does not exist"),
        (vec![grant(&dir.path().join("file"), "/a", DirMode::Read)], "is not a directory"),
        (vec![grant(dir.path(), "/a", DirMode::Txn)], "nobody opened a stage for it"),
        (vec![grant(dir.path(), "/a", DirMode::Discard)], "nobody opened a stage for it"),
    ];
    for (dirs, text) in cases {
        let execution = run(&Job { dirs, ..job(&preview1("", "")) });
        let denials = execution.denials.clone();
        let Cause::Denied { denial } = cause(execution) else { panic!("{text}") };
        assert!(denial.what.contains(text), "{denial:?}");
        assert_eq!(denials, Some(vec![denial]));
    }
}

#[test]
fn a_staged_grant_is_its_view_and_never_the_directory() {
    for kind in Kind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let [base, stage] = ["base", "stage"].map(|name| dir.path().join(name).display().to_string());
        fs::create_dir(&base).unwrap();
        fs::write(format!("{base}/note"), "hello\n").unwrap();
        let Some(view) = kind.view(&base, &stage, "/data") else { continue };
        for mode in [DirMode::Txn, DirMode::Discard] {
            let staged = |wat: &str| run_staged(&with_dir(wat, Path::new(&base), mode), &view);
            let execution = staged(&writing(3, "new", "text"));
            assert_eq!((execution.outcome, execution.denials), (Outcome::Succeeded, Some(Vec::new())), "{kind:?}");
            assert_eq!(fs::read_to_string(inside(&view, "new")).unwrap(), "text");
            assert_eq!(staged(&opening("note", false)).outcome, Outcome::Succeeded, "it shows what is there");
            let refused = staged(&opening("../secret", false));
            assert_eq!(refused.denials.unwrap()[0].what, "path /data/../secret leads out of the grant /data");
        }
        let unlink =
            preview1(r#"(data (i32.const 1024) "note")"#, "(call $check (call $unlink (i32.const 3) (i32.const 1024) (i32.const 4)))");
        assert_eq!(run_staged(&with_dir(&unlink, Path::new(&base), DirMode::Txn), &view).outcome, Outcome::Succeeded);
        assert!(!inside(&view, "note").exists());
        assert_eq!(fs::read_dir(&base).unwrap().count(), 1, "the directory itself holds what it held");
        assert!(Path::new(&base).join("note").exists());
        assert!(!is_mounted_below(dir.path()));
    }
}

#[test]
fn a_live_grant_in_a_staged_one_stays_live() {
    let dir = tempfile::tempdir().unwrap();
    let [base, stage] = ["base", "stage"].map(|name| dir.path().join(name).display().to_string());
    let data = Path::new(&base).join("data");
    fs::create_dir_all(&data).unwrap();
    let view = Kind::Copy.view(&base, &stage, "/app").unwrap();
    let dirs = vec![grant(Path::new(&base), "/app", DirMode::Txn), grant(&data, "/app/data", DirMode::Write)];
    assert_eq!(run_staged(&Job { dirs, ..job(&writing(4, "new", "x")) }, &view).outcome, Outcome::Succeeded);
    assert!(data.join("new").exists() && !inside(&view, "data/new").exists());
}

#[test]
fn nothing_is_granted_live_in_a_dry_run() {
    let dir = tempfile::tempdir().unwrap();
    let around = surroundings().1.dry();
    let wat = writing(3, "new", "x");
    let Cause::Denied { denial } = cause(block_on(executor().execute(&with_dir(&wat, dir.path(), DirMode::Write), around)).unwrap()) else {
        panic!()
    };
    assert!(denial.what.contains("dry run") && denial.what.contains("/data"), "{denial:?}");
    assert!(!dir.path().join("new").exists());
}

fn audited(job: &Job) -> Execution {
    let (_, around) = surroundings();
    block_on(executor().execute(job, around.auditing(true))).unwrap()
}

fn whats(execution: &Execution) -> Vec<&str> {
    execution.denials.iter().flatten().map(|denial| denial.what.as_str()).collect()
}

#[test]
fn an_attempt_outside_every_grant_is_seen_where_somebody_looks() {
    let dir = tempfile::tempdir().unwrap();
    // Descriptor 4 is what comes behind the grant.
    for (create, mode) in [(0, "read"), (1, "write")] {
        let body = format!("(call $check (call $open (i32.const 4) (i32.const 12) (i32.const {create})))");
        let job = with_dir(&preview1(r#"(data (i32.const 1024) "etc/hostname")"#, &body), dir.path(), DirMode::Write);
        let seen = audited(&job);
        assert_eq!(seen.exit_code, Some(44), "ENOENT, as if nothing were there");
        let denial = &seen.denials.as_ref().unwrap()[0];
        assert_eq!(denial.what, "path /etc/hostname, which lies outside every grant");
        assert_eq!(denial.allow, format!("add {{ path = \"/etc\", mode = \"{mode}\" }} to the hook's dirs"));
        let real = run(&job);
        assert_eq!((real.exit_code, real.denials), (Some(8), Some(Vec::new())), "EBADF: a real run opens nothing more");
    }
    let unlink =
        preview1(r#"(data (i32.const 1024) "etc/hostname")"#, "(call $check (call $unlink (i32.const 4) (i32.const 1024) (i32.const 12)))");
    assert_eq!(audited(&with_dir(&unlink, dir.path(), DirMode::Write)).exit_code, Some(44));
    assert_eq!(
        audited(&with_dir(&opening("absent", false), dir.path(), DirMode::Read)).denials,
        Some(Vec::new()),
        "what lies in a grant doesn't"
    );
}

#[test]
fn where_attempts_are_recorded_nothing_is_and_nothing_can_be_made() {
    let root = tempfile::tempdir().unwrap();
    let executor = WasmExecutor::builder().scratch_root(root.path()).build().unwrap();
    let ran = |wat: &str| block_on(executor.execute(&job(wat), surroundings().1.auditing(true))).unwrap();
    for path in [".", "..", "x", "../x"] {
        for create in [false, true] {
            assert_eq!(ran(&opening(path, create)).exit_code, Some(44), "{path}");
        }
    }
    // The path's text lies outside the guest's memory: that is an error of its call, and no attempt.
    let nowhere = ran(&preview1("", "(call $check (call $unlink (i32.const 3) (i32.const -16) (i32.const 8)))"));
    assert!(nowhere.exit_code != Some(44) && whats(&nowhere).is_empty(), "{nowhere:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "and it is gone afterwards");
}

#[test]
fn nothing_lies_outside_a_grant_of_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let whole = |fd| {
        let wat = opening("etc/hostname", false).replace("(call $open (i32.const 3)", &format!("(call $open (i32.const {fd})"));
        audited(&Job { dirs: vec![grant(dir.path(), "/", DirMode::Read)], ..job(&wat) })
    };
    assert_eq!((whole(3).exit_code, whole(3).denials), (Some(44), Some(Vec::new())), "it isn't there, and was granted");
    assert_eq!(whole(4).exit_code, Some(8), "nothing else is opened");
}

fn run_staged(job: &Job, view: &Staged) -> Execution {
    block_on(executor().execute(job, surroundings().1.staging(vec![view.clone()]))).unwrap()
}

#[test]
fn a_grant_that_reaches_what_is_protected_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let executor = WasmExecutor::builder().protect("state", &state).build().unwrap();
    let Cause::Denied { denial } = cause(run_on(&executor, &with_dir(&preview1("", ""), dir.path(), DirMode::Read)).0) else { panic!() };
    assert!(denial.what.ends_with("reaches the state"), "{denial:?}");
}

#[test]
fn a_view_of_what_is_protected_is_refused_as_the_directory_is() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let view = Kind::Copy.view(state.to_str().unwrap(), dir.path().join("stage").to_str().unwrap(), "/data").unwrap();
    let executor = WasmExecutor::builder().protect("state", &state).build().unwrap();
    for mode in [DirMode::Txn, DirMode::Discard] {
        let around = surroundings().1.staging(vec![view.clone()]);
        let execution = block_on(executor.execute(&with_dir(&writing(3, "new", "x"), &state, mode), around)).unwrap();
        let Cause::Denied { denial } = cause(execution) else { panic!() };
        assert!(denial.what.ends_with("reaches the state"), "{denial:?}");
    }
    assert!(!inside(&view, "new").exists());
}

#[test]
fn outputs_come_back_after_success_only() {
    let report = |code| {
        let exit = format!("(call $exit (i32.const {code}))");
        let write = writing(3, "output", "backup_path=/b\nPATH=/evil\n");
        let wat = write.strip_suffix("))").map(|open| format!("{open} {exit}))")).unwrap();
        run(&Job { collect_outputs: true, ..job(&wat) })
    };
    assert_eq!(report(0).outputs, [("backup_path".to_owned(), "/b".to_owned())]);
    let path = "line 2 of WASMHOOK_OUTPUT, `PATH=/evil`, was dropped: its key would steer other programs: give it another name";
    assert_eq!(report(0).warnings().collect::<Vec<_>>(), [path]);
    assert_eq!((report(1).outputs, report(1).exit_code), (Vec::new(), Some(1)));
}
