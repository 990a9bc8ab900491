//! The noise schedule: how much of the clean latent is left after t diffusion steps (vico-spec §1.1).

use std::path::{Path, PathBuf};

use candle_core::{Device, Result as TensorResult, Tensor};
use serde::Deserialize;

/// A hundred times what published models have. ᾱ is computed for every time step when a schedule is read, so that a broken or
/// hostile file without a bound could ask for all memory; this many take less than a megabyte.
const MOST_TRAIN_TIMESTEPS: usize = 100_000;

/// A `scheduler_config.json` that cannot be used, or a sampler that does not fit the schedule.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The configuration file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not the JSON that was expected.
    #[error("{}: {source}", path.display())]
    Json {
        /// The configuration file.
        path: PathBuf,
        /// Where and why parsing stopped.
        source: serde_json::Error,
    },
    /// A key holds a value this engine does not implement.
    #[error("{}: `{key}` is {got}, only {supported} is supported", path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        got: String,
        /// What would be accepted.
        supported: &'static str,
    },
    /// More denoise steps than the schedule has, or none.
    #[error("cannot sample with {steps} denoise steps: the noise schedule allows 1 to {most}")]
    DenoiseSteps {
        /// Steps asked for.
        steps: usize,
        /// The largest number for which every time step exists.
        most: usize,
    },
    /// A negative or non-finite eta.
    #[error("eta must be a finite number of at least 0, got {eta}")]
    Eta {
        /// The value asked for.
        eta: f64,
    },
}

/// ᾱ of every training time step, in f64 as the official code computes it.
#[derive(Clone, Debug)]
pub struct NoiseSchedule {
    alpha_bar: Vec<f64>,
    steps_offset: usize,
    final_alpha_bar: f64,
}

/// The keys of diffusers' `scheduler_config.json` that change results. A Stable Diffusion directory names PNDM there;
/// the keys are shared by all samplers.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of a published file")]
struct Config {
    beta_start: f64,
    beta_end: f64,
    beta_schedule: String,
    num_train_timesteps: usize,
    #[serde(default)]
    steps_offset: usize,
    #[serde(default = "yes")]
    set_alpha_to_one: bool,
    prediction_type: Option<String>,
    timestep_spacing: Option<String>,
    trained_betas: Option<serde_json::Value>,
    #[serde(default)]
    clip_sample: bool,
    #[serde(default)]
    thresholding: bool,
    #[serde(default)]
    rescale_betas_zero_snr: bool,
}

fn yes() -> bool {
    true
}

impl Config {
    /// The first key whose value would silently give other images, as (key, value, what is supported).
    fn unsupported(&self) -> Option<(&'static str, String, &'static str)> {
        let text =
            |value: &Option<String>, default: &str| value.clone().unwrap_or_else(|| default.to_owned());
        let named = [
            ("beta_schedule", self.beta_schedule.clone(), "scaled_linear"),
            (
                "prediction_type",
                text(&self.prediction_type, "epsilon"),
                "epsilon",
            ),
            (
                "timestep_spacing",
                text(&self.timestep_spacing, "leading"),
                "leading",
            ),
        ];
        let flags = [
            ("trained_betas", self.trained_betas.is_some(), "null"),
            ("clip_sample", self.clip_sample, "false"),
            ("thresholding", self.thresholding, "false"),
            ("rescale_betas_zero_snr", self.rescale_betas_zero_snr, "false"),
        ];
        let named = named.into_iter().find(|(_, got, want)| got != want);
        let flagged = flags.into_iter().find(|(_, set, _)| *set);
        named.or(flagged.map(|(key, _, want)| (key, "set".to_owned(), want)))
    }
}

impl NoiseSchedule {
    /// Reads diffusers' `scheduler/scheduler_config.json`.
    ///
    /// # Errors
    /// The file is missing, malformed, or asks for something this engine does not implement.
    pub fn from_config(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let config: Config = serde_json::from_slice(&text).map_err(|source| Error::Json {
            path: path.to_owned(),
            source,
        })?;
        if let Some((key, got, supported)) = config.unsupported() {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                key,
                got,
                supported,
            });
        }
        if !(2..=MOST_TRAIN_TIMESTEPS).contains(&config.num_train_timesteps) {
            let got = config.num_train_timesteps.to_string();
            return Err(Error::Unsupported {
                path: path.to_owned(),
                key: "num_train_timesteps",
                got,
                supported: "2 to 100000 (the published file has 1000: restore it)",
            });
        }
        Ok(Self::scaled_linear(&config))
    }

    /// β_i = (linspace(√start, √end))², ᾱ = the running product of 1 − β.
    fn scaled_linear(config: &Config) -> Self {
        let (low, high) = (config.beta_start.sqrt(), config.beta_end.sqrt());
        let last = (config.num_train_timesteps - 1) as f64;
        let alpha_bar: Vec<f64> = (0..config.num_train_timesteps)
            .map(|i| (low + (high - low) * i as f64 / last).powi(2))
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect();
        let final_alpha_bar = if config.set_alpha_to_one {
            1.0
        } else {
            alpha_bar[0]
        };
        Self {
            alpha_bar,
            steps_offset: config.steps_offset,
            final_alpha_bar,
        }
    }

    /// How many time steps training draws from (1000 for Stable Diffusion).
    pub fn train_timesteps(&self) -> usize {
        self.alpha_bar.len()
    }

    /// ᾱ after time step `t`.
    ///
    /// # Panics
    /// `t` is not below [`Self::train_timesteps`].
    pub fn alpha_bar(&self, t: usize) -> f64 {
        self.alpha_bar[t]
    }

    /// What the sampler's last denoise step goes to: ᾱ₀, or 1 with `set_alpha_to_one`.
    pub fn final_alpha_bar(&self) -> f64 {
        self.final_alpha_bar
    }

    /// What is added to every time step of a sampling grid (1 for Stable Diffusion).
    pub fn steps_offset(&self) -> usize {
        self.steps_offset
    }

    /// √ᾱ_t·clean + √(1−ᾱ_t)·noise, with one time step per sample. Both tensors are (b, c, h, w).
    ///
    /// # Errors
    /// The shapes differ, or a time step is outside the schedule.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> TensorResult<Tensor> {
        if let Some(t) = timesteps.iter().find(|&&t| t >= self.alpha_bar.len()) {
            candle_core::bail!(
                "time step {t} is outside a noise schedule of {}",
                self.alpha_bar.len()
            );
        }
        let column =
            |value: fn(f64) -> f64| per_sample(timesteps, |t| value(self.alpha_bar[t]), clean.device());
        let signal = clean.broadcast_mul(&column(f64::sqrt)?)?;
        let noise = noise.broadcast_mul(&column(|alpha_bar| (1.0 - alpha_bar).sqrt())?)?;
        signal + noise
    }
}

/// One f32 factor per sample, shaped (b, 1, 1, 1).
fn per_sample(timesteps: &[usize], value: impl Fn(usize) -> f64, device: &Device) -> TensorResult<Tensor> {
    let values: Vec<f32> = timesteps.iter().map(|&t| value(t) as f32).collect();
    Tensor::from_vec(values, (timesteps.len(), 1, 1, 1), device)
}
