//! What the budget and the deadline cost a hook that only computes: six kernels, beside wasmtime without either.

use super::{Goal, Row};
use crate::guests;
use crate::measure::{Pair, Rounds, in_turn, time};
use crate::sandbox::{Sandbox, job};
use std::process::Command;
use wasmtime::{Config, Engine, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

const KERNELS: [&str; 6] = ["sha256", "mandelbrot", "fib", "sieve", "qsort", "matmul"];
const TIMES: Rounds = Rounds { rounds: 15, ours: 1 };
const MOST_OUTPUT: usize = 4096;

pub fn rows() -> Vec<Row> {
    let (sandbox, plain) = (Sandbox::pooled(), Plain::new());
    let pairs = KERNELS.map(|name| (name, pair(&sandbox, &plain, name)));
    let mean = (pairs.iter().map(|(_, pair)| pair.ratio().ln()).sum::<f64>() / 6.0).exp();
    let mut rows: Vec<Row> =
        pairs.iter().map(|(name, pair)| Row::pair(format!("kernel {name}"), "wasmtime, unmetered", pair, Goal::None)).collect();
    rows.push(Row::ratio("six kernels, geometric mean", "–".to_owned(), "wasmtime, unmetered".to_owned(), mean, Goal::Ratio(1.5)));
    rows
}

fn pair(sandbox: &Sandbox, plain: &Plain, name: &str) -> Pair {
    let job = job(&guests::wasm("kernel"), &[name]);
    let natively = Command::new(guests::native("kernel")).arg(name).output().unwrap().stdout;
    let expected = String::from_utf8(natively).unwrap();
    let ours = || {
        let (lines, took) = time(|| sandbox.succeed(&job));
        assert_eq!(lines, [expected.trim_end()]);
        took
    };
    let theirs = || {
        let (output, took) = time(|| plain.run(name));
        assert_eq!(output, expected);
        took
    };
    in_turn(TIMES, ours, theirs)
}

/// wasmtime as it comes, but for what ours leaves out too.
struct Plain {
    engine: Engine,
    module: Module,
    linker: Linker<WasiP1Ctx>,
}

impl Plain {
    fn new() -> Self {
        let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
        let module = Module::from_file(&engine, guests::wasm("kernel")).unwrap();
        let mut linker = Linker::new(&engine);
        add_to_linker_sync(&mut linker, |context| context).unwrap();
        Self { engine, module, linker }
    }

    fn run(&self, name: &str) -> String {
        let output = MemoryOutputPipe::new(MOST_OUTPUT);
        let context = WasiCtxBuilder::new().args(&["kernel", name]).stdout(output.clone()).build_p1();
        let mut store = Store::new(&self.engine, context);
        let instance = self.linker.instantiate(&mut store, &self.module).unwrap();
        instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap().call(&mut store, ()).unwrap();
        String::from_utf8(output.contents().to_vec()).unwrap()
    }
}
