//! The fixtures of `tests/fixtures/<seed>/import`: what each file becomes, or what it is told, word for word; and what the rules say.
//! `WASMHOOK_BLESS=1` rewrites the expected texts; read the difference before you commit it.

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

mod app_desc {
    use super::*;

    fn hook(command: &str) -> Vec<&'static str> {
        codes_of(Kind::AppDesc, &format!("spec_version: 2\nmodule:\n  scripts:\n    pre_release_hook: {command}\n"))
    }

    #[test]
    fn s1_21_s1_22_the_seed_s_block_is_read_verbatim() {
        let text = include_str!("../../../../tests/fixtures/s1/import/app_desc.yaml");
        assert!(text.contains("\n\t# ...omitted"), "its tab is kept");
        let imported = good(Kind::AppDesc, text);
        assert_eq!(lines(&imported), ["pre-release pre-release python manage.py migrate --no-input"]);
        assert_eq!(imported.found, []);
        assert_eq!(imported.manifest.profile.unwrap().value, "blueking");
    }

    #[test]
    fn s1_8_a1_a_command_that_begins_with_start_is_refused_however_it_goes_on() {
        for command in ["start", "start web", "startup.sh", "' start web'"] {
            assert_eq!(hook(command), [codes::BAD_VALUE], "{command}");
        }
        assert_eq!(hook("./start web"), [""; 0]);
    }

    #[test]
    fn s1_9_a2_several_commands_are_refused_and_the_message_names_bash() {
        for command in ["a && b", "a; b", "a | b", "\"a\\nb\""] {
            let text = format!(
                "spec_version: 2\nmodule: {{scripts: {{pre_release_hook: '{}'}}}}\n",
                command.trim_matches('"').replace("\\n", "\n\n")
            );
            let found = import(Kind::AppDesc, "file", &text, Given::default()).found;
            assert_eq!(found.len(), 1, "{command}");
            let help = found[0].help.clone().unwrap();
            assert!(help.contains("bash -c") || help.contains("script"), "{command}: {help}");
        }
    }

    #[test]
    fn s1_26_s1_28_a3_commands_are_words_and_no_shell_reads_them() {
        let imported = good(
            Kind::AppDesc,
            "spec_version: 2\nmodule: {scripts: {pre_release_hook: 'bash -c \"cd backend && python manage.py migrate\"'}}\n",
        );
        let GuestDecl::Native { argv, shell } = &imported.manifest.hooks[0].guest.value else { panic!() };
        assert_eq!((argv.join("|").as_str(), shell), ("bash|-c|cd backend && python manage.py migrate", &false));
    }

    #[test]
    fn s1_29_a_relative_command_and_a28_its_variables_are_left_as_they_are() {
        let imported = good(Kind::AppDesc, "spec_version: 2\nmodule: {scripts: {pre_release_hook: './bin/pre-release $FOO ${BAR}'}}\n");
        let GuestDecl::Native { argv, .. } = &imported.manifest.hooks[0].guest.value else { panic!() };
        assert_eq!(argv.join("|"), "./bin/pre-release|$FOO|${BAR}");
    }

    #[test]
    fn a4_without_a_command_the_phase_is_skipped_and_that_is_said() {
        for text in [
            "spec_version: 2\nmodule: {language: Go}\n",
            "spec_version: 2\nmodule: {scripts: {pre_release_hook: ''}}\n",
            "spec_version: 2\nmodule: {scripts: }\n",
        ] {
            let imported = good(Kind::AppDesc, text);
            assert_eq!(lines(&imported), [""; 0]);
            assert_eq!(imported.notes[0].value, "The Pre-release command is not configured, skip the Pre-release phase.");
        }
    }

    #[test]
    fn a26_versions_2_and_3_of_one_application_give_the_same_hooks() {
        let two = good(Kind::AppDesc, include_str!("../../../../tests/fixtures/s1/import/modules.yaml"));
        let three = good(Kind::AppDesc, include_str!("../../../../tests/fixtures/s1/import/modules-v3.yaml"));
        assert_eq!(lines(&two).len(), 2);
        assert_eq!(said(&two.manifest), said(&three.manifest));
        let one = good(Kind::AppDesc, "spec_version: 2\nmodule: {scripts: {pre_release_hook: ls -l}}\n");
        let list =
            good(Kind::AppDesc, "spec_version: 3\nmodules: [{name: default, spec: {hooks: {preRelease: {command: [ls], args: [-l]}}}}]\n");
        assert_eq!(said(&one.manifest), said(&list.manifest));
    }

    #[test]
    fn a26_both_spellings_of_the_version_are_read() {
        for key in ["spec_version: 1", "specVersion: 1", "spec_version: '2'", "specVersion: 2"] {
            assert_eq!(lines(&good(Kind::AppDesc, &format!("{key}\nmodule: {{scripts: {{pre_release_hook: ls}}}}\n"))).len(), 1, "{key}");
        }
        assert_eq!(lines(&good(Kind::AppDesc, "app_code: shop\napp_name: Shop\n")), [""; 0]);
        assert_eq!(codes_of(Kind::AppDesc, "spec_version: 2\n"), [codes::MISSING_KEY]);
        assert_eq!(codes_of(Kind::AppDesc, "spec_version: 4\nmodule: {}\n"), [codes::BAD_VALUE]);
        assert_eq!(codes_of(Kind::AppDesc, "module: {}\n"), [codes::MISSING_KEY]);
        assert_eq!(codes_of(Kind::AppDesc, "spec_version: [2]\nmodule: {}\n"), [codes::WRONG_TYPE]);
    }

    #[test]
    fn s1_23_a27_a_module_is_looked_up_by_name_then_falls_back_to_module() {
        let text = "spec_version: 2\nmodules: {web: {scripts: {pre_release_hook: web.sh}}, api: {scripts: {pre_release_hook: api.sh}}}\n";
        let asked = |text: &str, module| import(Kind::AppDesc, "file", text, Given { module: Some(module), environment: None });
        assert_eq!(lines(&asked(text, "api")), ["pre-release api-pre-release [api] api.sh"]);
        let found = asked(text, "worker").found;
        assert_eq!((found.len(), found[0].help.as_deref()), (1, Some("its modules are: `web`, `api`")));
        let both = format!("{text}module: {{scripts: {{pre_release_hook: all.sh}}}}\n");
        assert_eq!(lines(&asked(&both, "worker")), ["pre-release pre-release all.sh"]);
        assert_eq!(lines(&good(Kind::AppDesc, &both)).len(), 3, "without a choice, all of them");
    }

    #[test]
    fn a27_names_and_folders_keep_to_the_platform_s_rules() {
        let module = |name: &str, body: &str| codes_of(Kind::AppDesc, &format!("spec_version: 2\nmodules: {{{name}: {{{body}}}}}\n"));
        assert_eq!(module("sixteen-letters-", ""), [""; 0]);
        assert_eq!(module("seventeen-letters", ""), [codes::BAD_NAME]);
        for process in ["Web", "-web", "a_b", "thirteen-chars"] {
            assert_eq!(module("web", &format!("processes: {{{process}: ~}}")), [codes::BAD_NAME], "{process}");
        }
        assert_eq!(module("web", "processes: {twelve-chars: ~}"), [""; 0]);
        for folder in ["..", "a/../..", "/srv"] {
            assert_eq!(module("web", &format!("source_dir: {folder}")), [codes::ESCAPES_ROOT], "{folder}");
        }
        assert_eq!(module("web", "source_dir: a/../b"), [""; 0]);
    }

    #[test]
    fn s1_15_its_directory_has_the_mode_that_the_profile_gives() {
        let hook = &good(Kind::AppDesc, "spec_version: 2\nmodule: {scripts: {pre_release_hook: ls}}\n").manifest.hooks[0];
        assert_eq!((hook.dirs.len(), hook.dirs[0].path.value.as_str(), &hook.dirs[0].mode), (1, ".", &None));
    }

    #[test]
    fn s1_19_s1_18_post_compile_is_a_hook_of_the_build_that_may_write_there() {
        let hook = post_compile().unwrap();
        assert_eq!(line(&hook), "post-build post-compile ./bin/post-compile");
        assert_eq!(hook.dirs[0].mode.as_ref().map(|mode| mode.value), Some(crate::model::grant::DirMode::Write));
    }
}

