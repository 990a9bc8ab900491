//! What all processes of a simulation share: time, the bucket, the doors of coordinators, and what is known to be true.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use vico::protocol::{Refusal, RefusalKind};
use vico::store::{LongestTail, SharedMemory};

use super::chance::Chance;
use super::truth::Truth;
use crate::handle::Handle;

/// How long anybody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) struct Town {
    seed: u64,
    pub(super) begun: Instant,
    pub(super) bucket: SharedMemory,
    pub(super) truth: Truth,
    /// In every other town so short that a reign leaves several snapshots behind.
    pub(super) longest_tail: LongestTail,
    calm: AtomicBool,
    /// Coordinators that are there, the newest last.
    doors: Mutex<Vec<(u64, Handle)>>,
    story: Mutex<Vec<String>>,
}

impl fmt::Debug for Town {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "town {}", self.seed)
    }
}

impl Town {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed, "snapshots");
        let longest_tail = if chance.happens(0.5) {
            LongestTail {
                segments: 4 + chance.below(40),
                ..LongestTail::default()
            }
        } else {
            LongestTail::default()
        };
        Self {
            seed,
            begun: Instant::now(),
            bucket: SharedMemory::default(),
            truth: Truth::default(),
            longest_tail,
            calm: AtomicBool::new(false),
            doors: Mutex::default(),
            story: Mutex::default(),
        }
    }

    pub(super) fn chance(&self, who: &str) -> Chance {
        Chance::of(self.seed, who)
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.tell("calm");
    }

    /// Ends after a while, when a process should be killed; never, if it is calm by then.
    pub(super) async fn kill_after(&self, life: Duration) {
        sleep(life).await;
        if self.is_calm() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// A line of the story, for those who look for what went wrong.
    pub(super) fn tell(&self, line: impl fmt::Display) {
        let line = format!("{:>8} ms  {line}", self.begun.elapsed().as_millis());
        self.story
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }

    pub(super) fn story(&self) -> Vec<String> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn open_door(&self, number: u64, handle: Handle) {
        self.doors().push((number, handle));
    }

    pub(super) fn close_door(&self, number: u64) {
        self.doors().retain(|(other, _)| *other != number);
    }

    fn doors(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Handle)>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mostly the newest coordinator; sometimes one that should have left.
    fn door(&self, chance: &mut Chance) -> Option<Handle> {
        let doors = self.doors();
        let (_, newest) = doors.last()?;
        let (_, other) = chance.pick(&doors);
        Some(if chance.happens(0.3) {
            other.clone()
        } else {
            newest.clone()
        })
    }

    /// A request over a network that loses, delays, doubles and reorders, in both directions.
    pub(super) async fn call<T, A>(
        &self,
        chance: &mut Chance,
        request: impl Fn(Handle) -> A,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let Some(handle) = self.door(chance) else {
            sleep(chance.millis(100, 1000)).await;
            return Err(nobody("no coordinator"));
        };
        let rough = !self.is_calm();
        travel(chance, rough).await;
        if rough && chance.happens(0.03) {
            sleep(chance.seconds(1, 10)).await;
            return Err(nobody("the request was lost"));
        }
        if rough && chance.happens(0.03) {
            let (twin, late) = (request(handle.clone()), chance.millis(0, 5000));
            tokio::spawn(async move {
                sleep(late).await;
                drop(twin.await);
            });
        }
        let answer = timeout(PATIENCE, request(handle)).await;
        travel(chance, rough).await;
        if rough && chance.happens(0.03) {
            return Err(nobody("the answer was lost"));
        }
        answer.unwrap_or_else(|_| Err(nobody("no answer")))
    }
}

/// Most messages are quick; a late one is overtaken by others.
async fn travel(chance: &mut Chance, rough: bool) {
    let most = if rough && chance.happens(0.05) { 9000 } else { 20 };
    sleep(chance.millis(0, most)).await;
}

fn nobody(why: &str) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, why)
}
