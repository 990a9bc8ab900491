//! Who may do what.
//!
//! - [`role`], [`tokens`]: who a bearer token belongs to. - [`table`]: what each method asks for, all of them in one
//!   place. - [`gate`]: the check that every request passes.

mod gate;
mod role;
mod table;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use gate::{GateLayer, Guard};
pub(crate) use role::Role;
pub(crate) use tokens::{Holder, Tokens, open};
