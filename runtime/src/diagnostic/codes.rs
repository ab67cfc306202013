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
    APP_WIDE_PHASE = "app-wide-phase": "A hook of one service stands in a phase of the whole application.";
    APPLICATION = "application": "The application could not be started.";
    BACKUP_LEFT = "backup-left": "An old backup could not be removed.";
    BACKUP_REQUIRED = "backup-required": "A hook changes something for good, and the policy demands a backup before it.";
    BAD_ENV_LINE = "bad-env-line": "A line of an environment file is not KEY=value.";
    BAD_MANIFEST = "bad-manifest": "The manifest of a release can't be read as text.";
    BAD_NAME = "bad-name": "A name breaks the rule for names.";
    BAD_PATH = "bad-path": "A path can't be what it stands for.";
    BAD_PROFILE = "bad-profile": "A limit of the profile can't be read.";
    BAD_SOURCE = "bad-source": "A text is no address that hooks can come from.";
    BAD_VALUE = "bad-value": "A value has the right type and breaks its rule.";
    CACHE = "cache": "The compile cache can't be used.";
    COMMIT_NOT_WRITTEN = "commit-not-written": "The file that holds the commit of the last success could not be written.";
    COMMIT_UNCHANGED = "commit-unchanged": "There was nothing to run: the commit is that of the last success.";
    COMMIT_UNFINISHED = "commit-unfinished": "A run died in the middle of a commit; the next run finishes it first.";
    COMPLEX_QUOTING = "complex-quoting": "A command quotes within quotes; a script says the same.";
    DEFAULT_HOOK = "default-hook": "A hook that the profile brings along.";
    DEFAULT_TIMEOUT = "default-timeout": "A hook states no timeout, and the profile's own holds.";
    DEPLOY_FAILED = "deploy-failed": "The run succeeded, and the deployment that it was part of was not completed.";
    DETACHED_STAGE = "detached-stage": "What a hook leaves behind would outlive one of its directories.";
    DUPLICATE_ID = "duplicate-id": "Two hooks of one phase have the same id.";
    DUPLICATE_NAME = "duplicate-name": "A name that must be unique is written twice.";
    EARLY_NOTICE = "early-notice": "A notice would be sent before it is known whether it is true.";
    EMPTY_FILE = "empty-file": "The file says nothing.";
    ESCAPES_ROOT = "escapes-root": "A relative path leaves the directory that it is relative to.";
    FALLBACK_BY_NAME = "fallback-by-name": "A native file beside a module of the same name is its fallback.";
    FETCH_FAILED = "fetch-failed": "The remote could not be read.";
    FORBIDDEN_COMMAND = "forbidden-command": "A command begins as the profile forbids.";
    FOREIGN_FORMAT = "foreign-format": "A file of another tool that only looks like one that is read.";
    GIT = "git": "Git gave no answer.";
    GUEST_CHOICE = "guest-choice": "A hook needs exactly one of `wasm` and `run`.";
    HALF_TAKEN_BACK = "half-taken-back": "The revert of a hook was cut off or failed, and nobody knows how much of it is left.";
    HOOK_CHANGED = "hook-changed": "A hook that is done for this release has changed since.";
    HOOK_WARNING = "hook-warning": "A hook succeeded and says that something isn't as it should be.";
    IMPORTED = "imported": "How a foreign file was understood.";
    IMPOSSIBLE_GRANT = "impossible-grant": "A directory grant lies in a wider one and can't be enforced.";
    INSECURE_SOURCE = "insecure-source": "Hooks come over a connection that anybody on the way can change.";
    INSTANCE_LOCAL = "instance-local": "A hook that runs on one instance writes where each instance has its own files.";
    INTERACTIVE = "interactive": "A command asks somebody something, and nobody is there.";
    INTERNAL = "internal": "Something went wrong that should not have.";
    JOBS_ELSEWHERE = "jobs-elsewhere": "What the environment says of jobs makes none, since there is a manifest.";
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
    NO_RUN = "no-run": "There is no such run.";
    NO_TARGET = "no-target": "Nothing says what to deploy.";
    NOT_AVAILABLE = "not-available": "A known feature that this version doesn't have.";
    NOT_EXECUTABLE = "not-executable": "A script that an interpreter is given isn't executable.";
    NOT_FOLLOWED = "not-followed": "What is checked out could not be fast-forwarded to the branch that is followed.";
    NOT_IMPORTED = "not-imported": "A part of a foreign file that a manifest can't say.";
    NOT_RESOLVED = "not-resolved": "What was said can't be said of this execution or run.";
    NOTHING_TO_RESUME = "nothing-to-resume": "There is no run to go on with.";
    ONE_FILE = "one-file": "Author and operator share one file.";
    OTHER_RELEASE = "other-release": "Hooks of a release in between are not run.";
    OUTPUT_LOST = "output-lost": "What a guest printed could not all be passed on.";
    OWN_RELEASE = "own-release": "Hooks that are done run again, since nothing says that this is their release.";
    PATH_ALIAS = "path-alias": "A native command names a path that stands for a directory elsewhere.";
    PLAN_CHANGED = "plan-changed": "The run can't be resumed, since its plan changed.";
    POLICY_ELSEWHERE = "policy-elsewhere": "The manifest's own policy is not used.";
    PRECOMPILED = "precompiled": "A precompiled artefact is native code and never a hook.";
    PREFLIGHT = "preflight": "Something that a hook or step needs isn't there now.";
    QUOTED_GLOB = "quoted-glob": "A script quotes a pattern, so that it stands for itself.";
    READ_ONLY_APP = "read-only-app": "A hook asks to write to the application's root where its code is read-only.";
    REFUSED_GRANT = "refused-grant": "A hook asks for a right that it doesn't get.";
    RELEASE_FILE = "release-file": "A file of the release folder is not run as it stands.";
    RELEASE_UNREADABLE = "release-unreadable": "A file of the release can't be read.";
    RELEASE_WITHOUT_MANIFEST = "release-without-manifest": "The release holds no wasmhook.toml.";
    RERUN_AFTER_CRASH = "rerun-after-crash": "A hook that was running when the engine died runs again.";
    RESERVED_NAME = "reserved-name": "A variable that the engine itself sets.";
    RESOLVED = "resolved": "Somebody said what became of an execution.";
    RUN_DIED = "run-died": "An earlier run died; its pending steps run first.";
    RUN_IS_ON = "run-is-on": "Another run is on while this one is planned or tried.";
    SCHEMA_VERSION = "schema-version": "The file is written in a format version that this program doesn't read.";
    SCRIPT_MARKER = "script-marker": "Scripts of one release share a marker file, and the second would skip itself.";
    SINGLE_COMMAND = "single-command": "A command is more than one program with its arguments.";
    SOURCE_PARTS = "source-parts": "A part of a source is not copied as it is.";
    SOURCE_UNREAD = "source-unread": "A repository that hooks come from could not be read.";
    STAGE_KEPT = "stage-kept": "What a hook wrote could not be committed, and still lies there for somebody to look at.";
    STAGE_LEFT = "stage-left": "A stage could not be removed; the next run in that directory removes it.";
    STALE_RUN = "stale-run": "A run had the lock for too long, and was ended and replaced.";
    STOPPED_EARLY = "stopped-early": "The run was stopped before anything of it ran.";
    SUBMODULES = "submodules": "Submodules stay behind what a watch has checked out.";
    TAG_ELSEWHERE = "tag-elsewhere": "The tag and the commit that were given differ.";
    TARGET = "target": "What is deployed isn't what was named.";
    TOLERATED = "tolerated": "A hook failed or timed out, and the run goes on as if it hadn't.";
    TOML_SYNTAX = "toml-syntax": "The text is not TOML.";
    TOO_LARGE = "too-large": "The file is larger than a manifest may be.";
    UNCONFINED = "unconfined": "A native hook runs with all the rights of whoever runs wasmhook.";
    UNKNOWN_FORMAT = "unknown-format": "A file or directory that is no format that can be imported.";
    UNKNOWN_HOOK = "unknown-hook": "No hook has this id.";
    UNKNOWN_HOST_STEP = "unknown-host-step": "A command is given for a step that the profile doesn't have.";
    UNKNOWN_KEY = "unknown-key": "A key that this table doesn't have.";
    UNKNOWN_PHASE = "unknown-phase": "A hook names a phase that the profile doesn't have.";
    UNKNOWN_PROFILE = "unknown-profile": "No built-in profile has this name.";
    UNKNOWN_REVISION = "unknown-revision": "Hooks run when the commit changes, and no commit is known.";
    UNKNOWN_SERVICE = "unknown-service": "A hook names a service that the manifest doesn't declare.";
    UNKNOWN_SOURCE = "unknown-source": "A hook names a source that the manifest doesn't declare.";
    UNKNOWN_TARGET = "unknown-target": "The tag or commit that was given doesn't exist.";
    UNLOCKED = "unlocked": "Somebody took the lock away from a run.";
    UNREADABLE = "unreadable": "A file or directory that was named can't be used.";
    UNUSABLE_HOOK = "unusable-hook": "A hook can't run, whatever happens before it.";
    USAGE = "usage": "A call that can't be carried out as it is written.";
    WRONG_TYPE = "wrong-type": "A value has another type than its key takes.";
    YAML_SYNTAX = "yaml-syntax": "The text is not YAML that can be read.";
}

/// The explanations, as published.
pub const DOCUMENT: &str = include_str!("../../docs/codes.md");

/// The code that reads so; [`INTERNAL`] if there is none.
#[must_use]
pub fn known(code: &str) -> &'static str {
    ALL.iter().map(|(known, _)| *known).find(|known| *known == code).unwrap_or(INTERNAL)
}

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
