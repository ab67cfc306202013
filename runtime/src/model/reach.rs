//! What an execution may have changed by the time it was cut off: as far as its rights went, since nobody saw what it did.

use super::grant::{DirGrant, DirMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the rights of an execution go beyond itself: paths on the host, in the order of its grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// Directories that it writes to live: what it did there stays.
    pub live: Vec<String>,
    /// Directories for which it writes to a stage: unless it succeeded, nothing of that comes to be.
    pub staged: Vec<String>,
    /// Whether nothing confines it: it may change whatever its user may.
    pub unconfined: bool,
}

impl Reach {
    /// That of somebody with these grants.
    #[must_use]
    pub fn of(dirs: &[DirGrant], unconfined: bool) -> Self {
        let hosts = |wanted: fn(DirMode) -> bool| dirs.iter().filter(|dir| wanted(dir.mode)).filter_map(|dir| dir.host.clone()).collect();
        Self { live: hosts(DirMode::is_live), staged: hosts(|mode| matches!(mode, DirMode::Txn | DirMode::Discard)), unconfined }
    }

    /// That of the operator's own commands.
    #[must_use]
    pub fn unconfined() -> Self {
        Self { unconfined: true, ..Self::default() }
    }

    /// What it may have changed, as sentences without an end: `it may have changed files in /srv/data`.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let live = if self.unconfined {
            "nothing confined it: it may have changed whatever its user may".to_owned()
        } else if self.live.is_empty() {
            "it had no directory to write to for good".to_owned()
        } else {
            format!("it may have changed files in {}", self.live.join(", "))
        };
        let staged = (!self.staged.is_empty()).then(|| format!("what it wrote to {} was staged, and is dropped", self.staged.join(", ")));
        [Some(live), staged].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: Option<&str>, mode: DirMode) -> DirGrant {
        DirGrant { host: host.map(str::to_owned), guest: "/g".into(), mode }
    }

    #[test]
    fn only_what_is_written_on_the_host_is_within_reach() {
        use DirMode::{Discard, Read, Scratch, Txn, Write};
        let grants = [
            grant(Some("/r"), Read),
            grant(Some("/w"), Write),
            grant(Some("/t"), Txn),
            grant(Some("/d"), Discard),
            grant(None, Scratch),
            grant(Some("/v"), Write),
        ];
        let reach = Reach::of(&grants, false);
        assert_eq!((reach.live.clone(), reach.staged.clone()), (vec!["/w".to_owned(), "/v".into()], vec!["/t".to_owned(), "/d".into()]));
        let said = ["it may have changed files in /w, /v", "what it wrote to /t, /d was staged, and is dropped"];
        assert_eq!(reach.sentences(), said);
    }

    #[test]
    fn whoever_had_no_directory_changed_none_and_whoever_is_unconfined_any() {
        assert_eq!(Reach::of(&[], false).sentences(), ["it had no directory to write to for good"]);
        let staged = Reach::of(&[grant(Some("/t"), DirMode::Txn)], true).sentences();
        assert_eq!(
            staged,
            ["nothing confined it: it may have changed whatever its user may", "what it wrote to /t was staged, and is dropped"]
        );
    }
}
