//! A request's body, before anyone asks who sent it. Upstream: CherryPy's body processing with the `json_in` tool.

use super::error::ApiError;
use super::operation::Operation;
use super::query;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

/// CherryPy's own limit is 100 MiB; no operation takes nearly as much.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// The body as parameters. Anything but an object is kept under no name and refused later, after authentication.
#[derive(Debug, PartialEq)]
pub enum Parsed {
    Absent,
    Object(Vec<(String, Value)>),
    /// Valid JSON, but no object.
    Other,
}

/// Reads and parses the body of a request that is passed on: what is wrong with it is for the stock dashboard to say.
pub async fn read_raw<B>(headers: &HeaderMap, body: B) -> Result<(Bytes, Parsed), ApiError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    check_length(headers)?;
    let bytes = collect(body).await?;
    let parsed = parse(&media_type(headers), &bytes).unwrap_or(Parsed::Absent);
    Ok((bytes, parsed))
}

/// Reads and parses the body of a POST or PUT.
pub async fn read<B>(op: &Operation, headers: &HeaderMap, body: B) -> Result<Parsed, ApiError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    check_length(headers)?;
    let media_type = media_type(headers);
    if !is_json(&media_type) && !op.empty_body {
        return Err(ApiError::http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expected an entity of content type application/json, text/javascript",
        ));
    }
    parse(&media_type, &collect(body).await?)
}

fn check_length(headers: &HeaderMap) -> Result<(), ApiError> {
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(ApiError::http(StatusCode::LENGTH_REQUIRED, "Client must specify Content-Length"));
    }
    Ok(())
}

fn media_type(headers: &HeaderMap) -> String {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    matches!(media_type, "application/json" | "text/javascript")
}

async fn collect<B>(body: B) -> Result<Bytes, ApiError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => {
            Err(ApiError::http(StatusCode::PAYLOAD_TOO_LARGE, "The entity sent is too large"))
        }
        Err(e) => Err(ApiError::http(StatusCode::BAD_REQUEST, format!("The body broke off: {e}"))),
    }
}

fn parse(media_type: &str, bytes: &Bytes) -> Result<Parsed, ApiError> {
    if is_json(media_type) {
        return json(bytes);
    }
    if media_type == "application/x-www-form-urlencoded" {
        let form = query::parse(&String::from_utf8_lossy(bytes));
        return Ok(Parsed::Object(form));
    }
    Ok(Parsed::Absent)
}

fn json(bytes: &[u8]) -> Result<Parsed, ApiError> {
    let bad = |_| ApiError::http(StatusCode::BAD_REQUEST, "Invalid JSON document");
    let mut value: Value = serde_json::from_slice(bytes).map_err(bad)?;
    if let Value::String(inner) = &value {
        // A text that contains JSON is parsed again, as upstream does.
        value = serde_json::from_str(inner).unwrap_or(Value::Null);
    }
    Ok(match value {
        Value::Object(object) => Parsed::Object(object.into_iter().collect()),
        _ => Parsed::Other,
    })
}
