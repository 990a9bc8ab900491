//! A worker: takes jobs from a coordinator, computes them on the engine, and leaves what they made in the bucket.
//!
//! From the outside in:
//!
//! - [`session`]: register, take work while there are free [`slots`], leave in good order.
//! - [`link`], [`lease`], [`renew`]: one session over any number of connections; what is held, and keeping it. [`leave`]:
//!   when all this ends.
//! - [`attempt`]: one try at a job: [`prepare`] → [`engine`] → [`upload`] and [`checkpoints`] → ask for the commit.
//! - [`cache`], [`models`]: bytes at hand; [`worker`]: what all attempts share.
//! - [`device`], [`picture`]: what computes; PNG files that say what they show.
//! - [`meters`], [`pages`]: what is counted, and where probes and scrapers find it. [`tracer`]: how long parts of attempts took.
//!
//! Invariants: every message about a job carries its lease; once a lease is lost, nothing more is said under it, and the
//! engine stops as soon as it asks (see [`engine::Watch::interrupt`]); blobs are in the bucket before a completion names
//! them; the engine runs on its own thread and nothing there can hold up a renewal.

pub mod at_hand;
pub mod attempt;
pub mod backoff;
pub mod cache;
pub mod checkpoints;
pub mod config;
pub mod device;
pub mod engine;
mod failure;
mod held;
pub mod lease;
pub mod leave;
pub mod link;
pub mod meters;
pub mod models;
pub mod pages;
pub mod picture;
pub mod prepare;
mod refused;
pub mod renew;
pub mod session;
pub mod slots;
pub mod tracer;
pub mod upload;
pub mod worker;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use session::Parts;
pub use vico_engine::memory::keep_freed as keep_freed_memory;

/// Works as `config` says until `stop` is cancelled or the coordinator asks the worker to leave; then saves what can be
/// continued elsewhere, gives its leases back and returns.
///
/// # Errors
/// The cache or bucket cannot be used; the coordinator refuses this worker, at its start or later; or the GPU works no more.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let device = device::probe();
    let parts = Parts {
        device: device.clone(),
        make_engine: Arc::new(move || Ok(Box::new(engine::candle::CandleEngine::new(&device)?))),
    };
    session::run(config, parts, stop).await
}
