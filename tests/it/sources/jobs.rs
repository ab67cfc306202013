//! What runs, and when it is read anew.

use super::repository::Repository;
use std::fmt::Write as _;
use wasmhook_tests::{Place, Ran};

/// Writes what it is into the application, with the word that its folder's neighbour says.
const MIGRATE: &str = "#!/bin/sh\n. ../lib/word.sh\necho \"$WORD $KIND in $(basename \"$PWD\")\" >> \"$APP_DIR/log\"\n";

fn jobs() -> Repository {
    Repository::new(&[("migrations/migrate.sh", MIGRATE), ("lib/word.sh", "WORD=one\n")])
}

/// An application of the profile `commit-sync` with a job of `jobs` before its start.
fn app(jobs: &Repository, kind: &str, more: &str) -> Repository {
    let manifest = format!(
        "schema = 1\napp = \"shop\"\nprofile = \"commit-sync\"\n[source.ops]\ngit = \"{}\"\n[[hook]]\nid = \"migrate\"\nphase = \"pre-deploy\"\n\
         source = \"ops\"\nrun = \"bash migrate.sh\"\ncwd = \"migrations\"\nset = {{ KIND = \"{kind}\" }}\n{more}",
        jobs.url()
    );
    Repository::new(&[("wasmhook.toml", &manifest), (".gitignore", "log\n")])
}

fn run(place: &Place, app: &Repository, args: &[&str]) -> Ran {
    place.args([&["run", "--format", "json"], args].concat()).current_dir(app.path()).run()
}

#[test]
fn s4_12_s4_69_two_applications_share_jobs_with_their_own_parameters() {
    let (place, jobs) = (Place::new(), jobs());
    for kind in ["web", "api"] {
        let app = app(&jobs, kind, "");
        let report = run(&place, &app, &["--app", kind]).exits(0).report();
        assert_eq!(app.read("log"), format!("one {kind} in migrations\n"));
        let source = &report["hooks"][0]["source"];
        assert_eq!((source["git"].as_str(), source["commit"].as_str()), (Some(&*jobs.url()), Some(&*jobs.git(&["rev-parse", "HEAD"]))));
        assert_eq!(report["hooks"][0]["usage"]["timeout_ms"], 300_000);
    }
}

#[test]
fn plan_list_and_run_name_the_repository_and_its_commit() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    let commit = jobs.git(&["rev-parse", "HEAD"]);
    let shown = format!("{} (its default branch, {})", jobs.url(), &commit[..12]);
    for call in [&["plan"][..], &["list"], &["run"]] {
        let ran = place.args(call).current_dir(app.path()).run().exits(0);
        // A line is folded where it is too long, also within an address.
        let said: String = ran.said().split_whitespace().collect();
        assert!(said.contains(&shown.replace(' ', "")), "{call:?}: {}", ran.said());
    }
    let listed = place.args(["list", "--format", "json"]).current_dir(app.path()).run().exits(0).json();
    assert_eq!(listed["hooks"][0]["source"]["name"], "ops", "{listed:#}");
}

#[test]
fn s4_82_a_new_commit_of_the_jobs_alone_triggers_nothing_and_is_what_runs_next() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    let _ = run(&place, &app, &[]).exits(0);
    jobs.push(&[("lib/word.sh", "WORD=two\n")]);
    let report = run(&place, &app, &[]).exits(0).report();
    assert_eq!((&report["hooks"][0]["outcome"], app.read("log").as_str()), (&"skipped".into(), "one web in migrations\n"));
    app.push(&[]);
    let _ = run(&place, &app, &[]).exits(0);
    assert_eq!(app.read("log"), "one web in migrations\ntwo web in migrations\n");
}

#[test]
fn s4_82_a_retry_uses_the_newest_commit_of_the_jobs() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    jobs.push(&[("lib/word.sh", "exit 3\n")]);
    let failed = run(&place, &app, &[]).exits(1).report();
    assert_eq!((&failed["hooks"][0]["exit_code"], app.read("log").as_str()), (&3.into(), ""));
    jobs.push(&[("lib/word.sh", "WORD=mended\n")]);
    let _ = run(&place, &app, &[]).exits(0);
    assert_eq!(app.read("log"), "mended web in migrations\n");
}

#[test]
fn nothing_is_asked_of_a_repository_whose_hooks_wait_for_another_commit() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    let _ = run(&place, &app, &[]).exits(0);
    std::fs::remove_dir_all(jobs.path().join(".git")).unwrap();
    let report = run(&place, &app, &[]).exits(0).report();
    assert_eq!((&report["hooks"][0]["outcome"], &report["warnings"]), (&"skipped".into(), &0.into()), "{report:#}");
    let again = run(&place, &app, &["--at-start"]).exits(1);
    assert!(again.said().contains("can't be read"), "at a start they don't wait: {}", again.said());
    assert_eq!(again.report()["hooks"][0]["cause"]["kind"], "preflight", "S4.7: the strict phase failed, and no plan was refused");
}

