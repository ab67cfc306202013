//! The document's example jobs, as they stand: each is the one job of its phase, described by variables as on the platform.

use super::site::{Deployed, Site};
use wasmhook_tests::programs::root;

/// Runs one of the document's scripts.
fn job(folder: &str, phase: &str) -> Deployed {
    let site = Site::of("commit-sync");
    let script = root().join("tests/fixtures/s4/jobs").join(folder).join(format!("{phase}.sh"));
    site.write(&format!("app/jobs/{phase}.sh"), std::fs::read(script).unwrap());
    site.write("app/migrations/0001_initial.sql", "CREATE TABLE users (id INTEGER);\n");
    site.commit();
    let command = format!("bash {phase}.sh");
    let prefix = phase.to_uppercase();
    let (command_name, folder_name) = (format!("{prefix}_DEPLOY_COMMAND"), format!("{prefix}_DEPLOY_FOLDER"));
    let own = [
        (command_name.as_str(), command.as_str()),
        (&folder_name, "jobs"),
        ("DATABASE_URL", "postgres://a"),
        ("REDIS_URL", "redis://a"),
        ("ADMIN_PASSWORD", "secret"),
    ];
    site.deploy_with(&["--app", "my-app", "--profile", "commit-sync"], &["--from-env"], &own).exits(0)
}

#[test]
fn s4_56_s4_74_the_documents_jobs_call_what_they_call_on_the_platform() {
    let cases: [(&str, &str, &[&str], &str); 6] = [
        ("prisma", "pre", &["npx <prisma> <migrate> <deploy>", "npx <prisma> <generate>"], "[PRE-DEPLOY] ✓ Migrations completed"),
        ("prisma", "post", &["npx <prisma> <db> <execute> <--stdin>", "npx <prisma> <db> <seed>"], "[POST-DEPLOY] ✓ Database seeded"),
        (
            "django",
            "pre",
            &["python <manage.py> <migrate> <--no-input>", "python <manage.py> <collectstatic> <--no-input>"],
            "[PRE-DEPLOY] ✓ Migrations completed",
        ),
        ("django", "post", &["python <manage.py> <shell>"], "[POST-DEPLOY] Creating superuser..."),
        ("go", "pre", &["migrate <-path> <./migrations> <-database> <postgres://a> <up>"], "[PRE-DEPLOY] ✓ Migrations completed"),
        ("go", "post", &["redis-cli <-u> <redis://a> <SET> <warmup:time>"], "[POST-DEPLOY] ✓ Cache warmed"),
    ];
    for (folder, phase, calls, said) in cases {
        let ran = job(folder, phase);
        let called = ran.calls();
        let same = called.len() == calls.len() && called.iter().zip(calls).all(|(called, wanted)| called.starts_with(wanted));
        assert!(same, "{folder}/{phase}: {called:?}");
        let place = format!("{phase}-deploy/{phase}-deploy");
        assert!(ran.lines(&place).contains(&said), "{folder}/{phase}: {}", ran.stderr);
        assert!(ran.lines(&place).iter().any(|line| line.contains("; in ./jobs; with ")), "{folder}/{phase}: {}", ran.stderr);
    }
}

/// A script of the document's quick start.
fn quick_start(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/fixtures/s4/jobs/quick-start").join(name)).unwrap()
}

fn deploy(site: &Site, spec: &str) -> Deployed {
    site.commit();
    let file = root().join(format!("tests/fixtures/s4/import/{spec}.yaml"));
    site.deploy(&["--manifest", file.to_str().unwrap(), "--app", "my-app"]).exits(0)
}

#[test]
fn the_quick_start_runs_as_it_stands() {
    let site = Site::of("commit-sync");
    site.write("app/scripts/pre-deploy/migrate.sh", quick_start("migrate.sh"));
    site.write("app/scripts/post-deploy/warm-cache.sh", quick_start("warm-cache.sh"));
    let ran = deploy(&site, "quick-start");
    assert_eq!(ran.calls(), ["npx <prisma> <migrate> <deploy>", "curl <-s> <http://localhost:8080/api/data>"], "{}", ran.stderr);
    assert_eq!(ran.sequence().iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), ["succeeded", "succeeded"]);
}

#[test]
fn the_jobs_of_a_monorepo_run_in_their_part_of_it() {
    let site = Site::of("commit-sync");
    site.write("app/apps/backend/scripts/pre-deploy/migrate.sh", quick_start("migrate.sh"));
    let ran = deploy(&site, "monorepo");
    assert_eq!(ran.calls(), ["npx <prisma> <migrate> <deploy>"], "{}", ran.stderr);
    assert!(ran.stderr.contains("; in ./apps/backend/scripts/pre-deploy; with "), "{}", ran.stderr);
}
