//! How far an attempt has come.

use serde::{Deserialize, Serialize};

/// Carried by every renewal. Units are the stage's own: class images, train steps, images, images scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 while unknown.
    pub of: u64,
    /// One short line, e.g. `loss 0.0312`.
    pub note: String,
}

impl Progress {
    /// The share that is done, from 0 to 1; `None` while unknown.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.done.min(self.of) as f64 / self.of as f64)
    }
}
