//! The base model as it is, with the concept in words: nothing is learned.

use serde::{Deserialize, Serialize};

/// Settings of drawing without any adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaseModelSettings {
    /// What `{}` becomes; `{class}` stands for the class word.
    pub subject: String,
}

/// The class word: what all who never saw the concept know of it.
impl Default for BaseModelSettings {
    fn default() -> Self {
        Self {
            subject: "{class}".to_owned(),
        }
    }
}
