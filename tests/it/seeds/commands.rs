//! Each example is started by one command, and its files are the documents' own.

use std::path::Path;
use std::process::Command;
use wasmhook_tests::programs::root;
use wasmhook_tests::{example, harness};

/// What each says when native commands and modules did the same and left the same.
const AGREED: &str = "natively and as modules: the same sequence, the same files";

/// Runs the one command of an example, with the program and the compiled guests of these tests.
fn started(example: &str) -> String {
    let mut run = Command::new(example::all().join(example).join("run.sh"));
    run.env("WASMHOOK", harness::program()).env("CARGO_TARGET_DIR", example::target());
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        run.env_remove(variable);
    }
    let ran = run.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{example}: {out}\n{err}");
    out.into_owned()
}

#[test]
fn each_example_runs_by_its_one_command() {
    let _ = example::ported();
    for (name, deployments) in [("blueking", 3), ("divio", 2), ("commit-sync", 11), ("pagoda", 1)] {
        let out = started(name);
        assert_eq!(out.matches(AGREED).count(), deployments, "{name}: {out}");
    }
}

#[test]
fn the_upgrade_of_a_tenant_runs_by_its_one_command_and_leaves_nothing() {
    let _ = example::hooks();
    let out = started("tenant-upgrade");
    let after = |heading: &str| out.split_once(heading).unwrap_or_else(|| panic!("{heading} in {out}")).1.to_owned();
    let (first, second) = (after("== Its upgrade"), after("== The same command again"));
    assert!(first.contains("succeeded with 1 warning: cbapp/testsite v0.3.27 → v0.4.0"), "{out}");
    let outcome = after("== What came of it");
    assert!(outcome.contains("\"version\": \"v0.4.0\"") && outcome.contains("version:    v0.4.0"), "{out}");
    assert!(second.contains("- all 5 hooks skipped: already done in run "), "{out}");
    assert_eq!(out.matches("The new version is live.").count(), 2, "{out}");
    assert!(out.trim_end().ends_with("== Done: the service is stopped, and nothing is left behind"), "{out}");
    let said = out.split_once("Backup: ").unwrap().1;
    let tenant = Path::new(said.split_once("/tenant/").unwrap().0);
    assert!(!tenant.exists(), "{} is left behind", tenant.display());
}

#[test]
fn the_examples_files_are_the_documents_own() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let fixture = |path: &str| read(&format!("tests/fixtures/{path}"));
    let app = |path: &str| read(&format!("hooks-examples/{path}"));
    assert_eq!(app("blueking/app/app_desc.yaml"), fixture("s1/import/app_desc.yaml"));
    assert_eq!(app("commit-sync/app/appspec.yaml"), fixture("s4/import/complete.yaml"));
    for (example, spec) in [
        ("quick-start", "quick-start"),
        ("same-repo", "same-repo"),
        ("monorepo", "monorepo"),
        ("multi-repo", "multi-repo"),
        ("prisma", "minimal"),
    ] {
        assert_eq!(app(&format!("commit-sync/more/{example}/app/appspec.yaml")), fixture(&format!("s4/import/{spec}.yaml")), "{example}");
    }
    assert_eq!(app("tenant-upgrade/app/v0.3.28/release/v0.3.28.sh"), fixture("s3/v0.4.0.sh"));
    assert_eq!(app("pagoda/app/Boxfile"), fixture("s5/import/build/Boxfile") + &fixture("s5/import/deploy/Boxfile"));
}