mod command_list {
    use super::*;

    #[test]
    fn s2_16_s2_17_s2_28_labelled_commands_in_their_order() {
        let text = include_str!("../../../../tests/fixtures/s2/import/settings.commands");
        let imported = good(Kind::CommandList, text);
        let expected = [
            "release migrate-the-database python manage.py migrate",
            "release fix-the-page-tree python manage.py cms fix-tree",
            "release media-headers python manage.py set_headers --bucket 'my bucket'",
            "release migrate-the-database-2 python manage.py migrate --database second",
        ];
        assert_eq!(lines(&imported), expected);
        let labels: Vec<_> = imported.manifest.hooks.iter().filter_map(|hook| hook.label.as_deref()).collect();
        assert_eq!(labels, ["Migrate the database", "Fix the page tree", "Media headers", "Migrate the database"]);
    }

    #[test]
    fn s2_28_the_same_list_as_yaml() {
        let tabs = good(Kind::CommandList, "\u{feff}One\ta b\r\nTwo\tc 'd e'\r\n");
        let yaml = good(Kind::CommandList, "- {label: One, command: a b}\n- label: Two\n  command: \"c 'd e'\"\n");
        assert_eq!(said(&tabs.manifest), said(&yaml.manifest));
    }

    #[test]
    fn s2_18_a20_programmatic_entries_follow_and_keep_their_origin() {
        let read = |name: &str, text: &str| import(Kind::CommandList, name, text, Given::default()).manifest;
        let both = crate::manifest::merge(vec![
            read("settings", "Migrate\tpython manage.py migrate\n"),
            read("aldryn", "Tree\tpython manage.py cms fix-tree\n"),
        ]);
        let listed: Vec<_> = both.hooks.iter().map(|hook| format!("{} ({})", hook.id.value, hook.origin)).collect();
        assert_eq!(listed, ["migrate (settings)", "tree (aldryn)"]);
    }

