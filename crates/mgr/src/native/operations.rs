//! The way of other modules' events to `progress`: what it says is under way from then on goes to the monitors.

use super::worker::Workers;
use crate::run::{Report, now};
use axon_core::Cluster;
use axon_modules::{Operation, is_enabled, told};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const MODULE: &str = "progress";

/// An event is not worth more waiting.
const SECS_MAX: u64 = 10;

/// See the module's documentation.
#[derive(Clone)]
pub struct Operations {
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) workers: Arc<Workers>,
}

impl Operations {
    /// Tells `progress`; where it is not enabled or hangs, nobody hears of it.
    pub async fn tell(&self, cluster: &Cluster, operation: Operation) {
        let state = cluster.state();
        if !is_enabled(MODULE, &state) {
            return;
        }
        let given = self.workers.remembering(MODULE, move |memory| told(&state, now(), memory, operation));
        let answer = match given {
            Ok(given) => timeout(Duration::from_secs(SECS_MAX), given.answer).await,
            Err(why) => return tracing::warn!(%why, "an event of another module is lost"),
        };
        match answer {
            Ok(Ok(Some(events))) => {
                let _ = self.reports.send(Report::ModuleProgress { module: MODULE, events }).await;
            }
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => tracing::warn!("an event of another module is lost"),
        }
    }
}
