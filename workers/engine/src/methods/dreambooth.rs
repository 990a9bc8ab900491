//! DreamBooth (arXiv 2208.12242): the whole U-Net, and the text encoder if asked, for a rare word (vico-spec §9.2).
//!
//! An adapter holds the difference to the base model, tensor by tensor: trained = base + difference, up to the rounding of
//! one f32 addition. Trained layers keep their activations; checkpointing is not possible here.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::augment::Augmentation;
use super::learner::{Learner, Training, variables};
use super::prior::Prior;
use super::recipe::Recipe;
use super::samples::{Encode, Samples};
use super::training::{Parameter, ParameterGroup, TrainingState, Watch};
use crate::adapter::{Adapter, UNET};
use crate::base_model::BaseModel;
use crate::image::Rgb8;
use crate::methods::sampling::encode_prompt;
use crate::models::clip_text::ClipText;
use crate::models::unet::UNet;

/// The name of the method in adapters.
pub const METHOD: &str = "dreambooth";
/// What the names of text encoder tensors start with in adapters.
pub(crate) const TEXT: &str = "text_encoder.";
/// What the base model's matrices were kept in, if that was asked for: the differences are to those numbers.
pub(crate) const PRECISION: &str = "vico.precision";

/// How DreamBooth and LoRA look at reference images and class images: `image_transforms` of diffusers
/// `train_dreambooth.py`, which mirror nothing.
pub const AUGMENTATION: Augmentation = Augmentation::Crop { mirror: false };

/// What to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct DreamBoothSpec {
    /// What every baseline has.
    pub recipe: Recipe,
    /// Learning rate of the U-Net.
    pub lr_unet: f64,
    /// Learning rate of the text encoder; it stays frozen if `None`.
    pub lr_text_encoder: Option<f64>,
    /// The caption of every reference image, `a photo of sks dog`.
    pub instance_prompt: String,
}

/// Trains the networks on `references`.
///
/// # Errors
/// The request makes no sense, `resume` belongs to another training, a tensor operation fails, or a loss or gradient is NaN or
/// infinite.
pub fn train(
    base: &BaseModel,
    spec: &DreamBoothSpec,
    (references, prior): (&[Rgb8], Option<Prior<'_>>),
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    spec.recipe.check(&[
        ("lr_unet", spec.lr_unet),
        ("lr_text_encoder", spec.lr_text_encoder.unwrap_or_default()),
        ("prior weight", prior.map_or(0.0, |prior| prior.weight)),
    ])?;
    let learner = Networks::new(base, spec)?;
    train_on_prompt(
        (base, &spec.recipe),
        learner,
        (&spec.instance_prompt, references, prior),
        (resume, watch),
    )
}

/// References, their one caption, and class images.
pub(super) type Material<'a> = (&'a str, &'a [Rgb8], Option<Prior<'a>>);

/// Trains on photos that all have the same caption, cropped at random: DreamBooth and LoRA.
pub(super) fn train_on_prompt<L: Learner>(
    (base, recipe): (&BaseModel, &Recipe),
    learner: L,
    (prompt, references, prior): Material<'_>,
    (resume, watch): (Option<TrainingState>, &mut dyn Watch),
) -> crate::Result<Adapter> {
    let encode =
        || -> Encode<'_> { Box::new(move |caption| Ok(encode_prompt(&base.tokenizer, caption)?.ids)) };
    let references = Samples::new(
        (base, recipe),
        ("reference images", references),
        vec![prompt.to_owned()],
        AUGMENTATION,
        encode(),
    )?;
    let prior = prior.map(|prior| prior.samples((base, recipe), AUGMENTATION, encode()));
    let training = Training {
        base,
        recipe,
        learner,
        references,
        prior: prior.transpose()?,
    };
    training.run(resume, watch)
}

struct Networks<'a> {
    base: &'a BaseModel,
    spec: &'a DreamBoothSpec,
    unet: UNet,
    /// The text encoder in training, if it is.
    text: Option<ClipText>,
    unet_parameters: Vec<Parameter>,
    text_parameters: Vec<Parameter>,
}

impl<'a> Networks<'a> {
    fn new(base: &'a BaseModel, spec: &'a DreamBoothSpec) -> crate::Result<Self> {
        let (unet_parameters, tensors) = variables(UNET, base.unet_tensors().clone())?;
        let unet = base.unet_with(tensors, BTreeMap::new())?;
        let (mut text, mut text_parameters) = (None, Vec::new());
        if spec.lr_text_encoder.is_some() {
            let (parameters, tensors) = variables(TEXT, base.text_tensors().clone())?;
            text = Some(base.text_with(tensors)?);
            text_parameters = parameters;
        }
        Ok(Self {
            base,
            spec,
            unet,
            text,
            unet_parameters,
            text_parameters,
        })
    }

    /// The base model's tensor of a trained one.
    fn base_tensor(&self, name: &str) -> &Tensor {
        match (name.strip_prefix(UNET), name.strip_prefix(TEXT)) {
            (Some(name), _) => &self.base.unet_tensors()[name],
            (None, Some(name)) => &self.base.text_tensors()[name],
            (None, None) => unreachable!("all parameters have one of the two prefixes"),
        }
    }
}

impl Learner for Networks<'_> {
    fn identity(&self) -> String {
        let DreamBoothSpec {
            lr_unet,
            lr_text_encoder,
            instance_prompt,
            ..
        } = self.spec;
        format!("{METHOD} prompt={instance_prompt:?} lr={lr_unet}/{lr_text_encoder:?}")
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        let mut groups = vec![ParameterGroup {
            name: "unet",
            lr: self.spec.lr_unet,
            parameters: self.unet_parameters.clone(),
        }];
        if let Some(lr) = self.spec.lr_text_encoder {
            groups.push(ParameterGroup {
                name: "text_encoder",
                lr,
                parameters: self.text_parameters.clone(),
            });
        }
        groups
    }

    fn unet(&self) -> &UNet {
        &self.unet
    }

    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        Ok(self.text.as_ref().unwrap_or(&self.base.text).forward(ids, &[])?)
    }

    fn adapter(&self, steps_done: usize, tensors: BTreeMap<String, Tensor>) -> crate::Result<Adapter> {
        let difference = |(name, trained): (String, Tensor)| {
            let difference = (trained - self.base_tensor(&name).to_dtype(candle_core::DType::F32)?)?;
            Ok((name, difference))
        };
        let tensors = tensors
            .into_iter()
            .map(difference)
            .collect::<crate::Result<_>>()?;
        let adapter = Adapter::new(METHOD, "", "", steps_done, tensors);
        let adapter = adapter.with("vico.instance_prompt", &self.spec.instance_prompt);
        Ok(match self.base.precision() {
            Some(precision) => adapter.with(PRECISION, precision.name()),
            None => adapter,
        })
    }
}
