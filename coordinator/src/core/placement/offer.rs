//! What could be placed: jobs of one lane on workers of one kind.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vico::clock::Timestamp;

use super::contender::Claim;
use crate::core::state::JobNo;

/// How well a lane's jobs suit a worker; jobs that do not fit are offered to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suit {
    DoesNotFit,
    Fits,
    /// Some of what its jobs load: the files, as a rule, and no network or one in another precision.
    HasPart,
    HasModels,
}

/// How good an offer is now: the fields in order of weight, greater is better.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: i32,
    pub(super) claim: Claim,
    /// The upstream's outputs are at hand, and longer jobs are left in plenty: towards the end, they come first.
    pub(super) has_upstream: bool,
    pub(super) suit: Suit,
    /// Jobs running for a share of one, in millionths.
    pub(super) least_served: Reverse<u64>,
    pub(super) oldest: Reverse<Timestamp>,
    pub(super) longest: Duration,
    /// The upstream's outputs are at hand, where nothing else tells offers apart.
    pub(super) is_near: bool,
    /// No preference; makes the choice a function of its inputs.
    pub(super) lane: Reverse<usize>,
}

/// Asking workers that look the same to every lane.
pub(super) struct Group {
    /// How each lane suits them.
    pub(super) suits: Vec<Suit>,
    /// Their asks; those who got nothing yet come first.
    pub(super) asks: VecDeque<usize>,
    /// By lane: asks whose workers have the outputs that a due job reads.
    pub(super) near: BTreeMap<usize, VecDeque<(usize, JobNo)>>,
}

impl Group {
    pub(super) fn new(suits: Vec<Suit>) -> Self {
        Self {
            suits,
            asks: VecDeque::new(),
            near: BTreeMap::new(),
        }
    }
}
