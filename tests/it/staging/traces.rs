//! What a dry run leaves behind: nothing, also where there is something already.

use super::{assert_nothing_left, project, tree};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Every entry with its mode and, of a file, its content.
fn contents(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let content = |path: &str| {
        let meta = root.join(path).symlink_metadata().unwrap();
        (meta.permissions().mode(), if meta.is_file() { std::fs::read(root.join(path)).unwrap() } else { Vec::new() })
    };
    tree(root).into_iter().map(|path| (path.clone(), content(&path))).collect()
}

/// A hook that writes, removes and overwrites each time, natively and as a module, and one that is done once.
fn restless() -> Project {
    let data = "dirs = [{ path = \"data\", guest = \"/d\" }]";
    let lines = [
        hook("once", "pre-deploy", &format!("wasm = \"files.wasm\"\nargs = [\"write\", \"/d/once\", \"1\"]\n{data}")),
        hook(
            "again",
            "pre-deploy",
            &format!(
                "wasm = \"files.wasm\"\nargs = [\"append\", \"/d/log\", \"x\", \"write\", \"/d/old.txt\", \"new\"]\nonce = false\n{data}"
            ),
        ),
        hook(
            "native",
            "post-deploy",
            "run = \"sh -c 'rm data/old.txt; chmod 700 data; mkdir -p data/d; echo 1 >> data/d/e'\"\nonce = false\ndirs = [{ path = \"data\", mode = \"write\" }]",
        ),
        "[host_step.deploy]\nrun = \"sh -c 'echo deployed >> deployed; echo old > data/old.txt; chmod 755 data'\"\n".to_owned(),
    ];
    project(&lines.concat())
}

#[test]
fn after_a_real_run_the_tree_and_the_ledger_stay_as_they_were_to_the_byte() {
    let (project, place) = (restless(), Place::new());
    let call =
        |args: &[&str]| place.args([args, &["-C", "app", "--format", "json"]].concat()).current_dir(project.path()).run().exits(0).report();
    let _ = call(&["run", "--tag", "v1"]);
    let (before, ledger, status) = (contents(project.path()), contents(&place.state()), call(&["status"]));
    assert_eq!(status["runs"].as_array().map(Vec::len), Some(1));
    for tag in ["v1", "v2"] {
        let tried = call(&["run", "--tag", tag, "--dry-run"]);
        assert_eq!(tried["hooks"][1]["outcome"], "succeeded", "{tried}");
        assert_eq!(tried["hooks"][0]["outcome"], if tag == "v1" { "skipped" } else { "succeeded" }, "{tried}");
        assert!(contents(project.path()) == before, "{tag}: something in the tree changed");
        assert!(contents(&place.state()) == ledger, "{tag}: something in the state directory changed: {:?}", tree(&place.state()));
        assert_eq!(call(&["status"]), status, "{tag}");
    }
    assert_nothing_left(&project);
}

#[test]
fn deletions_are_listed_in_full_and_creations_up_to_twenty() {
    let names: Vec<String> = (0..25).map(|n| format!("{n:02}")).collect();
    let lines = hook(
        "h",
        "pre-deploy",
        "run = \"sh -c 'rm data/old-*; for n in $(seq 25); do touch data/new-$n; done'\"\ndirs = [{ path = \"data\" }]",
    );
    let project = names.iter().fold(project(&lines), |project, name| project.file(&format!("app/data/old-{name}"), ""));
    let ran = Place::new().args(["run", "-C", "app", "--tag", "v1", "--dry-run"]).current_dir(project.path()).run().exits(0);
    let listed = |sign: &str| ran.stdout.lines().filter(|line| line.starts_with(sign)).count();
    assert!(ran.stdout.contains("It would change 50 paths:\n"), "{}", ran.stdout);
    assert_eq!(listed("  + new-"), 20, "{}", ran.stdout);
    assert!(ran.stdout.contains("\n  + and 5 more\n"), "{}", ran.stdout);
    for name in names {
        assert!(ran.stdout.contains(&format!("\n  - old-{name}\n")), "{name} in {}", ran.stdout);
    }
    assert_eq!(listed("  -"), 25, "{}", ran.stdout);
}
