//! The built-in profiles, and the schema of all profiles.

use super::*;
use crate::document::agree::{agree, validate};
use std::collections::BTreeSet;

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
    assert_eq!(builtin("heroku"), None);
    let name = crate::diagnostic::Located::nowhere("tenant-updrage".to_owned());
    assert!(unknown(&name).help.unwrap().contains("did you mean `tenant-upgrade`?"));
}

#[test]
fn what_is_said_of_watching_is_looked_at() {
    let text = builtin_text("commit-sync").unwrap();
    assert_eq!(builtin("commit-sync").unwrap().watch.interval.as_deref(), Some("30s"), "A12, S4.33");
    let cases = [
        ("interval = \"30s\"", "interval = \"soon\"", "`interval`: "),
        ("interval = \"30s\"", "interval = \"0\"", "`interval` is longer than nothing"),
        ("interval = \"30s\"", "backoff = \"0s\"", "`backoff` is longer than nothing"),
        ("interval = \"30s\"", "fetch_timeout = \"x\"", "`fetch_timeout`: "),
        ("interval = \"30s\"", "every = \"30s\"", "`[watch]` has no key `every`"),
        ("env = \"app\"", "env = \"app\"\ncommit_file = \"tmp/commit\"", "`commit_file` is the absolute path of a file"),
        ("{seconds}s before", "{minutes}s before", "knows app, environment, tag, commit, seconds"),
    ];
    for (good, bad, message) in cases {
        assert!(text.contains(good), "{good}");
        let found = Profile::parse("own.toml", &text.replacen(good, bad, 1)).unwrap_err();
        assert!(found.iter().any(|found| found.message.contains(message)), "{bad}: {found:?}");
    }
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
    agree::<CommandRules>();
    agree::<ForbiddenPrefix>();
    agree::<Prompt>();
    agree::<DefaultHook>();
    agree::<Alias>();
    agree::<RunDialect>();
    agree::<PhaseDialect>();
}

#[test]
fn builtins_keep_to_the_schema_and_misspelt_ones_do_not() {
    let schema = json_schema();
    for name in BUILTIN_NAMES {
        let text = builtin_text(name).unwrap();
        assert_eq!(validate(&schema, &json(text)), Ok(()), "{name}");
        for (right, wrong) in
            [("on_locked", "on_lock"), ("kind = \"host\"", "kind = \"hots\""), ("title", "tilte"), ("makes_live", "make_live")]
        {
            let text = text.replace(right, wrong);
            assert!(validate(&schema, &json(&text)).is_err(), "{name}: {wrong}");
            assert!(Profile::parse(name, &text).is_err(), "{name}: {wrong}");
        }
    }
}

/// What a phase does in a bad case: its name, `on_failure`, `on_timeout`, gate, scope.
fn phases(profile: &str) -> Vec<(String, OnFailure, OnTimeout, Gate, Scope)> {
    let profile = builtin(profile).unwrap();
    profile.phases().map(|(name, p)| (name.to_string(), p.on_failure, p.on_timeout, p.gate, p.scope)).collect()
}

fn steps(profile: &str) -> Vec<String> {
    builtin(profile).unwrap().steps.iter().map(|step| step.name.to_string()).collect()
}

fn timeout(profile: &str, phase: &str) -> String {
    let profile = builtin(profile).unwrap();
    let (_, policy) = profile.phases().find(|(name, _)| name.as_str() == phase).unwrap();
    policy.limits.timeout.clone().or(profile.limits.timeout.clone()).unwrap()
}

/// S1.1–S1.3, S1.5, S1.12: three hook points, the build before the release, and the command before the release.
#[test]
fn s1_1_s1_2_s1_3_three_hook_points_around_build_and_release() {
    assert_eq!(steps("blueking"), ["pre-build", "build", "post-build", "pre-release", "release"]);
    let strict = |name: &str| (name.to_owned(), OnFailure::Abort, OnTimeout::Fail, Gate::None, Scope::One);
    assert_eq!(phases("blueking"), ["pre-build", "post-build", "pre-release"].map(strict), "S1.36: strict; S1.39: at every deployment");
    let profile = builtin("blueking").unwrap();
    assert_eq!((profile.on_locked, profile.env, profile.cwd), (OnLocked::Fail, EnvPolicy::App, Cwd::Root), "S1.6, S1.16, S1.27");
}

