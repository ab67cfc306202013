//! A case's file with everything it names: the module or script that will run, and the files that are copied. What isn't there is said
//! at the place that names it, before any case runs.

use super::own;
use crate::diagnostic::{Diagnostic, Location, Source, codes, has_errors};
use crate::document::{MAX_BYTES, quote};
use crate::engine::Blobs;
use crate::manifest::GuestDecl;
use crate::model::id::Digest;
use crate::model::limits::Limits;
use crate::plan::FileFact;
use crate::testcase::{self, Case, GivenFile, SUFFIX, guest_beside};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest script that is read, in bytes.
const MAX_SCRIPT: u64 = 16 << 20;

/// A case and what it needs.
#[derive(Debug)]
pub struct CaseFile {
    /// What results call it: its path without the suffix, `hooks/warm-cache`.
    pub name: String,
    /// The case.
    pub case: Case,
    /// The directory that it lies in: where its own files are.
    pub(super) dir: PathBuf,
    /// What runs.
    pub(super) guest: GuestDecl,
    /// What is known of the files that the guest names.
    pub(super) facts: BTreeMap<String, FileFact>,
    /// Their bytes.
    pub(super) blobs: Blobs,
}

/// Reads a case and everything it names. The warnings are to be shown even if all is well.
///
/// # Errors
/// Everything that is wrong with the case, warnings included, in the order of its text.
pub fn read(path: &Path) -> Result<(CaseFile, Vec<Diagnostic>), Vec<Diagnostic>> {
    let shown = path.display().to_string();
    let text = text(path).map_err(|why| vec![Diagnostic::error(codes::UNREADABLE, format!("cannot read {}: {why}", quote(&shown)))])?;
    let (case, mut found) = testcase::parse(&shown, &text);
    let Some(case) = case.filter(|_| !has_errors(&found)) else { return Err(found) };
    let file = complete(path, case, &mut found);
    match file {
        Some(file) if !has_errors(&found) => Ok((file, found)),
        _ => {
            crate::diagnostic::sort(&mut found);
            Err(found)
        }
    }
}

/// The module that a case tests, if it can be read that far.
pub(super) fn guest_file(case: &Path) -> Option<PathBuf> {
    let (parsed, _) = testcase::parse("", &text(case).ok()?);
    match parsed.and_then(|case| case.hook.guest) {
        Some(guest) => match guest.value {
            GuestDecl::Wasm { path } => Some(folder(case).join(path)),
            GuestDecl::Native { .. } => None,
        },
        None => Some(folder(case).join(beside(case)?)),
    }
}

fn text(path: &Path) -> Result<String, String> {
    let name = path.file_name().map_or(path, Path::new);
    // One byte more than a person writes: `parse` says that it is too large.
    let bytes = own::read(folder(path), name, MAX_BYTES as u64 + 1).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
}

fn folder(case: &Path) -> &Path {
    case.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The module beside the case with its stem: `.wasm`, or `.wat` if only that is there.
fn beside(case: &Path) -> Option<String> {
    let wasm = guest_beside(case.file_name()?.to_str()?)?;
    let wat = wasm.strip_suffix("wasm").map(|stem| format!("{stem}wat"))?;
    let only_text = !folder(case).join(&wasm).exists() && folder(case).join(&wat).is_file();
    Some(if only_text { wat } else { wasm })
}

fn complete(path: &Path, case: Case, found: &mut Vec<Diagnostic>) -> Option<CaseFile> {
    let dir = folder(path).to_owned();
    let name = path.display().to_string();
    let name = name.strip_suffix(SUFFIX).unwrap_or(&name).to_owned();
    let (guest, at) = match &case.hook.guest {
        Some(guest) => (guest.value.clone(), Some(guest.at.clone())),
        None => (GuestDecl::Wasm { path: beside(path)? }, None),
    };
    let mut file = CaseFile { name, case, dir, guest, facts: BTreeMap::new(), blobs: Blobs::new() };
    file.read_guest(path, at, found);
    file.check_copies(found);
    Some(file)
}

impl CaseFile {
    /// What a person calls the case: `hooks/warm-cache: fills an empty cache`.
    #[must_use]
    pub fn title(&self) -> String {
        self.case.label.as_ref().map_or_else(|| self.name.clone(), |label| format!("{}: {label}", self.name))
    }

    fn read_guest(&mut self, case: &Path, at: Option<Location>, found: &mut Vec<Diagnostic>) {
        match self.guest.clone() {
            GuestDecl::Wasm { path } => {
                let max = self.case.hook.limits.module.as_ref().map_or(0, |at| at.value).max(Limits::default().module_bytes);
                // One byte more than a module may have: the executor says that it is too large.
                match own::read(&self.dir, Path::new(&path), max.saturating_add(1)) {
                    Ok(bytes) => self.keep(path, bytes),
                    Err(error) => found.push(no_module(&self.dir.join(&path), &error, at.unwrap_or_else(|| whole(case)))),
                }
            }
            // A shell line names no file: its words are the shell's business.
            GuestDecl::Native { shell: true, .. } => {}
            GuestDecl::Native { argv, .. } => {
                for word in argv.into_iter().filter(|word| may_be_path(word)) {
                    // Not every word that looks like a path is one: whether the program can start is the preflight's question.
                    if let Ok(bytes) = own::read(&self.dir, Path::new(&word), MAX_SCRIPT) {
                        self.keep(word, bytes);
                    }
                }
            }
        }
    }

    fn keep(&mut self, path: String, bytes: Vec<u8>) {
        let digest = Digest::of(&bytes);
        let size = bytes.len() as u64;
        self.facts.insert(path, FileFact::Present { digest: digest.clone(), size, unsupported: None });
        self.blobs.insert(digest, Arc::from(bytes));
    }

    /// Files to be copied are there, and lie in the case's own directory whatever links say.
    fn check_copies(&self, found: &mut Vec<Diagnostic>) {
        let dir = Dir::open_ambient_dir(&self.dir, ambient_authority());
        for file in self.case.files.values() {
            let GivenFile::From(from) = file else { continue };
            let looked = dir.as_ref().map_err(ToString::to_string);
            let why = match looked.and_then(|dir| dir.metadata(&from.value).map_err(|error| error.to_string())) {
                Ok(metadata) if metadata.is_file() => continue,
                Ok(_) => "it is not a file".to_owned(),
                Err(error) => error,
            };
            let missing = Diagnostic::error(codes::MISSING_FILE, format!("{} can't be copied: {why}", quote(&from.value)));
            found.push(missing.at(from.at.clone()).help("the path is relative to the case's own directory, and stays in it"));
        }
    }
}

fn no_module(path: &Path, error: &std::io::Error, at: Location) -> Diagnostic {
    let shown = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let (message, help) = if error.kind() == std::io::ErrorKind::NotFound {
        (format!("there is no module {}", quote(&shown)), "build it, or name the one that is tested: wasm = \"PATH\" in `[hook]`")
    } else {
        (format!("the module {} can't be read: {error}", quote(&shown)), "name a .wasm module or component, or .wat text")
    };
    Diagnostic::error(codes::MISSING_FILE, message).at(at).help(help)
}

/// The case as a whole: nothing in it names the module beside it.
fn whole(case: &Path) -> Location {
    Location { source: Some(Source::new(case.display().to_string(), text(case).unwrap_or_default())), span: 0..0 }
}

fn may_be_path(word: &str) -> bool {
    !word.starts_with('-') && !word.starts_with('/') && (word.contains('/') || word.contains('.'))
}
