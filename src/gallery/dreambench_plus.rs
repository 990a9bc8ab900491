//! DreamBench++'s output folder: `tgt_image/<subject>/<i>_<j>.jpg`, and under the same path and name its reference in
//! `src_image/` and its caption in `text/`.

use std::collections::BTreeMap;

use super::{Error, References, Shown, ShownPrompt, is_picture, stem};

/// One entry per subject folder. `texts` are the files below `text/`, by path. Captions are whole sentences and taken as they
/// stand; pictures of equal captions belong together (official `generate_images.py` and `metrics/clip_score.py`).
///
/// # Errors
/// A picture has no caption or no reference, or there is none.
pub fn dreambench_plus(paths: &[String], texts: &BTreeMap<String, String>) -> Result<Vec<Shown>, Error> {
    let sources: BTreeMap<&str, &String> = below("src_image/", paths).collect();
    let captions: BTreeMap<&str, &str> = texts
        .iter()
        .filter_map(|(path, text)| Some((stem(path.strip_prefix("text/")?), text.trim())))
        .collect();
    let mut subjects: BTreeMap<&str, Subject> = BTreeMap::new();
    for (name, path) in below("tgt_image/", paths) {
        let alone = |missing| Error::Alone {
            picture: path.clone(),
            missing,
        };
        let source = sources
            .get(name)
            .ok_or_else(|| alone("reference in src_image/"))?;
        let caption = captions.get(name).ok_or_else(|| alone("caption in text/"))?;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        subjects
            .entry(folder)
            .or_default()
            .add(name, path, (source, caption));
    }
    if subjects.is_empty() {
        return Err(Error::Empty("tgt_image/ holds no .png, .jpg or .jpeg"));
    }
    Ok(subjects
        .into_iter()
        .map(|(name, subject)| subject.shown(name))
        .collect())
}

/// Pictures by their path below a folder, without ending.
fn below<'a>(folder: &'static str, paths: &'a [String]) -> impl Iterator<Item = (&'a str, &'a String)> {
    let pictures = paths.iter().filter(|path| is_picture(path));
    pictures.filter_map(move |path| Some((stem(path.strip_prefix(folder)?), path)))
}

/// Prompt and sample, where the name says them, and the name.
type Place<'a> = (Option<(u64, u64)>, &'a str);

/// A subject's pictures with their captions, and its references.
#[derive(Default)]
struct Subject<'a> {
    pictures: BTreeMap<Place<'a>, (&'a String, &'a str)>,
    sources: Vec<String>,
}

impl<'a> Subject<'a> {
    fn add(&mut self, name: &'a str, path: &'a String, (source, caption): (&String, &'a str)) {
        self.pictures.insert((number(name), name), (path, caption));
        self.sources.push(source.clone());
    }

    fn shown(self, name: &str) -> Shown {
        let mut prompts: Vec<ShownPrompt> = Vec::new();
        for (path, caption) in self.pictures.into_values() {
            match prompts.iter_mut().find(|shown| shown.prompt == caption) {
                Some(shown) => shown.images.push(path.clone()),
                None => prompts.push(ShownPrompt {
                    prompt: caption.to_owned(),
                    images: vec![path.clone()],
                }),
            }
        }
        Shown {
            method: String::new(),
            concept: name.to_owned(),
            class: None,
            prompts,
            prior: Vec::new(),
            references: References::Copies(self.sources),
        }
    }
}

/// Prompt and sample of `live/00/3_0`.
fn number(name: &str) -> Option<(u64, u64)> {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let (prompt, sample) = name.split_once('_')?;
    Some((prompt.parse().ok()?, sample.parse().ok()?))
}
