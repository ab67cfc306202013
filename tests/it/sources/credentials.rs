//! A repository that asks for a token: `git http-backend` behind a small server on loopback.

use super::repository::Repository;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wasmhook_tests::{Place, Project};

const TOKEN: &str = "gho_0123456789secret";

/// Serves the repositories below `root` to whoever knows the token. Its threads end with the test's process.
fn serve(root: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let root = root.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let root = root.clone();
            std::thread::spawn(move || answer(stream, &root));
        }
    });
    format!("http://{address}")
}

/// What git asks, as far as its back end wants to know it.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let line = next();
        let headers: Vec<(String, String)> = std::iter::from_fn(|| Some(next()).filter(|line| !line.is_empty()))
            .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())))
            .collect();
        let mut request = Self { line, headers, body: Vec::new() };
        let length = request.header("content-length").parse().unwrap_or(0);
        reader.take(length).read_to_end(&mut request.body).unwrap();
        request
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

fn answer(mut stream: TcpStream, root: &Path) {
    let request = Request::read(&stream);
    // `x:TOKEN` in base64.
    if request.header("authorization") != "Basic eDpnaG9fMDEyMzQ1Njc4OXNlY3JldA==" {
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"jobs\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(refusal.as_bytes()).unwrap();
        return;
    }
    let mut words = request.line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .env("REMOTE_USER", "x")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    backend.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = backend.wait_with_output().unwrap().stdout;
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n").unwrap();
    stream.write_all(&output).unwrap();
}

/// Every file below a directory whose bytes hold the token.
fn holding_the_token(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            holding_the_token(&entry.path(), found);
        } else if std::fs::read(entry.path()).is_ok_and(|bytes| bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes())) {
            found.push(entry.path());
        }
    }
}

#[test]
fn s4_12_a_token_comes_from_the_operator_and_stays_out_of_every_file_and_line() {
    let jobs = Repository::new(&[("migrations/migrate.sh", "#!/bin/sh\necho ran > \"$APP_DIR/log\"; env\n")]);
    let url = format!("{}/{}", serve(jobs.path().parent().unwrap()), jobs.path().file_name().unwrap().to_str().unwrap());
    let manifest = format!(
        "profile = \"commit-sync\"\n[source.ops]\ngit = \"{url}\"\n[[hook]]\nid = \"job\"\nphase = \"pre-deploy\"\nsource = \"ops\"\n\
         run = \"./migrate.sh\"\ncwd = \"migrations\"\n"
    );
    let project = Project::new(&manifest);
    // The operator's, beside the application: git asks it for a name and for a password.
    let operator = Project::empty().file("askpass.sh", "#!/bin/sh\ncase \"$1\" in Username*) echo x;; *) echo \"$JOBS_TOKEN\";; esac\n");
    let place = Place::new();
    let call = |command: &str| place.args([command]).current_dir(project.path());
    let without = call("run").run().exits(3);
    assert!(without.said().contains("can't be read") && without.said().contains("git ls-remote"), "{}", without.said());
    let mut said = Vec::new();
    for command in ["plan", "run", "list", "show"] {
        let ran = call(command).env("GIT_ASKPASS", operator.path().join("askpass.sh")).env("JOBS_TOKEN", TOKEN).run().exits(0);
        said.push(ran.stdout + &ran.stderr);
    }
    assert_eq!(project.read("log"), "ran\n");
    assert!(said.iter().all(|said| !said.contains(TOKEN)), "{said:?}");
    let mut found = Vec::new();
    for dir in [place.state(), place.cache(), project.path().to_owned()] {
        holding_the_token(&dir, &mut found);
    }
    assert!(found.is_empty(), "{found:?}");
}
