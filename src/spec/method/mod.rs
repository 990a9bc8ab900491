//! Methods and their effective settings. Nothing is scaled behind the user's back.

mod base_model;
mod custom_diffusion;
mod dreambooth;
mod lora;
mod prior;
mod textual_inversion;
mod vico;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ConceptInputs;

pub use base_model::BaseModelSettings;
pub use custom_diffusion::CustomDiffusionSettings;
pub use dreambooth::DreamboothSettings;
pub use lora::{LoraSettings, LoraTarget};
pub use prior::PriorSettings;
pub use textual_inversion::TextualInversionSettings;
pub use vico::{ReferencePolicy, VicoSettings};

/// The methods there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodName {
    /// ViCo.
    Vico,
    /// Textual Inversion.
    TextualInversion,
    /// DreamBooth.
    Dreambooth,
    /// Custom Diffusion.
    CustomDiffusion,
    /// DreamBooth with low-rank updates.
    Lora,
    /// The base model as it is.
    BaseModel,
}

impl MethodName {
    /// All methods, in the order in which messages list them.
    pub const ALL: [Self; 6] = [
        Self::Vico,
        Self::TextualInversion,
        Self::Dreambooth,
        Self::CustomDiffusion,
        Self::Lora,
        Self::BaseModel,
    ];

    /// The word used in manifests, captions and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vico => "vico",
            Self::TextualInversion => "textual_inversion",
            Self::Dreambooth => "dreambooth",
            Self::CustomDiffusion => "custom_diffusion",
            Self::Lora => "lora",
            Self::BaseModel => "base_model",
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A method that can be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum MethodSpec {
    /// ViCo (arXiv 2306.00971).
    Vico(VicoSettings),
    /// Textual Inversion (arXiv 2208.01618).
    TextualInversion(TextualInversionSettings),
    /// DreamBooth (arXiv 2208.12242).
    Dreambooth(DreamboothSettings),
    /// Custom Diffusion (arXiv 2212.04488).
    CustomDiffusion(CustomDiffusionSettings),
    /// DreamBooth's training with low-rank updates (arXiv 2106.09685).
    Lora(LoraSettings),
    /// The base model with the concept in words, to compare the others with; it has no train job.
    BaseModel(BaseModelSettings),
}

impl MethodSpec {
    /// Which method it is.
    pub fn method(&self) -> MethodName {
        match self {
            Self::Vico(_) => MethodName::Vico,
            Self::TextualInversion(_) => MethodName::TextualInversion,
            Self::Dreambooth(_) => MethodName::Dreambooth,
            Self::CustomDiffusion(_) => MethodName::CustomDiffusion,
            Self::Lora(_) => MethodName::Lora,
            Self::BaseModel(_) => MethodName::BaseModel,
        }
    }

    /// The word used in manifests.
    pub fn name(&self) -> &'static str {
        self.method().as_str()
    }

    /// What `{}` in a prompt becomes, before `{token}` and `{class}` are filled in.
    pub fn subject(&self) -> &str {
        match self {
            Self::Vico(settings) => &settings.subject,
            Self::TextualInversion(settings) => &settings.subject,
            Self::Dreambooth(settings) => &settings.subject,
            Self::CustomDiffusion(settings) => &settings.subject,
            Self::Lora(settings) => &settings.subject,
            Self::BaseModel(settings) => &settings.subject,
        }
    }

    /// What `{}` in a prompt becomes for a concept, as the text encoder sees it.
    pub fn subject_of(&self, concept: &ConceptInputs) -> String {
        self.subject()
            .replace("{token}", &concept.placeholder)
            .replace("{class}", &concept.class)
    }

    /// Whether there is anything to train.
    pub fn is_trained(&self) -> bool {
        !matches!(self, Self::BaseModel(_))
    }

    /// Train steps; 0 where nothing is trained.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Vico(settings) => settings.steps,
            Self::TextualInversion(settings) => settings.steps,
            Self::Dreambooth(settings) => settings.steps,
            Self::CustomDiffusion(settings) => settings.steps,
            Self::Lora(settings) => settings.steps,
            Self::BaseModel(_) => 0,
        }
    }

    /// The prior loss and its class images; `None` where there is none.
    pub fn prior(&self) -> Option<&PriorSettings> {
        match self {
            Self::Vico(_) | Self::TextualInversion(_) | Self::BaseModel(_) => None,
            Self::Dreambooth(settings) => settings.prior.as_ref(),
            Self::CustomDiffusion(settings) => settings.prior.as_ref(),
            Self::Lora(settings) => settings.prior.as_ref(),
        }
    }
}
