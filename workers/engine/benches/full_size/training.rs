//! One ViCo train step: once as workers run it, once taken apart.

use candle_core::{Device, Tensor, Var};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::image::to_unit_range;
use vico_engine::methods::Next;
use vico_engine::methods::training::{
    AdamW, AdamWSpec, Gradients, Parameter, ParameterGroup, TrainReport, TrainingState, Watch,
};
use vico_engine::methods::vico::ica::ImageAttention;
use vico_engine::methods::vico::learned::{Learned, columns};
use vico_engine::methods::vico::pass::Batch;
use vico_engine::methods::vico::{self, VicoSpec};
use vico_engine::models::unet::Checkpointing;

use crate::measure::{Cost, Phase, measured};
use crate::photo;

const CAPTION: &str = "a photo of a *";

/// What to train.
pub(crate) fn spec(size: usize, checkpointing: Checkpointing) -> VicoSpec {
    VicoSpec {
        steps: 1,
        batch: 1,
        micro_batch: 1,
        lr_embedding: 5e-3,
        lr_image_attention: 1e-5,
        weight_decay: 0.01,
        reg_weight: 5e-4,
        use_mask: true,
        placeholder: "*".to_owned(),
        initializer: "dog".to_owned(),
        image_size: size,
        seed: 1,
        concept: "bench".to_owned(),
        checkpointing,
    }
}

/// Keeps the only report.
#[derive(Default)]
struct Last(Option<TrainReport>);

impl Watch for Last {
    fn after_step(
        &mut self,
        report: &TrainReport,
        _: &dyn Fn() -> vico_engine::Result<TrainingState>,
    ) -> Next {
        self.0 = Some(report.clone());
        Next::Continue
    }
}

/// A whole training of one train step with two reference images; its adapter, and the wall time of the train step alone.
///
/// # Errors
/// The engine refuses, or a loss or gradient is not finite.
pub(crate) fn whole(base: &BaseModel, spec: &VicoSpec) -> anyhow::Result<(Adapter, f32, Phase)> {
    let photos = [photo(spec.image_size, 0)?, photo(spec.image_size, 1)?];
    let mut last = Last::default();
    let (adapter, cost) = measured(|| Ok(vico::train(base, spec, &photos, None, &mut last)?))?;
    let Some(report) = last.0 else {
        anyhow::bail!("the training made no report");
    };
    let phase = Phase {
        name: "training of one train step",
        cost,
        parts: Vec::new(),
    };
    Ok((adapter, report.seconds, phase))
}

/// An adapter nobody has trained, with which sampling costs what it costs with any other.
///
/// # Errors
/// The engine refuses.
pub(crate) fn untrained(base: &BaseModel, spec: &VicoSpec) -> anyhow::Result<Adapter> {
    let (_, groups) = variables(base, spec)?;
    let mut tensors = std::collections::BTreeMap::new();
    for parameter in groups.iter().flat_map(|group| &group.parameters) {
        tensors.insert(parameter.name.clone(), parameter.value.as_detached_tensor());
    }
    let name = tensors
        .remove("embedding")
        .map(|tensor| (format!("string_to_param.{}", spec.placeholder), tensor));
    tensors.extend(name);
    Ok(Adapter::new(
        "vico",
        &spec.placeholder,
        &spec.initializer,
        0,
        tensors,
    ))
}

/// Train steps on latents at hand, as in the middle of a training: the posteriors of the photos were made before.
pub(crate) struct Steps<'a> {
    base: &'a BaseModel,
    spec: &'a VicoSpec,
    learned: Learned,
    unet: vico_engine::models::unet::UNet,
    optimiser: AdamW,
}

impl<'a> Steps<'a> {
    /// # Errors
    /// The engine refuses.
    pub(crate) fn new(base: &'a BaseModel, spec: &'a VicoSpec) -> anyhow::Result<Self> {
        let (learned, groups) = variables(base, spec)?;
        let mut unet = base.unet.clone();
        unet.set_checkpointing(spec.checkpointing);
        Ok(Self {
            base,
            spec,
            learned,
            unet,
            optimiser: AdamW::new(AdamWSpec::default(), groups)?,
        })
    }

    /// # Errors
    /// The engine refuses.
    pub(crate) fn next(&mut self) -> anyhow::Result<()> {
        let pass = batch(self.base, self.spec, &self.learned)?.run(self.base, &self.unet, &self.learned)?;
        let loss = pass.loss(self.spec.reg_weight)?.sum_all()?;
        drop(pass);
        let store = loss.backward()?;
        drop(loss);
        let mut gradients = Gradients::default();
        gradients.add(store, self.optimiser.parameters(), 1)?;
        gradients.norms(self.optimiser.groups(), 1)?;
        Ok(self.optimiser.update(&gradients)?)
    }
}

