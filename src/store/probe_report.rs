//! What a storage check says.

use serde::{Deserialize, Serialize};

use super::Error;

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Works,
    /// Not as it should be, but vico can live with it.
    Odd,
    /// Vico cannot use this bucket.
    Fails,
}

impl Outcome {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Odd => "odd",
            Self::Fails => "fails",
        }
    }
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Numbers, or what went wrong.
    pub detail: String,
}

/// All that was tried on a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The bucket.
    pub url: String,
    /// In the order in which it was tried.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether vico can use the bucket.
    pub fn usable(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Fails)
    }
}

/// `Ok(detail)` if it works, `Err(reason)` if the store answers but does something else.
pub(super) type Tried = Result<Result<String, String>, Error>;

pub(super) fn expect(holds: bool, detail: &str, otherwise: &str) -> Result<String, String> {
    if holds {
        return Ok(detail.to_owned());
    }
    Err(otherwise.to_owned())
}

pub(super) fn verdict(name: &str, tried: Tried) -> Check {
    match tried {
        Ok(Ok(detail)) => works(name, detail),
        Ok(Err(detail)) => check(name, Outcome::Fails, detail),
        Err(error) => check(name, Outcome::Fails, error.to_string()),
    }
}

pub(super) fn works(name: &str, detail: String) -> Check {
    check(name, Outcome::Works, detail)
}

pub(super) fn odd(name: &str, detail: &str) -> Check {
    check(name, Outcome::Odd, detail.to_owned())
}

fn check(name: &str, outcome: Outcome, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        outcome,
        detail,
    }
}
