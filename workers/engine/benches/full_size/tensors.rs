//! A list of named random tensors, and its file. Elements are made while they are written, one tensor at a time, so a
//! network of any size needs no more memory than its largest tensor.

use std::borrow::Cow;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize_to_file};

/// Bytes of an f32.
const ELEMENT: usize = 4;

/// The tensors of a network.
#[derive(Default)]
pub(crate) struct Tensors(Vec<(String, Random)>);

/// A tensor whose elements do not exist yet.
struct Random {
    shape: Vec<usize>,
    fill: Fill,
    seed: u64,
}

#[derive(Clone, Copy)]
enum Fill {
    Constant(f32),
    /// Uniform in ± this.
    Uniform(f32),
}

impl Tensors {
    /// Weight and bias of a normalisation: the identity.
    pub(crate) fn norm(&mut self, name: &str, channels: usize) {
        self.push(format!("{name}.weight"), &[channels], Fill::Constant(1.0));
        self.push(format!("{name}.bias"), &[channels], Fill::Constant(0.0));
    }

    /// Weight and bias of an affine map.
    pub(crate) fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.unbiased(name, inputs, outputs);
        self.push(format!("{name}.bias"), &[outputs], Fill::Constant(0.0));
    }

    /// Weight of a linear map.
    pub(crate) fn unbiased(&mut self, name: &str, inputs: usize, outputs: usize) {
        let shape = [outputs, inputs];
        self.push(format!("{name}.weight"), &shape, keeps_variance(inputs));
    }

    /// Weight and bias of a convolution with a `kernel`² window.
    pub(crate) fn conv(&mut self, name: &str, inputs: usize, outputs: usize, kernel: usize) {
        let (shape, fan_in) = ([outputs, inputs, kernel, kernel], inputs * kernel * kernel);
        self.push(format!("{name}.weight"), &shape, keeps_variance(fan_in));
        self.push(format!("{name}.bias"), &[outputs], Fill::Constant(0.0));
    }

    /// A table of `rows` embeddings, as small as trained ones.
    pub(crate) fn embeddings(&mut self, name: &str, rows: usize, width: usize) {
        self.push(format!("{name}.weight"), &[rows, width], Fill::Uniform(0.03));
    }

    /// How many numbers the network has.
    pub(crate) fn parameters(&self) -> usize {
        self.0.iter().map(|(_, tensor)| tensor.elements()).sum()
    }

    /// Writes them as f32 to a `.safetensors` file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(self, path: &Path) -> anyhow::Result<()> {
        Ok(serialize_to_file(self.0, None, path)?)
    }

    fn push(&mut self, name: String, shape: &[usize], fill: Fill) {
        let seed = self.0.len() as u64;
        let shape = shape.to_vec();
        self.0.push((name, Random { shape, fill, seed }));
    }
}

/// Uniform weights of variance 1 / fan-in: outputs as large as inputs, so that activations stay finite at any depth.
fn keeps_variance(fan_in: usize) -> Fill {
    Fill::Uniform((3.0 / fan_in as f32).sqrt())
}

impl Random {
    fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl View for Random {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut state = self.seed << 32;
        let bytes = (0..self.elements()).flat_map(|_| {
            let value = match self.fill {
                Fill::Constant(value) => value,
                Fill::Uniform(limit) => limit * next_unit(&mut state),
            };
            value.to_le_bytes()
        });
        let mut data = Vec::with_capacity(self.data_len());
        data.extend(bytes);
        Cow::Owned(data)
    }

    fn data_len(&self) -> usize {
        self.elements() * ELEMENT
    }
}

/// The next number of SplitMix64 (Steele et al. 2014), in -1..1: a billion of them take seconds, the engine's own keyed
/// normals minutes.
fn next_unit(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = ((z ^ (z >> 31)) >> 40) as f32; // 24 bits, exact in f32
    top / (1 << 23) as f32 - 1.0
}
