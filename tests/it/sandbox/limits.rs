//! Each limit of a manifest bites, and the run goes on as its policy says.

use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

#[test]
fn fuel_time_memory_and_output_end_a_hook_with_a_typed_cause() {
    for (name, lines, outcome, cause) in [
        ("spin", "fuel = 50000000", "timed-out", "fuel"),
        ("sleeps", "args = [\"60000\"]\ntimeout = \"300ms\"", "timed-out", "deadline"),
        ("allocates", "args = [\"500\"]\nmemory = \"32MiB\"", "failed", "out-of-memory"),
        ("panics", "", "failed", "trap"),
    ] {
        for target in Target::ALL {
            let project = Project::new(&hook("h", "pre-deploy", &format!("wasm = \"g.wasm\"\n{lines}")))
                .guest("g.wasm", programs::wasm(name, target));
            let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1);
            let hook = &ran.report()["hooks"][0];
            assert_eq!(hook["outcome"], outcome, "{name} {target}: {hook}");
            assert!(hook["cause"].to_string().contains(cause), "{name} {target}: {hook}");
        }
    }
}

#[test]
fn output_past_its_limit_is_cut_with_a_line_that_says_so_and_is_no_failure() {
    let lines = "wasm = \"g.wasm\"\nargs = [\"lines\", \"100000\"]\noutput = \"64KiB\"";
    for target in Target::ALL {
        let project = Project::new(&hook("h", "pre-deploy", lines)).guest("g.wasm", programs::wasm("prints", target));
        let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(0);
        let last = &ran.stderr[ran.stderr.len().saturating_sub(500)..];
        assert!(ran.stderr.contains("[output truncated at 64 KiB]") && ran.stderr.len() < 512 << 10, "{target}: {last}");
        assert!(ran.report()["hooks"][0]["usage"]["output_bytes"].as_u64().unwrap() > 64 << 10, "{target}: counted, kept or not");
    }
}

/// The host holds a directory's names for each listing that a component has open: a hundredfold of them is no way round its memory limit.
#[test]
fn open_listings_of_a_directory_are_bounded_and_closed_ones_are_not_counted() {
    let project = Project::empty().guest("files.wasm", programs::wasm("files", Target::P2));
    for n in 0..5_000 {
        project.write(&format!("many/{n:0200}"), "");
    }
    let exec = |verbs: &[&str], exit| {
        let call = [&["exec", "--dir", "many::/many:read", "files.wasm"], verbs].concat();
        Place::new().args(call).current_dir(project.path()).run().exits(exit)
    };
    let held = exec(&["hold", "/many", "300"], 1);
    assert!(held.stderr.contains("listing ") && held.stderr.to_lowercase().contains("memory"), "{} {}", held.stdout, held.stderr);
    let one_by_one = ["hold", "/many", "30"].repeat(4);
    assert_eq!(exec(&one_by_one, 0).stdout, "hold ok 30\n".repeat(4), "what was closed is given back");
}

#[test]
fn a_native_hook_is_ended_at_its_deadline_with_its_whole_group() {
    let lines = "run = \"sh -c '(sleep 61; touch late) & sleep 62'\"\ntimeout = \"300ms\"\ndirs = [{ path = \".\", mode = \"write\" }]";
    let project = Project::new(&hook("h", "pre-deploy", lines));
    let started = std::time::Instant::now();
    let ran = Place::new().args(["run", "--format", "json"]).current_dir(project.path()).run().exits(1);
    assert!(started.elapsed().as_secs() < 50, "{:?}", started.elapsed());
    assert_eq!(ran.report()["hooks"][0]["outcome"], "timed-out");
}

#[test]
fn fuel_on_a_native_hook_is_a_mistake() {
    let project = Project::new(&hook("h", "pre-deploy", "run = \"touch ran\"\nfuel = 5"));
    let ran = Place::new().args(["run"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("fuel") && !project.has("ran"), "{}", ran.stderr);
}
