//! The networks that score pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::preprocess::{ClipView, DinoView, clip_pixels, dino_pixels};
use super::{Features, FileFormat, ImageFeatures, Lpips, Metric, Protocol};
use crate::image::Rgb8;
use crate::models::clip::{Clip, ClipConfig};
use crate::models::vit::{Vit, VitConfig};
use crate::tokenizer::{CONTEXT_LENGTH, ClipTokenizer};
use crate::{Result, weights};

/// Pictures that go through a network together on a CPU: enough rows for what is read of a matrix to be used well.
const TOGETHER: usize = 4;

/// Where the networks are.
#[derive(Debug, Clone, Copy)]
pub struct EvaluatorDirs<'a> {
    /// `openai/clip-vit-base-patch32`: `config.json` and weights.
    pub clip: &'a Path,
    /// CLIP's vocabulary; usually the same directory.
    pub tokenizer: &'a Path,
    /// `facebook/dino-vits16`: `config.json` and weights.
    pub dino: &'a Path,
    /// `model.safetensors` with the state of `lpips.LPIPS(net="alex")`, where LPIPS is asked for.
    pub lpips: Option<&'a Path>,
}

/// CLIP and DINO, ready to turn pictures and texts into features, and LPIPS if its weights are given.
pub struct Evaluators {
    clip: Clip,
    tokenizer: ClipTokenizer,
    dino: Vit,
    lpips: Option<Lpips>,
    device: Device,
    clip_digest: String,
    dino_digest: String,
}

impl Evaluators {
    /// Loads the networks; every tensor of their files must be used.
    pub fn load(dirs: &EvaluatorDirs<'_>, device: &Device) -> Result<Self> {
        let clip_weights = weights::Weights::open(dirs.clip, None, device)?;
        let clip = Clip::load(&weights::read_config::<ClipConfig>(dirs.clip)?, &clip_weights)?.packed()?;
        clip_weights.finish()?;
        drop(clip_weights); // and with it what stays in memory of its file
        let dino_weights = weights::Weights::open(dirs.dino, None, device)?;
        let dino = Vit::load(&weights::read_config::<VitConfig>(dirs.dino)?, &dino_weights)?.packed()?;
        dino_weights.finish()?;
        Ok(Self {
            clip,
            tokenizer: ClipTokenizer::from_dir(dirs.tokenizer)?,
            dino,
            lpips: dirs.lpips.map(|dir| Lpips::load(dir, device)).transpose()?,
            device: device.clone(),
            clip_digest: weights::digest(dirs.clip, None)?,
            dino_digest: weights::digest(dirs.dino, None)?,
        })
    }

    /// What the networks say about each picture, protocol by protocol. A view that several protocols share is run once.
    ///
    /// A picture's result has the same bits whatever other pictures there are.
    pub fn images(&self, protocols: &[Protocol], pictures: &[Rgb8]) -> Result<Vec<ImageFeatures>> {
        let (mut clip, mut dino) = (BTreeMap::new(), BTreeMap::new());
        let views = Views::of(protocols);
        for view in views.clip {
            clip.insert(view, self.clip_features(view, pictures)?);
        }
        for view in views.dino {
            dino.insert(view, self.dino_features(view, pictures)?);
        }
        let of = |protocol: &Protocol| ImageFeatures {
            clip: clip[&protocol.clip_view()].clone(),
            dino: protocol.dino_view().map(|view| dino[&view].clone()),
        };
        Ok(protocols.iter().map(of).collect())
    }

    fn clip_features(&self, view: ClipView, pictures: &[Rgb8]) -> Result<Features> {
        let rows = self.rows(pictures, |pictures| {
            let pixels = batch(pictures, |picture| clip_pixels(view, picture, &self.device))?;
            self.clip.image_features(&pixels)
        })?;
        Ok(Features::new(self.clip.width(), rows)?)
    }

    fn dino_features(&self, view: DinoView, pictures: &[Rgb8]) -> Result<Features> {
        let rows = self.rows(pictures, |pictures| {
            let pixels = batch(pictures, |picture| dino_pixels(view, picture, &self.device))?;
            self.dino.forward(&pixels)
        })?;
        Ok(Features::new(self.dino.width(), rows)?)
    }

