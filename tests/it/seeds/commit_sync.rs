//! Jobs before and after an application, when its commit changes: the document's app specs and scripts, and their commands as modules.

use super::site::{Deployed, Site};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const SPEC: &[&str] = &["--manifest", "jobs.toml", "--manifest", "app/appspec.yaml", "--app", "my-app"];
const MODULES: &[&str] = &["--manifest", "jobs.toml", "--manifest", "wasm.toml"];

/// A site with one commit.
fn committed() -> Site {
    let site = Site::of("commit-sync");
    site.commit();
    site
}

fn outcomes(ran: &Deployed) -> Vec<(String, String)> {
    ran.sequence().into_iter().map(|[_, hook, outcome, _]| (hook, outcome)).collect()
}

#[test]
fn s4_58_s4_61_the_spec_and_its_modules_do_the_same_on_every_commit() {
    let (native, wasm) = (committed(), committed());
    let sync = |outcome: &str| {
        let (by_spec, by_module) = (native.deploy(SPEC).exits(0), wasm.deploy(MODULES).exits(0));
        let hooks = ["validate", "config", "pre-deploy", "track", "post-deploy"];
        assert_eq!(outcomes(&by_spec), hooks.map(|hook| (hook.to_owned(), outcome.to_owned())), "{}", by_spec.stderr);
        assert_eq!(by_module.sequence(), by_spec.sequence());
        assert_eq!(native.files("app"), wasm.files("app"));
        (by_spec, by_module)
    };
    sync("succeeded");
    assert_eq!((native.read("app/db/users").lines().count(), native.read("app/db/products").lines().count()), (10, 25), "S4.61");
    assert_eq!(native.read("app/db/applied"), "20260101_users\n20260202_products\n");
    sync("skipped");
    for site in [&native, &wasm] {
        site.write("app/prisma/migrations/20260303_email.sql", "ALTER TABLE users ADD email TEXT;\n");
        site.commit();
    }
    let (by_spec, by_module) = sync("succeeded");
    assert_eq!(native.read("app/db/applied").lines().last(), Some("20260303_email"), "S4.58: the new script, and no other");
    assert!(by_spec.stderr.contains("Data already exists (10 users). Skipping seed."), "{}", by_spec.stderr);
    assert!(by_module.stderr.contains("Data already exists (10 users), skipping"), "{}", by_module.stderr);
}

#[test]
fn s4_60_config_json_is_made_from_the_variables_that_were_granted() {
    let site = committed();
    site.write("platform.env", "DATABASE_URL=\"postgres://a\\\"b\"\nREDIS_URL=redis://cache\nAPI_KEY=k\nOTHER=x\n");
    let _ = site.deploy(MODULES).exits(0);
    let config: serde_json::Value = serde_json::from_str(&site.read("app/config.json")).unwrap();
    assert_eq!(config, serde_json::json!({"database_url": "postgres://a\"b", "redis_url": "redis://cache"}));
}

#[test]
fn s4_65_each_deployment_leaves_one_event() {
    let site = committed();
    let first = site.deploy(MODULES).exits(0);
    let _ = site.deploy(MODULES).exits(0);
    site.commit();
    let second = site.deploy(MODULES).exits(0);
    let event = |ran: &Deployed| format!("deployed {} to production\n", ran.report["commit"].as_str().unwrap());
    assert_eq!(site.read("app/analytics/deployments"), event(&first) + &event(&second), "none for the commit that was deployed already");
}

