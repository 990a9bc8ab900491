//! What ViCo learns: the placeholder's embedding S* and the image cross-attention; and the words it is about.

use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;

use super::branches::Columns;
use super::ica::ImageAttention;
use crate::adapter::Adapter;
use crate::base_model::BaseModel;
use crate::methods::Error;
use crate::methods::words::{embedding_name, one_token};
use crate::models::clip_text::Injection;
use crate::tokenizer::Encoded;
use crate::weights::Weights;

/// The name of the method in adapters.
pub const METHOD: &str = "vico";
/// The adapter's fact that says whether it was trained with the automatic mask.
pub(crate) const USE_MASK: &str = "vico.use_mask";

/// S* and the image cross-attention of one concept. In training the tensors are variables; otherwise they are constants,
/// and everything runs on the frozen paths.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Token id of the placeholder.
    pub placeholder: u32,
    /// S*, (1, width of the text encoder).
    pub embedding: Tensor,
    /// The blocks in the U-Net's decoder.
    pub image_attention: ImageAttention,
    /// Whether the reference tokens are masked.
    pub use_mask: bool,
}

impl Learned {
    /// Reads the adapter. Every tensor must be there with the right shape, and no other (an adapter with wrong names must
    /// not run with random weights).
    ///
    /// # Errors
    /// Another method's adapter, a missing, unexpected or misshapen tensor, or a placeholder that is not one token.
    pub fn from_adapter(base: &BaseModel, adapter: &Adapter) -> crate::Result<Self> {
        if adapter.method() != METHOD {
            return Err(Error::WrongMethod {
                expected: "`vico`",
                got: adapter.method().to_owned(),
            }
            .into());
        }
        let tensors: HashMap<String, Tensor> = adapter
            .tensors()
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect();
        let weights = Weights::from_tensors("adapter", tensors);
        let placeholder = one_token(base, "placeholder", adapter.placeholder())?;
        let embedding = weights.get(
            (1, base.text.hidden_size()),
            &embedding_name(adapter.placeholder()),
        )?;
        let sites = base.unet.config().sites();
        let image_attention =
            ImageAttention::new(&sites, |spec| Ok(weights.get(spec.shape.as_slice(), &spec.name)?))?;
        weights.finish()?;
        let use_mask = adapter
            .metadata()
            .get(USE_MASK)
            .is_none_or(|value| value != "false");
        Ok(Self {
            placeholder,
            embedding,
            image_attention,
            use_mask,
        })
    }

    /// The text encoder's output for some token ids, S* in place of the placeholder, (b, 77, width).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn context(&self, base: &BaseModel, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        let injection = Injection {
            token: self.placeholder,
            vector: &self.embedding,
        };
        Ok(base.text.forward(ids, &[injection])?)
    }
}

/// Where the placeholder and the end of text stand in an encoded prompt.
///
/// # Errors
/// The placeholder stands there more than once: its attention map would not be defined.
pub fn columns(prompt: &str, encoded: &Encoded, placeholder: u32) -> Result<Columns, Error> {
    let mut positions = (0..encoded.ids.len()).filter(|&at| encoded.ids[at] == placeholder);
    let first = positions.next().unwrap_or(encoded.eot);
    match positions.count() {
        0 => Ok(Columns {
            placeholder: first,
            end_of_text: encoded.eot,
        }),
        more => Err(Error::RepeatedPlaceholder {
            prompt: prompt.to_owned(),
            times: more + 1,
        }),
    }
}

/// The adapter's tensors: S* and every tensor of the image cross-attention.
pub(super) type AdapterTensors = BTreeMap<String, Tensor>;
