//! One coordinator: opens the journal, binds its port, runs its tasks, and stops as one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vico::store::Journal;

use crate::actor::{Actor, Channels};
use crate::config::{Config, Parts};
use crate::core::{Brain, Event, Settings};
use crate::error::Error;
use crate::handle::Handle;
use crate::logbook::LogBook;
use crate::scribe::Scribe;
use crate::{recovery, rpc};

/// Messages in wait for the actor; more make their senders wait.
const INBOX: usize = 4096;

/// A coordinator that owns its bucket and its port, and does not serve yet.
pub struct Coordinator {
    listener: TcpListener,
    parts: Parts,
    journal: Journal,
    writer: String,
    brain: Brain,
    noticed: Vec<Event>,
}

/// Opens a coordinator and serves until told to stop.
pub async fn run(config: Config, parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    Coordinator::open(&config, parts).await?.serve(stop).await
}

impl Coordinator {
    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub async fn open(config: &Config, parts: Parts) -> Result<Self, Error> {
        let listen = config.listen;
        if !listen.ip().is_loopback() && !config.insecure {
            return Err(Error::Exposed { listen });
        }
        let bound = TcpListener::bind(listen).await;
        let listener = bound.map_err(|source| Error::Listen { listen, source })?;
        parts.store.require_create_if_absent(&*parts.clock).await?;
        let now = parts.clock.now();
        let writer = writer_name(listener.local_addr().ok());
        let (journal, recovered) = Journal::open(&parts.store, &writer).await?;
        let state = recovery::fold(&recovered)?;
        let noticed = recovery::unnoticed_receipts(&parts.store, &state, now).await?;
        let settings = Settings {
            lease_ttl: config.lease_ttl,
            ..Settings::default()
        };
        tracing::info!(
            bucket = parts.store.url(),
            epoch = journal.epoch(),
            events = state.applied(),
            "journal opened"
        );
        Ok(Self {
            listener,
            parts,
            journal,
            writer,
            brain: Brain::new(state, settings, now),
            noticed,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until told to stop, until another coordinator takes over, or until the journal is beyond writing.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Error> {
        // Whatever ends first, all end.
        let stop = stop.child_token();
        let last = CancellationToken::new();
        let logs = Arc::new(LogBook::default());
        let (inbox, received) = mpsc::channel(INBOX);
        let (groups, to_write) = mpsc::channel(1);
        let (written, answers) = mpsc::channel(1);
        let (changes, changed) = watch::channel(0);
        let handle = Handle::new(inbox, changed);

        let mut others = JoinSet::new();
        let store = self.parts.store.clone();
        let scribe = Scribe::new(store.clone(), self.writer, self.journal, stop.clone());
        others.spawn(scribe.run(to_write, written));
        let (book, until) = (Arc::clone(&logs), last.clone());
        others.spawn(async move { book.run(&store, until).await });

        let channels = Channels {
            inbox: received,
            groups,
            answers,
            changes,
        };
        let server = rpc::serve(
            self.listener,
            rpc::Services::new(handle, &self.parts, &logs, &stop),
            stop.clone(),
        );
        let actor = Actor::new(self.brain, self.parts, logs, channels, stop.clone());
        let noticed = self.noticed;
        let mut main = JoinSet::new();
        main.spawn(actor.run(noticed));
        main.spawn(server);
        let outcome = until_one_ends(&mut main, &stop).await;
        last.cancel();
        while others.join_next().await.is_some() {}
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

/// Unique to this start of this process, and something to recognise it by.
fn writer_name(address: Option<SocketAddr>) -> String {
    let process = std::process::id();
    let address = address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    // The seed that the standard library draws for its hash maps is random.
    let nonce = RandomState::new().build_hasher().finish();
    format!("{address} pid {process} {nonce:016x}")
}
