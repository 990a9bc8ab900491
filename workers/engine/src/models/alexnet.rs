//! AlexNet's convolutions, whose activations LPIPS compares.

use candle_core::{Result, Tensor};

use super::Loaded;
use super::layers::{Conv2d, Conv2dSize};
use crate::kernels::Conv2dGeometry;
use crate::weights::Weights;

/// Channels of the five activations.
pub const CHANNELS: [usize; 5] = [64, 192, 384, 256, 256];

/// Names as in `lpips`, which keeps torchvision's numbers: `net.slice2.3.weight`.
const NAMES: [&str; 5] = ["slice1.0", "slice2.3", "slice3.6", "slice4.8", "slice5.10"];
/// Edge of the kernel, stride and padding.
const KERNELS: [(usize, usize, usize); 5] = [(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)];
/// Which convolutions are preceded by a maximum over windows of 3, every 2 pixels.
const POOLED: [bool; 5] = [false, true, true, false, false];

/// The five convolutions.
#[derive(Debug)]
pub struct AlexNet {
    convolutions: Vec<Conv2d>,
}

impl AlexNet {
    /// Reads the convolutions; the classifier is no part of LPIPS.
    pub fn load(weights: &Weights) -> Loaded<Self> {
        let mut inputs = 3;
        let mut convolutions = Vec::with_capacity(NAMES.len());
        for ((name, (kernel, stride, padding)), outputs) in NAMES.into_iter().zip(KERNELS).zip(CHANNELS) {
            let size = Conv2dSize {
                inputs,
                outputs,
                kernel,
                geometry: Conv2dGeometry { stride, padding },
            };
            convolutions.push(Conv2d::load(&weights.pp(name), size)?);
            inputs = outputs;
        }
        Ok(Self { convolutions })
    }

    /// The activation behind each convolution: (b, 3, h, w) -> five of (b, channels, h', w').
    pub fn activations(&self, pixels: &Tensor) -> Result<Vec<Tensor>> {
        let mut activations: Vec<Tensor> = Vec::with_capacity(self.convolutions.len());
        for (convolution, pooled) in self.convolutions.iter().zip(POOLED) {
            let before = activations.last().unwrap_or(pixels);
            let input = if pooled {
                before.max_pool2d_with_stride(3, 2)?
            } else {
                before.clone()
            };
            activations.push(convolution.forward(&input)?.relu()?);
        }
        Ok(activations)
    }
}
