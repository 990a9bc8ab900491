//! Parts of attempts, told as spans of their jobs' traces.

use vico::clock::{Clock as _, SystemClock, Timestamp};
use vico::job::Grant;
use vico::traces::{JobTrace, Span, Traces};

/// Tells how long the parts of attempts took.
#[derive(Debug, Default)]
pub struct Tracer {
    traces: Traces,
    /// As the coordinator calls it: the ids of a job's spans follow from that.
    bucket: String,
}

impl Tracer {
    /// For jobs of a coordinator that calls its bucket `bucket`.
    pub fn new(traces: Traces, bucket: String) -> Self {
        Self { traces, bucket }
    }

    /// Does a part of an attempt and tells of it; of one that is dropped unfinished nothing is told.
    pub async fn part<T>(&self, name: &'static str, grant: &Grant, doing: impl Future<Output = T>) -> T {
        let start = SystemClock.now();
        let done = doing.await;
        self.traces.tell(|| [self.span(name, grant, start)]);
        done
    }

    fn span(&self, name: &'static str, grant: &Grant, start: Timestamp) -> Span {
        let trace = JobTrace::of(&self.bucket, grant.job);
        Span {
            trace: trace.id(),
            id: trace.part(name, grant.lease),
            parent: Some(trace.attempt(grant.lease)),
            name,
            start,
            end: SystemClock.now(),
            attributes: vec![("vico.attempt", grant.attempt.to_string())],
            failure: None,
        }
    }
}
