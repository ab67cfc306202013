//! Post-migrate: fills the cache from the static data, so that the first request finds it warm.

use std::fs;
use std::path::Path;
use wasmhook_sdk::prelude::*;

fn main() -> Outcome {
    release_hook(|ctx| {
        let cache = ctx.app_dir.join("cache");
        fs::create_dir_all(&cache).with_context(|| format!("can't make {}", cache.display()))?;
        let warmed = warm(&ctx.app_dir.join("src/app/static/data"), &cache)?;
        let index = format!("{{\"release\":\"{}\",\"entries\":[{}]}}\n", ctx.release(), warmed.join(","));
        write_atomic(cache.join("index.json"), index)?;
        println!("Warmed {} cache entries", warmed.len());
        Ok(())
    })
}

/// Copies each data file into the cache without the white space that only people need. Returns what the index says of each.
fn warm(data: &Path, cache: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data).with_context(|| format!("can't list {}", data.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    // A directory has no order of its own; the index does.
    names.sort();
    let mut warmed = Vec::new();
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let json = fs::read_to_string(data.join(name)).with_context(|| format!("can't read {name}"))?;
        let compact = compact(&json);
        warmed.push(format!("{{\"file\":\"{name}\",\"bytes\":{}}}", compact.len()));
        write_atomic(cache.join(format!("warm-{name}")), compact)?;
    }
    Ok(warmed)
}

/// JSON without white space between its tokens.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
        } else if !c.is_whitespace() {
            in_string = c == '"';
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn only_space_between_tokens_goes() {
        assert_eq!(compact("{ \"a b\" : [ 1,\n 2 ],\"c\": \"\\\" x \\\\\" }"), r#"{"a b":[1,2],"c":"\" x \\"}"#);
    }
}
