//! What a watch goes by: what was asked for, what the environment says, what the profile says.

use super::*;
use crate::model::id::EnvironmentName;
use std::fs;

const SECOND: Duration = Duration::from_secs(1);

/// A directory whose profile says this of watching.
fn project(words: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let step = "[[step]]\nname = \"serve\"\nkind = \"host\"\nmakes_live = true\n";
    let head = "schema = 1\nname = \"own\"\ndescription = \"x\"\non_locked = \"skip\"\non_unknown = \"rerun\"\ndefault_mode = \"write\"\n";
    fs::write(dir.path().join("own.toml"), format!("{head}{words}\n{step}")).unwrap();
    fs::write(dir.path().join("wasmhook.toml"), "schema = 1\napp = \"shop\"\nprofile = \"./own.toml\"\n").unwrap();
    dir
}

fn watch(dir: &tempfile::TempDir) -> Watch {
    Watch::new(Request::new(dir.path(), EnvironmentName::new("prod").unwrap()))
}

fn plan(watch: &Watch) -> Result<Plan, Error> {
    Plan::of(watch, &watch.request)
}

#[test]
fn s4_33_a12_the_profile_says_how_often_unless_somebody_else_does() {
    let words = "[watch]\ninterval = \"45s\"\ninterval_variable = \"EVERY\"\nbackoff = \"9m\"\nfetch_timeout = \"7s\"";
    let dir = project(words);
    let said = plan(&watch(&dir)).unwrap();
    assert_eq!((said.spec.interval, said.spec.longest_sleep, said.place.deadline), (45 * SECOND, Some(540 * SECOND), 7 * SECOND));
    assert_eq!(said.start.as_ref().map(StepName::as_str), Some("serve"), "where the version is live, whatever that is called");

    let mut asked = watch(&dir);
    asked.request.env.insert("EVERY".to_owned(), "15".to_owned());
    assert_eq!(plan(&asked).unwrap().spec.interval, 15 * SECOND);
    (asked.interval, asked.backoff, asked.fetch_timeout) = (Some(SECOND), Some(2 * SECOND), Some(3 * SECOND));
    let said = plan(&asked).unwrap();
    assert_eq!((said.spec.interval, said.spec.longest_sleep, said.place.deadline), (SECOND, Some(2 * SECOND), 3 * SECOND));

    let silent = plan(&watch(&project(""))).unwrap();
    assert_eq!((silent.spec.interval, silent.spec.longest_sleep, silent.place.deadline), (INTERVAL, None, FETCH_TIMEOUT));
}

#[test]
fn a_variable_that_is_no_time_is_named() {
    for (value, why) in [("often", "EVERY: `often` is not a duration"), ("0", "EVERY: it is longer than nothing")] {
        let dir = project("[watch]\ninterval_variable = \"EVERY\"");
        let mut watch = watch(&dir);
        watch.request.env.insert("EVERY".to_owned(), value.to_owned());
        let error = plan(&watch).err().unwrap().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_manifest_that_can_not_be_read_may_be_mended_by_the_next_commit() {
    let dir = project("");
    fs::write(dir.path().join("wasmhook.toml"), "no such").unwrap();
    let mut watch = watch(&dir);
    let blind = plan(&watch).unwrap();
    assert_eq!((blind.place.app_dir.as_path(), blind.place.target), (dir.path(), None));
    watch.follow = None;
    assert!(plan(&watch).is_err(), "where nobody brings a next commit, that is all");
    fs::remove_file(dir.path().join("wasmhook.toml")).unwrap();
    watch.follow = Some(Upstream::default());
    assert!(matches!(plan(&watch).err(), Some(Error::Load(LoadError::NoManifest(_)))));
}
