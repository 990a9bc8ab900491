//! A base model with an adapter of a baseline in place, ready to sample from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::dreambooth::{self, TEXT};
use super::sampling::{Denoise, Plain, SampleSpec, SampleWatch, encode_prompt};
use super::words::{LearnedWord, embedding_name};
use super::{Error, custom_diffusion, lora, low_rank, textual_inversion};
use crate::adapter::{Adapter, UNET};
use crate::base_model::BaseModel;
use crate::diffusion::Ddim;
use crate::image::Rgb8;
use crate::models::clip_text::ClipText;
use crate::models::unet::UNet;
use crate::weights::{self, Precision};

/// See the module. Without an adapter it is the base model itself.
pub struct Personalised<'a> {
    base: &'a BaseModel,
    unet: Cow<'a, UNet>,
    text: Option<ClipText>,
    word: Option<LearnedWord>,
}

impl<'a> Personalised<'a> {
    /// The base model as it is: what class images are made with.
    pub fn base(base: &'a BaseModel) -> Self {
        Self {
            base,
            unet: Cow::Borrowed(&base.unet),
            text: None,
            word: None,
        }
    }

    /// The base model with `adapter` in place. Every tensor of the adapter must be one the method knows, with the shape that
    /// fits the base model.
    ///
    /// # Errors
    /// Another method's adapter, a missing, unexpected or misshapen tensor, or a placeholder that is not one token.
    pub fn open(base: &'a BaseModel, adapter: &Adapter) -> crate::Result<Self> {
        let mut parts = Parts::of(adapter);
        let mut opened = Self::base(base);
        match adapter.method() {
            textual_inversion::METHOD => opened.word = Some(parts.word(base, adapter)?),
            custom_diffusion::METHOD => {
                opened.word = Some(parts.word(base, adapter)?);
                let wanted = custom_diffusion::trained_names(base.unet.config());
                if let Some(missing) = wanted.iter().find(|name| !parts.unet.contains_key(*name)) {
                    return Err(missing_tensor(format!("{UNET}{missing}")));
                }
                let trained = wanted
                    .iter()
                    .filter_map(|name| parts.unet.remove_entry(name))
                    .collect();
                opened.unet = Cow::Owned(base.unet_with(trained, BTreeMap::new())?);
            }
            dreambooth::METHOD => opened.add_differences(&mut parts)?,
            lora::METHOD => opened.add_low_rank(&mut parts, adapter)?,
            other => {
                return Err(Error::WrongMethod {
                    expected: "`textual_inversion`, `dreambooth`, `custom_diffusion` or `lora`",
                    got: other.to_owned(),
                }
                .into());
            }
        }
        parts.finish()?;
        Ok(opened)
    }

    /// trained = base + difference.
    fn add_differences(&mut self, parts: &mut Parts) -> crate::Result<()> {
        let precision = self.base.precision();
        let unet = sums(precision, self.base.unet_tensors(), &mut parts.unet, UNET)?;
        self.unet = Cow::Owned(self.base.unet_with(unet, BTreeMap::new())?);
        if !parts.text.is_empty() {
            let text = sums(precision, self.base.text_tensors(), &mut parts.text, TEXT)?;
            self.text = Some(self.base.text_with(text)?);
        }
        Ok(())
    }

    fn add_low_rank(&mut self, parts: &mut Parts, adapter: &Adapter) -> crate::Result<()> {
        let additions = low_rank::take(adapter, &mut parts.unet, self.base.unet_tensors())?;
        self.unet = Cow::Owned(self.base.unet_with(BTreeMap::new(), additions)?);
        Ok(())
    }

    /// Makes the images of one prompt, one per noise key in `spec`.
    ///
    /// # Errors
    /// The prompt is too long, a tensor operation fails, an image is not finite or entirely black, or `watch` says stop.
    pub fn sample(&self, spec: &SampleSpec, watch: &mut dyn SampleWatch) -> crate::Result<Vec<Rgb8>> {
        let ids = [&spec.negative_prompt, &spec.prompt].map(|text| self.ids(text));
        let [unconditional, conditional] = ids;
        let context = self.context(&[unconditional?, conditional?])?; // (2, 77, width)
        let ddim = Ddim::new(&self.base.schedule, spec.steps, spec.eta)?;
        let denoise = Denoise {
            ddim: &ddim,
            guidance: spec.guidance,
            batch: spec.batch,
        };
        let unet = &self.unet;
        spec.run(self.base, &denoise, &mut Plain { unet, context }, watch)
    }

