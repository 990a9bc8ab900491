//! What people are shown.

mod board;
mod job;
mod sweep;
mod trace;
mod worker;

pub(crate) use board::JobQuery;
pub(crate) use job::attempt_record;
pub(crate) use worker::Condition;