#[test]
fn s1_4_an_image_has_no_build() {
    assert_eq!(steps("blueking-image"), ["pre-release", "release"]);
    let [source, image] = ["blueking", "blueking-image"].map(|name| builtin(name).unwrap());
    assert_eq!(
        (&source.commands, &source.limits, source.on_locked),
        (&image.commands, &image.limits, image.on_locked),
        "the same rules hold"
    );
}

#[test]
fn s1_37_a6_a30_the_pre_release_command_has_thirty_minutes() {
    assert_eq!(timeout("blueking", "pre-release"), "30m");
}

#[test]
fn s2_3_s2_6_release_commands_stand_between_build_and_switch() {
    assert_eq!(steps("divio"), ["build", "release", "check", "switch", "on-success", "on-failure"]);
    assert_eq!(
        phases("divio")[0],
        ("release".to_owned(), OnFailure::Abort, OnTimeout::Fail, Gate::None, Scope::One),
        "S2.15, S2.23, S2.30"
    );
    let profile = builtin("divio").unwrap();
    assert_eq!((profile.on_locked, profile.default_phase.as_ref().map(StepName::as_str)), (OnLocked::Wait, Some("release")));
}

#[test]
fn s2_22_a35_thirty_minutes_hold_for_each_command() {
    assert_eq!(timeout("divio", "release"), "30m");
}

#[test]
fn s4_1_s4_7_s4_8_pre_is_strict_and_post_is_lenient() {
    let job = |name: &str, policy, timeout| (name.to_owned(), policy, timeout, Gate::CommitChanged, Scope::One);
    let expected = [job("pre-deploy", OnFailure::Abort, OnTimeout::Fail), job("post-deploy", OnFailure::Warn, OnTimeout::Warn)];
    assert_eq!(phases("commit-sync")[..2], expected);
    let profile = builtin("commit-sync").unwrap();
    assert_eq!((profile.on_locked, profile.on_unknown), (OnLocked::Skip, OnUnknown::Rerun), "S4.27, S4.79");
    assert_eq!((profile.cwd, profile.env), (Cwd::Folder, EnvPolicy::App), "S4.14, A34");
    let background: Vec<_> = profile.phases().map(|(_, policy)| policy.background).collect();
    assert_eq!(background, [Background::No, Background::AtStart, Background::No], "S4.2: at the initial start only");
}

#[test]
fn s4_16_s4_20_a_job_has_300_seconds() {
    assert_eq!([timeout("commit-sync", "pre-deploy"), timeout("commit-sync", "post-deploy")], ["300s", "300s"]);
}

/// S5.1, S5.4, S5.6, S5.8, S5.11, S5.18, S5.21, S5.24, S5.30, S5.44, S5.46.
#[test]
fn s5_1_s5_4_s5_6_s5_8_s5_11_s5_18_s5_21_s5_46_build_phases_then_deploy_phases_around_the_routing() {
    let expected = [
        "clone",
        "before_exec",
        "exec",
        "after_exec",
        "push",
        "before_deploy",
        "before_deploy_all",
        "route",
        "after_deploy",
        "after_deploy_all",
    ];
    assert_eq!(steps("pagoda"), expected);
    let build = |name: &str| (name.to_owned(), OnFailure::Abort, OnTimeout::Fail, Gate::None, Scope::One);
    let deploy = |name: &str, scope| (name.to_owned(), OnFailure::Continue, OnTimeout::Pass, Gate::None, scope);
    let all = phases("pagoda");
    assert_eq!(all[..3], ["before_exec", "exec", "after_exec"].map(build), "S5.16, S5.43");
    let scoped =
        [("before_deploy", Scope::One), ("before_deploy_all", Scope::All), ("after_deploy", Scope::One), ("after_deploy_all", Scope::All)];
    assert_eq!(all[3..], scoped.map(|(name, scope)| deploy(name, scope)), "S5.23, S5.27, S5.28, S5.32, S5.35, S5.51");
}

