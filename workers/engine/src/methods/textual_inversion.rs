//! Textual Inversion (arXiv 2208.01618): one or more vectors in the place of a word, and nothing else (vico-spec §9.2).
//!
//! The new vectors are variables of their own instead of rows of the token table, so the other rows need not be put back
//! after every step.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::augment::Augmentation;
use super::learner::{Learner, Training};
use super::recipe::Recipe;
use super::samples::Samples;
use super::templates;
use super::training::{Parameter, ParameterGroup, TrainingState, Watch};
use super::words::{LearnedWord, embedding_name, one_token};
use crate::adapter::Adapter;
use crate::base_model::BaseModel;
use crate::image::Rgb8;
use crate::models::unet::{Checkpointing, UNet};

/// The name of the method in adapters.
pub const METHOD: &str = "textual_inversion";

/// What to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct TextualInversionSpec {
    /// What every baseline has.
    pub recipe: Recipe,
    /// Learning rate of the vectors.
    pub lr_embedding: f64,
    /// How many vectors the word has.
    pub vectors: usize,
    /// The word that stands for the concept, one token.
    pub placeholder: String,
    /// The word its vectors start from, one token.
    pub initializer: String,
    /// What is computed a second time in the backward pass.
    pub checkpointing: Checkpointing,
}

/// Trains the word's vectors on `references`.
///
/// # Errors
/// The request makes no sense, a word is no token, `resume` belongs to another training, a tensor operation fails, or a loss or
/// gradient is NaN or infinite.
pub fn train(
    base: &BaseModel,
    spec: &TextualInversionSpec,
    references: &[Rgb8],
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    spec.recipe.check(&[("lr_embedding", spec.lr_embedding)])?;
    let learner = Vectors::new(base, spec)?;
    let word = learner.word.clone();
    let encode = move |caption: &str| Ok(word.expand(caption, &base.tokenizer.encode(caption)?)?);
    let references = Samples::new(
        (base, &spec.recipe),
        ("reference images", references),
        captions(&spec.placeholder),
        Augmentation::Squash,
        Box::new(encode),
    )?;
    let training = Training {
        base,
        recipe: &spec.recipe,
        learner,
        references,
        prior: None,
    };
    training.run(resume, watch)
}

/// What stands under any photo, as in diffusers' `textual_inversion.py`.
fn captions(placeholder: &str) -> Vec<String> {
    let numbers = 0..templates::DIFFUSERS_COUNT;
    numbers
        .map(|number| templates::caption(number, placeholder))
        .collect()
}

/// The word in training.
struct Vectors<'a> {
    base: &'a BaseModel,
    spec: &'a TextualInversionSpec,
    unet: UNet,
    word: LearnedWord,
    /// All vectors as one variable, (n, width).
    parameter: Parameter,
}

impl<'a> Vectors<'a> {
    fn new(base: &'a BaseModel, spec: &'a TextualInversionSpec) -> crate::Result<Self> {
        if spec.vectors == 0 {
            return Err(super::Error::Setting {
                name: "vectors",
                expected: "at least 1".to_owned(),
                got: "0".to_owned(),
            }
            .into());
        }
        let initializer = one_token(base, "initializer", &spec.initializer)?;
        let row = base.text.embedding(initializer)?.unsqueeze(0)?; // (1, width)
        let value = Var::from_tensor(&row.repeat((spec.vectors, 1))?)?;
        let mut unet = base.unet.clone();
        unet.set_checkpointing(spec.checkpointing);
        Ok(Self {
            base,
            spec,
            unet,
            word: LearnedWord::of_table(base, &spec.placeholder, value.as_tensor())?,
            parameter: Parameter {
                name: embedding_name(&spec.placeholder),
                value,
            },
        })
    }
}

impl Learner for Vectors<'_> {
    fn identity(&self) -> String {
        let TextualInversionSpec {
            lr_embedding,
            vectors,
            placeholder,
            initializer,
            ..
        } = self.spec;
        format!(
            "{METHOD} placeholder={placeholder:?} initializer={initializer:?} vectors={vectors} lr={lr_embedding}"
        )
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup {
            name: "embedding",
            lr: self.spec.lr_embedding,
            parameters: vec![self.parameter.clone()],
        }]
    }

    fn unet(&self) -> &UNet {
        &self.unet
    }

    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        let word = self.word.with_table(self.parameter.value.as_tensor())?;
        Ok(word.context(&self.base.text, ids)?)
    }

    fn adapter(&self, steps_done: usize, tensors: BTreeMap<String, Tensor>) -> crate::Result<Adapter> {
        let TextualInversionSpec {
            placeholder,
            initializer,
            ..
        } = self.spec;
        Ok(Adapter::new(
            METHOD,
            placeholder,
            initializer,
            steps_done,
            tensors,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn captions_are_the_27_of_diffusers() {
        let captions = captions("*");
        assert_eq!(captions.iter().collect::<BTreeSet<_>>().len(), 27);
        assert_eq!(captions.len(), 27);
        assert_eq!(
            (captions[0].as_str(), captions[26].as_str()),
            ("a photo of a *", "a photo of a small *")
        );
        let of_others = |caption: &&String| caption.contains("illustration") || caption.contains("depiction");
        assert_eq!(captions.iter().find(of_others), None);
    }
}
