//! Listings of directories: whole, in small pieces, and none of a directory whose names would fill the host's memory.

use super::*;
use std::collections::BTreeSet;
use std::fs;

/// The descriptor of the grant, and the one that a guest gets for what it opens first.
const GRANT: i32 = 3;
const OPENED: i32 = 4;

/// The preview1 numbers of `EBADF` and `ENOMEM`.
const BADF: i32 = 8;
const NOMEM: i32 = 48;

/// A buffer of a few names, and one of many, in bytes.
const SMALL: i32 = 2_048;
const LARGE: i32 = 131_072;

/// Writes the names of a directory, a line each, read as libraries do: what was cut at the end of the buffer is asked for again.
fn listing(fd: i32, buffer: i32) -> String {
    listing_and(fd, buffer, "")
}

/// The same, and does `step` with each name.
fn listing_and(fd: i32, buffer: i32, step: &str) -> String {
    format!(
        r"
  (local.set $cookie (i64.const 0))
  (loop $more
    (call $check (call $readdir (i32.const {fd}) (i32.const 8192) (i32.const {buffer}) (local.get $cookie) (i32.const 0)))
    (local.set $end (i32.add (i32.const 8192) (i32.load (i32.const 0))))
    (local.set $at (i32.const 8192))
    (block $cut (loop $entry
      (br_if $cut (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $end)))
      (local.set $name (i32.add (local.get $at) (i32.const 24)))
      (local.set $len (i32.load offset=16 (local.get $at)))
      (br_if $cut (i32.gt_u (i32.add (local.get $name) (local.get $len)) (local.get $end)))
      (call $write (i32.const 1) (local.get $name) (local.get $len))
      (call $write (i32.const 1) (i32.const 1100) (i32.const 1))
      {step}
      (local.set $cookie (i64.load (local.get $at)))
      (local.set $at (i32.add (local.get $name) (local.get $len)))
      (br $entry)))
    (br_if $more (i32.eq (i32.sub (local.get $end) (i32.const 8192)) (i32.const {buffer}))))"
    )
}

/// Opens `path` below the grant.
fn opening(path: &str) -> String {
    format!("(call $check (call $open (i32.const {GRANT}) (i32.const {}) (i32.const 0)))", path.len())
}

/// A module that knows the text of `path` and does `steps` with the directory `host`.
fn job_in(host: &Path, path: &str, steps: &[String]) -> Job {
    let locals = "(local $cookie i64) (local $at i32) (local $name i32) (local $len i32) (local $end i32)";
    let data = format!(r#"(data (i32.const 1024) "{path}") (data (i32.const 1100) "\n")"#);
    Job { dirs: vec![grant(host, "/data", DirMode::Write)], ..job(&preview1(&data, &format!("{locals} {}", steps.concat()))) }
}

/// A directory with `count` empty files, whose names have `len` characters.
fn filled(dir: &Path, count: usize, len: usize) -> BTreeSet<String> {
    fs::create_dir_all(dir).unwrap();
    let names: BTreeSet<String> = (0..count).map(|n| format!("{n:0len$}")).collect();
    for name in &names {
        fs::write(dir.join(name), "").unwrap();
    }
    names
}

#[test]
fn some_thousand_names_are_listed_to_the_end_through_a_small_buffer() {
    let dir = tempfile::tempdir().unwrap();
    let names = filled(dir.path(), 3_000, 24);
    let (execution, lines) = run_on(&executor(), &job_in(dir.path(), "", &[listing(GRANT, SMALL)]));
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let listed: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    assert_eq!(listed[..2], [".", ".."]);
    assert_eq!(listed.len(), names.len() + 2, "each once");
    assert_eq!(listed.into_iter().skip(2).collect::<BTreeSet<_>>(), names);
}

#[test]
fn whoever_removes_what_it_reads_hears_of_all_of_it_and_then_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names = filled(dir.path(), 500, 24);
    let remove = format!("(drop (call $unlink (i32.const {GRANT}) (local.get $name) (local.get $len)))");
    let (execution, lines) = run_on(&executor(), &job_in(dir.path(), "", &[listing_and(GRANT, SMALL, &remove), listing(GRANT, SMALL)]));
    assert_eq!(execution.outcome, Outcome::Succeeded);
    let listed: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    assert_eq!(listed[2..502].iter().cloned().collect::<BTreeSet<_>>(), names);
    assert_eq!(listed[502..], [".", ".."], "a new reading tells what is there now");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_whose_names_are_too_much_for_the_host_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir.path().join("many"), 4_000, 200);
    let ran = |host: &Path, steps: &[String]| run_on(&executor(), &job_in(host, "many", steps));
    assert_eq!(ran(&dir.path().join("many"), &[listing(GRANT, LARGE)]).0.exit_code, Some(NOMEM), "that was granted");
    let in_the_middle =
        format!("(call $check (call $readdir (i32.const {GRANT}) (i32.const 8192) (i32.const {SMALL}) (i64.const 3000) (i32.const 0)))");
    assert_eq!(ran(&dir.path().join("many"), &[in_the_middle]).0.exit_code, Some(NOMEM), "who doesn't begin at the begin");
    let (opened, lines) = ran(dir.path(), &[opening("many"), listing(GRANT, LARGE), listing(OPENED, LARGE)]);
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, [".", "..", "many"], "the one above it has few");
    assert_eq!((opened.exit_code, opened.denials), (Some(NOMEM), Some(Vec::new())), "that the guest opened");
}

