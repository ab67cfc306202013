//! What a hook waits for before it starts: an address where somebody answers.

use super::units::show_duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// The longest address that is read, in bytes.
const MAX_LENGTH: usize = 2_000;

/// Where somebody has to answer: `http://HOST[:PORT][/PATH]`, or `tcp://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WaitFor {
    /// What counts as an answer.
    pub scheme: Scheme,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What is asked for over HTTP, with its query; `/` if nothing else is written.
    pub path: String,
}

/// What counts as an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A response to `GET` with a status below 400.
    Http,
    /// A connection.
    Tcp,
}

/// Why a text names nothing that can be waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitForError {
    /// Another scheme, or none.
    #[error("it is neither `http://HOST[:PORT][/PATH]` nor `tcp://HOST:PORT`")]
    Scheme,
    /// This version speaks no TLS.
    #[error("`https` in `wait_for`")]
    Https,
    /// The host isn't one.
    #[error("the host is a name, an IPv4 address, or an IPv6 address in brackets; users and passwords have no place in it")]
    Host,
    /// The port isn't one, or is missing.
    #[error("the port is a number from 1 to 65535, and `tcp` needs one")]
    Port,
    /// The path holds what a request can't.
    #[error("the path holds spaces or other characters that a request can't: write them as `%XX`")]
    Path,
}

impl WaitFor {
    /// Whether it means this machine by its very name.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let four = |ip: Ipv4Addr| ip.is_loopback();
        let six = |ip: Ipv6Addr| ip.is_loopback();
        self.host.eq_ignore_ascii_case("localhost") || self.host.parse().is_ok_and(four) || self.host.parse().is_ok_and(six)
    }

    /// `HOST:PORT`, as in a request.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

impl FromStr for WaitFor {
    type Err = WaitForError;

    fn from_str(text: &str) -> Result<Self, WaitForError> {
        let (scheme, rest) = match text.split_once("://") {
            _ if text.len() > MAX_LENGTH => return Err(WaitForError::Scheme),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("tcp", rest)) => (Scheme::Tcp, rest),
            Some(("https", _)) => return Err(WaitForError::Https),
            _ => return Err(WaitForError::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority)?;
        let port = match (port, scheme) {
            (Some(port), _) => port.parse().ok().filter(|port| *port > 0).ok_or(WaitForError::Port)?,
            (None, Scheme::Http) => 80,
            (None, Scheme::Tcp) => return Err(WaitForError::Port),
        };
        if (scheme == Scheme::Tcp && !path.is_empty()) || path.contains('#') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(WaitForError::Path);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, host: host.to_owned(), port, path })
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), WaitForError> {
    if authority.contains('@') {
        return Err(WaitForError::Host);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(WaitForError::Host)?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(WaitForError::Host)?) };
        return host.parse::<Ipv6Addr>().map(|_| (host, port)).map_err(|_| WaitForError::Host);
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_name { Ok((host, port)) } else { Err(WaitForError::Host) }
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Http => write!(f, "http://{}{}", self.authority(), self.path),
            Scheme::Tcp => write!(f, "tcp://{}", self.authority()),
        }
    }
}

impl TryFrom<String> for WaitFor {
    type Error = WaitForError;
    fn try_from(text: String) -> Result<Self, WaitForError> {
        text.parse()
    }
}

impl From<WaitFor> for String {
    fn from(wait_for: WaitFor) -> Self {
        wait_for.to_string()
    }
}

impl JsonSchema for WaitFor {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "WaitFor".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(http|tcp)://" })
    }
}

/// What a hook waits for, as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitPlan {
    /// Where somebody has to answer.
    pub target: WaitFor,
    /// For how long, in milliseconds.
    pub timeout_ms: u64,
    /// Whether the policy lets it be elsewhere than on this machine.
    pub anywhere: bool,
}

impl WaitPlan {
    /// For how long.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl fmt::Display for WaitPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at most {})", self.target, show_duration(self.timeout()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_whole() {
        for (text, shown) in [
            ("http://localhost", "http://localhost:80/"),
            ("http://127.0.0.1:8000/healthz?deep=1", "http://127.0.0.1:8000/healthz?deep=1"),
            ("http://db.internal?x", "http://db.internal:80/?x"),
            ("http://[::1]:9/x", "http://[::1]:9/x"),
            ("tcp://db-1:5432", "tcp://db-1:5432"),
        ] {
            let read: WaitFor = text.parse().unwrap();
            assert_eq!(read.to_string(), shown);
            assert_eq!(shown.parse(), Ok(read));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_rule() {
        for (text, error) in [
            ("localhost:80", WaitForError::Scheme),
            ("unix:///run/x", WaitForError::Scheme),
            ("https://localhost", WaitForError::Https),
            ("http://user:pass@host/", WaitForError::Host),
            ("http:///x", WaitForError::Host),
            ("http://[::1/", WaitForError::Host),
            ("http://a b/", WaitForError::Host),
            ("tcp://db", WaitForError::Port),
            ("tcp://db:0", WaitForError::Port),
            ("http://h:70000", WaitForError::Port),
            ("http://h/a b", WaitForError::Path),
            ("http://h/\r\nHost: evil", WaitForError::Path),
            ("tcp://db:1/x", WaitForError::Path),
        ] {
            assert_eq!(text.parse::<WaitFor>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_means_this_machine_is_known_by_its_name() {
        for (host, is_loopback) in
            [("localhost", true), ("127.9.9.9", true), ("[::1]", true), ("10.0.0.1", false), ("localhost.evil", false)]
        {
            assert_eq!(format!("http://{host}/").parse::<WaitFor>().unwrap().is_loopback(), is_loopback, "{host}");
        }
    }
}
