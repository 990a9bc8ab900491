//! DDIM (Song et al. 2021) as Stable Diffusion samples with it: evenly spaced ("leading") time steps, no clipping of
//! the predicted clean latent (vico-spec §7).

use candle_core::{Result as TensorResult, Tensor};

use super::schedule::{Error, NoiseSchedule};

/// One denoise step: the time step it is at and the two noise levels it goes between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenoiseStep {
    /// The training time step whose noise level the latents have.
    pub timestep: usize,
    /// ᾱ at that time step.
    pub alpha_bar: f64,
    /// ᾱ the latents have afterwards.
    pub alpha_bar_prev: f64,
}

/// A sampling grid, from the noisiest time step to the last, and how much fresh noise each denoise step adds.
#[derive(Clone, Debug)]
pub struct Ddim {
    grid: Vec<DenoiseStep>,
    eta: f64,
}

impl Ddim {
    /// A grid of `steps` time steps `offset + k·(T div steps)`. `eta` 0 is deterministic, 1 adds as much noise as DDPM.
    ///
    /// # Errors
    /// `steps` is 0 or gives time steps outside the schedule, or `eta` is negative or not finite.
    pub fn new(schedule: &NoiseSchedule, steps: usize, eta: f64) -> Result<Self, Error> {
        let (total, offset) = (schedule.train_timesteps(), schedule.steps_offset());
        let last = |steps: usize| (steps - 1) * (total / steps) + offset;
        if steps == 0 || steps > total || last(steps) >= total {
            let most = (1..=total).rev().find(|&steps| last(steps) < total).unwrap_or(0);
            return Err(Error::DenoiseSteps { steps, most });
        }
        if !eta.is_finite() || eta < 0.0 {
            return Err(Error::Eta { eta });
        }
        let stride = total / steps;
        let level = |timestep: usize| DenoiseStep {
            timestep,
            alpha_bar: schedule.alpha_bar(timestep),
            alpha_bar_prev: match timestep.checked_sub(stride) {
                Some(previous) => schedule.alpha_bar(previous),
                None => schedule.final_alpha_bar(),
            },
        };
        let grid = (0..steps).rev().map(|k| level(k * stride + offset)).collect();
        Ok(Self { grid, eta })
    }

    /// The denoise steps in the order they are taken.
    pub fn grid(&self) -> &[DenoiseStep] {
        &self.grid
    }

    /// Whether [`Self::denoise`] wants fresh noise.
    pub fn is_stochastic(&self) -> bool {
        self.eta > 0.0
    }

    /// The latents one denoise step later. All tensors are (b, c, h, w); `noise` is standard normal and only read when
    /// [`Self::is_stochastic`].
    ///
    /// # Errors
    /// The shapes differ, or noise is wanted and absent.
    pub fn denoise(
        &self,
        at: &DenoiseStep,
        latents: &Tensor,
        predicted_noise: &Tensor,
        noise: Option<&Tensor>,
    ) -> TensorResult<Tensor> {
        let (now, next) = (at.alpha_bar, at.alpha_bar_prev);
        let sigma = self.eta * ((1.0 - next) / (1.0 - now)).sqrt() * (1.0 - now / next).max(0.0).sqrt();
        let noiseless = (latents - (predicted_noise * (1.0 - now).sqrt())?)?;
        let clean = (noiseless / now.sqrt())?;
        let direction = (predicted_noise * (1.0 - next - sigma * sigma).max(0.0).sqrt())?;
        let mean = ((clean * next.sqrt())? + direction)?;
        match noise {
            _ if !self.is_stochastic() => Ok(mean),
            Some(noise) => mean + (noise * sigma)?,
            None => candle_core::bail!("eta is {} but no noise was given to the denoise step", self.eta),
        }
    }
}

/// Classifier-free guidance: ε_u + s·(ε_c − ε_u) (vico-spec §7).
///
/// # Errors
/// The shapes differ.
pub fn guide(unconditional: &Tensor, conditional: &Tensor, guidance: f64) -> TensorResult<Tensor> {
    unconditional + ((conditional - unconditional)? * guidance)?
}
