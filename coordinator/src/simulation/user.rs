//! A user: submits sweeps until they are taken in, cancels some, and tries again what did not work out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::status::SweepState;

use super::chance::Chance;
use super::plans::plans;
use super::town::Town;
use super::weather::RoughWeather;
use crate::core::Command;
use crate::submit::take_in;

/// How soon a lease must have ended that has run out, in milliseconds.
const SOON: u64 = 5000;

/// Ends when every sweep has succeeded and its results are published.
pub(super) async fn user(town: Arc<Town>) {
    let mut chance = town.chance("user");
    for prepared in plans() {
        sleep(chance.seconds(0, 60)).await;
        let store = town.bucket.under(RoughWeather::new(&town, "user", None));
        let sweep = prepared.plan.sweep.clone();
        loop {
            let answer = town.call(&mut chance, |door| {
                let (store, prepared) = (store.clone(), prepared.clone());
                async move { take_in(&door, &store, prepared).await }
            });
            if answer.await.is_ok() {
                break;
            }
            sleep(chance.seconds(1, 10)).await;
        }
        town.truth.submitted(&sweep);
        town.tell(format!("the user was told that {sweep} is taken in"));
    }
    loop {
        sleep(chance.seconds(10, 60)).await;
        let mut ended = 0;
        for prepared in plans() {
            ended += usize::from(look_after(&town, &prepared.plan.sweep, &mut chance).await);
        }
        if ended == plans().len() && town.is_calm() {
            return;
        }
    }
}

/// Whether the sweep is where it should be.
async fn look_after(town: &Town, sweep: &SweepId, chance: &mut Chance) -> bool {
    let id = sweep.clone();
    let seen = town.call(chance, move |door| {
        let id = id.clone();
        async move {
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
                let sweep = brain.state.sweep(&id).zip(brain.state.tally(&id));
                Ok(sweep.map(|(sweep, tally)| (sweep.state(tally), sweep.published)))
            })
            .await
        }
    });
    let seen = match seen.await {
        Ok(Ok(seen)) => seen,
        Ok(Err(fault)) => {
            town.truth.break_with(fault);
            return false;
        }
        Err(_) => return false,
    };
    let wish = match seen {
        Some((SweepState::Succeeded, published)) => return published,
        Some((SweepState::Failed | SweepState::Cancelled, _)) => Command::Retry {
            sweep: sweep.clone(),
            class: None,
        },
        Some((SweepState::Running, _)) if !town.is_calm() && chance.happens(0.05) => {
            Command::Cancel(sweep.clone())
        }
        _ => return false,
    };
    let answer = town.call(chance, move |door| {
        let wish = wish.clone();
        async move { door.command(wish).await }
    });
    drop(answer.await);
    sleep(Duration::from_secs(1)).await;
    false
}
