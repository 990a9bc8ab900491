//! The places for jobs, each with an engine of its own.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::EngineThread;
use crate::engine::thread::MakeEngine;

/// All places of a worker.
pub struct Slots {
    /// As many permits as there are engines in `engines`.
    free: Arc<Semaphore>,
    engines: Engines,
    start: Start,
}

type Engines = Arc<Mutex<Vec<(u32, EngineThread)>>>;

/// Starts an engine thread for the slot of that number.
type Start = Arc<dyn Fn(u32) -> io::Result<EngineThread> + Send + Sync>;

/// A place taken. Dropping it frees it, whatever became of the attempt.
pub struct Slot {
    /// Its number, from 0.
    pub number: u32,
    /// Its engine.
    pub engine: EngineThread,
    home: Engines,
    start: Start,
    /// Dropped after the engine is back home.
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// Starts `count` engine threads.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(count: u32, make: &MakeEngine) -> io::Result<Self> {
        let threads = rayon::current_num_threads() / count.max(1) as usize;
        let (helpers, make) = (threads.saturating_sub(1), Arc::clone(make));
        let start: Start = Arc::new(move |slot| EngineThread::start(slot, helpers, Arc::clone(&make)));
        let engine = |slot| Ok((slot, start(slot)?));
        let engines: Vec<_> = (0..count).map(engine).collect::<io::Result<_>>()?;
        Ok(Self {
            free: Arc::new(Semaphore::new(engines.len())),
            engines: Arc::new(Mutex::new(engines)),
            start,
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
            start: Arc::clone(&self.start),
            _permit: permit,
        })
    }
}

impl Slot {
    /// Leaves an engine that hangs to itself: its thread ends if it ever comes back.
    pub fn replace_engine(&mut self) {
        match (self.start)(self.number) {
            Ok(engine) => self.engine = engine,
            Err(error) => tracing::error!(%error, slot = self.number, "no thread for another engine"),
        }
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
