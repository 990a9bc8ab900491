//! Prompts and the sampler's settings.

use serde::{Deserialize, Serialize};

/// A prompt with its subject slot, as the prompt set has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptSpec(pub String);

impl PromptSpec {
    /// The prompt with the subject of a method in place of `{}`.
    ///
    /// CLIP's tokenizer takes a run of signs for one word, and a run of letters: in `a photo of *.` there is no `*`. A blank
    /// keeps a placeholder from its neighbours. A class word stays joined, `{}es` is `dishes`.
    pub fn fill(&self, subject: &str, placeholder: &str) -> String {
        let Some((before, after)) = self.0.split_once("{}") else {
            return self.0.clone();
        };
        let parted = |word: Option<&str>, edge: Option<char>, neighbour: Option<char>| match (edge, neighbour)
        {
            (Some(edge), Some(neighbour)) if join(edge, neighbour, word == Some(placeholder)) => " ",
            _ => "",
        };
        let mut words = subject.split_whitespace();
        let (first, last) = (words.clone().next(), words.next_back());
        let left = parted(first, subject.chars().next(), before.chars().next_back());
        let right = parted(last, subject.chars().next_back(), after.chars().next());
        format!("{before}{left}{subject}{right}{after}")
    }
}

/// Whether the tokenizer would make one word of a subject's last character and its neighbour, and should not.
fn join(edge: char, neighbour: char, is_placeholder: bool) -> bool {
    let is_sign = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
    let letters = edge.is_alphanumeric() && neighbour.is_alphanumeric();
    (is_sign(edge) && is_sign(neighbour)) || (letters && is_placeholder)
}

/// What is drawn for [`SamplingSpec::prior_images`], with the class word filled in: the base model's words for any
/// thing of the class, without the concept.
pub fn prior_prompt(class: &str) -> String {
    format!("a photo of a {class}")
}

/// A field that older documents lack keeps their digest where it says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How images are drawn (DDIM).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingSpec {
    /// Denoise steps.
    pub steps: u32,
    /// Stochasticity of DDIM; 0 is deterministic.
    pub eta: f64,
    /// Classifier-free guidance scale.
    pub guidance: f64,
    /// Image side in pixels.
    pub size: u32,
    /// Images drawn per prompt.
    pub images_per_prompt: u32,
    /// The unconditional half's text.
    pub negative_prompt: String,
    /// Images of the bare class word that the personalised model draws besides; on them it is measured what training
    /// has done to the class (DreamBooth's PRES). 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prior_images: u32,
    /// Base of every starting noise; the same for every method, so that images can be compared in pairs.
    pub seed: u64,
}

impl SamplingSpec {
    /// Images over all of this many prompts, and of the class word.
    pub fn images_of(&self, prompts: usize) -> u64 {
        prompts as u64 * u64::from(self.images_per_prompt) + u64::from(self.prior_images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_kept_from_its_neighbours() {
        let filled = |prompt: &str, subject: &str, placeholder: &str| {
            PromptSpec(prompt.to_owned()).fill(subject, placeholder)
        };
        assert_eq!(filled("a {} in the snow", "*", "*"), "a * in the snow");
        assert_eq!(filled("photo of a {}.", "*", "*"), "photo of a * .");
        assert_eq!(filled("a \"{}\", red", "*", "*"), "a \" * \", red");
        assert_eq!(filled("{}'s hat", "*", "*"), "* 's hat");
        assert_eq!(filled("a pair of {}es", "*", "*"), "a pair of *es");
        assert_eq!(filled("a pair of {}es", "sks", "sks"), "a pair of sks es");
        // Class words are words like any other.
        assert_eq!(filled("a pair of {}es", "* dish", "*"), "a pair of * dishes");
        assert_eq!(filled("photo of a {}.", "sks dog", "*"), "photo of a sks dog.");
    }
}
