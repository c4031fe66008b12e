//! What all operations and commands of the `dashboard` module share while this manager is active: the cluster, users,
//! tokens, tasks, and reads that see their own writes. Upstream: `module.py` `Module`.
//!
//! Invariants: made anew at each activation, from what the monitors' store holds then; a change of users is saved
//! before anyone sees it, and a failed save changes nothing.

use crate::access::db::{self, AccessDb, BadDatabase};
use crate::auth::jwt::{BadToken, Claims, Secret, TTL_SECS};
use crate::auth::lockout::Lockout;
use crate::auth::revoked::{self, Revoked};
use crate::auth::{Caller, Tokens};
use crate::kept::Kept;
use crate::own_writes::OwnWrites;
use crate::release::Release;
use crate::settings::Settings;
use crate::stock::{Forwarder, Stock};
use crate::tasks::Tasks;
use arc_swap::ArcSwap;
use axon_core::pool_history::PoolHistory;
use axon_core::{Cluster, CommandError, State};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// The module's name in keys, options and commands.
pub const MODULE: &str = "dashboard";

/// Writes to the cluster log; the binary gives one.
pub trait ClusterLog: Send + Sync {
    /// A line of level INFO in that channel.
    fn info(&self, channel: &str, text: String);
}

/// What the binary knows and the cluster's state does not say.
#[derive(Clone, Default)]
pub struct Setup {
    /// Without one, audit lines go to the process's own log only.
    pub cluster_log: Option<Arc<dyn ClusterLog>>,
    /// Without it only native operations are served.
    pub stock: Option<Arc<dyn Stock>>,
}

/// The module at work.
pub struct Dashboard {
    pub cluster: Cluster,
    pub setup: Setup,
    pub lockout: Lockout,
    pub tasks: Tasks,
    /// The way to the stock dashboard, where Python modules run.
    pub stock: Option<Forwarder>,
    /// Options of logging subsystems, once somebody asked (`resources::cluster_conf`).
    pub(crate) debug_options: tokio::sync::OnceCell<Vec<serde_json::Value>>,
    /// Clients of the file systems, as their MDSs listed them last.
    pub(crate) clients: crate::resources::cephfs::Clients,
    /// What answers share between requests while the maps stay the same.
    pub(crate) kept: Kept,
    /// Samples of the pools' space and traffic.
    pub(crate) pool_history: Mutex<PoolHistory>,
    release: Release,
    writes: OwnWrites,
    secret: Secret,
    access: ArcSwap<AccessDb>,
    revoked: ArcSwap<Revoked>,
    tokens: Tokens,
    /// Counts changes of users, roles and revocations.
    generation: AtomicU64,
    /// One change of users or revocations at a time.
    changing: tokio::sync::Mutex<()>,
    clock: fn() -> i64,
}

/// The module cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] BadDatabase),
    #[error("the token secret cannot be stored: {0}")]
    Secret(CommandError),
    #[error("no random numbers: {0}")]
    Random(String),
}

impl Dashboard {
    /// From what the monitors' store holds now. Makes a token secret when there is none.
    pub async fn start(cluster: Cluster, setup: Setup) -> Result<Arc<Self>, StartError> {
        let state = cluster.state();
        let release = Release::of_major(u32::from(state.release.number()));
        let kept = |key: &str| state.module_store(MODULE, key);
        let access = AccessDb::load(kept(db::KEY), kept(db::KEY_V1))?;
        let migrate = kept(db::KEY).is_none() && kept(db::KEY_V1).is_some();
        let revoked = Revoked::load(kept(revoked::KEY));
        let writes = OwnWrites::default();
        let secret = match kept("jwt_secret") {
            Some(text) => text.to_owned(),
            None => {
                let text = Secret::text_of(random()?);
                let stored = writes.store(&cluster, "jwt_secret", Some(&text)).await;
                stored.map_err(StartError::Secret)?;
                text
            }
        };
        let dash = Dashboard {
            cluster,
            stock: setup.stock.clone().map(Forwarder::new),
            setup,
            release,
            writes,
            lockout: Lockout::default(),
            tasks: Tasks::default(),
            debug_options: tokio::sync::OnceCell::new(),
            clients: Default::default(),
            kept: Kept::default(),
            pool_history: Mutex::default(),
            secret: Secret::new(&secret),
            access: ArcSwap::from_pointee(access),
            revoked: ArcSwap::from_pointee(revoked),
            tokens: Tokens::default(),
            generation: AtomicU64::new(0),
            changing: tokio::sync::Mutex::default(),
            clock: system_clock,
        };
        if migrate {
            let text = dash.access().to_text();
            dash.store(db::KEY, Some(&text)).await.map_err(StartError::Secret)?;
        }
        Ok(Arc::new(dash))
    }

