//! Coming back: the journal's snapshot and events to a state that holds every invariant.

use vico::clock::Timestamp;
use vico::ids::JobKey;
use vico::job::{JobState, Receipt};
use vico::store::{Recovered, Store};

use crate::core::format::{decode_events, decode_snapshot};
use crate::core::state::Job;
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

/// Jobs whose receipt was written by a coordinator that did not live to say so. Any that was tried and is not done can be
/// among them: while the receipt was on its way its lease may have ended, by a user's wish or by its worker's word.
pub(crate) async fn unnoticed_receipts(
    store: &Store,
    state: &State,
    at: Timestamp,
) -> Result<Vec<Event>, Error> {
    let may_be_done = |job: &&Job| {
        let was_tried = !job.tries().is_empty();
        was_tried && job.phase.state() != JobState::Succeeded
    };
    let tried: Vec<JobKey> = state.jobs().filter(may_be_done).map(|job| job.key).collect();
    let receipts = store.receipts(tried).await?;
    let succeeded = |receipt: Receipt| Event::JobSucceeded {
        job: receipt.job,
        lease: receipt.lease,
        worker: receipt.worker,
        at,
    };
    Ok(receipts.into_values().map(succeeded).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use std::collections::BTreeSet;

    use vico::ids::{Attempt, WorkerId};
    use vico::job::{Failure, FailureClass, Stage};

    use super::*;
    use crate::core::{Brain, Command, Granted, Settings};
    use crate::rehearsal::staged;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn carry_out(brain: &mut Brain, command: &Command) {
        for event in brain.decide(command, NOW).unwrap() {
            brain.state.apply(&event);
        }
    }

    /// A sweep of one run, whose training somebody has begun.
    fn begin(brain: &mut Brain, name: &str) -> Granted {
        let jobs = staged::chain(name, "vico", 0);
        let job = jobs[0].key;
        let sweep = staged::sweep(name.parse().unwrap(), jobs.to_vec());
        carry_out(brain, &Command::AddSweep(sweep));
        let worker: WorkerId = "w1".parse().unwrap();
        let lease = brain.state.next_lease();
        brain.state.apply(&Event::AttemptStarted {
            job,
            lease,
            attempt: Attempt(1),
            worker: worker.clone(),
            at: NOW,
        });
        Granted {
            job,
            lease,
            attempt: Attempt(1),
            worker,
        }
    }

    /// Somebody said something of the attempt while its receipt was on its way into the bucket.
    fn meanwhile(name: &str, held: &Granted) -> Option<Command> {
        let (worker, lease) = (held.worker.clone(), held.lease);
        match name {
            "released" => Some(Command::Release {
                worker,
                leases: vec![lease],
            }),
            "failed" => Some(Command::Fail {
                worker,
                job: held.job,
                lease,
                failure: Failure {
                    class: FailureClass::InvalidInput,
                    message: "no answer".to_owned(),
                },
            }),
            "cancelled" => Some(Command::Cancel(name.parse().unwrap())),
            "noticed" => Some(Command::Commit(staged::receipt(held, Stage::Train, NOW))),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_receipt_is_noticed_whatever_became_of_its_lease() {
        let store = Store::in_memory();
        let mut brain = Brain::new(State::default(), Settings::default(), NOW);
        let mut expected = BTreeSet::new();
        for name in ["held", "released", "failed", "cancelled", "noticed"] {
            let held = begin(&mut brain, name);
            if let Some(command) = meanwhile(name, &held) {
                carry_out(&mut brain, &command);
            }
            let receipt = staged::receipt(&held, Stage::Train, NOW);
            store.commit_receipt(&receipt).await.unwrap();
            if name != "noticed" {
                expected.insert(held.job);
            }
        }
        begin(&mut brain, "without");
        let noticed = unnoticed_receipts(&store, &brain.state, NOW).await.unwrap();
        let mut found = BTreeSet::new();
        for event in &noticed {
            let Event::JobSucceeded { job, .. } = event else {
                panic!("{event:?}");
            };
            found.insert(*job);
            brain.state.apply(event);
        }
        assert_eq!(found, expected);
        brain.state.check().unwrap();
    }
}
