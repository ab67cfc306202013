//! A hook that is ended by one of its limits, in the middle of an upgrade: it is named, and services come back.

use super::tenant::Tenant;
use wasmhook_tests::programs::{self, Target};

const ENDLESS: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\") (loop $l (br $l))))";
const GREEDY: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\")
    (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))))";

const TABLES: &str = "(module (memory (export \"memory\") 1) (table $t 1 funcref) (func (export \"_start\")
    (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))))";
/// Opens the directory that it was given again and again, and keeps it.
const HANDLES: &str = "(module
    (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export \"memory\") 1) (data (i32.const 64) \".\")
    (func (export \"_start\") (loop $again (br_if $again (i32.eqz (call $open
        (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))))
        unreachable))";

/// Releases `tag` with one hook, `limited`, and upgrades to it.
fn upgrade(tenant: &Tenant, tag: &str, hook: &str, files: &[(&str, &str)]) -> super::tenant::Upgrade {
    let manifest = format!(
        "schema = 1\napp = \"cbapp\"\nprofile = \"tenant-upgrade\"\ndata_dir = \"db\"\n[[hook]]\nid = \"limited\"\nphase = \"post-pull\"\n{hook}\n"
    );
    let files: Vec<_> = [("wasmhook.toml", manifest.as_str())].into_iter().chain(files.iter().copied()).collect();
    tenant.release(tag, &files);
    tenant.upgrade()
}

#[test]
fn each_limit_ends_its_hook_and_the_upgrade_and_services_come_back() {
    let tenant = Tenant::new();
    tenant.add("hooks/sleeps.wasm", &programs::wasm("sleeps", Target::P1));
    tenant.add("hooks/sleeps.component.wasm", &programs::wasm("sleeps", Target::P2));
    let cases = [
        ("wasm = \"hooks/endless.wat\"\nfuel = 1000000", "timed-out", "timed-out", "fuel"),
        ("wasm = \"hooks/sleeps.wasm\"\nargs = [\"600000\"]\ntimeout = \"1s\"", "timed-out", "timed-out", "deadline"),
        ("wasm = \"hooks/sleeps.component.wasm\"\nargs = [\"600000\"]\ntimeout = \"1s\"", "timed-out", "timed-out", "deadline"),
        ("wasm = \"hooks/greedy.wat\"\nmemory = \"1MiB\"", "failed", "out-of-memory", "memory"),
        ("wasm = \"hooks/tables.wat\"\ntable_elements = 100", "failed", "out-of-memory", "table"),
        ("wasm = \"hooks/handles.wat\"\nhandles = 20\ndirs = [{ path = \".\", mode = \"read\" }]", "failed", "trap", "handles"),
        ("run = [\"sleep\", \"600\"]\ntimeout = \"1s\"\ngrace = \"1s\"", "timed-out", "timed-out", "deadline"),
        ("run = \"while :; do :; done\"\nshell = true\ncpu_time = \"1s\"", "timed-out", "timed-out", "cpu-time"),
    ];
    for (number, (hook, outcome, kind, limit)) in cases.into_iter().enumerate() {
        let tag = format!("v0.5.{number}");
        let guests =
            [("hooks/endless.wat", ENDLESS), ("hooks/greedy.wat", GREEDY), ("hooks/tables.wat", TABLES), ("hooks/handles.wat", HANDLES)];
        let upgrade = upgrade(&tenant, &tag, hook, &guests);
        assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(1), &"failed".into()), "{hook}: {upgrade:#?}");
        let limited = upgrade.hook("limited");
        assert_eq!((&limited["outcome"], &limited["verdict"]), (&outcome.into(), &"abort".into()), "{hook}: {upgrade:#?}");
        assert_eq!(limited["cause"]["kind"], kind, "{hook}");
        let cause = &limited["cause"];
        let names_it =
            cause["limit"] == limit || cause["what"] == limit || cause["message"].as_str().is_some_and(|text| text.contains(limit));
        assert!(names_it, "{hook}: {cause}");
        assert!(upgrade.strings("hooks_executed")[0].contains("- FAILED ("), "{hook}: {upgrade:#?}");
        assert_eq!(tenant.live(), tag, "services are up, on the new tree: {hook}");
        assert_eq!(tenant.version(), "v0.3.27", "{hook}");
    }
}

#[test]
fn output_beyond_its_limit_is_cut_and_said_and_the_upgrade_goes_on() {
    let tenant = Tenant::new();
    let script = "echo first\nseq 1 100000\n";
    let upgrade = upgrade(&tenant, "v0.5.0", "run = [\"sh\", \"hooks/talks.sh\"]\noutput = \"1KiB\"", &[("hooks/talks.sh", script)]);
    assert_eq!((upgrade.code, &upgrade.hook("limited")["outcome"]), (Some(0), &"succeeded".into()), "{upgrade:#?}");
    assert!(upgrade.stderr.contains("│ first\n") && !upgrade.stderr.contains("│ 99999\n"), "{}", upgrade.stderr);
    let tail = upgrade.hook("limited")["tail"].to_string();
    assert!(tail.contains("truncated") || tail.contains("1 KiB"), "{tail}");
    assert_eq!(tenant.live(), "v0.5.0");
}

#[test]
fn a_module_past_its_limit_is_refused_before_services_stop() {
    let tenant = Tenant::new();
    let live = tenant.live();
    let upgrade = upgrade(&tenant, "v0.5.0", "wasm = \"hooks/endless.wat\"\nmodule = \"64\"", &[("hooks/endless.wat", ENDLESS)]);
    assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(3), &"refused".into()), "{upgrade:#?}");
    assert_eq!(upgrade.notices(), ["unusable-hook"], "{upgrade:#?}");
    assert!(upgrade.stderr.contains("module") && upgrade.stderr.contains("limited"), "{}", upgrade.stderr);
    assert_eq!((tenant.live(), tenant.version()), (live, "v0.3.27".to_owned()), "nothing ran");
}
