//! From what was written to what is planned, on manifests as people write them.

mod before;
mod by_profile;
mod choice;
mod commands;
mod rights;
mod sources;
mod whole;

use super::grants::Roots;
use super::order::Instance;
use super::*;
use crate::manifest::{self, Manifest, PolicyDecl};
use crate::model::grant::{Capability, DirMode, EnvSource};
use crate::model::id::{InstanceName, SourceName};
use crate::model::tree::{Listed, Listing};
use crate::profile::{self, Profile};
use std::collections::{BTreeMap, BTreeSet};

/// A plan's world; tests change what they are about.
struct World {
    manifest: Manifest,
    profile: Profile,
    policy: PolicyDecl,
    one_file: bool,
    files: BTreeMap<String, FileFact>,
    sources: BTreeMap<SourceName, SourceFact>,
    app_env: BTreeSet<String>,
    instances: Vec<Instance>,
    selection: Selection,
    copies_scripts: bool,
    at_start: bool,
}

fn world(hooks: &str) -> World {
    let (manifest, problems) = manifest::parse("wasmhook.toml", &format!("schema = 1\napp = \"shop\"\n{hooks}"));
    assert_eq!(problems, []);
    let module = FileFact::Present { digest: Digest::of(b"module"), size: 6, unsupported: None };
    World {
        manifest,
        profile: profile::builtin("default").unwrap(),
        policy: PolicyDecl::default(),
        one_file: true,
        files: BTreeMap::from([("h.wasm".to_owned(), module)]),
        sources: BTreeMap::new(),
        app_env: ["API_URL", "DB_URL"].map(str::to_owned).into(),
        instances: Vec::new(),
        selection: Selection::default(),
        copies_scripts: false,
        at_start: false,
    }
}

impl World {
    fn policy(mut self, text: &str) -> Self {
        let (file, problems) = manifest::parse_policy("policy.toml", &format!("schema = 1\n{text}"));
        assert_eq!(problems, []);
        self.policy = file.policy.map(|at| at.value).unwrap_or_default();
        self.one_file = false;
        self
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        resolve(&Given {
            manifest: &self.manifest,
            profile: &self.profile,
            policy: &self.policy,
            host_steps: &self.manifest.host_steps,
            one_file: self.one_file,
            app: AppName::new("shop").unwrap(),
            environment: EnvironmentName::new("prod").unwrap(),
            tag: Tag::new("v2").ok(),
            commit: None,
            previous_version: Some("v1".to_owned()),
            roots: Roots { app_dir: "/srv/shop", data_dir: "/srv/shop/db" },
            app_env: &self.app_env,
            files: &self.files,
            sources: &self.sources,
            copies_scripts: self.copies_scripts,
            facts: &BTreeMap::new(),
            instances: &self.instances,
            selection: &self.selection,
            at_start: self.at_start,
            steps_in_code: &[],
            notices: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn hooks(&self) -> Vec<PlanHook> {
        let steps = self.plan().unwrap().steps;
        steps
            .into_iter()
            .filter_map(|step| if let PlanStepKind::Phase { hooks, .. } = step.kind { Some(hooks) } else { None })
            .flatten()
            .collect()
    }

    fn denials(&self) -> Vec<crate::model::grant::Denial> {
        match self.plan() {
            Err(PlanError::Denied(denials)) => denials.into_iter().map(|(_, denial)| denial).collect(),
            other => panic!("not denied: {other:?}"),
        }
    }
}

fn under(profile: &str, hook: &str) -> World {
    let mut world = world(hook);
    world.profile = profile::builtin(profile).unwrap();
    world
}

const HOOK: &str = "[[hook]]\nid = \"h\"\nphase = \"pre-deploy\"\nwasm = \"h.wasm\"\n";

const NATIVE: &str = "[[hook]]\nid = \"n\"\nphase = \"pre-deploy\"\nrun = [\"ruby\"]\n";

fn invalid(world: &World) -> Vec<&'static str> {
    match world.plan() {
        Err(PlanError::Invalid(found)) => found.iter().map(|found| found.code).collect(),
        other => panic!("not refused: {other:?}"),
    }
}
