//! Each guest does what its first lines say, as a module and as a component, on plain wasmtime. And no guest is without a test.

use crate::reference::{Guest, Ran};
use std::fs;
use std::path::Path;
use wasmhook_tests::programs::{self, Target};

const CONTEXT: [(&str, &str); 8] = [
    ("DEPLOY_TAG", "v0.4.0"),
    ("DEPLOY_ENV", "testsite"),
    ("APP_DIR", "/app"),
    ("DATA_DIR", "/app/db"),
    ("WASMHOOK_RUN_ID", "run-1"),
    ("WASMHOOK_PHASE", "post-pull"),
    ("WASMHOOK_HOOK", "marker_hook"),
    ("WASMHOOK_ATTEMPT", "1"),
];

/// Each form of a guest: what holds for one holds for the other.
fn both(name: &str) -> [(Target, Guest); 2] {
    Target::ALL.map(|target| (target, Guest::new(programs::wasm(name, target))))
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().collect()
}

#[test]
fn no_guest_is_without_a_test() {
    let mut sources = String::new();
    for dir in ["tests/it", "runtime/src", "runtime/tests", "sdk/tests"] {
        collect_rust(&programs::root().join(dir), &mut sources);
    }
    let names = [programs::rust_names(), programs::c_names()].concat();
    assert!(names.len() >= 14, "the list of guests is read: {names:?}");
    let untested: Vec<&String> = names.iter().filter(|name| !sources.contains(&format!("\"{name}\""))).collect();
    assert!(untested.is_empty(), "no test names {untested:?}: write one, or remove the guest");
}

fn collect_rust(dir: &Path, into: &mut String) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_rust(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
    }
}

#[test]
fn echo_says_what_it_was_given() {
    for (target, guest) in both("echo") {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a file"), "").unwrap();
        let ran = guest.args(["one two", "/given"]).env([("B", "2"), ("A", "1")]).dir(dir.path(), "/given").run();
        let expected = ["arg one two", "arg /given", "env A=1", "env B=2", "stdin 0 bytes"];
        assert_eq!(lines(&ran)[..5], expected, "{target}: {ran:?}");
        assert!(ran.stdout.ends_with("dir /given 1 entries\nentry /given/a file\n"), "{target}: {ran:?}");
    }
}

#[test]
fn files_does_what_its_arguments_say_and_stops_at_the_first_failure() {
    for (target, guest) in both("files") {
        let dir = tempfile::tempdir().unwrap();
        let steps = "mkdir /w/a/b write /w/a/x one append /w/a/x two read /w/a/x rename /w/a/x /w/y stat /w/y link y /w/l read /w/l list /w \
                     touch /w/a/n 3 list /w/a rmdir /w/a/b remove /w/a/n0";
        let ran = guest.args(steps.split_whitespace()).dir(dir.path(), "/w").run();
        let expected = "mkdir ok\nwrite ok\nappend ok\nread ok onetwo\nrename ok\nstat ok 6 bytes, dir false\nlink ok\nread ok onetwo\n\
                        list ok a l y\ntouch ok\nlist ok b n0 n1 n2\nrmdir ok\nremove ok\n";
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected), "{target}: {ran:?}");
        assert_eq!(fs::read_to_string(dir.path().join("y")).unwrap(), "onetwo");

        let guest = Guest::new(programs::wasm("files", target));
        let ran = guest.args(["remove", "/w/gone", "write", "/w/never", "x"]).dir(dir.path(), "/w").run();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "remove NotFound\n"), "{target}: {ran:?}");
        assert!(!dir.path().join("never").exists());
    }
}

#[test]
fn exits_keeps_its_code_as_a_module_only() {
    for (target, guest) in both("exits") {
        let expected = if target == Target::P1 { 7 } else { 1 };
        assert_eq!(guest.args(["7"]).run().code, Some(expected), "{target}");
        assert_eq!(Guest::new(programs::wasm("exits", target)).args(["0"]).run().code, Some(0), "{target}");
    }
}