    #[test]
    fn a_line_without_a_tab_is_told_where_it_stands() {
        let found = import(Kind::CommandList, "list", "One\ta\npython manage.py migrate\n", Given::default()).found;
        assert_eq!((found.len(), found[0].at.as_ref().unwrap().to_string().as_str()), (1, "list:2:1"));
    }
}

mod app_spec {
    use super::*;

    fn envs(envs: &[(&str, &str)]) -> String {
        let lines: String = envs.iter().map(|(key, value)| format!("  - key: {key}\n    value: \"{value}\"\n")).collect();
        format!("envs:\n{lines}")
    }

    fn spec(envs: &[(&str, &str)]) -> Imported {
        good(Kind::AppSpec, &self::envs(envs))
    }

    fn fixture(name: &str) -> Imported {
        good(Kind::AppSpec, &std::fs::read_to_string(root().join("s4/import").join(name)).unwrap())
    }

    fn cwd(imported: &Imported) -> Option<&str> {
        imported.manifest.hooks[0].cwd.as_ref().map(|cwd| cwd.value.as_str())
    }

    fn timeout(imported: &Imported) -> Option<u64> {
        imported.manifest.hooks[0].limits.timeout.as_ref().map(|timeout| timeout.value.as_secs())
    }

    #[test]
    fn s4_22_both_shapes_of_the_seed_are_read_verbatim() {
        let quick = ["pre-deploy pre-deploy sh: bash migrate.sh", "post-deploy post-deploy sh: bash warm-cache.sh"];
        assert_eq!(lines(&fixture("quick-start.yaml")), quick);
        let complete = fixture("complete.yaml");
        assert_eq!(lines(&complete), ["pre-deploy pre-deploy sh: bash migrate.sh", "post-deploy post-deploy sh: bash seed.sh"]);
        assert_eq!((cwd(&complete), timeout(&complete)), (Some("scripts/pre-deploy"), Some(300)));
        assert_eq!(complete.manifest.profile.unwrap().value, "commit-sync");
    }

    #[test]
    fn s4_77_the_smallest_configuration_is_a_folder_and_a_command() {
        let minimal = fixture("minimal.yaml");
        assert_eq!((lines(&minimal).len(), cwd(&minimal), timeout(&minimal)), (2, Some("scripts/pre-deploy"), None));
    }

    #[test]
    fn s4_10_s4_15_s4_19_an_empty_repository_is_the_application_s_own() {
        assert_eq!(lines(&fixture("same-repo.yaml")), ["pre-deploy pre-deploy sh: bash migrate.sh"]);
        assert_eq!(lines(&spec(&[("POST_DEPLOY_COMMAND", "ls"), ("POST_DEPLOY_REPO_URL", " ")])).len(), 1);
    }

    #[test]
    fn s4_12_a_job_from_another_repository_has_it_as_its_source() {
        let imported = fixture("multi-repo.yaml");
        assert_eq!(lines(&imported), ["pre-deploy pre-deploy sh: bash migrate.sh"]);
        assert_eq!(cwd(&imported), Some("migrations"));
        let (name, source) = &imported.manifest.sources[0];
        assert_eq!((name.value.as_str(), source.git.value.as_str()), ("pre-deploy", "https://github.com/user/job-repo"));
        assert_eq!(imported.manifest.hooks[0].source.as_ref().map(|at| at.value.as_str()), Some("pre-deploy"));
    }

