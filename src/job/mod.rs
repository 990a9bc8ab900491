//! The unit of work: its stage, its inputs, its states, and what it leaves behind.

mod failure;
mod progress;
mod receipt;
mod resources;
mod stage;

pub use failure::{Failure, FailureClass, Remedy};
pub use progress::Progress;
pub use receipt::{BlobRef, DeviceFacts, Receipt, output_names};
pub use resources::{Device, Resources};
pub use stage::Stage;
