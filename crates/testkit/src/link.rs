//! A proxy between a client and its daemons that can cut links, at the end or in the middle of a frame, block them, and slow them
//! down. The client is led to it by a [`Detour`]; every address gets a listener of its own when it is first called.

use crate::frames::Frames;
use axon_net::connection::Detour;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Where a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At once.
    Now,
    /// When the next frame from the daemon has passed in full.
    AfterFrame,
    /// When some bytes of the next frame from the daemon have passed.
    InFrame { bytes: usize },
}

/// What a wire does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Open,
    /// Nothing passes, sockets stay open: a partition, when all wires do it.
    Blocked,
    /// What the client says arrives, what the daemon says does not: half-open.
    Unanswered,
    /// The daemon takes so little.
    SlowReader {
        bytes_per_sec: u32,
    },
}

/// The proxy. Clones are the same one.
#[derive(Clone, Default)]
pub struct Wires(Arc<Mutex<HashMap<SocketAddr, Arc<Wire>>>>);

struct Wire {
    near: SocketAddr,
    flow: watch::Sender<Flow>,
    /// A number and how to cut; a new number cuts every link of the wire.
    cut: watch::Sender<(u64, Cut)>,
    /// When a link was last cut, and how many there are.
    last_cut: watch::Sender<Option<Instant>>,
    links: Arc<()>,
}

impl Wires {
    /// For the client's configuration.
    #[must_use]
    pub fn detour(&self) -> Detour {
        let wires = self.clone();
        Detour::new(move |far| wires.near(far).unwrap_or(far))
    }

    /// The addresses that have been called.
    #[must_use]
    pub fn addrs(&self) -> Vec<SocketAddr> {
        let mut addrs: Vec<SocketAddr> = self.wires().keys().copied().collect();
        addrs.sort();
        addrs
    }

    /// Number of open links to an address.
    #[must_use]
    pub fn links(&self, far: SocketAddr) -> usize {
        // One is the wire's own.
        self.wire(far).map_or(0, |wire| Arc::strong_count(&wire.links) - 1)
    }

    /// Cuts all links to an address, and gives the moment when that was done; `None` when nothing passed for `patience`.
    pub async fn cut(&self, far: SocketAddr, how: Cut, patience: Duration) -> Option<Instant> {
        let wire = self.wire(far)?;
        let mut done = wire.last_cut.subscribe();
        done.mark_unchanged();
        wire.cut.send_modify(|cut| *cut = (cut.0 + 1, how));
        tokio::time::timeout(patience, done.changed()).await.ok()?.ok()?;
        *done.borrow()
    }

    /// From now on links to an address, old and new, do this.
    pub fn set_flow(&self, far: SocketAddr, flow: Flow) {
        if let Some(wire) = self.wire(far) {
            wire.flow.send_replace(flow);
        }
    }

