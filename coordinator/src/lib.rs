//! The coordinator: decides, never touches a tensor.
//!
//! - `core`: the brain. Pure: commands in, events out; the state is the fold over the events.
//! - `actor`: the one task that owns the brain; an answer leaves only when what it tells is durable.
//! - `scribe`, `recovery`: the journal's two ends. `office`: all of it but the network.
//! - `candidate`, `standby`: before a coordinator is in charge. `front`: its plain port, open from then on.
//! - `submit`, `commit`, `publish`: what reads and writes documents around a decision.
//! - `aside`: what computes for long, and not more of it than there are cores.
//! - `rehearsal`: the brain in made-up fleets, for the benchmarks.
//! - `logbook`: what attempts write. `rpc`: the wire to `handle` and back, no logic.
//! - `door`, `tls`, `auth`, `audit`: who comes in, who may do what, and what is told of it. `renewal`: their files.
//! - `metrics`: what is counted, and the pages that show it. `dashboard`: what people see in a browser.
//!
//! [`Candidate`] becomes a [`Coordinator`], the whole; the command line beside this library is one of its users.

mod actor;
mod aside;
mod audit;
mod auth;
mod candidate;
mod commit;
mod config;
mod coordinator;
mod core;
mod dashboard;
mod door;
mod error;
mod front;
mod handle;
mod logbook;
mod memory;
mod metrics;
mod office;
mod publish;
mod recovery;
#[doc(hidden)]
pub mod rehearsal;
mod renewal;
mod rpc;
#[cfg(test)]
mod sabotage;
mod scribe;
#[cfg(test)]
mod simulation;
mod standby;
mod submit;
mod throttle;
mod tls;

pub use candidate::Candidate;
pub use config::{Config, Parts};
pub use coordinator::{Coordinator, run};
pub use error::Error;
pub use memory::return_large_blocks;
pub use tls::TlsFiles;
