//! From what was written to what is planned, on manifests as people write them.

use super::grants::Roots;
use super::order::Instance;
use super::*;
use crate::manifest::{self, Manifest, PolicyDecl};
use crate::model::grant::{Capability, DirMode, EnvSource};
use crate::model::id::{InstanceName, SourceName};
use crate::model::tree::{Listed, Listing};
use crate::profile::{self, Profile};
use std::collections::{BTreeMap, BTreeSet};

/// A plan's world; tests change what they are about.
struct World {
    manifest: Manifest,
    profile: Profile,
    policy: PolicyDecl,
    one_file: bool,
    files: BTreeMap<String, FileFact>,
    sources: BTreeMap<SourceName, SourceFact>,
    app_env: BTreeSet<String>,
    instances: Vec<Instance>,
    selection: Selection,
    copies_scripts: bool,
    at_start: bool,
}

fn world(hooks: &str) -> World {
    let (manifest, problems) = manifest::parse("wasmhook.toml", &format!("schema = 1\napp = \"shop\"\n{hooks}"));
    assert_eq!(problems, []);
    let module = FileFact::Present { digest: Digest::of(b"module"), unsupported: None };
    World {
        manifest,
        profile: profile::builtin("default").unwrap(),
        policy: PolicyDecl::default(),
        one_file: true,
        files: BTreeMap::from([("h.wasm".to_owned(), module)]),
        sources: BTreeMap::new(),
        app_env: ["API_URL", "DB_URL"].map(str::to_owned).into(),
        instances: Vec::new(),
        selection: Selection::default(),
        copies_scripts: false,
        at_start: false,
    }
}

