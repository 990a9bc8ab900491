//! Coordinators: they crash, are stopped, overlap, and are started again.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vico::traces::Traces;

use super::LEASE_TTL;
use super::chance::Chance;
use super::clock::SkewedClock;
use super::town::Town;
use super::weather::RoughWeather;
use crate::config::Parts;
use crate::error::Error;
use crate::metrics::Meters;
use crate::office::{Office, Opening};
use crate::standby;

/// Keeps a coordinator there, and sometimes two.
pub(super) async fn supervise(town: Arc<Town>) {
    let mut chance = town.chance("supervisor");
    let mut reigns = JoinSet::new();
    for number in 0.. {
        reigns.spawn(reign(Arc::clone(&town), number));
        let patience = chance.seconds(30, 400);
        tokio::select! {
            biased;
            _ = reigns.join_next() => sleep(chance.millis(100, 8000)).await,
            () = sleep(patience) => {}
        }
        // After a while somebody starts a second one; not in calm times.
        while town.is_calm() && !reigns.is_empty() {
            reigns.join_next().await;
        }
    }
}

/// One process, from its start to its end.
async fn reign(town: Arc<Town>, number: u64) {
    let name = format!("coordinator {number}");
    let mut chance = town.chance(&name);
    let crash = CancellationToken::new();
    let life = chance.seconds(10, 500);
    tokio::select! {
        biased;
        () = crash.cancelled() => town.tell(format!("{name} died at the bucket")),
        () = town.kill_after(life) => town.tell(format!("{name} was killed")),
        outcome = rule(&town, number, &crash, &mut chance) => match outcome {
            Ok(()) => town.tell(format!("{name} was stopped")),
            Err(error) => town.tell(format!("{name} ended: {error}")),
        },
    }
    town.close_door(number);
}

/// Some wait until nobody else is there.
async fn take_over(town: &Town, parts: Parts, name: &str, chance: &mut Chance) -> Result<Office, Error> {
    let waits = chance.happens(0.4);
    loop {
        let promised;
        let opening = Opening {
            parts: parts.clone(),
            writer: name,
            lease_ttl: LEASE_TTL,
            longest_tail: town.longest_tail,
            meters: Meters::default(),
        };
        let office = if waits {
            town.tell(format!("{name} stands by"));
            let lookout = standby::until_silence(&parts.store).await;
            promised = town.truth.promised();
            Office::succeed(opening, &lookout).await?
        } else {
            promised = town.truth.promised();
            Some(Office::open(opening).await?)
        };
        if let Some(office) = office {
            town.truth.check_memory(&office.brain.state, &promised);
            return Ok(office);
        }
    }
}

async fn rule(
    town: &Arc<Town>,
    number: u64,
    crash: &CancellationToken,
    chance: &mut Chance,
) -> Result<(), Error> {
    let name = format!("coordinator {number}");
    let weather = RoughWeather::new(town, &name, Some(crash.clone()));
    let mut jumps = town.chance(&format!("clock of {name}"));
    let parts = Parts {
        clock: Arc::new(SkewedClock::new(town.begun, chance).jumping(&mut jumps)),
        store: town.bucket.under(weather),
        traces: Traces::default(),
    };
    let office = take_over(town, parts, &name, chance).await?;
    town.tell(format!("{name} serves"));
    let stop = CancellationToken::new();
    let staff = office.start(stop.clone());
    town.open_door(number, staff.handle.clone());
    if chance.happens(0.2) && !town.is_calm() {
        let after = chance.seconds(5, 120);
        tokio::spawn(async move {
            sleep(after).await;
            stop.cancel();
        });
    }
    staff.work().await
}
