//! A plan as people see it.

use super::*;
use crate::render::testing::{ASCII, UNICODE, assert_fits, assert_harmless, wide};
use wasmhook::model::grant::{DirGrant, DirMode, EnvGrant};
use wasmhook::model::id::{AppName, Digest, EnvironmentName, HookId, StepName};
use wasmhook::model::limits::Limits;
use wasmhook::model::policy::{Gate, OnChange, OnFailure, OnLocked, OnUnknown, Resume};
use wasmhook::plan::Notice;
use wasmhook::profile::{Fact, Lines, ProfileLimits};

fn hook(id: &str, guest: PlanGuest) -> PlanHook {
    let dirs = vec![
        DirGrant { host: Some("/srv/shop".to_owned()), guest: "/srv/shop".to_owned(), mode: DirMode::Txn },
        DirGrant { host: Some("/srv/shop/db".to_owned()), guest: "/db".to_owned(), mode: DirMode::Read },
        DirGrant { host: None, guest: "/tmp".to_owned(), mode: DirMode::Scratch },
    ];
    let env = vec![
        EnvGrant { name: "DATABASE_URL".to_owned(), source: EnvSource::App },
        EnvGrant { name: "DEPLOY_TAG".to_owned(), source: EnvSource::Value { value: "v0.4.0".to_owned() } },
        EnvGrant { name: "WASMHOOK_ATTEMPT".to_owned(), source: EnvSource::Engine },
    ];
    PlanHook {
        id: HookId::new(id).unwrap(),
        label: "Migrate the data".to_owned(),
        service: None,
        instance: None,
        origin: "wasmhook.toml".to_owned(),
        guest,
        fallback: None,
        source: None,
        grants: Grants { dirs, env },
        limits: Limits::default(),
        digest: Digest::of(b"hook"),
        once: None,
        on_change: OnChange::Error,
        idempotent: false,
        allow_failure: false,
        enabled: true,
        selected: true,
        unusable: None,
        effects: Vec::new(),
        backup: None,
        wait_for: None,
        verify: None,
        revert: None,
    }
}

fn phase(hooks: Vec<PlanHook>) -> PlanStepKind {
    let policy = PhasePolicy {
        title: "Post-pull".to_owned(),
        on_timeout: OnTimeout::Pass,
        gate: Gate::Once,
        scope: Scope::All,
        files: Files::Commit,
        ..PhasePolicy::default()
    };
    PlanStepKind::Phase { policy, hooks }
}

fn host() -> PlanStepKind {
    let policy = HostPolicy {
        on_failure: OnFailure::Abort,
        always: true,
        makes_live: true,
        resume: Resume::Rerun,
        limits: ProfileLimits::default(),
        lines: Lines::default(),
        left_half_way: None,
    };
    let command = HostCommand {
        argv: ["systemctl", "start", "shop web"].map(str::to_owned).to_vec(),
        cwd: "/srv/shop".to_owned(),
        env: vec!["XDG_RUNTIME_DIR".to_owned()],
        set: vec![("LANG".to_owned(), "C".to_owned())],
        limits: Limits { fuel: None, ..Limits::default() },
    };
    PlanStepKind::Host { policy, command: Some(command) }
}