#[test]
fn panics_traps_below_functions_with_names() {
    for (target, guest) in both("panics") {
        let ran = guest.args(["by request"]).run();
        assert_eq!(ran.code, None, "{target}: {ran:?}");
        assert!(ran.stderr.contains("migration 7 is broken: by request"), "{target}: {ran:?}");
        for name in ["apply_migration_seven", "migrate_the_database", "deploy_everything"] {
            assert!(ran.trap.contains(name), "{target}: {name} in {}", ran.trap);
        }
        assert_eq!(ran.stdout, "before the panic\n", "{target}");
    }
}

#[test]
fn spin_burns_whatever_it_is_given() {
    for (target, guest) in both("spin") {
        let ran = guest.fuel(50_000_000).run();
        assert!(ran.code.is_none() && ran.trap.contains("all fuel consumed"), "{target}: {ran:?}");
        assert_eq!(ran.stdout, "spinning\n");
        let ran = Guest::new(programs::wasm("spin", target)).args(["1"]).run();
        assert!(ran.stdout.contains("spun ") && ran.code == Some(0), "{target}: {ran:?}");
    }
}

#[test]
fn sleeps_sleeps_in_one_call() {
    for (target, guest) in both("sleeps") {
        let start = std::time::Instant::now();
        let ran = guest.args(["50"]).run();
        assert_eq!(ran.stdout, "sleeping 50 ms\nslept\n", "{target}: {ran:?}");
        assert!(start.elapsed().as_millis() >= 50, "{target}");
    }
}

#[test]
fn allocates_holds_what_it_says() {
    for (target, guest) in both("allocates") {
        let ran = guest.args(["20"]).run();
        assert_eq!(ran.stdout, "holding 16 MiB\nheld 20 MiB\n", "{target}: {ran:?}");
    }
}

#[test]
fn prints_lines_bytes_and_what_is_no_text() {
    for (target, guest) in both("prints") {
        let ran = guest.args(["lines", "2", "hello", "raw", "err", "oh no", "bytes", "100000"]).run();
        assert!(ran.stdout.starts_with("line 1\nline 2\nhello\ncaf\u{fffd}\n\u{fffd}\u{fffd}\nxxx"), "{target}");
        assert!(ran.stdout.ends_with(&"x".repeat(100_000)), "{target}: no line end");
        assert_eq!(ran.stderr, "oh no\n", "{target}");
    }
}

#[test]
fn s3_29_s3_36_the_marker_hook_is_safe_to_run_twice() {
    for (target, guest) in both("marker_hook") {
        let (app, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(app.path().join("cache/deep")).unwrap();
        fs::create_dir_all(app.path().join("src/app/static/data")).unwrap();
        fs::write(app.path().join("cache/deep/page"), "x").unwrap();
        fs::write(app.path().join("src/app/static/data/new-file.json"), "{}").unwrap();
        let given = |guest: Guest| guest.env(CONTEXT).dir(app.path(), "/app").dir(other.path(), "/other/deployment/static/data");
        let ran = given(guest).run();
        let expected = "=== Release hook: v0.4.0 ===\nRunning release tasks for testsite...\nCleared 1 files\n\
                        === Release hook complete ===\n";
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected), "{target}: {ran:?}");
        assert_eq!(fs::read_to_string(other.path().join("new-file.json")).unwrap(), "{}");
        assert_eq!(fs::read_dir(app.path().join("cache")).unwrap().count(), 0);
        assert!(app.path().join(".release-v0.4.0-done").is_file());

        let again = given(Guest::new(programs::wasm("marker_hook", target))).run();
        assert_eq!((again.code, again.stdout.as_str()), (Some(0), "=== Release hook: v0.4.0 ===\nAlready applied, skipping\n"), "{target}");
    }
}