#[test]
fn only_what_a_listing_holds_at_a_time_counts() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir.path().join("half"), 2_000, 200);
    let execution =
        run(&job_in(dir.path(), "half", &[opening("half"), listing(OPENED, LARGE), listing(OPENED, LARGE), listing(OPENED, LARGE)]));
    assert_eq!(execution.outcome, Outcome::Succeeded);
}

#[test]
fn what_is_no_directory_is_told_as_before() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(run(&job_in(dir.path(), "file", &[listing(9, SMALL)])).exit_code, Some(BADF), "nothing is open there");
    assert_eq!(run(&job_in(dir.path(), "file", &[opening("file"), listing(OPENED, LARGE)])).exit_code, Some(BADF), "a file is");
    assert_eq!(run(&job_in(dir.path(), "file", &[listing(1, SMALL)])).exit_code, Some(BADF), "a stream is");
}

/// Reads the directory that was granted, without opening it, and ends with an error if it hears `insufficient-memory`.
const READS_ITS_GRANT: &str = r#"(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $stream (sub resource)))
    (type $codes (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links" "message-size" "name-too-long"
      "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported"
      "no-tty" "no-such-device" "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $code (eq $codes)))
    (export "[method]descriptor.read-directory"
      (func (param "self" (borrow $descriptor)) (result (result (own $stream) (error $code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $descriptor (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (core module $heap
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $free)
      (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core instance $heap (instantiate $heap))
  (alias core export $heap "memory" (core memory $memory))
  (alias core export $heap "realloc" (core func $realloc))
  (core func $get (canon lower (func $preopens "get-directories") (memory $memory) (realloc $realloc)))
  (core func $read (canon lower (func $types "[method]descriptor.read-directory") (memory $memory)))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (param i32)))
    (import "host" "read" (func $read (param i32 i32)))
    (func (export "run") (result i32)
      (call $get (i32.const 0))
      (call $read (i32.load (i32.load (i32.const 0))) (i32.const 16))
      (i32.and (i32.load8_u (i32.const 16)) (i32.eq (i32.load8_u (i32.const 20)) (i32.const 22)))))
  (core instance $run (instantiate $main
    (with "host" (instance (export "memory" (memory $memory)) (export "get" (func $get)) (export "read" (func $read))))))
  (func $run (result (result)) (canon lift (core func $run "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

#[test]
fn a_component_reads_no_such_directory_either() {
    let dir = tempfile::tempdir().unwrap();
    let ran = || run(&Job { dirs: vec![grant(dir.path(), "/data", DirMode::Read)], ..job(READS_ITS_GRANT) }).outcome;
    filled(dir.path(), 2_000, 200);
    assert_eq!(ran(), Outcome::Succeeded);
    filled(dir.path(), 4_000, 200);
    assert_eq!(ran(), Outcome::Failed { cause: Cause::Exit { code: 1 } });
}
