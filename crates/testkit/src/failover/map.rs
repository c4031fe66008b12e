//! The manager map as a client sees it: each map with the time at which it came.

use axon_net::{Client, Event, EventReceiver};
use axon_proto::Message;
use axon_proto::mgr_map::MgrMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// One map.
#[derive(Clone, Debug)]
pub struct Mark {
    pub at: Instant,
    pub epoch: u32,
    pub active_gid: u64,
    pub active: String,
    pub available: bool,
    /// Names by global id.
    pub standbys: BTreeMap<u64, String>,
}

impl Mark {
    fn of(map: &MgrMap) -> Mark {
        Mark {
            at: Instant::now(),
            epoch: map.epoch,
            active_gid: map.active_gid,
            active: map.active_name.clone(),
            available: map.available,
            standbys: map.standbys.iter().map(|(gid, standby)| (*gid, standby.name.clone())).collect(),
        }
    }

    /// The manager that answers by this map, if one does.
    #[must_use]
    pub fn serving(&self) -> Option<&str> {
        (self.available && !self.active.is_empty()).then_some(self.active.as_str())
    }
}

/// Follows the map for as long as the client lives.
#[derive(Clone)]
pub struct MapWatch {
    marks: Arc<Mutex<Vec<Mark>>>,
    newest: watch::Receiver<Option<Mark>>,
}

impl MapWatch {
    #[must_use]
    pub fn start(client: Client, mut events: EventReceiver) -> MapWatch {
        let (newest_tx, newest) = watch::channel(None);
        let marks: Arc<Mutex<Vec<Mark>>> = Arc::default();
        let kept = marks.clone();
        tokio::spawn(async move {
            client.subscribe("mgrmap", 0).await;
            while let Some(event) = events.recv().await {
                let Event::Message(Message::MMgrMap(message)) = event else { continue };
                let mark = Mark::of(&message.map);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(mark.clone());
                newest_tx.send_replace(Some(mark));
            }
        });
        MapWatch { marks, newest }
    }

    /// The newest map.
    #[must_use]
    pub fn newest(&self) -> Option<Mark> {
        self.newest.borrow().clone()
    }

    /// The manager that answers now.
    #[must_use]
    pub fn serving(&self) -> Option<String> {
        self.newest.borrow().as_ref().and_then(Mark::serving).map(str::to_owned)
    }

    /// Waits for a map, the newest one included.
    pub async fn until(&self, mut wanted: impl FnMut(&Mark) -> bool) -> Option<Mark> {
        let mut newest = self.newest.clone();
        let found = newest.wait_for(|mark| mark.as_ref().is_some_and(&mut wanted)).await;
        found.ok().and_then(|mark| mark.clone())
    }

    /// The first map since `from` that fits.
    #[must_use]
    pub fn first(&self, from: Instant, wanted: impl Fn(&Mark) -> bool) -> Option<Mark> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.iter().find(|mark| mark.at >= from && wanted(mark)).cloned()
    }

    /// Forgets maps before `until`.
    pub fn forget(&self, until: Instant) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).retain(|mark| mark.at >= until);
    }
}
