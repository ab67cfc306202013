//! The document's other configurations and example jobs (`commit-sync/more`): as they stand, and as modules.

use super::site::{Deployed, Site};
use wasmhook_tests::example;

const SPEC: &[&str] = &["--manifest", "app/appspec.yaml", "--app", "my-app"];
const MODULES: &[&str] = &["--manifest", "wasm.toml"];

/// One of them twice: for the commands as they stand, and for the modules.
struct Twins {
    native: Site,
    wasm: Site,
    /// Variables of the engine's own environment.
    own: Vec<(String, String)>,
}

impl Twins {
    fn of(example: &str) -> Self {
        Self { native: Site::also("commit-sync", example), wasm: Site::also("commit-sync", example), own: Vec::new() }
    }

    /// Runs the jobs of a new commit on both sides, which do the same and leave the same.
    fn deploy(&self) -> (Deployed, Deployed) {
        let own: Vec<(&str, &str)> = self.own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let deploy = |site: &Site, args: &[&str]| {
            site.commit();
            site.deploy_with(args, &["--env-file", "platform.env"], &own).exits(0)
        };
        let (by_spec, by_module) = (deploy(&self.native, SPEC), deploy(&self.wasm, MODULES));
        assert!(by_spec.sequence().iter().all(|row| row[2..] == ["succeeded", "proceed"]), "{}", by_spec.stderr);
        assert_eq!(by_module.sequence(), by_spec.sequence(), "{}", by_module.stderr);
        assert!(by_spec.guests().iter().all(|guest| *guest == "native") && by_module.guests().iter().all(|guest| *guest == "wasm"));
        assert_eq!(self.native.files("app"), self.wasm.files("app"));
        (by_spec, by_module)
    }
}

#[test]
fn s4_56_s4_74_the_documents_jobs_and_their_modules_do_the_same_and_leave_the_same() {
    let migrate = "npx <prisma> <migrate> <deploy>";
    let answer = |path: &str| format!("curl <-sf> <http://localhost:8080/api/{path}>");
    let answers = ["products", "categories", "featured"].map(answer);
    let cases: [(&str, &[&str]); 8] = [
        ("quick-start", &[migrate, "curl <-s> <http://localhost:8080/api/data>"]),
        ("same-repo", &["pg_isready <-d> <postgres://db.internal/my-app>", migrate, "npx <prisma> <validate>"]),
        ("monorepo", &[migrate]),
        ("environment", &[]),
        ("warm-cache", &answers.each_ref().map(String::as_str)),
        ("prisma", &[migrate, "npx <prisma> <generate>", "npx <prisma> <db> <execute> <--stdin>", "npx <prisma> <db> <seed>"]),
        (
            "django",
            &["python <manage.py> <migrate> <--no-input>", "python <manage.py> <collectstatic> <--no-input>", "python <manage.py> <shell>"],
        ),
        (
            "go",
            &[
                "migrate <-path> <./migrations> <-database> <postgres://db.internal/my-app> <up>",
                "redis-cli <-u> <redis://cache.internal> <SET> <warmup:time>",
            ],
        ),
    ];
    for (example, calls) in cases {
        let (by_spec, by_module) = Twins::of(example).deploy();
        let called = by_spec.calls();
        let same = called.len() == calls.len() && called.iter().zip(calls).all(|(called, wanted)| called.starts_with(wanted));
        assert!(same, "{example}: {called:?}");
        assert_eq!(by_module.calls(), [""; 0], "{example}: a module calls no program");
    }
    let mut known: Vec<&str> = cases.iter().map(|(example, _)| *example).chain(["multi-repo"]).collect();
    known.sort_unstable();
    let mut folders: Vec<String> = std::fs::read_dir(example::all().join("commit-sync/more"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort_unstable();
    assert_eq!(folders, known, "each is tried");
}

#[test]
fn s4_50_a_second_commit_finds_what_the_first_one_left() {
    for (example, of_the_script, of_the_module) in [
        ("prisma", "[POST-DEPLOY] Data exists, skipping seed", "[POST-DEPLOY] Data already exists (10 users), skipping"),
        ("django", "[POST-DEPLOY] Superuser exists", "[POST-DEPLOY] Superuser exists, skipping"),
    ] {
        let twins = Twins::of(example);
        let _ = twins.deploy();
        let before = twins.native.files("app");
        let (by_spec, by_module) = twins.deploy();
        assert!(by_spec.lines("post-deploy/post-deploy").contains(&of_the_script), "{}", by_spec.stderr);
        assert!(by_module.lines("post-deploy/post-deploy").contains(&of_the_module), "{}", by_module.stderr);
        assert_eq!(twins.native.files("app"), before, "it changed nothing");
    }
}

#[test]
fn an_endpoint_that_has_no_answer_is_told_in_the_same_words_and_no_failure() {
    let (by_spec, by_module) = Twins::of("warm-cache").deploy();
    let place = "post-deploy/post-deploy";
    let lines: Vec<&str> = by_spec.lines(place).into_iter().filter(|line| !line.starts_with("stand-in: ")).collect();
    assert_eq!(by_module.lines(place), lines);
    assert!(lines.contains(&"[POST-DEPLOY]   ⚠ Failed to cache /api/featured (non-critical)"), "{lines:?}");
}

#[test]
fn the_jobs_of_a_monorepo_run_in_their_part_of_it() {
    let (by_spec, _) = Twins::of("monorepo").deploy();
    assert!(by_spec.stderr.contains("; in ./apps/backend/scripts/pre-deploy; with "), "{}", by_spec.stderr);
}

#[test]
fn a_job_of_another_repository_runs_as_its_spec_stands() {
    let mut twins = Twins::of("multi-repo");
    // The document's address is nobody's here: the operator's git is told where it is.
    let jobs = twins.native.path("job-repo");
    std::fs::copy(twins.native.path("hooks/migrate.wasm"), jobs.join("migrations/migrate.wasm")).unwrap();
    twins.native.commit_in("job-repo");
    let instead = [
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", jobs.display())),
        ("GIT_CONFIG_VALUE_0", "https://github.com/user/job-repo".to_owned()),
    ];
    twins.own = instead.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let (by_spec, by_module) = twins.deploy();
    assert_eq!(by_spec.calls(), ["npx <prisma> <migrate> <deploy>"], "{}", by_spec.stderr);
    for ran in [by_spec, by_module] {
        assert_eq!(ran.report["hooks"][0]["source"]["git"], "https://github.com/user/job-repo");
    }
}