fn plan(text: &str) -> Plan {
    let wasm = PlanGuest::Wasm { file: "hooks/migrate.wasm".to_owned(), digest: Digest::of(b"wasm"), args: vec!["a b".to_owned()] };
    let native = PlanGuest::Native {
        argv: vec!["bash".to_owned(), text.to_owned()],
        cwd: "/srv/shop".to_owned(),
        tree: None,
        sandbox: Sandbox::None,
        script: None,
        shown: text.to_owned(),
        expand_env: false,
        detach: false,
    };
    let native = PlanHook {
        fallback: Some("no such module: x.wasm".to_owned()),
        unusable: Some(text.to_owned()),
        label: "legacy".to_owned(),
        ..hook("legacy", native)
    };
    let step = |name: &str, kind| PlanStep { name: StepName::new(name).unwrap(), kind };
    Plan {
        schema: 1,
        app: AppName::new("shop").unwrap(),
        environment: EnvironmentName::new("prod").unwrap(),
        profile: "tenant-upgrade".to_owned(),
        tag: Some(Tag::new("v0.4.0").unwrap()),
        commit: Some(Commit::new("0123456789abcdef0123").unwrap()),
        previous_version: Some("v0.3.28".to_owned()),
        app_dir: "/srv/shop".to_owned(),
        data_dir: "/srv/shop/db".to_owned(),
        on_locked: OnLocked::Wait,
        on_unknown: OnUnknown::Rerun,
        marker: Some(".release-v0.4.0-done".to_owned()),
        steps: vec![
            step("fetch", PlanStepKind::Fact { fact: Fact::Target, found: "v0.4.0".to_owned() }),
            step("pre-pull", phase(Vec::new())),
            step("post-pull", phase(vec![hook("migrate", wasm), native])),
            step("start-services", host()),
        ],
        partial: false,
        warnings: Vec::new(),
        notices: vec![Notice { code: "one-file".to_owned(), message: "one file holds both the asking and the granting".to_owned() }],
    }
}

fn decide(place: &Place) -> String {
    match place.hook.as_ref().map(HookId::as_str) {
        Some("migrate") => "skip: already done in run 01J".to_owned(),
        _ => "run".to_owned(),
    }
}

/// What a plan's digest is depends on all that stands in it; here it only has to be there.
fn without_digest(text: &str) -> String {
    let lines =
        text.lines().map(|line| if line.starts_with("digest  sha256:") { "digest  DIGEST\n".to_owned() } else { format!("{line}\n") });
    lines.collect()
}

#[test]
fn a_plan_says_what_runs_with_which_rights_and_why_not() {
    let text = without_digest(&render(UNICODE, &plan("release/legacy.sh"), &decide));
    insta::assert_snapshot!(text, @r#"
    shop/prod v0.3.28 → v0.4.0 (0123456789ab), profile tenant-upgrade
    app     /srv/shop
    data    /srv/shop/db
    marker  .release-v0.4.0-done
    lock    wait
    unknown rerun
    digest  DIGEST

     1 fetch: target, done before the plan: v0.4.0

     2 pre-pull: on failure abort, gate once, on timeout pass, scope all, files
         commit
       no hooks

     3 post-pull: on failure abort, gate once, on timeout pass, scope all, files
         commit
       → post-pull/migrate "Migrate the data": skip: already done in run 01J
         file    hooks/migrate.wasm (wasm, from wasmhook.toml)
         args    'a b'
         dir     txn /srv/shop
         dir     read /srv/shop/db as /db
         dir     scratch /tmp
         env     DATABASE_URL, DEPLOY_TAG
         limits  5m, fuel 3T, memory 512 MiB
       → post-pull/legacy: run
         file    release/legacy.sh (native, from wasmhook.toml)
         run     bash release/legacy.sh
         in      /srv/shop
         ⚠ unconfined: nothing holds it
         ⚠ the fallback runs: no such module: x.wasm
         dir     txn /srv/shop
         dir     read /srv/shop/db as /db
         dir     scratch /tmp
         env     DATABASE_URL, DEPLOY_TAG
         limits  5m, fuel 3T, memory 512 MiB per process
         ⚠ can't run: release/legacy.sh

     4 start-services: host step, on failure abort, resume rerun, always, makes the
         new version live
       → run
         run     systemctl start 'shop web'
         in      /srv/shop
         env     XDG_RUNTIME_DIR, LANG
         limits  5m, memory 512 MiB per process
         ⚠ unconfined: it runs with the operator's rights

    → one file holds both the asking and the granting [one-file]
    "#);
}

#[test]
fn a_plan_fits_and_is_harmless() {
    let plan = plan("\u{1b}]0;owned\u{7}\r\n\u{202e}日本語日本語日本語日本語日本語日本語日本語");
    for width in [40, 80, 200] {
        let text = render(wide(UNICODE, width), &plan, &decide);
        assert_harmless(&text);
        assert_fits(&text, width);
    }
    assert!(render(ASCII, &plan, &decide).is_ascii());
}
