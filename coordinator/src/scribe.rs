//! The journal's writer: a task of its own, so that decisions go on while a write is under way. Snapshots are written beside
//! the journal.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use vico::store::{self, Journal, KeptSnapshot};

use crate::error::Error;
use crate::metrics::Meters;
#[cfg(test)]
use crate::sabotage;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long the journal may rest. Then it gets a segment without events, which tells those who stand by that somebody is
/// here, and this coordinator whether it still is the one.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long a coordinator that is to stop waits for a snapshot that is being written.
const FAREWELL: Duration = Duration::from_secs(5);

/// Events to be made durable together.
#[derive(Debug)]
pub(crate) struct Group {
    /// The encoded events; empty where there are none, and only a snapshot is to be written.
    pub(crate) frame: Bytes,
    /// The encoded state after these events, where a snapshot was wished for.
    pub(crate) snapshot: Option<Bytes>,
}

/// What the scribe tells.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    /// The group is durable.
    Written {
        /// The next group should bring a snapshot.
        wants_snapshot: bool,
    },
    /// Nothing happens, and so many segments say so that a snapshot should make an end of them.
    SnapshotDue,
}

/// The scribe is gone and did not say why.
pub(crate) fn lost() -> Error {
    Error::Task {
        task: "journal writer",
    }
}

/// Writes group after group. An outage is waited out; only a successor or a broken journal ends it.
pub(crate) struct Scribe {
    journal: Journal,
    meters: Meters,
    /// The snapshot that is being written, if one is. A large one takes longer than those who stand by have patience, and
    /// longer than workers should wait for answers. It is given up if the scribe ends before it, for the events are safe
    /// without it.
    snapshot: JoinSet<Result<KeptSnapshot, store::Error>>,
}

/// What the scribe does next.
enum Turn {
    /// To write events, a snapshot, or both.
    Group(Group),
    /// To give a sign of life: the journal has rested.
    Beat,
    /// To take note of how the writing of a snapshot ended.
    Snapshot(Result<Result<KeptSnapshot, store::Error>, JoinError>),
}

impl Scribe {
    pub(crate) fn new(journal: Journal, meters: Meters) -> Self {
        Self {
            journal,
            meters,
            snapshot: JoinSet::new(),
        }
    }

    /// Runs until `groups` is closed, or `answers`, since nobody is left then who could be told. The error is sent as the
    /// last answer.
    pub(crate) async fn run(
        mut self,
        mut groups: mpsc::Receiver<Group>,
        answers: mpsc::Sender<Result<Told, Error>>,
    ) {
        let failed = tokio::select! {
            biased;
            failed = self.write_all(&mut groups, &answers) => failed,
            () = answers.closed() => false,
        };
        // Until the error is heard, groups may still come, and nobody is to wonder where they went.
        answers.closed().await;
        if !failed {
            self.see_snapshot_end().await;
        }
    }

    /// Whether an error ended it.
    async fn write_all(
        &mut self,
        groups: &mut mpsc::Receiver<Group>,
        answers: &mpsc::Sender<Result<Told, Error>>,
    ) -> bool {
        let mut rested = Instant::now() + HEARTBEAT;
        while let Some(turn) = self.turn(groups, rested).await {
            let told = match turn {
                Turn::Group(group) => self.write(group).await.map(Some),
                Turn::Beat => self.beat().await,
                Turn::Snapshot(ended) => {
                    self.end_snapshot(ended);
                    continue;
                }
            };
            rested = Instant::now() + HEARTBEAT;
            let Some(answer) = told.transpose() else { continue };
            let failed = answer.is_err();
            if answers.send(answer).await.is_err() || failed {
                return failed;
            }
        }
        false
    }

    /// `None` once there will be no more groups. `rested` is when the journal has rested long enough for a beat.
    async fn turn(&mut self, groups: &mut mpsc::Receiver<Group>, rested: Instant) -> Option<Turn> {
        tokio::select! {
            biased;
            Some(ended) = self.snapshot.join_next() => Some(Turn::Snapshot(ended)),
            group = timeout_at(rested, groups.recv()) => match group {
                Ok(group) => group.map(Turn::Group),
                Err(_) => Some(Turn::Beat),
            },
        }
    }

