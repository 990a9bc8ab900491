//! The brain: decides what happens, and nothing else. No async, no I/O, no clock, no randomness.
//!
//! Two bodies of knowledge are kept apart:
//!
//! - [`State`], what is true whatever happens to this process: sweeps, jobs, attempts, leases. It changes by
//!   [`State::apply`] alone, live and at recovery, and is the fold over the journal's [`Event`]s.
//! - [`Floor`], who is there right now: connected workers, renewals, progress. It is lost with the process and comes
//!   back by itself as workers speak up.
//!
//! [`Brain::decide`] turns a [`Command`] into events without changing anything; the actor writes them down, then
//! applies them.

pub(crate) mod check;
pub(crate) mod command;
pub(crate) mod decide;
mod eta;
pub(crate) mod event;
mod few;
pub(crate) mod floor;
pub(crate) mod format;
mod placement;
pub(crate) mod plan;
mod refusal;
mod retry;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use std::time::Duration;

pub(crate) use command::{Ask, Command};
pub(crate) use event::{Event, Granted};
pub(crate) use floor::Floor;
pub(crate) use plan::{NewJob, NewSweep};
pub(crate) use refusal::Refusal;
pub(crate) use state::State;
use vico::clock::Timestamp;

/// The rules' numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long a lease lives without renewal.
    pub(crate) lease_ttl: Duration,
    /// Failures in a row after which a worker gets no work for a while.
    pub(crate) quarantine_after: u32,
    /// How long the first quarantine lasts; every further one is twice as long.
    pub(crate) quarantine: Duration,
    /// The longest quarantine.
    pub(crate) longest_quarantine: Duration,
    /// Whether jobs that run late may run twice.
    pub(crate) copies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(30),
            quarantine_after: 3,
            quarantine: Duration::from_mins(5),
            longest_quarantine: Duration::from_hours(1),
            copies: true,
        }
    }
}

/// Everything a decision may look at.
#[derive(Debug)]
pub(crate) struct Brain {
    /// What the journal says.
    pub(crate) state: State,
    /// Who is there.
    pub(crate) floor: Floor,
    /// The rules' numbers.
    pub(crate) settings: Settings,
}

impl Brain {
    /// A brain that takes over `state` at `now`.
    pub(crate) fn new(state: State, settings: Settings, now: Timestamp) -> Self {
        Self {
            state,
            floor: Floor::new(now, settings.lease_ttl),
            settings,
        }
    }
}
