//! A hook that is ended by one of its limits, in the middle of an upgrade: it is named, and services come back.

use super::tenant::Tenant;
use wasmhook_tests::programs::{self, Target};

const ENDLESS: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\") (loop $l (br $l))))";
const GREEDY: &str = "(module (memory (export \"memory\") 1) (func (export \"_start\")
    (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))))";

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
        ("run = [\"sleep\", \"600\"]\ntimeout = \"1s\"\ngrace = \"1s\"", "timed-out", "timed-out", "deadline"),
        ("run = \"while :; do :; done\"\nshell = true\ncpu_time = \"1s\"", "timed-out", "timed-out", "cpu-time"),
    ];
    for (number, (hook, outcome, kind, limit)) in cases.into_iter().enumerate() {
        let tag = format!("v0.5.{number}");
        let upgrade = upgrade(&tenant, &tag, hook, &[("hooks/endless.wat", ENDLESS), ("hooks/greedy.wat", GREEDY)]);
        assert_eq!((upgrade.code, &upgrade.report["status"]), (Some(1), &"failed".into()), "{hook}: {upgrade:#?}");
        let limited = upgrade.hook("limited");
        assert_eq!((&limited["outcome"], &limited["verdict"]), (&outcome.into(), &"abort".into()), "{hook}: {upgrade:#?}");
        assert_eq!(limited["cause"]["kind"], kind, "{hook}");
        assert!(limited["cause"]["limit"] == limit || limited["cause"]["what"] == limit, "{hook}: {}", limited["cause"]);
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
