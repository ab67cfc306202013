//! A list of release commands, natively and as modules: migration, batch repair, and a self-test that may fail.

use super::site::{Deployed, Site};

const LIST: &[&str] = &["--manifest", "app/release-commands", "--as", "command-list", "--app", "site"];
const MODULES: &[&str] = &["--manifest", "wasm.toml"];

/// A site whose self-test passes.
fn enforced() -> Site {
    let site = Site::of("divio");
    let config = site.read("app/config/production.ini").replace("https=optional", "https=enforced");
    site.write("app/config/production.ini", config);
    site
}

fn rows(ran: &Deployed) -> Vec<(String, String)> {
    ran.sequence().into_iter().map(|[_, hook, outcome, _]| (hook, outcome)).collect()
}

#[test]
fn s2_8_s2_10_migration_and_repair_share_what_they_wrote_and_nothing_of_it_stays() {
    let (native, wasm) = (enforced(), enforced());
    let before = native.files("app");
    let (by_command, by_module) = (native.deploy(LIST).exits(0), wasm.deploy(MODULES).exits(0));
    let calls = ["python <manage.py> <migrate>", "python <manage.py> <cms> <fix-tree>", "python <manage.py> <check> <--deploy>"];
    assert_eq!(by_command.calls(), calls);
    for ran in [&by_command, &by_module] {
        assert!(ran.lines("release/migrate-the-database").contains(&"  Applying 0001_pages... OK"), "{}", ran.stderr);
        assert!(ran.lines("release/fix-the-page-tree").contains(&"fixed 2 pages"), "it needs what the migration wrote: {}", ran.stderr);
    }
    assert_eq!(by_module.sequence(), by_command.sequence());
    assert_eq!((native.files("app"), wasm.files("app")), (before.clone(), before));
    assert_eq!((native.read("run/live"), wasm.read("run/live")), ("new containers\n".to_owned(), "new containers\n".to_owned()));
}

const SAMPLE: &[&str] = &[
    "Running security configuration checks...",
    "",
    "database configuration    ... passed",
    "user accounts             ... passed",
    "gateway server            ... failed (HTTPS not enforced; no exemptions)",
    "",
    "Security configuration checks failed.",
];

#[test]
fn s2_11_s2_25_the_self_test_fails_the_deployment_in_the_lines_of_the_sample() {
    let (native, wasm) = (Site::of("divio"), Site::of("divio"));
    let (by_command, by_module) = (native.deploy(LIST).exits(1), wasm.deploy(MODULES).exits(1));
    for (site, ran) in [(&native, &by_command), (&wasm, &by_module)] {
        let lines: Vec<&str> =
            ran.lines("release/check-the-configuration").into_iter().filter(|line| !line.starts_with("stand-in: ")).collect();
        let once = &lines[..SAMPLE.len()];
        assert_eq!(once, SAMPLE, "{}", ran.stderr);
        assert_eq!(rows(ran).last().unwrap(), &("check-the-configuration".to_owned(), "failed".to_owned()));
        assert!(!site.path("run/live").exists(), "the old containers go on");
    }
    assert_eq!(by_module.sequence(), by_command.sequence());
    assert_eq!(native.files("app"), wasm.files("app"));
}
