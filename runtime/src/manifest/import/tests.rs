//! The fixtures of `tests/fixtures/<seed>/import`: what each file becomes, or what it is told, word for word; and what the rules say.
//! `WASMHOOK_BLESS=1` rewrites the expected texts; read the difference before you commit it.

mod app_desc;
mod app_spec;
mod boxfile;
mod command_list;

use super::*;
use crate::diagnostic::{Severity, Style, codes, has_errors, render};
use crate::manifest::{GuestDecl, HookDecl, parse};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_expected = path.extension().is_some_and(|extension| extension == "toml" || extension == "err");
        if path.is_dir() {
            files(&path, found);
        } else if !is_expected {
            found.push(path);
        }
    }
    found.sort();
}

fn fixtures(found: &mut Vec<PathBuf>) {
    for seed in ["s1", "s2", "s4", "s5"] {
        files(&root().join(seed).join("import"), found);
    }
}

/// Reads a text as a user's file would be: recognised by its name, else by its content.
fn read_as_recognised(name: &str, text: &str) -> Imported {
    match recognise(name, text) {
        Recognised::Format(kind) => import(kind, name, text, Given::default()),
        Recognised::Neighbour(neighbour) => {
            let refused = Diagnostic::error(codes::FOREIGN_FORMAT, neighbour.refusal()).help(neighbour.help);
            Imported { found: vec![refused], ..Imported::default() }
        }
        Recognised::Unknown => panic!("{name} is not recognised"),
    }
}

fn good(kind: Kind, text: &str) -> Imported {
    let imported = import(kind, "file", text, Given::default());
    assert!(!has_errors(&imported.found), "{}", render(&imported.found, Style::default()));
    imported
}

fn codes_of(kind: Kind, text: &str) -> Vec<&'static str> {
    import(kind, "file", text, Given::default()).found.iter().map(|found| found.code).collect()
}

/// The hooks, one a line: `phase id [service] command`.
fn lines(imported: &Imported) -> Vec<String> {
    imported.manifest.hooks.iter().map(line).collect()
}

fn line(hook: &HookDecl) -> String {
    let service = hook.service.as_ref().map(|service| format!("[{}] ", service.value)).unwrap_or_default();
    let GuestDecl::Native { argv, shell } = &hook.guest.value else { panic!("{hook:?}") };
    let command = if *shell { format!("sh: {}", argv[2]) } else { shell_words::join(argv) };
    format!("{} {} {service}{command}", hook.phase.as_ref().unwrap().value, hook.id.value)
}

