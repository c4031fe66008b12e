//! One HTTP request over one connection, with a deadline: what the runs under failovers and the soak ask of REST.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Where it points to.
    pub location: Option<String>,
    pub body: Bytes,
}

impl Answer {
    /// The body; null where it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Media type of the API.
pub const ACCEPT: (&str, &str) = ("accept", "application/vnd.ceph.api.v1.0+json");

/// Sends one request to `base` (`http://host:port`).
///
/// # Errors
/// When nobody answers there, or not in time.
pub async fn ask(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    at_most: Duration,
) -> Result<Answer> {
    let authority = base.strip_prefix("http://").context("only http:// here")?;
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let exchange = async {
        let socket = TcpStream::connect(authority).await?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(driver);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let location = parts.headers.get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
        anyhow::Ok(Answer { status: parts.status.as_u16(), location, body: body.collect().await?.to_bytes() })
    };
    timeout(at_most, exchange).await.with_context(|| format!("no answer within {} s", at_most.as_secs()))?
}

/// A token of `POST /api/auth`.
///
/// # Errors
/// When there is none to be had.
pub async fn login(base: &str, user: &str, password: &str) -> Result<String> {
    let body = json!({"username": user, "password": password}).to_string().into_bytes();
    let headers = [ACCEPT, ("content-type", "application/json")];
    let answer = ask(base, "POST", "/api/auth", &headers, body, Duration::from_secs(30)).await?;
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let token = told.get("token").and_then(Value::as_str).map(str::to_owned);
    token.with_context(|| format!("login of {user} at {base} answered {}: {told}", answer.status))
}
