//! Coming back: the journal's snapshot and events to a state that holds every invariant.

use vico::store::{Recovered, Store};
use vico::{clock::Timestamp, job::Receipt};

use crate::core::format::{decode_events, decode_snapshot};
use crate::core::{Event, State};
use crate::error::Error;
use crate::memory;

/// Folds what the journal holds.
pub(crate) fn fold(recovered: &Recovered) -> Result<State, Error> {
    for repair in &recovered.repairs {
        tracing::warn!(repair, "the journal was repaired");
    }
    let mut state = match &recovered.snapshot {
        Some(bytes) => State::from(decode_snapshot(bytes)?),
        None => State::default(),
    };
    for frame in recovered.events.iter().filter(|frame| !is_beat(frame)) {
        decode_events(frame)?.iter().for_each(|event| state.apply(event));
    }
    state.check()?;
    memory::give_back_after(state.jobs().len());
    Ok(state)
}

/// Whether a frame says nothing but that somebody was there.
pub(crate) fn is_beat(frame: &[u8]) -> bool {
    frame.is_empty()
}

/// Jobs whose receipt was written by a coordinator that did not live to say so. Only leased jobs can be among them.
pub(crate) async fn unnoticed_receipts(
    store: &Store,
    state: &State,
    at: Timestamp,
) -> Result<Vec<Event>, Error> {
    let leased: Vec<_> = state.leases().map(|(job, _)| job.key).collect();
    let receipts = store.receipts(leased).await?;
    let succeeded = |receipt: Receipt| Event::JobSucceeded {
        job: receipt.job,
        lease: receipt.lease,
        worker: receipt.worker,
        at,
    };
    Ok(receipts.into_values().map(succeeded).collect())
}
