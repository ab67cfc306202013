//! Repositories that hooks come from: each that is named is declared, and each that is declared is named.

use crate::diagnostic::{Diagnostic, codes};
use crate::document::{error_at, quote, suggest};
use crate::manifest::Manifest;
use crate::model::source::Revision;

/// Reports sources that nobody declared, that nobody uses, and that anybody on the way can change.
pub(super) fn check(manifest: &Manifest, found: &mut Vec<Diagnostic>) {
    let known: Vec<&str> = manifest.sources.iter().map(|(name, _)| name.value.as_str()).collect();
    let named = || manifest.hooks.iter().filter_map(|hook| hook.source.as_ref());
    for name in named().filter(|name| !known.contains(&name.value.as_str())) {
        let message = format!("there is no `[source.{}]`", name.value);
        let help = match known[..] {
            [] => "declare it, with the `git` address of its repository".to_owned(),
            _ => suggest(name.value.as_str(), known.iter().copied()),
        };
        found.push(error_at(name, codes::UNKNOWN_SOURCE, message).help(help));
    }
    for (name, source) in &manifest.sources {
        if named().all(|used| used.value != name.value) {
            let message = format!("no hook comes from the source {}", quote(name.value.as_str()));
            let unused = Diagnostic::warning(codes::NO_EFFECT, message).at(name.at.clone());
            found.push(unused.help(format!("write `source = \"{}\"` in a hook, or remove it", name.value)));
        }
        let is_pinned = matches!(source.revision, Revision::Commit(_));
        if source.git.value.is_insecure() && !is_pinned {
            let message = format!("{} is read without encryption: whoever is on the way decides what runs", source.git.value);
            found.push(
                Diagnostic::warning(codes::INSECURE_SOURCE, message)
                    .at(source.git.at.clone())
                    .help("use https or ssh, or pin it with `commit`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    #[test]
    fn a_source_is_declared_used_and_encrypted() {
        let codes_of = |text: &str| {
            let (manifest, problems) = parse("m", &format!("schema = 1\n{text}"));
            assert_eq!(problems, []);
            let mut found = Vec::new();
            check(&manifest, &mut found);
            found.iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        let jobs = "[source.jobs]\ngit = 'https://host/jobs'\n";
        let hook = "[[hook]]\nid = 'a'\nsource = 'jobs'\nrun = 'x'\n";
        assert_eq!(codes_of(&format!("{jobs}{hook}")), [""; 0]);
        assert_eq!(codes_of(&hook.replace("'jobs'", "'job'")), [codes::UNKNOWN_SOURCE]);
        assert_eq!(codes_of(jobs), [codes::NO_EFFECT]);
        let insecure = jobs.replace("https", "http");
        assert_eq!(codes_of(&format!("{insecure}{hook}")), [codes::INSECURE_SOURCE]);
        assert_eq!(codes_of(&format!("{insecure}commit = '{}'\n{hook}", "a".repeat(40))), [""; 0]);
    }
}
