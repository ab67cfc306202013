//! What a profile decides where the hook says nothing.

use super::*;

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