#[test]
fn s5_50_build_and_deploy_hooks_have_limits_that_the_platform_never_named() {
    assert_eq!([timeout("pagoda", "exec"), timeout("pagoda", "before_deploy")], ["600s", "3600s"]);
    let profile = builtin("pagoda").unwrap();
    assert!(profile.phases().all(|(_, policy)| policy.warn_default_timeout));
}

#[test]
fn s5_38_hooks_run_from_the_root() {
    assert_eq!(builtin("pagoda").unwrap().cwd, Cwd::Root);
}

/// The versions that the five profiles make live, and when.
#[test]
fn each_profile_says_which_step_makes_a_version_live() {
    for (name, step) in
        [("blueking", "release"), ("blueking-image", "release"), ("divio", "switch"), ("commit-sync", "start"), ("pagoda", "route")]
    {
        let live: Vec<_> =
            builtin(name).unwrap().host_steps().filter(|(_, policy)| policy.makes_live).map(|(name, _)| name.to_string()).collect();
        assert_eq!(live, [step], "{name}");
    }
}

#[test]
fn a6_a29_blueking_gives_a_command_five_minutes_to_start_and_replaces_a_run_after_fifteen() {
    let blueking = builtin("blueking").unwrap();
    assert_eq!(blueking.stale_after(), Some(Duration::from_mins(15)));
    let start = |name: &str| blueking.phases().find(|(phase, _)| phase.as_str() == name).and_then(|(_, policy)| policy.start_timeout());
    assert_eq!((start("pre-release"), start("pre-build")), (Some(Duration::from_mins(5)), None));
    for other in BUILTIN_NAMES.iter().filter(|name| **name != "blueking") {
        assert_eq!(builtin(other).unwrap().stale_after(), None, "{other}: only where the profile says so");
    }
}

/// Words in backticks that stand in no brackets: those are keys, and what stands in brackets says what they mean.
fn keys(text: &str) -> BTreeSet<&str> {
    let outside =
        text.split('(').enumerate().map(|(index, part)| if index == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) });
    outside.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The text of the document from `begin` to the next empty line.
fn paragraph(begin: &str) -> &'static str {
    const DOCUMENT: &str = include_str!("../../docs/profiles.md");
    let (_, rest) = DOCUMENT.split_once(begin).unwrap_or_else(|| panic!("the document has {begin:?}"));
    rest.split("\n\n").next().unwrap_or_default()
}

#[test]
fn the_document_names_every_key_and_no_other() {
    let schema = json_schema();
    let names = |of: &serde_json::Value| of["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let table = |row: &str| paragraph(&format!("\n| `{row}` | ")).split(" |\n").next().unwrap_or_default();
    let mut all = keys(paragraph("The profile itself has "));
    for (row, definition) in [
        ("[limits]", "ProfileLimits"),
        ("[commands]", "CommandRules"),
        ("[discovery]", "Discovery"),
        ("[[alias]]", "Alias"),
        ("[[default_hook]]", "DefaultHook"),
        ("[watch]", "ProfileWatch"),
        ("[dialect]", "RunDialect"),
    ] {
        let expected = names(&schema["$defs"][definition]);
        assert_eq!(keys(table(row)), expected.iter().map(String::as_str).collect(), "{row}");
        all.insert(row.trim_matches(['[', ']']));
    }
    all.insert("step");
    assert_eq!(all, names(&schema).iter().map(String::as_str).collect());
    let step = &schema["$defs"]["ProfileStep"];
    let mut common = names(step);
    common.insert("kind".to_owned());
    assert_eq!(keys(table("[[step]]")), common.iter().map(String::as_str).collect());
    for (begin, index) in [("\nA phase has ", 0), ("\nA host step, ", 1), ("A fact, ", 2)] {
        let expected = names(&step["oneOf"][index]);
        let written = paragraph(begin).split(" A fact, ").next().unwrap_or_default();
        assert_eq!(keys(written), expected.iter().map(String::as_str).filter(|key| *key != "kind").collect(), "{begin}");
    }
}
