//! The life of a request: path → operation → body → caller → permission → version → handler → reply.
//!
//! Invariant: the order of these steps is upstream's, because the status of a request with two faults depends on it.
//! A request without a matching operation is 404 whatever its method, and never 405.

use super::body::{self, Parsed};
use super::call::Call;
use super::cors::Cors;
use super::epoch_cache::Cached;
use super::error::ApiError;
use super::gzip;
use super::operation::{Access, Answer, Handler, Resource, Verb};
use super::query;
use super::reply::{Body, Reply};
use super::router::{Route, Router, Twice};
use super::version::ApiVersion;
use crate::Release;
use crate::audit;
use crate::auth::Caller;
use crate::dashboard::Dashboard;
use crate::stock::Raw;
use crate::telemetry::{Finished, Telemetry, TraceParent};
use crate::ui::Ui;
use axon_core::trace::{self, Trace};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::Full;
use serde_json::Value;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The served API. Cheap to clone; a `tower::Service`.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

pub(crate) struct Inner {
    dash: Arc<Dashboard>,
    pub(crate) router: Router,
    pub(crate) ui: Ui,
    /// Empty, or `/prefix`.
    prefix: String,
    cors: Cors,
    telemetry: Option<Telemetry>,
}

/// What a request is beside its path, for the stock dashboard.
struct Line<'r> {
    method: &'r Method,
    uri: &'r Uri,
}

impl Api {
    /// The API of these resources over the dashboard.
    pub fn new(dash: Arc<Dashboard>, resources: &[Resource], ui: Ui) -> Result<Self, Twice> {
        let mut router = Router::new(resources, dash.release())?;
        if dash.stock.is_some() {
            router = router.with_stock(dash.release());
        }
        let prefix = dash.option("url_prefix").unwrap_or_default();
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("/{prefix}"),
        };
        let cors = Cors::new(&dash.option("cross_origin_url").unwrap_or_default(), dash.release());
        Ok(Api(Arc::new(Inner { dash, router, ui, prefix, cors, telemetry: Telemetry::from_env() })))
    }

    /// The served routes.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.0.router
    }

    /// `/prefix`, or nothing.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Answers a request; with the hops of its answer when it, or the configuration, asks for them.
    pub async fn handle<B>(&self, request: Request<B>, peer: Option<SocketAddr>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let wanted = request.headers().contains_key(TRACE);
        if !wanted && self.0.telemetry.is_none() {
            return self.answer(request, peer).await;
        }
        let trace = Trace::root(format!("{} {}", request.method(), request.uri().path()), Instant::now());
        let is_known = wanted && self.0.caller(request.headers()).is_some();
        let caller = TraceParent::of(request.headers());
        let mut response = trace::scope(trace.clone(), self.answer(request, peer)).await;
        trace.note("status", response.status().as_str());
        trace.end(Instant::now());
        // What it shows is nobody's business who has not logged in.
        if is_known && let Ok(value) = HeaderValue::try_from(trace.to_json().to_string()) {
            response.headers_mut().insert(TRACE, value);
        }
        if let Some(telemetry) = &self.0.telemetry {
            telemetry.send(Finished { trace, caller });
        }
        response
    }

    async fn answer<B>(&self, request: Request<B>, peer: Option<SocketAddr>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let headers = Arc::new(parts.headers);
        let inner = &self.0;
        let path = parts.uri.path().strip_prefix(inner.prefix.as_str()).unwrap_or("");
        let preflight = inner.cors.on() && parts.method == Method::OPTIONS;
        let found = Verb::of(&parts.method).and_then(|verb| inner.router.find(verb, path));
        let (answer, route) = match found {
            _ if preflight => (Ok(Reply::default().status(StatusCode::OK)), None),
            Some((index, params)) => {
                let line = Line { method: &parts.method, uri: &parts.uri };
                let answer = self.operate(index, params, line, &headers, body, peer).await;
                (answer, inner.router.routes().get(index))
            }
            None if parts.method == Method::GET => (inner.ui.serve(path, &headers).await, None),
            None => (Err(ApiError::not_found_path(parts.uri.path())), None),
        };
        let encoding = trace::current().map(|trace| trace.child("encode the answer", Instant::now()));
        let mut response = inner.respond(answer, route, &headers).await;
        if let Some(hop) = encoding {
            hop.note("body", format!("{} bytes", response.body().size_hint().lower()));
            hop.end(Instant::now());
        }
        inner.cors.apply(&parts.method, &headers, response.headers_mut());
        response
    }

    async fn operate<B>(
        &self,
        index: usize,
        path: Vec<String>,
        line: Line<'_>,
        headers: &Arc<HeaderMap>,
        body: B,
        peer: Option<SocketAddr>,
    ) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let begun = Instant::now();
        let op = self.0.router.routes()[index].op;
        let is_stock = matches!(op.handler, Handler::Stock);
        let (bytes, parsed) = match op.method.has_body() {
            true if is_stock => body::read_raw(headers, body).await?,
            true => (Bytes::new(), body::read(op, headers, body).await?),
            false => (Bytes::new(), Parsed::Absent),
        };
        let mut args: Vec<(String, Value)> = query::parse(line.uri.query().unwrap_or(""));
        let is_object = merge(&mut args, parsed);
        let caller = self.0.caller(headers);
        if op.method != Verb::Get {
            audit::record(&self.0.dash, op, &args, &path, caller.as_deref(), peer);
        }
        let caller = authorize(op.access, self.0.dash.release(), caller)?;
        if let Some(version) = op.version {
            check_version(version, headers)?;
        }
        if is_stock {
            return self.pass_on(line, headers, bytes, peer).await;
        }
        if !is_object {
            return Err(ApiError::bad_parameter("The body must be a JSON object"));
        }
        let call = Call {
            state: self.0.dash.state(),
            dash: self.0.dash.clone(),
            api: self.0.clone(),
            route: index,
            caller,
            path: path.into(),
            args: args.into(),
            headers: headers.clone(),
            peer,
        };
        if let Handler::Refuse(why) = call.op().handler {
            return Err(why());
        }
        call.check_params()?;
        let Some(trace) = trace::current() else { return dispatch(call).await };
        trace.past("route, body, permission", begun, Instant::now());
        let hop = trace.child("handler", Instant::now());
        let answer = trace::scope(hop.clone(), dispatch(call)).await;
        hop.end(Instant::now());
        answer
    }

    /// A request that the stock dashboard answers.
    async fn pass_on(
        &self,
        line: Line<'_>,
        headers: &Arc<HeaderMap>,
        body: Bytes,
        peer: Option<SocketAddr>,
    ) -> Answer {
        let Some(stock) = &self.0.dash.stock else { return Err(ApiError::not_found()) };
        let raw = Raw {
            method: line.method.clone(),
            path_and_query: line.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            headers: headers.clone(),
            body,
            peer,
        };
        let hop = trace::current().map(|trace| trace.child("stock dashboard", Instant::now()));
        let answer = stock.pass(&self.0.dash, raw).await;
        if let Some(hop) = hop {
            hop.end(Instant::now());
        }
        answer
    }
}

