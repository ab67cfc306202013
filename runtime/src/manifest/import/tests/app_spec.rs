//! App specs, and the same variables in the environment.

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
fn a_token_in_a_repository_s_address_is_refused_and_never_shown() {
    let text = "envs:\n  - key: PRE_DEPLOY_COMMAND\n    value: ls\n  - key: PRE_DEPLOY_REPO_URL\n    value: https://s3cret@host/jobs\n";
    let found = import(Kind::AppSpec, "file", text, Given::default()).found;
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), [codes::BAD_SOURCE]);
    let shown = crate::diagnostic::render(&found, crate::diagnostic::Style::default());
    assert!(shown.contains("PRE_DEPLOY_REPO_URL") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn s4_11_a16_the_application_s_folder_is_put_before_the_job_s_unless_it_is_there() {
    assert_eq!(cwd(&fixture("monorepo.yaml")), Some("apps/backend/scripts/pre-deploy"));
    let both =
        |app, job| cwd(&spec(&[("PRE_DEPLOY_COMMAND", "ls"), ("GITHUB_REPO_FOLDER", app), ("PRE_DEPLOY_FOLDER", job)])).map(str::to_owned);
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
    assert!(imported.notes.iter().any(|note| note.value.contains("wasmhook watch -- sh -c 'bash dev_startup.sh'")), "{:?}", imported.notes);
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
    let text =
        envs(&[("URL", "${APP_URL}/x${db.PORT}"), ("PRE_DEPLOY_COMMAND", "echo ${APP_URL} $HOME $"), ("PRE_DEPLOY_FOLDER", "${FOLDER}")]);
    let environment: BTreeMap<String, String> =
        [("APP_URL", "http://a"), ("db.PORT", "5432"), ("FOLDER", "jobs")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
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
