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
use std::time::Duration;
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
    task: JoinHandle<()>,
}

/// How often options are compared with what is bound.
const LOOK: Duration = Duration::from_millis(500);
/// How long running requests may go on after a stop.
const DRAIN: Duration = Duration::from_secs(5);

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
        let task = tokio::spawn(run(cluster, public_ip, front, report, stopped));
        Server { status, stop, task }
    }

    /// Where it stands, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Stops listening, lets requests finish, and returns.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(DRAIN + Duration::from_secs(1), &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run<F>(
    cluster: Cluster,
    public_ip: Option<IpAddr>,
    front: F,
    report: watch::Sender<Status>,
    mut stopped: watch::Receiver<bool>,
) where
    F: Fn() -> Result<Front, String>,
{
    while !*stopped.borrow() {
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
                let mut serving = tokio::spawn(bound.serve(ended));
                until_changed(&cluster, &listen, &mut stopped).await;
                let _ = end.send(true);
                if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
                    serving.abort();
                }
            }
            Err(why) => {
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
