//! All sweeps, numbered as they came in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vico::ids::SweepId;

use super::sweep::Sweep;

/// A sweep's place in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct SweepNo(u32);

impl SweepNo {
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Sweeps by number, and by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sweeps {
    slots: Vec<Sweep>,
    /// Derived.
    by_id: BTreeMap<SweepId, SweepNo>,
}

impl Sweeps {
    pub(super) fn number(&self, id: &SweepId) -> Option<SweepNo> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, number: SweepNo) -> Option<&Sweep> {
        self.slots.get(number.place())
    }

    pub(super) fn get_mut(&mut self, number: SweepNo) -> Option<&mut Sweep> {
        self.slots.get_mut(number.place())
    }

    /// Adds a sweep whose id is new.
    pub(super) fn push(&mut self, sweep: Sweep) -> SweepNo {
        let number = SweepNo(self.slots.len() as u32);
        self.by_id.insert(sweep.id.clone(), number);
        self.slots.push(sweep);
        number
    }

    pub(super) fn as_slice(&self) -> &[Sweep] {
        &self.slots
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sweep> {
        self.slots.iter_mut()
    }

    /// By id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sweep> {
        self.by_id.values().filter_map(|number| self.get(*number))
    }
}

impl FromIterator<Sweep> for Sweeps {
    fn from_iter<I: IntoIterator<Item = Sweep>>(sweeps: I) -> Self {
        let mut table = Self::default();
        for sweep in sweeps {
            table.push(sweep);
        }
        table
    }
}