    /// A segment without events: see [`crate::recovery::is_beat`].
    async fn beat(&mut self) -> Result<Option<Told>, Error> {
        self.append(&Bytes::new()).await?;
        Ok(self.wants_snapshot().then_some(Told::SnapshotDue))
    }

    async fn write(&mut self, group: Group) -> Result<Told, Error> {
        let Group { frame, snapshot } = group;
        #[cfg(test)]
        let snapshot = self.sabotaged(snapshot);
        if !frame.is_empty() {
            let begun = Instant::now();
            self.append(&frame).await?;
            self.meters.committed(begun.elapsed());
        }
        if let Some(state) = snapshot {
            self.begin_snapshot(state);
        }
        let wants_snapshot = self.wants_snapshot();
        Ok(Told::Written { wants_snapshot })
    }

    #[cfg(test)]
    fn sabotaged(&mut self, snapshot: Option<Bytes>) -> Option<Bytes> {
        if !sabotage::is(sabotage::Sabotage::SnapshotTooEarly) {
            return snapshot;
        }
        if let Some(state) = snapshot {
            self.begin_snapshot(state);
        }
        None
    }

    fn wants_snapshot(&self) -> bool {
        self.snapshot.is_empty() && self.journal.wants_snapshot()
    }

    /// Of the state after all events that were written.
    fn begin_snapshot(&mut self, state: Bytes) {
        if !self.snapshot.is_empty() {
            // It was wished for twice, once because of events and once because there were none.
            return;
        }
        match self.journal.begin_snapshot(state) {
            Ok(Some(new)) => _ = self.snapshot.spawn(new.write()),
            Ok(None) => {}
            Err(error) => no_snapshot(&error),
        }
    }

    fn end_snapshot(&mut self, ended: Result<Result<KeptSnapshot, store::Error>, JoinError>) {
        match ended {
            Ok(Ok(kept)) => self.journal.end_snapshot(&kept),
            Ok(Err(error)) => no_snapshot(&error),
            Err(panic) => no_snapshot(&panic),
        }
    }

    /// Waits a little for a snapshot: where it is given up, a bucket in a folder keeps what was written of it.
    async fn see_snapshot_end(&mut self) {
        match timeout(FAREWELL, self.snapshot.join_next()).await {
            Ok(Some(ended)) => self.end_snapshot(ended),
            Ok(None) => {}
            Err(late) => no_snapshot(&late),
        }
    }

    async fn append(&mut self, frame: &Bytes) -> Result<(), Error> {
        let mut wait = FIRST_WAIT;
        loop {
            let failed = match self.journal.append(std::slice::from_ref(frame)).await {
                Ok(()) => return Ok(()),
                #[cfg(test)]
                Err(store::Error::Fenced { .. }) if sabotage::is(sabotage::Sabotage::ForgetFencing) => {
                    return Ok(());
                }
                Err(error) => error,
            };
            if !may_pass(&failed) {
                return Err(failed.into());
            }
            self.meters.not_committed();
            tracing::error!(
                error = &failed as &dyn std::error::Error,
                "the journal cannot be written; trying again"
            );
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// The events are safe without it; the next start only takes longer.
fn no_snapshot(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "no snapshot was written");
}

/// Whether waiting can help. Full disks are emptied and credentials renewed; a successor stays.
fn may_pass(error: &store::Error) -> bool {
    use store::Error as E;
    match error {
        E::Unavailable { .. } | E::Refused { .. } | E::DiskFull { .. } | E::Io { .. } => true,
        E::Fenced { .. }
        | E::JournalBroken
        | E::BadUrl { .. }
        | E::PathEscapes { .. }
        | E::NotFound { .. }
        | E::AlreadyExists { .. }
        | E::Corrupt { .. }
        | E::TooLarge { .. }
        | E::Unsafe { .. }
        | E::BadInputs { .. } => false,
    }
}
