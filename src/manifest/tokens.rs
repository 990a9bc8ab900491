//! How many CLIP tokens a text has at least. The vocabulary comes with a model, but every model cuts a text into the same
//! pieces first, and a piece is at least one token. This takes it that a model adds no tokens to CLIP's begin and end of text,
//! as no published one does: a `tokenizer.json` could add one that stands for several pieces at once.

/// Tokens that CLIP's text encoder takes, without begin and end of text. The engine refuses to draw a longer text.
pub(super) const MOST: usize = 75;

/// A number of tokens that `text` has under every such vocabulary, if not more. A `{}` stands for at least one.
pub(super) fn at_least(text: &str) -> usize {
    text.split_whitespace().map(pieces).sum()
}

/// CLIP cuts `it's 2023!` into `it` `'s` `2` `0` `2` `3` `!`: runs of letters, single digits, runs of signs, and endings
/// with their apostrophe. Without its apostrophe an ending is letters too, so apostrophes are passed over, which can only
/// lower the count.
fn pieces(word: &str) -> usize {
    // Beyond ASCII, characters may be joined before the text is cut. `<|endoftext|>` is one token and `<new1>` may be.
    let is_cut_as_it_stands = word
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '{' | '}'));
    if !is_cut_as_it_stands {
        return 1;
    }
    let mut pieces = 0;
    let mut before = None;
    for c in word.chars().filter(|c| *c != '\'') {
        let glyph = Glyph::of(c);
        if glyph == Glyph::Digit || before != Some(glyph) {
            pieces += 1;
        }
        before = Some(glyph);
    }
    pieces.max(1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Glyph {
    Letter,
    Digit,
    Sign,
}

impl Glyph {
    fn of(c: char) -> Self {
        match c {
            c if c.is_ascii_alphabetic() => Self::Letter,
            c if c.is_ascii_digit() => Self::Digit,
            _ => Self::Sign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_digits_count() {
        for (text, tokens) in [
            ("", 0),
            ("a {} in the snow", 5),
            ("a {}, photo-realistic, 8k", 8),
            ("\"1920s\" ...", 8),
        ] {
            assert_eq!(at_least(text), tokens, "{text}");
        }
    }

    #[test]
    fn what_may_be_a_single_token_counts_once() {
        for word in [
            "don't",
            "'s",
            "''",
            "naïve",
            "e\u{301}",
            "日本",
            "<|endoftext|>",
            "<new1>",
            "({}),",
        ] {
            assert_eq!(at_least(word), 1, "{word}");
        }
    }
}