#[test]
fn s4_71_a_variable_that_is_missing_is_named_and_the_deployment_ends() {
    let native =
        "[[hook]]\nid = 'validate'\nphase = 'pre-deploy'\nrun = 'bash validate.sh'\ncwd = 'scripts/pre-deploy'\ndirs = [{ path = '.' }]\n";
    for (manifest, line) in [
        ("native.toml", "[PRE-DEPLOY] ERROR: Required variable API_KEY not set"),
        ("jobs.toml", "ERROR: Required variable API_KEY not set"),
    ] {
        let site = committed();
        site.write("native.toml", format!("schema = 1\n{native}"));
        site.write("platform.env", "DATABASE_URL=postgres://a\nREDIS_URL=redis://a\nAPI_KEY=\n");
        let ran = site.deploy(&["--manifest", manifest, "--manifest", "wasm.toml"]).exits(1);
        assert!(ran.lines("pre-deploy/validate").contains(&line), "{}", ran.stderr);
        assert_eq!((&ran.report["hooks"][0]["id"], &ran.report["hooks"][0]["exit_code"]), (&"validate".into(), &1.into()));
        assert_eq!(outcomes(&ran)[0].1, "failed");
        assert!(!site.path("app/db").exists(), "no migration ran");
    }
}

#[test]
fn s4_54_a_file_of_variables_and_the_environment_itself_lead_to_the_same_run() {
    let variables = [("DATABASE_URL", "postgres://a"), ("REDIS_URL", "redis://a"), ("API_KEY", "k")];
    let (by_file, by_environment) = (committed(), committed());
    let text: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    by_file.write("platform.env", text);
    let one = by_file.deploy(SPEC).exits(0);
    let other = by_environment.deploy_with(SPEC, &["--from-env"], &variables).exits(0);
    assert_eq!(one.sequence(), other.sequence());
    assert_eq!(by_file.files("app"), by_environment.files("app"));
    assert_eq!(one.calls(), other.calls());
}

#[test]
fn s4_54_a_job_is_tried_on_a_laptop_without_any_platform() {
    let site = Site::of("commit-sync");
    let tried = site.call(&["test", "--twice"]);
    assert_eq!(tried.code, Some(0), "{tried:?}");
    let case = site.read("config.test.toml").replace("redis_url\\\": \\\"redis", "redis_url\\\": \\\"rediss");
    site.write("config.test.toml", case);
    assert_eq!(site.call(&["test"]).code, Some(1), "a case that doesn't hold");
}

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that a job left; it doesn't outlive the test.
struct Worker(Pid);

impl Worker {
    /// Whether it still does something: what is dead and waits for somebody to notice doesn't.
    fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[test]
fn s4_64_a_worker_outlives_the_run_only_where_that_was_asked_for_and_allowed() {
    let start = "#!/bin/bash\nset -euo pipefail\nsetsid sh -c 'echo $$ > \"$APP_DIR/worker.pid\"; exec sleep 600' > /dev/null 2>&1 &\n\
                 while ! [ -s \"$APP_DIR/worker.pid\" ]; do sleep 0.02; done\necho started\n";
    let deployed = |detach: bool| {
        let site = Site::of("commit-sync");
        site.write("app/worker.sh", start);
        site.write("policy.toml", site.read("policy.toml") + "detach = true\n");
        site.write(
            "worker.toml",
            format!("schema = 1\n[[hook]]\nid = 'worker'\nphase = 'post-deploy'\nrun = 'bash worker.sh'\ndetach = {detach}\n"),
        );
        site.commit();
        let ran = site.deploy(&["--manifest", "worker.toml", "--profile", "commit-sync", "--app", "my-app"]).exits(0);
        assert_eq!(ran.lines("post-deploy/worker"), ["started"]);
        let pid = site.read("app/worker.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
        (site, Worker(pid))
    };
    let (site, worker) = deployed(true);
    assert!(worker.runs());
    let again = site.deploy(&["--manifest", "worker.toml", "--profile", "commit-sync", "--app", "my-app"]).exits(0);
    assert_eq!(outcomes(&again), [("worker".to_owned(), "skipped".to_owned())], "it doesn't hold the lock");
    let (_site, ended) = deployed(false);
    let start = Instant::now();
    while ended.runs() {
        assert!(start.elapsed() < PATIENCE, "without the word it ends with its hook");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(worker.runs());
}
