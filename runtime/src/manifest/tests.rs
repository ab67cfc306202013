//! The fixtures of `tests/fixtures/manifest`: what each bad file is told, word for word, and what good files become.
//! `WASMHOOK_BLESS=1` rewrites the expected texts; read the difference before you commit it.

use super::*;
use crate::diagnostic::{Diagnostic, Style, codes, has_errors, render};
use crate::model::backup::LastingEffect;
use crate::model::id::StepName;
use crate::profile::{self, Profile};
use std::path::{Path, PathBuf};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/manifest").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Compares what is found in each file of a folder with the text beside it.
fn golden(folder: &str, check: impl Fn(&str, &str) -> Vec<Diagnostic>) -> usize {
    let bless = std::env::var_os("WASMHOOK_BLESS").is_some();
    let mut different = Vec::new();
    let files = fixtures(folder);
    for path in &files {
        let found = check(&file_name(path), &std::fs::read_to_string(path).unwrap());
        assert!(has_errors(&found), "{}: a bad file has an error", path.display());
        let shown = render(&found, Style::default());
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{}: nothing raw is shown", path.display());
        let expected = path.with_extension("err");
        if bless {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            different.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    files.len()
}

fn profile_of(manifest: &Manifest) -> Profile {
    let name = manifest.profile.as_ref().map_or(profile::BUILTIN_NAMES[0], |profile| &profile.value);
    profile::builtin(name).unwrap()
}

fn parse_and_lint(name: &str, text: &str) -> Vec<Diagnostic> {
    let (manifest, mut found) = parse(name, text);
    found.extend(crate::lint::check(&manifest, &profile_of(&manifest)));
    crate::diagnostic::sort(&mut found);
    found
}

#[test]
fn bad_manifests_are_told_everything_at_once() {
    assert!(golden("bad", parse_and_lint) >= 25);
}

#[test]
fn bad_policies_are_told_everything_at_once() {
    assert!(golden("bad-policy", |name, text| parse_policy(name, text).1) >= 3);
}

#[test]
fn bad_profiles_are_told_everything_at_once() {
    assert!(golden("bad-profile", |name, text| Profile::parse(name, text).unwrap_err()) >= 5);
}

#[test]
fn good_manifests_have_no_findings() {
    let files = fixtures("good");
    assert!(files.len() >= 3);
    for path in files {
        let found = parse_and_lint(&file_name(&path), &std::fs::read_to_string(&path).unwrap());
        assert!(found.is_empty(), "{}", render(&found, Style::default()));
    }
}

fn everything() -> Manifest {
    parse("wasmhook.toml", include_str!("../../../tests/fixtures/manifest/good/everything.toml")).0
}

fn limit<T: Copy>(limit: Option<&Located<T>>) -> Option<T> {
    limit.map(|limit| limit.value)
}

#[test]
fn every_key_of_a_hook_arrives() {
    let manifest = everything();
    let hook = &manifest.hooks[0];
    assert_eq!((hook.id.value.as_str(), hook.label.as_deref()), ("warm-cache", Some("Warm the cache")));
    assert_eq!(hook.phase.as_ref().map(|phase| phase.value.as_str()), Some("pre-deploy"));
    assert_eq!(hook.service.as_ref().map(|service| service.value.as_str()), Some("web"));
    assert_eq!(hook.guest.value, GuestDecl::Wasm { path: "hooks/warm-cache.wasm".to_owned() });
    assert_eq!((hook.args.join(" "), hook.cwd.as_ref().map(|cwd| cwd.value.as_str())), ("--all".to_owned(), Some(".")));
    let dirs: Vec<_> = hook.dirs.iter().map(|dir| (dir.path.value.as_str(), dir.guest.as_deref(), limit(dir.mode.as_ref()))).collect();
    assert_eq!(dirs, [("$DATA_DIR", None, Some(DirMode::Write)), ("config", None, Some(DirMode::Read))]);
    assert_eq!(hook.env.iter().map(|name| name.value.as_str()).collect::<Vec<_>>(), ["GREETING", "WASMHOOK_OUTPUT"]);
    assert_eq!(hook.set.iter().map(|(name, value)| format!("{}={value}", name.value)).collect::<Vec<_>>(), ["LEVEL=3"]);
    let limits = &hook.limits;
    assert_eq!((limit(limits.fuel.as_ref()), limit(limits.timeout.as_ref())), (Some(20_000_000_000), Some(Duration::from_secs(90))));
    assert_eq!((limit(limits.grace.as_ref()), limit(limits.memory.as_ref())), (Some(Duration::from_secs(5)), Some(64 << 20)));
    assert_eq!((limit(limits.output.as_ref()), limit(limits.handles.as_ref())), (Some(65_536), Some(64)));
    assert_eq!((limit(limits.table_elements.as_ref()), limit(limits.module.as_ref())), (Some(10_000), Some(16 << 20)));
    assert_eq!((hook.once, hook.on_change), (Some(false), Some(OnChange::Rerun)));
    assert!(hook.idempotent && hook.allow_failure && hook.enabled);
    assert_eq!((limit(hook.sandbox.as_ref()), hook.origin.as_str()), (Some(Sandbox::Strict), "wasmhook.toml"));
    assert_eq!(hook.wait_for.as_ref().unwrap().value.to_string(), "http://localhost:8000/healthz");
    assert_eq!(limit(hook.wait_timeout.as_ref()), Some(Duration::from_secs(30)));
    assert_eq!(hook.effects, [LastingEffect::Db]);
    assert_eq!(hook.backup.iter().map(|dir| dir.value.as_str()).collect::<Vec<_>>(), ["$DATA_DIR"]);
    let fallback = hook.fallback.as_ref().unwrap();
    let argv = ["sh", "hooks/warm-cache.sh"].map(str::to_owned).to_vec();
    assert_eq!(fallback.value, FallbackDecl { guest: GuestDecl::Native { argv, shell: false }, when: FallbackWhen::Unsupported });
    assert_eq!(limit(limits.cpu_time.as_ref()), Some(Duration::from_secs(30)), "the fallback's, since nothing else has a use for it");
}

#[test]
fn commands_become_what_is_started() {
    let hooks = everything().hooks;
    let shell = ["/bin/sh", "-c", "echo deployed > announced"].map(str::to_owned).to_vec();
    assert_eq!(hooks[1].guest.value, GuestDecl::Native { argv: shell, shell: true });
    assert!(hooks[1].detach && !hooks[2].detach);
    assert_eq!((hooks[1].once, hooks[1].idempotent, hooks[1].allow_failure, hooks[1].enabled), (None, false, false, true));
    let argv = ["python3", "report.py", "--short"].map(str::to_owned).to_vec();
    assert_eq!(hooks[2].guest.value, GuestDecl::Native { argv, shell: false }, "args are the command's last words");
    assert_eq!(hooks[2].args, ["--short"], "and the wasm fallback's");
    let scratch = &hooks[3].dirs[1];
    assert_eq!(
        (scratch.path.value.as_str(), scratch.guest.as_deref(), limit(scratch.mode.as_ref())),
        ("", Some("/work"), Some(DirMode::Scratch))
    );
    let (manifest, found) = parse("m", "schema = 1\n[[hook]]\nid = 'a'\nrun = \"echo 'a b' c\\\\ d\"\nargs = ['e']\nenabled = false\n");
    assert_eq!(found, []);
    let argv = ["echo", "a b", "c d", "e"].map(str::to_owned).to_vec();
    assert_eq!(manifest.hooks[0].guest.value, GuestDecl::Native { argv, shell: false });
    assert!(manifest.hooks[0].args.is_empty() && !manifest.hooks[0].enabled);
}

#[test]
fn every_key_of_the_other_tables_arrives() {
    let manifest = everything();
    assert_eq!(manifest.app.as_ref().map(|app| app.value.as_str()), Some("shop"));
    assert_eq!(manifest.profile.as_ref().map(|profile| profile.value.as_str()), Some("default"));
    assert_eq!(manifest.app_dir.as_ref().map(|dir| dir.value.as_str()), Some("."));
    assert_eq!(manifest.data_dir.as_ref().map(|dir| dir.value.as_str()), Some("data"));
    assert_eq!(manifest.env_file.as_ref().map(|file| file.value.as_str()), Some("app.env"));
    assert_eq!((manifest.env[0].0.value.as_str(), manifest.env[0].1.as_str()), ("GREETING", "hello"));
    assert_eq!(manifest.services[0].value.as_str(), "web");
    let policy = &manifest.policy.as_ref().unwrap().value;
    assert_eq!(policy.dirs.as_ref().map(Vec::len), Some(2));
    assert_eq!(policy.env.as_deref(), Some(["GREETING", "APP_*"].map(str::to_owned).as_slice()));
    assert_eq!((policy.sandbox, limit(policy.limits.cpu_time.as_ref())), (Some(Sandbox::BestEffort), Some(Duration::from_mins(10))));
    assert_eq!(policy.wait_for, ["db.internal:5432", "cache.internal:*"]);
    assert_eq!((policy.require_backup, policy.backup_dir.as_deref(), policy.backup_keep), (true, Some("/var/backups/shop"), Some(5)));
    let (name, step) = &manifest.host_steps[0];
    assert_eq!((name.value.as_str(), name.at.to_string().as_str()), ("deploy", "wasmhook.toml:35:12"));
    assert_eq!(step.run.value, GuestDecl::Native { argv: vec!["./deploy.sh".to_owned(), "{tag}".to_owned()], shell: false });
    assert_eq!((step.cwd.as_deref(), step.env.join(","), step.set.len()), (Some("ops"), "GREETING".to_owned(), 1));
    assert_eq!(
        (limit(step.limits.timeout.as_ref()), limit(step.limits.grace.as_ref())),
        (Some(Duration::from_mins(15)), Some(Duration::from_secs(10)))
    );
    assert_eq!(limit(step.limits.output.as_ref()), Some(1 << 20));
}

#[test]
fn a_policy_file_has_the_tables_of_the_manifest() {
    let text =
        "schema = 1\n[policy]\ntimeout = '0'\nenv = []\nprograms = ['/opt/ruby/bin']\ndetach = true\n[host_step.deploy]\nrun = 'a b'\n";
    let (file, found) = parse_policy("policy.toml", text);
    assert_eq!(found, []);
    let policy = file.policy.unwrap().value;
    assert_eq!(policy.detach, Some(true));
    assert_eq!(policy.programs.iter().map(|dir| dir.value.as_str()).collect::<Vec<_>>(), ["/opt/ruby/bin"]);
    assert_eq!((limit(policy.limits.timeout.as_ref()), policy.env, policy.dirs), (Some(Duration::ZERO), Some(Vec::new()), None));
    assert_eq!(file.host_steps[0].0.value, StepName::new("deploy").unwrap());
}

#[test]
fn a_broken_manifest_keeps_what_makes_sense() {
    let text = "schema = 1\napp = 'shop'\nprofile = 3\n[[hook]]\nid = 'a'\nrun = 'x'\ntimeout = 'soon'\n[[hook]]\nid = 'b'\n";
    let (manifest, found) = parse("wasmhook.toml", text);
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [codes::WRONG_TYPE, codes::BAD_VALUE, codes::GUEST_CHOICE]);
    assert_eq!(manifest.app.map(|app| app.value.to_string()).as_deref(), Some("shop"));
    assert_eq!(manifest.hooks.iter().map(|hook| hook.id.value.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_hook_that_cannot_be_is_still_told_everything() {
    let text = "schema = 1\n[[hook]]\nfuel = 0\ndirs = [{}]\nenv = ['a b']\nset = { APP_DIR = 'x' }\ncwd = ''\n";
    let (manifest, found) = parse("wasmhook.toml", text);
    let expected = [
        codes::MISSING_KEY,
        codes::GUEST_CHOICE,
        codes::BAD_VALUE,
        codes::MISSING_KEY,
        codes::BAD_NAME,
        codes::RESERVED_NAME,
        codes::BAD_VALUE,
    ];
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), expected);
    assert!(manifest.hooks.is_empty());
}

#[test]
fn what_is_not_available_says_so_in_fixed_words() {
    let found = parse_and_lint("n.toml", include_str!("../../../tests/fixtures/manifest/bad/not-available.toml"));
    assert_eq!(found.len(), 4);
    for finding in found {
        assert_eq!(finding.code, codes::NOT_AVAILABLE);
        assert!(finding.message.starts_with("not available in this version: "), "{}", finding.message);
    }
}

#[test]
fn a_huge_or_hostile_text_is_refused_in_bounded_time() {
    let (_, found) = parse("huge.toml", &"#".repeat(MAX_BYTES + 1));
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [codes::TOO_LARGE]);
    let keys: Vec<String> = (0..60_000).map(|n| format!("k{n}=1")).collect();
    let (_, found) = parse("many.toml", &format!("schema = 1\n{}", keys.join("\n")));
    assert_eq!(found.len(), 60_000);
    assert!(render(&found, Style::default()).len() < 100_000);
    let one_line = format!("schema = 1\nx = {{{}}}\n", keys.join(","));
    assert!(has_errors(&parse("line.toml", &one_line).1));
    for nested in [
        "a = ".to_owned() + &"[".repeat(500_000),
        "a = ".to_owned() + &"{a=".repeat(150_000),
        "[".to_owned() + &"a.".repeat(250_000) + "a]",
    ] {
        assert!(has_errors(&parse("deep.toml", &nested).1));
    }
}

#[test]
fn s5_39_a_native_hook_may_find_directories_elsewhere() {
    let dirs = "dirs = [{ path = \"data\", guest = \"/data\", mode = \"read\" }, { guest = \"/cache\", mode = \"scratch\" }]";
    let text = format!("schema = 1\n[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nrun = \"true\"\n{dirs}\n");
    let (manifest, found) = parse("wasmhook.toml", &text);
    assert!(found.is_empty(), "{found:?}");
    let guests: Vec<_> = manifest.hooks[0].dirs.iter().map(|dir| dir.guest.as_deref()).collect();
    assert_eq!(guests, [Some("/data"), Some("/cache")]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_show_control_characters(text in "\\PC*|(?s).{0,200}|(schema = 1\n)?(\\[\\[?(hook|policy|env)\\]?\\]\n|(id|run|wasm|dirs|fallback|timeout) = (1|'a'|\\[\\]|\\{\\}|\"\\\\u001b\")\n){0,12}") {
        let found = parse_and_lint_any(&text);
        let shown = render(&found, Style::default());
        proptest::prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }
}

fn parse_and_lint_any(text: &str) -> Vec<Diagnostic> {
    let (manifest, mut found) = parse("any.toml", text);
    found.extend(crate::lint::check(&manifest, &profile::builtin("default").unwrap()));
    found.extend(parse_env_file("any.env", text).1);
    found
}
