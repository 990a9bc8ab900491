//! A lease that somebody works under, for as long as they do.

use vico::ids::LeaseId;

use crate::lease::{Lease, Leases};
use crate::meters::{Meters, Outcome};

/// Forgets the lease and counts the attempt when it is dropped, by a panic too: a lease that is renewed for ever would
/// keep its job from everybody.
pub(crate) struct Held<'a> {
    /// What the attempt came to; failed, unless it lives to say otherwise.
    pub(crate) outcome: Outcome,
    lease: LeaseId,
    meters: &'a Meters,
    leases: &'a Leases,
}

impl<'a> Held<'a> {
    /// An attempt under `lease` begins, which `leases` know.
    pub(crate) fn of(meters: &'a Meters, leases: &'a Leases, lease: &Lease) -> Self {
        meters.attempt_begins();
        Self {
            outcome: Outcome::Failed,
            lease: lease.grant.lease,
            meters,
            leases,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.meters.attempt_ended(self.outcome);
        self.leases.forget(self.lease);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::panic::{AssertUnwindSafe, catch_unwind};

    use vico::digest::Digest;
    use vico::ids::{Attempt, JobKey};
    use vico::job::{Grant, Stage};

    use super::*;

    #[test]
    fn a_panic_forgets_the_lease() {
        let (meters, leases) = (Meters::default(), Leases::default());
        let lease = Lease::new(Grant {
            job: JobKey(Digest::of(b"job")),
            lease: LeaseId(1),
            attempt: Attempt(1),
            sweep: "hello-3fa81c20".parse().unwrap(),
            stage: Stage::Train,
            memory_halvings: 0,
        });
        leases.add(&lease);
        let attempt = AssertUnwindSafe(|| {
            let _held = Held::of(&meters, &leases, &lease);
            assert_eq!(leases.held(), [], "a panic while it is held");
        });
        assert!(catch_unwind(attempt).is_err());
        assert_eq!(leases.held(), []);
    }
}
