//! Backups: taken before a hook that changes something for good, whole or not at all.

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

const DROP: &str = "run = [\"./drop.sh\"]\ndirs = [{ path = \"data\", mode = \"write\" }]\neffects = [\"db\"]\nbackup = [\"data\"]\n";

/// An application whose hook removes its database.
fn project(policy: &str, lines: &str) -> Project {
    let project = Project::new(&format!("{policy}\n{}", hook("drop", "pre-deploy", lines)))
        .file("drop.sh", "#!/bin/sh\nrm -r data/pocket.db* && echo dropped\n")
        .file("data/uploads/a.txt", "a");
    let database = Connection::open(project.path().join("data/pocket.db")).unwrap();
    let rows = "PRAGMA journal_mode = WAL; CREATE TABLE t (id); INSERT INTO t VALUES (1), (2)";
    database.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    database.execute_batch(rows).unwrap();
    project
}

fn rows(backup: &Path) -> i64 {
    let database = Connection::open(backup.join("data/pocket.db")).unwrap();
    database.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

/// Every backup below `root` that has its own name, and is so to be taken for whole.
fn backups(root: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    };
    let hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
    let runs = entries(root).into_iter().flat_map(|owner| entries(&owner));
    runs.flat_map(|run| entries(&run)).filter(|path| !hidden(path)).collect()
}

#[test]
fn s3_32_s3_50_a_backup_is_taken_before_the_hook_and_reported() {
    let (place, project) = (Place::new(), project("", DROP));
    let ran = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    let report = ran.report();
    let path = PathBuf::from(report["backup_path"].as_str().unwrap());
    assert!(path.starts_with(place.state().join("backups")), "{}", path.display());
    assert_eq!(report["hooks"][0]["backup_path"], report["backup_path"]);
    assert!(!project.has("data/pocket.db"), "the hook did what it does");
    assert_eq!(rows(&path), 2);
    assert_eq!(std::fs::read(path.join("data/uploads/a.txt")).unwrap(), b"a");
    assert!(ran.said().contains("pre-deploy/drop: backed up in "), "{}", ran.stderr);
    assert!(ran.said().contains("1 database"), "{}", ran.stderr);
    let shown = place.args(["show", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!(shown["backup_path"], report["backup_path"]);
}

#[test]
fn s5_41_a_plan_marks_what_is_irreversible_and_a_policy_demands_a_backup() {
    let without = DROP.replace("backup = [\"data\"]\n", "");
    let (place, project) = (Place::new(), project("", &without));
    let plan = place.args(["plan", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(plan.said().contains("irreversible: it changes for good"), "{}", plan.stdout);
    assert!(plan.said().contains("(db), and has no backup"), "{}", plan.stdout);
    let plan = place.args(["plan", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert!(plan.to_string().contains("\"effects\":[\"db\"]"), "{plan}");

    let policy = project.path().join("policy.toml");
    std::fs::write(&policy, "schema = 1\n[policy]\nrequire_backup = true\n").unwrap();
    for command in ["run", "plan"] {
        let call = place.args([command, "--tag", "v1", "--policy"]).arg(&policy);
        let refused = call.current_dir(project.path()).run().exits(3);
        assert!(refused.said().contains("error[backup-required]: drop: it changes for good"), "{}", refused.stderr);
    }
    assert!(project.has("data/pocket.db"));
    let _ = place.args(["explain", "backup-required"]).run().exits(0);
}

#[test]
fn s3_32_a_dry_run_tells_of_the_backup_and_takes_none() {
    let (place, project) = (Place::new(), project("", &DROP.replace("run = [\"./drop.sh\"]", "wasm = \"ok.wat\"")));
    project.write("ok.wat", wasmhook_tests::project::OK);
    let ran = place.args(["run", "--tag", "v1", "--dry-run", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert!(ran.said().contains("a real run backs up "), "{}", ran.stderr);
    assert!(ran.report()["backup_path"].is_null());
    assert_eq!(backups(&place.state().join("backups")), [] as [PathBuf; 0]);
}

#[test]
fn a_hook_whose_backup_fails_is_not_started() {
    let (place, project) = (Place::new(), project("", DROP));
    let mut broken = b"SQLite format 3\0".to_vec();
    broken.resize(4096, 0);
    project.write("data/broken.db", broken);
    let ran = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(1);
    let report = ran.report();
    assert_eq!(report["hooks"][0]["cause"]["kind"], "backup", "{report}");
    assert!(report["hooks"][0]["cause"]["text"].as_str().unwrap().contains("broken.db"), "{report}");
    assert!(project.has("data/pocket.db"), "it was not started");
    std::fs::remove_file(project.path().join("data/broken.db")).unwrap();
    let _ = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
}

#[test]
fn backups_lie_where_the_operator_says_and_no_hook_is_granted_that_directory() {
    let kept = tempfile::tempdir().unwrap();
    let policy = format!("[policy]\nbackup_dir = {:?}\nbackup_keep = 2", kept.path().join("b").display().to_string());
    let (place, project) = (Place::new(), project(&policy, &DROP.replace("./drop.sh", "true")));
    for tag in ["v1", "v2", "v3"] {
        let _ = place.args(["run", "--tag", tag]).current_dir(project.path()).run().exits(0);
    }
    assert_eq!(backups(&kept.path().join("b")).len(), 2, "those of the newest runs");
    let inside = format!("run = \"true\"\ndirs = [{{ path = {:?}, mode = \"read\" }}]\n", kept.path().display().to_string());
    let greedy = Project::new(&format!("{policy}\n{}", hook("greedy", "pre-deploy", &inside)));
    let refused = place.args(["run", "--tag", "v1"]).current_dir(greedy.path()).run().exits(3);
    assert!(refused.said().contains("reaches the backups") && refused.said().contains("backup_dir"), "{}", refused.stderr);
}

/// At each point of a backup: nothing of it looks whole, the hook wasn't started, and the next run goes on by itself.
#[test]
#[cfg(debug_assertions)]
fn a_crash_or_a_full_disk_during_a_backup_leaves_none_that_looks_whole() {
    for fault in ["kill", "enospc"] {
        let mut hit = 0;
        for point in 0.. {
            let (place, project) = (Place::new(), project("", DROP));
            let args = ["run", "--tag", "v1", "--format", "json"];
            let first =
                place.args(args).env("WASMHOOK_FAULT", format!("{point}:{fault}")).current_dir(project.path()).command().output().unwrap();
            let found = backups(&place.state().join("backups"));
            if first.status.success() {
                assert_eq!(found.len(), 1, "{fault} at {point}");
                break;
            }
            assert!(found.iter().all(|backup| backup.join("backup.json").exists() && rows(backup) == 2), "{fault} at {point}: {found:?}");
            let is_dropped = !project.has("data/pocket.db");
            assert!(!is_dropped || found.len() == 1, "{fault} at {point}: started without its backup");
            hit += u32::from(found.is_empty() && place.state().join("backups").exists());
            if !is_dropped && !project_started(&place, &project) {
                let _ = place.args(["run", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
                assert_eq!(backups(&place.state().join("backups")).len(), found.len() + 1, "{fault} at {point}");
            }
        }
        assert!(hit >= 4, "{fault}: {hit} points lie in the backup");
    }
}

/// Whether the run that died has an intent of the hook.
fn project_started(place: &Place, project: &Project) -> bool {
    let shown = place.args(["show", "--format", "json"]).current_dir(project.path()).command().output().unwrap();
    String::from_utf8_lossy(&shown.stdout).contains("\"attempt\": 1")
}
