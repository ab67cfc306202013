//! What a call named, for the commands that it prints: they work when they are pasted, since they name it again.

use crate::args::{Command, DEFAULT_ENVIRONMENT, Places, Selectors};
use std::path::Path;

/// Options of this call, as words for a shell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Which release and hooks are meant, without tag and environment: the report knows them better.
    pub selectors: Vec<String>,
    /// What only `run` takes.
    pub run: Vec<String>,
    /// `--tag` and its value.
    pub tag: Vec<String>,
    /// `--env-name` and its value.
    pub environment: Vec<String>,
    /// `--state` and its value.
    pub state: Vec<String>,
    /// `--cache` and its value.
    pub cache: Vec<String>,
    /// Whether a dry run is to show how texts would change.
    pub diffs: bool,
    /// Whether it is a report that is shown already.
    pub shows: bool,
    /// Whether it is a watch, which tries again by itself what failed.
    pub watches: bool,
}

impl Given {
    /// What `command` names.
    pub fn by(command: &Command) -> Self {
        match command {
            Command::Run(args) => {
                let run = flags(&[(args.no_fetch, "--no-fetch"), (args.dry_run, "--dry-run"), (args.audit, "--audit")]);
                Self { run, diffs: args.diff, ..Self::of(&args.selectors) }
            }
            Command::Show(args) => Self { shows: true, ..Self::of(&args.selectors) },
            Command::Status(args) => Self::of(&args.selectors),
            Command::Watch(args) => Self { watches: true, ..Self::of(&args.selectors) },
            _ => Self::default(),
        }
    }

    /// A command about the same release: its verb with what follows it, then what the call named. Tag and environment are those that are known, else
    /// those that were given.
    pub fn command(&self, verb: &[&str], tag: Option<&str>, environment: Option<&str>) -> Vec<String> {
        let known = |name: &str, value: Option<&str>, given: &[String]| if value.is_some() { option(name, value) } else { given.to_vec() };
        let verb = ["wasmhook"].iter().chain(verb).map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let run = if verb.get(1).is_some_and(|verb| verb == "run") { self.run.clone() } else { Vec::new() };
        let tag = known("--tag", tag, &self.tag);
        let environment = match environment {
            // Whoever names none means this one.
            Some(DEFAULT_ENVIRONMENT) => Vec::new(),
            environment => known("--env-name", environment, &self.environment),
        };
        [verb, self.selectors.clone(), run, tag, environment, self.state.clone(), self.cache.clone()].concat()
    }

    /// The same about what lies in `dir`, and nowhere else.
    pub fn in_dir(&self, dir: &Path) -> Self {
        let named = self.selectors.iter().position(|word| word == "-C").map_or(0..0, |at| at..at + 2);
        let mut given = self.clone();
        given.selectors.splice(named, Words::of_path("-C", Some(dir)));
        given
    }

    fn of(selectors: &Selectors) -> Self {
        let Selectors {
            dir,
            manifests,
            foreign,
            policy,
            app,
            profile,
            app_dir,
            data_dir,
            env_files,
            instances,
            phases,
            only,
            commit_file,
            places,
            ..
        } = selectors;
        let Places { state, cache } = places;
        let mut words = Words::default();
        words.path("-C", Some(dir.as_path()).filter(|dir| *dir != Path::new(".")));
        for file in manifests {
            words.path("--manifest", Some(file));
        }
        words.text("--as", foreign.kind.as_deref());
        words.text("--module", foreign.module.as_deref());
        words.path("--policy", policy.as_deref());
        words.text("--app", app.as_deref());
        words.text("--profile", profile.as_deref());
        words.path("--app-dir", app_dir.as_deref());
        words.path("--data-dir", data_dir.as_deref());
        for file in env_files {
            words.path("--env-file", Some(file));
        }
        for instance in instances {
            words.text("--instance", Some(instance));
        }
        for phase in phases {
            words.text("--phase", Some(phase));
        }
        for hook in only {
            words.text("--only", Some(hook));
        }
        words.path("--commit-file", commit_file.as_deref());
        words.0.extend(flags(&[
            (selectors.from_env, "--from-env"),
            (selectors.ignore_marker, "--ignore-marker"),
            (selectors.accept_moved_tag, "--accept-moved-tag"),
        ]));
        Self {
            run: Vec::new(),
            selectors: words.0,
            tag: option("--tag", selectors.tag.as_deref()),
            environment: option("--env-name", selectors.env_name.as_deref().filter(|name| *name != DEFAULT_ENVIRONMENT)),
            state: Words::of_path("--state", state.as_deref()),
            cache: Words::of_path("--cache", cache.as_deref()),
            diffs: false,
            shows: false,
            watches: false,
        }
    }
}

fn flags(all: &[(bool, &str)]) -> Vec<String> {
    all.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()).collect()
}

/// An option and its value, quoted; nothing without one.
pub fn option(name: &str, value: Option<&str>) -> Vec<String> {
    value.map(|value| vec![name.to_owned(), quoted(value)]).unwrap_or_default()
}

/// A word as a shell has to read it.
fn quoted(word: &str) -> String {
    shell_words::quote(word).into_owned()
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn of_path(name: &str, path: Option<&Path>) -> Vec<String> {
        option(name, path.map(Path::to_string_lossy).as_deref())
    }

    fn path(&mut self, name: &str, path: Option<&Path>) {
        self.0.extend(Self::of_path(name, path));
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.0.extend(option(name, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_is_named_instead_of_where_nothing_lies() {
        let given = |words: &[&str]| Given { selectors: words.iter().map(|word| (*word).to_owned()).collect(), ..Given::default() };
        let elsewhere = |words| given(words).in_dir(Path::new("/srv/my app")).selectors;
        assert_eq!(elsewhere(&[]), ["-C", "'/srv/my app'"]);
        assert_eq!(elsewhere(&["-C", "nowhere", "--app", "shop"]), ["-C", "'/srv/my app'", "--app", "shop"]);
    }

    #[test]
    fn an_environment_that_is_meant_anyway_is_not_named() {
        let given = |name: Option<&str>| Given { environment: option("--env-name", name), ..Given::default() };
        let typed = |name, known| given(name).command(&["status"], None, known)[2..].to_vec();
        for given in [None, Some("prod")] {
            assert_eq!(typed(given, Some("default")), [""; 0], "what is known counts, whatever was given");
            assert_eq!(typed(given, Some("stage")), ["--env-name", "stage"]);
        }
        assert_eq!(typed(Some("prod"), None), ["--env-name", "prod"]);
        let called = ["wasmhook", "status", "--env-name", "default"];
        assert_eq!(Given::by(&crate::args::Cli::read(&called.map(Into::into)).unwrap().command).environment, [""; 0]);
    }
}
