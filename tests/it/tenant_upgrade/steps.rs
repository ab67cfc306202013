//! The fourteen steps, each at its place: one upgrade, in which every step and hook writes down what it sees before it does anything.

use super::tenant::{Tenant, Upgrade};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// The lifecycle as it has to happen; hooks are named by their files. Fetch and target are facts of the plan and run no program.
const ORDER: [&str; 14] = [
    "stop-services",
    "backup-database",
    "v0.5.0.pre-pull.sh",
    "checkout",
    "v0.5.0.sh",
    "v0.5.0.post-pull.sh",
    "install-requirements",
    "v0.5.0.pre-migrate.sh",
    "migrate",
    "v0.5.0.post-migrate.sh",
    "update-version",
    "start-services",
    "health-check",
    "afterwards",
];

/// What a step or hook saw when it began.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Sight {
    name: String,
    /// The version in the work tree.
    tree: String,
    /// How many migrations the database knows.
    migrations: String,
    /// Whether the application's requirement is installed.
    requirement: String,
    /// The version record; hooks can't see it.
    record: String,
    /// Whether the tenant's service runs; hooks can't see it.
    service: String,
}

struct Story {
    sights: Vec<Sight>,
    upgrade: Upgrade,
    /// How many migrations the backup knows.
    in_backup: String,
    health: serde_json::Value,
}

/// Writes a [`Sight`] of `name` as one line. It is a part of each script, since hooks reach only the tenant's own directories.
fn look(tenant: &Tenant, name: &str) -> String {
    let (app, data, run) = (tenant.app(), tenant.data(), tenant.app().join("../run"));
    let (app, data, run) = (app.display(), data.display(), run.display());
    format!(
        "installed=no; for file in {app}/.venv/lib/python3*/site-packages/greeting.py; do [ ! -e \"$file\" ] || installed=yes; done
service=down; [ ! -e {run}/service.pid ] || service=up
echo \"{name} $(cat {app}/VERSION) $(sqlite3 {data}/pocket.db 'SELECT count(*) FROM schema_migrations') $installed \
         $(cat {run}/version 2>/dev/null || echo unseen) $service\" >> {data}/story\n"
    )
}

fn sights(text: &str) -> Vec<Sight> {
    let sight = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Sight { name: next(), tree: next(), migrations: next(), requirement: next(), record: next(), service: next() }
    };
    text.lines().map(sight).collect()
}

/// A wheel is an archive with its own list of contents; a requirement that needs no network.
fn add_requirement(tenant: &Tenant) {
    let wheel = tempfile::tempdir().unwrap();
    let file = wheel.path().join("greeting-1.0-py3-none-any.whl");
    let script = "import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('greeting.py', 'WORD = \"hello\"\\n')
    wheel.writestr('greeting-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n')
    wheel.writestr('greeting-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('greeting-1.0.dist-info/RECORD', 'greeting.py,,\\ngreeting-1.0.dist-info/METADATA,,\\ngreeting-1.0.dist-info/WHEEL,,\\ngreeting-1.0.dist-info/RECORD,,\\n')
";
    assert!(Command::new("python3").args(["-c", script]).arg(&file).status().unwrap().success());
    tenant.add("wheels/greeting-1.0-py3-none-any.whl", &file);
}

fn backed_up(path: &Path) -> String {
    let backup = rusqlite::Connection::open(path).unwrap();
    backup.query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get::<_, i64>(0)).unwrap().to_string()
}

static STORY: LazyLock<Story> = LazyLock::new(|| {
    let tenant = Tenant::new();
    for step in ORDER.iter().filter(|name| !name.starts_with("v0.5.0") && **name != "afterwards") {
        tenant.edit_step(step, "set -eu\n", &format!("set -eu\n{}", look(&tenant, step)));
    }
    add_requirement(&tenant);
    let hooks = ORDER.map(|name| (format!("release/{name}"), format!("#!/bin/sh\nset -e\n{}", look(&tenant, name))));
    let files: Vec<_> =
        hooks.iter().filter(|(path, _)| path.starts_with("release/v0.5.0")).map(|(path, text)| (&**path, &**text)).collect();
    tenant.release("v0.5.0", &[&files[..], &[("requirements.txt", "greeting==1.0\n")]].concat());
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    let afterwards = Command::new("sh").arg("-c").arg(look(&tenant, "afterwards")).status().unwrap();
    assert!(afterwards.success());
    Story {
        sights: sights(&tenant.read("story")),
        in_backup: backed_up(Path::new(upgrade.report["backup_path"].as_str().unwrap())),
        health: tenant.service().unwrap(),
        upgrade,
    }
});

/// What `name` saw, what the one after it saw, and that it stands where it belongs.
#[track_caller]
fn at(name: &str) -> (&'static Sight, &'static Sight) {
    let names: Vec<_> = STORY.sights.iter().map(|sight| sight.name.as_str()).collect();
    let index = |name| names.iter().position(|other| *other == name).unwrap_or_else(|| panic!("{name} didn't happen: {names:?}"));
    let here = index(name);
    let expected = ORDER.iter().position(|other| *other == name).unwrap();
    let around =
        |order: &[&str], at: usize| [at.checked_sub(1), Some(at + 1)].map(|at| at.and_then(|at| order.get(at).map(ToString::to_string)));
    assert_eq!(around(&names, here), around(&ORDER, expected), "what comes right before and after {name}: {names:?}");
    (&STORY.sights[here], &STORY.sights[here + 1])
}

