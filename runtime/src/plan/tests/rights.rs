//! Which rights a hook gets, of what it asks for and what the operator allows.

use super::*;

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
fn staged_directories_in_one_another_end_in_the_same_way() {
    let hook = |phase: &str, outer: &str, inner: &str| {
        world(&format!(
            "[[hook]]\nid = \"h\"\nphase = \"{phase}\"\nwasm = \"h.wasm\"\ndirs = [{{ path = \"data/db\", mode = \"{inner}\" }}, {{ path = \"data\", mode = \"{outer}\" }}]"
        ))
    };
    assert_eq!(invalid(&hook("pre-deploy", "discard", "txn")), ["impossible-grant"]);
    assert_eq!(invalid(&hook("pre-deploy", "txn", "discard")), ["impossible-grant"]);
    for (outer, inner) in [("txn", "txn"), ("discard", "discard"), ("read", "txn"), ("discard", "write"), ("txn", "write")] {
        assert!(hook("pre-deploy", outer, inner).plan().is_ok(), "{inner} in {outer}");
    }
}

#[test]
fn staged_directories_of_a_phase_that_is_committed_as_one_whole_end_in_the_same_way() {
    let two = |outer: &str, inner: &str, path: &str, more: &str| {
        let hook = |id: &str, path: &str, mode: &str| {
            format!(
                "[[hook]]\nid = \"{id}\"\nphase = \"pre-deploy\"\nwasm = \"h.wasm\"\ndirs = [{{ path = \"{path}\", mode = \"{mode}\" }}]\n"
            )
        };
        let mut world = world(&format!("{}{}{more}", hook("first", "data", outer), hook("second", path, inner)));
        for step in &mut world.profile.steps {
            if let crate::profile::ProfileStepKind::Phase(policy) = &mut step.kind {
                policy.files = crate::model::policy::Files::Commit;
            }
        }
        world
    };
    for (outer, inner) in [("txn", "discard"), ("discard", "txn"), ("discard", "write")] {
        for path in ["data", "data/db"] {
            let world = two(outer, inner, path, "");
            assert_eq!(invalid(&world), ["impossible-grant"], "{inner} in {outer}");
            let Err(PlanError::Invalid(found)) = world.plan() else { unreachable!() };
            let place = if path == "data" { "is the directory /srv/shop/data" } else { "lies in the directory /srv/shop/data" };
            for part in ["hooks ", "first", "second", place, "both the mode `txn`, or both `discard`"] {
                assert!(found[0].message.contains(part), "{part}: {}", found[0].message);
            }
        }
        assert!(two(outer, inner, "data-2", "").plan().is_ok(), "beside it");
        assert!(two(outer, inner, "data", "enabled = false\n").plan().is_ok(), "one that doesn't run ends in no way");
    }
    assert!(two("txn", "write", "data", "").plan().is_ok(), "under this ceiling it is committed, too");
    assert!(two("discard", "discard", "data", "").plan().is_ok());
}

#[test]
fn a_lowered_limit_is_said() {
    let plan = world(&format!("{HOOK}timeout = \"1h\"")).policy("[policy]\ntimeout = \"1m\"").plan().unwrap();
    assert_eq!(
        (plan.warnings[0].code.as_str(), plan.warnings[0].message.as_str()),
        ("limit-lowered", "h: timeout (ms) lowered from 3600000 to the policy's 60000")
    );
    let by_default = world(HOOK).policy("[policy]\ntimeout = \"1m\"").plan().unwrap();
    assert_eq!((by_default.notices[0].code.as_str(), by_default.warnings.len()), ("limit-lowered", 0), "no hook asked for more");
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
