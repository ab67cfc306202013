//! The files that hooks name: their bytes, their digests, and whether this host can run them.

use super::{LoadError, Probe};
use crate::diagnostic::{Diagnostic, codes};
use crate::discover::{Refusal, Source, SourceError, WorkTree};
use crate::engine::Blobs;
use crate::manifest::{GuestDecl, HookDecl, Manifest};
use crate::model::id::Digest;
use crate::model::outcome::Cause;
use crate::plan::{FileFact, script_path};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What is known of every file that a hook names.
#[derive(Default)]
pub(super) struct Files {
    /// By the path as written.
    pub facts: BTreeMap<String, FileFact>,
    /// The bytes that will run.
    pub blobs: Blobs,
}

/// Where files of a release are read.
pub(super) struct Sources<'a> {
    /// The release: a commit, or the work tree of the application.
    pub release: &'a Source,
    /// Modules that were given as bytes.
    pub given: &'a BTreeMap<String, Arc<[u8]>>,
    /// The largest module that is read, in bytes.
    pub max_module: u64,
    /// Looks at modules.
    pub probe: &'a Arc<dyn Probe>,
}

/// The largest script that is read, in bytes.
pub(super) const MAX_SCRIPT: u64 = 16 << 20;

/// Reads every file that a hook of the manifest names.
///
/// # Errors
/// [`LoadError`] if git can't be asked; whatever is wrong with one file is a [`FileFact`].
pub(super) async fn read(manifest: &Manifest, sources: &Sources<'_>) -> Result<Files, LoadError> {
    let mut files = Files::default();
    let named: Vec<(&HookDecl, &GuestDecl)> =
        manifest.hooks.iter().flat_map(|hook| hook.guests().map(move |guest| (hook, guest))).collect();
    for (hook, guest) in named.into_iter().filter(|(hook, _)| hook.source.is_none()) {
        match guest {
            GuestDecl::Wasm { path } if files.facts.contains_key(path) => {}
            GuestDecl::Wasm { path } => files.module(path, sources).await?,
            // A shell line names no file: its words are the shell's business.
            GuestDecl::Native { shell: true, .. } => {}
            GuestDecl::Native { argv, .. } => {
                for word in argv.iter().collect::<BTreeSet<_>>() {
                    files.script(word, &script_path(hook, word), sources).await?;
                }
            }
        }
    }
    Ok(files)
}

impl Files {
    async fn module(&mut self, path: &str, sources: &Sources<'_>) -> Result<(), LoadError> {
        let fact = self.module_fact(path, read_module(path, sources).await, sources.probe).await?;
        self.facts.insert(path.to_owned(), fact);
        Ok(())
    }

    /// What is to be known of a module that was read.
    pub(super) async fn module_fact(
        &mut self,
        path: &str,
        read: Result<Option<Arc<[u8]>>, SourceError>,
        with: &Arc<dyn Probe>,
    ) -> Result<FileFact, LoadError> {
        match read {
            Ok(None) => Ok(FileFact::Missing),
            Ok(Some(bytes)) => {
                let (bytes, probed) = probe(with, path, bytes).await;
                self.probed(path, bytes, probed)
            }
            Err(SourceError::Git(error)) => Err(error.into()),
            Err(SourceError::Refused { rule: Refusal::TooLarge { size, .. }, .. }) => Ok(FileFact::TooLarge { size }),
            Err(error) => Ok(FileFact::Unusable { why: error.to_string() }),
        }
    }

    /// What the sandbox said of a module.
    fn probed(&mut self, path: &str, bytes: Arc<[u8]>, probed: Result<(), Cause>) -> Result<FileFact, LoadError> {
        let unsupported = match probed {
            Err(cause @ Cause::NotAvailable { .. }) => {
                return Err(LoadError::Invalid(vec![Diagnostic::error(codes::NOT_AVAILABLE, format!("{cause}: {path}"))]));
            }
            Err(cause @ Cause::NotAHook { .. }) => return Ok(FileFact::Unusable { why: format!("{path}: {cause}") }),
            Err(cause @ Cause::Unsupported { .. }) => Some(format!("{cause}; build it for WASI preview1 or wasi:cli/command 0.2")),
            Err(cause @ (Cause::BrokenModule { .. } | Cause::TooComplex { .. })) => Some(cause.to_string()),
            // Machinery that fails here may not fail when the hook's turn comes.
            Ok(()) | Err(_) => None,
        };
        let size = bytes.len() as u64;
        Ok(FileFact::Present { digest: self.keep(bytes), size, unsupported })
    }

    /// A word of a command that names a file of the release.
    async fn script(&mut self, word: &str, path: &str, sources: &Sources<'_>) -> Result<(), LoadError> {
        let may_be_path = !word.starts_with('-') && !word.starts_with('/') && (word.contains('/') || word.contains('.'));
        if !may_be_path || self.facts.contains_key(path) {
            return Ok(());
        }
        match sources.release.read(path.trim_start_matches("./"), MAX_SCRIPT).await {
            Ok(Some(bytes)) => {
                let size = bytes.len() as u64;
                let digest = if matches!(sources.release, Source::Commit(..)) { self.keep(bytes.into()) } else { Digest::of(&bytes) };
                self.facts.insert(path.to_owned(), FileFact::Present { digest, size, unsupported: None });
            }
            Err(SourceError::Git(error)) => return Err(error.into()),
            // Not every word that looks like a path is one: whether the program can start is the preflight's question.
            Ok(None) | Err(_) => {}
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, bytes: Arc<[u8]>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }
}

/// Compiling takes its time: not on the caller's thread.
async fn probe(probe: &Arc<dyn Probe>, path: &str, bytes: Arc<[u8]>) -> (Arc<[u8]>, Result<(), Cause>) {
    let (probe, path, module) = (Arc::clone(probe), path.to_owned(), Arc::clone(&bytes));
    let probed = tokio::task::spawn_blocking(move || probe.probe(&path, &module)).await;
    (bytes, probed.unwrap_or_else(|error| Err(Cause::Spawn { message: error.to_string() })))
}

/// A module is a file of the release; one named by an absolute path is a file of the operator's, beside the manifest that names it.
async fn read_module(path: &str, sources: &Sources<'_>) -> Result<Option<Arc<[u8]>>, SourceError> {
    if let Some(bytes) = sources.given.get(path) {
        return Ok(Some(Arc::clone(bytes)));
    }
    let absolute = Path::new(path);
    let (Some(folder), Some(name), true) = (absolute.parent(), absolute.file_name().and_then(|name| name.to_str()), absolute.is_absolute())
    else {
        return Ok(sources.release.read(path.trim_start_matches("./"), sources.max_module).await?.map(Arc::from));
    };
    if !folder.is_dir() {
        return Ok(None);
    }
    Ok(WorkTree::open(folder)?.read(name, sources.max_module)?.map(Arc::from))
}