#[test]
fn without_the_network_what_was_fetched_last_is_shown_and_tried() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    let never = place.args(["run", "--dry-run"]).current_dir(app.path()).run().exits(3);
    assert!(never.said().contains("it was never fetched"), "{}", never.said());
    let _ = place.args(["plan"]).current_dir(app.path()).run().exits(0);
    std::fs::remove_dir_all(jobs.path().join(".git")).unwrap();
    let _ = place.args(["plan", "--no-fetch"]).current_dir(app.path()).run().exits(0);
    let app = app_with_discard(&jobs);
    let _ = place.args(["run", "--dry-run"]).current_dir(app.path()).run().exits(0);
    assert_eq!(app.read("log"), "", "it was tried, and left nothing");
}

fn app_with_discard(jobs: &Repository) -> Repository {
    app(jobs, "web", "dirs = [{ path = \".\", mode = \"discard\" }]\n")
}

#[test]
fn modules_and_a_folder_of_the_source_are_read_where_a_revision_says() {
    let (place, jobs) = (Place::new(), Repository::new(&[("ops/ok.wat", wasmhook_tests::project::FAILS)]));
    jobs.git(&["tag", "v1"]);
    jobs.push(&[("ops/ok.wat", wasmhook_tests::project::OK)]);
    let mut codes = Vec::new();
    for revision in ["tag = \"v1\"", "branch = \"main\"", &format!("commit = \"{}\"", jobs.git(&["rev-parse", "v1"]))] {
        let mut manifest = format!("schema = 1\napp = \"shop\"\n[source.ops]\ngit = \"{}\"\nfolder = \"ops\"\n{revision}\n", jobs.url());
        let _ = write!(manifest, "[[hook]]\nid = \"a\"\nphase = \"pre-deploy\"\nsource = \"ops\"\nwasm = \"ok.wat\"\n");
        let app = Repository::new(&[("wasmhook.toml", &manifest)]);
        codes.push(run(&place, &app, &["--tag", &format!("t{}", codes.len())]).code);
    }
    assert_eq!(codes, [1, 0, 1]);
}

#[test]
fn s4_15_s4_19_jobs_of_the_environment_have_their_own_repositories() {
    let (place, jobs) = (Place::new(), jobs());
    let app = Repository::new(&[(".gitignore", "log\n")]);
    let call = place.args(["run", "--from-env", "--app", "shop"]).current_dir(app.path());
    let call =
        call.env("PRE_DEPLOY_REPO_URL", jobs.url()).env("PRE_DEPLOY_FOLDER", "migrations").env("PRE_DEPLOY_COMMAND", "bash migrate.sh");
    let _ = call.env("KIND", "env").run().exits(0);
    assert_eq!(app.read("log"), "one env in migrations\n");
}

#[test]
fn s4_18_a_job_after_the_start_has_a_folder_or_starts_at_the_root() {
    let script = "echo \"$(basename \"$PWD\") $(ls)\" > \"$APP_DIR/log\"";
    let (place, jobs) = (Place::new(), Repository::new(&[("seeding/seed.sh", ""), ("readme", "")]));
    for (folder, said) in [(Some("seeding"), "seeding seed.sh\n"), (Some(""), " readme seeding\n"), (None, " readme seeding\n")] {
        let app = Repository::new(&[(".gitignore", "log\n")]);
        let call = place.args(["run", "--from-env", "--app", "shop", "--at-start"]).current_dir(app.path());
        let call = call.env("POST_DEPLOY_REPO_URL", jobs.url()).env("POST_DEPLOY_COMMAND", script);
        let call = folder.into_iter().fold(call, |call, folder| call.env("POST_DEPLOY_FOLDER", folder));
        let _ = call.run().exits(0);
        assert!(app.read("log").replace('\n', " ").trim_end().ends_with(said.trim_end()), "{folder:?}: {}", app.read("log"));
    }
}

#[test]
fn where_a_file_keeps_the_commit_the_file_says_whether_the_jobs_are_asked_for() {
    let (place, jobs) = (Place::new(), jobs());
    let app = app(&jobs, "web", "");
    let file = tempfile::tempdir().unwrap();
    let run = || run(&place, &app, &["--commit-file", file.path().join("commit").to_str().unwrap()]).exits(0);
    let _ = run();
    let _ = run();
    assert_eq!(app.read("log").lines().count(), 1, "the second waits for another commit");
    std::fs::remove_file(file.path().join("commit")).unwrap();
    jobs.push(&[("lib/word.sh", "WORD=two\n")]);
    let _ = run();
    assert_eq!(app.read("log"), "one web in migrations\ntwo web in migrations\n", "a container that lost its file begins anew");
}
