//! What may fill the `{}` of a prompt.

use crate::manifest::error::Kind;
use crate::manifest::finding::Finding;
use crate::manifest::path::Path;
use crate::manifest::prompts;
use crate::spec::MethodSpec;

/// A method that learns a new word must have it in its subject; for the others it is as good as any rare word.
pub(super) fn check(spec: &MethodSpec, path: &Path, found: &mut Vec<Finding>) {
    let subject = spec.subject();
    let learns_a_word = match spec {
        MethodSpec::Vico(_) | MethodSpec::TextualInversion(_) | MethodSpec::CustomDiffusion(_) => true,
        MethodSpec::Dreambooth(_) | MethodSpec::Lora(_) | MethodSpec::BaseModel(_) => false,
    };
    let (fills, help) = if let MethodSpec::BaseModel(_) = spec {
        let help = "write words that the base model knows: \"{class}\"";
        (is_plain(subject), help)
    } else if learns_a_word || subject.contains("{token}") {
        let help =
            "write `{token}` once, with blanks around it, and `{class}` if you like: \"{token} {class}\"";
        (has_one_token(subject), help)
    } else {
        (
            is_plain(subject),
            "write a rare word and the class word: \"sks {class}\"",
        )
    };
    if !fills {
        let message = format!("`{subject}` cannot fill the `{{}}` of a prompt");
        found.push(Finding::new(path, Kind::BadValue, message).help(help));
    }
}

/// `{token}` must be there once and stand free; `{class}` may be.
fn has_one_token(subject: &str) -> bool {
    let as_prompt = subject.replace("{class}", "thing").replace("{token}", "{}");
    !subject.contains("{}") && prompts::check_slot(&as_prompt).is_ok()
}

fn is_plain(subject: &str) -> bool {
    let words = subject.replace("{class}", "thing");
    !words.trim().is_empty() && !words.contains(['{', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_must_stand_free_once_among_as_many_words_as_you_like() {
        let long = format!("{{token}}{}", " red".repeat(80));
        for subject in ["{token}", "{token} {class}", &long] {
            assert!(has_one_token(subject), "{subject}");
        }
        for subject in ["", "{class}", "{token} {token}", "x{token}", "{} {token}"] {
            assert!(!has_one_token(subject), "{subject}");
        }
    }
}
