//! Requests through the whole service to a stock dashboard that is played by the test.

use super::Stock;
use crate::release::Release;
use crate::testing::{Bench, Running};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::net::UnixListener;

/// What has reached it.
#[derive(Default)]
struct Played {
    door: Mutex<Option<PathBuf>>,
    requests: Mutex<Vec<(String, http::HeaderMap, Bytes)>>,
    asked: Mutex<Vec<String>>,
}

impl Stock for Played {
    fn door(&self) -> BoxFuture<'_, Result<PathBuf, String>> {
        let door = self.door.lock().unwrap().clone().ok_or_else(|| "it has failed: boom".to_owned());
        Box::pin(async move { door })
    }

    fn ask<'a>(&'a self, what: &'a str, _: Value) -> BoxFuture<'a, Result<Value, String>> {
        self.asked.lock().unwrap().push(what.to_owned());
        let task = json!({"name": "rbd/create", "begin_time": "2026-01-01T00:00:00Z"});
        Box::pin(async move { Ok(if what == "tasks" { json!([[task], []]) } else { json!(true) }) })
    }
}

impl Played {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let line = format!("{} {}", parts.method, parts.uri);
        self.requests.lock().unwrap().push((line, parts.headers, body));
        let response =
            Response::builder().status(202).header("content-type", "application/vnd.ceph.api.v1.0+json");
        let response = response
            .header("x-total-count", "7")
            .header("set-cookie", "session_id=1")
            .header("connection", "close");
        Ok(response.body(Full::new(Bytes::from_static(b"{\"from\": \"stock\"}"))).unwrap())
    }

    /// Serves until the test ends, in a folder that is left to the system.
    fn open(self: &Arc<Self>) {
        let path = std::env::temp_dir().join(format!("axon-stock-{}", uuid::Uuid::new_v4()));
        let listener = UnixListener::bind(&path).unwrap();
        *self.door.lock().unwrap() = Some(path);
        let played = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let played = played.clone();
                let service = service_fn(move |request| played.clone().answer(request));
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving);
            }
        });
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if let Some(path) = self.door.lock().unwrap().take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn bench() -> (Running, Arc<Played>) {
    let played = Arc::<Played>::default();
    played.open();
    let bench = Bench::new(Release::Reef).user("ro", &["read-only"]).stock(played.clone());
    (bench.start().await, played)
}

const IMAGES: &str = "/api/block/image";

#[tokio::test]
async fn what_is_not_native_goes_on_as_it_came_and_the_answer_comes_back() {
    let (bench, played) = bench().await;
    let body = json!({"name": "a", "pool_name": "rbd"});
    let answer = bench.ask("POST", "/api/block/image?x=%2Fy", body.clone()).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::ACCEPTED, json!({"from": "stock"})));
    assert_eq!(answer.headers["x-total-count"], "7");
    assert!(!answer.headers.contains_key("set-cookie"));
    let requests = played.requests.lock().unwrap();
    let (line, headers, sent) = &requests[0];
    assert_eq!(line, "POST /api/block/image?x=%2Fy");
    assert_eq!(serde_json::from_slice::<Value>(sent).unwrap(), body);
    assert!(headers["accept"].to_str().unwrap().contains("v1.0") && headers.contains_key("authorization"));
}

#[tokio::test]
async fn native_operations_win_and_who_may_not_is_refused_here() {
    let (bench, played) = bench().await;
    assert_eq!(bench.ask("GET", "/api/user", json!(null)).await.status, StatusCode::OK);
    let body = json!({"name": "a"});
    assert_eq!(bench.ask_as("ro", "POST", IMAGES, body).await.status, StatusCode::FORBIDDEN);
    let request = bench.request("GET", "/api/block/image/trash", "1.0", None, None);
    assert_eq!(bench.send(request).await.status, StatusCode::UNAUTHORIZED);
    let request = bench.request("GET", "/api/block/image/trash", "77.0", Some("admin"), None);
    assert_eq!(bench.send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // No operation of this release.
    assert_eq!(bench.ask("GET", "/api/smb/cluster", json!(null)).await.status, StatusCode::NOT_FOUND);
    assert!(played.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_has_the_newest_users_before_it_judges_a_token() {
    let (bench, played) = bench().await;
    let trash = || bench.ask("GET", "/api/block/image/trash", json!(null));
    trash().await;
    trash().await;
    assert_eq!(*played.asked.lock().unwrap(), ["users"]);
    let user = json!({"username": "new", "password": "A-new-one-1!", "roles": [], "enabled": true});
    assert_eq!(bench.ask("POST", "/api/user", user).await.status, StatusCode::CREATED);
    trash().await;
    assert_eq!(*played.asked.lock().unwrap(), ["users", "users"]);
}

#[tokio::test]
async fn without_it_the_answer_is_503_with_the_reason_and_native_ones_go_on() {
    let (bench, played) = bench().await;
    let path = played.door.lock().unwrap().take().unwrap();
    let answer = bench.ask("GET", "/api/block/image/trash", json!(null)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.json()["detail"].as_str().unwrap().contains("boom"), "{}", answer.json());
    assert_eq!(bench.ask("GET", "/api/user", json!(null)).await.status, StatusCode::OK);
    let _ = std::fs::remove_file(path);
}

#[tokio::test]
async fn its_tasks_are_among_ours() {
    let (bench, _played) = bench().await;
    let tasks = bench.ask("GET", "/api/task", json!(null)).await.json();
    assert_eq!(tasks["executing_tasks"][0]["name"], "rbd/create");
    let summary = bench.ask("GET", "/api/summary", json!(null)).await.json();
    assert_eq!(summary["executing_tasks"][0]["name"], "rbd/create");
}

#[tokio::test]
async fn the_audit_line_is_written_once_and_here() {
    struct Lines(Mutex<Vec<String>>);
    impl crate::ClusterLog for Lines {
        fn info(&self, _: &str, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }
    let (played, lines) = (Arc::<Played>::default(), Arc::new(Lines(Mutex::default())));
    played.open();
    let bench = Bench::new(Release::Reef).option("AUDIT_API_ENABLED", "true");
    let bench = bench.stock(played.clone()).cluster_log(lines.clone()).start().await;
    bench.ask("DELETE", "/api/block/image/rbd%2Fa", json!(null)).await;
    assert_eq!(played.requests.lock().unwrap().len(), 1);
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("method='DELETE' user='admin'"), "{}", lines[0]);
}
