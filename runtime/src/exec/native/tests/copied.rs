//! Hooks that start in a private copy of a tree.

use super::*;
use crate::model::job::{Tree, TreeEntry};

fn tree(files: &[(&str, &str)]) -> Tree {
    let entry = |(path, text): &(&str, &str)| {
        ((*path).to_owned(), TreeEntry::File { bytes: text.as_bytes().into(), executable: path.contains(".sh") })
    };
    Tree { entries: files.iter().map(entry).collect() }
}

fn in_copy(argv: &[&str], cwd: &str, files: &[(&str, &str)]) -> Job {
    let mut job = command(argv);
    job.native().cwd = cwd.into();
    job.native().tree = Some(tree(files));
    job
}

const FILES: &[(&str, &str)] = &[
    ("jobs/run.sh", "#!/bin/sh\n. ../lib/words.sh\nsay \"$(cat note)\"\n"),
    ("jobs/note", "hello"),
    ("lib/words.sh", "say() { echo \"said $1\"; }\n"),
];

#[tokio::test]
async fn s4_14_it_starts_in_its_folder_and_finds_its_neighbours() {
    let world = World::new();
    for argv in [&["./run.sh"][..], &["sh", "run.sh"], &["/bin/sh", "-c", "./run.sh"]] {
        assert_eq!(world.run(&in_copy(argv, "jobs", FILES)).await.outcome, Outcome::Succeeded, "{argv:?}: {:?}", world.lines());
    }
    assert_eq!(world.lines(), ["said hello"; 3]);
    assert_eq!(world.leftovers(), 0);
}

#[tokio::test]
async fn it_can_change_nothing_of_its_copy() {
    let world = World::new();
    let line = "echo x > note; echo x > new; rm -f note; mv note other; mkdir d; cat note; echo";
    let execution = world.run(&in_copy(&["sh", "-c", line], "jobs", FILES)).await;
    assert_eq!(execution.outcome, Outcome::Succeeded);
    assert!(world.lines().contains(&"hello".to_owned()), "{:?}", world.lines());
}

#[tokio::test]
async fn a_link_of_its_copy_leads_nowhere_that_it_has_no_right_to() {
    let world = World::new();
    let secret = world.path("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let mut job = in_copy(&["sh", "-c", "cat link; cat ok"], "", FILES);
    let links =
        [("link", secret.as_str()), ("ok", "jobs/note")].map(|(at, target)| (at.to_owned(), TreeEntry::Link { target: target.to_owned() }));
    job.native().tree.as_mut().unwrap().entries.extend(links);
    world.run(&job).await;
    assert!(world.lines().contains(&"hello".to_owned()) && !world.lines().contains(&"hunter2".to_owned()), "{:?}", world.lines());
}

#[tokio::test]
async fn a_program_that_is_not_in_the_copy_is_named() {
    let world = World::new();
    let message = spawn_message(world.run(&in_copy(&["./no.sh"], "jobs", FILES)).await);
    assert!(message.contains("no.sh") && message.contains("must exist"), "{message}");
    assert_eq!(world.leftovers(), 0);
}
