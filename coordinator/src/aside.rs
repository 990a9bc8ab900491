//! What computes for seconds, beside what the async threads have to do: workers renew meanwhile.

use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// One for each core. More at a time end no sooner, and would take the threads that wait for disks from everybody else.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

/// What `compute` makes, once it had its turn. A runtime of one thread has nobody to hand that to. Simulations have such a
/// one, and must not: which of two threads is quicker is no part of their seed.
///
/// # Errors
/// It panicked, or the program ends before it was its turn.
pub(crate) async fn aside<T, C>(compute: C) -> Result<T, JoinError>
where
    T: Send + 'static,
    C: FnOnce() -> T + Send + 'static,
{
    if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        in_turn(&PLACES, compute).await
    } else {
        Ok(compute())
    }
}

async fn in_turn<T, C>(places: &'static Semaphore, compute: C) -> Result<T, JoinError>
where
    T: Send + 'static,
    C: FnOnce() -> T + Send + 'static,
{
    // They are never closed, so there is always a place in the end.
    let place = places.acquire().await;
    let computing = spawn_blocking(move || {
        // Whoever waits for this may go away; the core is taken until it is done.
        let _place = place;
        compute()
    });
    computing.await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_meanwhile() {
        let (tell, told) = mpsc::channel();
        let computing = tokio::spawn(aside(move || told.recv_timeout(Duration::from_mins(1))));
        tokio::spawn(async move { tell.send(()).unwrap() });
        assert_eq!(computing.await.unwrap().unwrap(), Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn there_is_no_more_at_a_time_than_there_are_places() {
        static TWO: Semaphore = Semaphore::const_new(2);
        let running = Arc::new(AtomicUsize::new(0));
        let computing = (0..8).map(|_| {
            let running = Arc::clone(&running);
            in_turn(&TWO, move || {
                let beside = running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                running.fetch_sub(1, Ordering::SeqCst);
                beside
            })
        });
        let beside = futures::future::join_all(computing).await;
        assert!(beside.into_iter().all(|beside| beside.unwrap() < 2));
    }

    #[tokio::test]
    async fn one_thread_does_it_all() {
        assert_eq!(aside(|| 7).await.unwrap(), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_panics_is_told_of() {
        let is_wrong = true;
        let panicked = aside(move || assert!(!is_wrong, "a bug that the test asked for")).await;
        assert!(panicked.unwrap_err().is_panic());
    }
}
