//! What of a coordinator needs no network: the journal, the brain that it comes back to, and the tasks around it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vico::store::{Journal, LongestTail, Lookout, Past};

use crate::actor::{Actor, Channels};
use crate::config::Parts;
use crate::core::{Brain, Event, Settings, State};
use crate::error::Error;
use crate::handle::Handle;
use crate::logbook::LogBook;
use crate::metrics::Meters;
use crate::recovery;
use crate::scribe::{self, Group, Scribe, Told};

/// Messages in wait for the actor; more make their senders wait.
const INBOX: usize = 4096;

/// A bucket taken over, and nobody but the scribe at work in it yet.
pub(crate) struct Office {
    pub(crate) parts: Parts,
    pub(crate) brain: Brain,
    noticed: Vec<Event>,
    meters: Meters,
    desk: Desk,
}

/// The scribe, and the way to it.
struct Desk {
    groups: mpsc::Sender<Group>,
    answers: mpsc::Receiver<Result<Told, Error>>,
    task: JoinSet<()>,
}

/// What an office is to be.
pub(crate) struct Opening<'a> {
    pub(crate) parts: Parts,
    /// Unique to this attempt to take over.
    pub(crate) writer: &'a str,
    pub(crate) lease_ttl: Duration,
    pub(crate) longest_tail: LongestTail,
    pub(crate) meters: Meters,
}

impl Office {
    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub(crate) async fn open(opening: Opening<'_>) -> Result<Self, Error> {
        let claimed = Journal::claim(&opening.parts.store, opening.writer).await?;
        Self::come_back(opening, claimed).await
    }

    /// The same, but only if nobody has written to the journal since `lookout` looked last; `None` if somebody has.
    pub(crate) async fn succeed(opening: Opening<'_>, lookout: &Lookout) -> Result<Option<Self>, Error> {
        match Journal::succeed(&opening.parts.store, opening.writer, lookout).await? {
            Some(claimed) => Self::come_back(opening, claimed).await.map(Some),
            None => Ok(None),
        }
    }

    async fn come_back(opening: Opening<'_>, (journal, past): (Journal, Past)) -> Result<Self, Error> {
        let Opening { parts, meters, .. } = opening;
        let epoch = journal.epoch();
        let journal = journal.with_longest_tail(opening.longest_tail);
        // At once: to read may take longer than those who stand by have patience.
        let mut desk = Desk::open(Scribe::new(journal, meters.clone()));
        let (state, noticed) = tokio::select! {
            biased;
            read = read(&parts, past) => read?,
            failure = desk.failure() => return Err(failure),
        };
        let settings = Settings {
            lease_ttl: opening.lease_ttl,
            ..Settings::default()
        };
        let (bucket, events) = (parts.store.url(), state.applied());
        tracing::info!(bucket, epoch, events, "journal opened");
        let now = parts.clock.now();
        Ok(Self {
            parts,
            brain: Brain::new(state, settings, now),
            noticed,
            meters,
            desk,
        })
    }

    /// Puts everybody to work.
    pub(crate) fn start(self, stop: CancellationToken) -> Staff {
        let last = CancellationToken::new();
        let logs = Arc::new(LogBook::default());
        let (inbox, received) = mpsc::channel(INBOX);
        let (changes, changed) = watch::channel(0);

        let mut others = self.desk.task;
        let store = self.parts.store.clone();
        let (book, until) = (Arc::clone(&logs), last.clone());
        others.spawn(async move { book.run(&store, until).await });

        let channels = Channels {
            inbox: received,
            groups: self.desk.groups,
            answers: self.desk.answers,
            changes,
        };
        let actor = Actor::new(self.brain, self.parts, Arc::clone(&logs), channels, stop.clone());
        let mut main = JoinSet::new();
        main.spawn(actor.run(self.noticed));
        Staff {
            handle: Handle::new(inbox, changed),
            logs,
            meters: self.meters,
            main,
            others,
            stop,
            last,
        }
    }
}

/// The state that the journal amounts to, and what happened besides.
async fn read(parts: &Parts, past: Past) -> Result<(State, Vec<Event>), Error> {
    let state = recovery::fold(&past.read().await?)?;
    let now = parts.clock.now();
    let noticed = recovery::unnoticed_receipts(&parts.store, &state, now).await?;
    Ok((state, noticed))
}

impl Desk {
    fn open(scribe: Scribe) -> Self {
        let (groups, to_write) = mpsc::channel(1);
        let (told, answers) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(scribe.run(to_write, told));
        Self {
            groups,
            answers,
            task,
        }
    }

    /// Returns if the scribe gives up: somebody else has taken over.
    async fn failure(&mut self) -> Error {
        loop {
            match self.answers.recv().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => return scribe::lost(),
            }
        }
    }
}

/// A coordinator's tasks. Dropped, they end where they are.
pub(crate) struct Staff {
    /// Talks to them.
    pub(crate) handle: Handle,
    /// The logs of attempts.
    pub(crate) logs: Arc<LogBook>,
    /// What they count.
    pub(crate) meters: Meters,
    main: JoinSet<Result<(), Error>>,
    others: JoinSet<()>,
    stop: CancellationToken,
    last: CancellationToken,
}

impl Staff {
    /// One more task that ends with the others, and they with it.
    pub(crate) fn join(&mut self, task: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.main.spawn(task);
    }

    /// Until told to stop, until another coordinator takes over, or until the journal is beyond writing.
    pub(crate) async fn work(mut self) -> Result<(), Error> {
        let outcome = until_one_ends(&mut self.main, &self.stop).await;
        self.last.cancel();
        while self.others.join_next().await.is_some() {}
        outcome
    }
}

/// Waits for all tasks; the first that ends takes the others along, and the first error is the outcome.
async fn until_one_ends(
    tasks: &mut JoinSet<Result<(), Error>>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        stop.cancel();
        let ended = ended.unwrap_or(Err(Error::Task {
            task: "actor or server",
        }));
        if outcome.is_ok() {
            outcome = ended;
        }
    }
    outcome
}
