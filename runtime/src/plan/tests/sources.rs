//! Hooks of other repositories.

use super::*;

const OF_JOBS: &str =
    "[source.jobs]\ngit = 'https://host/jobs'\nbranch = 'main'\n[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nsource = 'jobs'\n";

/// A world in which the source `jobs` holds these files; what ends in `.sh` is executable.
fn with_jobs(hook: &str, files: &[&str]) -> World {
    let mut world = world(&format!("{OF_JOBS}{hook}"));
    let file = |path: &&str| ((*path).to_owned(), Listed::File { digest: Digest::of(path.as_bytes()), executable: path.contains(".sh") });
    let module = FileFact::Present { digest: Digest::of(b"of jobs"), size: 6, unsupported: None };
    let fact = SourceFact::Read {
        commit: Commit::new("abcdef0123").unwrap(),
        modules: BTreeMap::from([("h.wasm".to_owned(), module)]),
        tree: Some(Listing(files.iter().map(file).collect())),
    };
    world.sources.insert(SourceName::new("jobs").unwrap(), fact);
    world
}

#[test]
fn s4_12_a_hook_s_files_are_those_of_its_source() {
    let hook = with_jobs("wasm = 'h.wasm'", &[]).hooks().remove(0);
    assert!(matches!(&hook.guest, PlanGuest::Wasm { digest, .. } if *digest == Digest::of(b"of jobs")));
    let source = hook.source.unwrap();
    assert_eq!(source.to_string(), "https://host/jobs (branch main, abcdef0123)");
    let missing = with_jobs("wasm = 'no.wasm'", &[]).hooks().remove(0);
    assert!(missing.unusable.is_some_and(|why| why.contains("no.wasm")));
}

#[test]
fn s4_14_a_command_of_a_source_starts_in_its_folder_there() {
    let files = ["migrations/migrate.sh", "migrations/plan.txt", "bin/x.sh"];
    let of = |hook: &str| {
        let hook = with_jobs(hook, &files).hooks().remove(0);
        let PlanGuest::Native { argv, cwd, tree: Some(_), script: None, shown, .. } = hook.guest else { panic!("{:?}", hook.guest) };
        (argv.join(" "), cwd, shown, hook.unusable)
    };
    let (argv, cwd, shown, lacks) = of("run = 'bash migrate.sh'\ncwd = './migrations/'");
    assert_eq!((argv.as_str(), cwd.as_str(), shown.as_str(), lacks), ("bash migrate.sh", "migrations", "migrations/migrate.sh", None));
    let (argv, cwd, _, lacks) = of("run = 'bin/x.sh a'");
    assert_eq!((argv.as_str(), cwd.as_str(), lacks), ("bin/x.sh a", "", None));
    for (hook, why) in [
        ("run = 'bash x'\ncwd = 'seeding'", "has no folder seeding"),
        ("run = './no.sh'\ncwd = 'bin'", "has no file bin/no.sh"),
        ("run = './plan.txt'\ncwd = 'migrations'", "migrations/plan.txt of https://host/jobs (branch main, abcdef0123) is not executable"),
    ] {
        assert!(of(hook).3.is_some_and(|lack| lack.contains(why)), "{hook}");
    }
}

#[test]
fn a_script_of_a_source_starts_in_its_folder_where_the_profile_says_so() {
    let mut world = with_jobs("run = 'bash jobs/a.sh'", &["jobs/a.sh"]);
    world.profile = profile::builtin("commit-sync").unwrap();
    let PlanGuest::Native { argv, cwd, .. } = world.hooks().remove(0).guest else { panic!("not native") };
    assert_eq!((argv.join(" ").as_str(), cwd.as_str()), ("bash ./a.sh", "jobs"));
}

#[test]
fn what_a_source_holds_counts_and_its_commit_does_not() {
    let digests = |files: &[&str], commit: &str| {
        let mut world = with_jobs("run = 'bash a.sh'", files);
        let fact = world.sources.values_mut().next().unwrap();
        if let SourceFact::Read { commit: known, .. } = fact {
            *known = Commit::new(commit).unwrap();
        }
        (world.plan().unwrap().digest(), world.hooks().remove(0).digest)
    };
    let one = digests(&["a.sh"], "aaaaaaaaaa");
    assert_eq!(digests(&["a.sh"], "bbbbbbbbbb"), one, "the same files at another commit");
    let other = digests(&["a.sh", "lib.sh"], "aaaaaaaaaa");
    assert!(other.0 != one.0 && other.1 != one.1, "a neighbour may be what the script reads");
}

#[test]
fn a_source_that_could_not_be_read_leaves_its_hooks_unusable() {
    for guest in ["wasm = 'h.wasm'\nfallback = { run = 'a', when = 'missing' }", "run = 'bash a.sh'"] {
        let mut world = with_jobs(guest, &[]);
        let fact = SourceFact::Unread { why: "no route".to_owned() };
        world.sources.insert(SourceName::new("jobs").unwrap(), fact);
        let hook = world.hooks().remove(0);
        assert_eq!((hook.unusable.as_deref(), hook.fallback), (Some("no route"), None));
        assert_eq!(hook.source.unwrap().commit, None);
    }
}

#[test]
fn a_policy_that_names_no_repository_allows_none() {
    let git = crate::model::source::GitUrl::new("https://host/ops/jobs").unwrap();
    let allowed = |lines: &str, one_file: bool| {
        let (file, problems) = manifest::parse_policy("p", &format!("schema = 1\n[policy]\n{lines}"));
        assert_eq!(problems, []);
        grants::source(&git, &file.policy.unwrap().value, one_file)
    };
    assert_eq!(allowed("", true), Ok(()));
    for (lines, one_file) in [("", false), ("sources = []", true), ("sources = ['https://host/opsy/*', 'https://host/ops/jobs2']", false)] {
        let denial = allowed(lines, one_file).unwrap_err();
        assert_eq!((denial.capability, denial.allow.as_str()), (Capability::Source, "[policy] sources = [\"https://host/ops/jobs\"]"));
    }
    for lines in ["sources = ['https://host/ops/*']", "sources = ['https://host/ops/jobs']", "sources = ['*']"] {
        assert_eq!(allowed(lines, false), Ok(()), "{lines}");
    }
}
