//! Grafana: where it is, whether it has a dashboard, and Ceph's own dashboards for it (`controllers/grafana.py`,
//! `grafana.py`).

use crate::Dashboard;
use crate::access::scope::{Permission, Scope};
use crate::http::operation::{Answer, Param, Resource};
use crate::http::{ApiError, Call, Operation, Reply, now};
use crate::later;
use crate::outbound::{self, Ask, OutboundError};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

pub const RESOURCE: Resource = Resource {
    tag: "Grafana",
    doc: "Grafana Management API",
    operations: &[
        Operation::get("/api/grafana/url", now(url))
            .scope(Scope::Grafana)
            .summary("List Grafana URL Instance"),
        Operation::get("/api/grafana/validation/{params}", later!(validation))
            .scope(Scope::Grafana)
            .params(&[Param::path("params").doc("A dashboard's unique id, with its name")]),
        Operation::post("/api/grafana/dashboards", later!(dashboards))
            .may(Scope::Grafana, Permission::Update)
            .status(200),
    ],
};

/// Where Ceph's packages put the dashboards that they have for Grafana.
const DASHBOARDS: &str = "/etc/grafana/dashboards/ceph-dashboard";

fn url(call: &Call) -> Answer {
    let settings = call.dash.settings();
    let (api, frontend) = (settings.text("GRAFANA_API_URL"), settings.text("GRAFANA_FRONTEND_API_URL"));
    // A frontend's address without a server behind it counts as none.
    let instance = match (api.is_empty(), frontend.is_empty()) {
        (true, _) => String::new(),
        (false, true) => api,
        (false, false) => frontend,
    };
    Ok(Reply::json(&json!({"instance": instance.trim_end_matches('/')})))
}

/// The status that Grafana answers with when it is asked for a dashboard.
async fn validation(call: Call) -> Answer {
    let server = server(&call.dash).map_err(|why| failed(StatusCode::BAD_REQUEST, why, Some("Error")))?;
    let url = format!("{}/api/dashboards/uid/{}", server.url, quoted(call.path("params")));
    let answered = outbound::send(server.ask(&Method::GET, &url)).await;
    let answered = answered.map_err(|e| failed(StatusCode::BAD_REQUEST, e.to_string(), Some("Error")))?;
    Ok(Reply::json(&answered.status.as_u16()))
}

async fn dashboards(call: Call) -> Answer {
    push_all(&call.dash, Path::new(DASHBOARDS)).await
}

/// Gives Grafana every dashboard of a folder.
async fn push_all(dash: &Dashboard, folder: &Path) -> Answer {
    for dashboard in load(folder).await? {
        push(dash, &dashboard).await?;
    }
    Ok(Reply::json(&json!({"success": true})))
}

async fn load(folder: &Path) -> Result<Vec<Value>, ApiError> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(|e| unreadable(folder, &e))?;
    while let Some(entry) = entries.next_entry().await.map_err(|e| unreadable(folder, &e))? {
        names.push(entry.path());
    }
    names.retain(|name| name.extension().is_some_and(|extension| extension == "json"));
    names.sort();
    let mut dashboards = Vec::new();
    for name in names {
        let text = tokio::fs::read(&name).await.map_err(|e| unreadable(&name, &e))?;
        let dashboard = serde_json::from_slice(&text).map_err(|e| {
            failed(StatusCode::INTERNAL_SERVER_ERROR, format!("{}: {e}", name.display()), None)
        })?;
        dashboards.push(dashboard);
    }
    Ok(dashboards)
}

async fn push(dash: &Dashboard, dashboard: &Value) -> Result<(), ApiError> {
    let broken = |why: String, code| failed(StatusCode::INTERNAL_SERVER_ERROR, why, code);
    let server = server(dash).map_err(|why| broken(why, None))?;
    let settings = dash.settings();
    let (user, password) = (settings.text("GRAFANA_API_USERNAME"), settings.text("GRAFANA_API_PASSWORD"));
    for (text, what) in [(&user, "username"), (&password, "password")] {
        if text.is_empty() {
            return Err(broken(format!("The Grafana API {what} is not set"), None));
        }
    }
    let url = format!("{}/api/dashboards/db", server.url);
    let body = json!({"dashboard": dashboard, "overwrite": true});
    let ask = Ask { login: Some((&user, &password)), body: Some(&body), ..server.ask(&Method::POST, &url) };
    let answered = outbound::send(ask).await.map_err(|why| match why {
        OutboundError::Connect { .. } => broken(format!("Could not connect to Grafana server: {why}"), None),
        why => broken(why.to_string(), Some("Error")),
    })?;
    let (status, reason) =
        (answered.status, answered.status.canonical_reason().unwrap_or("without a reason"));
    let whose = if status.is_client_error() { "Client" } else { "Server" };
    if status.is_client_error() || status.is_server_error() {
        return Err(broken(
            format!("{} {whose} Error: {reason} for url: {url}", status.as_u16()),
            Some("Error"),
        ));
    }
    match serde_json::from_slice::<Value>(&answered.body) {
        Ok(_) => Ok(()),
        Err(_) => Err(broken(format!("{url} did not answer with JSON; is it Grafana?"), None)),
    }
}

/// The server as the settings have it.
struct Server {
    url: String,
    verify: bool,
    deadline: Duration,
}

impl Server {
    fn ask<'a>(&self, method: &'a Method, url: &'a str) -> Ask<'a> {
        Ask {
            method,
            url,
            login: None,
            headers: &[],
            body: None,
            verify: self.verify,
            deadline: self.deadline,
        }
    }
}

