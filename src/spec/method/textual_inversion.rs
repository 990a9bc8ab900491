//! Textual Inversion's settings.

use serde::{Deserialize, Serialize};

/// Textual Inversion's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextualInversionSettings {
    /// What `{}` becomes; `{token}` stands for the placeholder.
    pub subject: String,
    /// Train steps.
    pub steps: u32,
    /// Effective batch.
    pub batch: u32,
    /// Learning rate of the placeholder's embedding.
    pub lr_embedding: f64,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
    /// Embedding vectors that the placeholder stands for.
    pub vectors: u32,
}

/// The example of diffusers' `textual_inversion.py`, as it trains: 5e-4 × 4 accumulated samples is 2e-3. Its 27 captions and its
/// mirrored photos belong to the method here, not to the settings.
impl Default for TextualInversionSettings {
    fn default() -> Self {
        Self {
            subject: "{token}".to_owned(),
            steps: 3000,
            batch: 4,
            lr_embedding: 2e-3,
            weight_decay: 0.01,
            vectors: 1,
        }
    }
}
