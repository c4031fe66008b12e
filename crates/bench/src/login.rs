//! One request each: `login` for a token, `fetch` for a body.

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

const ACCEPT: &str = "application/vnd.ceph.api.v1.0+json";

/// The token of `POST /api/auth`; `base` is `http://host:port`.
pub async fn token(base: &Uri, user: &str, password: &str) -> anyhow::Result<String> {
    let body = json!({"username": user, "password": password}).to_string();
    let request = Request::post("/api/auth")
        .header("accept", ACCEPT)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let (status, body) = ask(base, request).await?;
    if status != StatusCode::CREATED {
        bail!("POST /api/auth answered {status}: {}", String::from_utf8_lossy(&body));
    }
    let answer: Value = serde_json::from_slice(&body)?;
    Ok(answer.get("token").and_then(Value::as_str).context("the answer has no token")?.to_owned())
}

/// The body of a GET that answers 200, as it came.
pub async fn fetch(url: &Uri, headers: &[String]) -> anyhow::Result<Bytes> {
    let path = url.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::get(path);
    for header in headers {
        let (name, value) = header.split_once(':').context("a header is `Name: value`")?;
        request = request.header(name.trim(), value.trim());
    }
    let (status, body) = ask(url, request.body(Full::default())?).await?;
    if status != StatusCode::OK {
        bail!("GET {path} answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(body)
}

async fn ask(url: &Uri, mut request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
    let authority = url.authority().context("the URL has no host")?.to_string();
    request.headers_mut().insert("host", authority.parse()?);
    let socket =
        TcpStream::connect(&authority).await.with_context(|| format!("connecting to {authority}"))?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(driver);
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
