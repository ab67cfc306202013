//! Small modules that would cost a compiler minutes or gigabytes, and what is made of them: each is refused by a limit that is named, or
//! compiles in time in proportion to its size.

use super::super::admission::admit;
use super::*;
use crate::model::outcome::Complexity;
use std::borrow::Cow;

/// A module with a `_start` that does nothing, and `rest`.
fn module(rest: &str) -> Vec<u8> {
    let text = format!("(module (memory 1) (func (export \"_start\")) {rest})");
    wat::parse_str(text).unwrap()
}

/// A function with `locals` locals.
fn function(locals: usize, body: &str) -> String {
    format!("(func (param i32) (local {}) {body})", "i32 ".repeat(locals))
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn loops(count: usize, locals: usize) -> String {
    let step = |n: usize| {
        let local = n % locals;
        format!("loop local.get {local} i32.const 1 i32.add local.tee {local} i32.const 10 i32.lt_u br_if 0 end")
    };
    function(locals, &lines(count, step))
}

fn nested_loops(depth: usize) -> String {
    function(0, &format!("{} {}", "loop ".repeat(depth), "local.get 0 br_if 0 end ".repeat(depth)))
}

/// `count` tables, each of which leads to each of `targets` blocks.
fn tables(count: usize, targets: usize) -> String {
    let table = format!("block local.get 0 br_table {} end ", lines(targets, |n| n.to_string()));
    let ends = lines(targets, |n| format!("end local.get 0 i32.const {n} i32.add local.set 0"));
    format!("{} {} {ends}", "block ".repeat(targets), table.repeat(count))
}

#[track_caller]
fn refused(wasm: &[u8], expected: Complexity) {
    match admit(wasm) {
        Err(Cause::TooComplex { what, found, limit, .. }) => {
            assert_eq!(what, expected);
            assert!(found > limit, "{found} {limit}");
        }
        other => panic!("{expected:?}: {other:?}"),
    }
}

#[test]
fn many_small_loops_over_many_locals() {
    refused(&module(&loops(70_000, 1_000)), Complexity::LoopsBetweenUses);
}

#[test]
fn loops_over_more_locals_than_anybody_writes() {
    refused(&module(&loops(10_000, 49_000)), Complexity::Locals);
}

#[test]
fn loops_beside_locals_that_nothing_uses() {
    refused(&module(&function(19_999, &"loop end ".repeat(10_000))), Complexity::BlocksByLocals);
}

#[test]
fn loops_in_loops() {
    refused(&module(&nested_loops(20_000)), Complexity::NestedLoops);
}

#[test]
fn blocks_in_blocks() {
    refused(&module(&function(0, &format!("{} {}", "block ".repeat(60_000), "end ".repeat(60_000)))), Complexity::Nesting);
}

#[test]
fn one_branch_table_with_very_many_targets() {
    let same = format!("block block local.get 0 br_table {} end end", lines(60_000, |n| (n % 2).to_string()));
    refused(&module(&function(0, &same)), Complexity::TableTargets);
}

#[test]
fn many_branch_tables_with_many_targets() {
    refused(&module(&function(0, &tables(300, 3_000))), Complexity::TableTargetsInAll);
}

#[test]
fn very_many_tiny_functions() {
    refused(&module(&"(func)".repeat(800_000)), Complexity::Functions);
}

#[test]
fn functions_of_a_few_bytes_with_very_many_locals() {
    refused(&module(&function(19_999, "").repeat(300)), Complexity::LocalsInAll);
}

#[test]
fn locals_that_live_across_very_many_branches() {
    let step = |n: usize| format!("local.get 0 if local.get {} local.set {} end", n % 1_000 + 1, (n * 7) % 1_000 + 1);
    refused(&module(&function(1_000, &lines(20_000, step))), Complexity::BlocksBetweenUses);
}

#[test]
fn a_bomb_in_a_component_in_a_component_is_found_too() {
    let bomb = format!("(component (component (core module {})))", nested_loops(501));
    refused(&wat::parse_str(bomb).unwrap(), Complexity::NestedLoops);
    let deep = format!("(component {}{})", "(component ".repeat(17), ")".repeat(17));
    refused(&wat::parse_str(deep).unwrap(), Complexity::NestedComponents);
}

#[test]
fn functions_of_all_modules_of_a_component_count_together() {
    let module = format!("(core module {})", "(func)".repeat(50_001));
    refused(&wat::parse_str(format!("(component {module} {module})")).unwrap(), Complexity::Functions);
}

#[test]
fn what_cannot_be_read_is_broken_before_it_is_compiled() {
    let mut cut = module(&loops(10, 10));
    cut.truncate(cut.len() - 1);
    assert!(matches!(admit(&cut), Err(Cause::BrokenModule { .. })));
}

/// The two of the known bombs that are none: many live values, and a long function without a branch.
#[test]
fn what_compiles_in_proportion_to_its_size_passes_and_runs() {
    let stack = format!("(func (param i32) (result i32) {} {})", "local.get 0 ".repeat(100_000), "i32.add ".repeat(99_999));
    let dead = format!("(func unreachable {})", "i32.const 1 drop ".repeat(1_500_000));
    for wasm in [module(&stack), module(&dead)] {
        assert_eq!(admit(&wasm), Ok(()));
        assert_eq!(run(&job_of("big.wasm", &wasm)).outcome, Outcome::Succeeded);
    }
}

#[test]
fn what_interpreters_and_compilers_for_wasm_write_passes() {
    let interpreter = function(0, &format!("loop {} br 0 end", tables(1, 1_000)));
    let resumed = function(0, &tables(1, 3_000));
    for rest in [interpreter, resumed, nested_loops(100), loops(500, 500), "(func)".repeat(30_000)] {
        assert_eq!(admit(&module(&rest)), Ok(()));
    }
}

#[test]
fn the_refusal_names_the_limit_and_the_way_out_and_is_that_of_a_run_and_of_a_probe() {
    let bomb = module(&nested_loops(501));
    let message = cause(run(&job_of("bomb.wasm", &bomb))).to_string();
    let expected = "too complex to compile: its function body 1 has 501 loops in each other, and the limit is 500; split that function";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(executor().probe("bomb.wasm", &bomb).unwrap_err().to_string(), message);
    let text = format!("(module {})", nested_loops(501));
    assert!(matches!(cause(run(&job(&text))), Cause::TooComplex { .. }), "text is no way round");
}

#[test]
fn every_guest_of_this_repository_that_was_built_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/guests");
    for target in ["wasm32-wasip1", "wasm32-wasip2"] {
        let built = std::fs::read_dir(root.join(target).join("release")).into_iter().flatten();
        for path in built.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ending| ending == "wasm")) {
            assert_eq!(admit(&std::fs::read(&path).unwrap()), Ok(()), "{}", path.display());
        }
    }
}

/// Measures itself: `cargo test --workspace --lib how_fast_the_scan_is -- --ignored --nocapture`.
#[test]
#[ignore = "it asserts nothing that a busy machine could keep"]
fn how_fast_the_scan_is() {
    let wasm: Cow<'_, [u8]> = match std::env::var_os("WASMHOOK_SCAN") {
        Some(path) => std::fs::read(path).unwrap().into(),
        None => module(&format!("{} {}", loops(500, 500), function(0, &tables(1, 1_000))).repeat(300)).into(),
    };
    let start = std::time::Instant::now();
    let admitted = admit(&wasm);
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for a person")]
    {
        println!("{} bytes in {seconds:.3} s: {:.0} MB/s, {admitted:?}", wasm.len(), wasm.len() as f64 / 1e6 / seconds);
    }
}
