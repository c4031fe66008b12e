//! A plain HTTP client for scenarios: one request, one connection, a deadline, the whole answer.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

/// No answer of a manager takes this long.
const AT_MOST: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; as a string where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&self.body).trim_end().to_owned()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends one request to `base` (`http://host:port`).
pub fn send(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Result<Answer> {
    let authority = base.strip_prefix("http://").context("only http:// here")?;
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.unwrap_or_default())))?;
    let exchange = async {
        let socket = tokio::net::TcpStream::connect(authority)
            .await
            .with_context(|| format!("connecting to {authority}"))?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(driver);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(AT_MOST, exchange).await });
    answer.with_context(|| format!("no answer from {base}{path} within {} s", AT_MOST.as_secs()))?
}

/// A token of `POST /api/auth`.
pub fn login(base: &str, user: &str, password: &str) -> Result<String> {
    let body = json!({"username": user, "password": password}).to_string();
    let headers = [("accept", "application/vnd.ceph.api.v1.0+json"), ("content-type", "application/json")];
    let answer = send(base, "POST", "/api/auth", &headers, Some(body.as_bytes()))?;
    let token = answer.json().get("token").and_then(Value::as_str).map(str::to_owned);
    token.with_context(|| format!("login of {user} at {base} answered {}: {}", answer.status, answer.json()))
}
