//! What must hold after a crash, once the next run has begun, and at the end.

use super::world::{COMMITTED, Tree, World};
use std::collections::BTreeMap;
use std::path::Path;
use wasmhook::ledger::{Memory, Target};
use wasmhook::model::id::{AppName, EnvironmentName};
use wasmhook::model::outcome::Outcome;

/// The committed directories before and after a run.
pub struct States {
    pub old: BTreeMap<&'static str, Tree>,
    pub new: BTreeMap<&'static str, Tree>,
}

pub fn trees(world: &World) -> BTreeMap<&'static str, Tree> {
    COMMITTED.iter().map(|(dir, _)| (*dir, world.tree(dir))).collect()
}

/// What the ledger remembers of each hook of the release, by its id.
fn memories(world: &World) -> Result<BTreeMap<String, Memory>, String> {
    let target = Target { app: AppName::new("shop").unwrap(), environment: EnvironmentName::new("default").unwrap() };
    let ledger = wasmhook::history(&world.state()).map_err(|error| error.to_string())?;
    let Some(ledger) = ledger else { return Ok(BTreeMap::new()) };
    let memories = ledger.memories(&target, "v1").map_err(|error| error.to_string())?;
    Ok(memories.into_iter().filter_map(|(key, memory)| Some((key.place.hook.as_ref()?.to_string(), memory))).collect())
}

/// After the next start, before anything ran again: each directory is old or new, and the ledger knows which.
pub fn recovered(world: &World, states: &States) -> Vec<String> {
    let memories = match memories(world) {
        Ok(memories) => memories,
        Err(error) => return vec![error],
    };
    let is_done = |hook: &str| memories.get(hook).is_some_and(|memory| memory.outcome == Some(Outcome::Succeeded));
    let mut wrong = nothing_left(world);
    for (dir, hooks) in COMMITTED {
        let tree = world.tree(dir);
        let is_new = tree == states.new[dir];
        if !is_new && tree != states.old[dir] {
            wrong.push(format!("{dir} is neither old nor new: {tree:?}"));
        }
        for hook in *hooks {
            if is_done(hook) != is_new {
                wrong.push(format!("{dir} is {}, but the ledger has {hook} as {:?}", word(is_new), memories.get(*hook)));
            }
        }
    }
    let undone: Vec<&str> =
        COMMITTED.iter().flat_map(|(_, hooks)| *hooks).chain(&["live", "last"]).copied().filter(|hook| !is_done(hook)).collect();
    if world.marker().exists() && !undone.is_empty() {
        wrong.push(format!("the marker is there, but not done: {undone:?}"));
    }
    if is_done("live") && world.logged("live") != 1 {
        wrong.push(format!("live is done, but the log is {:?}", world.log()));
    }
    if !memories.contains_key("live") && world.logged("live") != 0 {
        wrong.push(format!("live ran, but the ledger doesn't know: {:?}", world.log()));
    }
    wrong.extend(owed(world));
    wrong
}

/// After a whole run: everything happened, and what must not happen twice didn't.
pub fn ended(world: &World, states: &States) -> Vec<String> {
    let mut wrong = recovered(world, states);
    for (dir, tree) in trees(world) {
        if tree != states.new[dir] {
            wrong.push(format!("{dir} isn't new at the end: {tree:?}"));
        }
    }
    if !world.marker().exists() {
        wrong.push("there is no marker at the end".to_owned());
    }
    if world.logged("live") != 1 {
        wrong.push(format!("live ran {} times: {:?}", world.logged("live"), world.log()));
    }
    wrong
}

const fn word(is_new: bool) -> &'static str {
    if is_new { "new" } else { "old" }
}

/// Whatever was stopped was started again.
fn owed(world: &World) -> Option<String> {
    let log = world.log();
    let last = log.iter().rfind(|line| *line != "live");
    last.filter(|line| *line == "stop").map(|_| format!("stopped, and not started again: {log:?}"))
}

/// No stage in the tree or in the state directory, no mount, no private directory.
fn nothing_left(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut names = Vec::new();
    find(&world.app(), &mut names);
    find(&world.path().join("state/stages"), &mut names);
    wrong.extend(names.into_iter().filter(|name| name.contains(".wasmhook-")).map(|name| format!("{name} is left")));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    if mounts.contains(&world.path().display().to_string()) {
        wrong.push("a mount is left".to_owned());
    }
    wrong
}

fn find(dir: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        names.push(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find(&entry.path(), names);
        }
    }
}
