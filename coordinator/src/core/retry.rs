//! Whether, when and where a failed job is tried again.

use std::time::Duration;

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey};
use vico::job::{Failure, FailureClass, Remedy};
use vico::plan::{Backoff, RetryPolicy};

use super::event::Next;

/// A failed attempt in its budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed<'a> {
    /// The job.
    pub(crate) job: JobKey,
    /// The attempt.
    pub(crate) attempt: Attempt,
    /// Failures that count, this one included.
    pub(crate) failures: u32,
    /// What went wrong.
    pub(crate) failure: &'a Failure,
}

impl Failed<'_> {
    /// What follows at `now`.
    pub(crate) fn next(&self, policy: &RetryPolicy, now: Timestamp) -> Next {
        let remedy = self.failure.class.remedy();
        if remedy == Remedy::GiveUp || self.failures >= policy.attempts {
            return Next::GiveUp;
        }
        // A lost worker was waited for already, as long as its lease lived.
        let wait = match self.failure.class {
            FailureClass::WorkerLost => Duration::ZERO,
            _ => self.wait(&policy.backoff),
        };
        Next::Retry {
            not_before: now + wait,
            elsewhere: remedy == Remedy::RetryElsewhere,
        }
    }

    /// Between half and all of the exponential wait, so that jobs that failed together do not return together. The
    /// jitter is a function of job and attempt: replays agree.
    fn wait(&self, backoff: &Backoff) -> Duration {
        let exponent = i32::try_from(self.failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = backoff.initial.as_secs_f64() * backoff.factor.powi(exponent);
        let full = full.min(backoff.max.as_secs_f64());
        let seconds = full * (0.5 + 0.5 * jitter(self.job, self.attempt));
        Duration::try_from_secs_f64(seconds).unwrap_or(backoff.max)
    }
}

/// A number in [0, 1) that looks random.
fn jitter(job: JobKey, attempt: Attempt) -> f64 {
    let mut name = job.0.as_bytes().to_vec();
    name.extend(attempt.0.to_le_bytes());
    let digest = Digest::of(&name);
    let [a, b, c, d, ..] = *digest.as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

/// Whether a failure says something about the worker, and not only about the job.
pub(crate) fn blames_worker(class: FailureClass) -> bool {
    match class {
        FailureClass::WorkerLost
        | FailureClass::OutOfMemory
        | FailureClass::Storage
        | FailureClass::Timeout
        | FailureClass::VersionMismatch
        | FailureClass::Internal => true,
        FailureClass::NanLoss | FailureClass::InvalidInput | FailureClass::Cancelled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts: 3,
            backoff: Backoff {
                initial: Duration::from_secs(10),
                factor: 2.0,
                max: Duration::from_secs(30),
            },
        }
    }

    fn failed(failures: u32, failure: &Failure) -> Failed<'_> {
        Failed {
            job: JobKey(Digest::of(b"job")),
            attempt: Attempt(failures),
            failures,
            failure,
        }
    }

    fn failure(class: FailureClass) -> Failure {
        Failure {
            class,
            message: String::new(),
        }
    }

    fn next(class: FailureClass, failures: u32) -> Next {
        failed(failures, &failure(class)).next(&policy(), Timestamp(0))
    }

    #[test]
    fn the_class_decides_whether_and_where() {
        use FailureClass as C;
        let elsewhere = |next| match next {
            Next::Retry { elsewhere, .. } => Some(elsewhere),
            Next::GiveUp | Next::OtherGoesOn => None,
        };
        let cases = [
            (C::Storage, Some(true)),
            (C::OutOfMemory, Some(true)),
            (C::WorkerLost, Some(true)),
            (C::Internal, Some(true)),
            (C::NanLoss, None),
            (C::InvalidInput, None),
        ];
        for (class, expected) in cases {
            assert_eq!(elsewhere(next(class, 1)), expected, "{class}");
        }
    }

    #[test]
    fn the_budget_ends() {
        assert_ne!(next(FailureClass::Storage, 2), Next::GiveUp);
        assert_eq!(next(FailureClass::Storage, 3), Next::GiveUp);
    }

    #[test]
    fn waits_grow_with_jitter_up_to_the_longest() {
        let failure = failure(FailureClass::Storage);
        for (failures, full) in [(1, 10), (2, 20), (3, 30), (40, 30), (u32::MAX, 30)] {
            let wait = failed(failures, &failure).wait(&policy().backoff);
            let full = Duration::from_secs(full);
            assert!(wait >= full / 2 && wait <= full, "failure {failures}: {wait:?}");
        }
    }

    #[test]
    fn a_lost_worker_costs_no_further_wait() {
        let expected = Next::Retry {
            not_before: Timestamp(0),
            elsewhere: true,
        };
        assert_eq!(next(FailureClass::WorkerLost, 1), expected);
    }
}
