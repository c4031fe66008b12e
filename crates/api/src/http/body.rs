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

/// Reads and parses the body of a POST or PUT.
pub async fn read<B>(op: &Operation, headers: &HeaderMap, body: B) -> Result<Parsed, ApiError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(ApiError::http(StatusCode::LENGTH_REQUIRED, "Client must specify Content-Length"));
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = matches!(media_type.as_str(), "application/json" | "text/javascript");
    if !is_json && !op.empty_body {
        return Err(ApiError::http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expected an entity of content type application/json, text/javascript",
        ));
    }
    let bytes = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => {
            return Err(ApiError::http(StatusCode::PAYLOAD_TOO_LARGE, "The entity sent is too large"));
        }
        Err(e) => return Err(ApiError::http(StatusCode::BAD_REQUEST, format!("The body broke off: {e}"))),
    };
    if is_json {
        return json(&bytes);
    }
    if media_type == "application/x-www-form-urlencoded" {
        let form = query::parse(&String::from_utf8_lossy(&bytes));
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
