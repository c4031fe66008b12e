//! A log daemon's datagram socket.
//!
//! Invariants: sending never waits; a daemon that was restarted is found again; what it does not take at once
//! is lost.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Datagrams {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Datagrams {
    pub fn new(path: &Path) -> Datagrams {
        Datagrams { path: path.to_owned(), socket: None }
    }

    /// Whether it was taken.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(&self.path).ok();
            }
            let Some(socket) = &self.socket else { return false };
            match socket.send(bytes) {
                Ok(_) => return true,
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => return false,
                // The daemon has gone; a new one may be there.
                Err(_) => self.socket = None,
            }
        }
        false
    }
}

fn connect(path: &Path) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}
