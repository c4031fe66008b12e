//! The web server: binds what the options say, binds anew when they change, and tells which URI others may use.
//! Upstream: `module.py` `CherryPyConfig`, `Module.serve`, `StandbyModule.serve`.
//!
//! Invariants: bad or missing configuration is not the end: the server says what is missing and waits; stopping lets
//! running requests finish for a moment; connections and their handshakes are bounded.

mod accept;
pub(crate) mod config;
pub mod standby;
pub mod tls;

pub use config::Listen;

use crate::http::operation::Resource;
use crate::ui::{DIST, Ui};
use crate::{Api, Dashboard};
use accept::Front;
use axon_core::Cluster;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Starting,
    /// Serving; this is what `ceph mgr services` shows.
    Serving(String),
    /// Not serving, for this reason; it goes on trying.
    Waiting(String),
}

/// A running server. Dropping it stops it at once; [`Server::stop`] lets requests finish.
pub struct Server {
    status: watch::Receiver<Status>,
    stop: watch::Sender<bool>,
    /// Its sockets that listen, or are about to.
    listening: Arc<AtomicUsize>,
    task: Option<JoinHandle<()>>,
}

/// How often options are compared with what is bound.
const LOOK: Duration = Duration::from_millis(500);
/// How long running requests may go on after a stop.
const DRAIN: Duration = Duration::from_secs(5);
/// For the listening socket to be closed; it takes no time.
const RELEASE: Duration = Duration::from_secs(2);

impl Server {
    /// The active manager's server of these resources. `public_ip` stands in the URI when the server listens on all
    /// addresses.
    #[must_use]
    pub fn active(dash: Arc<Dashboard>, resources: &'static [Resource], public_ip: Option<IpAddr>) -> Server {
        let cluster = dash.cluster.clone();
        let front = move || {
            let api = Api::new(dash.clone(), resources, Ui::new(Path::new(DIST)));
            api.map(Front::Active).map_err(|e| e.to_string())
        };
        Self::start(cluster, public_ip, front)
    }

    /// A standby manager's server: it points to the active one.
    #[must_use]
    pub fn standby(cluster: Cluster, public_ip: Option<IpAddr>) -> Server {
        let front = cluster.clone();
        Self::start(cluster, public_ip, move || Ok(Front::Standby(front.clone())))
    }

    fn start<F>(cluster: Cluster, public_ip: Option<IpAddr>, front: F) -> Server
    where
        F: Fn() -> Result<Front, String> + Send + 'static,
    {
        let (report, status) = watch::channel(Status::Starting);
        let (stop, stopped) = watch::channel(false);
        let listening = Arc::<AtomicUsize>::default();
        let first = Counted::new(listening.clone());
        let task = Some(tokio::spawn(run(cluster, public_ip, front, report, stopped, first)));
        Server { status, stop, listening, task }
    }

    /// Where it stands, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Stops listening, lets requests finish, and returns.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(DRAIN + Duration::from_secs(1), task).await;
        }
    }

    /// Stops listening and returns as soon as another server can bind the port. Requests finish meanwhile, or are cut off as by
    /// [`Server::stop`].
    pub async fn release(mut self) {
        let _ = self.stop.send(true);
        let task = self.task.take();
        let begun = Instant::now();
        while self.listening.load(Ordering::Acquire) > 0 && begun.elapsed() < RELEASE {
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn run<F>(
    cluster: Cluster,
    public_ip: Option<IpAddr>,
    front: F,
    report: watch::Sender<Status>,
    mut stopped: watch::Receiver<bool>,
    first: Counted,
) where
    F: Fn() -> Result<Front, String>,
{
    let count = first.0.clone();
    let mut next = Some(first);
    loop {
        // Counted before the look at `stopped`, so that who stopped it waits for a socket that is being bound.
        let counted = next.take().unwrap_or_else(|| Counted::new(count.clone()));
        if *stopped.borrow() {
            return;
        }
        let listen = Listen::read(&cluster.state());
        let bound = match front() {
            Ok(front) => accept::bind(&listen, front).await,
            Err(why) => Err(why),
        };
        match bound {
            Ok(bound) => {
                let uri = listen.uri(public_ip, &cluster.state().me.hostname);
                tracing::info!(uri, "the REST server answers");
                report.send_replace(Status::Serving(uri));
                let (end, ended) = watch::channel(false);
                let mut serving = tokio::spawn(bound.serve(ended, counted));
                until_changed(&cluster, &listen, &mut stopped).await;
                let _ = end.send(true);
                if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
                    serving.abort();
                }
            }
            Err(why) => {
                drop(counted);
                let told = Status::Waiting(why.clone());
                if *report.borrow() != told {
                    tracing::warn!("the REST server cannot start and waits: {why}");
                }
                report.send_replace(told);
                let _ = tokio::time::timeout(DRAIN, until_changed(&cluster, &listen, &mut stopped)).await;
            }
        }
    }
}

/// A socket that listens or is about to, counted while this lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::AcqRel);
        Counted(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Returns when the options are others than what is bound, or at a stop.
async fn until_changed(cluster: &Cluster, bound: &Listen, stopped: &mut watch::Receiver<bool>) {
    loop {
        if *stopped.borrow() || Listen::read(&cluster.state()) != *bound {
            return;
        }
        tokio::select! {
            changed = stopped.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::{Command, CommandError, CommandOutput, CommandSink, State, Target};
    use futures::future::BoxFuture;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    struct Nobody;

    impl CommandSink for Nobody {
        fn command(&self, target: Target, _: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
            Box::pin(async move { Err(CommandError::Lost { target: target.to_string() }) })
        }
    }

    /// A standby's server on a port of this host that was free.
    async fn standby() -> (Server, u16) {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let options = [
            ("mgr/dashboard/ssl", "false".to_owned()),
            ("mgr/dashboard/server_addr", "127.0.0.1".to_owned()),
            ("mgr/dashboard/server_port", port.to_string()),
        ];
        let options = options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let state = State { options: Arc::new(options), ..State::default() };
        (Server::standby(Cluster::new(state, Arc::new(Nobody)), None), port)
    }

    #[tokio::test]
    async fn a_client_that_does_not_go_on_keeps_nobody_from_the_port() {
        let (server, port) = standby().await;
        server.status().wait_for(|status| matches!(status, Status::Serving(_))).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        server.release().await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let (next, _) = (TcpListener::bind(("127.0.0.1", port)).await.unwrap(), client);
        drop(next);
    }

    #[tokio::test]
    async fn a_server_that_is_just_starting_leaves_the_port_too() {
        for _ in 0..50 {
            let (server, port) = standby().await;
            tokio::task::yield_now().await;
            server.release().await;
            TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        }
    }
}
