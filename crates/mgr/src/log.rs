//! How tasks write to the cluster log: a line is handed to the owner, which sends it to the monitors
//! (`axon_core::cluster_log`).

use crate::run::Report;
use axon_api::ClusterLog;
use axon_proto::log_entry::LogPriority;
use tokio::sync::mpsc;

/// A pen. Cheap to clone.
#[derive(Clone)]
pub struct Log(mpsc::Sender<Report>);

impl Log {
    pub fn new(reports: mpsc::Sender<Report>) -> Self {
        Log(reports)
    }

    /// A line of the audit channel.
    pub fn audit(&self, priority: LogPriority, text: String) {
        self.write("audit", priority, text);
    }

    /// A line.
    pub fn write(&self, channel: &str, priority: LogPriority, text: String) {
        let report = Report::Log { channel: channel.to_owned(), priority, text };
        match self.0.try_send(report) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            // The owner is behind: the line waits, its writer does not.
            Err(mpsc::error::TrySendError::Full(report)) => {
                let reports = self.0.clone();
                tokio::spawn(async move { reports.send(report).await });
            }
        }
    }
}

impl ClusterLog for Log {
    fn info(&self, channel: &str, text: String) {
        self.write(channel, LogPriority::INFO, text);
    }
}
