//! An application with a lifecycle of its own, an engine whose host steps are callbacks, and a tape of what happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use wasmhook::engine::Sink;
use wasmhook::manifest::HookDecl;
use wasmhook::model::event::{Event, What};
use wasmhook::model::id::{EnvironmentName, HookId, StepName, Tag};
use wasmhook::{Builder, Engine, Request};
use wasmhook_tests::programs::{self, Target};

const PROFILE: &str = r#"
schema = 1
name = "shop"
description = "Services stop, hooks run, the version goes live, services start whatever happened"
on_locked = "wait"
on_unknown = "rerun"
default_mode = "write"
step = [
    { name = "stop-services", kind = "host" },
    { name = "hooks", kind = "phase", title = "Hooks", gate = "once" },
    { name = "deploy", kind = "host", makes_live = true },
    { name = "start-services", kind = "host", always = true },
]
limits = { timeout = "60s" }
"#;

pub fn step(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

/// A hook of the phase `hooks`, from a guest of `tests/programs`.
pub fn hook(guest: &str) -> HookDecl {
    HookDecl::wasm(HookId::new(guest).unwrap(), step("hooks"), format!("{guest}.wasm"))
}

/// What was called, in order.
pub type Calls = Arc<Mutex<Vec<String>>>;

pub struct World {
    pub dir: tempfile::TempDir,
    pub calls: Calls,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Self { dir, calls: Calls::default() };
        world.tenant("testsite");
        world
    }

    /// Makes a tenant's directory.
    pub fn tenant(&self, name: &str) -> PathBuf {
        let app = self.dir.path().join(name);
        fs::create_dir(&app).unwrap();
        fs::write(app.join("shop.toml"), PROFILE).unwrap();
        fs::write(app.join("wasmhook.toml"), "schema = 1\napp = \"shop\"\nprofile = \"./shop.toml\"\n").unwrap();
        app
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// An engine that writes each call of its three steps down.
    pub fn engine(&self) -> Builder {
        ["stop-services", "deploy", "start-services"].iter().fold(self.plain_engine(), |builder, name| {
            let calls = Arc::clone(&self.calls);
            builder.host_step(step(name), move |call| {
                let calls = Arc::clone(&calls);
                async move {
                    calls.lock().unwrap().push(format!("{name} {}", call.env["DEPLOY_ENV"]));
                    Ok(vec![("detail".to_owned(), format!("{name} done"))])
                }
            })
        })
    }

    pub fn plain_engine(&self) -> Builder {
        Engine::builder(self.state(), self.dir.path().join("cache"))
    }

    /// Asks for release v1.0.0 of `testsite`.
    pub fn request(&self) -> Request {
        self.request_for("testsite")
    }

    /// Asks for release v1.0.0 of `tenant`; every guest is at hand as bytes.
    pub fn request_for(&self, tenant: &str) -> Request {
        let request =
            Request::new(self.dir.path().join(tenant), EnvironmentName::new(tenant).unwrap()).with_tag(Tag::new("v1.0.0").unwrap());
        ["prints", "exits", "spin"].iter().fold(request, |request, name| request.with_module(format!("{name}.wasm"), guest(name)))
    }

    /// The callbacks that ran, in order, without their tenant.
    pub fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().filter_map(|call| call.split(' ').next().map(str::to_owned)).collect()
    }
}

pub fn guest(name: &str) -> Vec<u8> {
    fs::read(programs::wasm(name, Target::P1)).unwrap()
}

/// Keeps every event, and tells who waits for the first output of a guest.
#[derive(Default)]
pub struct Tape {
    events: Mutex<Vec<Event>>,
    spoke: Notify,
}

impl Tape {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until a guest wrote a line: it runs.
    pub async fn guest_speaks(&self) {
        self.spoke.notified().await;
    }
}

impl Sink for Tape {
    fn event(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
        if matches!(event.what, What::Output { .. }) {
            self.spoke.notify_one();
        }
    }
}

/// The size of a file; 0 if there is none.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
