//! `score`: measures pictures in a folder, whatever tool made them, by the very code of a sweep's score jobs.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use vico::gallery::{References, Shown};
use vico::score::ScoreTable;
use vico::store::Folder;
use vico_worker::engine::NamedBytes;
use vico_worker::engine::candle::{EvaluatorDirs, FileFormat, FolderScorer, Scored, Subject};

use crate::cli::exit::{Error, Result};
use crate::cli::layout::Arrangement;
use crate::cli::output::{self, Output};

/// Larger files are taken for a mistake.
const MAX_PICTURE: u64 = 256 << 20;

/// Measures pictures in a folder, whatever tool made them.
#[derive(Debug, Args)]
pub(super) struct Score {
    /// Folder of the pictures, a path or a bucket's URL
    #[arg(long)]
    images: String,
    /// Folder of the reference photos: the photos themselves, or one folder for each concept; dreambench++ brings its own
    #[arg(long)]
    refs: Option<String>,
    #[command(flatten)]
    arrangement: Arrangement,
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
}

/// One run's scores.
#[derive(Debug, Serialize)]
struct RunScores {
    method: String,
    concept: String,
    #[serde(flatten)]
    table: ScoreTable,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

impl Score {
    pub(super) async fn execute(self, out: Output) -> Result {
        let folder = Folder::open(&self.images).await?;
        let runs = self.arrangement.runs(&folder).await?;
        let dirs = EvaluatorDirs {
            clip: &self.clip,
            tokenizer: &self.clip,
            dino: &self.dino,
            lpips: self.lpips.as_deref(),
        };
        let scorer =
            FolderScorer::open(&dirs, &self.protocols).map_err(Error::refused("nothing was scored"))?;
        let references = match &self.refs {
            Some(refs) => Some(Folder::open(refs).await?),
            None => None,
        };
        let mut scored = Vec::with_capacity(runs.len());
        for run in runs {
            let measured = self.score(&scorer, &run, (&folder, references.as_ref())).await?;
            let Scored { table, remarks } = measured;
            let Shown { method, concept, .. } = run;
            scored.push(RunScores {
                method,
                concept,
                table,
                remarks,
            });
        }
        show(out, &scored)
    }

    async fn score(
        &self,
        scorer: &FolderScorer,
        run: &Shown,
        (folder, references): (&Folder, Option<&Folder>),
    ) -> Result<Scored> {
        let class = self.class_word.as_ref().or(run.class.as_ref());
        let class = match class {
            Some(class) => class.as_str(),
            // Prompts that are whole sentences need none.
            None if run.prompts.iter().all(|shown| !shown.prompt.contains("{}")) => "",
            None => {
                return Err(Error::usage(
                    "the class word is not known",
                    "name it: `--class-word dog`",
                ));
            }
        };
        let references = match (&run.references, references) {
            (References::Copies(copies), _) => vec![single(read(folder, copies).await?)?],
            (References::Folder(name), Some(references)) => photos(references, name).await?,
            (References::Folder(_), None) => {
                let hint = "name their folder: `--refs DIR`";
                return Err(Error::usage("the reference photos are not known", hint));
            }
        };
        let prompts: Vec<String> = run.prompts.iter().map(|shown| shown.prompt.clone()).collect();
        let mut images = Vec::with_capacity(run.prompts.len());
        for shown in &run.prompts {
            images.push(read(folder, &shown.images).await?);
        }
        let prior = read(folder, &run.prior).await?;
        let files = images.iter().flatten();
        let subject = Subject {
            class,
            prompts: &prompts,
            references: &references,
            prior: &prior,
            files: FileFormat::of(files.map(|file| file.bytes.as_slice())),
        };
        let scored = scorer.score(subject, |prompt| Ok(std::mem::take(&mut images[prompt])));
        scored.map_err(Error::refused("nothing was scored"))
    }
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

/// The photo that all of these are copies of.
fn single(copies: Vec<NamedBytes>) -> Result<NamedBytes> {
    let mut copies = copies.into_iter();
    let first = copies
        .next()
        .ok_or_else(|| Error::usage("there is no reference photo", "put it beside the pictures"))?;
    match copies.find(|copy| copy.bytes != first.bytes) {
        None => Ok(first),
        Some(other) => {
            let message = format!("{} is another photo than {}", other.name, first.name);
            Err(Error::usage(
                message,
                "a folder holds the pictures of one reference photo",
            ))
        }
    }
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

fn show(out: Output, scored: &[RunScores]) -> Result {
    if out.is_json() {
        return output::json(&scored);
    }
    scored.iter().flat_map(notes).for_each(output::note);
    let header = ["METHOD", "CONCEPT", "METRIC", "MEAN", "IMAGES", "SIGNATURE"];
    output::table(&header, scored.iter().flat_map(lines))
}

/// What to know about a run's numbers, with what the run is called.
fn notes(scored: &RunScores) -> impl Iterator<Item = String> {
    let name = [&scored.method, &scored.concept].into_iter();
    let name: Vec<&str> = name.map(String::as_str).filter(|word| !word.is_empty()).collect();
    let remarks = scored.remarks.iter();
    remarks.map(move |remark| {
        let words: Vec<&str> = name.iter().copied().chain([remark.as_str()]).collect();
        format!("note: {}", words.join(": "))
    })
}

/// One line per column of a run's table: means over prompts of means over samples.
fn lines(scored: &RunScores) -> Vec<Vec<String>> {
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