    fn ids(&self, text: &str) -> crate::Result<Vec<u32>> {
        let encoded = encode_prompt(&self.base.tokenizer, text)?;
        match &self.word {
            Some(word) => Ok(word.expand(text, &encoded)?),
            None => Ok(encoded.ids),
        }
    }

    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        let text = self.text.as_ref().unwrap_or(&self.base.text);
        Ok(match &self.word {
            Some(word) => word.context(text, ids)?,
            None => text.forward(ids, &[])?,
        })
    }
}

/// An adapter's tensors, by what they belong to.
struct Parts {
    unet: BTreeMap<String, Tensor>,
    text: BTreeMap<String, Tensor>,
    others: BTreeMap<String, Tensor>,
}

impl Parts {
    fn of(adapter: &Adapter) -> Self {
        let (mut unet, mut text, mut others) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in adapter.tensors() {
            let (part, name) = match (name.strip_prefix(UNET), name.strip_prefix(TEXT)) {
                (Some(name), _) => (&mut unet, name),
                (None, Some(name)) => (&mut text, name),
                (None, None) => (&mut others, name.as_str()),
            };
            part.insert(name.to_owned(), tensor.clone());
        }
        Self { unet, text, others }
    }

    fn word(&mut self, base: &BaseModel, adapter: &Adapter) -> crate::Result<LearnedWord> {
        let name = embedding_name(adapter.placeholder());
        let table = self
            .others
            .remove(&name)
            .ok_or_else(|| missing_tensor(name.clone()))?;
        let width = base.text.hidden_size();
        if table.rank() != 2 || table.dims()[0] == 0 || table.dims()[1] != width {
            return Err(Error::ForeignAdapter {
                tensor: name,
                reason: format!("its shape is {:?}, expected (n, {width})", table.dims()),
            }
            .into());
        }
        LearnedWord::of_table(base, adapter.placeholder(), &table)
    }

    /// Refuses what no one asked for.
    fn finish(self) -> crate::Result<()> {
        let named = |prefix: &'static str, part: BTreeMap<String, Tensor>| {
            part.into_keys().map(move |name| format!("{prefix}{name}"))
        };
        let left: Vec<String> = named(UNET, self.unet)
            .chain(named(TEXT, self.text))
            .chain(named("", self.others))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(weights::Error::Unexpected {
            origin: "adapter".to_owned(),
            tensors: left,
        }
        .into())
    }
}

/// Base tensor plus difference for every tensor of `base`; takes them out of `differences`. With a precision asked for, the sums
/// are f32 nonetheless: bf16 would lose small differences.
fn sums(
    precision: Option<Precision>,
    base: &BTreeMap<String, Tensor>,
    differences: &mut BTreeMap<String, Tensor>,
    prefix: &str,
) -> crate::Result<BTreeMap<String, Tensor>> {
    let mut sums = BTreeMap::new();
    for (name, tensor) in base {
        let full = format!("{prefix}{name}");
        let trained = sum(tensor, differences.remove(name).as_ref(), &full)?;
        let kept = precision.map_or(tensor.dtype(), |_| DType::F32);
        sums.insert(name.clone(), trained.to_dtype(kept)?);
    }
    Ok(sums)
}

/// A tensor of the base model plus the difference of this name, as f32.
///
/// # Errors
/// The difference is missing or has another shape.
pub(crate) fn sum(base: &Tensor, difference: Option<&Tensor>, name: &str) -> crate::Result<Tensor> {
    Ok((base.to_dtype(DType::F32)? + fitting(base, difference, name)?)?)
}

/// The difference of this name, if it is there and has the shape of the base model's tensor.
pub(crate) fn fitting<'a>(
    base: &Tensor,
    difference: Option<&'a Tensor>,
    name: &str,
) -> crate::Result<&'a Tensor> {
    let difference = difference.ok_or_else(|| missing_tensor(name.to_owned()))?;
    if difference.dims() == base.dims() {
        return Ok(difference);
    }
    Err(Error::ForeignAdapter {
        tensor: name.to_owned(),
        reason: format!("its shape is {:?}, expected {:?}", difference.dims(), base.dims()),
    }
    .into())
}

pub(super) fn missing_tensor(tensor: String) -> crate::Error {
    weights::Error::Missing {
        origin: "adapter".to_owned(),
        tensor,
    }
    .into()
}