    /// What `features` (b pictures -> (b, width)) makes of all pictures, row behind row.
    ///
    /// On a CPU several batches are under way at once, so that threads wait for each other at their ends alone; every row is
    /// computed alike, whatever stands beside it. Libraries of other devices choose their way by the size of the batch, so
    /// there it is always one.
    fn rows(
        &self,
        pictures: &[Rgb8],
        features: impl Fn(&[Rgb8]) -> candle_core::Result<Tensor> + Sync,
    ) -> Result<Vec<f32>> {
        let rows = |pictures: &[Rgb8]| features(pictures)?.flatten_all()?.to_vec1::<f32>();
        let batches: Vec<Vec<f32>> = if self.device.is_cpu() {
            let batches = pictures.par_chunks(TOGETHER).map(rows);
            batches.collect::<candle_core::Result<_>>()?
        } else {
            pictures.chunks(1).map(rows).collect::<candle_core::Result<_>>()?
        };
        Ok(batches.concat())
    }

    /// LPIPS, where its weights were given.
    pub fn lpips(&self) -> Option<&Lpips> {
        self.lpips.as_ref()
    }

    /// What a protocol can measure with these networks.
    pub fn metrics(&self, protocol: Protocol) -> Vec<Metric> {
        protocol.metrics(self.dino.patch_size())
    }

    /// How many of a protocol's texts, which [`Protocol::text`] has worded, CLIP reads only the beginning of.
    ///
    /// # Errors
    /// There is one, and the protocol does not cut texts.
    pub fn cut<S: AsRef<str>>(&self, protocol: Protocol, texts: &[S]) -> Result<usize> {
        let mut cut = 0;
        for text in texts {
            let text = text.as_ref();
            let is_cut = self.tokenizer.encode(text)?.truncated;
            if is_cut && !protocol.cuts_texts() {
                return Err(super::Error::TextTooLong {
                    protocol,
                    text: text.to_owned(),
                    tokens: self.tokenizer.token_count(text)?,
                    most: CONTEXT_LENGTH - 2,
                }
                .into());
            }
            cut += usize::from(is_cut);
        }
        Ok(cut)
    }

    /// CLIP's features of each of a protocol's texts.
    ///
    /// # Errors
    /// As [`Self::cut`].
    pub fn texts<S: AsRef<str>>(&self, protocol: Protocol, texts: &[S]) -> Result<Features> {
        self.cut(protocol, texts)?;
        let mut rows = Vec::new();
        for text in texts {
            let encoded = self.tokenizer.encode(text.as_ref())?;
            let features = self.clip.text_features(&[encoded.ids], &[encoded.eot])?;
            rows.extend(features.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(Features::new(self.clip.width(), rows)?)
    }

    /// The signature to print beside a number of this metric of such files, with the digest of the network that made it.
    pub fn signature(&self, protocol: Protocol, metric: Metric, files: FileFormat) -> String {
        protocol.signature(metric, self.digest(metric), files)
    }

    /// The same for what [`real_vs_real`](super::real_vs_real) computes.
    pub fn oracle_signature(&self, protocol: Protocol, metric: Metric, files: FileFormat) -> String {
        protocol.oracle_signature(metric, self.digest(metric), files)
    }

    /// The digest of the network behind a metric.
    fn digest(&self, metric: Metric) -> &str {
        match metric {
            Metric::ClipT | Metric::ClipI => &self.clip_digest,
            Metric::DinoI => &self.dino_digest,
        }
    }
}

/// The inputs of some pictures as one tensor; made in parallel, since resizing is work for one thread.
fn batch(
    pictures: &[Rgb8],
    pixels: impl Fn(&Rgb8) -> candle_core::Result<Tensor> + Sync + Send,
) -> candle_core::Result<Tensor> {
    let inputs = pictures
        .par_iter()
        .map(pixels)
        .collect::<candle_core::Result<Vec<_>>>()?;
    Tensor::cat(&inputs, 0)
}

/// The different ways in which some protocols look at a picture: each is one pass through a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Views {
    /// Passes through CLIP.
    pub clip: BTreeSet<ClipView>,
    /// Passes through DINO.
    pub dino: BTreeSet<DinoView>,
}

impl Views {
    /// The views of `protocols`, each once.
    pub fn of(protocols: &[Protocol]) -> Self {
        Self {
            clip: protocols.iter().map(|protocol| protocol.clip_view()).collect(),
            dino: protocols
                .iter()
                .filter_map(|protocol| protocol.dino_view())
                .collect(),
        }
    }
}
