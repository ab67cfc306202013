//! Paths of a test case: what a person writes → where it lies in the case's tree.

use crate::manifest::JOB_DIR;

/// Why a path can't be used.
pub(super) type Rule = &'static str;

/// The two directories that a path may begin with by name.
pub(super) struct Roots<'a> {
    pub(super) app_dir: &'a str,
    pub(super) data_dir: &'a str,
}

impl Roots<'_> {
    /// The path in the tree: relative paths lie in the application's root, absolute ones at the tree's.
    pub(super) fn in_tree(&self, written: &str) -> Result<String, Rule> {
        let named = [("$APP_DIR", self.app_dir), ("$DATA_DIR", self.data_dir)];
        let named = named.into_iter().find_map(|(name, dir)| Some((dir, written.strip_prefix(name)?)));
        let absolute = match named {
            Some((dir, rest)) if rest.is_empty() || rest.starts_with('/') => format!("{dir}{rest}"),
            _ if written.starts_with('$') => return Err("only `$APP_DIR` and `$DATA_DIR` stand for directories"),
            _ if written.starts_with('/') => written.to_owned(),
            _ => format!("{}/{written}", self.app_dir),
        };
        absolute_path(&absolute)
    }
}

/// An absolute path without its first slash, if it is a plain one.
pub(super) fn absolute_path(path: &str) -> Result<String, Rule> {
    let relative = path.strip_prefix('/').ok_or("it has to be an absolute path")?;
    relative_path(relative)?;
    if path == JOB_DIR || path.strip_prefix(JOB_DIR).is_some_and(|rest| rest.starts_with('/')) {
        return Err("this is where the engine puts the hook's own files");
    }
    Ok(relative.to_owned())
}

/// Checks a relative path: plain components and nothing else, so that each place has one name and none lies outside.
pub(super) fn relative_path(path: &str) -> Result<(), Rule> {
    for part in path.split('/') {
        match part {
            "" => return Err("it is empty, or a slash too many stands in it or at its end"),
            "." | ".." => return Err("write it without `.` and `..`"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_one_name_in_the_tree() {
        let roots = Roots { app_dir: "/app", data_dir: "/var/data" };
        for (written, path) in [
            ("cache/a", "app/cache/a"),
            ("/other/x", "other/x"),
            ("$APP_DIR/cache", "app/cache"),
            ("$APP_DIR", "app"),
            ("$DATA_DIR/db", "var/data/db"),
        ] {
            assert_eq!(roots.in_tree(written).as_deref(), Ok(path), "{written}");
        }
        for written in ["", "a/", "a//b", "../x", "/a/./b", "/", "$HOME/x", "$APP_DIRx/y", "/run/wasmhook", "/run/wasmhook/output"] {
            assert!(roots.in_tree(written).is_err(), "{written}");
        }
    }
}
