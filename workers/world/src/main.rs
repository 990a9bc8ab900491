//! The command line of the small drawn world.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde_json::json;

use vico_world::background::Background;
use vico_world::caption::Caption;
use vico_world::dataset::Recipe;
use vico_world::thing::Thing;
use vico_world::{concepts, judge, pairs};

/// Draws the small world that the tiny models are trained on, and judges what they draw.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Training scenes: images.u8, bytes of the shape (count, 64, 64, 3), and captions.jsonl.
    Scenes {
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
        /// Different things.
        #[arg(long, default_value_t = 40_000)]
        things: usize,
        /// Pictures of each thing, one after the other.
        #[arg(long, default_value_t = 1)]
        views: usize,
        /// Share of toys among things.
        #[arg(long, default_value_t = 0.25)]
        toys: f32,
        /// Another seed is another set of scenes.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Captions of objects on backgrounds that training never shows together, one JSON object a line.
    Pairs {
        /// How many captions.
        #[arg(long, default_value_t = 112)]
        count: usize,
        /// Chooses colours and surfaces.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Reference pictures of the held-out concepts (concepts/<name>/0N.png) and where they are (masks/<name>/0N.png).
    Concepts {
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Says how often pictures show what their captions say; see the documentation of captions.jsonl.
    Judge {
        /// A folder with captions.jsonl and either PNG files or images.u8.
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Scenes {
            out,
            things,
            views,
            toys,
            seed,
        } => Recipe {
            things,
            views,
            toys,
            seed,
        }
        .write(&out),
        Command::Pairs { count, seed } => {
            let lines = pairs::captions(count, seed);
            print(&lines.iter().map(described).collect::<String>())
        }
        Command::Concepts { out } => Ok(concepts::write(&out)?),
        Command::Judge { dir, json } => {
            let report = judge::judge_folder(&dir)?;
            let text = if json {
                serde_json::to_string(&report)? + "\n"
            } else {
                report.to_string()
            };
            print(&text)
        }
    }
}

fn described((caption, thing): &(Caption, Thing)) -> String {
    let background = caption.background.map(Background::phrase);
    format!(
        "{}\n",
        json!({"caption": caption.plain(), "thing": thing, "background": background})
    )
}

fn print(text: &str) -> Result<()> {
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}
