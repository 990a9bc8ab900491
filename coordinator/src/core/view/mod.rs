//! What people are shown.

mod job;
mod sweep;
mod worker;

pub(crate) use job::attempt_record;
pub(crate) use worker::Condition;
