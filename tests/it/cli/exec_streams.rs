//! `wasmhook exec`: standard output and standard error pass through, byte for byte.

use std::io::Read as _;
use std::process::Stdio;
use wasmhook_tests::programs::{self, Target};
use wasmhook_tests::{Place, Project};

fn prints(target: Target) -> String {
    programs::wasm("prints", target).display().to_string()
}

#[test]
fn bytes_that_are_no_text_and_a_last_line_without_its_end_pass_as_they_are() {
    for target in Target::ALL {
        let ran = Place::new().args(["exec", &prints(target), "raw", "a\rb\r", "err", "oh\r no", "bytes", "3"]).run().exits(0);
        assert_eq!(ran.stdout_bytes, b"caf\xe9\n\xff\xfe\na\rb\r\nxxx", "{target}");
        assert_eq!(ran.stderr, "oh\r no\n", "{target}");
    }
}

#[test]
fn a_long_line_is_neither_split_nor_ended() {
    let ran = Place::new().args(["exec", &prints(Target::P1), "bytes", "3000000"]).run().exits(0);
    assert_eq!(ran.stdout_bytes.len(), 3_000_000);
    assert!(ran.stdout_bytes.iter().all(|byte| *byte == b'x'));
}

#[test]
fn past_the_limit_one_line_on_stderr_says_so_and_the_guest_sees_no_error() {
    let ran = Place::new().args(["exec", &prints(Target::P1), "bytes", "20000000", "err", "unheard"]).run().exits(0);
    assert_eq!(ran.stdout_bytes.len(), 10 << 20);
    assert_eq!(ran.stderr, "\n[output truncated at 10 MiB]\n");
}

#[test]
fn nothing_of_ours_is_added_to_a_guest_that_succeeds() {
    let ran = Place::new().args(["exec", &prints(Target::P2), "bytes", "0"]).run().exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn what_a_full_disk_loses_is_said_once_and_the_guest_keeps_its_code() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Place::new().args(["exec", &prints(Target::P1), "lines", "30000"]).command().stdout(full()).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(said.starts_with("warning[output-lost]: cannot write standard output: No space left on device"), "{said}");
    assert_eq!(said.matches("the rest of it is lost").count(), 1, "{said}");
    let run = Place::new().args(["plan"]).current_dir(Project::new("").path()).command().stdout(full()).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(70), "{said}");
    assert!(said.contains("error[internal]: cannot write standard output: No space left on device"), "{said}");
}

#[test]
fn a_closed_pipe_does_not_leave_the_guests_work_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let call = Place::new();
    let grant = format!("{}::/w", dir.path().display());
    let many: Vec<String> = (0..200).flat_map(|n| ["write".to_owned(), format!("/w/{n}"), "x".to_owned()]).collect();
    let files = programs::wasm("files", Target::P1).display().to_string();
    let mut command = call.args([vec!["exec".to_owned(), "--dir".to_owned(), grant, files], many].concat()).command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "nobody reading is no failure");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 200, "the guest went on to its end");
}
