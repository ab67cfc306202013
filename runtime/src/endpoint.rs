//! Asks an address whether somebody answers there. Nothing of the answer is kept but its status.

use crate::model::wait::{Scheme, WaitFor, WaitPlan};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout_at};

/// First pause between two questions, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one question may take.
const ONE_QUESTION: Duration = Duration::from_secs(5);
/// The longest status line that is read, in bytes.
const STATUS_LINE: usize = 256;

/// Why nobody is there yet.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The name has no address.
    #[error("its name can't be resolved: {0}")]
    Unresolved(#[source] io::Error),
    /// The name means another machine, which the policy doesn't allow.
    #[error("its name leads to {0}, which is not this machine: [policy] wait_for allows it")]
    Elsewhere(SocketAddr),
    /// Nobody takes the connection.
    #[error("{0}")]
    Unreachable(#[source] io::Error),
    /// Somebody took the connection, and gave no answer in time.
    #[error("the connection was taken, and no answer came")]
    Silent,
    /// Something else than HTTP answered.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// It isn't ready, by its own word.
    #[error("HTTP status {0}")]
    Status(u16),
}

/// Asks until somebody answers, or until the time is up: then tells the last reason. Dropping the future ends it.
///
/// # Errors
/// [`NotReady`] with what was wrong the last time.
pub async fn wait(plan: &WaitPlan) -> Result<(), NotReady> {
    let end = Instant::now() + plan.timeout();
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        let until = Instant::now() + ONE_QUESTION;
        let error = match timeout_at(end.min(until), ask(plan)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            // A question that the end cut short says less than the one before.
            Err(_) => last.take().filter(|_| end < until).unwrap_or(NotReady::Silent),
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(error);
        }
        last = Some(error);
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn ask(plan: &WaitPlan) -> Result<(), NotReady> {
    let target = &plan.target;
    let connection = connect(target, plan.anywhere).await?;
    match target.scheme {
        Scheme::Tcp => Ok(()),
        Scheme::Http => match status(connection, target).await.map_err(NotReady::Unreachable)? {
            Some(status) if (200..400).contains(&status) => Ok(()),
            Some(status) => Err(NotReady::Status(status)),
            None => Err(NotReady::NotHttp),
        },
    }
}

/// A connection to one of the addresses that a name has; to none but this machine's, unless it may be `anywhere`.
async fn connect(target: &WaitFor, anywhere: bool) -> Result<TcpStream, NotReady> {
    let found: Vec<SocketAddr> = lookup_host((target.host.as_str(), target.port)).await.map_err(NotReady::Unresolved)?.collect();
    let mut last = NotReady::Unresolved(io::Error::from(io::ErrorKind::NotFound));
    for address in found {
        if !anywhere && !address.ip().is_loopback() {
            last = NotReady::Elsewhere(address);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = NotReady::Unreachable(error),
        }
    }
    Err(last)
}

/// The status of a `GET`; none if what answers isn't HTTP.
async fn status(mut connection: TcpStream, target: &WaitFor) -> io::Result<Option<u16>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: wasmhook/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        target.path,
        target.authority(),
        env!("CARGO_PKG_VERSION")
    );
    connection.write_all(request.as_bytes()).await?;
    let mut line = Vec::with_capacity(STATUS_LINE);
    // Whatever follows the status line isn't asked for, however much it is.
    let mut answer = connection.take(STATUS_LINE as u64);
    while !line.contains(&b'\n') && answer.read_buf(&mut line).await? > 0 {}
    Ok(status_of(&line))
}

fn status_of(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line.split(|byte| *byte == b'\r' || *byte == b'\n').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn plan(text: &str, timeout_ms: u64) -> WaitPlan {
        WaitPlan { target: text.parse().unwrap(), timeout_ms, anywhere: false }
    }

    /// A server that gives these answers, one for each connection, and the last one for ever; and its address.
    async fn server(answers: &'static [&'static str]) -> (tokio::task::JoinHandle<()>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            for answer in answers.iter().chain(std::iter::repeat(answers.last().unwrap())) {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 1024];
                let read = connection.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                assert!(request.starts_with("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:") && request.ends_with("\r\n\r\n"), "{request}");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (serve, address)
    }

    #[tokio::test]
    async fn s4_59_a_service_is_asked_again_until_it_is_healthy() {
        let (_serve, address) =
            server(&["HTTP/1.1 503 Starting\r\n\r\n", "HTTP/1.0 500 No\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"]).await;
        wait(&plan(&format!("http://{address}/healthz"), 60_000)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_ready_in_time_says_why() {
        let (_serve, address) = server(&["HTTP/1.1 503 Starting\r\n\r\n"]).await;
        let error = wait(&plan(&format!("http://{address}/healthz"), 300)).await.unwrap_err();
        assert!(matches!(error, NotReady::Status(503) | NotReady::Silent), "{error}");
        let (_serve, address) = server(&["SSH-2.0-x\r\n"]).await;
        let error = ask(&plan(&format!("http://{address}/healthz"), 1)).await.unwrap_err();
        assert!(matches!(error, NotReady::NotHttp), "{error}");
    }

    #[tokio::test]
    async fn a_port_that_is_opened_later_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let waiting = plan(&format!("tcp://{address}"), 60_000);
        assert!(matches!(ask(&waiting).await, Err(NotReady::Unreachable(_))));
        let open = async {
            sleep(Duration::from_millis(120)).await;
            TcpListener::bind(address).await.unwrap()
        };
        let (ready, _listener) = tokio::join!(wait(&waiting), open);
        ready.unwrap();
    }

    #[tokio::test]
    async fn nobody_but_this_machine_is_asked_unless_that_is_allowed() {
        let error = ask(&plan("tcp://192.0.2.1:9", 1)).await.unwrap_err();
        assert!(matches!(&error, NotReady::Elsewhere(address) if address.ip().to_string() == "192.0.2.1"), "{error}");
    }

    #[test]
    fn a_status_line_is_read_whatever_surrounds_it() {
        for (line, status) in [
            (&b"HTTP/1.1 200 OK\r\nX: y"[..], Some(200)),
            (b"HTTP/1.0 404", Some(404)),
            (b"HTTP/2 200\r\n", None),
            (b"HTTP/1.1 99 Odd\r\n", None),
            (b"HTTP/1.1 +200\r\n", Some(200)),
            (b"\xff\xff\r\n", None),
            (b"", None),
        ] {
            assert_eq!(status_of(line), status, "{}", String::from_utf8_lossy(line));
        }
    }
}
