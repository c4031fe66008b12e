//! The listening socket, and the connections on it.

use super::config::Listen;
use super::{Counted, standby, tls};
use crate::Api;
use axon_core::Cluster;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const CONNECTIONS_MAX: usize = 4096;
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(30);

/// Who answers.
#[derive(Clone)]
pub enum Front {
    Active(Api),
    Standby(Cluster),
}

impl Front {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        match self {
            Front::Active(api) => api.handle(request, Some(peer)).await,
            Front::Standby(cluster) => standby::answer(&cluster.state(), request.uri().path()),
        }
    }
}

/// A socket that listens.
pub struct Bound {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    front: Front,
}

/// Binds, or says what is wrong.
pub async fn bind(listen: &Listen, front: Front) -> Result<Bound, String> {
    let tls = match &listen.tls {
        Some(configured) => Some(TlsAcceptor::from(tls::server_config(configured)?)),
        None => None,
    };
    let place = format!("{} port {}", listen.addr, listen.port);
    let addrs = lookup_host((listen.addr.as_str(), listen.port)).await;
    let addrs: Vec<SocketAddr> = addrs.map_err(|e| format!("server_addr {place}: {e}"))?.collect();
    let mut why = format!("server_addr {place} has no address");
    for addr in addrs {
        match listener(addr).or_else(|e| everywhere_without_v6(addr, e)) {
            Ok(listener) => return Ok(Bound { listener, tls, front }),
            Err(e) => why = format!("cannot listen on {place}: {e}"),
        }
    }
    Err(why)
}

fn listener(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

/// The default address is that of all IPv6 and IPv4 addresses; a host without IPv6 listens on IPv4.
fn everywhere_without_v6(addr: SocketAddr, error: std::io::Error) -> std::io::Result<TcpListener> {
    let no_v6 = matches!(error.raw_os_error(), Some(97 | 99));
    if addr.is_ipv6() && addr.ip().is_unspecified() && no_v6 {
        return listener(SocketAddr::from(([0, 0, 0, 0], addr.port())));
    }
    Err(error)
}

impl Bound {
    /// Serves until told to stop, then lets running requests finish; `listens` is dropped with the socket.
    pub(super) async fn serve(self, mut stop: watch::Receiver<bool>, listens: Counted) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (tls, front, stop) = (self.tls.clone(), self.front.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(stream, peer, tls, front, stop).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: a pause lets connections end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        drop(listens);
        while connections.join_next().await.is_some() {}
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    front: Front,
    stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return requests(stream, peer, front, stop).await };
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, peer, front, stop).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS failed"),
        Err(_) => tracing::debug!(%peer, "TLS took too long"),
    }
}

async fn requests<S>(stream: S, peer: SocketAddr, front: Front, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request, peer).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}
