//! One line of a diagnosis.

use serde::Serialize;
use vico::store::Outcome;

pub(super) const HEADER: &[&str] = &["CHECK", "OUTCOME", "DETAIL", "WHAT TO DO"];

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    check: String,
    outcome: Outcome,
    detail: String,
    /// Empty where there is nothing to do.
    fix: String,
}

impl Finding {
    pub(super) fn works(check: &str, detail: impl Into<String>) -> Self {
        Self::new(check, Outcome::Works, detail.into(), "")
    }

    pub(super) fn odd(check: &str, detail: impl Into<String>, fix: &str) -> Self {
        Self::new(check, Outcome::Odd, detail.into(), fix)
    }

    pub(super) fn fails(check: &str, detail: impl Into<String>, fix: &str) -> Self {
        Self::new(check, Outcome::Fails, detail.into(), fix)
    }

    pub(super) fn new(check: &str, outcome: Outcome, detail: String, fix: &str) -> Self {
        Self {
            check: check.to_owned(),
            outcome,
            detail,
            fix: fix.to_owned(),
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        self.outcome == Outcome::Fails
    }

    pub(super) fn row(&self) -> Vec<String> {
        let outcome = self.outcome.as_str().to_owned();
        let detail = self.detail.replace('\n', " ");
        vec![self.check.clone(), outcome, detail, self.fix.clone()]
    }
}
