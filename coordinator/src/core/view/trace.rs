//! Jobs as traces: their waits and attempts as spans.

use vico::clock::Timestamp;
use vico::ids::LeaseId;
use vico::traces::{JobTrace, Span};

use crate::core::state::{Ending, Job, Phase, Try};
use crate::core::{Brain, Event};

impl Brain {
    /// The spans that ended with `event`, which must have been applied: each attempt with the wait before it, and the whole
    /// of a job that has ended. `bucket` is what the coordinator calls its bucket.
    ///
    /// A job that a user tries again tells its whole again, from its first wait to its last end.
    pub(crate) fn spans(&self, event: &Event, bucket: &str) -> Vec<Span> {
        match event {
            Event::AttemptFailed { job, lease, at, .. }
            | Event::AttemptReturned { job, lease, at, .. }
            | Event::JobSucceeded { job, lease, at, .. } => {
                let job = self.state.job(*job);
                job.map_or_else(Vec::new, |job| self.spans_of(job, Some(*lease), *at, bucket))
            }
            Event::SweepCancelled { sweep, at } => {
                let sweep = self.state.sweep(sweep);
                let jobs = sweep.into_iter().flat_map(|sweep| self.state.jobs_of(sweep));
                jobs.flat_map(|job| self.spans_of(job, None, *at, bucket))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The spans of attempts that ended at `at`, by the end of `lease` or beside it.
    fn spans_of(&self, job: &Job, lease: Option<LeaseId>, at: Timestamp, bucket: &str) -> Vec<Span> {
        let trace = JobTrace::of(bucket, job.key);
        // Two attempts may run at a time.
        let newest = job.tries().iter().rev().take(2).map(|tried| tried.lease);
        let newest: Vec<LeaseId> = newest.collect();
        let ended = |tried: &&Try| {
            let is_told = Some(tried.lease) == lease || newest.contains(&tried.lease);
            is_told && tried.ended.as_ref().is_some_and(|(ended, _)| *ended == at)
        };
        let mut spans: Vec<Span> = job
            .tries()
            .iter()
            .filter(ended)
            .flat_map(|tried| [self.wait(trace, job, tried), attempt(trace, tried, at)])
            .collect();
        let is_over = matches!(
            job.phase,
            Phase::Succeeded { .. } | Phase::Failed(_) | Phase::Cancelled
        );
        if is_over && !spans.is_empty() {
            spans.push(self.whole(trace, job, at));
        }
        spans
    }

    /// From when the job could run until the attempt began.
    fn wait(&self, trace: JobTrace, job: &Job, tried: &Try) -> Span {
        let before = job.tries().iter().take_while(|other| other.lease != tried.lease);
        let ended = before.map(|before| before.ended.as_ref().map_or(tried.started, |(at, _)| *at));
        // One that races another has not waited.
        let start = ended.max().unwrap_or_else(|| self.fed_at(job));
        Span {
            trace: trace.id(),
            id: trace.part("wait", tried.lease),
            parent: Some(trace.whole()),
            name: "wait",
            start: start.min(tried.started),
            end: tried.started,
            attributes: vec![("vico.attempt", tried.attempt.to_string())],
            failure: None,
        }
    }

    /// When the last of what the job reads was there, and somebody had asked for it.
    fn fed_at(&self, job: &Job) -> Timestamp {
        let asked = self.state.listing(job).map(|sweep| sweep.submitted).min();
        let upstream = self.state.upstream(job).flat_map(Job::tries);
        let fed = upstream
            .filter_map(|tried| tried.ended.as_ref().map(|(at, _)| *at))
            .max();
        asked.max(fed).unwrap_or(Timestamp(0))
    }

    fn whole(&self, trace: JobTrace, job: &Job, at: Timestamp) -> Span {
        let sweeps: Vec<_> = self.state.listing(job).map(|sweep| sweep.id.as_str()).collect();
        let first = job.tries().first().map_or(at, |first| first.started);
        Span {
            trace: trace.id(),
            id: trace.whole(),
            parent: None,
            name: job.stage.as_str(),
            start: self.fed_at(job).min(first),
            end: at,
            attributes: vec![
                ("vico.job", job.key.to_string()),
                ("vico.label", self.state.label(job).to_owned()),
                ("vico.sweeps", sweeps.join(" ")),
                ("vico.attempts", job.attempts().to_string()),
            ],
            failure: match &job.phase {
                Phase::Failed(failure) => Some(format!("{}: {}", failure.class, failure.message)),
                Phase::Cancelled => Some("cancelled by a user".to_owned()),
                _ => None,
            },
        }
    }
}

fn attempt(trace: JobTrace, tried: &Try, end: Timestamp) -> Span {
    let mut attributes = vec![
        ("vico.attempt", tried.attempt.to_string()),
        ("vico.worker", tried.worker.to_string()),
    ];
    let mut failed = None;
    match &tried.ended {
        Some((_, Ending::Failed(failure))) => {
            attributes.push(("vico.failure", failure.class.to_string()));
            failed = Some(failure.message.clone());
        }
        Some((_, Ending::Returned(reason))) => attributes.push(("vico.returned", reason.to_string())),
        Some((_, Ending::Succeeded)) | None => {}
    }
    Span {
        trace: trace.id(),
        id: trace.attempt(tried.lease),
        parent: Some(trace.whole()),
        name: "attempt",
        start: tried.started,
        end,
        attributes,
        failure: failed,
    }
}
