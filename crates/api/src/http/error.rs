//! What a handler or a step before it can answer instead of a reply, and its body. Upstream: CherryPy's `HTTPError`
//! with the Debug plugin's error page, and `DashboardException` (`exceptions.py`, `services/exception.py`).
//!
//! Invariants: two body shapes, `{"status", "detail", "request_id"}` and `{"detail", "code", "component"}`; the media
//! type of both is `application/json`.

use super::reply::Reply;
use crate::access::AccessError;
use axon_core::CommandError;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiError {
    /// CherryPy's: a status and a sentence.
    Http { status: StatusCode, detail: String },
    /// The dashboard's own.
    Dashboard {
        status: StatusCode,
        detail: String,
        code: Option<String>,
        component: Option<&'static str>,
        extra: Option<Box<Map<String, Value>>>,
    },
    /// `ViewCacheNoDataException`: 200 with status 2.
    NoDataYet,
}

impl ApiError {
    /// A plain HTTP error.
    #[must_use]
    pub fn http(status: StatusCode, detail: impl Into<String>) -> Self {
        ApiError::Http { status, detail: detail.into() }
    }

    /// CherryPy's 404 of a path that is not served.
    #[must_use]
    pub fn not_found_path(path: &str) -> Self {
        Self::http(StatusCode::NOT_FOUND, format!("The path '{path}' was not found."))
    }

    /// `cherrypy.HTTPError(404)` without a sentence.
    #[must_use]
    pub fn not_found() -> Self {
        Self::http(StatusCode::NOT_FOUND, "Nothing matches the given URI")
    }

    /// A handler that cannot go on for a reason of its own; the sentence names the cause.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::http(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// `DashboardException(msg, code, component)`: status 400.
    #[must_use]
    pub fn dashboard(detail: impl Into<String>, code: &str, component: &'static str) -> Self {
        ApiError::Dashboard {
            status: StatusCode::BAD_REQUEST,
            detail: detail.into(),
            code: Some(code.to_owned()),
            component: Some(component),
            extra: None,
        }
    }

    /// `DashboardException(msg=…, component=…)` without a code: status 400, and the body has no `code`.
    #[must_use]
    pub fn uncoded(detail: impl Into<String>, component: &'static str) -> Self {
        let (status, detail) = (StatusCode::BAD_REQUEST, detail.into());
        ApiError::Dashboard { status, detail, code: None, component: Some(component), extra: None }
    }

    /// A parameter that is missing, unknown or of the wrong kind. Upstream fails with 500 there; ours says which one.
    #[must_use]
    pub fn bad_parameter(detail: impl Into<String>) -> Self {
        ApiError::Dashboard {
            status: StatusCode::BAD_REQUEST,
            detail: detail.into(),
            code: Some("invalid_parameter".to_owned()),
            component: None,
            extra: None,
        }
    }

    /// A command that failed, within `handle_send_command_error(component)`: the code is the errno.
    #[must_use]
    pub fn command(error: &CommandError, component: &'static str) -> Self {
        Self::of_command(error, error.errno().abs().to_string(), Some(component))
    }

    fn of_command(error: &CommandError, code: String, component: Option<&'static str>) -> Self {
        let (status, detail) = match error {
            // The number is negative in upstream's text: it is the command's return value.
            CommandError::Daemon { errno, outs } => {
                (StatusCode::BAD_REQUEST, format!("[errno -{}] {outs}", errno.abs()))
            }
            CommandError::Unreachable { .. } | CommandError::Lost { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            CommandError::Deadline { .. } => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
            CommandError::BadOutput(_) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        ApiError::Dashboard { status, detail, code: Some(code), component, extra: None }
    }

    /// With another status.
    #[must_use]
    pub fn with_status(mut self, new: StatusCode) -> Self {
        match &mut self {
            ApiError::Http { status, .. } | ApiError::Dashboard { status, .. } => *status = new,
            ApiError::NoDataYet => {}
        }
        self
    }

    /// With further members in the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        if let ApiError::Dashboard { extra, .. } = &mut self {
            extra.get_or_insert_default().insert(key.to_owned(), value);
        }
        self
    }

    /// The status that the client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            ApiError::Http { status, .. } | ApiError::Dashboard { status, .. } => *status,
            ApiError::NoDataYet => StatusCode::OK,
        }
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            ApiError::Http { status, detail } => {
                let status = format!("{} {}", status.as_str(), reason(*status));
                json!({"status": status, "detail": detail, "request_id": uuid::Uuid::new_v4()})
            }
            ApiError::Dashboard { detail, code, component, extra, .. } => {
                let mut body = Map::new();
                body.insert("detail".to_owned(), json!(detail));
                if let Some(code) = code {
                    body.insert("code".to_owned(), json!(code));
                }
                body.insert("component".to_owned(), json!(component));
                body.extend(extra.as_deref().cloned().unwrap_or_default());
                Value::Object(body)
            }
            ApiError::NoDataYet => json!({"status": 2, "value": null}),
        }
    }

    /// The reply that carries it.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let mut reply = Reply::bytes(Bytes::from(self.to_json().to_string()));
        reply.status = Some(self.status());
        reply.content_type = Some(http::HeaderValue::from_static("application/json"));
        reply
    }
}

/// Python's reason phrases where they differ from ours.
fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        413 => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or(""),
    }
}

/// A command that failed where upstream's handler does not catch it: the code is the exception's name.
impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        Self::of_command(&error, "SendCommandError".to_owned(), None)
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NoUser(_) | AccessError::NoRole(_) => Self::not_found(),
            other => Self::bad_parameter(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_error_has_status_detail_and_request_id() {
        let body = ApiError::not_found_path("/api/x").to_json();
        assert_eq!(body["status"], "404 Not Found");
        assert_eq!(body["detail"], "The path '/api/x' was not found.");
        assert!(uuid::Uuid::parse_str(body["request_id"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn a_failed_command_is_400_with_the_errno() {
        let error = CommandError::Daemon { errno: 2, outs: "no such rule".to_owned() };
        assert_eq!(
            ApiError::from(error.clone()).to_json(),
            json!({"detail": "[errno -2] no such rule", "code": "SendCommandError", "component": null})
        );
        assert_eq!(
            ApiError::command(&error, "pool").to_json(),
            json!({"detail": "[errno -2] no such rule", "code": "2", "component": "pool"})
        );
    }

    #[test]
    fn a_cluster_out_of_reach_is_not_the_clients_fault() {
        let error = CommandError::Deadline { secs: 30, sent: true };
        assert_eq!(ApiError::from(error).status(), StatusCode::GATEWAY_TIMEOUT);
    }
}
