//! TOML text → typed values with places, and every problem at once. [`Read`] reads one value, [`Fields`] the keys of one table; the
//! `document!` macro writes both from a list of fields. Shared by the manifest and the profile; it knows the keys of neither.

#[cfg(test)]
pub(crate) mod agree;
mod form;
mod leaf;
mod table;
mod value;
pub(crate) mod yaml;

pub(crate) use form::Form;
pub(crate) use leaf::{DurationText, Pairs, SizeText, word_form, words};
pub(crate) use table::{Fields, Table, document, not_available};
pub(crate) use value::{Read, Value};

use crate::diagnostic::{Diagnostic, Located, Location, Source, codes, sort};
use crate::model::units::show_size;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest text that is read: far more than anybody writes by hand, little enough to report on at once.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// What reading has found wrong so far, and the text it was found in.
pub(crate) struct Problems {
    source: Arc<Source>,
    found: Vec<Diagnostic>,
    decisive: Vec<Diagnostic>,
}

impl Problems {
    /// Nothing found yet.
    pub(crate) const fn none(source: Arc<Source>) -> Self {
        Self { source, found: Vec::new(), decisive: Vec::new() }
    }

    /// A place in the text.
    pub(crate) fn at(&self, span: Range<usize>) -> Location {
        Location { source: Some(Arc::clone(&self.source)), span }
    }

    /// Adds a finding.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Adds a finding beside which everything else would mislead: what a broken text, or one of another version, seems to lack.
    pub(crate) fn decide(&mut self, diagnostic: Diagnostic) {
        self.decisive.push(diagnostic);
    }

    /// Everything found, in the order of the text.
    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        let mut found = if self.decisive.is_empty() { self.found } else { self.decisive };
        sort(&mut found);
        found
    }
}

/// Reads a whole text as `T`, as far as it can be read; nothing of a text that is broken or of another version.
pub(crate) fn read<T: Fields>(name: &str, text: &str) -> (Option<T>, Problems) {
    let mut problems = Problems::none(Source::new(name, text));
    if text.len() > MAX_BYTES {
        let large = Diagnostic::error(codes::TOO_LARGE, format!("{} holds more than {}", quote(name), show_size(MAX_BYTES as u64)));
        problems.decide(large);
        return (None, problems);
    }
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let span = error.span().unwrap_or(0..0);
        problems.decide(Diagnostic::error(codes::TOML_SYNTAX, format!("not TOML: {}", error.message())).at(problems.at(span)));
    }
    if syntax.is_empty() && root.get_ref().is_empty() {
        let empty = Diagnostic::error(codes::EMPTY_FILE, format!("{} says nothing", quote(name)));
        problems.decide(empty.at(problems.at(0..0)).help("begin it with `schema = 1`"));
    }
    let root = Spanned::new(0..0, DeValue::Table(root.into_inner()));
    let read = T::read(&Value { name: T::LABEL, entry: None, toml: &root }, &mut problems).filter(|_| problems.decisive.is_empty());
    (read, problems)
}

/// Text from outside for a message: in backticks, escaped, at most 80 characters of it.
pub(crate) fn quote(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", crate::diagnostic::visible(&short))
}

/// The known name that a person most likely meant, if any is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name.to_lowercase(), candidate);
    // A name of hundreds of characters is no slip of the pen, and comparing it would only cost time.
    (name.len() <= 64).then_some(())?;
    known.into_iter().map(|candidate| (distance(candidate), candidate)).filter(|(d, _)| *d <= allowed).min().map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or all that is known.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// A finding at a located value.
pub(crate) fn error_at<T>(located: &Located<T>, code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, message).at(located.at.clone())
}
