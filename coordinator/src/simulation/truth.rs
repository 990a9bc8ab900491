//! What must hold, whatever happens: what was promised to anybody is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Grant, JobState};
use vico::store::{Journal, Recovered, SharedMemory, Weather};

use crate::core::format::decode_events;
use crate::core::{Event, State};
use crate::error::Error;
use crate::recovery::{self, is_beat};

/// Promises that were heard.
#[derive(Debug, Default)]
pub(super) struct Truth(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    submitted: BTreeSet<SweepId>,
    completed: BTreeSet<JobKey>,
    granted: BTreeMap<LeaseId, (JobKey, WorkerId)>,
    broken: Vec<String>,
    races: usize,
    has_snapshot: bool,
}

impl Truth {
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn broken(&self) -> Vec<String> {
        self.heard().broken.clone()
    }

    /// How many second attempts the journal tells of that began beside another.
    pub(super) fn races(&self) -> usize {
        self.heard().races
    }

    /// Whether the last start had a snapshot to begin with.
    pub(super) fn has_snapshot(&self) -> bool {
        self.heard().has_snapshot
    }

    pub(super) fn break_with(&self, what: String) {
        self.heard().broken.push(what);
    }

    /// A user was told that a sweep is taken in.
    pub(super) fn submitted(&self, sweep: &SweepId) {
        self.heard().submitted.insert(sweep.clone());
    }

    /// A worker was told that the job is done.
    pub(super) fn completed(&self, job: JobKey) {
        self.heard().completed.insert(job);
    }

    /// A worker was given a job. One lease goes to one worker for one job.
    pub(super) fn granted(&self, grant: &Grant, worker: &WorkerId) {
        let mut heard = self.heard();
        let what = (grant.job, worker.clone());
        let before = heard.granted.insert(grant.lease, what.clone());
        if let Some(before) = before.filter(|before| *before != what) {
            heard
                .broken
                .push(format!("lease {} twice: {before:?} and {what:?}", grant.lease));
        }
    }

    /// A coordinator has just read the journal: everything promised before is there.
    pub(super) fn check_memory(&self, state: &State, promised: &Promised) {
        let mut heard = self.heard();
        for sweep in promised.sweeps.iter().filter(|id| state.sweep(id).is_none()) {
            heard
                .broken
                .push(format!("sweep {sweep} was taken in and is forgotten"));
        }
        for job in &promised.jobs {
            let state = state.job(*job).map(|job| job.phase.state());
            if state != Some(JobState::Succeeded) {
                heard
                    .broken
                    .push(format!("job {job} was completed and is to run again"));
            }
        }
    }

    /// What has been promised up to now.
    pub(super) fn promised(&self) -> Promised {
        let heard = self.heard();
        Promised {
            sweeps: heard.submitted.clone(),
            jobs: heard.completed.clone(),
        }
    }

    /// At the end: the whole journal, from its first event, what a start makes of its latest snapshot and the rest, and the
    /// receipts.
    pub(super) async fn judge(&self, bucket: &SharedMemory, weather: Arc<dyn Weather>) -> Result<(), Error> {
        let whole = bucket.whole_journal().await?.under(Arc::clone(&weather));
        let state = self.tell_all(&Journal::open(&whole, "judge").await?.1);
        let store = bucket.under(weather);
        let (_, recovered) = Journal::open(&store, "judge").await?;
        if recovery::fold(&recovered)? != state {
            self.break_with("a start comes back to something else than what happened".to_owned());
        }
        self.heard().has_snapshot = recovered.snapshot.is_some();
        self.check_memory(&state, &self.promised());
        let receipts = store.receipts(state.jobs().map(|job| job.key)).await?;
        for job in state.jobs() {
            if !receipts.contains_key(&job.key) {
                self.break_with(format!("job {} has no receipt", state.label(job)));
            }
        }
        Ok(())
    }

    /// The state after every event, one by one.
    fn tell_all(&self, journal: &Recovered) -> State {
        let mut state = State::default();
        let mut history = History::default();
        for event in journal
            .events
            .iter()
            .filter(|frame| !is_beat(frame))
            .flat_map(|frame| decode_events(frame).unwrap())
        {
            let is_held = |job| state.job(job).is_some_and(|job| job.leases().count() > 0);
            if event.granted().is_some_and(|granted| is_held(granted.job)) {
                self.heard().races += 1;
            }
            state.apply(&event);
            let faults = state
                .check()
                .err()
                .map(|fault| format!("{fault} after {event:?}"));
            self.heard()
                .broken
                .extend(faults.into_iter().chain(history.read(&event)));
        }
        state
    }
}

/// What was promised at some moment.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    sweeps: BTreeSet<SweepId>,
    jobs: BTreeSet<JobKey>,
}

/// What a journal may not tell.
#[derive(Debug, Default)]
struct History {
    last_lease: Option<LeaseId>,
    done: BTreeSet<JobKey>,
}

impl History {
    fn read(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::AttemptStarted { job, lease, .. } => {
                let rising = Some(*lease) > self.last_lease;
                self.last_lease = Some(*lease);
                if self.done.contains(job) {
                    return Some(format!("job {job} ran after it was done"));
                }
                (!rising).then(|| format!("lease {lease} is not higher than all before"))
            }
            Event::JobSucceeded { job, .. } => {
                (!self.done.insert(*job)).then(|| format!("job {job} succeeded twice"))
            }
            _ => None,
        }
    }
}
