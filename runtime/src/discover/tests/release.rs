use super::{Bed, tag};
use crate::discover::release::{Search, find};
use crate::discover::{Source, WorkTree};
use crate::model::facts::{Found, FoundGuest, FoundHook, FoundRule};
use crate::model::id::StepName;
use crate::profile::Discovery;

fn step(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

/// What the release folder of a bed's origin holds for v0.4.0 after v0.3.27.
async fn found(bed: &Bed) -> Found {
    let extensions = ["wasm", "wat", "sh", "py"].map(str::to_owned).to_vec();
    let discovery =
        Discovery { folder: "release".to_owned(), default_phase: step("post-pull"), extensions, dirs: Vec::new(), env: Vec::new() };
    let phases = ["pre-pull", "post-pull", "pre-migrate", "post-migrate"].map(step);
    let tags = ["v0.3.26", "v0.3.27", "v0.3.28", "v0.4.0"].map(tag).into();
    let (target, previous) = (tag("v0.4.0"), tag("v0.3.27"));
    let search = Search { discovery: &discovery, phases: &phases, target: &target, previous: Some(&previous), tags: &tags };
    let source = Source::WorkTree(WorkTree::open(&bed.path("origin")).unwrap());
    find(&source, &search).await.unwrap()
}

fn bed(files: &[&str]) -> Bed {
    let bed = Bed::empty();
    for file in files {
        bed.write("origin", &format!("release/{file}"), "#!/bin/bash\necho hook\n");
    }
    bed
}

fn shown(hooks: &[FoundHook]) -> Vec<String> {
    let fallback = |hook: &FoundHook| hook.fallback.as_ref().map(|file| format!(" or {}", file.name)).unwrap_or_default();
    hooks.iter().map(|hook| format!("{}: {}{}", hook.phase, hook.main.name, fallback(hook))).collect()
}

#[tokio::test]
async fn s3_9_the_default_file_comes_before_the_one_that_names_its_phase() {
    let found = found(&bed(&["v0.4.0.post-pull.sh", "v0.4.0.sh"])).await;
    assert_eq!(shown(&found.hooks), ["post-pull: v0.4.0.sh", "post-pull: v0.4.0.post-pull.sh"]);
    assert_eq!(found.problems, []);
}

#[tokio::test]
async fn s3_10_hooks_come_in_the_order_of_the_phases() {
    let found = found(&bed(&["v0.4.0.post-migrate.wasm", "v0.4.0.pre-migrate.sh", "v0.4.0.pre-pull.sh", "v0.4.0.wat", "README.md"])).await;
    let expected = [
        "pre-pull: v0.4.0.pre-pull.sh",
        "post-pull: v0.4.0.wat",
        "pre-migrate: v0.4.0.pre-migrate.sh",
        "post-migrate: v0.4.0.post-migrate.wasm",
    ];
    assert_eq!(shown(&found.hooks), expected);
    assert_eq!(found.hooks[3].main.guest, FoundGuest::Wasm);
    assert_eq!(found.hooks[0].main.guest, FoundGuest::Native { interpreter: vec!["/bin/bash".to_owned()] });
    assert_eq!(found.hooks[0].main.path, "release/v0.4.0.pre-pull.sh");
}

#[tokio::test]
async fn a_script_beside_a_module_of_its_name_is_its_fallback() {
    let found = found(&bed(&["v0.4.0.sh", "v0.4.0.wasm", "v0.4.0.post-pull.sh"])).await;
    assert_eq!(shown(&found.hooks), ["post-pull: v0.4.0.wasm or v0.4.0.sh", "post-pull: v0.4.0.post-pull.sh"]);
    assert_eq!(found.problems, []);
}

#[tokio::test]
async fn any_other_twin_is_refused() {
    let found = found(&bed(&["v0.4.0.sh", "v0.4.0.py", "v0.4.0.pre-pull.wat", "v0.4.0.pre-pull.wasm"])).await;
    assert_eq!(shown(&found.hooks), ["pre-pull: v0.4.0.pre-pull.wasm", "post-pull: v0.4.0.sh"]);
    let problems: Vec<_> = found.problems.iter().map(|problem| (problem.path.as_str(), &problem.rule, problem.blocking)).collect();
    let same = |other: &str| FoundRule::SameWork { other: other.to_owned() };
    assert_eq!(
        problems,
        [("release/v0.4.0.pre-pull.wat", &same("v0.4.0.pre-pull.wasm"), true), ("release/v0.4.0.py", &same("v0.4.0.sh"), true)]
    );
}

#[tokio::test]
async fn s3_65_no_folder_and_no_hook_are_no_error() {
    assert_eq!(found(&Bed::empty()).await, Found::default());
    assert_eq!(found(&bed(&["README.md"])).await, Found::default());
}

#[tokio::test]
async fn s3_67_hooks_of_the_releases_between_are_listed_apart_in_the_order_of_versions() {
    let found = found(&bed(&["v0.3.26.sh", "v0.3.27.sh", "v0.3.28.sh", "v0.3.28.pre-pull.sh", "v0.4.0.sh"])).await;
    assert_eq!(shown(&found.hooks), ["post-pull: v0.4.0.sh"]);
    assert_eq!(shown(&found.other_tags), ["pre-pull: v0.3.28.pre-pull.sh", "post-pull: v0.3.28.sh"]);
    assert_eq!(found.problems, []);
}

#[tokio::test]
async fn s3_61_a_misspelt_phase_of_the_target_is_refused_and_never_run() {
    let found = found(&bed(&["v0.4.0.pre-pul.sh", "v0.3.26.pre-pul.sh", "v0.4.0.rb", "v9.9.9.sh"])).await;
    assert_eq!(found.hooks, []);
    let problems: Vec<_> = found.problems.iter().map(|problem| (problem.path.as_str(), problem.blocking)).collect();
    let expected = [
        ("release/v0.3.26.pre-pul.sh", false),
        ("release/v0.4.0.pre-pul.sh", true),
        ("release/v0.4.0.rb", false),
        ("release/v9.9.9.sh", false),
    ];
    assert_eq!(problems, expected);
    assert_eq!(
        found.problems[1].to_string(),
        "`release/v0.4.0.pre-pul.sh` is not run: there is no phase `pre-pul`; rename it to `pre-pull`"
    );
}

#[tokio::test]
async fn what_is_named_like_a_hook_and_is_no_file_is_refused() {
    let bed = bed(&["v0.4.0.post-migrate.wasm/inner"]);
    std::os::unix::fs::symlink("/bin/true", bed.path("origin/release/v0.4.0.sh")).unwrap();
    let found = found(&bed).await;
    assert_eq!(found.hooks, []);
    let whats: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert!(whats[0].starts_with("`release/v0.4.0.post-migrate.wasm` is a folder: "), "{whats:?}");
    assert!(whats[1].starts_with("`release/v0.4.0.sh` is a symbolic link: "), "{whats:?}");
    assert!(found.problems.iter().all(|problem| problem.blocking));
}

#[tokio::test]
async fn a36_a_release_tool_is_recognised_and_not_run() {
    let bed = bed(&[]);
    bed.write("origin", "release/v0.4.0.sh", "#!/bin/sh\nset -e\nnpm test\ngit push origin v0.4.0\n");
    let found = found(&bed).await;
    assert_eq!(found.hooks, []);
    assert_eq!(found.problems[0].rule, FoundRule::ReleaseTool { line: 4, command: "git push".to_owned() });
    assert!(found.problems[0].blocking);
}

#[tokio::test]
async fn s3_2_s3_3_the_seed_s_script_is_found_as_it_stands() {
    let bed = Bed::empty();
    bed.write("origin", "release/v0.4.0.sh", include_str!("../../../../tests/fixtures/s3/v0.4.0.sh"));
    let found = found(&bed).await;
    assert_eq!(shown(&found.hooks), ["post-pull: v0.4.0.sh"]);
    assert_eq!(found.problems, []);
}
