//! The name of a release file, read from the right.

use crate::discover::version::Version;
use crate::model::facts::FoundRule;
use crate::model::id::{StepName, Tag};
use std::collections::BTreeSet;

/// What names are read against.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The phases of the lifecycle.
    pub phases: &'a [StepName],
    /// The extensions of hooks.
    pub extensions: &'a [String],
    /// All releases.
    pub tags: &'a BTreeSet<Tag>,
    /// The release that is deployed: known, whether it is tagged or not.
    pub target: &'a Tag,
}

/// What a file of the release folder is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseFile {
    /// A hook.
    Hook {
        /// The release it belongs to.
        tag: Tag,
        /// Its phase, if the name holds one.
        phase: Option<StepName>,
        /// Its extension.
        extension: String,
    },
    /// It looks like a hook and isn't one.
    Problem {
        /// The release it seems to belong to.
        tag: Option<Tag>,
        /// What is wrong.
        rule: FoundRule,
    },
    /// Documentation, a library, a release tool under a name of its own: left alone.
    NotAHook,
}

/// How many edits away a misspelt phase is still recognised.
const NEAR: usize = 3;

impl Names<'_> {
    /// Reads a file name.
    #[must_use]
    pub fn parse(&self, file_name: &str) -> ReleaseFile {
        let is_documentation = file_name.to_ascii_lowercase().starts_with("readme");
        if is_documentation || file_name.starts_with('.') {
            return ReleaseFile::NotAHook;
        }
        let split = file_name.rsplit_once('.').filter(|(_, extension)| self.extensions.iter().any(|known| known == extension));
        match split {
            Some((stem, extension)) => self.hook(stem, extension),
            None => self.without_extension(file_name),
        }
    }

    /// `<tag>` or `<tag>.<phase>`. Where a tag itself ends like a phase, the phase wins if what precedes it is a release.
    fn hook(&self, stem: &str, extension: &str) -> ReleaseFile {
        let hook = |tag, phase| ReleaseFile::Hook { tag, phase, extension: extension.to_owned() };
        let (left, right) = stem.rsplit_once('.').unwrap_or((stem, ""));
        let phase = self.phases.iter().find(|phase| phase.as_str() == right).cloned();
        match (self.release(left), phase, self.release(stem)) {
            (Some(tag), Some(phase), _) => hook(tag, Some(phase)),
            (_, _, Some(tag)) => hook(tag, None),
            (Some(tag), None, None) if Version::of(stem).is_none() => self.unknown_phase(tag, right),
            (_, phase, None) => self.unknown_release(if phase.is_some() { left } else { stem }),
        }
    }

    fn unknown_phase(&self, tag: Tag, written: &str) -> ReleaseFile {
        let (written, phases) = (written.to_owned(), self.phases.to_vec());
        ReleaseFile::Problem { rule: FoundRule::UnknownPhase { nearest: self.nearest(&written), written, phases }, tag: Some(tag) }
    }

    /// A stem that is no release: reported if it names a version, with or without a phase; else it is nobody's hook (`build.sh`).
    fn unknown_release(&self, stem: &str) -> ReleaseFile {
        let names_version = |text: &str| Version::of(text).and_then(|_| Tag::new(text).ok());
        if let Some(tag) = names_version(stem) {
            return ReleaseFile::Problem { rule: FoundRule::UnknownTag { tag: tag.clone() }, tag: Some(tag) };
        }
        let Some((left, written)) = stem.rsplit_once('.') else { return ReleaseFile::NotAHook };
        match names_version(left) {
            Some(tag) => self.unknown_phase(tag, written),
            None => ReleaseFile::NotAHook,
        }
    }

    /// A name that no extension ends: reported if a release begins it (`v0.4.0`, `v0.4.0.py`, `v0.4.0.sh.bak`).
    fn without_extension(&self, file_name: &str) -> ReleaseFile {
        let ends = file_name.match_indices('.').map(|(at, _)| at).chain([file_name.len()]);
        let Some(tag) = ends.rev().find_map(|end| self.release(&file_name[..end])) else { return ReleaseFile::NotAHook };
        ReleaseFile::Problem { tag: Some(tag), rule: FoundRule::UnknownExtension { extensions: self.extensions.to_vec() } }
    }

    fn release(&self, text: &str) -> Option<Tag> {
        let tag = Tag::new(text).ok()?;
        (tag == *self.target || self.tags.contains(&tag)).then_some(tag)
    }

    fn nearest(&self, written: &str) -> Option<StepName> {
        let distance = |phase: &&StepName| strsim::damerau_levenshtein(&written.to_ascii_lowercase(), phase.as_str());
        self.phases.iter().filter(|phase| distance(phase) <= NEAR).min_by_key(distance).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file_name: &str) -> ReleaseFile {
        let phases = ["pre-pull", "post-pull", "pre-migrate", "post-migrate"].map(|name| StepName::new(name).unwrap());
        let tags = ["v0.3.28", "v0.4.0", "nightly", "odd.post-pull"].map(|name| Tag::new(name).unwrap()).into();
        let extensions = ["wasm", "wat", "sh"].map(str::to_owned);
        let target = Tag::new("v0.4.0").unwrap();
        Names { phases: &phases, extensions: &extensions, tags: &tags, target: &target }.parse(file_name)
    }

    fn hook(tag: &str, phase: Option<&str>, extension: &str) -> ReleaseFile {
        let phase = phase.map(|phase| StepName::new(phase).unwrap());
        ReleaseFile::Hook { tag: Tag::new(tag).unwrap(), phase, extension: extension.to_owned() }
    }

    #[test]
    fn s3_4_a_name_without_a_phase_is_the_default() {
        assert_eq!(parse("v0.3.28.sh"), hook("v0.3.28", None, "sh"));
        assert_eq!(parse("v0.4.0.wasm"), hook("v0.4.0", None, "wasm"));
        assert_eq!(parse("nightly.sh"), hook("nightly", None, "sh"));
    }

    #[test]
    fn s3_5_a_pre_pull_hook() {
        assert_eq!(parse("v0.4.0.pre-pull.sh"), hook("v0.4.0", Some("pre-pull"), "sh"));
    }

    #[test]
    fn s3_6_a_post_pull_hook() {
        assert_eq!(parse("v0.4.0.post-pull.wat"), hook("v0.4.0", Some("post-pull"), "wat"));
    }

    #[test]
    fn s3_7_a_pre_migrate_hook() {
        assert_eq!(parse("v0.4.0.pre-migrate.wasm"), hook("v0.4.0", Some("pre-migrate"), "wasm"));
    }

    #[test]
    fn s3_8_a_post_migrate_hook() {
        assert_eq!(parse("v0.4.0.post-migrate.sh"), hook("v0.4.0", Some("post-migrate"), "sh"));
    }

    #[test]
    fn a_tag_that_ends_like_a_phase_is_a_tag_where_nothing_else_fits() {
        assert_eq!(parse("odd.post-pull.sh"), hook("odd.post-pull", None, "sh"));
        assert_eq!(parse("odd.post-pull.pre-pull.sh"), hook("odd.post-pull", Some("pre-pull"), "sh"));
    }

    #[test]
    fn s3_61_a_misspelt_phase_is_reported_with_the_nearest_name() {
        for (file, nearest) in
            [("v0.4.0.pre-pul.sh", "pre-pull"), ("v0.4.0.Post-Migrate.wasm", "post-migrate"), ("v9.9.9.prepull.sh", "pre-pull")]
        {
            let ReleaseFile::Problem { rule: FoundRule::UnknownPhase { nearest: Some(found), .. }, tag } = parse(file) else {
                panic!("{file}")
            };
            assert_eq!(found.as_str(), nearest);
            assert!(tag.is_some_and(|tag| file.starts_with(tag.as_str())));
        }
        let rule = parse("v0.4.0.cleanup.sh");
        assert!(matches!(rule, ReleaseFile::Problem { rule: FoundRule::UnknownPhase { nearest: None, .. }, .. }));
    }

    #[test]
    fn s3_61_documentation_and_other_files_are_no_hooks() {
        for file in
            ["README.md", "README", "readme.sh", "notes.txt", "build.sh", "release.sh", "common.pre-pull.sh", ".v0.4.0.sh.swp", "Makefile"]
        {
            assert_eq!(parse(file), ReleaseFile::NotAHook, "{file}");
        }
    }

    #[test]
    fn s3_61_a_hook_with_another_extension_is_reported() {
        for file in ["v0.4.0.py", "v0.4.0.sh.bak", "v0.4.0.pre-pull", "v0.4.0", "v0.4.0.sh~", "v0.4.0.SH"] {
            let parsed = parse(file);
            assert!(matches!(parsed, ReleaseFile::Problem { rule: FoundRule::UnknownExtension { .. }, .. }), "{file}: {parsed:?}");
        }
    }

    #[test]
    fn a_hook_of_an_unknown_release_is_reported() {
        for file in ["v9.9.9.sh", "v9.9.9.pre-pull.sh"] {
            let ReleaseFile::Problem { rule: FoundRule::UnknownTag { tag }, .. } = parse(file) else { panic!("{file}") };
            assert_eq!(tag.as_str(), "v9.9.9");
        }
    }
}
