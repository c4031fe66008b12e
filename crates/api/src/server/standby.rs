//! What a standby manager answers: where the active one is. Upstream: `module.py` `StandbyModule`.

use crate::dashboard::MODULE;
use crate::http::ApiError;
use axon_core::State;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// Answers whatever was asked: 303 to the active manager's root, or an error, as `standby_behaviour` says.
#[must_use]
pub fn answer(state: &State, path: &str) -> Response<Full<Bytes>> {
    let option = |name| state.module_option(MODULE, name);
    if option("standby_behaviour") == Some("error") {
        let code = option("standby_error_status_code").and_then(|text| text.parse().ok()).unwrap_or(500);
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ApiError::http(status, "Keep on looking").to_json().to_string();
        return response(status, "application/json", body);
    }
    if path.starts_with("/api/prometheus_receiver") {
        return response(StatusCode::NO_CONTENT, "text/html;charset=utf-8", String::new());
    }
    let uri = state.mgr_map.services.get(MODULE).and_then(|uri| HeaderValue::try_from(uri.as_str()).ok());
    match uri {
        Some(uri) => {
            let mut response = response(StatusCode::SEE_OTHER, "text/html;charset=utf-8", String::new());
            response.headers_mut().insert(header::LOCATION, uri);
            response
        }
        None => response(StatusCode::OK, "text/html;charset=utf-8", NOBODY.to_owned()),
    }
}

const NOBODY: &str = "<!DOCTYPE html><html><head><title>Ceph</title><meta http-equiv=\"refresh\" content=\"5\"></head>\
<body>This manager is a standby, and no active one serves the dashboard now. If managers are changing places, \
this page finds the new one within seconds.</body></html>";

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::SERVER, HeaderValue::from_static("Ceph-Dashboard"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_proto::mgr_map::MgrMap;
    use std::sync::Arc;

    fn state(uri: Option<&str>, options: &[(&str, &str)]) -> State {
        let services = uri.map(|uri| ("dashboard".to_owned(), uri.to_owned())).into_iter().collect();
        let options = options.iter().map(|(k, v)| (format!("mgr/dashboard/{k}"), (*v).to_owned()));
        State {
            mgr_map: Arc::new(MgrMap { services, ..MgrMap::default() }),
            options: Arc::new(options.collect()),
            ..State::default()
        }
    }

    #[test]
    fn any_path_leads_to_the_active_managers_root() {
        let state = state(Some("https://a:8443/"), &[]);
        let response = answer(&state, "/api/osd");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "https://a:8443/");
        assert_eq!(answer(&state, "/api/prometheus_receiver").status(), StatusCode::NO_CONTENT);
    }

    #[test]
    fn a_standby_can_answer_with_an_error_or_without_an_active_one() {
        let options = [("standby_behaviour", "error"), ("standby_error_status_code", "503")];
        assert_eq!(answer(&state(Some("x"), &options), "/").status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer(&state(None, &[]), "/").status(), StatusCode::OK);
    }
}
