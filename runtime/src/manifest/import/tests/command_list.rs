//! Lists of commands.

use super::*;

#[test]
fn s2_16_s2_17_s2_28_labelled_commands_in_their_order() {
    let text = include_str!("../../../../../tests/fixtures/s2/import/settings.commands");
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
