//! How a running job is seen from outside and told to stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vico::job::{Failure, Progress};

use crate::lease::Lease;
use crate::meters::Meters;

/// Why a job should end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The result is of no use any more: stop and leave nothing.
    Abandon,
    /// The worker is leaving: save what can be continued elsewhere, then stop.
    Leave,
}

/// A resumable training state. Turning it into bytes is left to whoever stores it, so that training goes on meanwhile.
pub struct Checkpoint {
    /// Train steps done.
    pub steps_done: u64,
    /// Makes the bytes.
    pub encode: Box<dyn FnOnce() -> Result<Vec<u8>, Failure> + Send + Sync>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint({})", self.steps_done)
    }
}

/// One output of a job.
#[derive(Debug)]
pub struct Output {
    /// Its name in the receipt.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// The engine's view of its attempt: it reports here, asks here whether to go on, and hands its results over.
#[derive(Debug)]
pub struct Watch {
    lease: Arc<Lease>,
    leave: CancellationToken,
    meters: Meters,
    outputs: mpsc::Sender<Output>,
    checkpoints: mpsc::Sender<Checkpoint>,
}

/// The other end of a [`Watch`].
#[derive(Debug)]
pub struct Watched {
    /// Outputs as they are made. Dropping it tells the engine that nobody wants them.
    pub outputs: mpsc::Receiver<Output>,
    /// Checkpoints as they are made.
    pub checkpoints: mpsc::Receiver<Checkpoint>,
}

/// Outputs that wait for their upload at most; after that the engine waits. Enough to bridge a slow request, few enough
/// to fit into memory.
const WAITING_OUTPUTS: usize = 16;

impl Watch {
    /// A watch over the work under `lease`; `leave` says that the worker is leaving, `meters` count what is done.
    pub fn new(lease: Arc<Lease>, leave: CancellationToken, meters: Meters) -> (Self, Watched) {
        let (outputs, made) = mpsc::channel(WAITING_OUTPUTS);
        // One is being stored, one may wait: a store slower than the training gets fewer checkpoints, not a slower training.
        let (checkpoints, saved) = mpsc::channel(1);
        let watched = Watched {
            outputs: made,
            checkpoints: saved,
        };
        (
            Self {
                lease,
                leave,
                meters,
                outputs,
                checkpoints,
            },
            watched,
        )
    }

    /// Says how far the job is.
    pub fn progress(&self, done: u64, of: u64, note: String) {
        self.lease.sign();
        self.lease.set_progress(Progress { done, of, note });
    }

    /// Counts a train step.
    pub fn step(&self, took: Duration) {
        self.meters.step(took);
    }

    /// Adds a line to the attempt's log.
    pub fn log(&self, line: impl Into<String>) {
        self.lease.sign();
        self.lease.log(line);
    }

    /// Whether to stop. To ask is a sign of life. It is asked after every train step and denoise step, and before each prompt
    /// that is scored. Nobody asks while a model is loaded, while pictures are encoded before the first train step or decoded
    /// after the last denoise step, or while the images of one prompt are scored: the engine stops that much later.
    pub fn interrupt(&self) -> Option<Interrupt> {
        self.lease.sign();
        if self.lease.is_lost() || self.outputs.is_closed() {
            Some(Interrupt::Abandon)
        } else if self.leave.is_cancelled() {
            Some(Interrupt::Leave)
        } else {
            None
        }
    }

    /// Hands an output over; waits while too many wait to be uploaded. Must not be called on the runtime.
    pub fn output(&self, name: String, bytes: Vec<u8>) {
        self.meters.made(self.lease.grant.stage);
        // If nobody takes it, `interrupt` says so.
        let _ = self.outputs.blocking_send(Output { name, bytes });
    }

    /// Whether [`Watch::checkpoint`] would not wait now.
    pub fn takes_checkpoint(&self) -> bool {
        self.checkpoints.capacity() > 0
    }

    /// Hands a checkpoint over; waits for the one before to be stored. Must not be called on the runtime.
    pub fn checkpoint(&self, checkpoint: Checkpoint) {
        // If nobody takes it, `interrupt` says so.
        let _ = self.checkpoints.blocking_send(checkpoint);
    }
}
