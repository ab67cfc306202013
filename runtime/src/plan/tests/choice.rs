//! What runs: the hook itself, its fallback, or nothing; and what runs beside it.

use super::*;

const WITH_FALLBACK: &str =
    "[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"h.wasm\"\nfallback = { run = [\"sh\", \"h.sh\"], when = \"WHEN\" }\n";

fn with_fallback(when: &str, file: Option<FileFact>) -> PlanHook {
    let mut world = world(&WITH_FALLBACK.replace("WHEN", when));
    world.files = file.map(|fact| ("h.wasm".to_owned(), fact)).into_iter().collect();
    world.hooks().remove(0)
}

#[test]
fn a_fallback_runs_only_where_it_was_declared_to_and_says_why() {
    let present = || FileFact::Present { digest: Digest::of(b"m"), size: 6, unsupported: None };
    let unsupported = || FileFact::Present { digest: Digest::of(b"m"), size: 6, unsupported: Some("it needs a::b".to_owned()) };
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
fn a_fallback_is_advised_only_where_there_is_none() {
    let unsupported = || FileFact::Present { digest: Digest::of(b"m"), size: 6, unsupported: Some("it needs a::b".to_owned()) };
    let runs = with_fallback("unsupported", Some(unsupported()));
    assert_eq!(runs.fallback.as_deref(), Some("this host can't run h.wasm: it needs a::b"));
    let mut world = world(HOOK);
    world.files.insert("h.wasm".to_owned(), unsupported());
    let why = world.hooks()[0].unusable.clone();
    assert_eq!(why.as_deref(), Some("h.wasm: it needs a::b; or give the hook a fallback with when = \"unsupported\""));
}

#[test]
fn a_module_that_is_not_there_is_known_before_it_runs() {
    let mut world = world(HOOK);
    world.files.clear();
    assert!(world.hooks()[0].unusable.as_ref().unwrap().contains("h.wasm"));
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

#[test]
fn a_module_past_its_hooks_limit_is_known_before_anything_runs_and_the_message_says_what_to_raise() {
    let world = |limit: &str| {
        let mut world = world(&format!("{HOOK}{limit}"));
        world.files.insert("h.wasm".to_owned(), FileFact::Present { digest: Digest::of(b"m"), size: 132 << 10, unsupported: None });
        world
    };
    let unusable = |world: World| world.hooks().remove(0).unusable;
    assert_eq!(unusable(world("module = '132KiB'")), None);
    let why =
        |whose: &str| Some(format!("h.wasm has 132 KiB, more than the limit of 1 KiB: make it smaller, or raise `module` in {whose}"));
    assert_eq!(unusable(world("module = '1KiB'")), why("the hook's limits"));
    assert_eq!(unusable(world("module = '1MiB'").policy("[policy]\nmodule = '1KiB'")), why("[policy]"));
    let mut unread = world("");
    unread.files.insert("h.wasm".to_owned(), FileFact::TooLarge { size: 300 << 20 });
    assert!(unusable(unread).unwrap().starts_with("h.wasm has 300 MiB, more than the limit of 256 MiB"));
}

#[test]
fn a_verify_past_the_limit_of_a_module_is_known_before_its_hook_runs() {
    let mut world = world("[[hook]]\nid = 'a'\nphase = 'pre-deploy'\nrun = 'x'\nmodule = '1KiB'\nverify = { wasm = 'h.wasm' }\n");
    world.files.insert("h.wasm".to_owned(), FileFact::Present { digest: Digest::of(b"m"), size: 2 << 10, unsupported: None });
    assert!(world.hooks()[0].unusable.as_ref().unwrap().starts_with("h.wasm has 2 KiB"));
}
