//! Custom Diffusion's evaluation folder: `samples/<stem>.png` and `prompts.json`, which maps stems to prompts.

use std::collections::BTreeMap;

use super::{Error, References, Shown, ShownPrompt, is_picture, stem};

/// The pictures of one concept. Prompts are taken as they stand (official `customconcept101/evaluate.py`); pictures of equal
/// prompts belong together.
///
/// # Errors
/// `prompts.json` is no map of texts, or a picture or a prompt is without the other.
pub fn custom_concept101(paths: &[String], prompts: &str) -> Result<Vec<Shown>, Error> {
    let named: BTreeMap<String, String> = serde_json::from_str(prompts).map_err(|error| Error::Document {
        document: "prompts.json",
        line: error.line(),
        reason: format!("{error}; expected a map from file names without ending to prompts"),
    })?;
    let mut images: BTreeMap<&str, &String> = BTreeMap::new();
    for path in paths.iter().filter(|path| is_picture(path)) {
        if let Some(name) = path.strip_prefix("samples/") {
            images.insert(stem(name), path);
        }
    }
    if images.is_empty() {
        return Err(Error::Empty("samples/ holds no .png, .jpg or .jpeg"));
    }
    if let Some(stem) = named.keys().find(|stem| !images.contains_key(stem.as_str())) {
        return Err(Error::NoPicture { stem: stem.clone() });
    }
    let mut by_prompt: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (stem, path) in images {
        let prompt = named.get(stem).ok_or_else(|| Error::NoPrompt {
            picture: path.clone(),
        })?;
        by_prompt.entry(prompt).or_default().push(path.clone());
    }
    let prompts = by_prompt.into_iter().map(|(prompt, images)| ShownPrompt {
        prompt: prompt.clone(),
        images,
    });
    Ok(vec![Shown {
        method: String::new(),
        concept: String::new(),
        class: None,
        prompts: prompts.collect(),
        prior: Vec::new(),
        references: References::Folder(String::new()),
    }])
}