/// The same train step, each part by itself.
///
/// # Errors
/// The engine refuses.
pub(crate) fn apart(base: &BaseModel, spec: &VicoSpec) -> anyhow::Result<Phase> {
    let (learned, groups) = variables(base, spec)?;
    let mut unet = base.unet.clone();
    unet.set_checkpointing(spec.checkpointing);
    let batch = batch(base, spec, &learned)?;
    let (_, text) = measured(|| Ok(learned.context(base, &batch.ids)?))?;
    let (loss, both) = measured(|| {
        let pass = batch.run(base, &unet, &learned)?;
        Ok(pass.loss(spec.reg_weight)?.sum_all()?)
    })?;
    // The pass runs the text encoder too; it cannot be asked for the rest alone.
    let forward = Cost {
        wall: both.wall - text.wall,
        cpu: both.cpu - text.cpu,
        ..both
    };
    let mut optimiser = AdamW::new(AdamWSpec::default(), groups)?;
    let (store, backward) = measured(|| Ok(loss.backward()?))?;
    drop(loss);
    let ((), update) = measured(|| {
        let mut gradients = Gradients::default();
        gradients.add(store, optimiser.parameters(), 1)?;
        gradients.norms(optimiser.groups(), 1)?;
        Ok(optimiser.update(&gradients)?)
    })?;
    let parts = vec![
        ("text encoder", text),
        ("U-Net forward, target and reference", forward),
        ("backward", backward),
        ("gradient norms and AdamW", update),
    ];
    Ok(Phase::of_parts("the train step, part by part", parts))
}

/// One picture to its posterior; a training does it once per reference image, not per train step.
///
/// # Errors
/// The engine refuses.
pub(crate) fn vae_encode(base: &BaseModel, size: usize) -> anyhow::Result<Phase> {
    let pixels = to_unit_range(&photo(size, 0)?, base.device())?.unsqueeze(0)?; // (1, 3, size, size)
    let (_, cost) = measured(|| Ok(base.vae.encode(&pixels)?))?;
    Ok(Phase {
        name: "VAE encode of one picture",
        cost,
        parts: Vec::new(),
    })
}

/// Everything ViCo trains, at its start values.
fn variables(base: &BaseModel, spec: &VicoSpec) -> anyhow::Result<(Learned, Vec<ParameterGroup>)> {
    let token = |word: &str| {
        let id = base.tokenizer.single_token(word)?;
        id.ok_or_else(|| anyhow::anyhow!("{word} is not one token"))
    };
    let embedding = Var::from_tensor(&base.text.embedding(token(&spec.initializer)?)?.unsqueeze(0)?)?;
    let mut parameters = vec![Parameter {
        name: "embedding".to_owned(),
        value: embedding.clone(),
    }];
    let image_attention = ImageAttention::new(&base.unet.config().sites(), |parameter| {
        let value = Var::from_tensor(&parameter.initial(spec.seed, &spec.concept, base.device())?)?;
        parameters.push(Parameter {
            name: parameter.name.clone(),
            value: value.clone(),
        });
        Ok(value.into_inner())
    })?;
    let learned = Learned {
        placeholder: token(&spec.placeholder)?,
        embedding: embedding.into_inner(),
        image_attention,
        use_mask: spec.use_mask,
    };
    let group = ParameterGroup {
        name: "all",
        lr: spec.lr_image_attention,
        parameters,
    };
    Ok((learned, vec![group]))
}

fn batch(base: &BaseModel, spec: &VicoSpec, learned: &Learned) -> anyhow::Result<Batch> {
    let encoded = base.tokenizer.encode(CAPTION)?;
    let columns = vec![columns(CAPTION, &encoded, learned.placeholder)?];
    let key = key(spec, 0);
    let (channels, h, w) = base.vae.latent_shape(spec.image_size);
    let normal = |purpose| -> candle_core::Result<Tensor> {
        key.stream(purpose, 0).normal((1, channels, h, w), &Device::Cpu)
    };
    Ok(Batch {
        clean: normal(Purpose::TargetPosterior)?,
        noise: normal(Purpose::TrainNoise)?,
        reference: normal(Purpose::ReferencePosterior)?,
        timesteps: vec![500],
        ids: vec![encoded.ids],
        columns,
    })
}

/// The key of image number `image`.
pub(crate) fn key(spec: &VicoSpec, image: u64) -> NoiseKey {
    NoiseKey {
        seed: spec.seed,
        concept: spec.concept.clone(),
        prompt: CAPTION.to_owned(),
        image,
    }
}
