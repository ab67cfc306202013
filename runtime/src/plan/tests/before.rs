//! What comes before a hook: that somebody answers, and a backup.

use super::*;

#[test]
fn s4_67_a_hook_waits_on_this_machine_or_where_the_policy_allows() {
    let waits = |address: &str| world(&format!("{HOOK}wait_for = \"{address}\"\nwait_timeout = \"90s\""));
    let hook = waits("http://localhost:8000/healthz").hooks().remove(0);
    let wait = hook.wait_for.clone().unwrap();
    assert_eq!((wait.to_string().as_str(), wait.anywhere), ("http://localhost:8000/healthz (at most 1m30s)", false));
    assert!(hook.gets_ready());
    let denials = waits("tcp://db:5432").denials();
    assert_eq!((denials[0].capability, denials[0].allow.as_str()), (Capability::Net, "[policy] wait_for = [\"db:5432\"]"));
    for (allowed, target) in [("db:5432", "tcp://db:5432"), ("DB:*", "http://db:1/x"), ("[fe80::1]:9", "tcp://[fe80::1]:9")] {
        let hook = waits(target).policy(&format!("[policy]\nwait_for = [\"{allowed}\"]")).hooks().remove(0);
        assert!(hook.wait_for.unwrap().anywhere, "{allowed}");
    }
    assert_eq!(waits("tcp://db:5433").policy("[policy]\nwait_for = [\"db:5432\"]").denials().len(), 1);
}

fn irreversible(lines: &str) -> World {
    world(&format!("{HOOK}effects = [\"db\"]\n{lines}"))
}

#[test]
fn s5_41_a_plan_knows_what_is_irreversible_and_an_operator_can_demand_a_backup() {
    let hook = irreversible("").hooks().remove(0);
    assert!(hook.is_irreversible() && hook.backup.is_none());
    let denials = irreversible("").policy("[policy]\nrequire_backup = true").denials();
    assert_eq!(denials[0].capability, Capability::Effect);
    assert!(denials[0].what.contains("(effects: db)") && denials[0].allow.starts_with("backup = "), "{denials:?}");
    let demanded = "[policy]\nrequire_backup = true\nbackup_dir = \"/var/backups/hooks\"\nbackup_keep = 3";
    let hook = irreversible("backup = [\"$DATA_DIR\"]").policy(demanded).hooks().remove(0);
    let expected = crate::model::backup::BackupPlan { dirs: vec!["/srv/shop/db".into()], into: Some("/var/backups/hooks".into()), keep: 3 };
    assert_eq!(hook.backup, Some(expected));
    let mut unselected = irreversible("").policy("[policy]\nrequire_backup = true");
    unselected.selection.only = vec![HookId::new("other").unwrap()];
    assert!(!matches!(unselected.plan(), Err(PlanError::Denied(_))), "what doesn't run needs none");
    assert!(!world(HOOK).policy("[policy]\nrequire_backup = true").hooks()[0].is_irreversible());
}

#[test]
fn a_backup_is_of_the_applications_directories_or_of_granted_ones_and_under_the_policy() {
    let elsewhere = world(&format!("{HOOK}backup = [\"/etc\"]")).denials();
    assert!(elsewhere[0].what.starts_with("backup of /etc: "), "{elsewhere:?}");
    let granted = format!("{HOOK}dirs = [{{ path = \"/var/lib/db\", mode = \"read\" }}]\nbackup = [\"/var/lib/db/main\"]");
    assert_eq!(world(&granted).hooks()[0].backup.as_ref().unwrap().dirs, ["/var/lib/db/main"]);
    let uncovered =
        world(&format!("{HOOK}backup = [\"$APP_DIR\"]")).policy("[policy]\ndirs = [{ path = \"$DATA_DIR\", mode = \"read\" }]").denials();
    assert_eq!(uncovered[0].what, "/srv/shop (read) is not covered by the policy");
}
