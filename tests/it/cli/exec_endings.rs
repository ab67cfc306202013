//! `wasmhook exec`: how a guest ends is how the process ends.

use rustix::process::Signal;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::{Place, Project};

fn guest(name: &str, target: Target) -> String {
    programs::wasm(name, target).display().to_string()
}

#[test]
fn the_guests_exit_code_is_ours() {
    for code in ["0", "1", "7", "125", "126", "200", "255"] {
        let ran = Place::new().args(["exec", &guest("exits", Target::P1), code]).run();
        assert_eq!(ran.exits(code.parse().unwrap()).stderr, "", "{code}: the guest's business");
    }
}

#[test]
fn a_component_only_says_that_it_failed() {
    assert_eq!(Place::new().args(["exec", &guest("exits", Target::P2), "7"]).run().exits(1).stderr, "");
}

#[test]
fn an_exit_code_that_fits_in_no_byte_stays_a_failure() {
    let wat = "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32))) (memory (export \"memory\") 1)
               (func (export \"_start\") (call $exit (i32.const 256))))";
    let project = Project::empty().file("exit.wat", wat);
    assert_eq!(Place::new().args(["exec", "exit.wat"]).current_dir(project.path()).run().exits(1).stdout, "");
}

#[test]
fn a_trap_is_134_with_its_message_and_the_names_of_functions() {
    for target in Target::ALL {
        let ran = Place::new().args(["exec", &guest("panics", target), "by request"]).run().exits(134);
        assert!(
            ran.stderr.contains("migration 7 is broken: by request") && ran.stderr.contains("error: trap: unreachable"),
            "{}",
            ran.stderr
        );
        let names = ["apply_migration_seven", "migrate_the_database", "deploy_everything"].map(|name| ran.stderr.find(name).unwrap());
        assert!(names.is_sorted(), "innermost first: {}", ran.stderr);
        assert!(!ran.stderr.contains("_ZN"), "names are those of the source: {}", ran.stderr);
    }
}

#[test]
fn each_limit_is_134_with_a_line_that_says_what_raises_it() {
    let cases: [(&[&str], &str, &[&str], &str); 4] = [
        (&["--fuel", "100000000"], "spin", &[], "used up its fuel of 100000000 units; --fuel N raises it"),
        (&["--timeout", "300ms", "--fuel", "1000000000000000"], "spin", &[], "not done within 300 ms; --timeout D raises it"),
        (&["--timeout", "300ms"], "sleeps", &["60000"], "not done within 300 ms; --timeout D raises it"),
        (&["--memory", "32MiB"], "allocates", &["500"], "more than 32 MiB; --memory SIZE raises the limit"),
    ];
    for (options, name, args, words) in cases {
        for target in Target::ALL {
            let file = guest(name, target);
            let ran = Place::new().args([&["exec"], options, &[file.as_str()], args].concat()).run().exits(134);
            assert!(ran.said().contains(words), "{name} {options:?} {target}: {}", ran.stderr);
        }
    }
}

#[test]
fn int_is_130_and_term_is_143() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for target in Target::ALL {
            let call = Place::new();
            let project = Project::empty();
            let log = project.path().join("log");
            let mut command = call.args(["exec", &guest("sleeps", target), "120000"]).command();
            let mut child = command.stdout(std::fs::File::create(&log).unwrap()).spawn().unwrap();
            while !project.read("log").contains("sleeping") {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{target}");
            assert!(!project.read("log").contains("slept"), "{target}");
        }
    }
}
