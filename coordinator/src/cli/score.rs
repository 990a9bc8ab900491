//! `score`: measures pictures in a folder, whatever tool made them, by the very code of a sweep's score jobs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;
use vico::gallery::{self, Shown};
use vico::score::ScoreTable;
use vico::store::{self, Folder};
use vico_worker::engine::NamedBytes;
use vico_worker::engine::candle::{EvaluatorDirs, FolderScorer, Subject};

use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};

/// Larger files are taken for a mistake.
const MAX_PICTURE: u64 = 256 << 20;
const MAX_DOCUMENT: u64 = 1 << 30;

/// Measures pictures in a folder, whatever tool made them.
#[derive(Debug, Args)]
pub(super) struct Score {
    /// Folder of the pictures, a path or a bucket's URL
    #[arg(long)]
    images: String,
    /// Folder of the reference photos: the photos themselves, or one folder for each concept
    #[arg(long)]
    refs: String,
    /// How the pictures lie there
    #[arg(long, value_enum, default_value_t)]
    layout: Layout,
    /// Folder of CLIP with its tokenizer
    #[arg(long)]
    clip: PathBuf,
    /// Folder of DINO
    #[arg(long)]
    dino: PathBuf,
    /// Folder of LPIPS's weights, to measure how much pictures of a prompt differ
    #[arg(long)]
    lpips: Option<PathBuf>,
    /// A protocol to measure by; can be given several times
    #[arg(long = "protocol", default_value = "bench-v1", value_name = "PROTOCOL")]
    protocols: Vec<String>,
    /// The concept's class word, where the layout does not say it
    #[arg(long)]
    class_word: Option<String>,
    /// The prompt of a flat folder, with `{}` in the concept's place
    #[arg(long)]
    prompt: Option<String>,
}

/// How pictures lie in a folder.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Layout {
    /// results/SWEEP as this program writes it
    #[default]
    Ours,
    /// Pictures of one prompt, directly in the folder
    Flat,
    /// samples/ and prompts.json, as Custom Diffusion's evaluation wants them
    Customconcept101,
}

/// One run's scores.
#[derive(Debug, Serialize)]
struct Scored {
    method: String,
    concept: String,
    #[serde(flatten)]
    table: ScoreTable,
}

impl Score {
    pub(super) async fn execute(self, out: Output) -> Result {
        let folder = Folder::open(&self.images).await?;
        let runs = self.runs(&folder).await?;
        let dirs = EvaluatorDirs {
            clip: &self.clip,
            tokenizer: &self.clip,
            dino: &self.dino,
            lpips: self.lpips.as_deref(),
        };
        let scorer =
            FolderScorer::open(&dirs, &self.protocols).map_err(Error::refused("nothing was scored"))?;
        let references = Folder::open(&self.refs).await?;
        let mut scored = Vec::with_capacity(runs.len());
        for run in runs {
            let table = self.score(&scorer, &run, (&folder, &references)).await?;
            let Shown { method, concept, .. } = run;
            scored.push(Scored {
                method,
                concept,
                table,
            });
        }
        show(out, &scored)
    }

    async fn runs(&self, folder: &Folder) -> Result<Vec<Shown>> {
        let files = folder.files().await?;
        let paths: Vec<String> = files.into_iter().map(|file| file.path).collect();
        let found = match self.layout {
            Layout::Ours => gallery::ours(&document(folder, "metadata.jsonl").await?),
            Layout::Customconcept101 => {
                gallery::custom_concept101(&paths, &document(folder, "prompts.json").await?)
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

    async fn score(
        &self,
        scorer: &FolderScorer,
        run: &Shown,
        (folder, references): (&Folder, &Folder),
    ) -> Result<ScoreTable> {
        let class = self.class_word.as_ref().or(run.class.as_ref());
        let class = class
            .ok_or_else(|| Error::usage("the class word is not known", "name it: `--class-word dog`"))?;
        let references = photos(references, &run.concept).await?;
        let prompts: Vec<String> = run.prompts.iter().map(|shown| shown.prompt.clone()).collect();
        let mut images = Vec::with_capacity(run.prompts.len());
        for shown in &run.prompts {
            images.push(read(folder, &shown.images).await?);
        }
        let prior = read(folder, &run.prior).await?;
        let subject = Subject {
            class,
            prompts: &prompts,
            references: &references,
            prior: &prior,
        };
        let scored = scorer.score(subject, |prompt| Ok(std::mem::take(&mut images[prompt])));
        scored.map_err(Error::refused("nothing was scored"))
    }
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

async fn read(folder: &Folder, paths: &[String]) -> Result<Vec<NamedBytes>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = folder.read(path, MAX_PICTURE).await?.to_vec();
        let name = path.clone();
        files.push(NamedBytes { name, bytes });
    }
    Ok(files)
}

/// The photos of a concept: in the folder of its name if there is one, else in the folder itself.
async fn photos(references: &Folder, concept: &str) -> Result<Vec<NamedBytes>> {
    let own = !concept.is_empty() && references.folders().await?.iter().any(|name| name == concept);
    let folder = if own {
        references.subfolder(concept)?
    } else {
        references.clone()
    };
    let images = folder.images().await?.into_iter();
    Ok(images
        .map(|image| NamedBytes {
            name: image.name,
            bytes: image.bytes.to_vec(),
        })
        .collect())
}

fn show(out: Output, scored: &[Scored]) -> Result {
    if out.is_json() {
        return output::json(&scored);
    }
    let header = ["METHOD", "CONCEPT", "METRIC", "MEAN", "IMAGES", "SIGNATURE"];
    output::table(&header, scored.iter().flat_map(lines))
}

/// One line per column of a run's table: means over prompts of means over samples.
fn lines(scored: &Scored) -> Vec<Vec<String>> {
    let signatures = scored.table.signatures.iter();
    signatures
        .map(|(name, signature)| {
            let (value, images) = scored.table.mean(name);
            vec![
                scored.method.clone(),
                scored.concept.clone(),
                name.clone(),
                value.map_or_else(|| "missing".to_owned(), |value| format!("{value:.4}")),
                images.to_string(),
                signature.clone(),
            ]
        })
        .collect()
}
