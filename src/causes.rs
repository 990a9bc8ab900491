//! Errors as text for people: what went wrong, and why.

use std::error::Error;

/// An error and what lies beneath it, in one line; a cause that its wrapper repeats is said once.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Layer {
        message: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(messages: &[&'static str]) -> Option<Box<Layer>> {
        let (&message, beneath) = messages.split_first()?;
        let source = layers(beneath);
        Some(Box::new(Layer { message, source }))
    }

    fn told(messages: &[&'static str]) -> String {
        layers(messages).map_or_else(String::new, |error| with_causes(&*error))
    }

    #[test]
    fn every_cause_is_told_once() {
        assert_eq!(told(&["it broke"]), "it broke");
        assert_eq!(
            told(&["it broke", "no room", "disk full"]),
            "it broke: no room: disk full"
        );
        let repeated = ["it broke (no room) today", "no room", "disk full"];
        assert_eq!(told(&repeated), "it broke (no room) today: disk full");
    }
}
