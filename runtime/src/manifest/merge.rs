//! Several manifests as one.

use super::{Located, Manifest};

/// Merges manifests in the order given: of single values the last one written holds, variables, services, sources and host steps of the same name are
/// replaced, and hooks are appended. A `[policy]` replaces an earlier one as a whole; what must not be replaced belongs in a policy file.
#[must_use]
pub fn merge(manifests: Vec<Manifest>) -> Manifest {
    manifests.into_iter().reduce(two).unwrap_or_default()
}

fn two(earlier: Manifest, later: Manifest) -> Manifest {
    Manifest {
        app: later.app.or(earlier.app),
        profile: later.profile.or(earlier.profile),
        app_dir: later.app_dir.or(earlier.app_dir),
        data_dir: later.data_dir.or(earlier.data_dir),
        env: by_name(earlier.env, later.env),
        env_file: later.env_file.or(earlier.env_file),
        services: services(earlier.services, later.services),
        sources: by_name(earlier.sources, later.sources),
        policy: later.policy.or(earlier.policy),
        host_steps: by_name(earlier.host_steps, later.host_steps),
        hooks: earlier.hooks.into_iter().chain(later.hooks).collect(),
    }
}

/// Both lists; what stands in both keeps its place and has the later value.
fn by_name<K: PartialEq, V>(mut all: Vec<(Located<K>, V)>, later: Vec<(Located<K>, V)>) -> Vec<(Located<K>, V)> {
    for new in later {
        match all.iter_mut().find(|(name, _)| name.value == new.0.value) {
            Some(old) => *old = new,
            None => all.push(new),
        }
    }
    all
}

fn services<T: PartialEq>(mut all: Vec<Located<T>>, later: Vec<Located<T>>) -> Vec<Located<T>> {
    for new in later {
        if all.iter().all(|old| old.value != new.value) {
            all.push(new);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    #[test]
    fn the_later_has_precedence_and_hooks_append() {
        let read = |name: &str, text: &str| {
            let (manifest, found) = parse(name, text);
            assert_eq!(found, []);
            manifest
        };
        let platform = read(
            "platform.toml",
            "schema = 1\napp = 'a'\nprofile = 'default'\nenv = { A = '1', B = '1' }\n[services.web]\n[host_step.deploy]\nrun = 'old'\n[[hook]]\nid = 'x'\nrun = 'x'\n",
        );
        let own = read(
            "own.toml",
            "schema = 1\napp = 'b'\nenv = { C = '2', A = '2' }\n[services.web]\n[services.db]\n[host_step.deploy]\nrun = 'new'\n[[hook]]\nid = 'y'\nrun = 'y'\n",
        );
        let merged = merge(vec![platform, own]);
        assert_eq!(merged.app.map(|app| app.value.to_string()).as_deref(), Some("b"));
        assert_eq!(merged.profile.map(|profile| profile.value).as_deref(), Some("default"));
        let env: Vec<_> = merged.env.iter().map(|(name, value)| (name.value.as_str(), value.as_str())).collect();
        assert_eq!(env, [("A", "2"), ("B", "1"), ("C", "2")]);
        assert_eq!(merged.services.iter().map(|name| name.value.as_str()).collect::<Vec<_>>(), ["web", "db"]);
        assert_eq!(merged.host_steps.len(), 1);
        assert_eq!(merged.host_steps[0].0.at.position().map(|(name, ..)| name.to_owned()).as_deref(), Some("own.toml"));
        let hooks: Vec<_> = merged.hooks.iter().map(|hook| (hook.id.value.as_str(), hook.origin.as_str())).collect();
        assert_eq!(hooks, [("x", "platform.toml"), ("y", "own.toml")]);
        assert_eq!(merge(Vec::new()), Manifest::default());
    }
}
