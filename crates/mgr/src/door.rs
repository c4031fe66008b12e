//! The way from the REST server to the stock dashboard's host.

use axon_api::stock::Stock;
use axon_pyhost::Hosts;
use futures::future::BoxFuture;
use serde_json::Value;
use std::path::PathBuf;

const MODULE: &str = "dashboard";

/// The stock dashboard among the hosts.
pub struct Door(pub Hosts);

impl Stock for Door {
    fn door(&self) -> BoxFuture<'_, Result<PathBuf, String>> {
        Box::pin(self.0.door(MODULE))
    }

    fn ask<'a>(&'a self, what: &'a str, argument: Value) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(self.0.ask(MODULE, what, argument))
    }
}
