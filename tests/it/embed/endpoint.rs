//! `hooks-examples/embed`, over loopback.

use super::world::guest;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The running endpoint; ends with its value.
struct Endpoint {
    process: Child,
    address: String,
}

impl Endpoint {
    fn start(root: &Path) -> Self {
        let mut process = Command::new(built()).arg("127.0.0.1:0").arg(root).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address }
    }

    /// The status line and the body of an answer.
    fn ask(&self, method: &str, path: &str) -> (String, serde_json::Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Beside the program: `cargo build --workspace --all-targets` makes both. (Built here, it would be with other features of the dependencies than
/// tests have, and all of them would be compiled a second time.)
fn built() -> PathBuf {
    let endpoint = wasmhook_tests::call::program().with_file_name("upgrade-endpoint");
    assert!(endpoint.is_file(), "there is no {}: build it with `cargo build --workspace --all-targets`", endpoint.display());
    endpoint
}

#[test]
fn s3_43_s3_62_an_endpoint_upgrades_a_tenant_and_answers_with_the_report() {
    let root = tempfile::tempdir().unwrap();
    let tenant = root.path().join("tenants/testsite");
    fs::create_dir_all(tenant.join("release")).unwrap();
    fs::write(tenant.join("wasmhook.toml"), "schema = 1\napp = \"pocket\"\nprofile = \"tenant-upgrade\"\n").unwrap();
    fs::write(tenant.join("release/v0.4.0.wasm"), guest("prints")).unwrap();
    let steps = "[host_step.update-version]\nrun = [\"/bin/sh\", \"-c\", \"echo detail=version is {tag} > $WASMHOOK_OUTPUT\"]\n";
    let policy = "schema = 1\n[policy]\ndirs = [{ path = \"$APP_DIR\", mode = \"write\" }, { path = \"$DATA_DIR\", mode = \"write\" }]\n";
    fs::write(root.path().join("policy.toml"), format!("{policy}{steps}")).unwrap();
    let endpoint = Endpoint::start(root.path());

    let (status, report) = endpoint.ask("POST", "/testsite/v0.4.0");
    assert_eq!((status.as_str(), &report["status"]), ("HTTP/1.1 200 OK", &"success".into()), "{report:#}");
    assert_eq!(report["hooks_executed"], serde_json::json!(["post-pull: v0.4.0.wasm - OK"]));
    assert_eq!((&report["new_version"], &report["new_version_live"]), (&"v0.4.0".into(), &true.into()));
    assert!(report["details"].as_array().unwrap().contains(&"version is v0.4.0".into()), "{report:#}");

    let (_, again) = endpoint.ask("POST", "/testsite/v0.4.0");
    assert_eq!((&again["previous_version"], &again["hooks"][0]["outcome"]), (&"v0.4.0".into(), &"skipped".into()), "{again:#}");

    for (method, path) in [("POST", "/../v0.4.0"), ("POST", "/testsite/..%2f"), ("POST", "/nobody/v0.4.0"), ("GET", "/testsite/v0.4.0")] {
        let (status, body) = endpoint.ask(method, path);
        assert!(status.contains(" 422 ") && body["error"].is_string() && body["status"].is_null(), "{method} {path}: {status} {body:#}");
    }
}
