//! How many connections there may be.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections at a time, of all peers together. Each may hold a few hundred kilobytes.
const IN_ALL: usize = 8192;
/// Of one peer. Many workers may share an address, behind a router or on one machine.
const PER_PEER: usize = 1024;

/// The connections there are; clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// A connection's right to be. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    peer: IpAddr,
}

impl Seats {
    /// A seat, where one is left for this peer.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_all: usize = taken.values().sum();
        let of_peer = taken.get(&peer).copied().unwrap_or(0);
        if in_all >= IN_ALL || of_peer >= PER_PEER {
            return None;
        }
        taken.insert(peer, of_peer + 1);
        let seats = self.clone();
        Some(Seat { seats, peer })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_peer_cannot_take_every_seat_and_gets_them_back() {
        let seats = Seats::default();
        let mut held: Vec<_> = (0..PER_PEER).filter_map(|_| seats.take(peer(1))).collect();
        assert_eq!(held.len(), PER_PEER);
        assert!(seats.take(peer(1)).is_none());
        assert!(seats.take(peer(2)).is_some());
        held.pop();
        assert!(seats.take(peer(1)).is_some());
    }

    #[test]
    fn there_is_an_end_for_all_together() {
        let seats = Seats::default();
        let peers = (0..10).flat_map(|last| std::iter::repeat_n(peer(last), PER_PEER));
        let held: Vec<_> = peers.filter_map(|peer| seats.take(peer)).collect();
        assert_eq!(held.len(), IN_ALL);
        drop(held);
        assert!(seats.0.lock().is_ok_and(|taken| taken.is_empty()));
    }
}
