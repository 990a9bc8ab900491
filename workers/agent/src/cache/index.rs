//! Which entries the cache holds and which goes next. Pure bookkeeping: no file is touched here.

use std::collections::HashMap;

use vico::digest::Digest;

/// Entries and room. `used` never exceeds `limit`, reservations included.
#[derive(Debug)]
pub(super) struct Index {
    limit: u64,
    used: u64,
    entries: HashMap<Digest, Entry>,
    /// Counts uses; the entry with the lowest number was used longest ago.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    size: u64,
    last_use: u64,
    /// How many readers hold the file; a pinned entry is never evicted.
    pins: u32,
    /// Whether its bytes were compared with its digest since this process started.
    verified: bool,
}

/// What has to give way: even with every unpinned entry gone there is not enough room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) free: u64,
}

impl Index {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            entries: HashMap::new(),
            uses: 0,
        }
    }

    /// Pins an entry and says whether it was verified; `None` if there is no such entry.
    pub(super) fn pin(&mut self, digest: &Digest) -> Option<bool> {
        self.uses += 1;
        let entry = self.entries.get_mut(digest)?;
        entry.pins += 1;
        entry.last_use = self.uses;
        Some(entry.verified)
    }

    pub(super) fn unpin(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.pins = entry.pins.saturating_sub(1);
        }
    }

    pub(super) fn set_verified(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.verified = true;
        }
    }

    /// Sets `size` bytes aside. The returned entries are already forgotten; their files are the caller's to delete.
    pub(super) fn reserve(&mut self, size: u64) -> Result<Vec<Digest>, NoRoom> {
        let pinned: u64 = self.entries.values().filter(|e| e.pins > 0).map(|e| e.size).sum();
        let unpinned = self.total() - pinned;
        let free = self.limit.saturating_sub(self.used - unpinned);
        if size > free {
            return Err(NoRoom { free });
        }
        let evicted = self.evict_until(self.limit - size);
        self.used += size;
        Ok(evicted)
    }

    /// Gives a reservation back.
    pub(super) fn cancel(&mut self, size: u64) {
        self.used -= size;
    }

    /// Turns a reservation into an entry that one reader already holds.
    pub(super) fn commit(&mut self, digest: Digest, size: u64) {
        self.uses += 1;
        let entry = Entry {
            size,
            last_use: self.uses,
            pins: 1,
            verified: true,
        };
        self.entries.insert(digest, entry);
    }

    /// Takes in what an earlier process left behind, unverified; over the limit it is evicted like anything else.
    pub(super) fn adopt(&mut self, digest: Digest, size: u64) -> Vec<Digest> {
        self.uses += 1;
        self.used += size;
        let entry = Entry {
            size,
            last_use: self.uses,
            pins: 0,
            verified: false,
        };
        self.entries.insert(digest, entry);
        self.evict_until(self.limit)
    }

    pub(super) fn remove(&mut self, digest: &Digest) {
        if let Some(entry) = self.entries.remove(digest) {
            self.used -= entry.size;
        }
    }

    fn total(&self) -> u64 {
        self.entries.values().map(|e| e.size).sum()
    }

    fn evict_until(&mut self, goal: u64) -> Vec<Digest> {
        let mut evicted = Vec::new();
        while self.used > goal {
            let unpinned = self.entries.iter().filter(|(_, e)| e.pins == 0);
            let Some(oldest) = unpinned.min_by_key(|(_, e)| e.last_use).map(|(d, _)| *d) else {
                break;
            };
            self.remove(&oldest);
            evicted.push(oldest);
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    #[test]
    fn the_longest_unused_goes_first_and_a_pinned_one_never() {
        let mut index = Index::new(30);
        for n in 0..3 {
            assert_eq!(index.reserve(10), Ok(vec![]));
            index.commit(digest(n), 10);
            index.unpin(&digest(n));
        }
        index.pin(&digest(0));
        assert_eq!(index.reserve(10), Ok(vec![digest(1)]));
        index.commit(digest(3), 10);
        assert_eq!(index.reserve(20), Err(NoRoom { free: 10 }));
        assert_eq!(index.reserve(10), Ok(vec![digest(2)]));
    }

    proptest! {
        #[test]
        fn the_limit_holds_whatever_happens(ops in proptest::collection::vec((0u8..4, 0u8..12, 1u64..60), 1..200)) {
            let mut index = Index::new(100);
            let mut reserved = Vec::new();
            for (op, n, size) in ops {
                match op {
                    0 if index.pin(&digest(n)).is_none() && !reserved.iter().any(|(d, _)| *d == digest(n)) => {
                        if index.reserve(size).is_ok() {
                            reserved.push((digest(n), size));
                        }
                    }
                    1 => if let Some((digest, size)) = reserved.pop() { index.commit(digest, size); },
                    2 => if let Some((_, size)) = reserved.pop() { index.cancel(size); },
                    _ => index.unpin(&digest(n)),
                }
                let held: u64 = reserved.iter().map(|(_, size)| size).sum();
                prop_assert_eq!(index.used, index.total() + held);
                prop_assert!(index.used <= index.limit);
            }
        }
    }
}
