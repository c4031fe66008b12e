//! A dashboard over a fake cluster for tests: a table of command answers, options and stored values that behave like
//! the monitors' (a write is accepted and pushed back), users with roles, and requests through the whole service.

// A tool of the tests of all resources; some parts wait for the next resource.
#![allow(dead_code)]

use crate::access::user::User;
use crate::access::{AccessDb, Grants};
use crate::http::operation::Resource;
use crate::{Api, Dashboard, Release, Setup, Ui, resources};
use axon_core::state::Identity;
use axon_core::{Cluster, Command, CommandError, CommandOutput, CommandSink, Kv, State, Target};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use tower::ServiceExt;

/// A bcrypt hash of [`PASSWORD`] at a low cost, so that tests are fast.
pub const PASSWORD: &str = "p@ss word";
const HASH: &str = "$2b$05$.UxsoIPb9fnkIYYdpYJ/h.FZ6bX5rjTZUmK./OiVHr8E4VMVZL59a";

type Answerer = Box<dyn Fn(&Target, &Command) -> Option<CommandOutput> + Send + Sync>;

/// Answers commands, and keeps what was sent.
#[derive(Default)]
pub struct Sink {
    cluster: OnceLock<Cluster>,
    answers: Vec<Answerer>,
    unreachable: Vec<(&'static str, i32)>,
    pub sent: Mutex<Vec<(Target, Command)>>,
    /// Off: writes are accepted but never pushed back.
    pushes: bool,
}

impl CommandSink for Sink {
    fn command(
        &self,
        target: Target,
        command: Command,
    ) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        let lost = self.unreachable.iter().find(|(prefix, _)| *prefix == command.prefix());
        if let Some((_, errno)) = lost {
            let (errno, why) = (*errno, "nobody is there".to_owned());
            let error = CommandError::Unreachable { target: target.to_string(), errno, why };
            return Box::pin(async move { Err(error) });
        }
        let known = self.answers.iter().find_map(|answer| answer(&target, &command));
        let answer = known.unwrap_or_else(|| self.store(&command));
        self.sent.lock().unwrap().push((target, command));
        Box::pin(async move { Ok(answer) })
    }
}

impl Sink {
    fn store(&self, command: &Command) -> CommandOutput {
        let arg = |name: &str| command.args.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let Some(cluster) = self.cluster.get().filter(|_| self.pushes) else { return CommandOutput::ok("") };
        let mut state = State::clone(&cluster.state());
        match command.prefix() {
            "config-key set" => state.kv.set(&arg("key"), Some(command.input.clone())),
            "config-key rm" => state.kv.set(&arg("key"), None),
            "config set" => _ = Arc::make_mut(&mut state.options).insert(arg("name"), arg("value")),
            "config rm" => _ = Arc::make_mut(&mut state.options).remove(&arg("name")),
            other => return CommandOutput::failed(22, format!("unexpected command {other}")),
        }
        cluster.publish(state);
        CommandOutput::ok("")
    }
}

/// Builds a fake cluster.
pub struct Bench {
    release: Release,
    state: State,
    options: BTreeMap<String, String>,
    kv: Vec<(String, String)>,
    db: AccessDb,
    answers: Vec<Answerer>,
    unreachable: Vec<(&'static str, i32)>,
    pushes: bool,
    resources: &'static [Resource],
    setup: Setup,
}

impl Bench {
    /// With the user `admin` ([`PASSWORD`], administrator).
    pub fn new(release: Release) -> Self {
        let bench = Bench {
            release,
            state: State::default(),
            options: BTreeMap::from([("mgr/dashboard/ssl".to_owned(), "false".to_owned())]),
            kv: Vec::new(),
            db: AccessDb::default(),
            answers: Vec::new(),
            unreachable: Vec::new(),
            pushes: true,
            resources: resources::ALL,
            setup: Setup::default(),
        };
        bench.user("admin", &["administrator"])
    }

    /// Changes the cluster's snapshot.
    pub fn state(mut self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state);
        self
    }

