//! A watch through the public API: the application takes the place of the step that makes the version live.

use super::world::World;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use wasmhook::engine::watch::Ending;
use wasmhook::model::event::{Status, Trigger};
use wasmhook::{Told, Watch};

fn commit(app: &Path) {
    for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "--allow-empty", "-m", "a change"]] {
        let git = Command::new("git").arg("-C").arg(app).args(["-c", "user.name=a", "-c", "user.email=a@b.c"]).args(args).output();
        assert!(git.unwrap().status.success(), "git {args:?}");
    }
}

#[tokio::test]
async fn s4_24_an_embedder_watches_with_its_own_steps_and_hears_what_happens() {
    let world = World::new();
    let app = world.dir.path().join("testsite");
    commit(&app);
    let engine = world.engine().build().unwrap();
    let mut watch = Watch::new(world.request()).with_application(["sh", "-c", "while [ ! -e stop ]; do sleep 0.02; done; exit 3"]);
    watch.request.tag = None;
    (watch.follow, watch.interval) = (None, Some(Duration::from_millis(20)));
    let (told, ran) = (Mutex::new(Vec::new()), Notify::new());
    let hear = |news| {
        if let Told::Ran { report } = news
            && report.status == Status::Success
        {
            told.lock().unwrap().push(report.trigger.clone().unwrap());
            ran.notify_one();
        }
    };
    let (_signals, mut signals) = unbounded_channel();
    let meanwhile = async {
        ran.notified().await;
        commit(&app);
        ran.notified().await;
        std::fs::write(app.join("stop"), "").unwrap();
    };
    let both = async { tokio::join!(engine.watch(&watch, &mut signals, &hear), meanwhile).0 };
    let ending = tokio::time::timeout(Duration::from_mins(2), both).await.unwrap().unwrap();
    assert_eq!(ending, Ending::Application(3));
    assert_eq!(
        world.called(),
        ["stop-services", "start-services", "stop-services", "start-services"],
        "`deploy` is the application's start"
    );
    let told = told.into_inner().unwrap();
    assert!(matches!(&told[..], [Trigger::AtStart, Trigger::CommitChanged { .. }]), "{told:?}");
}
