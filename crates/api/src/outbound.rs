//! Requests of this manager to other HTTP servers (Grafana, iSCSI gateways), in the place of Python's `requests`.
//!
//! Invariants: every request has a deadline that covers all of it; an answer's body is bounded; a GET follows redirects, and
//! takes no credentials to another server; no error shows credentials, not even those within a URL.

use crate::http::query::unquote;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// More than any answer that is of use here.
const BODY_BYTES_MAX: usize = 4 << 20;
const REDIRECTS_MAX: usize = 10;

/// A request.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub method: &'a Method,
    pub url: &'a str,
    /// User and password; those within the URL count when there are none.
    pub login: Option<(&'a str, &'a str)>,
    /// Further headers; like credentials they go to no other server.
    pub headers: &'a [(&'a str, &'a str)],
    /// Sent as JSON.
    pub body: Option<&'a serde_json::Value>,
    /// Whether the server's certificate must be good.
    pub verify: bool,
    pub deadline: Duration,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer. `server` is host and port.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("'{url}' is not a URL of the form http://HOST[:PORT]/… or https://…: {why}")]
    BadUrl { url: String, why: String },
    #[error("{server} cannot be reached: {why}")]
    Connect { server: String, why: std::io::Error },
    #[error("TLS with {server} failed: {why}")]
    Tls { server: String, why: std::io::Error },
    #[error(
        "{server} shows a certificate that this host does not trust ({why}): make the host trust its issuer, or switch \
         verification off in the settings"
    )]
    Untrusted { server: String, why: rustls::CertificateError },
    #[error("no CA certificates of this host can be read: {0}")]
    NoRoots(String),
    #[error("{server} did not answer within {secs} s")]
    Deadline { server: String, secs: u64 },
    #[error("{server} does not speak HTTP as expected: {why}")]
    Broken { server: String, why: String },
    #[error("{server} redirects more than {REDIRECTS_MAX} times")]
    Redirects { server: String },
}

/// Sends a request and gives the answer, after redirects.
pub async fn send(ask: Ask<'_>) -> Result<Answered, OutboundError> {
    let first = Place::of(ask.url)?;
    let (secs, server) = (ask.deadline.as_secs(), first.server());
    let work = follow(ask, first);
    tokio::time::timeout(ask.deadline, work).await.unwrap_or(Err(OutboundError::Deadline { server, secs }))
}

async fn follow(ask: Ask<'_>, first: Place) -> Result<Answered, OutboundError> {
    let login = ask.login.map(|(user, password)| (user.to_owned(), password.to_owned()));
    let login = login.or_else(|| first.login.clone());
    let mut place = first.clone();
    for _ in 0..=REDIRECTS_MAX {
        let own = place.is_same_server(&first);
        let login = login.as_ref().filter(|_| own);
        let ask = Ask { headers: if own { ask.headers } else { &[] }, ..ask };
        let (answered, location) = once(&ask, &place, login).await?;
        match location.filter(|_| answered.status.is_redirection() && *ask.method == Method::GET) {
            None => return Ok(answered),
            Some(location) => place = place.redirected(&location)?,
        }
    }
    Err(OutboundError::Redirects { server: first.server() })
}

/// Where a request goes.
#[derive(Clone)]
struct Place {
    tls: bool,
    host: String,
    port: u16,
    path: String,
    login: Option<(String, String)>,
}

impl Place {
    fn of(url: &str) -> Result<Self, OutboundError> {
        let bad = |why: &str| OutboundError::BadUrl { url: without_login(url), why: why.to_owned() };
        let uri: Uri = url.parse().map_err(|e: http::uri::InvalidUri| bad(&e.to_string()))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) => return Err(bad("neither http nor https")),
            None => return Err(bad("http:// or https:// is missing")),
        };
        let authority = uri.authority().ok_or_else(|| bad("the host is missing"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Place { tls, host, port, path, login: login_of(authority) })
    }

    fn redirected(&self, location: &str) -> Result<Self, OutboundError> {
        if location.starts_with("http://") || location.starts_with("https://") {
            return Place::of(location);
        }
        let folder =
            self.path.split('?').next().and_then(|path| path.rfind('/').and_then(|end| path.get(..=end)));
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            format!("{}{location}", folder.unwrap_or("/"))
        };
        Ok(Place { path, ..self.clone() })
    }

    fn is_same_server(&self, other: &Place) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// Host and port, as messages and the `Host` header show it.
    fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn login_of(authority: &Authority) -> Option<(String, String)> {
    let (login, _) = authority.as_str().rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    Some((unquote(user).into_owned(), unquote(password).into_owned()))
}

fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (None, Some((_, rest))) => rest.to_owned(),
        (_, None) => url.to_owned(),
    }
}

type Once = (Answered, Option<String>);

async fn once(ask: &Ask<'_>, place: &Place, login: Option<&(String, String)>) -> Result<Once, OutboundError> {
    let server = place.server();
    let connect = TcpStream::connect((place.host.as_str(), place.port)).await;
    let socket = connect.map_err(|why| OutboundError::Connect { server: server.clone(), why })?;
    let request = request(ask, place, login)
        .map_err(|why| OutboundError::Broken { server: server.clone(), why: why.to_string() })?;
    if !place.tls {
        return exchange(socket, request, server).await;
    }
    let failed = |why| tls_error(server.clone(), why);
    let name = ServerName::try_from(place.host.clone());
    let name = name.map_err(|e| failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, e)))?;
    let connector = tokio_rustls::TlsConnector::from(client_config(ask.verify)?);
    let stream = connector.connect(name, socket).await.map_err(failed)?;
    exchange(stream, request, server).await
}

fn tls_error(server: String, why: std::io::Error) -> OutboundError {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => OutboundError::Untrusted { server, why: why.clone() },
        _ => OutboundError::Tls { server, why },
    }
}

/// An error with what caused it: hyper's own words name no cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn request(
    ask: &Ask<'_>,
    place: &Place,
    login: Option<&(String, String)>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let default_port = if place.tls { 443 } else { 80 };
    let server = place.server();
    let host = if place.port == default_port {
        server.trim_end_matches(&format!(":{default_port}"))
    } else {
        &server
    };
    let mut request = Request::builder()
        .method(ask.method)
        .uri(&place.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("axon/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, if ask.body.is_some() { "application/json" } else { "*/*" });
    if let Some(headers) = request.headers_mut() {
        for (name, value) in ask.headers {
            headers.insert(HeaderName::try_from(*name)?, HeaderValue::try_from(*value)?);
        }
    }
    if let Some((user, password)) = login {
        let text = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        let mut value = HeaderValue::try_from(text)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let body = match ask.body {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    request.body(Full::new(body))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, server: String) -> Result<Once, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |why: String| OutboundError::Broken { server: server.clone(), why };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| broken(with_causes(&e)))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| broken(with_causes(&e)))?;
        let status = response.status();
        let headers = response.headers().clone();
        let location = headers.get(LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|e| {
            let long = e.downcast_ref::<LengthLimitError>().is_some();
            broken(if long { format!("more than {BODY_BYTES_MAX} bytes") } else { e.to_string() })
        })?;
        Ok((Answered { status, headers, body: body.to_bytes() }, location))
    };
    // The connection works only while it is polled, and ends with the exchange.
    tokio::pin!(exchange, connection);
    tokio::select! {
        biased;
        done = &mut exchange => done,
        _ = &mut connection => exchange.await,
    }
}

fn client_config(verify: bool) -> Result<Arc<ClientConfig>, OutboundError> {
    static VERIFYING: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(verifying);
    static TRUSTING: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(trusting);
    let config = if verify { &VERIFYING } else { &TRUSTING };
    LazyLock::force(config).clone().map_err(OutboundError::NoRoots)
}

fn verifying() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(why);
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn trusting() -> Result<Arc<ClientConfig>, String> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?.dangerous();
    Ok(Arc::new(
        builder.with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))).with_no_client_auth(),
    ))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For an operator who switched verification off.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(crate) mod tests;
