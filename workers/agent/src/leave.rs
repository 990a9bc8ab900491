//! That a worker must leave: asked to, or driven out by trouble that it cannot get over.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Clones share it.
#[derive(Clone, Debug)]
pub struct Leave {
    asked: CancellationToken,
    trouble: Arc<OnceLock<String>>,
}

impl Leave {
    /// Leaving begins when `asked` is cancelled, and cancels it when it begins otherwise.
    pub fn new(asked: CancellationToken) -> Self {
        Self {
            asked,
            trouble: Arc::default(),
        }
    }

    /// Asks the worker to leave in good order.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Drives the worker out: it saves what can be continued elsewhere, and its end is an error with these words. Of
    /// several troubles the first is told, which mostly brought the others about.
    pub fn drive_out(&self, trouble: String) {
        tracing::error!(reason = trouble.as_str(), "this worker must leave");
        let _ = self.trouble.set(trouble);
        self.asked.cancel();
    }

    /// What drives the worker out; `None` if nothing does.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.get().map(String::as_str)
    }

    /// Whether the worker must leave.
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Resolves when the worker must leave.
    pub fn asked(&self) -> WaitForCancellationFuture<'_> {
        self.asked.cancelled()
    }

    /// For whoever only looks whether the worker must leave.
    pub fn token(&self) -> CancellationToken {
        self.asked.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_trouble_is_told() {
        let leave = Leave::new(CancellationToken::new());
        assert!(!leave.is_asked() && leave.trouble().is_none());
        leave.clone().drive_out("no more".to_owned());
        leave.drive_out("and then that".to_owned());
        assert!(leave.is_asked());
        assert_eq!(leave.trouble(), Some("no more"));
    }

    #[test]
    fn who_is_asked_to_leave_is_in_no_trouble() {
        let asked = CancellationToken::new();
        let leave = Leave::new(asked.child_token());
        asked.cancel();
        assert!(leave.is_asked() && leave.trouble().is_none());
    }
}
