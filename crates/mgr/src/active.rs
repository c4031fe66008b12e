//! What exists only while this manager is active: the daemons' listener and the REST server; and on a standby the server that
//! points to the active manager.

use crate::dispatch::Dispatcher;
use crate::door::Door;
use crate::log::Log;
use crate::run::Report;
use axon_api::server::{Server, Status};
use axon_api::stock::Stock;
use axon_api::{Dashboard, Setup, resources};
use axon_core::Cluster;
use axon_core::config::Settings;
use axon_net::Client;
use axon_net::auth::{AuthPolicy, CephxServerAuth};
use axon_net::connection::nonce;
use axon_net::listener::{Listener, ListenerConfig, Serving, SessionEvent, Verifiers};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{error, warn};

/// The running parts.
pub struct Active {
    listening: Option<(Serving, mpsc::Receiver<SessionEvent>)>,
    standby: Option<Server>,
    /// Held by the task that watches it; taken out to stop it.
    rest: Arc<Mutex<Option<Server>>>,
    task: Option<AbortHandle>,
}

impl Active {
    /// A standby's server.
    pub fn standby(cluster: Cluster, public_ip: Option<IpAddr>) -> Self {
        Active {
            listening: None,
            standby: Some(Server::standby(cluster, public_ip)),
            rest: Arc::default(),
            task: None,
        }
    }

    /// The next event of a daemon's session; never resolves while nobody listens.
    pub async fn next_event(&mut self) -> SessionEvent {
        if let Some((_, events)) = &mut self.listening
            && let Some(event) = events.recv().await
        {
            return event;
        }
        std::future::pending().await
    }

    /// Binds the daemons' address and starts the REST server; both report when they are there.
    pub async fn start(
        &mut self,
        client: &Client,
        cluster: &Cluster,
        gid: u64,
        public_ip: Option<IpAddr>,
        dispatcher: &Arc<Dispatcher>,
        reports: &mpsc::Sender<Report>,
    ) {
        if let Some(standby) = self.standby.take() {
            standby.release().await;
        }
        match listen(client, gid, public_ip, cluster).await {
            Ok(listening) => {
                let addrs = listening.0.addrs().clone();
                dispatcher.listens(listening.0.view());
                self.listening = Some(listening);
                tell(reports, Report::Listening(addrs));
            }
            Err(why) => return tell(reports, Report::Fatal(format!("cannot listen for daemons: {why}"))),
        }
        let serving =
            serve(cluster.clone(), public_ip, dispatcher.clone(), reports.clone(), self.rest.clone());
        self.task = Some(tokio::spawn(serving).abort_handle());
    }

    /// Ends what an active manager has and points to the next one.
    pub async fn stand_by(&mut self, cluster: &Cluster, public_ip: Option<IpAddr>) {
        if let Some(rest) = self.stop() {
            rest.release().await;
        }
        self.standby = Some(Server::standby(cluster.clone(), public_ip));
    }

    /// Ends everything; gives the REST server back for those who want its requests to finish.
    pub fn stop(&mut self) -> Option<Server> {
        self.listening = None;
        self.standby = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn tell(reports: &mpsc::Sender<Report>, report: Report) {
    let reports = reports.clone();
    tokio::spawn(async move { reports.send(report).await });
}

async fn listen(
    client: &Client,
    gid: u64,
    public_ip: Option<IpAddr>,
    cluster: &Cluster,
) -> axon_net::Result<(Serving, mpsc::Receiver<SessionEvent>)> {
    let seen = client.my_addrs().ip();
    let ip = public_ip.or(seen).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (compression, protocols) = (client.config().compression.clone(), client.config().listens.clone());
    let ports = client.config().ports.clone();
    let config =
        ListenerConfig { compression, protocols, ports, ..ListenerConfig::of_manager(gid, ip, nonce()?) };
    let listener = Listener::bind(config).await?;
    let (auth, local) = (client.auth(), client.config().policy.clone());
    let cluster = cluster.clone();
    // Asked at each session, so that a change of the configuration counts for the next one.
    let verifiers: Verifiers = Arc::new(move |_| {
        let policy = policy(&cluster.state().settings, &local);
        Box::new(CephxServerAuth::new(auth.clone(), policy))
    });
    Ok(listener.serve(verifiers))
}

/// What a peer may use by the options in force. Values that cannot be read leave what this host said at the start alone.
fn policy(settings: &Settings, local: &Arc<AuthPolicy>) -> Arc<AuthPolicy> {
    match axon_net::config::policy(local.own, &|name| settings.value(name)) {
        Ok(policy) => Arc::new(policy),
        Err(why) => {
            warn!(%why, "the configuration of authentication cannot be read");
            local.clone()
        }
    }
}

/// Starts the dashboard as soon as the store is there, and reports wherever it answers.
async fn serve(
    cluster: Cluster,
    public_ip: Option<IpAddr>,
    dispatcher: Arc<Dispatcher>,
    reports: mpsc::Sender<Report>,
    slot: Arc<Mutex<Option<Server>>>,
) {
    while !cluster.state().kv.is_known("mgr/") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Where no Python module runs there is no host of that name.
    let stock = dispatcher.hosts().filter(|hosts| hosts.has("dashboard"));
    let setup = Setup {
        cluster_log: Some(Arc::new(Log::new(reports.clone()))),
        stock: stock.map(|hosts| Arc::new(Door(hosts.clone())) as Arc<dyn Stock>),
    };
    let dash = loop {
        match Dashboard::start(cluster.clone(), setup.clone()).await {
            Ok(dash) => break dash,
            Err(why) => error!(%why, "the dashboard cannot start, trying again"),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    dispatcher.set_dashboard(Some(dash.clone()));
    let server = Server::active(dash, resources::ALL, public_ip);
    let mut status = server.status();
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    loop {
        let services = match &*status.borrow_and_update() {
            Status::Starting => None,
            Status::Serving(uri) => Some(BTreeMap::from([("dashboard".to_owned(), uri.clone())])),
            // As upstream: a dashboard that cannot serve (no certificate, say) does not keep the manager from its work.
            Status::Waiting(_) => Some(BTreeMap::new()),
        };
        if let Some(services) = services
            && reports.send(Report::Serving(services)).await.is_err()
        {
            return;
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axon_core::config::{Level, Variables};
    use axon_msgr::auth::{con_mode, method};
    use axon_proto::EntityType;

    #[test]
    fn modes_of_the_central_configuration_count_below_this_hosts() {
        let mut settings =
            Settings::new(Variables { name: "mgr.x".parse().unwrap(), ..Variables::default() });
        let local = Arc::new(AuthPolicy::new(EntityType::MGR));
        let modes = |settings: &Settings, central: &[(&str, &str)]| {
            let mut settings = settings.clone();
            settings.set_mon(&central.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
            policy(&settings, &local).modes(EntityType::CLIENT, method::CEPHX)
        };
        let both = [con_mode::SECURE, con_mode::CRC];
        assert_eq!(modes(&settings, &[("mgr_stats_period", "1")]), both);
        assert_eq!(modes(&settings, &[("ms_mon_service_mode", "secure")]), [con_mode::SECURE]);
        assert_eq!(modes(&settings, &[("ms_mon_service_mode", "nonsense")]), both);
        settings.set(Level::File, "ms_mon_service_mode", "crc");
        assert_eq!(modes(&settings, &[("ms_mon_service_mode", "secure")]), [con_mode::CRC]);
    }
}
