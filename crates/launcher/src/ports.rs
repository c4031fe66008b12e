//! A cluster's own ports: a block of [`BLOCK`] from a base, so that clusters beside each other never meet.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Ports of one cluster, all counted from `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub base: u16,
}

impl Ports {
    /// The first block at or after `base` whose fixed ports are free.
    pub fn free_from(base: u16) -> Result<Ports> {
        let mut candidate = base;
        loop {
            let ports = Ports { base: candidate };
            if ports.fixed().all(is_free) {
                return Ok(ports);
            }
            candidate = match candidate.checked_add(BLOCK) {
                Some(next) if next < u16::MAX - BLOCK => next,
                _ => bail!(
                    "no free block of {BLOCK} ports from {base} on: end other clusters or choose --port"
                ),
            };
        }
    }

    /// msgr v2 port of the nth monitor; v1 is the next one.
    pub fn mon(&self, n: u16) -> u16 {
        self.base + 2 * n
    }

    /// Dashboard of the nth manager: plain HTTP; HTTPS is the next one.
    pub fn dashboard(&self, n: u16) -> u16 {
        self.base + DASHBOARDS + 2 * n
    }

    pub fn rgw(&self, n: u16) -> u16 {
        self.base + GATEWAYS + n
    }

    /// Range for the sockets that daemons bind by themselves (OSD, MDS, manager).
    pub fn daemons(&self) -> (u16, u16) {
        (self.base + DAEMONS, self.base + BLOCK - 1)
    }

    fn fixed(&self) -> impl Iterator<Item = u16> {
        self.base..self.base + DAEMONS
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Ports in one block.
pub const BLOCK: u16 = 400;
/// Monitors a block has room for.
pub const MONS_MAX: u16 = 9;
const DASHBOARDS: u16 = 20;
const GATEWAYS: u16 = 36;
const DAEMONS: u16 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_a_taken_port_is_passed_over() {
        let base = 24_800;
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 3));
        let ports = Ports::free_from(base).unwrap();
        if taken.is_ok() {
            assert_ne!(ports.base, base);
        }
        assert_eq!((ports.base - base) % BLOCK, 0);
    }

    #[test]
    fn parts_of_a_block_do_not_overlap() {
        let p = Ports { base: 1000 };
        assert!(p.mon(MONS_MAX) < p.dashboard(0));
        assert!(p.dashboard(7) + 1 < p.rgw(0));
        assert!(p.rgw(3) < p.daemons().0);
    }
}