#[test]
fn s3_37_s3_39_a_failed_copy_is_a_warning_and_a_failed_task_leaves_no_marker() {
    for (target, guest) in both("marker_hook") {
        let (app, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let outputs = [("WASMHOOK_OUTPUT", "/run/wasmhook/output")];
        let ran = guest.env(CONTEXT).env(outputs).dir(app.path(), "/app").dir(output.path(), "/run/wasmhook").run();
        assert_eq!(ran.code, Some(1), "there is no cache to clear. {target}: {ran:?}");
        assert!(ran.stderr.contains("warning: copy new-file.json: ") && ran.stderr.contains("can't clear /app/cache"), "{target}: {ran:?}");
        assert!(fs::read_to_string(output.path().join("output")).unwrap().starts_with("warning=copy new-file.json: "), "{target}");
        assert_eq!(fs::read_dir(app.path()).unwrap().count(), 0, "{target}: no marker");
    }
}

#[test]
fn without_its_directory_the_marker_hook_fails_instead_of_running_again() {
    for (target, guest) in both("marker_hook") {
        let ran = guest.env(CONTEXT).run();
        assert_eq!(ran.code, Some(1), "{target}: {ran:?}");
        assert!(ran.stderr.contains("is its directory granted?"), "{target}: {ran:?}");
    }
}

#[test]
fn s2_25_checks_prints_the_form_of_the_seed() {
    for (target, guest) in both("checks") {
        let ran = guest.args(["gateway server"]).run();
        let seed = include_str!("../programs/checks.expected");
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(1), seed, ""), "{target}");
        let ran = Guest::new(programs::wasm("checks", target)).run();
        assert!(ran.code == Some(0) && ran.stdout.ends_with("\n\nSecurity configuration checks passed.\n"), "{target}: {ran:?}");
    }
}

#[test]
fn outputs_hands_values_on_or_says_what_grants_it() {
    for (target, guest) in both("outputs") {
        let dir = tempfile::tempdir().unwrap();
        let outputs = [("WASMHOOK_OUTPUT", "/run/wasmhook/output")];
        let ran = guest.args(["A=1", "B=two words"]).env(outputs).dir(dir.path(), "/run/wasmhook").run();
        assert_eq!(ran.code, Some(0), "{target}: {ran:?}");
        assert_eq!(fs::read_to_string(dir.path().join("output")).unwrap(), "A=1\nB=two words\n");
        let ran = Guest::new(programs::wasm("outputs", target)).args(["A=1"]).run();
        assert_eq!(ran.code, Some(1), "{target}: {ran:?}");
        assert!(ran.stderr.contains("env = [\"WASMHOOK_OUTPUT\"]"), "{target}: {ran:?}");
    }
}

#[test]
fn s4_50_s4_57_skips_validates_seeds_and_then_skips() {
    for (target, guest) in both("skips") {
        let ran = guest.run();
        let missing = "ERROR: Required variable DEPLOY_ENV not set\nERROR: Required variable DATA_DIR not set\n";
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), missing), "{target}: {ran:?}");

        let (data, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = || {
            let guest = Guest::new(programs::wasm("skips", target)).env(CONTEXT).env([("WASMHOOK_OUTPUT", "/run/wasmhook/output")]);
            guest.dir(data.path(), "/app/db").dir(output.path(), "/run/wasmhook").run()
        };
        let first = run();
        let ticks = "✓ DEPLOY_ENV configured\n✓ DATA_DIR configured\n";
        assert_eq!((first.code, first.stdout), (Some(0), format!("{ticks}Database seeded\n")), "{target}");
        let second = run();
        assert_eq!((second.code, second.stdout), (Some(0), format!("{ticks}Data exists (1 rows), skipping\n")), "{target}");
        assert_eq!(fs::read_to_string(output.path().join("output")).unwrap(), "skipped=Data exists (1 rows)\n");
    }
}

#[test]
fn the_c_guest_hello_greets_and_writes() {
    let dir = tempfile::tempdir().unwrap();
    let ran = Guest::new(programs::c("hello")).args(["/w/file"]).env([("DEPLOY_ENV", "testsite")]).dir(dir.path(), "/w").run();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hello testsite\n"), "{ran:?}");
    assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "hello from C\n");
    let ran = Guest::new(programs::c("hello")).args(["/w/file"]).run();
    assert_eq!(ran.code, Some(3), "nothing is granted: {ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_c_guest_fifo_retry_opens_once_somebody_writes() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let writer = std::thread::spawn(move || fs::OpenOptions::new().write(true).open(fifo));
    let ran = Guest::new(programs::c("fifo_retry")).args(["/w/fifo"]).dir(dir.path(), "/w").run();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "opening\nopened\n"), "{ran:?}");
    writer.join().unwrap().unwrap();
}
