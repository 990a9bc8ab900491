//! What a prompt must look like: words with one `{}` where the subject goes, no more than CLIP takes.

use super::tokens;

/// Why a prompt cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub message: String,
    pub help: String,
}

/// Checks one prompt.
pub(crate) fn check(prompt: &str) -> Result<(), Unusable> {
    check_slot(prompt)?;
    check_length("the prompt", prompt)
}

/// Checks that there is one place for the subject, however long the text is.
pub(super) fn check_slot(prompt: &str) -> Result<(), Unusable> {
    let unusable = |message: &str, help: &str| Unusable {
        message: message.to_owned(),
        help: help.to_owned(),
    };
    if prompt.trim().is_empty() {
        return Err(unusable(
            "the prompt is empty",
            "remove it, or write one such as \"a {} in the jungle\"",
        ));
    }
    if let Some(slot) = other_slot(prompt) {
        let fixed = prompt.replacen(slot, "{}", 1);
        return Err(unusable(
            &format!("`{slot}` is not how a subject is marked here"),
            &format!(
                "mark it by one `{{}}`; each method fills in its own words: \"{}\"",
                squeezed(&fixed)
            ),
        ));
    }
    let places: Vec<usize> = prompt.match_indices("{}").map(|(at, _)| at).collect();
    match places[..] {
        [] => Err(unusable(
            "the prompt has no `{}`",
            "put `{}` where the subject goes: \"a {} in the jungle\"",
        )),
        [at] => check_free(prompt, at),
        _ => Err(unusable(
            &format!("the prompt has {} `{{}}`", places.len()),
            "a prompt has one subject; name it once",
        )),
    }
}

/// Refuses a text that is surely too long: no image of it could be drawn, which would show only after the training. Near the
/// limit it depends on the model's vocabulary whether a text fits. `what` is what messages call it.
pub(super) fn check_length(what: &str, text: &str) -> Result<(), Unusable> {
    let (tokens, most) = (tokens::at_least(text), tokens::MOST);
    if tokens <= most {
        return Ok(());
    }
    Err(Unusable {
        message: format!("{what} has at least {tokens} CLIP tokens; at most {most} fit"),
        help: "shorten it: each word, each digit and each sign beside a word is at least one token"
            .to_owned(),
    })
}

/// Notations of other programs that people copy.
fn other_slot(prompt: &str) -> Option<&'static str> {
    const SLOTS: [&str; 7] = ["{0}", "{1}", "{token}", "{class}", "{subject}", "<new1>", "S*"];
    SLOTS.into_iter().find(|slot| prompt.contains(slot))
}

/// Without what is left of a second slot.
fn squeezed(prompt: &str) -> String {
    let mut text = prompt.to_owned();
    for slot in ["{0}", "{1}", "{token}", "{class}", "{subject}", "<new1>", "S*"] {
        text = text.replace(slot, "");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Signs may stand beside the slot, and an ending behind it (`{}s`): [`crate::spec::PromptSpec::fill`] takes care of the
/// tokenizer. A word that ends in the subject is none.
fn check_free(prompt: &str, at: usize) -> Result<(), Unusable> {
    match prompt[..at].chars().next_back() {
        Some(neighbour) if neighbour.is_alphanumeric() => Err(Unusable {
            message: "`{}` does not stand free".to_owned(),
            help: format!("put a blank between `{neighbour}` and `{{}}`"),
        }),
        _ => Ok(()),
    }
}

/// The prompts in a text file, with their line numbers from 1: one per line, without empty lines and `#` comments.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_free_slot_is_wanted() {
        assert_eq!(check("a {} in the jungle"), Ok(()));
        assert_eq!(check("{} swimming"), Ok(()));
        for prompt in ["a {}.", "{}, in oil", "a pair of {}es", "(\"{}\")"] {
            assert_eq!(check(prompt), Ok(()), "{prompt}");
        }
        let wrong = [
            "",
            " ",
            "a cat",
            "a {} and a {}",
            "a S* on the beach",
            "a {0} {1} in the snow",
            "a{} x",
        ];
        for prompt in wrong {
            assert!(check(prompt).is_err(), "{prompt:?} was accepted");
        }
    }

    #[test]
    fn a_prompt_has_room_for_75_tokens() {
        let prompt = |words: usize| format!("a {{}}{}", " red".repeat(words));
        assert_eq!(check(&prompt(73)), Ok(()));
        assert!(check(&prompt(74)).is_err(), "76 words were accepted");
    }

    #[test]
    fn the_help_rewrites_the_notation_of_others() {
        let unusable = check("a {0} {1} in the snow").err().map(|unusable| unusable.help);
        assert!(unusable.is_some_and(|help| help.ends_with("\"a {} in the snow\"")));
    }
}
