//! Text → [`Manifest`] or [`PolicyFile`]: the keys are read by `schema`, their combinations by `hook`, `guest` and `convert`.

use super::schema::{HostStepDoc, ManifestDoc, PolicyFileDoc, ServiceDoc, SourceDoc};
use super::{HostStepDecl, Manifest, PolicyFile, SourceDecl, convert, hook, source};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{self, Pairs, Problems, error_at};
use crate::model::id::{NameError, ServiceName, SourceName, StepName};

/// Reads a manifest: as much of it as makes sense, and everything that is wrong with it, in the order of the text.
///
/// `name` is what messages call the file, and the origin of its hooks. A manifest with errors among its findings must not be run.
#[must_use]
pub fn parse(name: &str, text: &str) -> (Manifest, Vec<Diagnostic>) {
    let (doc, mut problems) = document::read::<ManifestDoc>(name, text);
    let manifest = doc.map(|doc| manifest(doc, name, &mut problems)).unwrap_or_default();
    (manifest, problems.into_found())
}

/// Reads a policy file, as [`parse`] reads a manifest.
#[must_use]
pub fn parse_policy(name: &str, text: &str) -> (PolicyFile, Vec<Diagnostic>) {
    let (doc, mut problems) = document::read::<PolicyFileDoc>(name, text);
    let file = doc.map(|doc| PolicyFile {
        policy: doc.policy.map(|policy| policy.map(|doc| convert::policy(doc, &mut problems))),
        host_steps: host_steps(doc.host_step, &mut problems),
    });
    (file.unwrap_or_default(), problems.into_found())
}

fn manifest(doc: ManifestDoc, name: &str, problems: &mut Problems) -> Manifest {
    for path in [&doc.profile, &doc.app_dir, &doc.data_dir, &doc.env_file].into_iter().flatten() {
        convert::not_empty(path, problems);
    }
    convert::own_variables(&doc.env, problems);
    Manifest {
        app: doc.app,
        profile: doc.profile,
        app_dir: doc.app_dir,
        data_dir: doc.data_dir,
        env: doc.env.0,
        env_file: doc.env_file,
        services: services(doc.services, problems),
        sources: sources(doc.source, problems),
        policy: doc.policy.map(|policy| policy.map(|doc| convert::policy(doc, problems))),
        host_steps: host_steps(doc.host_step, problems),
        hooks: doc.hook.into_iter().filter_map(|doc| hook::hook(doc, name, problems)).collect(),
    }
}

fn services(written: Pairs<ServiceDoc>, problems: &mut Problems) -> Vec<Located<ServiceName>> {
    written.0.into_iter().filter_map(|(name, _)| named(name, ServiceName::new, problems)).collect()
}

fn sources(written: Pairs<SourceDoc>, problems: &mut Problems) -> Vec<(Located<SourceName>, SourceDecl)> {
    let mut sources = Vec::new();
    for (name, doc) in written.0 {
        let source = source::source(doc, problems);
        if let (Some(name), Some(source)) = (named(name, SourceName::new, problems), source) {
            sources.push((name, source));
        }
    }
    sources
}

fn host_steps(written: Pairs<HostStepDoc>, problems: &mut Problems) -> Vec<(Located<StepName>, HostStepDecl)> {
    let mut steps = Vec::new();
    for (name, doc) in written.0 {
        let step = convert::host_step(doc, &name, problems);
        if let (Some(name), Some(step)) = (named(name, StepName::new, problems), step) {
            steps.push((name, step));
        }
    }
    steps
}

/// A table's own key as a checked name.
fn named<T>(key: Located<String>, check: fn(String) -> Result<T, NameError>, problems: &mut Problems) -> Option<Located<T>> {
    match check(key.value.clone()) {
        Ok(name) => Some(key.map(|_| name)),
        Err(error) => {
            problems.push(error_at(&key, codes::BAD_NAME, error.to_string()));
            None
        }
    }
}
