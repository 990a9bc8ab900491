//! What is computed a second time.

/// What frozen parts keep for the backward pass, and what they compute again there. Values and gradients are the same but
/// for rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpointing {
    /// Nothing is computed again.
    #[default]
    Off,
    /// The wide middle of every feed-forward is: the largest single part of what there is to keep, and little to compute.
    FeedForwards,
    /// Residual blocks and transformer blocks keep their inputs alone, but for attention of which a hook wants text columns.
    All,
}
