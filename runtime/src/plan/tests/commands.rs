//! Native commands: their arguments, their shell, and the folder in which they start.

use super::*;

fn native(world: &World) -> (Vec<String>, String, bool) {
    match world.hooks().remove(0).guest {
        PlanGuest::Native { argv, cwd, expand_env, .. } => (argv, cwd, expand_env),
        PlanGuest::Wasm { .. } => panic!("not native"),
    }
}

#[test]
fn s5_38_on_an_instance_a_command_starts_in_the_root_of_its_code() {
    let mut world = world(
        "[services.web]\n[[hook]]\nid = \"n\"\nphase = \"before_deploy\"\nservice = \"web\"\nrun = \"ls\"\ncwd = \"scripts\"\nrevert = { run = \"ls\" }\n",
    );
    world.profile = profile::builtin("pagoda").unwrap();
    world.instances = vec![Instance { service: None, name: InstanceName::new("a").unwrap(), dir: "/srv/a".to_owned() }];
    let hook = world.hooks().remove(0);
    let cwd = |guest: &PlanGuest| if let PlanGuest::Native { cwd, .. } = guest { cwd.clone() } else { panic!("{guest:?}") };
    assert_eq!((cwd(&hook.guest).as_str(), hook.grants.dirs[0].host.as_deref()), ("/srv/a/scripts", Some("/srv/a")));
    assert_eq!(cwd(&hook.revert.unwrap().guest), "/srv/a/scripts");
}

#[test]
fn s1_26_arguments_reach_the_plan_as_they_were_written() {
    let hooks = world("[[hook]]\nid = \"n\"\nphase = \"pre-deploy\"\nrun = \"bash -c 'cd backend && python manage.py migrate'\"\n").hooks();
    let PlanGuest::Native { argv, .. } = &hooks[0].guest else { panic!("{hooks:?}") };
    assert_eq!(argv, &["bash", "-c", "cd backend && python manage.py migrate"]);
}

#[test]
fn an_operators_words_in_braces_are_replaced_in_every_argument() {
    let host = "[host_step.deploy]\nrun = [\"{app_dir}/bin/deploy\", \"{tag}\", \"from {previous_tag} in {environment}\", \"{unknown}\"]\n";
    let plan = world(host).plan().unwrap();
    let command = plan
        .steps
        .iter()
        .find_map(|step| if let PlanStepKind::Host { command, .. } = &step.kind { command.clone() } else { None })
        .unwrap();
    assert_eq!(command.argv, ["/srv/shop/bin/deploy", "v2", "from v1 in prod", "{unknown}"]);
}

#[test]
fn s4_14_a_job_starts_in_the_folder_of_its_script() {
    let script = FileFact::Present { digest: Digest::of(b"script"), size: 6, unsupported: None };
    let hook = |lines: &str| {
        let mut world = under("commit-sync", &format!("[[hook]]\nid = 'h'\nphase = 'pre-deploy'\n{lines}"));
        world.files.insert("scripts/pre-deploy/migrate.sh".to_owned(), script.clone());
        world
    };
    let by_path = native(&hook("run = 'bash scripts/pre-deploy/migrate.sh --all'"));
    assert_eq!(
        (by_path.0, by_path.1.as_str()),
        (["bash", "./migrate.sh", "--all"].map(str::to_owned).into(), "/srv/shop/scripts/pre-deploy")
    );
    let world = hook("run = 'bash migrate.sh'\ncwd = 'scripts/pre-deploy'");
    let by_folder = native(&world);
    assert_eq!((by_folder.0, by_folder.1.as_str()), (["bash", "migrate.sh"].map(str::to_owned).into(), "/srv/shop/scripts/pre-deploy"));
    let hook = world.hooks().remove(0);
    assert_eq!(hook.guest.shown(), "scripts/pre-deploy/migrate.sh", "the script is known by its path, and its bytes are planned");
}

#[test]
fn s1_27_s5_38_other_hooks_start_in_the_root_or_where_they_say() {
    let of = |lines: &str| native(&under("blueking", &format!("[[hook]]\nid = 'h'\nrun = 'x'\n{lines}"))).1;
    assert_eq!([of(""), of("cwd = 'backend'")], ["/srv/shop", "/srv/shop/backend"]);
    assert_eq!(native(&under("pagoda", "[[hook]]\nid = 'h'\nphase = 'exec'\nrun = 'bash scripts/x.sh'")).1, "/srv/shop");
}

#[test]
fn s4_13_the_profiles_shell_reads_a_line() {
    let of = |profile: &str, phase: &str| {
        native(&under(profile, &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nrun = 'a && b'\nshell = true"))).0
    };
    assert_eq!(of("commit-sync", "pre-deploy"), ["/bin/bash", "-c", "a && b"]);
    assert_eq!(of("pagoda", "exec"), ["/bin/sh", "-c", "a && b"]);
}

#[test]
fn a28_arguments_are_expanded_where_the_profile_says_so() {
    let of =
        |profile: &str, phase: &str| native(&under(profile, &format!("[[hook]]\nid = 'h'\nphase = '{phase}'\nrun = ['echo', '$X']"))).2;
    assert_eq!((of("blueking", "pre-release"), of("divio", "release")), (true, false));
}
