//! What of a coordinator needs no network: the journal, the brain that it comes back to, and the tasks around it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vico::store::{Journal, Lookout, Recovered};

use crate::actor::{Actor, Channels};
use crate::config::Parts;
use crate::core::{Brain, Event, Settings};
use crate::error::Error;
use crate::handle::Handle;
use crate::logbook::LogBook;
use crate::metrics::Meters;
use crate::recovery;
use crate::scribe::Scribe;

/// Messages in wait for the actor; more make their senders wait.
const INBOX: usize = 4096;

/// A bucket taken over, and nobody at work in it yet.
pub(crate) struct Office {
    pub(crate) parts: Parts,
    journal: Journal,
    pub(crate) brain: Brain,
    noticed: Vec<Event>,
    meters: Meters,
}

impl Office {
    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub(crate) async fn open(parts: Parts, writer: &str, lease_ttl: Duration) -> Result<Self, Error> {
        let (journal, recovered) = Journal::open(&parts.store, writer).await?;
        Self::come_back(parts, (journal, &recovered), lease_ttl).await
    }

    /// The same, but only if nobody has written to the journal since `lookout` looked last; `None` if somebody has.
    pub(crate) async fn succeed(
        parts: Parts,
        writer: &str,
        lease_ttl: Duration,
        lookout: &Lookout,
    ) -> Result<Option<Self>, Error> {
        match Journal::succeed(&parts.store, writer, lookout).await? {
            Some((journal, recovered)) => {
                let office = Self::come_back(parts, (journal, &recovered), lease_ttl).await?;
                Ok(Some(office))
            }
            None => Ok(None),
        }
    }

    async fn come_back(
        parts: Parts,
        (journal, recovered): (Journal, &Recovered),
        lease_ttl: Duration,
    ) -> Result<Self, Error> {
        let now = parts.clock.now();
        let state = recovery::fold(recovered)?;
        let noticed = recovery::unnoticed_receipts(&parts.store, &state, now).await?;
        let settings = Settings {
            lease_ttl,
            ..Settings::default()
        };
        tracing::info!(
            bucket = parts.store.url(),
            epoch = journal.epoch(),
            events = state.applied(),
            "journal opened"
        );
        Ok(Self {
            parts,
            journal,
            brain: Brain::new(state, settings, now),
            noticed,
            meters: Meters::default(),
        })
    }

    /// The same, with meters that have counted before.
    pub(crate) fn counting_with(self, meters: Meters) -> Self {
        Self { meters, ..self }
    }

    /// Puts everybody to work.
    pub(crate) fn start(self, stop: CancellationToken) -> Staff {
        let last = CancellationToken::new();
        let logs = Arc::new(LogBook::default());
        let (inbox, received) = mpsc::channel(INBOX);
        let (groups, to_write) = mpsc::channel(1);
        let (written, answers) = mpsc::channel(1);
        let (changes, changed) = watch::channel(0);

        let mut others = JoinSet::new();
        let store = self.parts.store.clone();
        let scribe = Scribe::new(self.journal, self.meters.clone(), stop.clone());
        others.spawn(scribe.run(to_write, written));
        let (book, until) = (Arc::clone(&logs), last.clone());
        others.spawn(async move { book.run(&store, until).await });

        let channels = Channels {
            inbox: received,
            groups,
            answers,
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
