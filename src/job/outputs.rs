//! What a job makes.

use serde::{Deserialize, Serialize};

use super::output_names;

/// The outputs of a job, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outputs {
    /// So many pictures of a class.
    ClassImages(u32),
    /// An adapter.
    Adapter,
    /// Pictures of prompts.
    Images {
        /// Prompts.
        prompts: u32,
        /// Pictures of each.
        samples: u32,
        /// Pictures of the bare class word.
        prior: u32,
    },
    /// A table of scores.
    Scores,
}

impl Outputs {
    /// Their names; see [`output_names`].
    pub fn names(&self) -> Box<dyn Iterator<Item = String>> {
        match *self {
            Self::ClassImages(count) => Box::new((0..count as usize).map(output_names::class_image)),
            Self::Adapter => Box::new(std::iter::once(output_names::ADAPTER.to_owned())),
            Self::Images {
                prompts,
                samples,
                prior,
            } => {
                let of = move |prompt| {
                    (0..samples as usize).map(move |sample| output_names::image(prompt, sample))
                };
                let of_class = (0..prior as usize).map(output_names::prior_image);
                Box::new((0..prompts as usize).flat_map(of).chain(of_class))
            }
            Self::Scores => Box::new(std::iter::once(output_names::SCORES.to_owned())),
        }
    }
}
