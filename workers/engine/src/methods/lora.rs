//! DreamBooth with low-rank additions to the U-Net's attention (LoRA, arXiv 2106.09685), in peft's names.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::dreambooth::train_on_prompt;
use super::learner::{Learner, variables};
use super::prior::Prior;
use super::recipe::Recipe;
use super::training::{Parameter, ParameterGroup, TrainingState, Watch};
use crate::adapter::{Adapter, UNET};
use crate::base_model::BaseModel;
use crate::diffusion::{NoiseKey, Purpose};
use crate::image::Rgb8;
use crate::models::unet::{UNet, UNetConfig};
use crate::weights::LowRank;

/// The name of the method in adapters.
pub const METHOD: &str = "lora";
/// The adapter's fact that holds α.
pub(crate) const ALPHA: &str = "vico.lora_alpha";
/// The adapter's fact that holds the rank.
pub(crate) const RANK: &str = "vico.lora_rank";

/// The projections of an attention that can have an addition.
pub const TARGETS: [&str; 4] = ["to_q", "to_k", "to_v", "to_out.0"];

/// What to train and how.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraSpec {
    /// What every baseline has.
    pub recipe: Recipe,
    /// Learning rate of the additions.
    pub lr: f64,
    /// Rank of every addition.
    pub rank: usize,
    /// α: an addition counts α / rank times.
    pub alpha: f64,
    /// Some of [`TARGETS`]; in both attentions of every site.
    pub targets: Vec<String>,
    /// The caption of every reference image, `a photo of sks dog`.
    pub instance_prompt: String,
}

/// Trains the additions on `references`.
///
/// # Errors
/// The request makes no sense, `resume` belongs to another training, a tensor operation fails, or a loss or gradient is NaN or
/// infinite.
pub fn train(
    base: &BaseModel,
    spec: &LoraSpec,
    (references, prior): (&[Rgb8], Option<Prior<'_>>),
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    spec.recipe.check(&[
        ("lr", spec.lr),
        ("alpha", spec.alpha),
        ("prior weight", prior.map_or(0.0, |prior| prior.weight)),
    ])?;
    let learner = Additions::new(base, spec)?;
    train_on_prompt(
        (base, &spec.recipe),
        learner,
        (&spec.instance_prompt, references, prior),
        (resume, watch),
    )
}

/// The linear layers that get an addition, by diffusers name.
///
/// # Errors
/// A target is none of [`TARGETS`], or there are none.
pub fn modules(config: &UNetConfig, targets: &[String]) -> Result<Vec<String>, super::Error> {
    let unknown = targets.iter().find(|target| !TARGETS.contains(&target.as_str()));
    if targets.is_empty() || unknown.is_some() {
        return Err(super::Error::Setting {
            name: "targets",
            expected: format!("some of {}", TARGETS.join(", ")),
            got: unknown.map_or_else(|| "none".to_owned(), Clone::clone),
        });
    }
    let mut modules = Vec::new();
    for site in config.sites() {
        for attention in ["attn1", "attn2"] {
            for target in targets {
                modules.push(format!("{}.transformer_blocks.0.{attention}.{target}", site.path));
            }
        }
    }
    Ok(modules)
}

/// The additions of `modules`, from tensors called `<module>.lora_A.weight` and `<module>.lora_B.weight`.
///
/// # Errors
/// The module whose tensor is missing.
pub fn additions(
    modules: &[String],
    tensors: &BTreeMap<String, Tensor>,
    scale: f64,
) -> Result<BTreeMap<String, LowRank>, String> {
    let find = |module: &String, part| {
        tensors
            .get(&name(module, part))
            .cloned()
            .ok_or_else(|| name(module, part))
    };
    modules
        .iter()
        .map(|module| {
            let (down, up) = (find(module, "A")?, find(module, "B")?);
            Ok((module.clone(), LowRank { down, up, scale }))
        })
        .collect()
}

/// The name of factor `A` or `B` of a module's addition.
pub(super) fn name(module: &str, part: &str) -> String {
    format!("{module}.lora_{part}.weight")
}

struct Additions<'a> {
    base: &'a BaseModel,
    spec: &'a LoraSpec,
    unet: UNet,
    parameters: Vec<Parameter>,
}

impl<'a> Additions<'a> {
    fn new(base: &'a BaseModel, spec: &'a LoraSpec) -> crate::Result<Self> {
        if spec.rank == 0 {
            return Err(super::Error::Setting {
                name: "rank",
                expected: "at least 1".to_owned(),
                got: "0".to_owned(),
            }
            .into());
        }
        let modules = modules(base.unet.config(), &spec.targets)?;
        let mut start = Vec::new();
        for module in &modules {
            start.extend(initial(base, spec, module)?);
        }
        let (parameters, tensors) = variables(UNET, start)?;
        let scale = spec.alpha / spec.rank as f64;
        let additions = additions(&modules, &tensors, scale).expect("each was made just above");
        Ok(Self {
            base,
            spec,
            unet: base.unet_with(BTreeMap::new(), additions)?,
            parameters,
        })
    }
}

/// As diffusers' `train_dreambooth_lora.py` starts them, peft's `init_lora_weights="gaussian"`: A normal with deviation 1 / rank;
/// B zero, so that nothing is added at first.
fn initial(base: &BaseModel, spec: &LoraSpec, module: &str) -> crate::Result<[(String, Tensor); 2]> {
    let (outputs, inputs) = base.unet_tensors()[&format!("{module}.weight")].dims2()?;
    let key = NoiseKey {
        seed: spec.recipe.seed,
        concept: spec.recipe.concept.clone(),
        prompt: name(module, "A"),
        image: 0,
    };
    let mut stream = key.stream(Purpose::InitialWeights, 0);
    let normal = stream.normal((spec.rank, inputs), base.device())?;
    let down = (normal * (1.0 / spec.rank as f64))?;
    let up = Tensor::zeros((outputs, spec.rank), DType::F32, base.device())?;
    Ok([(name(module, "A"), down), (name(module, "B"), up)])
}

impl Learner for Additions<'_> {
    fn identity(&self) -> String {
        let LoraSpec {
            lr,
            rank,
            alpha,
            targets,
            instance_prompt,
            ..
        } = self.spec;
        format!("{METHOD} prompt={instance_prompt:?} lr={lr} rank={rank} alpha={alpha} targets={targets:?}")
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup {
            name: "lora",
            lr: self.spec.lr,
            parameters: self.parameters.clone(),
        }]
    }

    fn unet(&self) -> &UNet {
        &self.unet
    }

    fn context(&self, ids: &[Vec<u32>]) -> crate::Result<Tensor> {
        Ok(self.base.text.forward(ids, &[])?)
    }

    fn adapter(&self, steps_done: usize, tensors: BTreeMap<String, Tensor>) -> crate::Result<Adapter> {
        let adapter = Adapter::new(METHOD, "", "", steps_done, tensors);
        Ok(adapter
            .with("vico.instance_prompt", &self.spec.instance_prompt)
            .with(ALPHA, &self.spec.alpha.to_string())
            .with(RANK, &self.spec.rank.to_string()))
    }
}