impl World {
    fn policy(mut self, text: &str) -> Self {
        let (file, problems) = manifest::parse_policy("policy.toml", &format!("schema = 1\n{text}"));
        assert_eq!(problems, []);
        self.policy = file.policy.map(|at| at.value).unwrap_or_default();
        self.one_file = false;
        self
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        resolve(&Given {
            manifest: &self.manifest,
            profile: &self.profile,
            policy: &self.policy,
            host_steps: &self.manifest.host_steps,
            one_file: self.one_file,
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("prod").unwrap(),
            tag: Tag::new("v2").ok(),
            commit: None,
            previous_version: Some("v1".to_owned()),
            roots: Roots { app_dir: "/srv/shop", data_dir: "/srv/shop/db" },
            app_env: &self.app_env,
            files: &self.files,
            sources: &self.sources,
            copies_scripts: self.copies_scripts,
            facts: &BTreeMap::new(),
            instances: &self.instances,
            selection: &self.selection,
            at_start: self.at_start,
            steps_in_code: &[],
            notices: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn hooks(&self) -> Vec<PlanHook> {
        let steps = self.plan().unwrap().steps;
        steps
            .into_iter()
            .filter_map(|step| if let PlanStepKind::Phase { hooks, .. } = step.kind { Some(hooks) } else { None })
            .flatten()
            .collect()
    }

    fn denials(&self) -> Vec<crate::model::grant::Denial> {
        match self.plan() {
            Err(PlanError::Denied(denials)) => denials.into_iter().map(|(_, denial)| denial).collect(),
            other => panic!("not denied: {other:?}"),
        }
    }
}

const HOOK: &str = "[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"h.wasm\"\n";

#[test]
fn directories_are_found_from_the_roots_and_keep_their_path_inside() {
    let dirs = r#"dirs = [{ path = "$DATA_DIR/x", mode = "write" }, { path = "static", mode = "read", guest = "/s" }, { path = "/etc/app", mode = "read" }]"#;
    let hook = world(&format!("{HOOK}{dirs}")).hooks().remove(0);
    let shown: Vec<_> = hook.grants.dirs.iter().map(|dir| (dir.host.as_deref().unwrap(), dir.guest.as_str(), dir.mode)).collect();
    assert_eq!(
        shown,
        [
            ("/srv/shop/db/x", "/srv/shop/db/x", DirMode::Write),
            ("/srv/shop/static", "/s", DirMode::Read),
            ("/etc/app", "/etc/app", DirMode::Read)
        ]
    );
}

#[test]
fn s4_67_a_hook_waits_on_this_machine_or_where_the_policy_allows() {
    let waits = |address: &str| world(&format!("{HOOK}wait_for = \"{address}\"\nwait_timeout = \"90s\""));
    let hook = waits("http://localhost:8000/healthz").hooks().remove(0);
    let wait = hook.wait_for.clone().unwrap();
    assert_eq!((wait.to_string().as_str(), wait.anywhere), ("http://localhost:8000/healthz (at most 1m30s)", false));
    assert!(hook.gets_ready());
    let denials = waits("tcp://db:5432").denials();
    assert_eq!((denials[0].capability, denials[0].allow.as_str()), (Capability::Net, "[policy] wait_for = [\"db:5432\"]"));
    for (allowed, target) in [("db:5432", "tcp://db:5432"), ("DB:*", "http://db:1/x"), ("[fe80::1]:9", "tcp://[fe80::1]:9")] {
        let hook = waits(target).policy(&format!("[policy]\nwait_for = [\"{allowed}\"]")).hooks().remove(0);
        assert!(hook.wait_for.unwrap().anywhere, "{allowed}");
    }
    assert_eq!(waits("tcp://db:5433").policy("[policy]\nwait_for = [\"db:5432\"]").denials().len(), 1);
}

fn irreversible(lines: &str) -> World {
    world(&format!("{HOOK}effects = [\"db\"]\n{lines}"))
}

#[test]
fn s5_41_a_plan_knows_what_is_irreversible_and_an_operator_can_demand_a_backup() {
    let hook = irreversible("").hooks().remove(0);
    assert!(hook.is_irreversible() && hook.backup.is_none());
    let denials = irreversible("").policy("[policy]\nrequire_backup = true").denials();
    assert_eq!(denials[0].capability, Capability::Effect);
    assert!(denials[0].what.contains("(effects: db)") && denials[0].allow.starts_with("backup = "), "{denials:?}");
    let demanded = "[policy]\nrequire_backup = true\nbackup_dir = \"/var/backups/hooks\"\nbackup_keep = 3";
    let hook = irreversible("backup = [\"$DATA_DIR\"]").policy(demanded).hooks().remove(0);
    let expected = crate::model::backup::BackupPlan { dirs: vec!["/srv/shop/db".into()], into: Some("/var/backups/hooks".into()), keep: 3 };
    assert_eq!(hook.backup, Some(expected));
    let mut unselected = irreversible("").policy("[policy]\nrequire_backup = true");
    unselected.selection.only = vec![HookId::new("other").unwrap()];
    assert!(!matches!(unselected.plan(), Err(PlanError::Denied(_))), "what doesn't run needs none");
    assert!(!world(HOOK).policy("[policy]\nrequire_backup = true").hooks()[0].is_irreversible());
}

#[test]
fn a_backup_is_of_the_applications_directories_or_of_granted_ones_and_under_the_policy() {
    let elsewhere = world(&format!("{HOOK}backup = [\"/etc\"]")).denials();
    assert!(elsewhere[0].what.starts_with("backup of /etc: "), "{elsewhere:?}");
    let granted = format!("{HOOK}dirs = [{{ path = \"/var/lib/db\", mode = \"read\" }}]\nbackup = [\"/var/lib/db/main\"]");
    assert_eq!(world(&granted).hooks()[0].backup.as_ref().unwrap().dirs, ["/var/lib/db/main"]);
    let uncovered =
        world(&format!("{HOOK}backup = [\"$APP_DIR\"]")).policy("[policy]\ndirs = [{ path = \"$DATA_DIR\", mode = \"read\" }]").denials();
    assert_eq!(uncovered[0].what, "/srv/shop (read) is not covered by the policy");
}

#[test]
fn s3_38_a_directory_of_another_deployment_is_granted_where_it_lies() {
    let hook = world(&format!("{HOOK}dirs = [{{ path = \"$APP_DIR/../other/static\", mode = \"write\" }}]")).hooks().remove(0);
    assert_eq!(hook.grants.dirs[0].host.as_deref(), Some("/srv/other/static"));
}

#[test]
fn a_hook_gets_the_engines_variables_and_of_the_app_environment_what_it_names() {
    let hook = world(&format!("{HOOK}env = [\"API_URL\"]\nset = {{ MODE = \"fast\" }}")).hooks().remove(0);
    let source = |name: &str| hook.grants.env.iter().find(|env| env.name == name).map(|env| env.source.clone());
    let value = |value: &str| Some(EnvSource::Value { value: value.to_owned() });
    assert_eq!((source("DEPLOY_TAG"), source("DEPLOY_ENV")), (value("v2"), value("prod")));
    assert_eq!((source("APP_DIR"), source("DATA_DIR")), (value("/srv/shop"), value("/srv/shop/db")));
    assert_eq!((source("API_URL"), source("DB_URL"), source("MODE")), (Some(EnvSource::App), None, value("fast")));
}

#[test]
fn what_goes_beyond_the_policy_is_refused_with_the_line_that_would_allow_it() {
    let world = world(&format!("{HOOK}dirs = [{{ path = \"$DATA_DIR\", mode = \"write\" }}, {{ path = \"/etc\", mode = \"read\" }}]\nenv = [\"API_URL\", \"DB_URL\"]"))
        .policy("[policy]\ndirs = [{ path = \"$APP_DIR\", mode = \"read\" }]\nenv = [\"API_*\"]");
    let denials = world.denials();
    let shown: Vec<_> = denials.iter().map(|denial| (denial.capability, denial.allow.as_str())).collect();
    assert_eq!(
        shown,
        [
            (Capability::Dir, "[policy] dirs = [{ path = \"/srv/shop/db\", mode = \"write\" }]"),
            (Capability::Dir, "[policy] dirs = [{ path = \"/etc\", mode = \"read\" }]"),
            (Capability::Env, "[policy] env = [\"DB_URL\"]"),
        ]
    );
}

#[test]
fn a_wider_policy_grants_what_was_asked_and_no_more() {
    let world = world(&format!("{HOOK}dirs = [{{ path = \"$DATA_DIR\", mode = \"read\" }}]"))
        .policy("[policy]\ndirs = [{ path = \"/srv\", mode = \"write\" }]");
    assert_eq!(world.hooks()[0].grants.dirs[0].mode, DirMode::Read);
}

#[test]
fn a_directory_beside_an_allowed_one_is_not_allowed() {
    let world = world(&format!("{HOOK}dirs = [{{ path = \"/srv/shop-secret\", mode = \"read\" }}]"))
        .policy("[policy]\ndirs = [{ path = \"/srv/shop\", mode = \"write\" }]");
    assert_eq!(world.denials().len(), 1, "a prefix of the text is no parent");
}

#[test]
fn a_lowered_limit_is_said() {
    let plan = world(&format!("{HOOK}timeout = \"1h\"")).policy("[policy]\ntimeout = \"1m\"").plan().unwrap();
    assert_eq!(plan.notices[0].code, "limit-lowered");
    let hook = world(&format!("{HOOK}timeout = \"1h\"")).policy("[policy]\ntimeout = \"1m\"").hooks().remove(0);
    assert_eq!(hook.limits.timeout_ms, Some(60_000));
}

#[test]
fn an_unconfined_hook_needs_the_operators_word_in_a_policy_of_its_own() {
    let native = "[[hook]]\nid = \"n\"\nphase = \"pre-deploy\"\nrun = [\"true\"]\nsandbox = \"none\"\n";
    assert_eq!(world(native).policy("").denials()[0].allow, "[policy] sandbox = \"none\"");
    let allowed = world(native).policy("[policy]\nsandbox = \"none\"").plan().unwrap();
    assert_eq!(allowed.warnings[0].code, "unconfined");
    assert_eq!(world(native).plan().unwrap().warnings[0].code, "unconfined", "one file serves both, and says so");
}

#[test]
fn s5_38_on_an_instance_a_command_starts_in_the_root_of_its_code() {
    let mut world = world(
        "[services.web]\n[[hook]]\nid = \"n\"\nphase = \"before_deploy\"\nservice = \"web\"\nrun = \"ls\"\ncwd = \"scripts\"\nrevert = { run = \"ls\" }\n",
    );
    world.profile = profile::builtin("pagoda").unwrap();
    world.instances = vec![Instance { service: None, name: InstanceName::new("a").unwrap(), dir: "/srv/a".to_owned() }];
    let hook = world.hooks().remove(0);
    let cwd = |guest: &PlanGuest| if let PlanGuest::Native { cwd, .. } = guest { cwd.clone() } else { panic!("{guest:?}") };
    assert_eq!((cwd(&hook.guest).as_str(), hook.grants.dirs[0].host.as_deref()), ("/srv/a/scripts", Some("/srv/a")));
    assert_eq!(cwd(&hook.revert.unwrap().guest), "/srv/a/scripts");
}

const NATIVE: &str = "[[hook]]\nid = \"n\"\nphase = \"pre-deploy\"\nrun = [\"ruby\"]\n";

#[test]
fn s4_64_what_outlives_the_run_needs_the_operators_word_and_directories_that_last() {
    let detached = |dirs: &str| world(&format!("{NATIVE}detach = true\ndirs = [{dirs}]"));
    let live = "{ path = \"work\", mode = \"write\" }, { path = \"code\", mode = \"read\" }";
    let is_detached = |world: World| matches!(world.hooks()[0].guest, PlanGuest::Native { detach: true, .. });
    assert!(is_detached(detached(live)), "one file serves both");
    assert!(is_detached(detached(live).policy("[policy]\ndetach = true")));
    assert_eq!(detached(live).policy("").denials()[0].allow, "[policy] detach = true");
    for staged in
        ["{ path = \"work\", mode = \"txn\" }", "{ path = \"work\", mode = \"discard\" }", "{ guest = \"/w\", mode = \"scratch\" }"]
    {
        assert_eq!(invalid(&detached(staged)), ["detached-stage"], "{staged}");
    }
    assert!(world(NATIVE).policy("").plan().is_ok());
    let sibling = world(&format!("{NATIVE}detach = true\nverify = {{ run = \"true\" }}")).hooks().remove(0).verify.unwrap();
    assert!(matches!(sibling.guest, PlanGuest::Native { detach: false, .. }));
}

#[test]
fn native_hooks_find_the_operators_programs_first_and_may_run_them() {
    let policy = "[policy]\nprograms = [\"/opt/ruby/bin\", \"$APP_DIR/bin\"]\ndirs = [{ path = \"$APP_DIR\", mode = \"write\" }]";
    let path = |hook: &PlanHook| hook.grants.env.iter().find(|env| env.name == "PATH").map(|env| env.source.clone());
    let dirs = |hook: &PlanHook| hook.grants.dirs.iter().map(|dir| (dir.host.clone().unwrap(), dir.mode)).collect::<Vec<_>>();
    let read = |dir: &str| (dir.to_owned(), DirMode::Read);
    let hook = world(NATIVE).policy(policy).hooks().remove(0);
    assert_eq!(dirs(&hook), [read("/opt/ruby/bin"), read("/srv/shop/bin")], "no ceiling of the policy is held against its own word");
    let value = format!("/opt/ruby/bin:/srv/shop/bin:{}", crate::model::job::DEFAULT_PATH);
    assert_eq!(path(&hook), Some(EnvSource::Value { value }));
    let granted = world(&format!("{NATIVE}dirs = [{{ path = \".\", mode = \"write\" }}]")).policy(policy).hooks().remove(0);
    assert_eq!(dirs(&granted), [("/srv/shop".to_owned(), DirMode::Write), read("/opt/ruby/bin")], "what is reached already isn't narrowed");
    let moved = world(&format!("{NATIVE}dirs = [{{ path = \".\", guest = \"/mnt\", mode = \"write\" }}]")).policy(policy).hooks().remove(0);
    assert_eq!(
        dirs(&moved)[1..],
        [read("/opt/ruby/bin"), read("/srv/shop/bin")],
        "it isn't found where PATH says, unless it is granted there"
    );
    let own = world(&format!("{NATIVE}set = {{ PATH = \"/usr/bin\" }}")).policy(policy).hooks().remove(0);
    assert_eq!(path(&own), Some(EnvSource::Value { value: "/usr/bin".to_owned() }));
    let wasm = world(HOOK).policy(policy).hooks().remove(0);
    assert_eq!((path(&wasm), dirs(&wasm)), (None, Vec::new()), "a guest runs no programs");
    assert_eq!(hook.digest, world(NATIVE).policy("").hooks()[0].digest, "where programs lie says nothing about the hook");
}

const WITH_FALLBACK: &str =
    "[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"h.wasm\"\nfallback = { run = [\"sh\", \"h.sh\"], when = \"WHEN\" }\n";

fn with_fallback(when: &str, file: Option<FileFact>) -> PlanHook {
    let mut world = world(&WITH_FALLBACK.replace("WHEN", when));
    world.files = file.map(|fact| ("h.wasm".to_owned(), fact)).into_iter().collect();
    world.hooks().remove(0)
}

#[test]
fn a_fallback_runs_only_where_it_was_declared_to_and_says_why() {
    let present = || FileFact::Present { digest: Digest::of(b"m"), unsupported: None };
    let unsupported = || FileFact::Present { digest: Digest::of(b"m"), unsupported: Some("it needs a::b".to_owned()) };
    for (when, file, runs) in [
        ("missing", None, GuestKind::Native),
        ("missing", Some(present()), GuestKind::Wasm),
        ("missing", Some(unsupported()), GuestKind::Wasm),
        ("unsupported", Some(unsupported()), GuestKind::Native),
        ("unsupported", Some(present()), GuestKind::Wasm),
        ("always", Some(present()), GuestKind::Native),
    ] {
        let hook = with_fallback(when, file.clone());
        assert_eq!(hook.guest.kind(), runs, "{when}, {file:?}");
        assert_eq!(hook.fallback.is_some(), runs == GuestKind::Native, "{when}: the reason is recorded");
    }
    let broken = with_fallback("missing", Some(FileFact::Unusable { why: "`h.wasm` is a folder, not a regular file".to_owned() }));
    assert!(broken.fallback.is_none() && broken.unusable.is_some(), "what is there and can't be used is no missing module");
}

#[test]
fn a_module_that_is_not_there_is_known_before_it_runs() {
    let mut world = world(HOOK);
    world.files.clear();
    assert!(world.hooks()[0].unusable.as_ref().unwrap().contains("h.wasm"));
}

#[test]
fn scope_all_plans_each_hook_once_for_each_instance_with_its_own_root() {
    let mut world = world(&format!("{HOOK}dirs = [{{ path = \"$APP_DIR\", mode = \"read\" }}]"));
    world.instances =
        ["a", "b"].map(|name| Instance { service: None, name: InstanceName::new(name).unwrap(), dir: format!("/srv/{name}") }).into();
    let first = world.hooks();
    assert_eq!(first.iter().map(|hook| hook.instance.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["a"], "scope one is the first");
    assert_eq!(first[0].grants.dirs[0].host.as_deref(), Some("/srv/a"));
}

#[test]
fn s1_26_arguments_reach_the_plan_as_they_were_written() {
    let hooks = world("[[hook]]\nid = \"n\"\nphase = \"pre-deploy\"\nrun = \"bash -c 'cd backend && python manage.py migrate'\"\n").hooks();
    let PlanGuest::Native { argv, .. } = &hooks[0].guest else { panic!("{hooks:?}") };
    assert_eq!(argv, &["bash", "-c", "cd backend && python manage.py migrate"]);
}

#[test]
fn a_named_hook_that_does_not_exist_is_an_error() {
    let mut world = world(HOOK);
    world.selection.only = vec![HookId::new("ghost").unwrap()];
    world.selection.phases = vec![StepName::new("nowhere").unwrap()];
    let Err(PlanError::Invalid(found)) = world.plan() else { panic!("planned") };
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["unknown-phase", "unknown-hook"]);
}

#[test]
fn an_operators_words_in_braces_are_replaced_in_every_argument() {
    let host = "[host_step.deploy]\nrun = [\"{app_dir}/bin/deploy\", \"{tag}\", \"from {previous_tag} in {environment}\", \"{unknown}\"]\n";
    let plan = world(host).plan().unwrap();
    let command = plan
        .steps
        .iter()
        .find_map(|step| if let PlanStepKind::Host { command, .. } = &step.kind { command.clone() } else { None })
        .unwrap();
    assert_eq!(command.argv, ["/srv/shop/bin/deploy", "v2", "from v1 in prod", "{unknown}"]);
}

#[test]
fn the_digest_of_a_hook_covers_bytes_arguments_and_grants_but_nothing_that_differs_from_run_to_run() {
    let digest = |world: &World| world.hooks()[0].digest.clone();
    let base = digest(&world(HOOK));
    let mut bytes = world(HOOK);
    bytes.files.insert("h.wasm".to_owned(), FileFact::Present { digest: Digest::of(b"other"), unsupported: None });
    assert_ne!(digest(&bytes), base);
    assert_ne!(digest(&world(&format!("{HOOK}args = [\"x\"]"))), base);
    assert_ne!(digest(&world(&format!("{HOOK}dirs = [{{ path = \".\", mode = \"read\" }}]"))), base);
    assert_ne!(digest(&world(&format!("{HOOK}set = {{ A = \"1\" }}"))), base);
    assert_eq!(digest(&world(&format!("{HOOK}timeout = \"9s\""))), base, "a limit is no part of what it is");
}

#[test]
fn a_plan_survives_the_way_through_json_with_its_digest() {
    let plan = world(HOOK).plan().unwrap();
    let back: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!((back.digest(), &back), (plan.digest(), &plan));
    let said = || vec![Notice { code: "target".into(), message: "said \"so\"".into() }];
    for (notices, warnings) in [(vec![], vec![]), (said(), vec![]), (vec![], said()), (said(), said())] {
        let plan = Plan { notices, warnings, ..plan.clone() };
        assert_eq!(plan.written().unwrap(), (serde_json::to_string(&plan).unwrap(), back.digest()));
    }
    assert_eq!(Plan { warnings: vec![Notice { code: "target".into(), message: "said".into() }], ..back.clone() }.digest(), plan.digest());
}

fn under(profile: &str, hook: &str) -> World {
    let mut world = world(hook);
    world.profile = profile::builtin(profile).unwrap();
    world
}

fn invalid(world: &World) -> Vec<&'static str> {
    match world.plan() {
        Err(PlanError::Invalid(found)) => found.iter().map(|found| found.code).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn dirs(hook: &PlanHook) -> Vec<(&str, &str, DirMode)> {
    hook.grants.dirs.iter().map(|dir| (dir.host.as_deref().unwrap(), dir.guest.as_str(), dir.mode)).collect()
}

const APP: &str = "/srv/shop";

/// S1.18, S5.2: build hooks write to the code. S2.4: commands see the application's tree.
#[test]
fn s1_18_s2_4_s5_2_a_native_hook_that_names_no_directory_has_those_of_its_phase() {
    for (profile, phase, mode) in [
        ("blueking", "post-build", DirMode::Write),
        ("divio", "release", DirMode::Discard),
        ("pagoda", "exec", DirMode::Write),
        ("pagoda", "before_deploy", DirMode::Read),
    ] {
        let of = |run: &str| under(profile, &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\n{run}")).hooks().remove(0);
        assert_eq!(dirs(&of("run = 'x'")), [(APP, APP, mode)], "{profile} {phase}");
        assert_eq!(dirs(&of("wasm = 'h.wasm'")), [], "{profile} {phase}: a module has what it asks for");
        let own = of("run = 'x'\ndirs = [{ path = 'static', mode = 'read' }]");
        assert_eq!(dirs(&own), [("/srv/shop/static", "/srv/shop/static", DirMode::Read)], "{profile} {phase}");
    }
}

#[test]
fn s5_39_data_is_the_applications_root() {
    let hook = |lines: &str| under("pagoda", &format!("[[hook]]\nid = 'h'\nphase = 'exec'\n{lines}"));
    let wasm = hook("wasm = 'h.wasm'\ndirs = [{ path = '/data/js', mode = 'write' }]").hooks().remove(0);
    assert_eq!(dirs(&wasm), [("/srv/shop/js", "/data/js", DirMode::Write)]);
    let native = hook("run = ['ls', 'js']\ndirs = [{ path = '/data', mode = 'read' }]").hooks().remove(0);
    assert_eq!(dirs(&native), [(APP, APP, DirMode::Read)], "a process sees the host's paths");
    for command in ["run = ['ls', '/data/js']", "run = 'cd /data && ls'\nshell = true"] {
        assert_eq!(invalid(&hook(command)), ["path-alias"], "{command}");
    }
    let elsewhere = under("blueking", "[[hook]]\nid = 'h'\nphase = 'pre-release'\nrun = ['ls', '/data']");
    assert_eq!(elsewhere.hooks().len(), 1, "another platform knows no such path");
}

#[test]
fn s5_47_code_is_read_only_and_folders_in_it_are_written_one_by_one() {
    let hook = |path: &str| {
        let dirs = format!("dirs = [{{ path = '{path}', mode = 'write' }}]");
        under("pagoda", &format!("[[hook]]\nid = 'h'\nphase = 'before_deploy'\nwasm = 'h.wasm'\n{dirs}"))
    };
    for whole in ["$APP_DIR", ".", "/data", "/srv", "/"] {
        assert_eq!(invalid(&hook(whole)), ["read-only-app"], "{whole}");
    }
    for folder in ["tmp", "$APP_DIR/cache", "$DATA_DIR", "/srv/other"] {
        assert_eq!(hook(folder).hooks().len(), 1, "{folder}");
    }
}

#[test]
fn s5_29_what_one_instance_writes_for_itself_is_warned_of() {
    let codes = |phase: &str, instances: &[&str]| {
        let hook =
            format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nwasm = 'h.wasm'\ntimeout = 5\ndirs = [{{ path = 'tmp', mode = 'write' }}]");
        let mut world = under("pagoda", &hook);
        world.instances = instances
            .iter()
            .map(|name| Instance { service: None, name: InstanceName::new(*name).unwrap(), dir: format!("/srv/{name}") })
            .collect();
        world.plan().unwrap().warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("before_deploy", &["a", "b"]), ["instance-local"]);
    assert_eq!(codes("before_deploy_all", &["a", "b"]), [""; 0]);
    assert_eq!(codes("before_deploy", &["a"]), [""; 0]);
}

#[test]
fn s5_50_the_plan_warns_of_timeouts_that_nobody_wrote() {
    let warnings = |timeout: &str| {
        let world = under("pagoda", &format!("[[hook]]\nid = 'h'\nphase = 'exec'\nwasm = 'h.wasm'\n{timeout}"));
        world.plan().unwrap().warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    assert_eq!(warnings(""), ["exec: h state no timeout; the profile's 600s holds"]);
    assert_eq!(warnings("timeout = 600"), [""; 0]);
}

#[test]
fn a_phase_may_hide_the_app_environment() {
    let names = |phase: &str| {
        let hook = under("pagoda", &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nrun = 'x'")).hooks().remove(0);
        hook.grants.env.into_iter().any(|env| env.name == "DB_URL")
    };
    assert_eq!((names("exec"), names("before_deploy")), (false, true));
    let asked = under("pagoda", "[[hook]]\nid = 'h'\nphase = 'exec'\nwasm = 'h.wasm'\nenv = ['DB_URL']");
    assert_eq!(asked.denials()[0].capability, Capability::Env);
}

fn native(world: &World) -> (Vec<String>, String, bool) {
    match world.hooks().remove(0).guest {
        PlanGuest::Native { argv, cwd, expand_env, .. } => (argv, cwd, expand_env),
        PlanGuest::Wasm { .. } => panic!("not native"),
    }
}

#[test]
fn s4_14_a_job_starts_in_the_folder_of_its_script() {
    let script = FileFact::Present { digest: Digest::of(b"script"), unsupported: None };
    let hook = |lines: &str| {
        let mut world = under("commit-sync", &format!("[[hook]]\nid = 'h'\nphase = 'pre-deploy'\n{lines}"));
        world.files.insert("scripts/pre-deploy/migrate.sh".to_owned(), script.clone());
        world
    };
    let by_path = native(&hook("run = 'bash scripts/pre-deploy/migrate.sh --all'"));
    assert_eq!(
        (by_path.0, by_path.1.as_str()),
        (["bash", "./migrate.sh", "--all"].map(str::to_owned).into(), "/srv/shop/scripts/pre-deploy")
    );
    let world = hook("run = 'bash migrate.sh'\ncwd = 'scripts/pre-deploy'");
    let by_folder = native(&world);
    assert_eq!((by_folder.0, by_folder.1.as_str()), (["bash", "migrate.sh"].map(str::to_owned).into(), "/srv/shop/scripts/pre-deploy"));
    let hook = world.hooks().remove(0);
    assert_eq!(hook.guest.shown(), "scripts/pre-deploy/migrate.sh", "the script is known by its path, and its bytes are planned");
}

#[test]
fn s1_27_s5_38_other_hooks_start_in_the_root_or_where_they_say() {
    let of = |lines: &str| native(&under("blueking", &format!("[[hook]]\nid = 'h'\nrun = 'x'\n{lines}"))).1;
    assert_eq!([of(""), of("cwd = 'backend'")], ["/srv/shop", "/srv/shop/backend"]);
    assert_eq!(native(&under("pagoda", "[[hook]]\nid = 'h'\nphase = 'exec'\nrun = 'bash scripts/x.sh'")).1, "/srv/shop");
}

#[test]
fn s4_13_the_profiles_shell_reads_a_line() {
    let of = |profile: &str, phase: &str| {
        native(&under(profile, &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nrun = 'a && b'\nshell = true"))).0
    };
    assert_eq!(of("commit-sync", "pre-deploy"), ["/bin/bash", "-c", "a && b"]);
    assert_eq!(of("pagoda", "exec"), ["/bin/sh", "-c", "a && b"]);
}

#[test]
fn a28_arguments_are_expanded_where_the_profile_says_so() {
    let of =
        |profile: &str, phase: &str| native(&under(profile, &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nrun = ['echo', '$X']"))).2;
    assert_eq!((of("blueking", "pre-release"), of("divio", "release")), (true, false));
}

#[test]
fn s4_2_s4_80_a_start_checks_no_commit_and_waits_for_less() {
    use crate::model::policy::{Background, Gate};
    let post = |at_start| {
        let mut world = under("commit-sync", "");
        world.at_start = at_start;
        let step = world.plan().unwrap().steps.remove(1);
        match step.kind {
            PlanStepKind::Phase { policy, .. } => (policy.gate, policy.background),
            _ => panic!("{step:?}"),
        }
    };
    assert_eq!(post(true), (Gate::None, Background::Yes));
    assert_eq!(post(false), (Gate::CommitChanged, Background::No));
}

#[test]
fn a34_jobs_see_the_applications_environment_and_the_deploy_variables() {
    let hook = under("commit-sync", "[[hook]]\nid = 'h'\nphase = 'pre-deploy'\nrun = 'x'").hooks().remove(0);
    let names: Vec<_> = hook.grants.env.iter().map(|env| env.name.as_str()).collect();
    for name in ["API_URL", "DB_URL", "DEPLOY_TAG", "DEPLOY_ENV", "APP_DIR", "DATA_DIR"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let wasm = under("commit-sync", "[[hook]]\nid = 'h'\nphase = 'pre-deploy'\nwasm = 'h.wasm'").hooks().remove(0);
    assert!(!wasm.grants.env.iter().any(|env| env.name == "DB_URL"), "a module has what it names");
}

#[test]
fn a_revert_has_its_hooks_grants_and_limits_of_its_own_kind() {
    let hooks = "[[hook]]\nid = 'a'\nphase = 'pre-deploy'\nwasm = 'h.wasm'\nargs = ['up']\nfuel = 5\ncpu_time = '3s'\n\
                 revert = { run = ['undo', 'it'] }\n[[hook]]\nid = 'b'\nphase = 'pre-deploy'\nwasm = 'h.wasm'\nargs = ['up']\n\
                 revert = { wasm = 'h.wasm' }\n";
    let planned = world(hooks).hooks();
    let [a, b] = &planned[..] else { panic!("two hooks") };
    let native = a.revert.as_ref().unwrap();
    assert_eq!((native.guest.shown(), native.limits.fuel, native.limits.cpu_time_ms), ("undo it", None, Some(3_000)));
    assert_eq!(a.with(native).grants, a.grants);
    let PlanGuest::Wasm { args, .. } = &b.revert.as_ref().unwrap().guest else { panic!("a module") };
    assert!(args.is_empty(), "the arguments are the hook's own");
    assert_eq!(b.revert.as_ref().unwrap().limits, b.limits);
}

#[test]
fn a_hook_whose_revert_is_missing_can_not_run() {
    let world = world("[[hook]]\nid = 'a'\nphase = 'pre-deploy'\nrun = 'x'\nrevert = { wasm = 'gone.wasm' }\n");
    let hook = &world.hooks()[0];
    assert_eq!(hook.unusable.as_deref(), Some("there is no module gone.wasm, its revert: build it"));
}

const OF_JOBS: &str =
    "[source.jobs]\ngit = 'https://host/jobs'\nbranch = 'main'\n[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nsource = 'jobs'\n";

/// A world in which the source `jobs` holds these files; what ends in `.sh` is executable.
fn with_jobs(hook: &str, files: &[&str]) -> World {
    let mut world = world(&format!("{OF_JOBS}{hook}"));
    let file = |path: &&str| ((*path).to_owned(), Listed::File { digest: Digest::of(path.as_bytes()), executable: path.contains(".sh") });
    let module = FileFact::Present { digest: Digest::of(b"of jobs"), unsupported: None };
    let fact = SourceFact::Read {
        commit: Commit::new("abcdef0123").unwrap(),
        modules: BTreeMap::from([("h.wasm".to_owned(), module)]),
        tree: Some(Listing(files.iter().map(file).collect())),
    };
    world.sources.insert(SourceName::new("jobs").unwrap(), fact);
    world
}

#[test]
fn s4_12_a_hook_s_files_are_those_of_its_source() {
    let hook = with_jobs("wasm = 'h.wasm'", &[]).hooks().remove(0);
    assert!(matches!(&hook.guest, PlanGuest::Wasm { digest, .. } if *digest == Digest::of(b"of jobs")));
    let source = hook.source.unwrap();
    assert_eq!(source.to_string(), "https://host/jobs (branch main, abcdef0123)");
    let missing = with_jobs("wasm = 'no.wasm'", &[]).hooks().remove(0);
    assert!(missing.unusable.is_some_and(|why| why.contains("no.wasm")));
}

#[test]
fn s4_14_a_command_of_a_source_starts_in_its_folder_there() {
    let files = ["migrations/migrate.sh", "migrations/plan.txt", "bin/x.sh"];
    let of = |hook: &str| {
        let hook = with_jobs(hook, &files).hooks().remove(0);
        let PlanGuest::Native { argv, cwd, tree: Some(_), script: None, shown, .. } = hook.guest else { panic!("{:?}", hook.guest) };
        (argv.join(" "), cwd, shown, hook.unusable)
    };
    let (argv, cwd, shown, lacks) = of("run = 'bash migrate.sh'\ncwd = './migrations/'");
    assert_eq!((argv.as_str(), cwd.as_str(), shown.as_str(), lacks), ("bash migrate.sh", "migrations", "migrations/migrate.sh", None));
    let (argv, cwd, _, lacks) = of("run = 'bin/x.sh a'");
    assert_eq!((argv.as_str(), cwd.as_str(), lacks), ("bin/x.sh a", "", None));
    for (hook, why) in [
        ("run = 'bash x'\ncwd = 'seeding'", "has no folder seeding"),
        ("run = './no.sh'\ncwd = 'bin'", "has no file bin/no.sh"),
        ("run = './plan.txt'\ncwd = 'migrations'", "migrations/plan.txt of https://host/jobs (branch main, abcdef0123) is not executable"),
    ] {
        assert!(of(hook).3.is_some_and(|lack| lack.contains(why)), "{hook}");
    }
}

#[test]
fn a_script_of_a_source_starts_in_its_folder_where_the_profile_says_so() {
    let mut world = with_jobs("run = 'bash jobs/a.sh'", &["jobs/a.sh"]);
    world.profile = profile::builtin("commit-sync").unwrap();
    let PlanGuest::Native { argv, cwd, .. } = world.hooks().remove(0).guest else { panic!("not native") };
    assert_eq!((argv.join(" ").as_str(), cwd.as_str()), ("bash ./a.sh", "jobs"));
}

#[test]
fn what_a_source_holds_counts_and_its_commit_does_not() {
    let digests = |files: &[&str], commit: &str| {
        let mut world = with_jobs("run = 'bash a.sh'", files);
        let fact = world.sources.values_mut().next().unwrap();
        if let SourceFact::Read { commit: known, .. } = fact {
            *known = Commit::new(commit).unwrap();
        }
        (world.plan().unwrap().digest(), world.hooks().remove(0).digest)
    };
    let one = digests(&["a.sh"], "aaaaaaaaaa");
    assert_eq!(digests(&["a.sh"], "bbbbbbbbbb"), one, "the same files at another commit");
    let other = digests(&["a.sh", "lib.sh"], "aaaaaaaaaa");
    assert!(other.0 != one.0 && other.1 != one.1, "a neighbour may be what the script reads");
}

#[test]
fn a_source_that_could_not_be_read_leaves_its_hooks_unusable() {
    for guest in ["wasm = 'h.wasm'\nfallback = { run = 'a', when = 'missing' }", "run = 'bash a.sh'"] {
        let mut world = with_jobs(guest, &[]);
        let fact = SourceFact::Unread { why: "no route".to_owned() };
        world.sources.insert(SourceName::new("jobs").unwrap(), fact);
        let hook = world.hooks().remove(0);
        assert_eq!((hook.unusable.as_deref(), hook.fallback), (Some("no route"), None));
        assert_eq!(hook.source.unwrap().commit, None);
    }
}

#[test]
fn a_policy_that_names_no_repository_allows_none() {
    let git = crate::model::source::GitUrl::new("https://host/ops/jobs").unwrap();
    let allowed = |lines: &str, one_file: bool| {
        let (file, problems) = manifest::parse_policy("p", &format!("schema = 1\n[policy]\n{lines}"));
        assert_eq!(problems, []);
        grants::source(&git, &file.policy.unwrap().value, one_file)
    };
    assert_eq!(allowed("", true), Ok(()));
    for (lines, one_file) in [("", false), ("sources = []", true), ("sources = ['https://host/opsy/*', 'https://host/ops/jobs2']", false)] {
        let denial = allowed(lines, one_file).unwrap_err();
        assert_eq!((denial.capability, denial.allow.as_str()), (Capability::Source, "[policy] sources = [\"https://host/ops/jobs\"]"));
    }
    for lines in ["sources = ['https://host/ops/*']", "sources = ['https://host/ops/jobs']", "sources = ['*']"] {
        assert_eq!(allowed(lines, false), Ok(()), "{lines}");
    }
}
