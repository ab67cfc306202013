//! From bytes to a hook that is ready to run: sniffed, compiled or found, linked, remembered. Nothing of it runs here.

use super::admission;
use super::cache::{Cache, Key};
use super::classify;
use super::facility;
use super::in_flight::InFlight;
use super::memo::Memo;
use super::native_code::{self, Code, Verified};
use super::sniff::{self, Bytes, Form};
use super::state::State;
use crate::exec::ExecError;
use crate::model::grant::{Capability, Denial};
use crate::model::id::Digest;
use crate::model::outcome::Cause;
use crate::model::units::show_duration;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{CodeBuilder, Engine, ExternType, InstancePre, Linker, Module};
use wasmtime_wasi::p2::bindings::CommandPre;

/// The interface whose `run` makes a component a hook, up to its last number.
const RUN: &str = "wasi:cli/run@0.2.";

/// What interfaces of our own world, which comes later, begin with.
const OUR_WORLD: &str = "wasmhook:hook/";

/// A hook that only needs a store.
pub(super) enum Hook {
    /// A preview1 command module.
    Module(InstancePre<State>),
    /// A `wasi:cli/command` component.
    Component(CommandPre<State>),
}

/// Why there is no hook.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Because of what it is.
    Cause {
        /// Why.
        cause: Cause,
        /// The imports that it was refused.
        denials: Option<Vec<Denial>>,
    },
    /// Because of the machinery.
    Machinery(ExecError),
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self::Cause { cause, denials: None }
    }
}

impl Refusal {
    fn machinery(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Machinery(ExecError::new(doing, error.to_string()))
    }
}

/// What is asked to be loaded.
pub(super) struct Source<'a> {
    /// The file's name.
    pub(super) file: &'a str,
    /// Its bytes.
    pub(super) bytes: &'a Arc<[u8]>,
    /// Their digest.
    pub(super) digest: &'a Digest,
    /// Most bytes a module may have.
    pub(super) limit: u64,
}

/// Loads hooks for one engine.
pub(super) struct Loader {
    engine: Engine,
    engine_hash: u64,
    modules: OnceLock<Linker<State>>,
    components: OnceLock<ComponentLinker<State>>,
    cache: Option<Arc<Cache>>,
    memo: Memo,
    loading: InFlight<Result<Arc<Hook>, Refusal>>,
    /// How often the compiler was started.
    #[cfg(test)]
    pub(super) compiles: std::sync::atomic::AtomicU32,
    compile_timeout: Duration,
}

impl Loader {
    /// A loader without hooks.
    pub(super) fn new(engine: Engine, cache: Option<Arc<Cache>>, compile_timeout: Duration) -> Self {
        let mut hasher = DefaultHasher::new();
        // Covers wasmtime's version, its settings, the target and the processor's features.
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine_hash = hasher.finish();
        let (modules, components) = (OnceLock::new(), OnceLock::new());
        Self {
            engine,
            engine_hash,
            modules,
            components,
            cache,
            memo: Memo::default(),
            loading: InFlight::default(),
            #[cfg(test)]
            compiles: std::sync::atomic::AtomicU32::default(),
            compile_timeout,
        }
    }

