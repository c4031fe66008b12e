//! A request on its way to a handler: the snapshot it is answered from, who calls, and its parameters as they were
//! sent. Typed access to parameters is here, so that a wrong one is refused the same way everywhere.

use super::epoch_cache::Epochs;
use super::error::ApiError;
use super::operation::{Answer, Operation, Param};
use super::reply::Reply;
use super::router::Route;
use crate::access::{Permission, Scope};
use crate::auth::Caller;
use crate::dashboard::Dashboard;
use axon_core::State;
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything a handler gets. Cheap to clone.
#[derive(Clone)]
pub struct Call {
    pub dash: Arc<Dashboard>,
    pub state: Arc<State>,
    pub(crate) api: Arc<super::service::Inner>,
    pub(crate) route: usize,
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) path: Arc<[String]>,
    pub(crate) args: Arc<[(String, Value)]>,
    pub headers: Arc<HeaderMap>,
    pub peer: Option<SocketAddr>,
}

impl Call {
    pub(crate) fn route(&self) -> &Route {
        &self.api.router.routes()[self.route]
    }

    /// The row.
    #[must_use]
    pub fn op(&self) -> &'static Operation {
        self.route().op
    }

    /// The tables that are served, for the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        self.api.router.routes()
    }

    /// The languages that the web UI has.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        self.api.ui.languages()
    }

    /// The user's name; empty on public operations.
    #[must_use]
    pub fn username(&self) -> &str {
        self.caller.as_ref().map_or("", |c| &c.username)
    }

    /// Whether the caller may do this. Operations that need only a login leave parts out by it.
    #[must_use]
    pub fn may(&self, scope: Scope, permission: Permission) -> bool {
        self.caller.as_ref().is_some_and(|c| c.grants.allow(scope, permission))
    }

    /// A parameter of the path.
    #[must_use]
    pub fn path(&self, name: &str) -> &str {
        let index = self.route().names.iter().position(|n| *n == name);
        index.and_then(|i| self.path.get(i)).map_or("", String::as_str)
    }

    /// A parameter of the path that is a whole number, else 400.
    pub fn path_int(&self, name: &str) -> Result<i64, ApiError> {
        let text = self.path(name);
        text.trim()
            .parse()
            .map_err(|_| ApiError::bad_parameter(format!("{name} '{text}' is not a whole number")))
    }

    /// All parameters of query and body, as sent.
    #[must_use]
    pub fn args(&self) -> &[(String, Value)] {
        &self.args
    }

    /// A parameter as it was sent; `null` counts as absent.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|(n, _)| n == name).map(|(_, v)| v).filter(|v| !v.is_null())
    }

    /// An optional text.
    pub fn opt_text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "text")),
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        self.opt_text(name)?.ok_or_else(|| missing(name))
    }

    /// An optional whole number; digits in text count too, as queries have no numbers.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(n)) => n.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| wrong(name, "a whole number"))
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Result<i64, ApiError> {
        self.opt_int(name)?.ok_or_else(|| missing(name))
    }

    /// An optional number.
    pub fn opt_number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(n)) => n.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| wrong(name, "a number"))
    }

    /// An optional truth value; in text what Python's `strtobool` takes.
    pub fn opt_bool(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(Value::Number(n)) => Ok(Some(n.as_f64() != Some(0.0))),
            Some(Value::String(text)) => truth(text).map(Some).ok_or_else(|| wrong(name, "true or false")),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// An optional list.
    pub fn opt_list(&self, name: &str) -> Result<Option<&[Value]>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(wrong(name, "a list")),
        }
    }

    /// An optional list of texts.
    pub fn opt_texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(list) = self.opt_list(name)? else { return Ok(None) };
        let texts = list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.map(Some).ok_or_else(|| wrong(name, "a list of texts"))
    }

    /// An optional object.
    pub fn opt_object(&self, name: &str) -> Result<Option<&serde_json::Map<String, Value>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(wrong(name, "an object")),
        }
    }

    /// An answer that depends only on these epochs (and on nothing in the request): made once, then kept as bytes.
    /// One per operation, so only for operations without parameters.
    pub fn per_epoch<T: Serialize>(
        &self,
        epochs: Epochs,
        make: impl FnOnce() -> Result<T, ApiError>,
    ) -> Answer {
        self.route().kept.answer(epochs, make).map(Reply::cached)
    }

    /// An answer that shows statistics beside the maps of these epochs: made once for all who ask within a second.
    /// `variant` says what else in the request it depends on.
    pub async fn recent(
        &self,
        variant: &str,
        epochs: Epochs,
        make: impl AsyncFnOnce() -> Result<Box<RawValue>, ApiError>,
    ) -> Answer {
        self.route().recent.answer(variant, epochs, make).await.map(Reply::cached)
    }

    /// The parameters against the row.
    pub(crate) fn check_params(&self) -> Result<(), ApiError> {
        let op = self.op();
        let release = self.dash.release();
        let known = || op.params.iter().filter(|p| p.releases.contains(release));
        let absent = |p: &&Param| p.required && !self.has(p.name);
        if let Some(param) = known().find(absent) {
            return Err(missing(param.name));
        }
        let unknown = self.args.iter().find(|(name, _)| !known().any(|p| p.name == name));
        match unknown {
            Some((name, _)) if !op.open => Err(ApiError::bad_parameter(format!("Unknown parameter: {name}"))),
            _ => Ok(()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.args.iter().any(|(n, _)| n == name) || self.route().names.contains(&name)
    }
}

/// What Python's `strtobool` takes.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Some(true),
        "n" | "no" | "f" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn missing(name: &str) -> ApiError {
    ApiError::bad_parameter(format!("Missing parameter: {name}"))
}

fn wrong(name: &str, expected: &str) -> ApiError {
    ApiError::bad_parameter(format!("Parameter {name} must be {expected}"))
}
