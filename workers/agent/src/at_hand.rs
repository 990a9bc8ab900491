//! What this worker has at hand: a hint to the coordinator which jobs it would do fastest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use vico::digest::Digest;

/// Digests named in one request at most; older ones are least likely to matter.
const NAMED: usize = 64;

/// Loaded models by slot, and jobs whose outputs are in the cache.
#[derive(Debug, Default)]
pub struct AtHand(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    loaded: BTreeMap<u32, Vec<Digest>>,
    recent: VecDeque<Digest>,
}

impl AtHand {
    /// Says which models the engine of a slot has loaded now.
    pub fn set_loaded(&self, slot: u32, models: Vec<Digest>) {
        self.with(|held| held.loaded.insert(slot, models));
    }

    /// Says that the bytes of a model or a job's outputs have just been used or made.
    pub fn note(&self, digest: Digest) {
        self.with(|held| {
            held.recent.retain(|other| *other != digest);
            held.recent.push_front(digest);
            held.recent.truncate(NAMED);
        });
    }

    /// Everything at hand, loaded models first, then the most recent.
    pub fn list(&self) -> Vec<Digest> {
        self.with(|held| {
            let mut list: Vec<Digest> = Vec::new();
            for digest in held.loaded.values().flatten().chain(&held.recent) {
                if !list.contains(digest) {
                    list.push(*digest);
                }
            }
            list.truncate(NAMED);
            list
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_models_come_first_then_the_most_recent_each_once() {
        let digest = |n: u8| Digest::of(&[n]);
        let at_hand = AtHand::default();
        for n in [1, 2, 3, 1] {
            at_hand.note(digest(n));
        }
        at_hand.set_loaded(0, vec![digest(3)]);
        assert_eq!(
            at_hand.list(),
            [3, 1, 2, 3][..3].iter().map(|n| digest(*n)).collect::<Vec<_>>()
        );
        at_hand.set_loaded(0, vec![]);
        assert_eq!(at_hand.list()[0], digest(1));
    }
}
