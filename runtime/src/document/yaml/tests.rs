use super::*;
use crate::diagnostic::{Style, has_errors, render};

fn good(text: &str) -> Yaml {
    let (yaml, problems) = read("a.yaml", text);
    assert_eq!(problems.into_found(), [], "{text}");
    yaml.unwrap()
}

fn codes_of(text: &str) -> Vec<&'static str> {
    read("a.yaml", text).1.into_found().iter().map(|found| found.code).collect()
}

/// A tree as one line: `{a: [x, ~]}`.
fn shown(yaml: &Yaml) -> String {
    match &yaml.value {
        YamlValue::Null => "~".to_owned(),
        YamlValue::Text(text) => format!("{text:?}"),
        YamlValue::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        YamlValue::Map(keys) => {
            format!("{{{}}}", keys.iter().map(|(key, value)| format!("{}: {}", key.name, shown(value))).collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn scalars_are_their_text_as_written() {
    let text = "a: 0755\nb: On\nc: 1_000\nd: \"300\"\ne: 'x: y'\nf: 1e3\ng: .nan\nh: 99999999999999999999999\ni: yes\nj: 2014-10-01\nk: -5\nl: plain text # comment\nm: ~\nn:\n";
    let expected = r#"{a: "0755", b: "On", c: "1_000", d: "300", e: "x: y", f: "1e3", g: ".nan", h: "99999999999999999999999", i: "yes", j: "2014-10-01", k: "-5", l: "plain text", m: ~, n: ~}"#;
    assert_eq!(shown(&good(text)), expected);
}

#[test]
fn places_are_bytes_of_the_text_also_behind_a_mark_and_crlf() {
    let text = "\u{feff}ä: é\r\nb:\r\n  - 'ü'\r\n  - 12\r\n";
    let yaml = good(text);
    let keys = yaml.map().unwrap();
    let at = |span: &Range<usize>| text[span.clone()].to_owned();
    assert_eq!((at(&keys[0].0.span), at(&keys[0].1.span)), ("ä".to_owned(), "é".to_owned()));
    let items = keys[1].1.list().unwrap();
    assert_eq!((at(&items[0].span), at(&items[1].span)), ("'ü'".to_owned(), "12".to_owned()));
    assert_eq!(items[1].text(), Some("12"));
}

#[test]
fn a26_anchors_and_merge_keys_are_followed() {
    let text = "base: &base\n  language: Python\n  n: &n 007\nmodule:\n  <<: *base\n  language: Go\n  again: *n\nlist: [*n, *n]\n";
    let expected = r#"{base: {language: "Python", n: "007"}, module: {language: "Go", again: "007", n: "007"}, list: ["007", "007"]}"#;
    assert_eq!(shown(&good(text)), expected);
}

#[test]
fn a23_of_a_key_written_twice_the_last_holds_with_a_warning() {
    let (yaml, problems) = read("Boxfile", "a: 1\nb: 2\na: 3\n");
    assert_eq!(shown(&yaml.unwrap()), r#"{a: "3", b: "2"}"#);
    let found = problems.into_found();
    assert!(!has_errors(&found));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at.as_ref().unwrap().to_string(), "Boxfile:3:1");
    assert!(found[0].message.contains("(first: Boxfile:1:1)"), "{}", found[0].message);
}

#[test]
fn a22_what_says_nothing_is_nothing() {
    for text in ["", "\n\n", "# only comments\n  # more\n", "---\n", "\u{feff}", "~\n"] {
        assert_eq!(good(text).value, YamlValue::Null, "{text:?}");
    }
}

#[test]
fn a23_what_is_no_yaml_is_an_error_with_a_place() {
    for (text, line) in [
        ("a:\n\tb: 1\n", 2),
        ("a: [1, 2\n", 2),
        ("a: b: c\n", 1),
        ("a: \"x\nb: y\n", 2),
        ("a: *b\n", 1),
        ("- a\nb: c\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
    ] {
        let (yaml, problems) = read("Boxfile", text);
        let found = problems.into_found();
        assert!(yaml.is_none() && found.len() == 1 && found[0].code == codes::YAML_SYNTAX, "{text:?}: {found:?}");
        let (_, at, _) = found[0].at.as_ref().and_then(|at| at.position()).unwrap();
        assert!(at.abs_diff(line) <= 1, "{text:?}: {}", render(&found, Style::default()));
    }
    let tab = read("Boxfile", "a:\n\tb: 1\n").1.into_found();
    assert!(tab[0].help.as_ref().unwrap().contains("tab"), "{tab:?}");
}

#[test]
fn hostile_texts_are_refused_in_bounded_time() {
    let laughs: String =
        (1..20).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    let bombs = [
        "[".repeat(100_000),
        "{a: ".repeat(10_000),
        "- ".repeat(10_000),
        (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        format!("a0: &a0 lol\n{laughs}"),
        format!("a: &a [1]\nb: [{}]\n", "*a, ".repeat(5_000)),
        "a: &a [*a]\n".to_owned(),
        "- x\n".repeat(200_000),
        "[a, b]: c\n".to_owned(),
        "a: \"\\0\"\n".to_owned(),
    ];
    for text in bombs {
        assert!(has_errors(&read("bomb", &text).1.into_found()), "{}", &text[..text.len().min(80)]);
    }
    assert_eq!(codes_of(&"#".repeat(MAX_BYTES + 1)), [codes::TOO_LARGE]);
}

#[test]
fn what_is_more_than_is_read_is_said_in_words() {
    let laughs: String = (1..8).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    for (text, said) in [
        ("a: 1\n---\nb: 2\n".to_owned(), "more than one document"),
        ("- x\n".repeat(60_000), "more than 50000 values"),
        (format!("a0: &a0 lol\n{laughs}"), "more than 50000 values, those that aliases repeat"),
        (format!("a: &a [1]\nb: [{}]\n", "*a, ".repeat(5_000)), "more than 1000 anchors or aliases"),
        ((0..40).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), "more than 32 deep"),
    ] {
        let found = read("Boxfile", &text).1.into_found();
        assert!(found[0].code == codes::YAML_SYNTAX && found[0].message.contains(said), "{found:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,200}|([a-c]: ?|- |  |\n|\t|&a |\\*a|<<: |\"|'|\\[|\\]|\\{|\\}|, |!!binary |!x |---\n|# c|\\||>|\u{feff}|é|1|\\? ){0,40}") {
        let (_, problems) = read("any", &text);
        let _ = render(&problems.into_found(), Style::default());
    }
}
