//! The built-in profiles, and the schema of all profiles.

use super::*;
use crate::document::agree::{agree, validate};

fn json(text: &str) -> serde_json::Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

fn tenant() -> Profile {
    builtin("tenant-upgrade").unwrap()
}

#[test]
fn every_builtin_reads_and_has_its_name() {
    for name in BUILTIN_NAMES {
        let read = Profile::parse(name, builtin_text(name).unwrap());
        assert_eq!(read.as_ref().map(|profile| profile.name.as_str()), Ok(*name));
        assert_eq!(builtin(name), read.ok());
    }
    assert_eq!(builtin("pagoda"), None);
    let name = crate::diagnostic::Located::nowhere("tenant-updrage".to_owned());
    assert!(unknown(&name).help.unwrap().contains("did you mean `tenant-upgrade`?"));
}

#[test]
fn the_default_profile_is_what_design_says() {
    let profile = builtin("default").unwrap();
    assert_eq!((profile.on_locked, profile.on_unknown, profile.env), (OnLocked::Wait, OnUnknown::Stop, EnvPolicy::Named));
    assert_eq!((profile.default_mode, &profile.default_phase, &profile.marker), (DirMode::Txn, &None, &None));
    let phases: Vec<_> = profile.phases().map(|(name, policy)| (name.as_str(), policy.on_failure, policy.gate)).collect();
    assert_eq!(phases, [("pre-deploy", OnFailure::Abort, Gate::Once), ("post-deploy", OnFailure::Abort, Gate::Once)]);
    assert_eq!(profile.host_steps().map(|(name, policy)| (name.as_str(), policy.makes_live)).collect::<Vec<_>>(), [("deploy", true)]);
}

#[test]
fn the_tenant_upgrade_has_the_seeds_fourteen_steps_in_order() {
    let kind = |step: &ProfileStep| match &step.kind {
        ProfileStepKind::Phase(_) => "phase",
        ProfileStepKind::Host(_) => "host",
        ProfileStepKind::Fact(_) => "fact",
    };
    let profile = tenant();
    let steps: Vec<_> = profile.steps.iter().map(|step| (step.name.as_str(), kind(step))).collect();
    let expected = [
        ("stop-services", "host"),
        ("backup-database", "host"),
        ("fetch", "fact"),
        ("target", "fact"),
        ("pre-pull", "phase"),
        ("checkout", "host"),
        ("post-pull", "phase"),
        ("install-requirements", "host"),
        ("pre-migrate", "phase"),
        ("migrate", "host"),
        ("post-migrate", "phase"),
        ("update-version", "host"),
        ("start-services", "host"),
        ("health-check", "host"),
    ];
    assert_eq!(steps, expected);
    let flagged = |flag: fn(&HostPolicy) -> bool| {
        profile.host_steps().filter(move |(_, policy)| flag(policy)).map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(flagged(|policy| policy.always), ["start-services"], "S3.59");
    assert_eq!(flagged(|policy| policy.makes_live), ["update-version"], "S3.22");
    assert_eq!(flagged(|policy| policy.left_half_way.is_some()), ["checkout"], "S3.69");
    assert!(profile.phases().all(|(_, policy)| policy.on_failure == OnFailure::Abort && policy.gate == Gate::Once), "S3.57");
    assert_eq!(profile.default_phase.as_ref().map(StepName::as_str), Some("post-pull"), "S3.4");
    assert_eq!((profile.on_unknown, profile.target, profile.default_mode), (OnUnknown::Rerun, Target::NewestTag, DirMode::Write));
    assert_eq!(profile.marker.as_deref(), Some(".release-{tag}-done"), "S3.35");
}

/// S3.51: a plain success with one hook says these lines and no others.
#[test]
fn s3_51_details_of_a_plain_success() {
    let mut details = Vec::new();
    for step in tenant().steps {
        let (hooks, lines) = match &step.kind {
            ProfileStepKind::Host(policy) => (1, policy.lines.clone()),
            ProfileStepKind::Phase(policy) => (usize::from(step.name.as_str() == "post-pull"), policy.lines.clone()),
            ProfileStepKind::Fact(_) => continue,
        };
        let title = match &step.kind {
            ProfileStepKind::Phase(policy) => policy.title.clone(),
            _ => String::new(),
        };
        let fill = |line: String| line.replace("{title}", &title).replace("{file}", "v0.3.28.sh").replace("{migrations}", "1");
        details.extend((0..hooks).flat_map(|_| [lines.begin.clone(), lines.done.clone()]).flatten().map(fill));
    }
    let expected = [
        "Stopping services...",
        "Services stopped",
        "Backing up database...",
        "Post-pull hook OK: v0.3.28.sh",
        "Running migrations...",
        "Ran 1 migrations",
        "Starting services...",
        "Health check passed",
    ];
    assert_eq!(details, expected);
}

#[test]
fn reader_and_schema_know_the_same_keys() {
    agree::<Profile>();
    agree::<ProfileLimits>();
    agree::<Discovery>();
    agree::<DiscoveredDir>();
    agree::<PhasePolicy>();
    agree::<HostPolicy>();
    agree::<FactPolicy>();
    agree::<Lines>();
}

#[test]
fn builtins_keep_to_the_schema_and_misspelt_ones_do_not() {
    let schema = json_schema();
    for name in BUILTIN_NAMES {
        let text = builtin_text(name).unwrap();
        assert_eq!(validate(&schema, &json(text)), Ok(()), "{name}");
        for (right, wrong) in
            [("on_locked", "on_lock"), ("kind = \"host\"", "kind = \"hots\""), ("gate", "gaet"), ("makes_live", "make_live")]
        {
            let text = text.replace(right, wrong);
            assert!(validate(&schema, &json(&text)).is_err(), "{name}: {wrong}");
            assert!(Profile::parse(name, &text).is_err(), "{name}: {wrong}");
        }
    }
}
