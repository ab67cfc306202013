//! `wasmhook import`, and foreign files given as manifests.

use wasmhook_tests::{Place, Project};

const BOXFILE: &str = "build:\n  exec:\n    - touch built\nweb1:\n  before_deploy:\n    - touch migrated\n";

#[test]
fn an_import_is_a_manifest_that_can_be_checked_as_it_is() {
    let project = Project::empty().file("release/v0.4.0.sh", "#!/bin/sh\ntouch done\n").file("release/README.md", "Hooks.\n");
    let written =
        Place::new().args(["import", "release", "--app", "shop", "-o", "wasmhook.toml"]).current_dir(project.path()).run().exits(0);
    assert_eq!(written.stdout, "");
    let text = project.read("wasmhook.toml");
    assert!(text.contains("profile = \"tenant-upgrade\"") && text.contains("run = [\"/bin/sh\", \"release/v0.4.0.sh\"]"), "{text}");
    let checked = Place::new().args(["check", "--tag", "v0.4.0"]).current_dir(project.path()).run().exits(0);
    assert!(checked.stdout.contains("shop: profile tenant-upgrade, 1 hook"), "{}", checked.stdout);
    let listed = Place::new().args(["list", "--tag", "v0.4.0"]).current_dir(project.path()).run().exits(0);
    assert_eq!(
        listed.stdout.matches("v0.4.0.sh").count(),
        2,
        "the file that the manifest names isn't found a second time: {}",
        listed.stdout
    );
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let project = Project::empty().file("Boxfile", BOXFILE).file("wasmhook.toml", "mine");
    let ran = Place::new().args(["import", "Boxfile", "-o", "wasmhook.toml"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("-o wasmhook.toml") && ran.said().contains("help: name a file that isn't there yet"), "{}", ran.stderr);
    assert_eq!(project.read("wasmhook.toml"), "mine");
}

#[test]
fn a_directory_is_searched_for_the_one_thing_that_it_holds() {
    for (file, text, said) in [
        ("Boxfile", BOXFILE, "profile = \"pagoda\""),
        ("app_desc.yaml", "spec_version: 2\nmodule: {scripts: {pre_release_hook: ls}}\n", "profile = \"blueking\""),
        (".do/app.yaml", "envs: [{key: PRE_DEPLOY_COMMAND, value: ls}]\n", "profile = \"commit-sync\""),
        ("release/v1.0.0.post-migrate.sh", "#!/bin/sh\n", "phase = \"post-migrate\""),
    ] {
        let project = Project::empty().file(file, text);
        let ran = Place::new().args(["import", "."]).current_dir(project.path()).run().exits(0);
        assert!(ran.stdout.contains(said), "{file}: {}", ran.stdout);
    }
    let two = Project::empty().file("Boxfile", BOXFILE).file("release/v1.0.0.sh", "#!/bin/sh\n");
    let ran = Place::new().args(["import", "."]).current_dir(two.path()).run().exits(2);
    assert!(ran.said().contains("error[unknown-format]") && ran.said().contains("`Boxfile`, `release/`"), "{}", ran.stderr);
    let chosen = Place::new().args(["import", ".", "--as", "boxfile"]).current_dir(two.path()).run().exits(0);
    assert!(chosen.stdout.contains("profile = \"pagoda\""), "{}", chosen.stdout);
}

#[test]
fn s1_25_without_a_description_post_compile_is_a_hook_of_the_build_and_the_difference_is_said() {
    let project = Project::empty().file("bin/post-compile", "#!/bin/bash\npython manage.py migrate\n");
    let ran = Place::new().args(["import", "."]).current_dir(project.path()).run().exits(0);
    assert!(ran.stdout.contains("phase = \"post-build\"") && ran.stdout.contains("run = [\"./bin/post-compile\"]"), "{}", ran.stdout);
    assert!(ran.said().contains("runs right after the build") && ran.said().contains("pre_release_hook"), "{}", ran.stderr);
}

#[test]
fn s1_19_post_compile_beside_a_description_is_a_hook_too() {
    let description = "spec_version: 2\nmodule: {scripts: {pre_release_hook: ls}}\n";
    let project = Project::empty().file("app_desc.yaml", description).file("bin/post-compile", "#!/bin/bash\n");
    let ran = Place::new().args(["import", "app_desc.yaml"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stdout.contains("phase = \"post-build\"") && ran.stdout.contains("phase = \"pre-release\""), "{}", ran.stdout);
}

#[test]
fn s4_75_a_folder_of_jobs_that_nothing_names_is_mentioned() {
    let project = Project::empty()
        .file("appspec.yaml", "envs: [{key: PRE_DEPLOY_COMMAND, value: bash x.sh}, {key: PRE_DEPLOY_FOLDER, value: scripts/pre-deploy}]\n")
        .file("scripts/pre-deploy/x.sh", "")
        .file("scripts/post-deploy/y.sh", "");
    let ran = Place::new().args(["import", "appspec.yaml"]).current_dir(project.path()).run().exits(0);
    assert!(ran.said().contains("nothing in `scripts/post-deploy` runs"), "{}", ran.stderr);
    assert!(!ran.said().contains("nothing in `scripts/pre-deploy`"), "{}", ran.stderr);
}

#[test]
fn s4_21_the_environment_alone_is_imported() {
    let project = Project::empty();
    let mut call = Place::new().args(["import", "--from-env", "--app", "shop"]).current_dir(project.path());
    for (name, value) in [("PRE_DEPLOY_COMMAND", "bash migrate.sh"), ("PRE_DEPLOY_FOLDER", "scripts"), ("PRE_DEPLOY_TIMEOUT", "60")] {
        call = call.env(name, value);
    }
    let ran = call.run().exits(0);
    for line in ["app = \"shop\"", "run = \"bash migrate.sh\"", "shell = true", "cwd = \"scripts\"", "timeout = \"60s\""] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}

#[test]
fn a_broken_file_is_told_with_its_line_and_nothing_is_written() {
    let project = Project::empty().file("Boxfile", "web1:\n\tbefore_deploy:\n");
    let ran = Place::new().args(["import", "Boxfile", "-o", "out.toml"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("error[yaml-syntax]") && ran.said().contains("Boxfile:2") && ran.said().contains("tab"), "{}", ran.stderr);
    assert!(!project.has("out.toml"));
}

#[test]
fn what_a_manifest_cannot_say_is_in_the_file_and_on_the_screen() {
    let project = Project::empty().file("Boxfile", "build: {reuse_libs: true, exec: [ls]}\n");
    let ran = Place::new().args(["import", "Boxfile"]).current_dir(project.path()).run().exits(0);
    assert!(ran.said().contains("warning[not-imported]"), "{}", ran.stderr);
    assert!(ran.stdout.contains("# - Boxfile:1: `reuse_libs` is not read"), "{}", ran.stdout);
}

#[test]
fn a36_neighbours_are_refused_by_name_also_when_they_are_given_as_manifests() {
    for (file, text, what) in [
        ("Procfile", "release: ls\n", "Procfile"),
        ("app.json", "{}", "app.json"),
        (".kamal/hooks/pre-deploy", "#!/bin/sh\n", "Kamal"),
        ("boxfile.yml", "run.config:\n", "Nanobox"),
    ] {
        let project = Project::empty().file(file, text);
        for args in [&["import", file][..], &["run", "--manifest", file, "--app", "a"], &["import", "."]] {
            let ran = Place::new().args(args).current_dir(project.path()).run().exits(2);
            assert!(ran.said().contains("error[foreign-format]") && ran.said().contains(what), "{args:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn a36_a_release_tool_in_a_release_folder_is_never_a_hook() {
    let project = Project::empty().file("release/v1.0.0.sh", "#!/bin/sh\ngit tag v1.0.0\ngit push --tags\n");
    let ran = Place::new().args(["import", "release"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("error[release-file]"), "{}", ran.stderr);
}

#[test]
fn s3_61_a_release_folder_ignores_its_readme_and_reports_unknown_phases() {
    let project =
        Project::empty().file("release/v1.0.0.sh", "#!/bin/sh\n").file("release/v1.0.0.pre-pul.sh", "").file("release/README.md", "");
    let ran = Place::new().args(["import", "release"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("rename it to `pre-pull`") && !ran.said().contains("README"), "{}", ran.stderr);
    let older = Project::empty()
        .file("release/v1.0.0.sh", "#!/bin/sh\n")
        .file("release/v0.9.0.sh", "#!/bin/sh\n")
        .file("release/v1.0.0.pre-pull.sh", "#!/bin/sh\n");
    let newest = Place::new().args(["import", "release"]).current_dir(older.path()).run().exits(0);
    assert_eq!(newest.stdout.matches("[[hook]]").count(), 2, "{}", newest.stdout);
    assert!(newest.said().contains("the hooks of v0.9.0 are left out"), "{}", newest.stderr);
    let chosen = Place::new().args(["import", "release", "--tag", "v0.9.0"]).current_dir(older.path()).run().exits(0);
    assert!(chosen.stdout.contains("release/v0.9.0.sh") && !chosen.stdout.contains("release/v1.0.0.sh"), "{}", chosen.stdout);
}

#[test]
fn importing_never_follows_a_link() {
    let outside = Project::empty().file("Boxfile", BOXFILE).file("release/v1.0.0.sh", "#!/bin/sh\n").file("post-compile", "secret");
    let link = |from: &str, to: &str| {
        let project = Project::empty().file("bin/x", "").file("folder/x", "");
        std::os::unix::fs::symlink(outside.path().join(from), project.path().join(to)).unwrap();
        project
    };
    let file = link("Boxfile", "Boxfile");
    for args in [&["import", "Boxfile"][..], &["import", "."], &["plan", "--manifest", "Boxfile", "--app", "a"]] {
        let ran = Place::new().args(args).current_dir(file.path()).run();
        assert!(ran.stderr.contains("symbolic link") && !ran.stdout.contains("touch"), "{args:?}: {} {}", ran.stdout, ran.stderr);
    }
    let folder = link("release", "release");
    let ran = Place::new().args(["import", "."]).current_dir(folder.path()).run();
    assert!(!ran.stdout.contains("v1.0.0"), "{}", ran.stdout);
    let hook = link("release/v1.0.0.sh", "folder/v1.0.0.sh");
    let ran = Place::new().args(["import", "folder"]).current_dir(hook.path()).run().exits(2);
    assert!(ran.said().contains("symbolic link"), "{}", ran.stderr);
    let compile = link("post-compile", "bin/post-compile");
    let ran = Place::new().args(["import", "."]).current_dir(compile.path()).run();
    assert!(ran.stderr.contains("symbolic link") && !ran.stdout.contains("[[hook]]"), "{} {}", ran.stdout, ran.stderr);
}

#[test]
fn an_unknown_file_is_asked_about_and_read_as_what_it_is_said_to_be() {
    let project = Project::empty().file("settings", "Migrate python manage.py\n").file("list.txt", "Migrate\tpython manage.py migrate\n");
    let ran = Place::new().args(["import", "settings"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("error[unknown-format]") && ran.said().contains("--as KIND"), "{}", ran.stderr);
    let ran = Place::new().args(["import", "settings", "--as", "command-list"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("this one has no tab"), "{}", ran.stderr);
    let ran = Place::new().args(["import", "list.txt"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stdout.contains("label = \"Migrate\""), "{}", ran.stdout);
    let ran = Place::new().args(["import", "list.txt", "--as", "boxfil"]).current_dir(project.path()).run().exits(2);
    assert!(ran.stderr.contains("did you mean `boxfile`?"), "{}", ran.stderr);
}

#[test]
fn s1_23_one_module_is_chosen_by_its_name() {
    let text = "spec_version: 2\nmodules: {web: {scripts: {pre_release_hook: ./web.sh}}, api: {scripts: {pre_release_hook: ./api.sh}}}\n";
    let project = Project::empty().file("app_desc.yaml", text);
    let ran = Place::new().args(["import", "app_desc.yaml", "--module", "api"]).current_dir(project.path()).run().exits(0);
    assert!(ran.stdout.contains("./api.sh") && !ran.stdout.contains("./web.sh"), "{}", ran.stdout);
    let ran = Place::new().args(["import", "app_desc.yaml", "--module", "worker"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("its modules are: `web`, `api`"), "{}", ran.stderr);
}

#[test]
fn a_foreign_file_without_an_application_needs_a_name() {
    let project = Project::empty().file("Boxfile", BOXFILE);
    let ran =
        Place::new().args(["plan", "--manifest", "Boxfile", "--profile", "tenant-upgrade"]).current_dir(project.path()).run().exits(2);
    assert!(ran.said().contains("error[no-app]") && ran.said().contains("--app NAME"), "{}", ran.stderr);
}

#[test]
fn s4_21_without_a_manifest_the_environment_describes_the_hooks() {
    let profile = PROFILE.replace("name = \"exec\"", "name = \"pre-deploy\"");
    let project = Project::empty().file("mine.toml", profile).file("jobs/x.sh", "touch ../ran\n");
    let args = ["run", "--from-env", "--profile", "./mine.toml", "--app", "shop"];
    let call = |args: &[&str]| Place::new().args(args).current_dir(project.path()).env("PRE_DEPLOY_FOLDER", "jobs");
    let ran = call(&args).env("PRE_DEPLOY_COMMAND", "bash x.sh").run().exits(0);
    assert!(project.has("ran"), "{}", ran.stderr);
    let refused = call(&args).env("PRE_DEPLOY_COMMAND", "bash x.sh").env("PRE_DEPLOY_TIMEOUT", "abc").run().exits(2);
    assert!(refused.said().contains("error[bad-value]") && refused.said().contains("PRE_DEPLOY_TIMEOUT"), "{}", refused.stderr);
    let outside = call(&args).env("PRE_DEPLOY_COMMAND", "ls").env("PRE_DEPLOY_FOLDER", "../..").run().exits(2);
    assert!(outside.said().contains("error[escapes-root]"), "{}", outside.stderr);
    let unset = call(&["plan", "--from-env", "--profile", "./mine.toml", "--app", "shop"]).run().exits(0);
    assert!(
        unset.stdout.contains("PRE_DEPLOY_COMMAND is not configured") || unset.said().contains("PRE_DEPLOY_COMMAND is not configured"),
        "{}",
        unset.stderr
    );
}

#[test]
fn s4_21_beside_a_manifest_the_environments_jobs_are_named_and_make_no_hook() {
    let spec = "envs:\n  - {key: PRE_DEPLOY_COMMAND, value: 'touch spec'}\n";
    let project = Project::new("profile = 'commit-sync'").file("appspec.yaml", spec);
    let run = |args: &[&str]| {
        let call =
            Place::new().args([&["run", "--from-env", "--app", "shop", "--format", "json"], args].concat()).current_dir(project.path());
        call.env("PRE_DEPLOY_COMMAND", "touch spec").env("POST_DEPLOY_FOLDER", " ").env("POST_DEPLOY_TIMEOUT", "60").run().exits(0)
    };
    let told = |args: &[&str]| {
        let report = run(args).report();
        let notices = report["notices"].as_array().unwrap().iter().filter(|notice| notice["code"] == "jobs-elsewhere");
        notices.map(|notice| notice["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [both] = told(&[]).try_into().unwrap();
    assert!(both.contains("those of wasmhook.toml: PRE_DEPLOY_COMMAND, POST_DEPLOY_TIMEOUT of the environment"), "{both}");
    assert!(both.contains("wasmhook import --from-env"), "the way out: {both}");
    assert!(!project.has("spec"), "no hook came of it");
    let [other] = told(&["--manifest", "appspec.yaml"]).try_into().unwrap();
    assert!(other.contains("appspec.yaml: POST_DEPLOY_TIMEOUT of"), "what the spec says itself is no news: {other}");
    assert!(project.has("spec"));
}

#[test]
fn s5_28_an_instance_may_belong_to_a_service() {
    let profile = PROFILE.replace("title = \"Before\"", "title = \"Before\"\nscope = \"all\"");
    let boxfile = "web1: {before_deploy: [ls]}\nweb2: {before_deploy: [ls]}\n";
    let project = Project::empty().file("Boxfile", boxfile).file("mine.toml", profile).file("a/x", "").file("b/x", "").file("c/x", "");
    let instances = ["--instance", "web1/a=a", "--instance", "web2/c=c", "--instance", "web1/b=b"];
    let args = ["list", "--format", "json", "--manifest", "Boxfile", "--profile", "./mine.toml", "--app", "shop"];
    let listed = Place::new().args([&args[..], &instances[..]].concat()).current_dir(project.path()).run().exits(0).json();
    let place = |row: &serde_json::Value| format!("{}@{}", row["service"].as_str().unwrap(), row["instance"].as_str().unwrap());
    let places: Vec<String> = listed["hooks"].as_array().unwrap().iter().map(place).collect();
    assert_eq!(places, ["web1@a", "web1@b", "web2@c"]);
}

/// A lifecycle that has the phases of a Boxfile.
const PROFILE: &str =
    "schema = 1\nname = \"mine\"\ndescription = \"d\"\non_locked = \"fail\"\non_unknown = \"rerun\"\ndefault_mode = \"write\"\n
[[step]]\nname = \"exec\"\nkind = \"phase\"\ntitle = \"Exec\"\n[[step]]\nname = \"before_deploy\"\nkind = \"phase\"\ntitle = \"Before\"\n";

#[test]
fn s5_13_a_foreign_file_runs_as_a_manifest_under_a_profile_of_one_s_own() {
    let project = Project::empty().file("Boxfile", "build:\n  exec:\n    - touch built && ls\n").file("mine.toml", PROFILE);
    let args = ["--manifest", "Boxfile", "--profile", "./mine.toml", "--app", "shop"];
    let planned = Place::new().args([&["plan"], &args[..]].concat()).current_dir(project.path()).run().exits(0);
    assert!(planned.stdout.contains("touch built && ls") && planned.stdout.contains("shell = true"), "{}", planned.stdout);
    let ran = Place::new().args([&["run"], &args[..]].concat()).current_dir(project.path()).run().exits(0);
    assert!(project.has("built"), "it ran: {}", ran.stderr);
}
