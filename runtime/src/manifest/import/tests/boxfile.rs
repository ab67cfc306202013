//! Boxfiles.

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
