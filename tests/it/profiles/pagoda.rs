//! Who serves while hooks run: a small proxy on loopback, which the routing step switches.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wasmhook_tests::project::hook;
use wasmhook_tests::{Place, Project};

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes the database, asks for a look from outside, and waits until somebody had one.
const ASK: &str = "#!/bin/sh\n[ $1 = after ] || echo 'schema 2' > shared/db\ntouch shared/asked-$1\nwhile [ ! -e shared/answered-$1 ]; do sleep 0.05; done\n";

/// Answers as the instance that the proxy leads to: its name, and the database as it sees it. Ends with the test's process.
fn proxy(app: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let file = |name: &str| app.join(name);
    let (live, db) = (file("live"), file("shared/db"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap().trim().to_owned();
            write!(stream, "{} with {}", read(&live), read(&db)).unwrap();
        }
    });
    address
}

fn ask(address: &str) -> String {
    let mut answer = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn s5_25_the_old_instances_serve_over_the_migrated_data_until_traffic_is_routed() {
    let dirs = "dirs = [{ path = \".\", mode = \"read\" }, { path = \"shared\", mode = \"write\" }]";
    let at = |phase: &str, id: &str, when: &str| hook(id, phase, &format!("run = \"./ask.sh {when}\"\n{dirs}"));
    let route = "[host_step.route]\nrun = [\"/bin/sh\", \"-c\", \"echo new > live\"]\n";
    let hooks = at("before_deploy", "migrate", "before") + &at("after_deploy", "flush", "after");
    let project = Project::new(&format!("profile = \"pagoda\"\n{route}{hooks}"))
        .file("ask.sh", ASK)
        .file("live", "old\n")
        .file("shared/db", "schema 1\n");
    let address = proxy(project.path());
    assert_eq!(ask(&address), "old with schema 1");
    let place = Place::new();
    let running = place.args(["run"]).current_dir(project.path()).spawn();
    let seen = ["before", "after"].map(|when| {
        let start = Instant::now();
        while !project.has(&format!("shared/asked-{when}")) {
            assert!(start.elapsed() < PATIENCE, "nobody asked {when} the traffic was routed");
            std::thread::sleep(Duration::from_millis(10));
        }
        let answer = ask(&address);
        project.write(&format!("shared/answered-{when}"), "");
        answer
    });
    let _ = running.wait().exits(0);
    assert_eq!(seen, ["old with schema 2", "new with schema 2"]);
}
