//! The places for jobs, each with an engine of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::EngineThread;
use crate::engine::thread::MakeEngine;

/// All places of a worker.
#[derive(Debug)]
pub struct Slots {
    /// As many permits as there are engines in `engines`.
    free: Arc<Semaphore>,
    engines: Engines,
}

type Engines = Arc<Mutex<Vec<(u32, EngineThread)>>>;

/// A place taken. Dropping it frees it, whatever became of the attempt.
#[derive(Debug)]
pub struct Slot {
    /// Its number, from 0.
    pub number: u32,
    /// Its engine.
    pub engine: EngineThread,
    home: Engines,
    /// Dropped after the engine is back home.
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// Starts `count` engine threads.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(count: u32, make: &MakeEngine) -> std::io::Result<Self> {
        let threads = rayon::current_num_threads() / count.max(1) as usize;
        let helpers = threads.saturating_sub(1);
        let engine = |slot| Ok((slot, EngineThread::start(slot, helpers, Arc::clone(make))?));
        let engines: Vec<_> = (0..count).map(engine).collect::<std::io::Result<_>>()?;
        Ok(Self {
            free: Arc::new(Semaphore::new(engines.len())),
            engines: Arc::new(Mutex::new(engines)),
        })
    }

    /// Takes every free place; waits until there is at least one.
    pub async fn take_free(&self) -> Vec<Slot> {
        let first = Arc::clone(&self.free).acquire_owned().await;
        let others = std::iter::from_fn(|| Arc::clone(&self.free).try_acquire_owned().ok());
        first
            .into_iter()
            .chain(others)
            .filter_map(|permit| self.take(permit))
            .collect()
    }

    fn take(&self, permit: OwnedSemaphorePermit) -> Option<Slot> {
        let (number, engine) = lock(&self.engines).pop()?;
        Some(Slot {
            number,
            engine,
            home: Arc::clone(&self.engines),
            _permit: permit,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.home).push((self.number, self.engine.clone()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