    fn wires(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Wire>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wire(&self, far: SocketAddr) -> Option<Arc<Wire>> {
        self.wires().get(&far).cloned()
    }

    fn near(&self, far: SocketAddr) -> Option<SocketAddr> {
        let mut wires = self.wires();
        if let Some(wire) = wires.get(&far) {
            return Some(wire.near);
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
        listener.set_nonblocking(true).ok()?;
        let near = listener.local_addr().ok()?;
        let listener = TcpListener::from_std(listener).ok()?;
        let wire = Arc::new(Wire {
            near,
            flow: watch::channel(Flow::Open).0,
            cut: watch::channel((0, Cut::Now)).0,
            last_cut: watch::channel(None).0,
            links: Arc::default(),
        });
        tokio::spawn(accept(listener, far, wire.clone()));
        wires.insert(far, wire);
        Some(near)
    }
}

async fn accept(listener: TcpListener, far: SocketAddr, wire: Arc<Wire>) {
    while let Ok((client, _)) = listener.accept().await {
        let wire = wire.clone();
        tokio::spawn(async move {
            // A daemon that is not there is one that does not answer: the client sees its end.
            let Ok(daemon) = TcpStream::connect(far).await else { return };
            let _ = (client.set_nodelay(true), daemon.set_nodelay(true));
            let _one_more = wire.links.clone();
            let cut = wire.cut.subscribe();
            let (client, daemon) = (client.into_split(), daemon.into_split());
            tokio::select! {
                () = to_daemon(&wire, client.0, daemon.1, cut.clone()) => {}
                () = from_daemon(&wire, daemon.0, client.1, cut) => {}
            }
        });
    }
}

async fn to_daemon(
    wire: &Wire,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut cut: watch::Receiver<(u64, Cut)>,
) {
    let mut flow = wire.flow.subscribe();
    let mut buf = vec![0; 64 << 10];
    loop {
        let now = *flow.borrow_and_update();
        let room = match now {
            Flow::SlowReader { bytes_per_sec } => (bytes_per_sec / 20).max(1) as usize,
            _ => buf.len(),
        };
        let room = buf.get_mut(..room.min(64 << 10)).unwrap_or_default();
        let len = tokio::select! {
            _ = flow.changed() => continue,
            changed = cut.changed() => match *cut.borrow_and_update() {
                (_, Cut::Now) if changed.is_ok() => return cut_done(wire),
                _ => continue,
            },
            len = from.read(room), if now != Flow::Blocked => len.unwrap_or(0),
        };
        let Some(bytes @ [_, ..]) = buf.get(..len) else { return };
        if let Flow::SlowReader { .. } = now {
            sleep(Duration::from_millis(50)).await;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn from_daemon(
    wire: &Wire,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut cut: watch::Receiver<(u64, Cut)>,
) {
    let mut flow = wire.flow.subscribe();
    let mut frames = Frames::default();
    let mut armed = None;
    let mut buf = vec![0; 64 << 10];
    loop {
        let blocked = matches!(*flow.borrow_and_update(), Flow::Blocked | Flow::Unanswered);
        let len = tokio::select! {
            _ = flow.changed() => continue,
            changed = cut.changed() => {
                if changed.is_ok() {
                    armed = Some(cut.borrow_and_update().1);
                }
                continue;
            }
            len = from.read(&mut buf), if !blocked => len.unwrap_or(0),
        };
        let Some(mut rest @ [_, ..]) = buf.get(..len) else { return };
        while !rest.is_empty() {
            let whole = frames.pass(rest);
            let passes = match armed {
                Some(Cut::InFrame { bytes }) => whole.min(bytes),
                _ => whole,
            };
            let (now, later) = rest.split_at(passes);
            if to.write_all(now).await.is_err() {
                return;
            }
            rest = later;
            match armed {
                Some(Cut::InFrame { .. }) => return cut_done(wire),
                Some(Cut::AfterFrame) if frames.is_between() || !frames.is_visible() => {
                    return cut_done(wire);
                }
                _ => {}
            }
        }
    }
}

fn cut_done(wire: &Wire) {
    wire.last_cut.send_replace(Some(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    /// A daemon that sends back what it gets, and a client that reaches it over the proxy.
    async fn pair() -> (Wires, SocketAddr, TcpStream) {
        let daemon = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = daemon.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = daemon.accept().await {
                tokio::spawn(async move {
                    let (mut rx, mut tx) = socket.split();
                    let _ = tokio::io::copy(&mut rx, &mut tx).await;
                });
            }
        });
        let wires = Wires::default();
        let near = wires.near(far).unwrap();
        (wires, far, TcpStream::connect(near).await.unwrap())
    }

    async fn echoes(socket: &mut TcpStream, text: &[u8]) -> bool {
        let mut back = vec![0; text.len()];
        socket.write_all(text).await.is_ok()
            && timeout(Duration::from_millis(300), socket.read_exact(&mut back))
                .await
                .is_ok_and(|r| r.is_ok())
    }

    #[tokio::test]
    async fn bytes_pass_until_the_wire_is_blocked_and_again_afterwards() {
        let (wires, far, mut socket) = pair().await;
        assert!(echoes(&mut socket, b"one").await);
        assert_eq!(wires.links(far), 1);
        wires.set_flow(far, Flow::Blocked);
        sleep(Duration::from_millis(20)).await;
        assert!(!echoes(&mut socket, b"two").await);
        wires.set_flow(far, Flow::Open);
        let mut late = [0; 3];
        timeout(Duration::from_secs(2), socket.read_exact(&mut late)).await.unwrap().unwrap();
        assert_eq!(&late, b"two");
    }

    #[tokio::test]
    async fn a_cut_ends_the_link_and_the_next_one_passes() {
        let (wires, far, mut socket) = pair().await;
        assert!(echoes(&mut socket, b"one").await);
        assert!(wires.cut(far, Cut::Now, Duration::from_secs(1)).await.is_some());
        assert!(!echoes(&mut socket, b"two").await);
        let mut socket = TcpStream::connect(wires.near(far).unwrap()).await.unwrap();
        assert!(echoes(&mut socket, b"three").await);
        let cut = wires.cut(far, Cut::InFrame { bytes: 2 }, Duration::from_secs(1));
        let (cut, there) = tokio::join!(cut, async {
            sleep(Duration::from_millis(50)).await;
            socket.write_all(b"four").await.unwrap();
            let mut got = Vec::new();
            let _ = socket.read_to_end(&mut got).await;
            got
        });
        assert!(cut.is_some());
        assert_eq!(there, b"fo", "the rest never came");
    }
}
