//! A handler's answer: a JSON value, bytes that are JSON already, or nothing.

use super::epoch_cache::Cached;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::sync::Arc;

/// The answer. Status and media type come from the operation's row unless set here.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: Option<StatusCode>,
    pub content_type: Option<HeaderValue>,
    pub headers: HeaderMap,
    pub body: Body,
}

/// What is sent.
#[derive(Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    /// Bytes that are kept, with their compressed form.
    Cached(Arc<Cached>),
}

impl Reply {
    /// A value as JSON.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => Self::bytes(Bytes::from(bytes)),
            Err(e) => {
                super::ApiError::internal(format!("the answer cannot be written as JSON: {e}")).into_reply()
            }
        }
    }

    /// JSON text that is ready.
    #[must_use]
    pub fn bytes(bytes: Bytes) -> Self {
        Reply { body: Body::Bytes(bytes), ..Reply::default() }
    }

    /// What a Python handler that returns nothing sends: `null`.
    #[must_use]
    pub fn null() -> Self {
        Self::bytes(Bytes::from_static(b"null"))
    }

    /// An answer kept per epoch.
    #[must_use]
    pub fn cached(cached: Arc<Cached>) -> Self {
        Reply { body: Body::Cached(cached), ..Reply::default() }
    }

    /// With a status other than the row's.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// With another header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}
