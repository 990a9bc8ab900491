//! The unit of work: its stage, its inputs, its states, and what it leaves behind.

mod failure;
mod lease;
mod outputs;
mod progress;
mod receipt;
mod resources;
mod stage;
mod state;

pub use failure::{Failure, FailureClass, Remedy, UnknownFailureClass};
pub use lease::{
    Acquire, Completion, FailedAttempt, Grant, HeldLease, Introduction, LeaseReport, Release, Renewal,
    Renewed, RevokedLease, Session, Welcome,
};
pub use outputs::Outputs;
pub use progress::Progress;
pub use receipt::{BlobRef, DeviceFacts, Receipt, output_names};
pub use resources::{Device, Resources};
pub use stage::{Stage, UnknownStage};
pub use state::JobState;
