//! How often one peer may be refused before it is dealt with more curtly.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals in a row that are dealt with as usual.
const BURST: f64 = 10.0;
/// How long until one more is.
const REFILL: Duration = Duration::from_secs(6);
/// Peers remembered; a flood of others is dealt with curtly at once.
const PEERS: usize = 4096;

/// A bucket of patience for every peer.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<BTreeMap<IpAddr, Patience>>);

#[derive(Debug)]
struct Patience {
    left: f64,
    at: Instant,
}

impl Throttle {
    /// Whether a refusal of this peer is dealt with as usual; it counts.
    pub(crate) fn allows(&self, peer: IpAddr) -> bool {
        self.allows_at(peer, Instant::now())
    }

    fn allows_at(&self, peer: IpAddr, now: Instant) -> bool {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= PEERS {
            peers.retain(|_, patience| patience.now(now) < BURST);
        }
        if peers.len() >= PEERS && !peers.contains_key(&network(peer)) {
            return false;
        }
        let full = Patience { left: BURST, at: now };
        let patience = peers.entry(network(peer)).or_insert(full);
        let left = patience.now(now);
        let allowed = left >= 1.0;
        *patience = Patience {
            left: if allowed { left - 1.0 } else { left },
            at: now,
        };
        allowed
    }
}

impl Patience {
    /// What is left, and what has grown back.
    fn now(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at);
        (self.left + since.as_secs_f64() / REFILL.as_secs_f64()).min(BURST)
    }
}

/// One machine usually has a whole /64 of IPv6 addresses to come from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => (address.to_bits() >> 64 << 64).to_be_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(throttle: &Throttle, peer: IpAddr, now: Instant) -> usize {
        (0..50).take_while(|_| throttle.allows_at(peer, now)).count()
    }

    #[test]
    fn patience_runs_out_and_grows_back() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let peer = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(refused(&throttle, peer, now), 10);
        assert_eq!(refused(&throttle, peer, now + REFILL * 2), 2);
        assert_eq!(refused(&throttle, IpAddr::from([10, 0, 0, 2]), now), 10);
    }

    #[test]
    fn addresses_of_one_network_share_it() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let address = |last| IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, last]);
        assert_eq!(refused(&throttle, address(1), now), 10);
        assert_eq!(refused(&throttle, address(2), now), 0);
    }

    #[test]
    fn a_flood_of_peers_neither_grows_the_memory_nor_is_let_off() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let peer = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..2 * PEERS as u32 {
            throttle.allows_at(peer(n), now);
        }
        assert!(throttle.0.lock().is_ok_and(|peers| peers.len() == PEERS));
        assert!(!throttle.allows_at(peer(u32::MAX), now));
        assert!(throttle.allows_at(peer(u32::MAX), now + REFILL * 10));
    }
}
