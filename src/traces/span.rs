//! A span, and the ids of a job's.

use crate::clock::Timestamp;
use crate::digest::Digester;
use crate::ids::{JobKey, LeaseId};

/// Names a trace: sixteen bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Names a span within its trace: eight bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Something that took its time and has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: TraceId,
    /// Its name there.
    pub id: SpanId,
    /// What it was a part of.
    pub parent: Option<SpanId>,
    /// What was done, in few words that many spans share.
    pub name: &'static str,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// What it was done to, and by whom.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it did not work out.
    pub failure: Option<String>,
}

/// The ids of what happens to one job in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTrace {
    trace: TraceId,
}

impl JobTrace {
    /// The job's trace in the bucket that its coordinator calls `bucket`.
    pub fn of(bucket: &str, job: JobKey) -> Self {
        let mut digester = Digester::default();
        digester.update(bucket.as_bytes());
        digester.update(job.0.as_bytes());
        let trace = TraceId(first(digester.finish().as_bytes()));
        Self { trace }
    }

    /// The trace.
    pub fn id(&self) -> TraceId {
        self.trace
    }

    /// All that happened to the job.
    pub fn whole(&self) -> SpanId {
        self.span("job", LeaseId(0))
    }

    /// The attempt under a lease, part of [`JobTrace::whole`].
    pub fn attempt(&self, lease: LeaseId) -> SpanId {
        self.span("attempt", lease)
    }

    /// A part of the attempt under a lease.
    pub fn part(&self, name: &str, lease: LeaseId) -> SpanId {
        self.span(name, lease)
    }

    fn span(&self, name: &str, lease: LeaseId) -> SpanId {
        let mut digester = Digester::default();
        digester.update(&self.trace.0);
        digester.update(&lease.0.to_le_bytes());
        digester.update(name.as_bytes());
        SpanId(first(digester.finish().as_bytes()))
    }
}

/// The first bytes of a digest; all of them being zero is left to chance, as it is where ids are drawn.
fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|place| digest[place])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::digest::Digest;

    #[test]
    fn ids_follow_from_bucket_job_and_lease_and_differ_with_each() {
        let (cat, dog) = (JobKey(Digest::of(b"cat")), JobKey(Digest::of(b"dog")));
        let trace = JobTrace::of("s3://bench", cat);
        assert_eq!(trace, JobTrace::of("s3://bench", cat));
        let traces = [
            trace,
            JobTrace::of("s3://bench", dog),
            JobTrace::of("s3://other", cat),
        ];
        let ids: BTreeSet<_> = traces.iter().map(JobTrace::id).collect();
        assert_eq!(ids.len(), 3);
        let spans = [
            trace.whole(),
            trace.attempt(LeaseId(1)),
            trace.attempt(LeaseId(2)),
            trace.part("fetch", LeaseId(1)),
            trace.part("fetch", LeaseId(2)),
        ];
        assert_eq!(BTreeSet::from(spans).len(), 5);
    }
}
