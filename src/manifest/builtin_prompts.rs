//! The prompt lists of the field, pinned by digest so that a result means the same next year.

use crate::spec::PromptSpec;

/// Name and text of each list.
const LISTS: [(&str, &str); 4] = [
    (
        "dreambench/live",
        include_str!("../../manifests/prompts/dreambench/live.txt"),
    ),
    (
        "dreambench/object",
        include_str!("../../manifests/prompts/dreambench/object.txt"),
    ),
    ("vico/live", include_str!("../../manifests/prompts/vico/live.txt")),
    (
        "vico/object",
        include_str!("../../manifests/prompts/vico/object.txt"),
    ),
];

/// All names.
pub(crate) fn names() -> [&'static str; 4] {
    LISTS.map(|(name, _)| name)
}

/// The prompts of a built-in list such as `vico/live`, each with its `{}`.
pub fn find(name: &str) -> Option<Vec<PromptSpec>> {
    let (_, text) = LISTS.into_iter().find(|(known, _)| *known == name)?;
    Some(
        super::prompts::lines(text)
            .map(|(_, prompt)| PromptSpec(prompt.to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::manifest::prompts;

    /// A list that changes changes results. Give a changed list a new name.
    #[test]
    fn the_lists_are_pinned() {
        let pinned: Vec<(&str, usize, String)> = names()
            .into_iter()
            .map(|name| {
                let prompts = find(name).unwrap_or_default();
                let digest = Digest::of_json(&prompts).map(|digest| digest.short());
                (name, prompts.len(), digest.unwrap_or_default())
            })
            .collect();
        insta::assert_debug_snapshot!(pinned);
    }

    #[test]
    fn every_prompt_can_be_used() {
        for name in names() {
            for prompt in find(name).unwrap_or_default() {
                assert_eq!(prompts::check(&prompt.0), Ok(()), "{name}: {}", prompt.0);
            }
        }
    }

    /// The original's shape: 24 of DreamBooth's prompts and 7 new ones.
    #[test]
    fn vico_keeps_all_but_one_of_dreambooths_prompts() {
        for kind in ["live", "object"] {
            let theirs = find(&format!("dreambench/{kind}")).unwrap_or_default();
            let ours = find(&format!("vico/{kind}")).unwrap_or_default();
            let dropped: Vec<_> = theirs.iter().filter(|prompt| !ours.contains(prompt)).collect();
            assert_eq!(dropped, [&PromptSpec("a cube shaped {}".to_owned())]);
            assert_eq!((theirs.len(), ours.len()), (25, 31));
        }
    }
}
