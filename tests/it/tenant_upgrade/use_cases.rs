//! The use cases that the documentation lists, done by real hooks: the example's, compiled from source, and scripts.

use super::tenant::Tenant;
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn s3_52_static_files_are_regenerated_from_the_new_tree() {
    let tenant = Tenant::new();
    assert_eq!(tenant.upgrade().code, Some(0));
    let size = |file: &str| fs::metadata(tenant.app().join("src/app/static/data").join(file)).unwrap().len();
    let expected =
        format!("release v0.4.0 of testsite\nnew-file.json {}\nsegments.json {}\n", size("new-file.json"), size("segments.json"));
    assert_eq!(tenant.read("public/release.txt"), expected);
}

#[test]
fn s3_38_a_file_is_copied_to_a_directory_outside_of_the_application() {
    let tenant = Tenant::new();
    assert_eq!(tenant.upgrade().code, Some(0));
    assert_eq!(fs::read(tenant.other().join("new-file.json")).unwrap(), fs::read(data_of(&tenant).join("new-file.json")).unwrap());
}

#[test]
fn s3_40_the_cache_directory_is_cleared_and_stays() {
    let tenant = Tenant::new();
    assert!(tenant.app().join("cache/page-1.html").is_file());
    let upgrade = tenant.upgrade_with(&["--only", "static-sync"]);
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    assert!(tenant.app().join("cache").read_dir().unwrap().next().is_none(), "the cache is empty, and there");
}

/// The static data of another tenant that runs next door.
fn data_of(tenant: &Tenant) -> std::path::PathBuf {
    tenant.app().join("src/app/static/data")
}

/// A release of `tenant` whose hook, the example's, syncs to `to`.
fn release_that_syncs(tenant: &Tenant, to: &Path) {
    let to = to.display();
    let manifest = format!(
        r#"
schema = 1
app = "cbapp"
profile = "tenant-upgrade"
data_dir = "db"
[[hook]]
id = "sync"
phase = "post-pull"
wasm = "hooks/static-sync.wasm"
args = ["{to}"]
dirs = [{{ path = "$APP_DIR", mode = "write" }}, {{ path = "{to}", mode = "write" }}]
"#
    );
    tenant.release("v0.5.0", &[("wasmhook.toml", &manifest)]);
}

#[test]
fn s3_53_files_are_synced_to_another_deployment() {
    let (tenant, harbour) = (Tenant::new(), Tenant::new());
    let there = data_of(&harbour).canonicalize().unwrap();
    assert!(!there.join("new-file.json").exists());
    tenant.edit_policy("dirs = [", &format!("dirs = [\n    {{ path = \"{}\", mode = \"write\" }},", there.display()));
    release_that_syncs(&tenant, &there);
    let upgrade = tenant.upgrade();
    assert_eq!((upgrade.code, upgrade.strings("hooks_executed")), (Some(0), vec!["post-pull: static-sync.wasm - OK"]), "{upgrade:#?}");
    assert_eq!(fs::read(there.join("new-file.json")).unwrap(), fs::read(data_of(&tenant).join("new-file.json")).unwrap());
    assert_eq!(harbour.git("testsite", &["status", "--short"]), "?? src/app/static/data/new-file.json", "and nothing else changed there");
    assert_eq!(harbour.live(), "v0.3.27", "it goes on running");
}

#[test]
fn s3_53_another_deployment_that_the_operator_did_not_grant_is_out_of_reach() {
    let (tenant, harbour) = (Tenant::new(), Tenant::new());
    let there = data_of(&harbour).canonicalize().unwrap();
    release_that_syncs(&tenant, &there);
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(3), "{upgrade:#?}");
    assert!(upgrade.stderr.contains("error[refused-grant]"), "{}", upgrade.stderr);
    assert_eq!(harbour.git("testsite", &["status", "--short"]), "");
    assert_eq!(tenant.live(), "v0.3.27", "services weren't stopped");
}

#[test]
fn s3_54_specific_tables_are_kept_before_a_migration_changes_them() {
    let tenant = Tenant::new();
    let keeps = "#!/bin/sh\nset -e\nsqlite3 -bail \"$DATA_DIR/pocket.db\" 'CREATE TABLE segments_before AS SELECT * FROM segments'\n";
    tenant.release(
        "v0.5.0",
        &[("release/v0.5.0.pre-migrate.sh", keeps), ("migrations/005_prune.sql", "DELETE FROM segments WHERE id > 2;\n")],
    );
    let before = tenant.sql("SELECT id || ' ' || name FROM segments ORDER BY id");
    let columns = |table: &str| tenant.sql(&format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    assert_eq!(tenant.sql("SELECT name FROM segments ORDER BY id"), ["north", "south"], "the migration ran");
    assert_eq!(tenant.sql("SELECT id || ' ' || name FROM segments_before ORDER BY id"), before);
    assert_eq!(columns("segments_before"), ["id", "tenant_id", "name"], "as it was before the first migration");
    assert_eq!(columns("segments"), ["id", "tenant_id", "name", "position"]);
}

#[test]
fn s3_54_the_example_s_component_keeps_the_tables_that_its_release_changes() {
    let tenant = Tenant::new();
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    assert_eq!(tenant.read("before/v0.4.0/TABLES"), "table,rows\nsegments,7\n");
    let kept = tenant.read("before/v0.4.0/segments.csv");
    assert_eq!(kept.lines().next(), Some("id,tenant_id,name"), "without the column that a migration adds");
    assert_eq!(kept.lines().nth(4), Some("4,2,pier"));
    assert!(!tenant.has("before/v0.4.0/tenants.csv"), "what no migration touches isn't kept");
}

#[test]
fn s3_55_the_cache_is_warm_with_what_the_new_release_brought() {
    let tenant = Tenant::new();
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    let cache = tenant.app().join("cache");
    let mut files: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["index.json", "warm-new-file.json", "warm-segments.json"], "the old page is gone, the new ones are there");
    let read = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    for file in ["new-file.json", "segments.json"] {
        assert_eq!(read(&cache.join(format!("warm-{file}"))), read(&data_of(&tenant).join(file)), "{file}");
    }
    let index = read(&cache.join("index.json"));
    let bytes = fs::metadata(cache.join("warm-new-file.json")).unwrap().len();
    assert_eq!(
        (&index["release"], &index["entries"][0]["file"], &index["entries"][0]["bytes"]),
        (&"v0.4.0".into(), &"new-file.json".into(), &bytes.into())
    );
}

#[test]
fn s3_56_a_setting_is_updated_before_the_checkout_and_handed_on() {
    let tenant = Tenant::new();
    assert_eq!(tenant.read("settings.env"), "THEME=plain\nCACHE_TTL=60\n");
    let upgrade = tenant.upgrade();
    assert_eq!(upgrade.code, Some(0), "{upgrade:#?}");
    assert_eq!(tenant.read("settings.env"), "THEME=plain\nCACHE_TTL=300\n");
    let journal = tenant.ask(&["show", "--format", "jsonl"]).stdout;
    assert!(journal.contains(r#"["CACHE_TTL","300"]"#), "what it hands on is kept: {journal}");
}
