//! `upgrade-endpoint ADDRESS ROOT`: `POST /<tenant>/<tag>` upgrades `ROOT/tenants/<tenant>` under `ROOT/policy.toml` and answers with the report.
//! Who may ask is the business of what stands in front of it: it belongs on loopback.

use anyhow::{Context as _, Result};
use std::{path::Path, sync::Arc};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wasmhook::model::id::{EnvironmentName, Tag};
use wasmhook::{Engine, Request, Stop};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "whoever asked for port 0 wants to know which one it is")]
async fn main() -> Result<()> {
    let (address, root) = (std::env::args().nth(1).context("no ADDRESS")?, std::env::args().nth(2).context("no ROOT")?);
    let engine = Arc::new(Engine::builder(format!("{root}/state"), format!("{root}/cache")).build()?);
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, engine, root) = (listener.accept().await?.0, Arc::clone(&engine), root.clone());
        // A client that goes away doesn't stop an upgrade: its task runs to the end.
        tokio::spawn(async move { answer(stream, &engine, Path::new(&root)).await });
    }
}

async fn answer(mut stream: TcpStream, engine: &Engine, root: &Path) -> Result<()> {
    // The whole head is read, since closing on unread bytes resets the connection; and no more than a head has.
    let (mut line, mut rest, mut lines) = (String::new(), String::new(), BufReader::new(&mut stream).take(16 << 10));
    lines.read_line(&mut line).await?;
    while lines.read_line(&mut rest).await? > 2 {}
    let (status, body) = match upgrade(&line, engine, root).await {
        Ok(report) => ("200 OK", report),
        Err(error) => ("422 Unprocessable Content", serde_json::json!({ "schema": 1, "error": format!("{error:#}") }).to_string()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    Ok(stream.write_all((head + &body).as_bytes()).await?)
}

async fn upgrade(line: &str, engine: &Engine, root: &Path) -> Result<String> {
    let path = line.strip_prefix("POST /").and_then(|rest| rest.split(' ').next()).context("send POST /<tenant>/<tag>")?;
    let (tenant, tag) = path.split_once('/').context("send POST /<tenant>/<tag>")?;
    // Both are checked: neither can leave its directory.
    let (tenant, tag) = (EnvironmentName::new(tenant)?, Tag::new(tag)?);
    let request = Request::new(root.join("tenants").join(tenant.as_str()), tenant).with_tag(tag).with_policy(root.join("policy.toml"));
    Ok(serde_json::to_string(&engine.run(&request, &Stop::new()).await?)?)
}
