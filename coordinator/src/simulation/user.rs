//! A user: submits sweeps until they are taken in, changes its mind about how they run, cancels some, and tries again what
//! did not work out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::Device;
use vico::status::SweepState;
use vico::store::Store;

use super::chance::Chance;
use super::plans::plans;
use super::town::Town;
use super::weather::RoughWeather;
use crate::core::Command;
use crate::handle::Handle;
use crate::submit::{Prepared, take_in};

/// How soon a lease must have ended that has run out, in milliseconds.
const SOON: u64 = 5000;
/// Shares of looks at a sweep that runs.
const SUBMITS_AGAIN: f64 = 0.3;
const CANCELS: f64 = 0.05;
/// Share of submissions that ask for more than any machine has.
const GREEDY: f64 = 0.15;

/// Ends when every sweep has succeeded and its results are published.
pub(super) async fn user(town: Arc<Town>) {
    let mut user = User::new(town);
    for prepared in plans() {
        user.begin(prepared).await;
    }
    loop {
        sleep(user.chance.seconds(10, 60)).await;
        let mut ended = 0;
        for prepared in plans() {
            ended += usize::from(user.look_after(prepared).await);
        }
        if ended == plans().len() && user.town.is_calm() {
            return;
        }
    }
}

struct User {
    town: Arc<Town>,
    store: Store,
    chance: Chance,
}

/// Where a sweep stands, and whether its results are published.
type Seen = Option<(SweepState, bool)>;

impl User {
    fn new(town: Arc<Town>) -> Self {
        Self {
            store: town.bucket.under(RoughWeather::new(&town, "user", None)),
            chance: town.chance("user"),
            town,
        }
    }

    /// Submits until it is told that the sweep is taken in.
    async fn begin(&mut self, prepared: &Prepared) {
        sleep(self.chance.seconds(0, 60)).await;
        let first = self.whim(prepared);
        while !self.submit(&first).await {
            sleep(self.chance.seconds(1, 10)).await;
        }
        let sweep = &prepared.plan.sweep;
        self.town.truth.submitted(sweep);
        self.town
            .tell(format!("the user was told that {sweep} is taken in"));
    }

    /// The same sweep as the user wants it to run now; as it is once it is calm.
    fn whim(&mut self, prepared: &Prepared) -> Prepared {
        let mut prepared = prepared.clone();
        if self.town.is_calm() {
            return prepared;
        }
        prepared.plan.retry.attempts = 1 + self.chance.below(6) as u32;
        if self.chance.happens(GREEDY) {
            for job in prepared.plan.jobs.values_mut() {
                job.spec.resources.device = Device::Gpu;
            }
        }
        prepared
    }

    async fn submit(&mut self, prepared: &Prepared) -> bool {
        let store = &self.store;
        let request = |door: Handle| {
            let (store, prepared) = (store.clone(), prepared.clone());
            async move { take_in(&door, &store, prepared).await }
        };
        self.town.call(&mut self.chance, request).await.is_ok()
    }

    /// Whether the sweep is where it should be.
    async fn look_after(&mut self, prepared: &Prepared) -> bool {
        let sweep = &prepared.plan.sweep;
        let wish = match self.look(sweep).await {
            Some((SweepState::Succeeded, published)) => return published,
            Some((SweepState::Failed | SweepState::Cancelled, _)) => Command::Retry {
                sweep: sweep.clone(),
                class: None,
            },
            Some((SweepState::Running, _)) if self.chance.happens(SUBMITS_AGAIN) => {
                let again = self.whim(prepared);
                self.submit(&again).await;
                return false;
            }
            Some((SweepState::Running, _)) if !self.town.is_calm() && self.chance.happens(CANCELS) => {
                Command::Cancel(sweep.clone())
            }
            _ => return false,
        };
        let answer = self.town.call(&mut self.chance, move |door| {
            let wish = wish.clone();
            async move { door.command(wish).await }
        });
        drop(answer.await);
        sleep(Duration::from_secs(1)).await;
        false
    }

    async fn look(&mut self, sweep: &SweepId) -> Seen {
        let seen = self.town.call(&mut self.chance, |door| {
            let id = sweep.clone();
            async move { look(&door, id).await }
        });
        match seen.await.ok()? {
            Ok(seen) => seen,
            Err(fault) => {
                self.town.truth.break_with(fault);
                None
            }
        }
    }
}

/// Where a sweep stands, or what in the brain is not as it should be.
async fn look(door: &Handle, sweep: SweepId) -> Result<Result<Seen, String>, vico::protocol::Refusal> {
    door.look(move |brain, now| {
        if let Err(fault) = brain.state.check() {
            return Err(fault.to_string());
        }
        let long_ago = Timestamp(now.0.saturating_sub(SOON));
        if let Some((_, lease)) = brain.overdue(long_ago).next() {
            return Err(format!(
                "lease {} of {} stands and has run out",
                lease.id, lease.worker
            ));
        }
        let known = brain.state.sweep(&sweep).zip(brain.state.tally(&sweep));
        Ok(known.map(|(sweep, tally)| (sweep.state(tally), sweep.published)))
    })
    .await
}
