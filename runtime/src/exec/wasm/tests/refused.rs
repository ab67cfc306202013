//! Files that are no hook, broken, or need what isn't here. Nothing of them runs.

use super::*;

fn cause_of(file: &str, bytes: &[u8]) -> Cause {
    let by_execution = cause(run(&job_of(file, bytes)));
    assert_eq!(executor().probe(file, bytes), Err(by_execution.clone()), "a probe says the same");
    by_execution
}

fn binary(wat: &str) -> Vec<u8> {
    // The shortest valid module that isn't a hook is enough where only its bytes matter.
    assert_eq!(wat, "(module)");
    b"\0asm\x01\0\0\0".to_vec()
}

#[test]
fn what_is_not_webassembly_is_not_a_hook() {
    for (file, bytes, text) in [
        ("empty.wasm", &b""[..], "an empty file"),
        ("hook.sh", b"#!/bin/sh\nexit 0\n", "a script"),
        ("notes.txt", b"just text", "a text file"),
        ("text.wasm", b"(module (func (export \"_start\")))", ".wat"),
        ("picture.wasm", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "another kind"),
    ] {
        assert!(matches!(cause_of(file, bytes), Cause::NotAHook { found } if found.contains(text)), "{file}");
    }
}

#[test]
fn native_code_is_never_loaded_whatever_its_name() {
    let engine = wasmtime::Engine::default();
    let artefact = engine.precompile_module(&binary("(module)")).unwrap();
    for file in ["hook.cwasm", "hook.wasm", "hook.wat"] {
        assert!(matches!(cause_of(file, &artefact), Cause::NotAHook { found } if found.contains("never loaded")), "{file}");
    }
    let this_program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(matches!(cause_of("elf.wasm", &this_program[..4_096]), Cause::NotAHook { found } if found.contains("native code")));
}

#[test]
fn a_cut_or_garbled_module_is_broken() {
    for bytes in [&b"\0asm"[..], b"\0asm\x01\0\0\0\x01\x20\x01", b"\0asm\x09\0\0\0", b"\0asm\x0d\0\x01\0\xff\xff"] {
        assert!(matches!(cause_of("cut.wasm", bytes), Cause::BrokenModule { .. }), "{bytes:?}");
    }
    assert!(matches!(cause_of("typo.wat", b"(module (func (export \"_start\") (i32.const)))"), Cause::BrokenModule { .. }));
    let cut = b"(module\n  (func (export \"_start\") (loop (br 0)))\n";
    assert_eq!(cause_of("hooks/bad.wat", cut).to_string(), "broken module: hooks/bad.wat:3:1: expected `)`");
    assert!(matches!(cause_of("type.wat", b"(module (func (export \"_start\") (i32.const 1)))"), Cause::BrokenModule { .. }));
}

#[test]
fn a_module_or_component_that_cannot_be_started_is_not_a_hook() {
    for (wat, text) in [
        ("(module)", "exports nothing"),
        ("(module (func (export \"_initialize\")))", "`_initialize`"),
        ("(module (func (export \"_start\") (param i32)))", "without parameters"),
        ("(module (memory (export \"_start\") 1))", "not a function"),
        ("(component)", "exports nothing"),
        ("(component (instance $i) (export \"other:world/thing@1.0.0\" (instance $i)))", "other:world/thing"),
    ] {
        assert!(matches!(cause_of("x.wat", wat.as_bytes()), Cause::NotAHook { found } if found.contains(text)), "{wat}");
    }
    assert!(matches!(cause_of("x.wasm", &binary("(module)")), Cause::NotAHook { .. }));
}

#[test]
fn an_import_that_is_not_here_is_named_and_is_a_denial() {
    let wat = r#"(module (import "env" "system" (func (param i32) (result i32))) (func (export "_start")))"#;
    assert_eq!(cause_of("x.wat", wat.as_bytes()), Cause::Unsupported { needs: "env.system".to_owned() });
    let denials = run(&job(wat)).denials.unwrap();
    assert_eq!(denials[0].what, "env.system");
    let component = r#"(component (import "vendor:db/query@1.0.0" (instance (export "run" (func))))
        (core module $m (func (export "run") (result i32) (i32.const 0))) (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run"))) (instance $x (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $x)))"#;
    assert!(matches!(cause_of("x.wat", component.as_bytes()), Cause::Unsupported { needs } if needs.contains("vendor:db/query")));
}

#[test]
fn an_import_with_another_type_is_unsupported() {
    let wat = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))) (func (export "_start")))"#;
    assert!(matches!(cause_of("x.wat", wat.as_bytes()), Cause::Unsupported { .. }));
}

#[test]
fn a_module_that_compiles_for_too_long_is_given_up() {
    let body = "(loop (br_if 0 (i32.const 0)))".repeat(20_000);
    let executor = WasmExecutor::builder().compile_timeout(std::time::Duration::from_millis(1)).build().unwrap();
    let job = job(&format!("(module (func (export \"_start\") {body}))"));
    assert!(matches!(cause(run_on(&executor, &job).0), Cause::BrokenModule { message } if message.contains("compile timeout")));
}

#[test]
fn bytes_that_are_not_those_of_the_digest_are_a_failure_of_the_machinery() {
    let mut job = job("(module (func (export \"_start\")))");
    if let Guest::Wasm(guest) = &mut job.guest {
        guest.digest = Digest::of(b"something else");
    }
    assert!(block_on(executor().execute(&job, surroundings().1)).is_err());
}