/// The place of a step in the report.
fn number(name: &str) -> usize {
    let steps = STORY.upgrade.report["steps"].as_array().unwrap();
    1 + steps.iter().position(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {steps:?}"))
}

#[test]
fn s3_11_services_stop_first() {
    let (before, after) = at("stop-services");
    assert_eq!((before.service.as_str(), after.service.as_str(), number("stop-services")), ("up", "down", 1));
}

#[test]
fn s3_12_the_database_is_backed_up_before_anything_touches_it() {
    let (before, _) = at("backup-database");
    assert_eq!((before.service.as_str(), before.migrations.as_str(), number("backup-database")), ("down", "1", 2));
    assert_eq!(STORY.in_backup, "1", "`backup_path` is the database as it was");
    assert_eq!(STORY.sights.last().unwrap().migrations, "4");
}

#[test]
fn s3_13_the_fetch_is_shown_as_the_third_step() {
    assert_eq!((number("fetch"), &STORY.upgrade.step("fetch")["found"]), (3, &"fetched".into()));
}

#[test]
fn s3_14_the_target_is_shown_as_the_fourth_step() {
    assert_eq!((number("target"), &STORY.upgrade.step("target")["found"]), (4, &"v0.5.0".into()));
}

#[test]
fn s3_15_pre_pull_hooks_run_when_the_target_is_known_and_not_checked_out() {
    let (saw, _) = at("v0.5.0.pre-pull.sh");
    assert_eq!((saw.tree.as_str(), number("pre-pull")), ("v0.3.27", 5));
}

#[test]
fn s3_16_the_target_is_checked_out_after_pre_pull_hooks_and_before_post_pull_hooks() {
    let (before, after) = at("checkout");
    assert_eq!((before.tree.as_str(), after.tree.as_str(), number("checkout")), ("v0.3.27", "v0.5.0", 6));
}

#[test]
fn s3_17_post_pull_hooks_run_on_the_new_tree_the_default_file_first() {
    let ((default, next), (named, _)) = (at("v0.5.0.sh"), at("v0.5.0.post-pull.sh"));
    assert_eq!(next, named);
    assert_eq!((default.tree.as_str(), named.tree.as_str(), number("post-pull")), ("v0.5.0", "v0.5.0", 7));
    assert_eq!(STORY.upgrade.strings("hooks_executed")[1..3], ["post-pull: v0.5.0.sh - OK", "post-pull: v0.5.0.post-pull.sh - OK"]);
}

#[test]
fn s3_18_requirements_are_installed_after_post_pull_hooks() {
    let (before, after) = at("install-requirements");
    assert_eq!((before.requirement.as_str(), after.requirement.as_str(), number("install-requirements")), ("no", "yes", 8));
}

#[test]
fn s3_19_pre_migrate_hooks_run_with_the_requirements_and_before_the_migrations() {
    let (saw, _) = at("v0.5.0.pre-migrate.sh");
    assert_eq!((saw.requirement.as_str(), saw.migrations.as_str(), number("pre-migrate")), ("yes", "1", 9));
}

#[test]
fn s3_20_migrations_run_and_are_listed() {
    let (before, after) = at("migrate");
    assert_eq!((before.migrations.as_str(), after.migrations.as_str(), number("migrate")), ("1", "4", 10));
    let migrations = ["migrations/002_segment_position.sql", "migrations/003_segment_labels.sql", "migrations/004_settings.sql"];
    assert_eq!(STORY.upgrade.strings("migrations_run"), migrations);
    assert!(STORY.upgrade.strings("details").contains(&"Ran 3 migrations"));
}

#[test]
fn s3_21_post_migrate_hooks_see_every_migration() {
    let (saw, _) = at("v0.5.0.post-migrate.sh");
    assert_eq!((saw.migrations.as_str(), number("post-migrate")), ("4", 11));
}

#[test]
fn s3_22_the_version_record_is_written_after_the_last_hook_and_before_services_start() {
    let (before, after) = at("update-version");
    assert_eq!((before.record.as_str(), after.record.as_str(), number("update-version")), ("v0.3.27", "v0.5.0", 12));
}

#[test]
fn s3_23_services_start_on_the_new_version() {
    let (before, after) = at("start-services");
    assert_eq!((before.service.as_str(), after.service.as_str(), number("start-services")), ("down", "up", 13));
    assert_eq!(STORY.health["version"], "v0.5.0");
}

#[test]
fn s3_24_the_health_check_is_last_and_its_result_is_a_detail() {
    let (before, _) = at("health-check");
    assert_eq!((before.service.as_str(), number("health-check")), ("up", 14));
    assert_eq!(STORY.upgrade.strings("details").last(), Some(&"Health check passed"));
    assert_eq!(STORY.upgrade.report["steps"].as_array().unwrap().len(), 14);
}