    /// The engine it loads for.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the hook with this digest is loaded.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.memo.get(digest).is_some()
    }

    /// The hook of `source`: remembered, from the cache, or compiled.
    pub(super) fn load(&self, source: &Source<'_>) -> Result<Arc<Hook>, Refusal> {
        let kind = sniff::sniff(source.file, source.bytes, source.limit)?;
        match self.memo.get(source.digest) {
            Some(hook) => Ok(hook),
            None => self.loading.once(source.digest, || self.load_new(source, kind), shared),
        }
    }

    fn load_new(&self, source: &Source<'_>, kind: Bytes) -> Result<Arc<Hook>, Refusal> {
        // Somebody else may have loaded it just before it was this caller's turn.
        if let Some(hook) = self.memo.get(source.digest) {
            return Ok(hook);
        }
        let form = sniff::form_of(&self.engine, source.file, kind, source.bytes)?;
        let hook = Arc::new(self.link(self.code(source, kind, form)?)?);
        self.memo.keep(source.digest, &hook);
        Ok(hook)
    }

    fn code(&self, source: &Source<'_>, kind: Bytes, form: Form) -> Result<Code, Refusal> {
        let key = Key::new(source.digest, self.engine_hash, form.letter());
        let cached = || self.cache.as_deref().zip(key.as_ref());
        if let Some(file) = cached().and_then(|(cache, key)| cache.get(key)) {
            match native_code::load(&self.engine, Verified::File(file), form) {
                Ok(code) => return Ok(code),
                Err(error) => tracing::warn!(file = source.file, %error, "a cache entry doesn't load: compiling again"),
            }
        }
        if Digest::of(source.bytes) != *source.digest {
            return Err(Refusal::machinery("compiling a hook", format!("the digest given for {} is not that of its bytes", source.file)));
        }
        let artefact = self.compile(source, kind, form, key.clone())?;
        let stored = cached().and_then(|(cache, key)| cache.get(key));
        let artefact = stored.map_or(Verified::Bytes(artefact), Verified::File);
        native_code::load(&self.engine, artefact, form).map_err(|error| Cause::BrokenModule { message: format!("{error:#}") }.into())
    }

    /// Compiles on a thread of its own, which is left behind if it takes too long: a compiler can't be interrupted. What it ends with is cached even
    /// then. That it took too long is not remembered: the clock is the wall's, and what was too slow on a busy machine may not be the next time.
    fn compile(&self, source: &Source<'_>, kind: Bytes, form: Form, key: Option<Key>) -> Result<Vec<u8>, Refusal> {
        #[cfg(test)]
        self.compiles.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (done, compiled) = mpsc::sync_channel(1);
        let (engine, bytes) = (self.engine.clone(), Arc::clone(source.bytes));
        let place = self.cache.clone().zip(key);
        let work = move || {
            let compiled = artefact(&engine, kind, form, &bytes);
            if let (Ok(artefact), Some((cache, key))) = (&compiled, place) {
                cache.put(&key, artefact);
            }
            // Nobody waits any more after the timeout.
            let _ = done.send(compiled);
        };
        std::thread::Builder::new()
            .name("wasmhook-compile".to_owned())
            .spawn(work)
            .map_err(|error| Refusal::machinery("starting a thread to compile on", error))?;
        match compiled.recv_timeout(self.compile_timeout) {
            Ok(artefact) => Ok(artefact?),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let message = format!(
                    "compiling it took longer than {}; raise the compile timeout, or split the module",
                    show_duration(self.compile_timeout)
                );
                Err(Cause::BrokenModule { message }.into())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Cause::BrokenModule { message: "the compiler failed on it".to_owned() }.into())
            }
        }
    }

    /// What modules are linked with. Filled by the first of them: a tenth of a process's start that another form needn't pay.
    fn modules(&self) -> Result<&Linker<State>, Refusal> {
        filled(&self.modules, || {
            let mut linker = Linker::new(&self.engine);
            facility::link_modules(&mut linker).map(|()| linker)
        })
    }

    /// What components are linked with.
    fn components(&self) -> Result<&ComponentLinker<State>, Refusal> {
        filled(&self.components, || {
            let mut linker = ComponentLinker::new(&self.engine);
            facility::link_components(&mut linker).map(|()| linker)
        })
    }

    fn link(&self, code: Code) -> Result<Hook, Refusal> {
        match code {
            Code::Module(module) => self.link_module(&module),
            Code::Component(component) => self.link_component(&component),
        }
    }

    fn link_module(&self, module: &Module) -> Result<Hook, Refusal> {
        match module.get_export("_start") {
            Some(ExternType::Func(ty)) if ty.params().len() == 0 && ty.results().len() == 0 => {}
            Some(_) => {
                return Err(Cause::NotAHook { found: "its `_start` is not a function without parameters and results".to_owned() }.into());
            }
            None => {
                return Err(Cause::NotAHook { found: exporting("module", module.exports().map(|export| export.name().to_owned())) }.into());
            }
        }
        self.modules()?.instantiate_pre(module).map(Hook::Module).map_err(|error| unsupported(&error))
    }

    fn link_component(&self, component: &Component) -> Result<Hook, Refusal> {
        let ty = component.component_type();
        let imports = ty.imports(&self.engine).map(|(name, _)| name.to_owned());
        if let Some(name) =
            imports.chain(ty.exports(&self.engine).map(|(name, _)| name.to_owned())).find(|name| name.starts_with(OUR_WORLD))
        {
            return Err(Cause::NotAvailable {
                what: format!("the world `wasmhook:hook` (the component has `{name}`); build it for `wasi:cli/command`"),
            }
            .into());
        }
        let exports: Vec<String> = ty.exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        if !exports.iter().any(|name| name.starts_with(RUN)) {
            return Err(Cause::NotAHook { found: exporting("component", exports.into_iter()) }.into());
        }
        let pre = self.components()?.instantiate_pre(component).map_err(|error| unsupported(&error))?;
        CommandPre::new(pre)
            .map(Hook::Component)
            .map_err(|error| Cause::NotAHook { found: format!("a component with an unusable `run`: {error:#}") }.into())
    }
}

