//! How pictures of other tools lie in folders, and what each of them shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use vico::gallery::{self, PromptLists, Shown};
use vico::manifest::builtin_prompts;
use vico::store::{self, Folder};

use crate::cli::exit::{Error, Result};

const MAX_DOCUMENT: u64 = 1 << 30;

/// How pictures lie in a folder.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Layout {
    /// results/SWEEP as this program writes it
    #[default]
    Ours,
    /// Pictures of one prompt, directly in the folder
    Flat,
    /// samples/ and prompts.json, as Custom Diffusion's evaluation wants them
    Customconcept101,
    /// `src_image`/, `tgt_image`/ and text/, as DreamBench++'s scripts write them
    #[value(name = "dreambench++")]
    DreambenchPlus,
    /// CONCEPT/output/TARGET/prompt_I/, as DreamMatcher writes ViCo's benchmark
    Dreammatcher,
}

/// The layout, and what some of them do not say themselves.
#[derive(Debug, Args)]
pub(super) struct Arrangement {
    /// How the pictures lie there
    #[arg(long, value_enum, default_value_t)]
    layout: Layout,
    /// The prompt of a flat folder, with `{}` in the concept's place
    #[arg(long)]
    prompt: Option<String>,
    /// The lines that dreammatcher's prompt numbers count, from 0, if not the benchmark's own; given twice, the first is for
    /// animals and the second for things
    #[arg(long, value_name = "FILE")]
    prompts: Vec<PathBuf>,
}

impl Arrangement {
    /// What the pictures show.
    pub(super) async fn runs(&self, folder: &Folder) -> Result<Vec<Shown>> {
        let files = folder.files().await?;
        let paths: Vec<String> = files.into_iter().map(|file| file.path).collect();
        let found = match self.layout {
            Layout::Ours => gallery::ours(&document(folder, "metadata.jsonl").await?),
            Layout::Customconcept101 => {
                gallery::custom_concept101(&paths, &document(folder, "prompts.json").await?)
            }
            Layout::DreambenchPlus => gallery::dreambench_plus(&paths, &captions(folder, &paths).await?),
            Layout::Dreammatcher => {
                let [live, object] = self.prompt_lists()?;
                let (live, object) = (&live, &object);
                gallery::dreammatcher(&paths, PromptLists { live, object })
            }
            Layout::Flat => {
                let prompt = self.prompt.as_deref().ok_or_else(|| {
                    let hint = "name it: `--prompt \"a {} in the snow\"`";
                    Error::usage("a flat folder does not say what was asked for", hint)
                })?;
                gallery::flat(&paths, prompt)
            }
        };
        found.map_err(|error| {
            let hint = "`--layout` says how the pictures lie there";
            Error::usage(format!("{}: {error}", folder.url()), hint)
        })
    }

    /// Prompts for animals and for things: the benchmark's own, or those of the files.
    fn prompt_lists(&self) -> Result<[Vec<String>; 2]> {
        match self.prompts.as_slice() {
            [] => Ok(["vico/live", "vico/object"].map(|name| {
                let prompts = builtin_prompts(name).expect("the list comes along").into_iter();
                prompts.map(|prompt| prompt.0).collect()
            })),
            [both] => {
                let lines = lines(both)?;
                Ok([lines.clone(), lines])
            }
            [live, object] => Ok([lines(live)?, lines(object)?]),
            more => {
                let message = format!("{} prompt files, and there are two kinds of concepts", more.len());
                Err(Error::usage(message, "give `--prompts` once or twice"))
            }
        }
    }
}

/// The lines of a file without blanks at their ends.
fn lines(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let hint = "`--prompts` names a text file with one prompt a line";
        Error::usage(format!("{} cannot be read: {error}", file.display()), hint)
    })?;
    Ok(text.lines().map(|line| line.trim_end().to_owned()).collect())
}

/// The texts below `text/`, by path.
async fn captions(folder: &Folder, paths: &[String]) -> Result<BTreeMap<String, String>> {
    let mut captions = BTreeMap::new();
    for path in paths {
        if path.starts_with("text/") {
            captions.insert(path.clone(), document(folder, path).await?);
        }
    }
    Ok(captions)
}

/// A text beside the pictures.
async fn document(folder: &Folder, name: &str) -> Result<String> {
    let bytes = match folder.read(name, MAX_DOCUMENT).await {
        Err(missing @ store::Error::NotFound { .. }) => {
            let hint = "`--layout` says how the pictures lie there";
            return Err(Error::usage(missing.to_string(), hint));
        }
        read => read?,
    };
    let text = String::from_utf8(bytes.to_vec());
    Ok(text.with_context(|| format!("{}/{name} is no UTF-8 text", folder.url()))?)
}
