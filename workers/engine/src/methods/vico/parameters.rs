//! Names, shapes and start values of the trainable tensors of the image cross-attention (vico-spec §2.3, §2.4, §6).

use candle_core::{Device, Result as TensorResult, Tensor};

use crate::diffusion::{NoiseKey, Purpose};
use crate::models::unet::{Part, Site};

/// How a tensor starts; PyTorch's defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    /// Uniform in ±1/√fan_in.
    FanIn(usize),
    Ones,
    Zeros,
}

/// One trainable tensor of one site.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// The official name, as in `cross_attention-N.pt`.
    pub name: String,
    /// Its end, the name within the block.
    pub local: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    start: Start,
}

impl ParameterSpec {
    /// The start value. It depends on the seed, the concept and the tensor's name.
    ///
    /// # Errors
    /// The device refuses the allocation.
    pub fn initial(&self, seed: u64, concept: &str, device: &Device) -> TensorResult<Tensor> {
        let shape = self.shape.as_slice();
        match self.start {
            Start::Ones => Tensor::ones(shape, candle_core::DType::F32, device),
            Start::Zeros => Tensor::zeros(shape, candle_core::DType::F32, device),
            Start::FanIn(fan_in) => {
                let key = NoiseKey {
                    seed,
                    concept: concept.to_owned(),
                    prompt: self.name.clone(),
                    image: 0,
                };
                let limit = 1.0 / (fan_in as f64).sqrt();
                key.stream(Purpose::InitialWeights, 0)
                    .uniform(limit, shape, device)
            }
        }
    }
}

/// Whether ViCo puts a block at `site`: every second transformer of the decoder, that is 8, 10, 12 and 14 in Stable
/// Diffusion v1 (vico-spec §2.1).
pub fn is_ica(site: &Site) -> bool {
    site.part == Part::Decoder && site.index.is_multiple_of(2)
}

/// The 20 tensors of the block at `site`, in the official order.
pub fn of_site(site: &Site) -> Vec<ParameterSpec> {
    let width = site.width;
    let square = |local| (local, vec![width, width], Start::FanIn(width));
    let vector = |local, start| (local, vec![width], start);
    let tensors = [
        square("attn1.to_q.weight"),
        square("attn1.to_k.weight"),
        square("attn1.to_v.weight"),
        square("attn1.to_out.0.weight"),
        vector("attn1.to_out.0.bias", Start::FanIn(width)),
        (
            "ff.net.0.proj.weight",
            vec![8 * width, width],
            Start::FanIn(width),
        ),
        ("ff.net.0.proj.bias", vec![8 * width], Start::FanIn(width)),
        ("ff.net.2.weight", vec![width, 4 * width], Start::FanIn(4 * width)),
        vector("ff.net.2.bias", Start::FanIn(4 * width)),
        square("attn2.to_q.weight"),
        square("attn2.to_k.weight"),
        square("attn2.to_v.weight"),
        square("attn2.to_out.0.weight"),
        vector("attn2.to_out.0.bias", Start::FanIn(width)),
        vector("norm1.weight", Start::Ones),
        vector("norm1.bias", Start::Zeros),
        vector("norm2.weight", Start::Ones),
        vector("norm2.bias", Start::Zeros),
        vector("norm3.weight", Start::Ones),
        vector("norm3.bias", Start::Zeros),
    ];
    let named = |(local, shape, start)| ParameterSpec {
        name: format!("diffusion_model.{}.image_cross_attention.{local}", site.compvis),
        local,
        shape,
        start,
    };
    tensors.map(named).into()
}
