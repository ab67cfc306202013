//! What the README shows is what is compiled.

use wasmhook_tests::programs::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first block of this language in a text in Markdown.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, from) = text.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no block in {language}"));
    from.split_once("```").unwrap().0
}

#[test]
fn the_embedders_text_is_the_example_that_is_compiled_with_the_library() {
    let (source, readme) = (read("runtime/src/embed.rs"), read("README.md"));
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let docs: Vec<&str> = docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let docs = docs.join("\n");
    // What begins with `#` is compiled and not shown.
    let example: Vec<&str> = block(&docs, "no_run").lines().filter(|line| !line.starts_with("# ")).collect();
    let shown: Vec<&str> = block(&readme, "rust").lines().collect();
    assert_eq!(shown, example);
}