/// What those get who waited for another caller's load: a failure of the machinery may not happen to them.
fn shared(loaded: &Result<Arc<Hook>, Refusal>) -> Option<Result<Arc<Hook>, Refusal>> {
    match loaded {
        Ok(hook) => Some(Ok(Arc::clone(hook))),
        Err(Refusal::Cause { cause, denials }) => Some(Err(Refusal::Cause { cause: cause.clone(), denials: denials.clone() })),
        Err(Refusal::Machinery(_)) => None,
    }
}

/// What is in `place`; the first who asks fills it. Two who ask at once both fill one, and one of those is kept.
fn filled<T>(place: &OnceLock<T>, fill: impl FnOnce() -> wasmtime::Result<T>) -> Result<&T, Refusal> {
    if let Some(there) = place.get() {
        return Ok(there);
    }
    let new = fill().map_err(|error| Refusal::machinery("linking the host's functions", format!("{error:#}")))?;
    Ok(place.get_or_init(|| new))
}

/// Most exports that a message lists.
const LISTED: usize = 5;

fn exporting(what: &str, mut names: impl Iterator<Item = String>) -> String {
    let listed: Vec<String> = names.by_ref().take(LISTED).map(|name| format!("`{name}`")).collect();
    match (listed.is_empty(), names.next()) {
        (true, _) => format!("a {what} that exports nothing"),
        (false, None) => format!("a {what} that exports {}", listed.join(", ")),
        (false, Some(_)) => format!("a {what} that exports {} and more", listed.join(", ")),
    }
}

/// An import that this host doesn't have, or has with another type.
fn unsupported(error: &wasmtime::Error) -> Refusal {
    let needs = classify::missing_import(error);
    let denial = Denial {
        capability: Capability::Import,
        what: needs.clone(),
        allow: "no grant can: build the hook for WASI preview1 or wasi:cli/command 0.2".to_owned(),
    };
    Refusal::Cause { cause: Cause::Unsupported { needs }, denials: Some(vec![denial]) }
}

fn artefact(engine: &Engine, kind: Bytes, form: Form, bytes: &[u8]) -> Result<Vec<u8>, Cause> {
    let broken = |message: String| Cause::BrokenModule { message };
    let wasm = match kind {
        Bytes::Binary(_) => Cow::Borrowed(bytes),
        Bytes::Text => wat::parse_bytes(bytes).map_err(|error| broken(error.to_string()))?,
    };
    admission::admit(&wasm)?;
    let mut source = CodeBuilder::new(engine);
    source.wasm_binary(wasm, None).map_err(|error| broken(format!("{error:#}")))?;
    let compiled = match form {
        Form::Module => source.compile_module_serialized(),
        Form::Component => source.compile_component_serialized(),
    };
    compiled.map_err(|error| broken(format!("{error:#}")))
}