impl Inner {
    fn caller(&self, headers: &HeaderMap) -> Option<Arc<Caller>> {
        let token = token(headers)?;
        match self.dash.authenticate(token) {
            Ok(caller) => Some(caller),
            Err(why) => {
                tracing::debug!(%why, "a token was refused");
                None
            }
        }
    }

    async fn respond(
        &self,
        answer: Answer,
        route: Option<&Route>,
        request: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let failed = answer.is_err();
        let reply = answer.unwrap_or_else(|error| {
            if error.status().is_server_error() {
                tracing::warn!(?error, "a request failed");
            }
            error.into_reply()
        });
        let status = reply.status.or(route.filter(|_| !failed).map(|r| status(r.op.status)));
        let mut headers = reply.headers;
        let content_type = reply.content_type.or(route.map(|r| r.content_type.clone()));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        headers.insert(header::SERVER, HeaderValue::from_static("Ceph-Dashboard"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'self';"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000; includeSubDomains; preload"),
        );
        let by_language = headers.contains_key(header::CONTENT_LANGUAGE);
        let vary = if by_language { "Accept-Language, Accept-Encoding" } else { "Accept-Encoding" };
        headers.insert(header::VARY, HeaderValue::from_static(vary));
        let body = encode(reply.body, &mut headers, request).await;
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status.unwrap_or(StatusCode::OK);
        *response.headers_mut() = headers;
        response
    }
}

/// A request with this header gets the hops of its answer in the same header of the response, as JSON.
pub const TRACE: &str = "axon-trace";

