//! Each method's training: the settings of a job as the engine takes them.
//!
//! Only micro-batches and checkpointing depend on the machine, and neither changes what is computed.

use vico::spec::{
    CustomDiffusionSettings, DreamboothSettings, LoraSettings, MethodSpec, TextualInversionSettings,
    TrainInputs, VicoSettings,
};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::image::Rgb8;
use vico_engine::methods::custom_diffusion::{self, CustomDiffusionSpec};
use vico_engine::methods::dreambooth::{self, DreamBoothSpec};
use vico_engine::methods::lora::{self, LoraSpec};
use vico_engine::methods::textual_inversion::{self, TextualInversionSpec};
use vico_engine::methods::training::{TrainingState, Watch};
use vico_engine::methods::vico::VicoSpec;
use vico_engine::methods::{self, Prior, Recipe};
use vico_engine::models::unet::Checkpointing;

use super::Memory;

/// What a training is given besides the state to continue from.
pub(super) struct Lesson<'a> {
    pub inputs: &'a TrainInputs,
    pub memory: Memory,
    pub references: &'a [Rgb8],
    pub class_images: &'a [Rgb8],
}

impl Lesson<'_> {
    /// Trains, whatever the method is.
    pub(super) fn learn(
        &self,
        base: &BaseModel,
        resume: Option<TrainingState>,
        watch: &mut dyn Watch,
    ) -> vico_engine::Result<Adapter> {
        let class_prompt = self.class_prompt();
        let prior = self.inputs.method.prior().map(|prior| Prior {
            images: self.class_images,
            prompt: &class_prompt,
            weight: prior.weight,
        });
        let references = self.references;
        let pictures = (references, prior);
        match &self.inputs.method {
            MethodSpec::Vico(settings) => {
                methods::vico::train(base, &self.vico(settings), references, resume, watch)
            }
            MethodSpec::TextualInversion(settings) => {
                textual_inversion::train(base, &self.textual_inversion(settings), references, resume, watch)
            }
            MethodSpec::Dreambooth(settings) => {
                dreambooth::train(base, &self.dreambooth(settings), pictures, resume, watch)
            }
            MethodSpec::CustomDiffusion(settings) => {
                custom_diffusion::train(base, &self.custom_diffusion(settings), pictures, resume, watch)
            }
            MethodSpec::Lora(settings) => lora::train(base, &self.lora(settings), pictures, resume, watch),
            MethodSpec::BaseModel(_) => Err(methods::Error::Setting {
                name: "the method of a train job",
                expected: "one that learns".to_owned(),
                got: self.inputs.method.name().to_owned(),
            }
            .into()),
        }
    }

    fn class_prompt(&self) -> String {
        let prior = self.inputs.method.prior();
        prior
            .map(|prior| prior.prompt_of(&self.inputs.concept.class))
            .unwrap_or_default()
    }

    fn vico(&self, settings: &VicoSettings) -> VicoSpec {
        let inputs = self.inputs;
        VicoSpec {
            steps: settings.steps as usize,
            batch: settings.batch as usize,
            micro_batch: self.micro_batch(settings.batch),
            lr_embedding: settings.lr_embedding,
            lr_image_attention: settings.lr_image_attention,
            weight_decay: settings.weight_decay,
            reg_weight: settings.reg_weight,
            use_mask: settings.mask,
            placeholder: inputs.concept.placeholder.clone(),
            initializer: inputs.concept.initializer.clone(),
            image_size: inputs.size as usize,
            seed: inputs.seed,
            concept: inputs.concept.id.to_string(),
            checkpointing: self.checkpointing(settings.batch),
        }
    }

    fn textual_inversion(&self, settings: &TextualInversionSettings) -> TextualInversionSpec {
        let concept = &self.inputs.concept;
        TextualInversionSpec {
            recipe: self.recipe((settings.steps, settings.batch), settings.weight_decay, None),
            lr_embedding: settings.lr_embedding,
            vectors: settings.vectors as usize,
            placeholder: concept.placeholder.clone(),
            initializer: concept.initializer.clone(),
            checkpointing: self.checkpointing(settings.batch),
        }
    }

    fn dreambooth(&self, settings: &DreamboothSettings) -> DreamBoothSpec {
        let clip = Some(settings.max_grad_norm);
        DreamBoothSpec {
            recipe: self.recipe((settings.steps, settings.batch), settings.weight_decay, clip),
            lr_unet: settings.lr_unet,
            lr_text_encoder: settings.lr_text_encoder,
            instance_prompt: self.captioned("a photo of"),
        }
    }

    fn custom_diffusion(&self, settings: &CustomDiffusionSettings) -> CustomDiffusionSpec {
        let concept = &self.inputs.concept;
        let clip = Some(settings.max_grad_norm);
        CustomDiffusionSpec {
            recipe: self.recipe((settings.steps, settings.batch), settings.weight_decay, clip),
            lr_cross_attention: settings.lr_cross_attention,
            lr_embedding: settings.lr_embedding,
            placeholder: concept.placeholder.clone(),
            initializer: concept.initializer.clone(),
            instance_prompt: self.captioned("photo of a"),
            augmentation: settings.augmentation,
        }
    }

    fn lora(&self, settings: &LoraSettings) -> LoraSpec {
        let clip = Some(settings.max_grad_norm);
        LoraSpec {
            recipe: self.recipe((settings.steps, settings.batch), settings.weight_decay, clip),
            lr: settings.lr_lora,
            rank: settings.rank as usize,
            alpha: settings.alpha,
            targets: settings
                .targets
                .iter()
                .map(|target| target.as_str().to_owned())
                .collect(),
            instance_prompt: self.captioned("a photo of"),
        }
    }

    fn recipe(&self, (steps, batch): (u32, u32), weight_decay: f64, max_grad_norm: Option<f64>) -> Recipe {
        Recipe {
            steps: steps as usize,
            batch: batch as usize,
            micro_batch: self.micro_batch(batch),
            weight_decay,
            max_grad_norm,
            image_size: self.inputs.size as usize,
            seed: self.inputs.seed,
            concept: self.inputs.concept.id.to_string(),
        }
    }

    /// The caption of every photo, in the words of each method's official script: DreamBooth's `a photo of sks dog`,
    /// Custom Diffusion's `photo of a <new1> dog`.
    fn captioned(&self, words: &str) -> String {
        format!("{words} {}", self.inputs.method.subject_of(&self.inputs.concept))
    }

    fn micro_batch(&self, batch: u32) -> usize {
        if self.memory.on_cpu {
            return 1;
        }
        self.halved(batch).max(1) as usize
    }

    /// Once the batch cannot be halved any more, time is the only thing left to pay with. A machine without a GPU is taken to
    /// have memory for all but the feed-forwards of 512 pixels; for larger pictures it saves from the start, since it cannot
    /// try: without memory the process ends.
    fn checkpointing(&self, batch: u32) -> Checkpointing {
        let is_large = self.inputs.size > 512;
        match (self.halved(batch), self.memory.on_cpu) {
            (0, _) => Checkpointing::All,
            (_, true) if is_large => Checkpointing::All,
            (_, true) => Checkpointing::FeedForwards,
            (_, false) => Checkpointing::Off,
        }
    }

    fn halved(&self, batch: u32) -> u32 {
        batch.checked_shr(self.memory.halvings).unwrap_or(0)
    }
}
