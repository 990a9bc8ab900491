//! Every invariant of the state, one function each. Runs after recovery, and after every event in tests.

use vico::job::JobState;

use super::state::{Ending, Job, JobNo, Phase, State, Sweep, Tally};

/// An invariant that does not hold: a bug, or a journal that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {rule}")]
pub(crate) struct Violation {
    /// The job or sweep.
    what: String,
    /// What should be so.
    rule: &'static str,
}

type JobRule = (&'static str, fn(&State, &Job) -> bool);
type SweepRule = (&'static str, fn(&State, &Sweep) -> bool);

const JOB_RULES: [JobRule; 10] = [
    ("a job's profile and its sweeps are there", |state, job| {
        let profile = state.profile(job);
        let sweeps = state.listing(job).count();
        profile.is_some_and(|profile| profile.stage == job.stage) && sweeps == job.listed_by.as_slice().len()
    }),
    ("a job that nobody wants neither waits nor runs", |state, job| {
        state.is_wanted(job) || job.phase.state().has_ended()
    }),
    ("a wanted job is not cancelled", |state, job| {
        !matches!(job.phase, Phase::Cancelled) || !state.is_wanted(job)
    }),
    ("ready and leased jobs have all upstream done", |state, job| {
        !matches!(job.phase, Phase::Ready { .. } | Phase::Leased(_)) || state.is_fed(job)
    }),
    ("a blocked job has upstream that is under way", blocked_with_hope),
    (
        "a wanted aborted job has an upstream job beyond help",
        aborted_for_a_reason,
    ),
    (
        "an attempt is open exactly while its lease lives",
        open_tries_are_the_leases,
    ),
    ("two leases of a job are of two workers", two_workers_race),
    (
        "an attempt succeeds at most once, and then the job has",
        |_, job| {
            let wins = job
                .tries()
                .iter()
                .filter(|tried| matches!(tried.ended, Some((_, Ending::Succeeded))));
            let wins = wins.count();
            wins == 0 || (wins == 1 && job.phase.state() == JobState::Succeeded)
        },
    ),
    // A budget may have become smaller than what was spent of it before.
    ("no more failures count than attempts were begun", |_, job| {
        job.failures() <= job.attempts()
    }),
];

const SWEEP_RULES: [SweepRule; 4] = [
    ("every job of a sweep lists it", |state, sweep| {
        let mut jobs = sweep.jobs.iter().map(|number| state.numbered(*number));
        let number = state.sweep_number(&sweep.id);
        number.is_some_and(|number| jobs.all(|job| job.is_some_and(|job| job.listed_by.contains(&number))))
    }),
    (
        "the upstream of a sweep's jobs is in the sweep",
        |state, sweep| {
            let mut upstream = state.jobs_of(sweep).flat_map(|job| state.upstream(job));
            let number = state.sweep_number(&sweep.id);
            number.is_some_and(|number| upstream.all(|job| job.listed_by.contains(&number)))
        },
    ),
    (
        "a sweep has finished exactly when it was cancelled or all its jobs have ended",
        |state, sweep| {
            let unended = state.tally(&sweep.id).map_or(0, Tally::unended);
            sweep.finished.is_some() == (sweep.cancelled || unended == 0)
        },
    ),
    (
        "only the results of a sweep that has finished are published",
        |_, sweep| !sweep.published || sweep.finished.is_some(),
    ),
];

impl State {
    /// What does not hold.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        let violation = |what: String, rule| Violation { what, rule };
        if !self.has_true_index() {
            let rule = "the index is what the jobs make it";
            return Err(violation("state".to_owned(), rule));
        }
        if self.leases().any(|(_, lease)| lease.id >= self.next_lease()) {
            return Err(violation("state".to_owned(), "lease numbers only grow"));
        }
        for job in self.jobs() {
            if let Some((rule, _)) = JOB_RULES.iter().find(|(_, holds)| !holds(self, job)) {
                return Err(violation(format!("job {}", job.key), rule));
            }
        }
        for sweep in self.sweeps() {
            if let Some((rule, _)) = SWEEP_RULES.iter().find(|(_, holds)| !holds(self, sweep)) {
                return Err(violation(format!("sweep {}", sweep.id), rule));
            }
        }
        Ok(())
    }
}

fn upstream_states(state: &State, job: &Job) -> Vec<Option<JobState>> {
    let state_of = |number: &JobNo| state.numbered(*number).map(|job| job.phase.state());
    job.upstream.iter().map(state_of).collect()
}

fn blocked_with_hope(state: &State, job: &Job) -> bool {
    if !matches!(job.phase, Phase::Blocked) {
        return true;
    }
    let upstream = upstream_states(state, job);
    let alive = |upstream: &Option<JobState>| {
        upstream.is_some_and(|upstream| !upstream.has_ended() || upstream == JobState::Succeeded)
    };
    upstream.iter().all(alive) && !state.is_fed(job)
}

fn aborted_for_a_reason(state: &State, job: &Job) -> bool {
    if !matches!(job.phase, Phase::Aborted { .. }) || !state.is_wanted(job) {
        return true;
    }
    let dead = |upstream: &Option<JobState>| matches!(upstream, Some(JobState::Failed | JobState::Aborted));
    upstream_states(state, job).iter().any(dead)
}

fn open_tries_are_the_leases(_: &State, job: &Job) -> bool {
    let open = job.tries().iter().filter(|tried| tried.ended.is_none());
    let open = open.map(|tried| (tried.lease, tried.attempt, &tried.worker));
    let live = job.leases().map(|lease| (lease.id, lease.attempt, &lease.worker));
    open.eq(live)
}

fn two_workers_race(_: &State, job: &Job) -> bool {
    let workers: Vec<_> = job.leases().map(|lease| &lease.worker).collect();
    !matches!(workers.as_slice(), [one, other] if one == other)
}
