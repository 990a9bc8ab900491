//! What holders of a token may do.

use std::str::FromStr;

/// A token's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// Starts and ends sweeps, and reads.
    Submit,
    /// Sees sweeps, jobs, logs and workers.
    Read,
    /// Takes jobs and commits what they made; sees nothing else.
    Worker,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Admin, Self::Submit, Self::Read, Self::Worker];

    /// As written in the tokens file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Worker => "worker",
        }
    }

    /// Whether a holder of this role may do what takes at least `needed`.
    pub(super) fn covers(self, needed: Self) -> bool {
        self == Self::Admin || self == needed || (self == Self::Submit && needed == Self::Read)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|role| role.word() == word);
        known.ok_or_else(|| format!("`{word}` is no role: write admin, submit, read or worker"))
    }
}
