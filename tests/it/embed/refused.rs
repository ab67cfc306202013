//! What can be refused is refused before anything runs: no callback is called, and no run is remembered.

use super::world::{World, hook, step};
use std::fs;
use std::time::Duration;
use wasmhook::load::LoadError;
use wasmhook::manifest::HookDecl;
use wasmhook::model::grant::DirMode;
use wasmhook::model::id::HookId;
use wasmhook::{Error, Request, Stop};

/// The codes of what is wrong, after a run that must not have begun.
async fn codes(world: &World, request: Request) -> Vec<String> {
    let error = world.engine().build().unwrap().run(&request, &Stop::new()).await.unwrap_err();
    nothing_ran(world);
    let Error::Load(LoadError::Invalid(found)) = error else { panic!("{error:#?}") };
    found.iter().map(|finding| finding.code.to_owned()).collect()
}

fn nothing_ran(world: &World) {
    assert!(world.called().is_empty());
    let targets = wasmhook::history(&world.state()).unwrap().map(|ledger| ledger.targets().unwrap());
    assert!(targets.is_none_or(|targets| targets.is_empty()), "nothing is remembered");
}

#[tokio::test]
async fn a_hook_in_code_obeys_the_rules_of_a_written_one() {
    let world = World::new();
    let elsewhere = HookDecl::wasm(HookId::new("x").unwrap(), step("hook"), "prints.wasm");
    assert_eq!(codes(&world, world.request().with_hook(elsewhere)).await, ["unknown-phase"]);
    let twice = world.request().with_hook(hook("prints")).with_hook(hook("prints"));
    assert_eq!(codes(&world, twice).await, ["duplicate-id"]);
}

#[tokio::test]
async fn the_operators_policy_is_the_ceiling_of_hooks_in_code_too() {
    let world = World::new();
    let policy = world.dir.path().join("policy.toml");
    fs::write(&policy, "schema = 1\n[policy]\ndirs = [{ path = \"$APP_DIR\", mode = \"read\" }]\n").unwrap();
    let wants = hook("prints").dir("$APP_DIR", DirMode::Write);
    let request = world.request().with_policy(&policy).with_hook(wants);
    let error = world.engine().build().unwrap().run(&request, &Stop::new()).await.unwrap_err();
    let Error::Load(LoadError::Denied(denials)) = &error else { panic!("{error:#?}") };
    assert_eq!(denials[0].0.as_str(), "prints");
    nothing_ran(&world);
}

#[tokio::test]
async fn a_grant_that_reaches_the_engines_own_directories_is_refused() {
    let world = World::new();
    let root = world.dir.path().display().to_string();
    let request = world.request().with_hook(hook("prints").dir(root, DirMode::Read));
    // The state directory has to be there to be reached.
    fs::create_dir(world.state()).unwrap();
    let error = world.engine().build().unwrap().run(&request, &Stop::new()).await.unwrap_err();
    let Error::Load(LoadError::Denied(denials)) = &error else { panic!("{error:#?}") };
    assert!(denials[0].1.what.contains("reaches the"), "{denials:?}");
    nothing_ran(&world);
}

#[tokio::test]
async fn code_for_a_step_that_the_profile_does_not_have_is_refused() {
    let world = World::new();
    let engine = world.engine().host_step(step("stop-service"), |_| async { Ok(Vec::new()) }).build().unwrap();
    let error = engine.run(&world.request(), &Stop::new()).await.unwrap_err();
    let Error::Load(LoadError::Invalid(found)) = &error else { panic!("{error:#?}") };
    assert_eq!(found[0].code, "unknown-host-step");
    assert!(found[0].help.as_ref().is_some_and(|help| help.contains("stop-services")), "{:?}", found[0]);
    nothing_ran(&world);
}

#[tokio::test]
async fn a_step_in_code_has_the_deadline_of_its_step() {
    let world = World::new();
    let profile = world.dir.path().join("testsite/shop.toml");
    let text = fs::read_to_string(&profile).unwrap();
    let short = text.replace(r#"name = "deploy", kind = "host","#, r#"name = "deploy", kind = "host", limits = { timeout = "100ms" },"#);
    assert_ne!(text, short);
    fs::write(&profile, short).unwrap();
    let engine = world.engine().host_step(step("deploy"), |_| async {
        tokio::time::sleep(Duration::from_mins(10)).await;
        Ok(Vec::new())
    });
    let report = engine.build().unwrap().run(&world.request(), &Stop::new()).await.unwrap();
    let deploy = report.steps.iter().find(|of| of.step == step("deploy")).unwrap();
    assert!(serde_json::to_string(deploy).unwrap().contains("timed-out"), "{deploy:#?}");
    assert_eq!(world.called(), ["stop-services", "start-services"]);
}
