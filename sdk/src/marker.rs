//! "Did I do this already?": marker files (S3.35), for hooks that must also be safe to run without an engine that remembers.

use crate::context::Context;
use crate::files::write_atomic;
use crate::outcome::Outcome;
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};

/// A file whose existence says that something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    path: PathBuf,
}

impl Marker {
    /// The marker of the whole release: `$APP_DIR/.release-<tag>-done`.
    ///
    /// It is one per release, not one per hook: the second hook of a release that asks it would be skipped. [`Marker::for_task`] is for
    /// those.
    #[must_use]
    pub fn for_release(context: &Context) -> Self {
        Self { path: context.app_dir.join(format!(".release-{}-done", context.release())) }
    }

    /// The marker of one task of the release: `$APP_DIR/.release-<tag>-<task>-done`.
    ///
    /// # Errors
    /// If the task's name isn't made of letters, digits, `-`, `_` and `.`, or starts with a dot.
    pub fn for_task(context: &Context, task: &str) -> anyhow::Result<Self> {
        let letters = task.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        ensure!(
            letters && !task.is_empty() && !task.starts_with('.'),
            "task {task:?} is not a name: use letters, digits, `-`, `_` and `.`"
        );
        Ok(Self { path: context.app_dir.join(format!(".release-{}-{task}-done", context.release())) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// If that can't be told, for instance because its directory isn't granted: taking that for "no" would do everything again.
    pub fn exists(&self) -> anyhow::Result<bool> {
        let context = || format!("can't tell whether marker {} exists (is its directory granted?)", self.path.display());
        // Whether it is a file is cheaper to ask than where a link leads, and a marker is hardly ever a link.
        if self.path.symlink_metadata().is_ok_and(|marker| marker.is_file()) || self.path.try_exists().with_context(context)? {
            return Ok(true);
        }
        // Outside of every granted directory a guest's own libc answers "not found": the directory itself has to be there.
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::metadata(dir).map(|_| false).with_context(context)
    }

    /// Writes it, at once or not at all. Call it when everything is done, never before (S3.37).
    ///
    /// # Errors
    /// If its directory can't be written.
    pub fn write(&self) -> anyhow::Result<()> {
        write_atomic(&self.path, b"").with_context(|| format!("can't write marker {}", self.path.display()))
    }

    /// Does the work if the marker isn't there, and writes it once the work is done. If it is there, the outcome is a skip, whose line is
    /// `Already applied, skipping` (S3.36).
    ///
    /// # Errors
    /// Those of the work, after which the marker isn't written, and those of [`exists`](Self::exists) and [`write`](Self::write).
    pub fn once(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Outcome> {
        if self.exists()? {
            return Ok(Outcome::skipped("Already applied"));
        }
        work()?;
        self.write()?;
        Ok(Outcome::Done)
    }
}

/// Does one task of the release at most once: [`Marker::for_task`] and [`Marker::once`].
///
/// ```no_run
/// # fn main() -> wasmhook_sdk::anyhow::Result<()> {
/// # let ctx = wasmhook_sdk::Context::from_env()?;
/// wasmhook_sdk::once(&ctx, "seed-users", || {
///     std::fs::write(ctx.data_dir.join("users.csv"), "admin\n")?;
///     Ok(())
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the work, and of the marker.
pub fn once(context: &Context, task: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Outcome> {
    Marker::for_task(context, task)?.once(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::VARS;

    fn context(app_dir: &Path) -> Context {
        let app_dir = app_dir.to_str().unwrap();
        Context::from_vars(VARS.into_iter().map(|(k, v)| if k == "APP_DIR" { (k, app_dir) } else { (k, v) })).unwrap()
    }

    #[test]
    fn s3_35_the_release_marker_has_the_name_of_the_seed() {
        let context = context(Path::new("/app"));
        assert_eq!(Marker::for_release(&context).path(), Path::new("/app/.release-v0.4.0-done"));
        assert_eq!(Marker::for_task(&context, "seed").unwrap().path(), Path::new("/app/.release-v0.4.0-seed-done"));
        for bad in ["", "../x", "a/b", ".hidden", "a b"] {
            assert!(Marker::for_task(&context, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn s3_36_what_is_marked_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Marker::for_release(&context(dir.path()));
        assert!(matches!(marker.once(|| Ok(())), Ok(Outcome::Done)));
        let again = marker.once(|| panic!("must not run again")).unwrap();
        assert!(matches!(again, Outcome::Skipped(reason) if reason == "Already applied"));
    }

    #[test]
    fn s3_36_a_link_is_a_marker_if_it_leads_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        let marker = Marker::for_release(&context(dir.path()));
        std::os::unix::fs::symlink("target", marker.path()).unwrap();
        assert!(!marker.exists().unwrap());
        std::fs::write(dir.path().join("target"), "").unwrap();
        assert!(marker.exists().unwrap());
    }

    #[test]
    fn s3_37_a_failure_leaves_no_marker() {
        let dir = tempfile::tempdir().unwrap();
        let context = context(dir.path());
        assert!(once(&context, "seed", || anyhow::bail!("no")).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "neither a marker nor a temporary file");
        assert!(matches!(once(&context, "seed", || Ok(())), Ok(Outcome::Done)));
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_not_a_no() {
        let marker = Marker::for_release(&context(Path::new("/no/such/app")));
        let error = marker.exists().unwrap_err();
        assert!(error.to_string().contains("is its directory granted?"), "{error}");
    }
}