    #[test]
    fn s4_69_jobs_of_one_repository_share_its_source_and_its_folders_are_its_own() {
        let url = |name| (name, " git@host:ops/jobs.git ");
        let jobs = [("PRE_DEPLOY_COMMAND", "a"), ("POST_DEPLOY_COMMAND", "b"), url("PRE_DEPLOY_REPO_URL"), url("POST_DEPLOY_REPO_URL")];
        let mut imported = spec(&[&jobs[..], &[("GITHUB_REPO_FOLDER", "apps/web"), ("PRE_DEPLOY_FOLDER", "x")]].concat());
        let hooks = std::mem::take(&mut imported.manifest.hooks);
        let named: Vec<_> =
            hooks.iter().map(|hook| (hook.source.as_ref().unwrap().value.as_str(), hook.cwd.as_ref().map(|at| &*at.value))).collect();
        assert_eq!(named, [("pre-deploy", Some("x")), ("pre-deploy", None)]);
        assert_eq!(imported.manifest.sources.len(), 1);
        let two = spec(&[&jobs[..], &[("POST_DEPLOY_REPO_URL", "https://host/other")]].concat());
        let both: Vec<_> = two.manifest.sources.iter().map(|(name, _)| name.value.as_str()).collect();
        assert_eq!(both, ["pre-deploy", "post-deploy"]);
    }

