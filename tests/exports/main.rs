//! Adapters of a real sweep, out through the command line and in again; and, where Python has diffusers, through the libraries
//! that people load them with, both ways.
#![expect(clippy::unwrap_used, reason = "tests")]

mod command_line;
mod libraries;
mod rig;

#[path = "../processes/mod.rs"]
mod processes;
#[path = "../tiny_sweep/mod.rs"]
mod tiny_sweep;
