//! Build hooks for the code, deploy hooks for each service on its instances: the document's Boxfile, and its commands as modules.

use super::site::{Deployed, Site};
use std::fs;

const INSTANCES: [(&str, &str); 3] = [("web1/a", "instances/web1-a"), ("web1/b", "instances/web1-b"), ("web2/a", "instances/web2-a")];

const BOXFILE: &[&str] = &["--manifest", "app/Boxfile", "--app", "shop"];
const MODULES: &[&str] = &["--manifest", "wasm.toml"];

fn deploy(site: &Site, args: &[&str]) -> Deployed {
    let instances = INSTANCES.map(|(name, dir)| {
        fs::create_dir_all(site.path(dir)).unwrap();
        format!("--instance={name}={dir}")
    });
    let all: Vec<&str> = args.iter().copied().chain(instances.iter().map(String::as_str)).collect();
    site.deploy(&all).exits(0)
}

#[test]
fn s5_48_the_documents_boxfile_runs_as_it_stands() {
    let ran = deploy(&Site::of("pagoda"), BOXFILE);
    let calls = [
        "bundle <install>",
        "curl <-o> <js/jquery.js> <http://code.jquery.com/jquery-2.1.1.min.js>",
        "php <artisan> <migrate>",
        "php <artisan> <db:seed>",
        "php <scripts/clear_cache.php>",
        "php <scripts/clear_cache.php>",
        "php <scripts/clear_cache.php>",
    ];
    assert_eq!(ran.calls(), calls, "{}", ran.stderr);
    assert!(ran.stderr.contains("after_deploy/web2-after_deploy-1@a │ js/jquery.js: OK"), "checksum2.sh: {}", ran.stderr);
    assert_eq!(ran.stderr.matches("│ Primed 2 files").count(), 3, "prime_cache.sh, on every instance: {}", ran.stderr);
}

#[test]
fn the_boxfile_and_its_modules_do_the_same_and_leave_the_same() {
    let (native, wasm) = (Site::of("pagoda"), Site::of("pagoda"));
    let (by_command, by_module) = (deploy(&native, BOXFILE), deploy(&wasm, MODULES));
    assert_eq!(by_command.sequence().len(), 13);
    assert!(by_command.sequence().iter().all(|row| row[2..] == ["succeeded", "proceed"]), "{:?}", by_command.sequence());
    assert_eq!(by_module.sequence(), by_command.sequence());
    assert_eq!(by_module.guests(), vec!["wasm"; 13]);
    for folder in ["app", "instances", "run"] {
        assert_eq!(native.files(folder), wasm.files(folder), "{folder}");
    }
}

#[test]
fn s5_7_the_dependency_file_is_replaced_by_the_platforms_own() {
    for args in [BOXFILE, MODULES] {
        let site = Site::of("pagoda");
        let own = site.read("app/pagoda/gemfile");
        deploy(&site, args);
        assert_eq!(site.read("app/gemfile"), own);
        assert!(!site.path("app/pagoda/gemfile").exists(), "it was moved");
        assert_eq!(site.read("instances/web2-a/gemfile.lock"), "rails-4.1.0\nunicorn-4.8.3\n", "the build saw the replaced one");
    }
}

/// What the example's Boxfile doesn't show: more hooks, from the platform's side.
fn with(site: &Site, hooks: &str) -> Deployed {
    site.write("more.toml", format!("schema = 1\n{hooks}"));
    deploy(site, &[BOXFILE, &["--manifest", "more.toml", "--data-dir", "data"]].concat())
}

#[test]
fn s5_26_migrations_and_unit_tests_run_before_traffic_comes() {
    let site = Site::of("pagoda");
    site.write("app/tests.sh", "#!/bin/bash\nset -e\ngrep -q title js/app.js && echo '1 test passed'\n");
    let tests = "[[hook]]\nid = 'tests'\nphase = 'before_deploy'\nservice = 'web1'\nrun = 'bash tests.sh'\ndirs = [{ path = '.', mode = 'read' }]\n";
    let ran = with(&site, tests);
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("no {text:?}: {}", ran.stderr));
    assert!(at("│ Migrated: 2014_10_01_orders.sql") < at("│ 1 test passed"), "in the order of the list");
    assert!(at("│ 1 test passed") < at("→ route"), "{}", ran.stderr);
    assert_eq!(ran.sequence().iter().filter(|row| row[1] == "tests@a").count(), 1, "on one instance");
}

#[test]
fn s5_31_a_cache_is_cleared_after_traffic_came() {
    let site = Site::of("pagoda");
    site.write("data/cache/page.html", "stale");
    site.write("data/cache/deep/page.html", "stale");
    let clear = "[[hook]]\nid = 'clear'\nphase = 'after_deploy'\nservice = 'web1'\nwasm = 'hooks/clear-cache.wasm'\nargs = ['/shared/cache']\n\
                 dirs = [{ path = '$DATA_DIR/cache', guest = '/shared/cache', mode = 'write' }]\n";
    let ran = with(&site, clear);
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("no {text:?}: {}", ran.stderr));
    assert!(at("→ route") < at("│ Cleared 2 files"));
    assert!(site.files("data/cache").is_empty() && site.path("data/cache").is_dir());
}

#[test]
fn s5_19_deploy_hooks_reach_the_data_that_they_were_granted_and_still_not_the_code() {
    let site = Site::of("pagoda");
    site.write("data/rows", "1\n");
    let hook = "[[hook]]\nid = 'count'\nphase = 'before_deploy'\nservice = 'web1'\ndirs = [{ path = '$DATA_DIR' }, { path = '.', mode = 'read' }]\nshell = true\n\
                run = 'echo \"$DATABASE_URL\" >> \"$DATA_DIR/rows\"; touch code 2>/dev/null || echo the code is read-only'\n";
    let ran = with(&site, hook);
    assert_eq!(site.read("data/rows"), "1\nmysql://db1.internal/shop\n", "{}", ran.stderr);
    assert_eq!(ran.lines("before_deploy/count@a"), ["the code is read-only"]);
}