fn server(dash: &Dashboard) -> Result<Server, String> {
    let settings = dash.settings();
    let url = settings.text("GRAFANA_API_URL").trim_end_matches('/').to_owned();
    if url.is_empty() {
        return Err("The Grafana API URL is not set".to_owned());
    }
    if !url.starts_with("http") {
        return Err("The Grafana API URL is invalid".to_owned());
    }
    let deadline = Duration::from_secs(settings.int("REST_REQUESTS_TIMEOUT").clamp(1, 300).unsigned_abs());
    Ok(Server { url, verify: settings.is("GRAFANA_API_SSL_VERIFY"), deadline })
}

/// Upstream's `handle_error('grafana')`: what has no errno has no code either.
fn failed(status: StatusCode, detail: String, code: Option<&str>) -> ApiError {
    ApiError::Dashboard {
        status,
        detail,
        code: code.map(str::to_owned),
        component: Some("grafana"),
        extra: None,
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ApiError {
    let errno = error.raw_os_error().unwrap_or(EIO);
    let why = match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => error.to_string(),
    };
    let detail = format!("[Errno {errno}] {why}: '{}'", path.display());
    failed(StatusCode::INTERNAL_SERVER_ERROR, detail, Some(&errno.to_string()))
}

/// For an error without a number.
const EIO: i32 = 5;

/// A segment of a path.
fn quoted(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tests::{Fake, answer, serve};
    use crate::release::Release;
    use crate::testing::{Bench, Running};

    async fn bench(url: &str) -> Running {
        let options =
            [("GRAFANA_API_URL", url), ("GRAFANA_API_USERNAME", "ceph"), ("GRAFANA_API_PASSWORD", "x")];
        let bench =
            options.into_iter().fold(Bench::new(Release::Reef), |b, (name, value)| b.option(name, value));
        bench.start().await
    }

    #[tokio::test]
    async fn the_frontends_address_wins_when_there_is_a_server() {
        let url = async |api: &str, frontend: &str| {
            let bench = Bench::new(Release::Reef).option("GRAFANA_API_URL", api);
            let bench = bench.option("GRAFANA_FRONTEND_API_URL", frontend).start().await;
            bench.get("/api/grafana/url").await.json()["instance"].as_str().unwrap().to_owned()
        };
        assert_eq!(url("http://a/", "").await, "http://a");
        assert_eq!(url("http://a/", "http://f/").await, "http://f");
        assert_eq!(url("", "http://f").await, "");
    }

    #[tokio::test]
    async fn validation_tells_the_status_that_grafana_gives() {
        let fake = serve(vec![answer("404 Not Found", "{}"), answer("200 OK", "{}")]).await;
        let bench = bench(&format!("{}/", fake.url)).await;
        assert_eq!(bench.get("/api/grafana/validation/z%25%3Fy").await.json(), json!(404));
        assert_eq!(bench.get("/api/grafana/validation/abc").await.json(), json!(200));
        let seen = fake.seen.lock().unwrap();
        assert!(seen[0].starts_with("GET /api/dashboards/uid/z%25%3Fy HTTP/1.1\r\n"), "{}", seen[0]);
    }

    #[tokio::test]
    async fn validation_says_what_is_wrong_with_the_server() {
        let cases = [
            ("", "The Grafana API URL is not set"),
            ("grafana:3000", "The Grafana API URL is invalid"),
            ("http://127.0.0.1:1", "127.0.0.1:1 cannot be reached"),
        ];
        for (url, expected) in cases {
            let refused = bench(url).await.get("/api/grafana/validation/a").await;
            let body = refused.json();
            assert!(body["detail"].as_str().unwrap().contains(expected), "{body}");
            assert_eq!((refused.status.as_u16(), &body["code"]), (400, &json!("Error")));
            assert_eq!(body["component"], "grafana");
        }
    }

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("axon-grafana-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            for (name, text) in files {
                std::fs::write(path.join(name), text).unwrap();
            }
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    async fn pushed(fake: &Fake, folder: &Folder) -> Result<Value, (u16, Value)> {
        let bench = bench(&fake.url).await;
        match push_all(&bench.dash, &folder.0).await {
            Ok(_) => Ok(json!({"success": true})),
            Err(e) => Err((e.status().as_u16(), e.to_json())),
        }
    }

    #[tokio::test]
    async fn dashboards_are_pushed_with_the_login_until_one_fails() {
        let folder =
            Folder::new("push", &[("a.json", r#"{"uid": "a"}"#), ("b.json", "{}"), ("notes.txt", "x")]);
        let fake = serve(vec![answer("200 OK", "{}"), answer("200 OK", "{}")]).await;
        assert_eq!(pushed(&fake, &folder).await.unwrap(), json!({"success": true}));
        let first = fake.seen.lock().unwrap()[0].clone();
        assert!(first.starts_with("POST /api/dashboards/db ") && first.contains("authorization: Basic "));
        assert!(first.ends_with(r#"{"dashboard":{"uid":"a"},"overwrite":true}"#), "{first}");
        let fake = serve(vec![answer("401 Unauthorized", "{}")]).await;
        let (status, body) = pushed(&fake, &folder).await.unwrap_err();
        let expected = format!("401 Client Error: Unauthorized for url: {}/api/dashboards/db", fake.url);
        assert_eq!(
            (status, body),
            (500, json!({"detail": expected, "code": "Error", "component": "grafana"}))
        );
    }

    #[tokio::test]
    async fn a_missing_folder_is_upstreams_error() {
        let fake = serve(Vec::new()).await;
        let (status, body) = pushed(&fake, &Folder("/nonexistent/folder".into())).await.unwrap_err();
        let detail = "[Errno 2] No such file or directory: '/nonexistent/folder'";
        assert_eq!((status, body), (500, json!({"detail": detail, "code": "2", "component": "grafana"})));
    }
}