/// The token of a request: the cookie, else the header. A bad cookie is not rescued by a good header.
#[must_use]
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    if let Some((_, token)) = pairs.find(|(name, _)| *name == "token") {
        return Some(token.trim_matches('"'));
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn authorize(
    access: Access,
    release: Release,
    caller: Option<Arc<Caller>>,
) -> Result<Option<Arc<Caller>>, ApiError> {
    let Some(caller) = caller else {
        let detail = "You are not authorized to access that resource";
        let unauthorized = || ApiError::http(StatusCode::UNAUTHORIZED, detail);
        return if access == Access::Public { Ok(None) } else { Err(unauthorized()) };
    };
    let may = match access {
        Access::Public | Access::Login => true,
        Access::Granted(scope, permission) => caller.grants.allow(scope, permission),
        Access::Administrator => caller.grants.all(release),
    };
    let detail = "You don't have permissions to access that resource";
    if may { Ok(Some(caller)) } else { Err(ApiError::http(StatusCode::FORBIDDEN, detail)) }
}

fn check_version(version: ApiVersion, headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |detail: String| Err(ApiError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    let asked = headers.get(header::ACCEPT).and_then(|v| ApiVersion::of_accept(v.as_bytes()));
    match asked {
        None => refuse("Unable to find version in request header".to_owned()),
        Some(asked) if !version.supports(asked) => {
            refuse(format!("Incorrect version: endpoint is '{version}', client requested '{asked}'"))
        }
        Some(_) => Ok(()),
    }
}

/// Puts the body's parameters over the query's; `false` when the body is no object.
fn merge(args: &mut Vec<(String, Value)>, parsed: Parsed) -> bool {
    match parsed {
        Parsed::Absent => true,
        Parsed::Other => false,
        Parsed::Object(object) => {
            args.retain(|(name, _)| !object.iter().any(|(n, _)| n == name));
            args.extend(object);
            true
        }
    }
}

async fn dispatch(call: Call) -> Answer {
    let op = call.op();
    let handler = op.handler;
    // A handler that panics is a defect of ours; the client gets an error and the others go on.
    let broken = |_| Err(ApiError::internal("The operation broke off; the manager's log says where"));
    match (handler, op.task) {
        (Handler::Refuse(why), _) => Err(why()),
        // Has gone another way by now.
        (Handler::Stock, _) => Err(ApiError::not_found()),
        (Handler::Now(handler), _) => {
            std::panic::catch_unwind(AssertUnwindSafe(|| handler(&call))).unwrap_or_else(broken)
        }
        (Handler::Later(handler), None) => {
            let work = AssertUnwindSafe(async move { handler(call).await });
            work.catch_unwind().await.unwrap_or_else(broken)
        }
        (Handler::Later(handler), Some(task)) => {
            let tasks = call.dash.tasks.clone();
            let metadata =
                task.metadata.iter().map(|(key, param)| ((*key).to_owned(), argument(&call, param)));
            let metadata = metadata.collect();
            let work: BoxFuture<'static, Answer> = match trace::current() {
                // The work is a task of its own, which knows nothing of the request's.
                Some(trace) => Box::pin(trace::scope(trace, handler(call))),
                None => handler(call),
            };
            tasks.run(task.name, metadata, Duration::from_millis(task.wait_ms), work).await
        }
    }
}

/// A parameter by its dotted name, of the path or else of query and body.
fn argument(call: &Call, dotted: &str) -> Value {
    let (name, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
    if call.op().path_params().any(|p| p == name) {
        return Value::from(call.path(name));
    }
    let inside = rest.split('.').filter(|key| !key.is_empty());
    let value = inside.fold(call.value(name), |value, key| value.and_then(|v| v.get(key)));
    value.cloned().unwrap_or(Value::Null)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::OK)
}

/// Bodies shorter than this are compressed at once; longer ones off the event loop.
const GZIP_AT_ONCE_BYTES_MAX: usize = 64 << 10;

async fn encode(body: Body, headers: &mut HeaderMap, request: &HeaderMap) -> Bytes {
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    let wanted = accepted.is_some_and(gzip::accepts) && compressible(headers);
    let plain = match body {
        Body::Empty => return Bytes::new(),
        Body::Cached(cached) if wanted => match compressed(&cached).await {
            Some(bytes) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                return bytes;
            }
            None => return cached.plain(),
        },
        Body::Cached(cached) => cached.plain(),
        Body::Bytes(bytes) => bytes,
    };
    if !wanted || plain.is_empty() {
        return plain;
    }
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    if plain.len() <= GZIP_AT_ONCE_BYTES_MAX {
        return gzip::compress(&plain);
    }
    let copy = plain.clone();
    match tokio::task::spawn_blocking(move || gzip::compress(&copy)).await {
        Ok(compressed) => compressed,
        Err(_) => {
            headers.remove(header::CONTENT_ENCODING);
            plain
        }
    }
}

/// A kept answer's compressed form; nothing when the work broke off.
async fn compressed(cached: &Arc<Cached>) -> Option<Bytes> {
    if let Some(kept) = cached.gzip_kept() {
        return Some(kept);
    }
    if cached.plain().len() <= GZIP_AT_ONCE_BYTES_MAX {
        return Some(cached.gzip());
    }
    let cached = cached.clone();
    tokio::task::spawn_blocking(move || cached.gzip()).await.ok()
}

fn compressible(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap_or("").trim();
    let exact = ["text/html", "text/plain", "text/css", "application/json", "application/javascript"];
    exact.contains(&media_type) || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

impl<B> tower::Service<Request<B>> for Api
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let api = self.clone();
        let peer = request.extensions().get::<SocketAddr>().copied();
        Box::pin(async move { Ok(api.handle(request, peer).await) })
    }
}
