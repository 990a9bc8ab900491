//! Which entries the cache holds and which goes next. Pure bookkeeping: no file is touched here.

use std::collections::HashMap;

use vico::digest::Digest;

use super::folder::Stamp;

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
    /// Which of the entries that the blob had: one that was forgotten may still have readers when the next is there.
    birth: Birth,
    /// How many readers hold the file; a pinned entry is never evicted.
    pins: u32,
    /// What the file looked like when its bytes were compared with its digest, if they were since this process started.
    checked: Option<Stamp>,
}

/// Tells an entry from those that its blob had before and will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Birth(u64);

/// An entry that one reader more holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pinned {
    pub(super) birth: Birth,
    pub(super) checked: Option<Stamp>,
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

    /// Pins an entry; `None` if there is no such entry.
    pub(super) fn pin(&mut self, digest: &Digest) -> Option<Pinned> {
        self.uses += 1;
        let entry = self.entries.get_mut(digest)?;
        entry.pins += 1;
        entry.last_use = self.uses;
        Some(Pinned {
            birth: entry.birth,
            checked: entry.checked,
        })
    }

    pub(super) fn unpin(&mut self, digest: &Digest, birth: Birth) {
        if let Some(entry) = self.entry(digest, birth) {
            entry.pins = entry.pins.saturating_sub(1);
        }
    }

    pub(super) fn set_checked(&mut self, digest: &Digest, birth: Birth, stamp: Stamp) {
        if let Some(entry) = self.entry(digest, birth) {
            entry.checked = Some(stamp);
        }
    }

    /// Forgets an entry, whoever holds it; says whether it was still there.
    pub(super) fn forget(&mut self, digest: &Digest, birth: Birth) -> bool {
        let is_there = self.entry(digest, birth).is_some();
        if is_there {
            self.remove(digest);
        }
        is_there
    }

    fn entry(&mut self, digest: &Digest, birth: Birth) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(digest)?;
        (entry.birth == birth).then_some(entry)
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
    pub(super) fn commit(&mut self, digest: Digest, size: u64, stamp: Stamp) -> Birth {
        let mut entry = self.newborn(size);
        entry.pins = 1;
        entry.checked = Some(stamp);
        let birth = entry.birth;
        self.entries.insert(digest, entry);
        birth
    }

    /// Takes in what an earlier process left behind, unchecked; over the limit it is evicted like anything else.
    pub(super) fn adopt(&mut self, digest: Digest, size: u64) -> Vec<Digest> {
        self.used += size;
        let entry = self.newborn(size);
        self.entries.insert(digest, entry);
        self.evict_until(self.limit)
    }

    fn newborn(&mut self, size: u64) -> Entry {
        self.uses += 1;
        Entry {
            size,
            last_use: self.uses,
            birth: Birth(self.uses),
            pins: 0,
            checked: None,
        }
    }

    fn remove(&mut self, digest: &Digest) {
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

    const STAMP: Stamp = (10, None);

    #[test]
    fn the_longest_unused_goes_first_and_a_pinned_one_never() {
        let mut index = Index::new(30);
        for n in 0..3 {
            assert_eq!(index.reserve(10), Ok(vec![]));
            let birth = index.commit(digest(n), 10, STAMP);
            index.unpin(&digest(n), birth);
        }
        index.pin(&digest(0));
        assert_eq!(index.reserve(10), Ok(vec![digest(1)]));
        index.commit(digest(3), 10, STAMP);
        assert_eq!(index.reserve(20), Err(NoRoom { free: 10 }));
        assert_eq!(index.reserve(10), Ok(vec![digest(2)]));
    }

    #[test]
    fn a_reader_of_a_forgotten_entry_does_not_let_go_of_the_next() {
        let mut index = Index::new(10);
        assert_eq!(index.reserve(10), Ok(vec![]));
        let first = index.commit(digest(0), 10, STAMP);
        assert!(index.forget(&digest(0), first));
        assert_eq!(index.reserve(10), Ok(vec![]));
        let second = index.commit(digest(0), 10, STAMP);
        index.unpin(&digest(0), first);
        assert!(!index.forget(&digest(0), first));
        assert_eq!(index.reserve(10), Err(NoRoom { free: 0 }), "the second is in use");
        index.unpin(&digest(0), second);
        assert_eq!(index.reserve(10), Ok(vec![digest(0)]));
    }

    proptest! {
        #[test]
        fn the_limit_holds_whatever_happens(ops in proptest::collection::vec((0u8..5, 0u8..12, 1u64..60), 1..200)) {
            let mut index = Index::new(100);
            let mut reserved = Vec::new();
            let mut births: HashMap<Digest, Birth> = HashMap::new();
            for (op, n, size) in ops {
                let known = births.get(&digest(n)).copied();
                match op {
                    0 if index.pin(&digest(n)).is_none() && !reserved.iter().any(|(d, _)| *d == digest(n)) => {
                        if index.reserve(size).is_ok() {
                            reserved.push((digest(n), size));
                        }
                    }
                    1 => if let Some((digest, size)) = reserved.pop() {
                        births.insert(digest, index.commit(digest, size, STAMP));
                    },
                    2 => if let Some((_, size)) = reserved.pop() { index.cancel(size); },
                    3 => if let Some(birth) = known { index.forget(&digest(n), birth); },
                    _ => if let Some(birth) = known { index.unpin(&digest(n), birth); },
                }
                let held: u64 = reserved.iter().map(|(_, size)| size).sum();
                prop_assert_eq!(index.used, index.total() + held);
                prop_assert!(index.used <= index.limit);
            }
        }
    }
}
