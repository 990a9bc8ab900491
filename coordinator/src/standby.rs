//! Standing by: another coordinator serves the bucket until it falls silent.
//!
//! A coordinator in charge writes to the journal at least every few seconds, if only a segment without events, and does so from
//! its claim on, while it still reads what was there before, and while it writes a snapshot. Whoever stands by watches these
//! numbers grow, and measures their silence with its own watch: no two clocks are ever compared. Taking over too early costs a
//! restart of the other one and loses nothing, since the journal fences it.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use vico::store::{self, Lookout, Store};

/// How often the journal is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Silence that means nobody is there: more than two heartbeats that the bucket takes its time for.
const PATIENCE: Duration = Duration::from_secs(8);

/// Returns once nobody has written to the journal for a while, with where it ended.
pub(crate) async fn until_silence(store: &Store) -> Lookout {
    let mut lookout = open(store).await;
    let mut heard = Instant::now();
    loop {
        sleep(LOOK_EVERY).await;
        match lookout.look().await {
            Ok(false) if heard.elapsed() >= PATIENCE => return lookout,
            Ok(false) => {}
            Ok(true) => heard = Instant::now(),
            Err(error) => {
                // Whoever is in charge cannot write now either.
                complain(&error);
                heard = Instant::now();
            }
        }
    }
}

async fn open(store: &Store) -> Lookout {
    loop {
        match Lookout::open(store).await {
            Ok(lookout) => return lookout,
            Err(error) => complain(&error),
        }
        sleep(LOOK_EVERY).await;
    }
}

fn complain(error: &store::Error) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "standing by, and the journal cannot be looked at"
    );
}
