//! Runs a guest on plain wasmtime, without a line of ours: what a guest does here, it does by itself.
#![expect(clippy::unwrap_used, reason = "a helper of tests: what goes wrong here fails the test")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use wasmtime::component::{Component, ResourceTable};
use wasmtime::{Config, Engine, Module, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// A guest and what it is given.
pub struct Guest {
    file: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    dirs: Vec<(PathBuf, String)>,
    fuel: u64,
}

/// How it ended.
#[derive(Debug)]
pub struct Ran {
    /// 0 if it returned, its exit code if it exited, none if it trapped.
    pub code: Option<i32>,
    /// What the runtime says of a trap.
    pub trap: String,
    pub stdout: String,
    pub stderr: String,
}

impl Guest {
    pub fn new(file: impl AsRef<Path>) -> Self {
        let (args, env, dirs) = (vec!["guest".to_owned()], Vec::new(), Vec::new());
        Self { file: file.as_ref().to_owned(), args, env, dirs, fuel: u64::MAX }
    }

    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(str::to_owned));
        self
    }

    pub fn env<'a>(mut self, env: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.env.extend(env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    pub fn dir(mut self, host: impl AsRef<Path>, guest: &str) -> Self {
        self.dirs.push((host.as_ref().to_owned(), guest.to_owned()));
        self
    }

    pub fn fuel(mut self, units: u64) -> Self {
        self.fuel = units;
        self
    }

    /// Runs it to its end, as a module or as a component, whichever it is.
    pub fn run(self) -> Ran {
        let (stdout, stderr) = (MemoryOutputPipe::new(64 << 20), MemoryOutputPipe::new(64 << 20));
        let mut wasi = WasiCtxBuilder::new();
        wasi.args(&self.args).envs(&self.env).stdout(stdout.clone()).stderr(stderr.clone());
        for (host, guest) in &self.dirs {
            wasi.preopened_dir(host, guest, FsPerms::ReadWrite).unwrap();
        }
        let ended = match compiled(&self.file) {
            Compiled::Module(module) => run_module(&module, &mut wasi, self.fuel),
            Compiled::Component(component) => run_component(&component, &mut wasi, self.fuel),
        };
        let text = |pipe: MemoryOutputPipe| String::from_utf8_lossy(&pipe.contents()).into_owned();
        let (code, trap) = match ended {
            Ok(()) => (Some(0), String::new()),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => (Some(exit.0), String::new()),
                None => (None, format!("{error:?}")),
            },
        };
        Ran { code, trap, stdout: text(stdout), stderr: text(stderr) }
    }
}

#[derive(Clone)]
enum Compiled {
    Module(Module),
    Component(Component),
}

/// Compiled once per process: that takes longer than every run of it.
fn compiled(file: &Path) -> Compiled {
    static CACHE: Mutex<Option<HashMap<PathBuf, Compiled>>> = Mutex::new(None);
    if let Some(found) = CACHE.lock().unwrap().get_or_insert_default().get(file) {
        return found.clone();
    }
    let bytes = std::fs::read(file).unwrap();
    let compiled = if is_component(&bytes) {
        Compiled::Component(Component::new(engine(), bytes).unwrap())
    } else {
        Compiled::Module(Module::new(engine(), bytes).unwrap())
    };
    CACHE.lock().unwrap().get_or_insert_default().insert(file.to_owned(), compiled.clone());
    compiled
}

/// The header's layer field, after the version, tells components from modules.
fn is_component(bytes: &[u8]) -> bool {
    bytes.get(6) == Some(&1)
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(Config::new().consume_fuel(true)).unwrap())
}

fn run_module(module: &Module, wasi: &mut WasiCtxBuilder, fuel: u64) -> wasmtime::Result<()> {
    let mut linker = wasmtime::Linker::<WasiP1Ctx>::new(engine());
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;
    let mut store = Store::new(engine(), wasi.build_p1());
    store.set_fuel(fuel)?;
    let instance = linker.instantiate(&mut store, module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

fn run_component(component: &Component, wasi: &mut WasiCtxBuilder, fuel: u64) -> wasmtime::Result<()> {
    let mut linker = wasmtime::component::Linker::<State>::new(engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let mut store = Store::new(engine(), State { wasi: wasi.build(), table: ResourceTable::new() });
    store.set_fuel(fuel)?;
    let command = Command::instantiate(&mut store, component, &linker)?;
    match command.wasi_cli_run().call_run(&mut store)? {
        Ok(()) => Ok(()),
        Err(()) => Err(I32Exit(1).into()),
    }
}
