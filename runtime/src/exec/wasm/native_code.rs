//! The only place where native code is loaded. It takes a [`Verified`] artefact, and only the cache and the compiler make those.

use super::sniff::Form;
use std::fs::File;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

/// An artefact that this process made, or that the cache made and found unchanged.
pub(super) enum Verified {
    /// The cache's file, open since before its digest was checked: it is mapped, not read.
    File(File),
    /// Straight from the compiler.
    Bytes(Vec<u8>),
}

/// Code that can be linked.
pub(super) enum Code {
    /// A preview1 module.
    Module(Module),
    /// A 0.2 component.
    Component(Component),
}

/// Loads an artefact of the form `form`. wasmtime checks that it fits the engine and this processor.
#[expect(unsafe_code, reason = "an artefact is native code; its digest and the cache's permissions are what makes it ours")]
pub(super) fn load(engine: &Engine, artefact: Verified, form: Form) -> Result<Code> {
    // SAFETY: the bytes come from this engine's compiler: directly, or through the cache, which only this user may write to and which has
    // just compared the digest of the whole artefact, read through this very file. Nobody truncates or rewrites a cache file: a new one takes
    // its name.
    unsafe {
        Ok(match (artefact, form) {
            (Verified::Bytes(bytes), Form::Module) => Code::Module(Module::deserialize(engine, bytes)?),
            (Verified::Bytes(bytes), Form::Component) => Code::Component(Component::deserialize(engine, bytes)?),
            (Verified::File(file), Form::Module) => Code::Module(Module::deserialize_open_file(engine, file)?),
            (Verified::File(file), Form::Component) => Code::Component(component(engine, &file)?),
        })
    }
}

/// wasmtime opens a component's artefact by a path only: on Linux the descriptor has one, which leads to the very file that was checked.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "as `load`, whose callers' duty this passes on")]
unsafe fn component(engine: &Engine, file: &File) -> Result<Component> {
    use std::os::fd::AsRawFd;
    // SAFETY: the caller's duty; the path is that of `file`, which is open for the time of the call.
    unsafe { Component::deserialize_file(engine, format!("/proc/self/fd/{}", file.as_raw_fd())) }
}

/// Elsewhere it is read into memory, from the file that was checked.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "as `load`, whose callers' duty this passes on")]
unsafe fn component(engine: &Engine, mut file: &File) -> Result<Component> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    // SAFETY: the caller's duty.
    unsafe { Component::deserialize(engine, bytes) }
}
