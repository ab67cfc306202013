//! The plan as a whole: its instances, what was chosen of it, and its digests.

use super::*;

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
fn a_named_hook_that_does_not_exist_is_an_error() {
    let mut world = world(HOOK);
    world.selection.only = vec![HookId::new("ghost").unwrap()];
    world.selection.phases = vec![StepName::new("nowhere").unwrap()];
    let Err(PlanError::Invalid(found)) = world.plan() else { panic!("planned") };
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["unknown-phase", "unknown-hook"]);
}

#[test]
fn a_selection_that_leaves_no_hook_is_refused_and_names_both_options() {
    let mut world = world(&format!("{HOOK}[[hook]]\nid = \"late\"\nphase = \"post-deploy\"\nwasm = \"h.wasm\"\n"));
    world.selection.only = vec![HookId::new("h").unwrap()];
    world.selection.phases = vec![StepName::new("post-deploy").unwrap()];
    let Err(PlanError::Invalid(found)) = world.plan() else { panic!("planned") };
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((found.code, found.message.as_str()), ("usage", "--phase post-deploy and --only h together select no hook"));
    assert_eq!(found.help.as_deref(), Some("h is in pre-deploy: name its phase, or leave --phase out"));
    world.selection.only.push(HookId::new("late").unwrap());
    assert!(world.plan().is_ok(), "one of them is taken");
}

#[test]
fn a_phase_without_hooks_can_be_asked_for() {
    let mut world = world(HOOK);
    world.selection.phases = vec![StepName::new("post-deploy").unwrap()];
    assert!(world.plan().is_ok(), "a platform runs the phases one by one, whatever an application has in them");
}

#[test]
fn the_digest_of_a_hook_covers_bytes_arguments_and_grants_but_nothing_that_differs_from_run_to_run() {
    let digest = |world: &World| world.hooks()[0].digest.clone();
    let base = digest(&world(HOOK));
    let mut bytes = world(HOOK);
    bytes.files.insert("h.wasm".to_owned(), FileFact::Present { digest: Digest::of(b"other"), size: 6, unsupported: None });
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
