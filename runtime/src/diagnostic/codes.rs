//! Every stable code. `docs/codes.md` explains each; scripts may match on them, so a code is never renamed or reused.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal: $summary:literal;)+) => {
        $(#[doc = $summary] pub const $name: &str = $code;)+

        /// Every code with its summary, sorted by code.
        pub const ALL: &[(&str, &str)] = &[$(($code, $summary)),+];
    };
}

codes! {
    ANOTHER_APP = "another-app": "The release names another application than what is checked out.";
    BAD_ENV_LINE = "bad-env-line": "A line of an environment file is not KEY=value.";
    BAD_MANIFEST = "bad-manifest": "The manifest of a release can't be read as text.";
    BAD_NAME = "bad-name": "A name breaks the rule for names.";
    BAD_PATH = "bad-path": "A path can't be what it stands for.";
    BAD_PROFILE = "bad-profile": "A limit of the profile can't be read.";
    BAD_VALUE = "bad-value": "A value has the right type and breaks its rule.";
    DUPLICATE_ID = "duplicate-id": "Two hooks of one phase have the same id.";
    DUPLICATE_NAME = "duplicate-name": "A name that must be unique is written twice.";
    EMPTY_FILE = "empty-file": "The file says nothing.";
    ESCAPES_ROOT = "escapes-root": "A relative path leaves the directory that it is relative to.";
    FALLBACK_BY_NAME = "fallback-by-name": "A native file beside a module of the same name is its fallback.";
    FETCH_FAILED = "fetch-failed": "The remote could not be read.";
    FOREIGN_FORMAT = "foreign-format": "A file of another tool that only looks like one that is read.";
    GUEST_CHOICE = "guest-choice": "A hook needs exactly one of `wasm` and `run`.";
    HOOK_CHANGED = "hook-changed": "A hook that is done for this release has changed since.";
    HOOK_WARNING = "hook-warning": "A hook succeeded and says that something isn't as it should be.";
    IMPORTED = "imported": "How a foreign file was understood.";
    IMPOSSIBLE_GRANT = "impossible-grant": "A directory grant lies in a wider one and can't be enforced.";
    LEDGER = "ledger": "The ledger, or the directory it lies in, can't be used.";
    LIMIT_LOWERED = "limit-lowered": "The operator's policy lowered a limit.";
    LOCKED = "locked": "Another run has the lock.";
    MARKER_NOT_WRITTEN = "marker-not-written": "The release's marker file could not be written.";
    MISSING_FILE = "missing-file": "A file that a test case names isn't there.";
    MISSING_KEY = "missing-key": "A table lacks a key that it needs.";
    MOVED_TAG = "moved-tag": "A tag points to another commit than when it was deployed.";
    NO_APP = "no-app": "No application is named.";
    NO_EFFECT = "no-effect": "A key that nothing would enforce here.";
    NO_MANIFEST = "no-manifest": "There is no manifest.";
    NOT_AVAILABLE = "not-available": "A known feature that this version doesn't have.";
    NOT_IMPORTED = "not-imported": "A part of a foreign file that a manifest can't say.";
    ONE_FILE = "one-file": "Author and operator share one file.";
    OTHER_RELEASE = "other-release": "Hooks of a release in between are not run.";
    POLICY_ELSEWHERE = "policy-elsewhere": "The manifest's own policy is not used.";
    PRECOMPILED = "precompiled": "A precompiled artefact is native code and never a hook.";
    REFUSED_GRANT = "refused-grant": "A hook asks for a right that it doesn't get.";
    RELEASE_FILE = "release-file": "A file of the release folder is not run as it stands.";
    RERUN_AFTER_CRASH = "rerun-after-crash": "A hook that was running when the engine died runs again.";
    RESERVED_NAME = "reserved-name": "A variable that the engine itself sets.";
    RUN_DIED = "run-died": "An earlier run died; its pending steps run first.";
    SCHEMA_VERSION = "schema-version": "The file is written in a format version that this program doesn't read.";
    STOPPED_EARLY = "stopped-early": "The run was stopped before anything of it ran.";
    TARGET = "target": "What is deployed, where that isn't obvious.";
    TOML_SYNTAX = "toml-syntax": "The text is not TOML.";
    TOO_LARGE = "too-large": "The file is larger than a manifest may be.";
    UNCONFINED = "unconfined": "A native hook runs with all the rights of whoever runs wasmhook.";
    UNKNOWN_FORMAT = "unknown-format": "A file or directory that is no format that can be imported.";
    UNKNOWN_HOOK = "unknown-hook": "No hook has this id.";
    UNKNOWN_HOST_STEP = "unknown-host-step": "A command is given for a step that the profile doesn't have.";
    UNKNOWN_KEY = "unknown-key": "A key that this table doesn't have.";
    UNKNOWN_PHASE = "unknown-phase": "A hook names a phase that the profile doesn't have.";
    UNKNOWN_PROFILE = "unknown-profile": "No built-in profile has this name.";
    UNKNOWN_SERVICE = "unknown-service": "A hook names a service that the manifest doesn't declare.";
    UNREADABLE = "unreadable": "A file or directory that was named can't be used.";
    UNUSABLE_HOOK = "unusable-hook": "A hook can't run, whatever happens before it.";
    WRONG_TYPE = "wrong-type": "A value has another type than its key takes.";
    YAML_SYNTAX = "yaml-syntax": "The text is not YAML that can be read.";
}

/// The explanations, as published.
pub const DOCUMENT: &str = include_str!("../../docs/codes.md");

/// The explanation of a code: its section of [`DOCUMENT`], without the heading.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    sections().find(|(heading, _)| *heading == code).map(|(_, text)| text.trim())
}

/// Each `## code` heading with the text below it.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    DOCUMENT.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap_or((section, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn codes_and_document_name_the_same_things() {
        let codes: Vec<_> = ALL.iter().map(|(code, _)| *code).collect();
        let documented: Vec<_> = sections().map(|(heading, _)| heading).collect();
        assert_eq!(codes, documented, "docs/codes.md has one section for each code, in the same order");
        assert!(codes.is_sorted(), "sorted, so that a new code has one place");
        for (code, summary) in ALL {
            let text = explain(code).unwrap_or_default();
            assert!(text.len() > summary.len(), "{code}: explained in more than its summary");
            assert!(text.starts_with(summary), "{code}: begins with its summary {summary:?}");
        }
        assert_eq!(explain("no-such-code"), None);
    }

    /// Codes written as literals (`code: "…"` of notices and warnings) have to stand in the list too.
    #[test]
    fn every_code_in_the_source_is_listed() {
        let listed: BTreeSet<_> = ALL.iter().map(|(code, _)| *code).collect();
        let mut texts = Vec::new();
        read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
        assert!(texts.len() > 10, "the sources are where the test looks");
        for text in &texts {
            for after in text.split("code: \"").skip(1) {
                let code = after.split('"').next().unwrap_or_default();
                let is_code = !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                assert!(!is_code || listed.contains(code), "`{code}` is missing in diagnostic/codes.rs");
            }
        }
    }

    fn read_sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_sources(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
}
