//! What scripts of a release are warned of, before any of them runs.

use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

fn warnings(project: &Project, args: &[&str]) -> Vec<String> {
    let plan = Place::new().args([&["plan", "--format", "json"], args].concat()).current_dir(project.path()).run().exits(0).json();
    let found = plan["plan"]["warnings"].as_array().unwrap().iter();
    found.map(|warning| format!("{}: {}", warning["code"].as_str().unwrap(), warning["message"].as_str().unwrap())).collect()
}

const SAMPLE: &str = "#!/bin/bash
MARKER=\"$APP_DIR/.release-${DEPLOY_TAG}-done\"
if [ -f \"$MARKER\" ]; then exit 0; fi
rm -rf \"$APP_DIR/cache/*\" 2>/dev/null || true
touch \"$MARKER\"
";

#[test]
fn s3_41_s3_42_the_sample_scripts_mistakes_are_told_before_it_runs() {
    let project = Project::new("profile = 'tenant-upgrade'").file("release/v1.sh", SAMPLE).file("release/v1.post-migrate.sh", SAMPLE);
    let found = warnings(&project, &["--tag", "v1"]);
    let count = |code: &str| found.iter().filter(|warning| warning.starts_with(code)).count();
    assert_eq!((count("quoted-glob"), count("script-marker")), (2, 1), "{found:#?}");
    assert!(found.iter().any(|warning| warning.contains("release/v1.sh, line 4: ")), "{found:#?}");
    let check = Place::new().args(["check", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    assert_eq!(check["hooks"], 2, "what is found by its name counts: {check}");
    let alone = Project::new("profile = 'tenant-upgrade'").file("release/v1.sh", SAMPLE);
    assert!(!warnings(&alone, &["--tag", "v1"]).iter().any(|warning| warning.starts_with("script-marker")), "one script may keep it");
}

#[test]
fn s4_46_a_script_that_is_not_executable_is_a_warning_as_an_argument() {
    let project = |run: &str| Project::new(&format!("profile = 'commit-sync'\n{}", hook("migrate", "pre-deploy", run)));
    let plain = |run: &str| project(run).file("scripts/migrate", "echo hello\n").file("scripts/fine.sh", "echo hello\n");
    let found = warnings(&plain("run = 'bash scripts/migrate'"), &[]);
    assert!(
        found.iter().any(|warning| warning.starts_with("not-executable") && warning.contains("chmod +x scripts/migrate")),
        "{found:#?}"
    );
    assert!(!warnings(&plain("run = 'bash scripts/fine.sh'"), &[]).iter().any(|warning| warning.starts_with("not-executable")));
}

#[test]
fn check_tells_all_that_the_plan_warns_of() {
    let script = "#!/bin/bash\nrm -rf \"$APP_DIR/cache/*\"\n";
    let lines = hook("migrate", "pre-deploy", "run = 'bash scripts/migrate.sh'");
    let project = Project::new(&format!("profile = 'commit-sync'\n{lines}")).file("scripts/migrate.sh", script);
    let said = warnings(&project, &[]);
    assert!(said.iter().any(|warning| warning.starts_with("quoted-glob")), "{said:#?}");
    let check = Place::new().args(["check", "--format", "json"]).current_dir(project.path()).run().exits(0).json();
    let problems = check["problems"].as_array().unwrap();
    let told = |problem: &serde_json::Value| format!("{}: {}", problem["code"].as_str().unwrap(), problem["message"].as_str().unwrap());
    let told: Vec<String> = problems.iter().map(told).collect();
    for warning in &said {
        assert_eq!(told.iter().filter(|told| *told == warning).count(), 1, "{warning}: {told:#?}");
    }
    assert!(problems.iter().all(|problem| problem["severity"] == "warning"), "{check}");
}
