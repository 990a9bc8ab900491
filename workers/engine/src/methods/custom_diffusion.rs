//! Custom Diffusion (arXiv 2212.04488): keys and values of every text cross-attention, and a new word (vico-spec §9.2).

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::augment::Augmentation;
use super::learner::{Learner, Training, variables};
use super::prior::Prior;
use super::recipe::Recipe;
use super::samples::{Encode, Samples};
use super::training::{Parameter, ParameterGroup, TrainingState, Watch};
use super::words::{LearnedWord, embedding_name, one_token};
use crate::adapter::{Adapter, UNET};
use crate::base_model::BaseModel;
use crate::image::Rgb8;
use crate::models::unet::{UNet, UNetConfig};

/// The name of the method in adapters.
pub const METHOD: &str = "custom_diffusion";

/// How it looks at class images: `image_transforms` of diffusers `train_custom_diffusion.py` with `--hflip`.
pub const CLASS_AUGMENTATION: Augmentation = Augmentation::Crop { mirror: true };

/// What to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomDiffusionSpec {
    /// What every baseline has.
    pub recipe: Recipe,
    /// Learning rate of keys and values.
    pub lr_cross_attention: f64,
    /// Learning rate of the word.
    pub lr_embedding: f64,
    /// The word that stands for the concept, one token.
    pub placeholder: String,
    /// The word it starts from, one token; officially the rare `ktn`.
    pub initializer: String,
    /// The caption of every reference image, `photo of a * dog`.
    pub instance_prompt: String,
    /// Whether pictures are scaled at random.
    pub augmentation: bool,
}

/// Trains the word, keys and values on `references`.
///
/// # Errors
/// The request makes no sense, a word is no token, `resume` belongs to another training, a tensor operation fails, or a loss or
/// gradient is NaN or infinite.
pub fn train(
    base: &BaseModel,
    spec: &CustomDiffusionSpec,
    (references, prior): (&[Rgb8], Option<Prior<'_>>),
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    spec.recipe.check(&[
        ("lr_cross_attention", spec.lr_cross_attention),
        ("lr_embedding", spec.lr_embedding),
        ("prior weight", prior.map_or(0.0, |prior| prior.weight)),
    ])?;
    let learner = KeysValues::new(base, spec)?;
    let word = &learner.word.clone();
    let encode = || -> Encode<'_> {
        Box::new(move |caption: &str| Ok(word.expand(caption, &base.tokenizer.encode(caption)?)?))
    };
    let references = Samples::new(
        (base, &spec.recipe),
        ("reference images", references),
        vec![spec.instance_prompt.clone()],
        Augmentation::Scale {
            vary: spec.augmentation,
        },
        encode(),
    )?;
    let prior = prior.map(|prior| prior.samples((base, &spec.recipe), CLASS_AUGMENTATION, encode()));
    let training = Training {
        base,
        recipe: &spec.recipe,
        learner,
        references,
        prior: prior.transpose()?,
    };
    training.run(resume, watch)
}

/// The names of the trained U-Net tensors: `to_k` and `to_v` of the text attention at every site.
pub fn trained_names(config: &UNetConfig) -> Vec<String> {
    let sites = config.sites().into_iter();
    sites
        .flat_map(|site| {
            ["to_k", "to_v"].map(|name| format!("{}.transformer_blocks.0.attn2.{name}.weight", site.path))
        })
        .collect()
}

struct KeysValues<'a> {
    base: &'a BaseModel,
    spec: &'a CustomDiffusionSpec,
    unet: UNet,
    word: LearnedWord,
    embedding: Parameter,
    projections: Vec<Parameter>,
}

impl<'a> KeysValues<'a> {
    fn new(base: &'a BaseModel, spec: &'a CustomDiffusionSpec) -> crate::Result<Self> {
        let initializer = one_token(base, "initializer", &spec.initializer)?;
        let value = Var::from_tensor(&base.text.embedding(initializer)?.unsqueeze(0)?)?; // (1, width)
        let names = trained_names(base.unet.config()).into_iter();
        let start = names.map(|name| {
            let tensor = base.unet_tensors()[&name].clone();
            (name, tensor)
        });
        let (projections, tensors) = variables(UNET, start)?;
        let mut unet = base.unet_with(tensors, BTreeMap::new())?;
        unet.set_detach_first_token(true);
        Ok(Self {
            base,
            spec,
            unet,
            word: LearnedWord::of_table(base, &spec.placeholder, value.as_tensor())?,
            embedding: Parameter {
                name: embedding_name(&spec.placeholder),
                value,
            },
            projections,
        })
    }
}

impl Learner for KeysValues<'_> {
    fn identity(&self) -> String {
        let CustomDiffusionSpec {
            lr_cross_attention,
            lr_embedding,
            placeholder,
            initializer,
            instance_prompt,
            augmentation,
            ..
        } = self.spec;
        format!(
            "{METHOD} placeholder={placeholder:?} initializer={initializer:?} prompt={instance_prompt:?} \
             lr={lr_cross_attention}/{lr_embedding} augmentation={augmentation}"
        )
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        vec![
            ParameterGroup {
                name: "embedding",
                lr: self.spec.lr_embedding,
                parameters: vec![self.embedding.clone()],
            },
            ParameterGroup {
                name: "cross_attention",
                lr: self.spec.lr_cross_attention,
                parameters: self.projections.clone(),
            },
        ]
    }

    fn unet(&self) -> &UNet {
        &self.unet
    }

    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        let word = self.word.with_table(self.embedding.value.as_tensor())?;
        Ok(word.context(&self.base.text, ids)?)
    }

    fn adapter(&self, steps_done: usize, tensors: BTreeMap<String, Tensor>) -> crate::Result<Adapter> {
        let CustomDiffusionSpec {
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
