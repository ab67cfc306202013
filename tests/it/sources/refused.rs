//! What a repository that can't be had, or isn't allowed, means.

use super::repository::Repository;
use std::net::TcpListener;
use wasmhook_tests::{Place, Project};

fn manifest(git: &str, phase: &str) -> String {
    format!(
        "profile = \"commit-sync\"\n[source.ops]\ngit = \"{git}\"\n[[hook]]\nid = \"job\"\nphase = \"{phase}\"\nsource = \"ops\"\nrun = \"./job.sh\"\n"
    )
}

#[test]
fn a_repository_that_is_gone_is_refused_before_a_strict_phase_and_warned_of_in_a_lenient_one() {
    for (phase, code) in [("pre-deploy", 3), ("post-deploy", 0)] {
        let project = Project::new(&manifest("file:///no/such/repository", phase));
        let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(code);
        assert!(ran.said().contains("the source ops (file:///no/such/repository) can't be read"), "{}", ran.said());
        let report = ran.report();
        match phase {
            "pre-deploy" => assert_eq!((&report["status"], &report["hooks"]), (&"refused".into(), &serde_json::json!([]))),
            _ => assert_eq!(
                (&report["hooks"][0]["outcome"], &report["hooks"][0]["verdict"]),
                (&"failed".into(), &"proceed-with-warning".into())
            ),
        }
    }
}

#[test]
fn what_was_fetched_before_is_not_taken_for_what_is_there() {
    let (place, jobs) = (Place::new(), Repository::new(&[("job.sh", "#!/bin/sh\n")]));
    let project = Project::new(&manifest(&jobs.url(), "pre-deploy"));
    let _ = place.args(["run"]).current_dir(project.path()).run().exits(0);
    jobs.git(&["branch", "-m", "main", "other"]);
    jobs.git(&["symbolic-ref", "HEAD", "refs/heads/none"]);
    let ran = place.args(["run"]).current_dir(project.path()).run().exits(3);
    assert!(ran.said().contains("can't be read"), "{}", ran.said());
}

#[test]
fn a_folder_or_program_that_the_repository_lacks_is_named_before_anything_runs() {
    let jobs = Repository::new(&[("job.sh", "#!/bin/sh\n")]);
    for (line, said) in [("cwd = \"seeding\"", "has no folder seeding"), ("cwd = \".\"\nargs = [\"x\"]", "")] {
        let project = Project::new(&format!("{}{line}\n", manifest(&jobs.url(), "pre-deploy")));
        let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(if said.is_empty() { 0 } else { 3 });
        assert!(ran.said().contains(said), "{}", ran.said());
    }
}

#[test]
fn the_operator_s_policy_is_asked_before_the_repository_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let git = format!("http://{}/jobs.git", listener.local_addr().unwrap());
    let project = Project::new(&manifest(&git, "pre-deploy")).file("policy.toml", "schema = 1\n[policy]\nsources = [\"https://host/*\"]\n");
    for command in ["run", "plan"] {
        let ran = Place::new().args([command, "--policy", "policy.toml"]).current_dir(project.path()).run().exits(3);
        assert!(ran.said().contains(&format!("[policy] sources = [\"{git}\"]")), "{}", ran.said());
    }
    assert!(listener.accept().is_err(), "nobody asked it");
    let jobs = Repository::new(&[("job.sh", "#!/bin/sh\n")]);
    let allowed = Project::new(&manifest(&jobs.url(), "pre-deploy")).file(
        "policy.toml",
        format!("schema = 1\n[policy]\nsources = [\"{}\"]\ndirs = [{{ path = \"$APP_DIR\", mode = \"write\" }}]\n", jobs.url()),
    );
    let _ = Place::new().args(["run", "--policy", "policy.toml"]).current_dir(allowed.path()).run().exits(0);
}

#[test]
fn names_and_addresses_that_lead_nowhere_are_errors_of_the_manifest() {
    let wrong = manifest("https://host/a", "pre-deploy").replace("source = \"ops\"", "source = \"opps\"");
    let ran = Place::new().args(["check"]).current_dir(Project::new(&wrong).path()).run().exits(2);
    assert!(ran.said().contains("error[unknown-source]") && ran.said().contains("`ops`"), "{}", ran.said());
    let secret = Project::new(&manifest("https://user:s3cret@host/a", "pre-deploy"));
    let ran = Place::new().args(["check"]).current_dir(secret.path()).run().exits(2);
    assert!(ran.said().contains("error[bad-source]") && !ran.said().contains("s3cret"), "{}", ran.said());
}