    /// An option of the module.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(format!("mgr/dashboard/{name}"), value.to_owned());
        self
    }

    /// An option by its full name.
    pub fn raw_option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A stored value of the module.
    pub fn stored(mut self, key: &str, value: &str) -> Self {
        self.kv.push((format!("mgr/dashboard/{key}"), value.to_owned()));
        self
    }

    /// A user with [`PASSWORD`].
    pub fn user(mut self, name: &str, roles: &[&str]) -> Self {
        let user = User {
            username: name.to_owned(),
            password: Some(HASH.to_owned()),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            name: None,
            email: None,
            last_update: 0,
            enabled: true,
            pwd_expiration_date: None,
            pwd_update_required: false,
        };
        self.db.create_user(user).unwrap();
        self
    }

    /// Changes the users' database before the start.
    pub fn db(mut self, change: impl FnOnce(&mut AccessDb)) -> Self {
        change(&mut self.db);
        self
    }

    /// An answer to commands of a prefix.
    pub fn answer(
        mut self,
        prefix: &'static str,
        answer: impl Fn(&Command) -> CommandOutput + Send + Sync + 'static,
    ) -> Self {
        self.answers.push(Box::new(move |_, command| (command.prefix() == prefix).then(|| answer(command))));
        self
    }

    /// Commands of a prefix reach nobody.
    pub fn unreachable(mut self, prefix: &'static str, errno: i32) -> Self {
        self.unreachable.push((prefix, errno));
        self
    }

    /// Writes are accepted, but the push never comes.
    pub fn without_push(mut self) -> Self {
        self.pushes = false;
        self
    }

    /// Other resources than the served ones.
    pub fn resources(mut self, resources: &'static [Resource]) -> Self {
        self.resources = resources;
        self
    }

    /// With a stock dashboard behind it.
    pub fn stock(mut self, stock: Arc<dyn crate::stock::Stock>) -> Self {
        self.setup.stock = Some(stock);
        self
    }

    /// With a cluster log.
    pub fn cluster_log(mut self, log: Arc<dyn crate::ClusterLog>) -> Self {
        self.setup.cluster_log = Some(log);
        self
    }

    /// Starts it.
    pub async fn start(mut self) -> Running {
        self.kv.push(("mgr/dashboard/accessdb_v2".to_owned(), self.db.to_text()));
        self.kv.push(("mgr/dashboard/jwt_secret".to_owned(), "AAECAwQFBgcICQoLDA0ODw==".to_owned()));
        self.state.me = Arc::new(Identity {
            id: "x".to_owned(),
            gid: 4100,
            hostname: "node1".to_owned(),
            ..Identity::default()
        });
        let number = self.release as u32;
        self.state.release = axon_proto::release::Release::from_number(number).unwrap();
        self.state.options = Arc::new(self.options);
        self.state.kv = Kv::from_entries(self.kv);
        let sink = Arc::new(Sink {
            answers: self.answers,
            unreachable: self.unreachable,
            pushes: self.pushes,
            ..Sink::default()
        });
        let cluster = Cluster::new(self.state, sink.clone());
        let _ = sink.cluster.set(cluster.clone());
        let dash = Dashboard::start(cluster, self.setup).await.unwrap();
        let ui = Ui::new(Path::new("/nonexistent"));
        let api = Api::new(dash.clone(), self.resources, ui).unwrap();
        Running { api, dash, sink }
    }
}

/// A started dashboard.
pub struct Running {
    pub api: Api,
    pub dash: Arc<Dashboard>,
    pub sink: Arc<Sink>,
}

/// What came back.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Running {
    /// A token of a user, without the cost of a login.
    pub fn token(&self, username: &str) -> String {
        self.dash.issue(username, None)
    }

    /// A GET as `admin` with version 1.0.
    pub async fn get(&self, path: &str) -> Answered {
        self.send(self.request("GET", path, "1.0", Some("admin"), None)).await
    }

    /// Any request as `admin` with version 1.0.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Answered {
        self.send(self.request(method, path, "1.0", Some("admin"), Some(body))).await
    }

    /// Any request as somebody with version 1.0.
    pub async fn ask_as(&self, user: &str, method: &str, path: &str, body: Value) -> Answered {
        self.send(self.request(method, path, "1.0", Some(user), Some(body))).await
    }

    /// A request.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        version: &str,
        user: Option<&str>,
        body: Option<Value>,
    ) -> Request<Full<Bytes>> {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("accept", format!("application/vnd.ceph.api.v{version}+json"))
            .header("content-type", "application/json")
            .header("content-length", body.len());
        if let Some(user) = user {
            request = request.header("authorization", format!("Bearer {}", self.token(user)));
        }
        request.body(Full::new(Bytes::from(body))).unwrap()
    }

    /// Sends it through the service.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answered {
        let response = self.api.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answered {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// The prefixes of the commands that were sent.
    pub fn prefixes(&self) -> Vec<String> {
        self.sink.sent.lock().unwrap().iter().map(|(_, c)| c.prefix().to_owned()).collect()
    }
}

/// What a user may do.
pub fn grants(running: &Running, user: &str) -> Grants {
    let access = running.dash.access();
    access.grants(access.user(user).unwrap(), running.dash.release())
}

/// `{"prefix": …}` with arguments, as a command travels.
pub fn sent(prefix: &str, args: Value) -> Value {
    let mut command = json!({"prefix": prefix, "format": "json"});
    command.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
    command
}
