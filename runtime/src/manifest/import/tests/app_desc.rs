//! `app_desc.yaml`.

use super::*;

fn hook(command: &str) -> Vec<&'static str> {
    codes_of(Kind::AppDesc, &format!("spec_version: 2\nmodule:\n  scripts:\n    pre_release_hook: {command}\n"))
}

#[test]
fn s1_21_s1_22_the_seed_s_block_is_read_verbatim() {
    let text = include_str!("../../../../../tests/fixtures/s1/import/app_desc.yaml");
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
        let text =
            format!("spec_version: 2\nmodule: {{scripts: {{pre_release_hook: '{}'}}}}\n", command.trim_matches('"').replace("\\n", "\n\n"));
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
    let two = good(Kind::AppDesc, include_str!("../../../../../tests/fixtures/s1/import/modules.yaml"));
    let three = good(Kind::AppDesc, include_str!("../../../../../tests/fixtures/s1/import/modules-v3.yaml"));
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
