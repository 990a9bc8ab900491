//! `results/<sweep>/` as this program writes it: `metadata.jsonl` says what each picture shows.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Error, References, Shown, ShownPrompt};

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    file_name: String,
    method: String,
    point: String,
    concept: String,
    class: String,
    train_seed: u64,
    sample: u32,
    /// Absent for images of the bare class word.
    prompt_index: Option<u32>,
    pattern: Option<String>,
}

/// Prompt and sample; images without a prompt come last.
type Place = (bool, Option<u32>, u32);

/// One entry per run: method, matrix point, train seed and concept.
///
/// # Errors
/// A line is not of the form that this version writes, or there is none.
pub fn ours(metadata: &str) -> Result<Vec<Shown>, Error> {
    let mut runs: BTreeMap<(String, String), BTreeMap<Place, Line>> = BTreeMap::new();
    for (number, text) in metadata
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let line: Line = serde_json::from_str(text).map_err(|error| Error::Document {
            document: "metadata.jsonl",
            line: number + 1,
            reason: error.to_string(),
        })?;
        let run = (line.name(), line.concept.clone());
        let place = (line.prompt_index.is_none(), line.prompt_index, line.sample);
        runs.entry(run).or_default().insert(place, line);
    }
    if runs.is_empty() {
        return Err(Error::Empty("metadata.jsonl names none"));
    }
    Ok(runs
        .into_iter()
        .map(|((method, concept), lines)| shown(method, concept, lines))
        .collect())
}

impl Line {
    /// The method with what else tells one run from another.
    fn name(&self) -> String {
        let point = if self.point.is_empty() {
            String::new()
        } else {
            format!("@{}", self.point)
        };
        format!("{}{point} seed {}", self.method, self.train_seed)
    }
}

fn shown(method: String, concept: String, lines: BTreeMap<Place, Line>) -> Shown {
    let class = lines.values().next().map(|line| line.class.clone());
    let mut prompts: Vec<(u32, ShownPrompt)> = Vec::new();
    let mut prior = Vec::new();
    for line in lines.into_values() {
        let Some(prompt) = line.prompt_index else {
            prior.push(line.file_name);
            continue;
        };
        match prompts.last_mut() {
            Some((last, shown)) if *last == prompt => shown.images.push(line.file_name),
            _ => prompts.push((
                prompt,
                ShownPrompt {
                    prompt: line.pattern.unwrap_or_default(),
                    images: vec![line.file_name],
                },
            )),
        }
    }
    let references = References::Folder(concept.clone());
    Shown {
        method,
        concept,
        class,
        prompts: prompts.into_iter().map(|(_, shown)| shown).collect(),
        prior,
        references,
    }
}
