//! A pre-release command, as it stands in the document's `app_desc.yaml` and as a module.

use super::site::{Deployed, Site};

fn natively(site: &Site) -> Deployed {
    site.deploy(&["--manifest", "app/app_desc.yaml", "--app", "shop"]).exits(0)
}

#[test]
fn s1_11_the_documents_command_runs_as_it_stands() {
    let site = Site::of("blueking");
    let ran = natively(&site);
    assert_eq!(ran.calls(), ["python <manage.py> <migrate> <--no-input>"]);
    assert!(ran.lines("pre-release/pre-release").contains(&"  Applying 0002_purchases... OK"), "{}", ran.stderr);
    assert_eq!(site.read("run/processes").lines().last(), Some("worker-1 shop.settings 0002_purchases"), "the release was told the schema");
}

#[test]
fn the_command_and_its_module_do_the_same_and_leave_the_same() {
    let (native, wasm) = (Site::of("blueking"), Site::of("blueking"));
    let before = native.files("app");
    let (by_command, by_module) = (natively(&native), wasm.deploy(&["--manifest", "wasm.toml"]).exits(0));
    assert_eq!(by_command.sequence(), [["pre-release", "pre-release", "succeeded", "proceed"].map(str::to_owned)]);
    assert_eq!(by_module.sequence(), by_command.sequence());
    assert_eq!((by_command.guests(), by_module.guests()), (vec!["native"], vec!["wasm"]));
    assert_eq!((native.files("run"), native.files("app")), (wasm.files("run"), wasm.files("app")));
    assert_eq!(native.files("app"), before, "what they wrote went with their container");
}

#[test]
fn a_failing_command_and_its_failing_module_end_the_deployment_alike() {
    let (native, wasm) = (Site::of("blueking"), Site::of("blueking"));
    for site in [&native, &wasm] {
        std::fs::remove_dir_all(site.path("app/migrations")).unwrap();
    }
    let by_command = native.deploy(&["--manifest", "app/app_desc.yaml", "--app", "shop"]).exits(1);
    let by_module = wasm.deploy(&["--manifest", "wasm.toml"]).exits(1);
    assert_eq!(by_command.sequence(), [["pre-release", "pre-release", "failed", "abort"].map(str::to_owned)], "{}", by_command.stderr);
    assert_eq!(by_module.sequence(), by_command.sequence());
    assert_eq!(native.files("run"), wasm.files("run"));
    assert!(!native.path("run/processes").exists(), "nothing was released");
}

#[test]
fn the_documents_other_commands_and_their_modules_do_the_same_and_leave_the_same() {
    let cases: [(&str, &[&str], &str); 2] = [
        ("guided", &["python <manage.py> <migrate> <--no-input>"], "  Applying 0002_purchases... OK"),
        ("script", &["pip <install> <s3cmd==2.0.0>", "s3cmd <put> <...>"], "put site.css"),
    ];
    for (example, calls, said) in cases {
        let (native, wasm) = (Site::also("blueking", example), Site::also("blueking", example));
        let before = native.files("app");
        let (by_command, by_module) = (natively(&native), wasm.deploy(&["--manifest", "wasm.toml"]).exits(0));
        assert_eq!(by_command.calls(), calls, "{example}");
        assert_eq!(by_command.sequence(), [["pre-release", "pre-release", "succeeded", "proceed"].map(str::to_owned)]);
        assert_eq!(by_module.sequence(), by_command.sequence(), "{example}");
        assert_eq!((by_command.guests(), by_module.guests()), (vec!["native"], vec!["wasm"]));
        for ran in [&by_command, &by_module] {
            assert!(ran.lines("pre-release/pre-release").contains(&said), "{example}: {}", ran.stderr);
        }
        assert_eq!((native.files("app"), wasm.files("app")), (before.clone(), before), "{example}");
    }
}
