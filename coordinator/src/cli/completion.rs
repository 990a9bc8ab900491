//! `completion`: scripts that teach a shell the verbs and options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::exit::Result;
use crate::cli::output;

/// Prints a script; `vico-coord completion bash > /etc/bash_completion.d/vico-coord` installs it.
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(super) fn execute(self) -> Result {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut crate::cli::Args::command(),
            "vico-coord",
            &mut script,
        );
        output::text(&String::from_utf8_lossy(&script))
    }
}