    #[test]
    fn a14_a_token_in_a_repository_s_address_is_refused_and_never_shown() {
        let text = "envs:\n  - key: PRE_DEPLOY_COMMAND\n    value: ls\n  - key: PRE_DEPLOY_REPO_URL\n    value: https://s3cret@host/jobs\n";
        let found = import(Kind::AppSpec, "file", text, Given::default()).found;
        assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), [codes::BAD_SOURCE]);
        let shown = crate::diagnostic::render(&found, crate::diagnostic::Style::default());
        assert!(shown.contains("PRE_DEPLOY_REPO_URL") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn s4_11_a16_the_application_s_folder_is_put_before_the_job_s_unless_it_is_there() {
        assert_eq!(cwd(&fixture("monorepo.yaml")), Some("apps/backend/scripts/pre-deploy"));
        let both = |app, job| {
            cwd(&spec(&[("PRE_DEPLOY_COMMAND", "ls"), ("GITHUB_REPO_FOLDER", app), ("PRE_DEPLOY_FOLDER", job)])).map(str::to_owned)
        };
        assert_eq!(both("apps/api/", "apps/api/jobs").as_deref(), Some("apps/api/jobs"));
        assert_eq!(both("apps/api", "/apps/api").as_deref(), Some("apps/api"));
        assert_eq!(both("apps/api", "apps/api2").as_deref(), Some("apps/api/apps/api2"));
        assert_eq!(both("apps/api", "").as_deref(), Some("apps/api"));
        assert_eq!(both("", "./jobs//x").as_deref(), Some("jobs/x"));
        assert_eq!(both("", ""), None);
    }

    #[test]
    fn s4_13_s4_17_commands_are_shell_lines_and_that_is_said() {
        let imported = spec(&[("PRE_DEPLOY_COMMAND", "cd x && make | tee log")]);
        assert_eq!(lines(&imported), ["pre-deploy pre-deploy sh: cd x && make | tee log"]);
        assert!(imported.notes.iter().any(|note| note.value.contains("shell = true")));
    }

    #[test]
    fn s4_16_s4_20_a31_timeouts_are_seconds_as_text_or_with_a_unit() {
        for (text, seconds) in [("300", Some(300)), ("0", Some(0)), ("1m", Some(60)), ("", None), (" 60 ", Some(60))] {
            assert_eq!(timeout(&spec(&[("PRE_DEPLOY_COMMAND", "ls"), ("PRE_DEPLOY_TIMEOUT", text)])), seconds, "{text:?}");
        }
        for bad in ["abc", "-5", "1 minute", "5 m x"] {
            assert_eq!(
                codes_of(Kind::AppSpec, &envs(&[("POST_DEPLOY_COMMAND", "ls"), ("POST_DEPLOY_TIMEOUT", bad)])),
                [codes::BAD_VALUE],
                "{bad}"
            );
        }
    }

    #[test]
    fn a32_a_folder_outside_of_the_repository_is_refused() {
        for bad in ["../..", "a/../../b", ".."] {
            assert_eq!(
                codes_of(Kind::AppSpec, &envs(&[("PRE_DEPLOY_COMMAND", "ls"), ("PRE_DEPLOY_FOLDER", bad)])),
                [codes::ESCAPES_ROOT],
                "{bad}"
            );
        }
    }

    #[test]
    fn a32_a_post_job_alone_is_a_job() {
        assert_eq!(lines(&spec(&[("PRE_DEPLOY_COMMAND", ""), ("POST_DEPLOY_COMMAND", "ls")])), ["post-deploy post-deploy sh: ls"]);
    }

    #[test]
    fn s4_45_what_is_set_for_a_job_without_a_command_is_a_warning() {
        let imported = spec(&[("PRE_DEPLOY_FOLDER", "x"), ("POST_DEPLOY_TIMEOUT", "60"), ("POST_DEPLOY_COMMAND", "")]);
        assert_eq!(lines(&imported), [""; 0]);
        assert_eq!(
            imported.found.iter().map(|found| (found.severity, found.code)).collect::<Vec<_>>(),
            [(Severity::Warning, codes::NO_EFFECT); 2]
        );
        assert!(imported.found[0].message.contains("PRE_DEPLOY_COMMAND is not configured"));
    }

    #[test]
    fn s4_23_the_repository_and_the_start_command_become_hints() {
        let imported = fixture("complete.yaml");
        assert!(
            imported.notes.iter().any(|note| note.value.contains("wasmhook watch -- sh -c 'bash dev_startup.sh'")),
            "{:?}",
            imported.notes
        );
        assert!(imported.notes.iter().any(|note| note.value.contains("https://github.com/user/my-app")));
    }

    #[test]
    fn s4_21_the_same_jobs_from_the_environment() {
        let pairs = [
            ("PRE_DEPLOY_COMMAND", "bash migrate.sh"),
            ("PRE_DEPLOY_FOLDER", "scripts/pre-deploy"),
            ("PRE_DEPLOY_TIMEOUT", "300"),
            ("HOME", "/root"),
        ];
        let environment: BTreeMap<String, String> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let imported = from_environment(&environment);
        assert_eq!(imported.found, []);
        assert_eq!(lines(&imported), ["pre-deploy pre-deploy sh: bash migrate.sh"]);
        assert_eq!((cwd(&imported), timeout(&imported)), (Some("scripts/pre-deploy"), Some(300)));
        assert_eq!((imported.manifest.env.len(), imported.manifest.hooks[0].origin.as_str()), (0, "environment"));
        let bad =
            BTreeMap::from([("POST_DEPLOY_COMMAND".to_owned(), "ls\nx".to_owned()), ("POST_DEPLOY_TIMEOUT".to_owned(), "abc".to_owned())]);
        let found = from_environment(&bad).found;
        assert_eq!((found.len(), found[0].at.as_ref().unwrap().to_string().as_str()), (1, "environment:2:21"));
    }

    #[test]
    fn a33_a_real_spec_with_everything_at_once() {
        let imported = fixture("app.yaml");
        let expected = [
            "pre-deploy migrate sh: npx prisma migrate deploy",
            "post-deploy seed sh: npm run seed",
            "on-failure notify sh: ./notify.sh",
            "pre-deploy api-pre-deploy [api] sh: bash migrate.sh \"${DATABASE_URL}\"",
            "post-deploy site-post-deploy [site] sh: curl -sf http://localhost:8080/ > /dev/null",
        ];
        assert_eq!(lines(&imported), expected);
        let hooks = &imported.manifest.hooks;
        assert!(hooks[0].enabled && !hooks[1].enabled, "instance_count: 0 switches a job off");
        assert_eq!(hooks[0].cwd.as_ref().unwrap().value, "db");
        assert_eq!(hooks[3].cwd.as_ref().unwrap().value, "apps/api/scripts");
        assert_eq!(imported.manifest.app.as_ref().unwrap().value.as_str(), "shop");
        let env: Vec<_> = imported.manifest.env.iter().map(|(name, value)| format!("{}={value}", name.value)).collect();
        assert_eq!(env, ["LOG_LEVEL=info"]);
        assert!(hooks[3].set.iter().any(|(name, value)| name.value == "PORT" && value == "8080"), "what one service has, its hook has");
        let lost: Vec<_> = imported.found.iter().map(|found| found.message.split(' ').next().unwrap()).collect();
        assert_eq!(lost, ["`DATABASE_URL`", "`API_KEY`", "`COMMIT`", "the"], "and a scheduled job");
    }

    #[test]
    fn a33_placeholders_come_from_the_environment_and_commands_keep_theirs() {
        let text = envs(&[
            ("URL", "${APP_URL}/x${db.PORT}"),
            ("PRE_DEPLOY_COMMAND", "echo ${APP_URL} $HOME $"),
            ("PRE_DEPLOY_FOLDER", "${FOLDER}"),
        ]);
        let environment: BTreeMap<String, String> = [("APP_URL", "http://a"), ("db.PORT", "5432"), ("FOLDER", "jobs")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let imported = import(Kind::AppSpec, "file", &text, Given { module: None, environment: Some(&environment) });
        assert_eq!(imported.found, []);
        assert_eq!(lines(&imported), ["pre-deploy pre-deploy sh: echo ${APP_URL} $HOME $"], "a shell fills in its own");
        assert_eq!(cwd(&imported), Some("jobs"));
        assert!(imported.manifest.env.iter().any(|(name, value)| name.value == "URL" && value == "http://a/x5432"));
        let reported = import(Kind::AppSpec, "file", &text, Given::default());
        assert_eq!(reported.found.iter().map(|found| found.code).collect::<Vec<_>>(), [codes::NOT_IMPORTED; 2]);
    }

    #[test]
    fn a34_the_application_s_variables_are_the_app_environment_without_the_engine_s() {
        let imported = spec(&[("DATABASE_URL", "postgres:"), ("DEPLOY_TAG", "mine"), ("A-B", "x"), ("EMPTY", "")]);
        let env: Vec<_> = imported.manifest.env.iter().map(|(name, value)| format!("{}={value}", name.value)).collect();
        assert_eq!(env, ["DATABASE_URL=postgres:", "EMPTY="]);
        assert_eq!(imported.found.iter().map(|found| found.code).collect::<Vec<_>>(), [codes::NOT_IMPORTED; 2]);
    }

    #[test]
    fn s4_70_each_service_has_at_most_one_job_in_each_phase() {
        let service = |name: &str| {
            format!(
                "  - name: {name}\n    envs: [{{key: PRE_DEPLOY_COMMAND, value: {name}.sh}}, {{key: POST_DEPLOY_COMMAND, value: seed.sh}}]\n"
            )
        };
        let imported = good(Kind::AppSpec, &format!("services:\n{}{}", service("a"), service("b")));
        let expected = [
            "pre-deploy a-pre-deploy [a] sh: a.sh",
            "post-deploy a-post-deploy [a] sh: seed.sh",
            "pre-deploy b-pre-deploy [b] sh: b.sh",
            "post-deploy b-post-deploy [b] sh: seed.sh",
        ];
        assert_eq!(lines(&imported), expected);
        let shared = good(Kind::AppSpec, "envs: [{key: PRE_DEPLOY_COMMAND, value: all.sh}]\nservices: [{name: a}, {name: b}]\n");
        assert_eq!(lines(&shared), ["pre-deploy pre-deploy sh: all.sh"], "what the whole spec says runs once");
    }

    #[test]
    fn s4_75_a_folder_of_jobs_that_nothing_names_is_mentioned() {
        let hooks = spec(&[("PRE_DEPLOY_COMMAND", "ls"), ("PRE_DEPLOY_FOLDER", "scripts/pre-deploy")]).manifest.hooks;
        let found = unused_job_folders(&hooks, &["scripts/pre-deploy", "scripts/post-deploy"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("scripts/post-deploy") && found[0].severity == Severity::Warning);
    }
}

mod boxfile {
    use super::*;

    fn fixture(name: &str) -> Imported {
        good(Kind::Boxfile, &std::fs::read_to_string(root().join("s5/import").join(name).join("Boxfile")).unwrap())
    }

    fn found(text: &str) -> Vec<(Severity, &'static str)> {
        import(Kind::Boxfile, "Boxfile", text, Given::default()).found.iter().map(|found| (found.severity, found.code)).collect()
    }

    #[test]
    fn s5_13_s5_14_s5_17_the_build_section_is_read_verbatim() {
        let build = fixture("build");
        let expected = [
            "before_exec before_exec-1 sh: mv pagoda/gemfile gemfile",
            "exec exec-1 sh: bundle install",
            "after_exec after_exec-1 sh: curl -o js/jquery.js http://code.jquery.com/jquery-2.1.1.min.js",
        ];
        assert_eq!(lines(&build), expected);
        assert_eq!(build.manifest.profile.unwrap().value, "pagoda");
    }

    #[test]
    fn s5_15_s5_34_timeouts_are_seconds_of_their_section() {
        let seconds = |imported: &Imported| {
            imported.manifest.hooks.iter().map(|hook| hook.limits.timeout.as_ref().map(|at| at.value.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(seconds(&fixture("build")), [Some(600); 3]);
        assert_eq!(seconds(&fixture("deploy")), [Some(600); 8]);
        assert_eq!(seconds(&fixture("windows")), [Some(600), Some(90)]);
        assert_eq!(seconds(&good(Kind::Boxfile, "build: {build_hook_timeout: 5}\nweb1: {after_build: ls}\n")), [Some(5)]);
        assert_eq!(found("web1: {build_hook_timeout: 5}\n"), [(Severity::Warning, codes::UNKNOWN_KEY)], "that of the build is the build's");
        assert_eq!(seconds(&good(Kind::Boxfile, "web1: {deploy_hook_timeout: , before_deploy: [ls]}\n")), [None], "the profile's default");
    }

    #[test]
    fn s5_20_s5_36_s5_45_deploy_hooks_belong_to_their_service_in_the_order_of_declaration() {
        let deploy = fixture("deploy");
        let expected = [
            "before_deploy web1-before_deploy-1 [web1] sh: php artisan migrate",
            "before_deploy_all web1-before_deploy_all-1 [web1] sh: php scripts/clear_cache.php",
            "after_deploy web1-after_deploy-1 [web1] sh: bash checksum.sh",
            "after_deploy_all web1-after_deploy_all-1 [web1] sh: bash scripts/prime_cache.sh",
            "before_deploy web2-before_deploy-1 [web2] sh: php artisan db:seed",
            "before_deploy_all web2-before_deploy_all-1 [web2] sh: php scripts/clear_cache.php",
            "after_deploy web2-after_deploy-1 [web2] sh: bash checksum2.sh",
            "after_deploy_all web2-after_deploy_all-1 [web2] sh: bash scripts/prime_cache.sh",
        ];
        assert_eq!(lines(&deploy), expected);
        let services: Vec<_> = deploy.manifest.services.iter().map(|service| service.value.as_str()).collect();
        assert_eq!(services, ["web1", "web2"]);
    }

    #[test]
    fn s5_42_commands_keep_the_order_of_their_list() {
        let imported = good(Kind::Boxfile, "web1:\n  before_deploy: [c, a, b]\n");
        let commands: Vec<_> = lines(&imported).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
        assert_eq!(commands, ["c", "a", "b"]);
    }

    #[test]
    fn s5_5_a_build_hook_of_a_service_is_an_error_and_so_is_a_deploy_hook_of_the_build() {
        for text in [
            "web1: {before_exec: [ls]}\n",
            "worker1: {after_exec: ls}\n",
            "build: {before_deploy: [ls]}\n",
            "database1: {after_deploy: [ls]}\n",
        ] {
            assert_eq!(found(text), [(Severity::Error, codes::UNKNOWN_KEY)], "{text}");
        }
        assert_eq!(lines(&good(Kind::Boxfile, "worker1: {exec: php work.php}\n")), [""; 0], "a worker's own command is no hook");
    }

    #[test]
    fn s5_2_s5_47_build_hooks_write_to_the_code_and_deploy_hooks_to_declared_directories() {
        let dirs = |hook: &HookDecl| {
            hook.dirs.iter().map(|dir| format!("{}:{}", dir.path.value, dir.mode.as_ref().unwrap().value)).collect::<Vec<_>>()
        };
        let first = fixture("first-generation").manifest.hooks;
        assert_eq!(dirs(&first[0]), [".:write"]);
        let migrate = first.iter().find(|hook| hook.id.value.as_str() == "web1-before_deploy-1").unwrap();
        assert_eq!(dirs(migrate), [".:read", "storage/uploads:write", "storage/cache:write"]);
    }

    #[test]
    fn s5_47_more_directories_than_anybody_has_are_refused() {
        let dirs: Vec<String> = (0..33).map(|n| format!("d{n}")).collect();
        assert_eq!(found(&format!("web1: {{network_dirs: [{}]}}\n", dirs.join(", "))), [(Severity::Error, codes::BAD_VALUE)]);
        assert_eq!(found(&format!("web1: {{network_dirs: [{}]}}\n", dirs[..32].join(", "))), []);
    }

    #[test]
    fn s5_10_libraries_that_should_persist_are_reported() {
        assert_eq!(found("build: {reuse_libs: true, lib_dir: vendor}\n"), [(Severity::Warning, codes::NOT_IMPORTED); 2]);
    }

    #[test]
    fn s5_33_the_services_environment_reaches_their_hooks() {
        let imported = fixture("first-generation");
        let env: Vec<_> = imported.manifest.env.iter().map(|(name, value)| format!("{}={value}", name.value)).collect();
        assert_eq!(env, ["APP_ENV=production"]);
    }

    #[test]
    fn a21_after_build_of_services_is_the_end_of_the_build_and_runs_once() {
        let imported = fixture("first-generation");
        let expected = [
            "after_exec after_exec-1 sh: if [ ! -f app/config.php ]; then cp app/config.dist.php app/config.php; fi",
            "after_exec after_exec-2 sh: rm -f public/*.map 2>/dev/null",
        ];
        assert_eq!(lines(&imported)[..2], expected);
        let notes: Vec<_> = imported.notes.iter().map(|note| note.value.as_str()).collect();
        assert_eq!(notes.iter().filter(|note| note.contains("first generation's name for build.after_exec")).count(), 2, "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("runs once")) && notes.iter().any(|note| note.contains("database1")));
        let after = good(Kind::Boxfile, "build: {after_exec: [a]}\nweb1: {after_build: [b]}\n");
        assert_eq!(lines(&after), ["after_exec after_exec-1 sh: a", "after_exec after_exec-2 sh: b"]);
    }

    #[test]
    fn a22_a_hook_is_a_list_a_single_text_or_nothing_and_a_file_may_be_empty() {
        for (value, count) in [("[a, b]", 2), ("a", 1), ("", 0), ("~", 0), ("[]", 0), ("\n    # only comments", 0)] {
            assert_eq!(lines(&good(Kind::Boxfile, &format!("web1:\n  before_deploy: {value}\n"))).len(), count, "{value:?}");
        }
        for text in ["", "# nothing\n", "web1:\nbuild:\n", "web1: {}\n"] {
            assert_eq!(lines(&good(Kind::Boxfile, text)), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn a23_of_a_key_written_twice_the_last_holds() {
        assert_eq!(
            lines(&good(Kind::Boxfile, "web1: {before_deploy: [a], before_deploy: [b]}\n")),
            ["before_deploy web1-before_deploy-1 [web1] sh: b"]
        );
        assert_eq!(found("web1: {before_deploy: [a], before_deploy: [b]}\n"), [(Severity::Warning, codes::DUPLICATE_NAME)]);
    }

    #[test]
    fn a23_a_misspelt_hook_is_a_warning_with_the_nearest_name() {
        for (key, near) in [
            ("safter_deploy", "after_deploy"),
            ("before_deploys", "before_deploy"),
            ("After_Deploy", "after_deploy"),
            ("deploy_hook_timout", "deploy_hook_timeout"),
        ] {
            let found = import(Kind::Boxfile, "Boxfile", &format!("web1:\n  {key}: [ls]\n"), Given::default()).found;
            assert_eq!(
                (found.len(), found[0].severity, found[0].help.clone()),
                (1, Severity::Warning, Some(format!("did you mean `{near}`?"))),
                "{key}"
            );
        }
        assert_eq!(found("web1: {name: site, document_root: public, php_version: 5.3, apache_static_expire: 10}\n"), []);
    }

    #[test]
    fn a23_sections_and_commands_of_the_wrong_type_are_errors_with_places() {
        for text in [
            "web1: [ls]\n",
            "build: text\n",
            "web1: {before_deploy: {a: b}}\n",
            "web1:\n  before_deploy:\n    - echo done: yes\n",
            "build: {build_hook_timeout: [1]}\n",
            "[a]\n",
            "text\n",
        ] {
            assert_eq!(found(text), [(Severity::Error, codes::WRONG_TYPE)], "{text}");
        }
        assert_eq!(found("build: {build_hook_timeout: soon}\n"), [(Severity::Error, codes::BAD_VALUE)]);
    }

    #[test]
    fn a23_a_broken_file_is_never_a_file_without_hooks() {
        for text in ["web1:\n\tbefore_deploy: [ls]\n", "web1: {before_deploy: [ls\n", "web1:\n before_deploy:\n  - \"ls\n"] {
            assert_eq!(found(text), [(Severity::Error, codes::YAML_SYNTAX)], "{text:?}");
        }
    }

    #[test]
    fn a24_commands_are_shell_lines_and_that_is_said() {
        let imported = fixture("first-generation");
        assert!(imported.manifest.hooks.iter().all(|hook| matches!(hook.guest.value, GuestDecl::Native { shell: true, .. })));
        assert!(imported.notes.iter().any(|note| note.value.contains("shell = true")));
    }

    #[test]
    fn a25_files_that_share_its_name_are_refused_by_theirs() {
        let refused = |name: &str, text: &str| match recognise(name, text) {
            Recognised::Neighbour(neighbour) => neighbour.what,
            other => panic!("{name}: {other:?}"),
        };
        assert!(refused("Boxfile", "{\"toyboxes\": {}}").contains("JSON"));
        assert!(refused("boxfile.yml", "run.config:\n  engine: php\n").contains("Nanobox"));
        assert!(refused("Boxfile", "run.config:\n  engine: php\n").contains("Nanobox"));
        assert_eq!(found("{\"toyboxes\": {}}"), [(Severity::Error, codes::FOREIGN_FORMAT)]);
    }
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
