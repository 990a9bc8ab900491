//! The prior loss: pictures of the bare class word, drawn with the base model, that training must not forget.

use serde::{Deserialize, Serialize};

/// The prior loss and the class images it is measured on (DreamBooth, section 3.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorSettings {
    /// Weight of the prior loss, above 0.
    pub weight: f64,
    /// How many class images are drawn.
    pub class_images: u32,
    /// Their prompt; `{class}` stands for the class word.
    pub prompt: String,
    /// Denoise steps.
    pub steps: u32,
    /// Classifier-free guidance scale.
    pub guidance: f64,
    /// Stochasticity of DDIM; 0 is deterministic.
    pub eta: f64,
    /// Seed of their starting noise.
    pub seed: u64,
}

impl PriorSettings {
    /// The prompt for a class word.
    pub fn prompt_of(&self, class: &str) -> String {
        self.prompt.replace("{class}", class)
    }
}

/// 200 class images and weight 1, as in diffusers' `train_dreambooth.py` and its README, drawn like evaluation images.
impl Default for PriorSettings {
    fn default() -> Self {
        Self {
            weight: 1.0,
            class_images: 200,
            prompt: "a photo of a {class}".to_owned(),
            steps: 50,
            guidance: 7.5,
            eta: 0.0,
            seed: 0,
        }
    }
}
