//! DreamBench's `prompts_and_classes.txt`: which folder is of which class.

use std::collections::BTreeMap;

use super::{Listed, Lookup};
use crate::manifest::{ConceptKind, Finding, Kind, Path};
use crate::plan::ResolvedFile;

/// The head of the list, above the first blank line.
const HEAD: &str = "subject_name,class";

impl Lookup<'_> {
    /// What the list says, by folder. `None` after telling what is wrong.
    pub(super) fn dreambench(
        &mut self,
        (url, text): (&str, &str),
        folders: &BTreeMap<String, Vec<ResolvedFile>>,
    ) -> Option<BTreeMap<String, Listed>> {
        let path = Path::of(&["concepts_from", "uri"]);
        let classes = classes(text);
        let unlisted = folders.keys().filter(|name| !classes.contains_key(*name));
        let absent = classes.keys().filter(|name| !folders.contains_key(*name));
        let wrong: Vec<String> = unlisted
            .map(|name| format!("{url} has no class for the folder `{name}`"))
            .chain(absent.map(|name| {
                format!("{url} has a class for `{name}`, but there is no such folder with images")
            }))
            .collect();
        for message in &wrong {
            let help = "make the list and the folders agree, or say `layout: folders`";
            self.report(Finding::new(&path, Kind::BadInput, message).help(help));
        }
        let listed = |class: String| Listed {
            kind: Some(kind_of(&class)),
            class,
            prompts: None,
        };
        let all = classes.into_iter().map(|(folder, class)| (folder, listed(class)));
        wrong.is_empty().then(|| all.collect())
    }
}

/// The lines below the head, up to the first one that is blank.
fn classes(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim);
    let list = lines
        .skip_while(|line| *line != HEAD)
        .skip(1)
        .take_while(|line| !line.is_empty());
    list.filter_map(|line| line.split_once(','))
        .map(|(folder, class)| (folder.trim().to_owned(), class.trim().to_owned()))
        .collect()
}

/// Of DreamBench's 15 classes, two are alive.
fn kind_of(class: &str) -> ConceptKind {
    match class {
        "cat" | "dog" => ConceptKind::Live,
        _ => ConceptKind::Object,
    }
}
