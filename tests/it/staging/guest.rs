//! `wasmhook exec` and `wasmhook test` over staged directories.

use super::{assert_nothing_left, project};
use wasmhook_tests::Place;

#[test]
fn exec_commits_with_success_and_drops_with_failure() {
    let project = project("");
    let place = Place::new();
    let exec = |mode: &str, args: &[&str]| {
        let all = [&["exec", "--dir", mode, "app/files.wasm"], args].concat();
        place.args(all).current_dir(project.path()).run()
    };
    let _ = exec("app/data::/d:txn", &["write", "/d/x", "1", "read", "/d/absent"]).exits(1);
    assert!(!project.has("app/data/x"));
    let _ = exec("app/data::/d:discard", &["write", "/d/x", "1", "read", "/d/x"]).exits(0);
    assert!(!project.has("app/data/x"));
    let _ = exec("app/data::/d:txn", &["write", "/d/x", "1", "remove", "/d/old.txt"]).exits(0);
    assert_eq!(project.read("app/data/x"), "1");
    assert!(!project.has("app/data/old.txt"));
    assert_nothing_left(&project);
}
