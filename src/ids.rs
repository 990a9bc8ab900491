//! Names of things. Every id is a newtype, so that one cannot be passed for another.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Declares an id that is a non-empty word chosen by people: letters, digits, `.`, `_`, `-`. Copies share one text, and are
/// one pointer each: a coordinator keeps millions of them.
macro_rules! word_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(Arc<Box<str>>);

        impl $name {
            /// The id as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(word: String) -> Result<Self, InvalidId> {
                check_word(&word)?;
                Ok(Self(Arc::new(word.into())))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(word: &str) -> Result<Self, InvalidId> {
                Self::try_from(word.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

word_id!(
    /// A submitted manifest: its name and eight digits of its content, `hello-3fa81c20`.
    SweepId
);
word_id!(
    /// A thing being personalised, as the manifest calls it.
    ConceptId
);
word_id!(
    /// A configured method, as the manifest calls it.
    MethodId
);
word_id!(
    /// A list of prompts, as the manifest calls it.
    PromptSetId
);
word_id!(
    /// A worker process; unique among those connected.
    WorkerId
);

/// A word that cannot be an id, because it would not survive as part of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` cannot be an id: {reason}")]
pub struct InvalidId {
    /// What was given.
    pub word: String,
    /// Why it does not do.
    pub reason: &'static str,
}

fn check_word(word: &str) -> Result<(), InvalidId> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if word.is_empty() {
        "it is empty"
    } else if word.len() > 128 {
        "it has more than 128 characters"
    } else if word.starts_with('.') {
        "it starts with a dot"
    } else if !word.chars().all(allowed) {
        "only letters, digits, `.`, `_` and `-` are allowed"
    } else {
        return Ok(());
    };
    Err(InvalidId {
        word: word.to_owned(),
        reason,
    })
}

/// A job's identity: the digest of exactly the inputs it reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobKey(pub Digest);

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobKey({})", self.0.short())
    }
}

/// A number that only ever grows; it fences out whoever held the job before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One try at a job, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_their_folder() {
        for bad in ["", "..", ".hidden", "a/b", "a b", "ü"] {
            assert!(bad.parse::<ConceptId>().is_err(), "{bad:?} was accepted");
        }
        for good in ["barn", "cat-toy", "v1.5", "brown_dog2"] {
            assert!(good.parse::<ConceptId>().is_ok(), "{good:?} was refused");
        }
    }
}