/// What a manifest says, without places and origins.
fn said(manifest: &Manifest) -> String {
    let mut hooks = manifest.hooks.clone();
    for hook in &mut hooks {
        hook.origin = String::new();
    }
    let text = format!("{:#?}", Manifest { hooks, ..manifest.clone() });
    let (mut out, mut skip) = (String::new(), None);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match skip {
            Some(level) if indent > level => {}
            _ if line.trim_start().starts_with("at: ") => skip = Some(indent),
            Some(level) if indent == level && line.trim() == "}," => skip = None,
            _ => {
                skip = None;
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[test]
fn what_files_become_is_written_beside_them() {
    let bless = std::env::var_os("WASMHOOK_BLESS").is_some();
    let (mut found, mut different) = (Vec::new(), Vec::new());
    fixtures(&mut found);
    assert!(found.len() >= 25, "the fixtures are where the test looks");
    for path in &found {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let imported = read_as_recognised(&name, &std::fs::read_to_string(path).unwrap());
        let (extension, shown) = if has_errors(&imported.found) {
            ("err", render(&imported.found, Style::default()))
        } else {
            ("toml", to_toml(&imported, &name))
        };
        let expected = PathBuf::from(format!("{}.{extension}", path.display()));
        if bless {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            different.push(format!("{}:\n{shown}", expected.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn what_is_written_says_what_was_read() {
    let mut found = Vec::new();
    fixtures(&mut found);
    for path in &found {
        let imported = read_as_recognised(&path.display().to_string(), &std::fs::read_to_string(path).unwrap());
        if has_errors(&imported.found) {
            continue;
        }
        let (again, problems) = parse("wasmhook.toml", &to_toml(&imported, "a\nb"));
        assert!(problems.is_empty(), "{}", render(&problems, Style::default()));
        assert_eq!(said(&again), said(&imported.manifest), "{}", path.display());
    }
}

/// An importer and its platform's lifecycle agree on phases: nothing that is read is refused for want of one.
#[test]
fn what_is_read_keeps_to_its_profile() {
    let mut found = Vec::new();
    fixtures(&mut found);
    for path in &found {
        let imported = read_as_recognised(&path.display().to_string(), &std::fs::read_to_string(path).unwrap());
        let profile = imported.manifest.profile.as_ref().and_then(|profile| crate::profile::builtin(&profile.value));
        let Some(profile) = profile.filter(|_| !has_errors(&imported.found)) else { continue };
        let problems = crate::lint::check(&imported.manifest, &profile);
        assert!(!has_errors(&problems), "{}: {}", path.display(), render(&problems, Style::default()));
    }
}

#[test]
fn what_is_written_keeps_every_character() {
    let text = "web1:\n  before_deploy:\n    - \"printf 'a\\tb\\n\\\\n \\\" \\u2028 \\u001b ${X} #'\"\n";
    let imported = good(Kind::Boxfile, text);
    let written = to_toml(&imported, "x");
    assert_eq!(said(&parse("w", &written).0), said(&imported.manifest), "{written}");
    assert!(!written.contains(['\u{1b}', '\u{2028}']), "nothing raw");
}

#[test]
fn the_hooks_origin_is_the_file_and_their_place_the_command() {
    let imported = good(Kind::Boxfile, "web1:\n  before_deploy:\n    - php a.php\n");
    let hook = &imported.manifest.hooks[0];
    assert_eq!((hook.origin.as_str(), hook.guest.at.to_string().as_str()), ("file", "file:3:7"));
    assert_eq!(hook.label.as_deref(), Some("php a.php"));
}

#[test]
fn a36_neighbouring_formats_are_named_and_never_read() {
    let code_deploy = "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n    - location: a.sh\n";
    for (name, text, what) in [
        ("Procfile", "release: ./migrate\n", "Procfile"),
        ("app/app.json", "{}", "app.json"),
        ("appspec.yml", code_deploy, "CodeDeploy"),
        ("appspec.yaml", "hooks:\n  AfterInstall:\n    - location: a.sh\n      runas: root\n", "CodeDeploy"),
        (".kamal/hooks/pre-deploy", "#!/bin/sh\n", "Kamal"),
        ("any.yml", code_deploy, "CodeDeploy"),
    ] {
        let Recognised::Neighbour(neighbour) = recognise(name, text) else { panic!("{name}") };
        assert!(neighbour.what.contains(what), "{name}: {}", neighbour.what);
    }
    assert_eq!(codes_of(Kind::AppSpec, code_deploy), [codes::FOREIGN_FORMAT]);
}

#[test]
fn formats_are_recognised_by_name_then_by_what_they_hold() {
    for (name, text, kind) in [
        ("app_desc.yaml", "broken: [", Kind::AppDesc),
        ("x/app_desc.yml", "", Kind::AppDesc),
        ("Boxfile", "", Kind::Boxfile),
        ("appspec.yaml", "envs: []\n", Kind::AppSpec),
        ("a.yaml", "spec_version: 2\nmodule: {}\n", Kind::AppDesc),
        ("a.yaml", "spec: {services: [{name: a}]}\n", Kind::AppSpec),
        ("a.yaml", "web1: {before_deploy: ls}\n", Kind::Boxfile),
        ("a.yaml", "build: {exec: ls}\n", Kind::Boxfile),
        ("a.yaml", "- {label: a, command: b}\n", Kind::CommandList),
        ("a.txt", "Migrate\tpython manage.py migrate\n", Kind::CommandList),
    ] {
        assert_eq!(recognise(name, text), Recognised::Format(kind), "{name}: {text}");
    }
    for (name, text) in [("a.yaml", "a: 1\n"), ("notes.txt", "hello\n"), ("a", ""), ("a.yaml", "a: ["), ("a.yaml", "- 1\n")] {
        assert_eq!(recognise(name, text), Recognised::Unknown, "{name}: {text}");
    }
}

#[test]
fn every_format_has_a_name_for_the_command_line() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(*kind));
    }
    assert_eq!("boxfil".parse::<Kind>(), Err("did you mean `boxfile`?".to_owned()));
}

#[test]
fn hostile_texts_are_refused_whatever_they_claim_to_be() {
    let laughs: String = (1..20).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    for text in ["[".repeat(100_000), format!("a0: &a0 lol\n{laughs}"), "#".repeat(crate::manifest::MAX_BYTES + 1)] {
        for kind in [Kind::AppDesc, Kind::Boxfile, Kind::AppSpec, Kind::CommandList] {
            assert!(has_errors(&import(kind, "bomb", &text, Given::default()).found), "{kind}");
        }
    }
}

#[test]
fn many_commands_are_read_at_once() {
    let commands: String = (0..20_000).map(|n| format!("    - \"php {n}.php\"\n")).collect();
    let imported = good(Kind::Boxfile, &format!("web1:\n  before_deploy:\n{commands}"));
    assert_eq!(imported.manifest.hooks.len(), 20_000);
    let labels: String = (0..20_000).map(|_| "Same\tls\n").collect();
    assert_eq!(good(Kind::CommandList, &labels).manifest.hooks.len(), 20_000);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_an_importer_panic(text in "(?s).{0,200}|((spec_version|module|modules|scripts|pre_release_hook|envs|services|jobs|spec|build|web1|exec|before_deploy|label|command|key|value|name|kind): ?|- |  |\n|\t|[123]|a|'|\"|\\[|\\]|\\{|\\}|, |~|PRE_DEPLOY_COMMAND|\\$\\{|\\.\\./){0,40}") {
        let _ = recognise("any", &text);
        for kind in Kind::ALL {
            let imported = import(*kind, "any", &text, Given { module: None, environment: None });
            let _ = render(&imported.found, Style::default());
            if !has_errors(&imported.found) {
                let (again, problems) = parse("wasmhook.toml", &to_toml(&imported, "any"));
                proptest::prop_assert!(!has_errors(&problems), "{}", render(&problems, Style::default()));
                proptest::prop_assert_eq!(said(&again), said(&imported.manifest));
            }
        }
    }
}
