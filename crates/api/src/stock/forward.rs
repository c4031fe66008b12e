//! One request on its way to the stock dashboard and back: method, path, query, headers and body as they came, without what belongs to
//! one connection, over the process's Unix socket. Upstream's counterpart is the request reaching CherryPy by itself.
//!
//! Invariants: a deadline covers all of it; requests under way, bodies and answers are bounded; before the module judges a token it has
//! the users that we have, and what it changed about them is taken over afterwards.

use super::Stock;
use crate::dashboard::Dashboard;
use crate::http::ApiError;
use crate::http::operation::Answer;
use crate::http::reply::Reply;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{Mutex, Semaphore};

/// More than any answer of the module.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long a request may take once the module serves; its longest operations wait for other servers.
const REQUEST_SECS_MAX: u64 = 120;
/// Requests under way; CherryPy works on 10 (20.2: 30) at a time and queues the others.
const REQUESTS_MAX: usize = 64;
/// How long a change of users may take to be seen in the snapshot that the module reads.
const USERS_MS_MAX: u64 = 3_000;
/// How long the lists of tasks may take.
const TASKS_MS_MAX: u64 = 2_000;

/// A request as it came.
pub struct Raw {
    pub method: Method,
    pub path_and_query: String,
    pub headers: Arc<HeaderMap>,
    pub body: Bytes,
    pub peer: Option<SocketAddr>,
}

/// The way to the stock dashboard.
pub struct Forwarder {
    stock: Arc<dyn Stock>,
    slots: Semaphore,
    /// The process, and the generation of users that it has.
    users: Mutex<Option<(PathBuf, u64)>>,
}

impl Forwarder {
    #[must_use]
    pub fn new(stock: Arc<dyn Stock>) -> Self {
        Forwarder { stock, slots: Semaphore::new(REQUESTS_MAX), users: Mutex::default() }
    }

    /// Passes a request on and gives the module's answer.
    pub async fn pass(&self, dash: &Dashboard, raw: Raw) -> Answer {
        let Ok(_slot) = self.slots.try_acquire() else {
            return Err(unavailable(format!("{REQUESTS_MAX} requests are under way in it")));
        };
        let door = self.stock.door().await.map_err(unavailable)?;
        self.share_users(dash, &door).await.map_err(unavailable)?;
        let signs_on = raw.path_and_query.contains("/auth/");
        let late = || {
            let why = format!(
                "the stock dashboard has not answered within {REQUEST_SECS_MAX} s; it may still work on it"
            );
            ApiError::http(StatusCode::GATEWAY_TIMEOUT, why)
        };
        let deadline = Duration::from_secs(REQUEST_SECS_MAX);
        let reply = tokio::time::timeout(deadline, exchange(&door, raw)).await.map_err(|_| late())??;
        if signs_on {
            dash.take_over_access().await;
        }
        Ok(Reply { headers: kept(reply.headers, signs_on), ..reply })
    }

    /// Gives the process the users that we have, if they are others than it knows.
    async fn share_users(&self, dash: &Dashboard, door: &Path) -> Result<(), String> {
        let mut known = self.users.lock().await;
        let generation = dash.access_generation();
        if known.as_ref().is_some_and(|(process, has)| process == door && *has == generation) {
            return Ok(());
        }
        for _ in 0..USERS_MS_MAX / 10 {
            if dash.access_is_pushed() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.stock.ask("users", Value::Null).await?;
        *known = Some((door.to_owned(), generation));
        Ok(())
    }

    /// Executing and finished tasks of the module, as its `/api/task` shows them; nothing while it does not run.
    pub async fn tasks(&self, glob: Option<&str>) -> (Vec<Value>, Vec<Value>) {
        let asked = self.stock.ask("tasks", glob.map_or(Value::Null, Value::from));
        let lists = match tokio::time::timeout(Duration::from_millis(TASKS_MS_MAX), asked).await {
            Ok(Ok(Value::Array(lists))) => lists,
            _ => return Default::default(),
        };
        let mut lists = lists.into_iter().map(|list| match list {
            Value::Array(tasks) => tasks,
            _ => Vec::new(),
        });
        (lists.next().unwrap_or_default(), lists.next().unwrap_or_default())
    }
}

fn unavailable(why: String) -> ApiError {
    let detail =
        format!("This operation is served by the stock dashboard module, which cannot be reached: {why}");
    ApiError::http(StatusCode::SERVICE_UNAVAILABLE, detail)
}

async fn exchange(door: &Path, raw: Raw) -> Result<Reply, ApiError> {
    let broken = |why: &dyn std::fmt::Display| {
        unavailable(format!("it broke off ({why}); what was asked may have been done"))
    };
    let socket = UnixStream::connect(door).await.map_err(|why| unavailable(why.to_string()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|why| broken(&why))?;
    // Ends with the exchange, or with the future that waits for it.
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    let answer = sender.send_request(request(raw)?).await.map_err(|why| broken(&why))?;
    let (parts, body) = answer.into_parts();
    let body = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(why) if why.is::<LengthLimitError>() => {
            let why = format!("the stock dashboard's answer has more than {ANSWER_BYTES_MAX} bytes");
            return Err(ApiError::http(StatusCode::BAD_GATEWAY, why));
        }
        Err(why) => return Err(broken(&why)),
    };
    Ok(Reply {
        status: Some(parts.status),
        content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
        headers: parts.headers,
        ..Reply::bytes(body)
    })
}

fn request(raw: Raw) -> Result<Request<Full<Bytes>>, ApiError> {
    let mut request = Request::new(Full::new(raw.body));
    *request.method_mut() = raw.method;
    *request.uri_mut() = raw.path_and_query.parse().map_err(|why| {
        ApiError::http(StatusCode::BAD_REQUEST, format!("the path cannot be passed on: {why}"))
    })?;
    let headers = request.headers_mut();
    for (name, value) in raw.headers.iter() {
        // The length is the body's, and an answer is compressed once, here.
        if !of_connection(&raw.headers, name)
            && *name != header::CONTENT_LENGTH
            && *name != header::ACCEPT_ENCODING
        {
            headers.append(name, value.clone());
        }
    }
    headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(peer) = raw.peer
        && let Ok(value) = HeaderValue::try_from(peer.ip().to_string())
    {
        headers.insert(HeaderName::from_static("x-forwarded-for"), value);
    }
    Ok(request)
}

/// Headers that are for one connection only (RFC 9110, 7.6.1).
fn of_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    const ALWAYS: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok());
    let mut named = named.flat_map(|list| list.split(',')).map(str::trim);
    ALWAYS.contains(&name.as_str()) || named.any(|n| n.eq_ignore_ascii_case(name.as_str()))
}

/// What of an answer's headers goes to the client. The module's session is of use in single sign-on only.
fn kept(headers: HeaderMap, signs_on: bool) -> HeaderMap {
    let own = [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::DATE, header::VARY];
    let mut out = HeaderMap::new();
    for (name, value) in &headers {
        let unwanted = own.contains(name) || (*name == header::SET_COOKIE && !signs_on);
        if !unwanted && !of_connection(&headers, name) {
            out.append(name, value.clone());
        }
    }
    out
}