    /// Whose API is served.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// Unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The newest snapshot of the cluster.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.cluster.state()
    }

    /// Users and roles.
    #[must_use]
    pub fn access(&self) -> Arc<AccessDb> {
        self.access.load_full()
    }

    /// Changes users or roles: `change` sees the present ones; what it leaves is saved, then seen by all.
    pub async fn change_access<T, E: From<CommandError>>(
        &self,
        change: impl FnOnce(&mut AccessDb, i64) -> Result<T, E>,
    ) -> Result<T, E> {
        let _one = self.changing.lock().await;
        let before = self.access.load_full();
        let mut after = AccessDb::clone(&before);
        let result = change(&mut after, self.now())?;
        if after != *before {
            self.store(db::KEY, Some(&after.to_text())).await?;
            self.access.store(Arc::new(after));
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(result)
    }

    /// Counts changes of users, roles and revocations.
    #[must_use]
    pub fn access_generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether what the monitors have pushed holds the users that we know.
    #[must_use]
    pub fn access_is_pushed(&self) -> bool {
        let state = self.cluster.state();
        let pushed =
            state.module_store(MODULE, db::KEY).and_then(|text| AccessDb::load(Some(text), None).ok());
        pushed.map_or_else(|| *self.access() == AccessDb::default(), |pushed| pushed == *self.access())
    }

    /// Takes over what the stock dashboard has stored about users (it makes them at a single sign-on).
    pub async fn take_over_access(&self) {
        let _one = self.changing.lock().await;
        let Some(text) = self.stored(db::KEY) else { return };
        match AccessDb::load(Some(&text), None) {
            Ok(stored) if stored != *self.access() => {
                self.access.store(Arc::new(stored));
                self.generation.fetch_add(1, Ordering::AcqRel);
            }
            Ok(_) => {}
            Err(why) => tracing::warn!(%why, "the stock dashboard's users cannot be read"),
        }
    }

    /// A new token, and its claims. `ttl_secs` `None`: the option's.
    #[must_use]
    pub fn issue(&self, username: &str, ttl_secs: Option<i64>) -> String {
        let iat = self.now();
        let ttl = ttl_secs.unwrap_or_else(|| self.jwt_ttl_secs());
        self.secret.encode(&Claims {
            exp: iat.saturating_add(ttl),
            iat,
            iss: "ceph-dashboard".to_owned(),
            jti: uuid::Uuid::new_v4().to_string(),
            username: username.to_owned(),
        })
    }

    /// The option `jwt_token_ttl`.
    #[must_use]
    pub fn jwt_ttl_secs(&self) -> i64 {
        self.option("jwt_token_ttl").and_then(|text| text.parse().ok()).unwrap_or(TTL_SECS)
    }

    /// Who a token stands for.
    pub fn authenticate(&self, token: &str) -> Result<Arc<Caller>, BadToken> {
        let now = self.now();
        // Read before the users, so that a change in between makes the entry stale and not wrong.
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(caller) = self.tokens.find(token, generation, now) {
            return Ok(caller);
        }
        let claims = self.secret.decode(token, now)?;
        if self.revoked.load().contains(&claims.jti) {
            return Err(BadToken::Revoked);
        }
        let access = self.access();
        let user = access.user(&claims.username).map_err(|_| BadToken::User)?;
        if user.last_update > claims.iat {
            return Err(BadToken::User);
        }
        let grants = if user.pwd_update_required {
            crate::access::Grants::default()
        } else {
            access.grants(user, self.release)
        };
        let caller = Arc::new(Caller { username: claims.username, grants });
        self.tokens.keep(token, caller.clone(), claims.exp, generation);
        Ok(caller)
    }

    /// Voids a token. One that is void anyway needs nothing.
    pub async fn revoke(&self, token: &str) -> Result<(), CommandError> {
        let now = self.now();
        let Ok(claims) = self.secret.decode(token, now) else { return Ok(()) };
        let _one = self.changing.lock().await;
        let mut revoked = Revoked::clone(&self.revoked.load());
        revoked.add(&claims.jti, claims.exp, now);
        self.store(revoked::KEY, Some(&revoked.to_text())).await?;
        self.revoked.store(Arc::new(revoked));
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// An option's text, this manager's own first, own writes included; `None` when it has its default.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        self.writes.option(&self.cluster.state(), name)
    }

    /// An option of truth, `true` and `false` as the monitors write them.
    #[must_use]
    pub fn option_is(&self, name: &str, default: bool) -> bool {
        self.option(name).and_then(|text| crate::http::call::truth(&text)).unwrap_or(default)
    }

    /// Sets an option, or resets it.
    pub async fn set_option(&self, name: &str, value: Option<&str>) -> Result<(), CommandError> {
        self.writes.set_option(&self.cluster, name, value).await
    }

    /// A stored value of the module, own writes included.
    #[must_use]
    pub fn stored(&self, key: &str) -> Option<String> {
        self.writes.stored(&self.cluster.state(), key)
    }

    /// Stores a value, or removes it.
    pub async fn store(&self, key: &str, value: Option<&str>) -> Result<(), CommandError> {
        self.writes.store(&self.cluster, key, value).await
    }

    /// The dashboard's settings.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings::new(self)
    }

    /// Whether the server speaks HTTPS.
    #[must_use]
    pub fn ssl(&self) -> bool {
        self.option_is("ssl", true)
    }

    /// Whether errors show more (`ceph dashboard debug enable`).
    #[must_use]
    pub fn debug(&self) -> bool {
        self.option_is("debug", false)
    }

    /// Another clock, for tests.
    #[cfg(test)]
    #[allow(dead_code)]
    pub(crate) fn with_clock(self: Arc<Self>, clock: fn() -> i64) -> Arc<Self> {
        let mut dash = Arc::into_inner(self).expect("not shared yet");
        dash.clock = clock;
        Arc::new(dash)
    }
}

fn system_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn random() -> Result<[u8; 16], StartError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| StartError::Random(e.to_string()))?;
    Ok(bytes)
}
