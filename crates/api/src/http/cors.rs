//! Cross-origin requests, when `cross_origin_url` is set. Upstream: `tools.py` `configure_cors`, `cors_tool`.
//!
//! Invariant: off unless the option was set when the server started; the request header that names the origin is
//! `Access-Control-Allow-Origin`, as upstream has it, except on OPTIONS.

use crate::release::Release;
use http::{HeaderMap, HeaderValue, Method, header};

/// The origins that are let in.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    origins: Vec<String>,
    release: Option<Release>,
}

impl Cors {
    /// From the option: a comma list.
    #[must_use]
    pub fn new(option: &str, release: Release) -> Self {
        let origins = option.split(',').map(|o| o.trim().to_owned()).filter(|o| !o.is_empty()).collect();
        Cors { origins, release: Some(release) }
    }

    /// Whether anything is let in.
    #[must_use]
    pub fn on(&self) -> bool {
        !self.origins.is_empty()
    }

    /// The headers of a reply.
    pub fn apply(&self, method: &Method, request: &HeaderMap, reply: &mut HeaderMap) {
        if !self.on() {
            return;
        }
        let tentacle = self.release >= Some(Release::Tentacle);
        let named = request.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        let origin = request.get(header::ORIGIN).filter(|_| method == Method::OPTIONS);
        for value in [named, origin].into_iter().flatten() {
            if value.to_str().is_ok_and(|v| self.origins.iter().any(|o| o == v)) {
                reply.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value.clone());
            }
        }
        let exposed = if tentacle { "GET, POST, X-Total-Count" } else { "GET, POST" };
        reply.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        reply.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if method == Method::OPTIONS {
            self.preflight(tentacle, request, reply);
        }
    }

    fn preflight(&self, tentacle: bool, request: &HeaderMap, reply: &mut HeaderMap) {
        let methods = if tentacle { "GET, POST, PUT, DELETE" } else { "GET, POST, PUT" };
        let asked = request.get(header::ACCESS_CONTROL_REQUEST_METHOD).and_then(|v| v.to_str().ok());
        if !asked.is_some_and(|m| methods.split(", ").any(|allowed| allowed == m)) {
            return;
        }
        let headers = "Content-Type, Authorization, Accept, Access-Control-Allow-Origin";
        reply.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        reply.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(headers));
        reply.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &'static str, value: &'static str) -> HeaderMap {
        [(http::HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let cors = Cors::new("https://a, https://b", Release::Reef);
        let mut reply = HeaderMap::new();
        cors.apply(&Method::GET, &request("access-control-allow-origin", "https://b"), &mut reply);
        assert_eq!(reply["access-control-allow-origin"], "https://b");
        assert_eq!(reply["access-control-expose-headers"], "GET, POST");
        let mut reply = HeaderMap::new();
        cors.apply(&Method::GET, &request("access-control-allow-origin", "https://c"), &mut reply);
        assert!(!reply.contains_key("access-control-allow-origin"));
    }

    #[test]
    fn deletes_are_allowed_since_tentacle() {
        let mut asked = request("origin", "https://a");
        asked.insert("access-control-request-method", HeaderValue::from_static("DELETE"));
        for (release, allowed) in [(Release::Reef, false), (Release::Tentacle, true)] {
            let mut reply = HeaderMap::new();
            Cors::new("https://a", release).apply(&Method::OPTIONS, &asked, &mut reply);
            assert_eq!(reply["access-control-allow-origin"], "https://a");
            assert_eq!(reply.contains_key("access-control-allow-methods"), allowed);
        }
    }
}
