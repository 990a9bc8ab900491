//! What every method's training shares: parameter groups, AdamW, the train loop and its resumable state.

pub mod adamw;
pub mod gradients;
pub mod run;
pub mod state;

use candle_core::Var;

pub use adamw::{AdamW, AdamWSpec};
pub use gradients::Gradients;
pub use run::{Loss, Objective, TrainPlan, TrainReport, Watch, run};
pub use state::TrainingState;

/// A trainable tensor under the name it has in adapters, states and messages.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Unique among all groups.
    pub name: String,
    /// The value, f32.
    pub value: Var,
}

/// Parameters that share a learning rate and are reported together.
#[derive(Clone, Debug)]
pub struct ParameterGroup {
    /// What reports call it.
    pub name: &'static str,
    /// Learning rate, constant over the training.
    pub lr: f64,
    /// The members, in a fixed order.
    pub parameters: Vec<Parameter>,
}
