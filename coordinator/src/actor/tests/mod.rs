//! A coordinator without its network, and a worker that talks to it, under simulated time.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

mod clock;
mod commits;
mod journal;
mod logs;
mod panics;
mod publishing;
mod sessions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use vico::clock::{Clock, Timestamp};
use vico::ids::{JobKey, LeaseId};
use vico::job::{Acquire, Completion, Grant, LeaseReport, Progress, Renewal, Renewed, Session, output_names};
use vico::protocol::Refusal;
use vico::store::{LongestTail, Store};
use vico::traces::Traces;

use crate::actor::{Actor, Channels, Message};
use crate::config::Parts;
use crate::core::{Brain, Command, NewSweep, Settings, State};
use crate::error::Error;
use crate::handle::Handle;
use crate::metrics::Meters;
use crate::office::{Office, Opening};
use crate::rehearsal::staged;

const TTL: Duration = Duration::from_secs(30);
/// When these tests happen, in milliseconds.
const BEGIN: i64 = 1_700_000_000_000;

/// Simulated time, and whatever somebody set the clock to.
struct SetClock {
    started: Instant,
    /// Milliseconds.
    ahead: AtomicI64,
}

impl SetClock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            ahead: AtomicI64::new(0),
        })
    }

    fn set_ahead(&self, seconds: i64) {
        self.ahead.store(1000 * seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().as_millis() as i64;
        Timestamp((BEGIN + passed + self.ahead.load(Ordering::SeqCst)) as u64)
    }
}

fn parts(store: Store, clock: &Arc<SetClock>) -> Parts {
    let clock: Arc<dyn Clock> = clock.clone();
    Parts {
        clock,
        store,
        traces: Traces::default(),
    }
}

fn opening(store: Store, clock: &Arc<SetClock>) -> Opening<'static> {
    Opening {
        parts: parts(store, clock),
        writer: "test",
        lease_ttl: TTL,
        longest_tail: LongestTail::default(),
        meters: Meters::default(),
    }
}

/// Three jobs, one after the other.
fn sweep() -> NewSweep {
    staged::sweep("s".parse().unwrap(), staged::chain("s", "m", 0).into())
}

fn session() -> Session {
    staged::introduction(&"w1".parse().unwrap()).session
}

fn ask() -> Acquire {
    Acquire {
        session: session(),
        max: 1,
        wait: Duration::from_secs(20),
        at_hand: Vec::new(),
    }
}

fn renewal(job: JobKey, lease: LeaseId) -> Renewal {
    let report = LeaseReport {
        job,
        lease,
        progress: Progress {
            done: 1,
            of: 4,
            note: String::new(),
        },
        log: vec!["still here".to_owned()],
    };
    Renewal {
        session: session(),
        reports: vec![report],
    }
}

/// An actor that nobody runs, and where its messages go in.
fn idle_actor(clock: &Arc<SetClock>) -> (Actor, mpsc::Sender<Message>) {
    let (inbox, received) = mpsc::channel(8);
    let channels = Channels {
        inbox: received,
        groups: mpsc::channel(1).0,
        answers: mpsc::channel(1).1,
        changes: watch::channel(0).0,
    };
    let brain = Brain::new(State::default(), Settings::default(), clock.now());
    let parts = parts(Store::in_memory(), clock);
    let stop = CancellationToken::new();
    (Actor::new(brain, parts, Arc::default(), channels, stop), inbox)
}

/// A coordinator at work; dropped, it stops.
struct Place {
    handle: Handle,
    clock: Arc<SetClock>,
    stop: DropGuard,
    working: JoinHandle<Result<(), Error>>,
}

impl Place {
    async fn open(store: Store) -> Self {
        let clock = SetClock::new();
        let office = Office::open(opening(store, &clock)).await.unwrap();
        let stop = CancellationToken::new();
        let staff = office.start(stop.clone());
        let handle = staff.handle.clone();
        Self {
            handle,
            clock,
            stop: stop.drop_guard(),
            working: tokio::spawn(staff.work()),
        }
    }

    /// The first job of a new sweep, for the worker.
    async fn grant(&self) -> Grant {
        self.handle.command(Command::AddSweep(sweep())).await.unwrap();
        let who = staged::introduction(&session().worker);
        self.handle.register(who).await.unwrap();
        self.handle.acquire(ask()).await.unwrap().remove(0)
    }

    async fn renew(&self, grant: &Grant) -> Renewed {
        self.handle.renew(renewal(grant.job, grant.lease)).await.unwrap()
    }

    async fn failures(&self, grant: &Grant) -> u32 {
        let job = grant.job;
        let count = self
            .handle
            .look(move |brain, _| brain.state.job(job).unwrap().failures());
        count.await.unwrap()
    }
}

/// The worker has made what the job makes.
async fn complete(place: &Place, store: &Store, grant: &Grant) -> Result<(), Refusal> {
    let adapter = store.put_blob(Bytes::from_static(b"adapter")).await.unwrap();
    let done = Completion {
        session: session(),
        job: grant.job,
        lease: grant.lease,
        outputs: BTreeMap::from([(output_names::ADAPTER.to_owned(), adapter)]),
        log: vec!["done".to_owned()],
    };
    place.handle.complete(done).await
}
