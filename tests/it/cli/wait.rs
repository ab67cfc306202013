//! Hooks that wait for a service: the engine asks, the hook gets no right by it.

use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use wasmhook_tests::project::{OK, hook};
use wasmhook_tests::{Place, Project};

/// A service that isn't healthy yet when it is asked for the first `unhealthy` times.
fn service(unhealthy: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (asked, connection) in listener.incoming().enumerate() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let status = if asked < unhealthy { "503 Service Unavailable" } else { "200 OK" };
            let _ = connection.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes());
        }
    });
    address
}

fn project(phase: &str, address: &str, lines: &str) -> Project {
    let waits = format!("wasm = \"ok.wat\"\nwait_for = \"{address}\"\n{lines}");
    Project::new(&hook("warm-up", phase, &waits)).file("ok.wat", OK)
}

#[test]
fn s4_67_s4_59_a_hook_starts_when_the_service_is_healthy() {
    let address = format!("http://{}/healthz", service(2));
    let (place, project) = (Place::new(), project("post-deploy", &address, ""));
    let ran = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(0);
    assert_eq!(ran.report()["hooks"][0]["outcome"], "succeeded");
    assert!(ran.said().contains(&format!("post-deploy/warm-up: waiting for {address} (at most 1m)")), "{}", ran.stderr);
    let plan = place.args(["plan", "--tag", "v1"]).current_dir(project.path()).run().exits(0);
    assert!(plan.said().contains(&format!("waits for {address} (at most 1m)")), "{}", plan.stdout);
}

#[test]
fn s4_67_a_service_that_stays_away_is_a_failure_with_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let (place, project) = (Place::new(), project("pre-deploy", &address, "wait_timeout = \"200ms\""));
    let ran = place.args(["run", "--tag", "v1", "--format", "json"]).current_dir(project.path()).run().exits(1);
    let cause = ran.report()["hooks"][0]["cause"].clone();
    assert_eq!((cause["kind"].as_str(), cause["what"].as_str()), (Some("not-ready"), Some(address.as_str())), "{cause}");
    assert!(cause["last"].as_str().unwrap().contains("refused"), "{cause}");
    // A dry run starts no service, so it waits for none.
    let dry = place.args(["run", "--tag", "v1", "--dry-run"]).current_dir(project.path()).run().exits(0);
    assert!(!dry.said().contains("waiting for"), "{}", dry.stderr);
}

#[test]
fn s4_67_a_signal_ends_the_wait() {
    let (place, project) = (Place::new(), project("pre-deploy", "http://127.0.0.1:1/", "wait_timeout = \"1h\""));
    let mut run = place.args(["run", "--tag", "v1"]).current_dir(project.path()).spawn();
    run.wait_for("waiting for http://127.0.0.1:1/");
    run.signal(Signal::TERM);
    let _ = run.wait().exits(143);
    let _ = place.args(["resolve", "warm-up", "--retry"]).current_dir(project.path()).run().exits(3);
}

#[test]
fn s4_67_another_machine_is_asked_only_where_the_policy_says_so() {
    let (place, project) = (Place::new(), project("pre-deploy", "tcp://192.0.2.1:5432", ""));
    let refused = place.args(["plan", "--tag", "v1"]).current_dir(project.path()).run().exits(3);
    assert!(refused.said().contains("[policy] wait_for = [\"192.0.2.1:5432\"]"), "{}", refused.stderr);
    project.write("policy.toml", "schema = 1\n[policy]\nwait_for = [\"192.0.2.1:*\"]\n");
    let _ = place.args(["plan", "--tag", "v1", "--policy", "policy.toml"]).current_dir(project.path()).run().exits(0);
}
