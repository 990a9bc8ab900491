//! ViCo's training: which tensors learn, from which loss (vico-spec §5, §6).

use std::ops::Range;

use candle_core::Var;

use super::VicoSpec;
use super::dataset::Dataset;
use super::ica::ImageAttention;
use super::learned::{AdapterTensors, Learned, METHOD, USE_MASK};
use crate::adapter::Adapter;
use crate::base_model::BaseModel;
use crate::image::Rgb8;
use crate::methods::training::{
    AdamWSpec, Loss, Objective, Parameter, ParameterGroup, TrainPlan, TrainingState, Watch, run,
};
use crate::methods::words::{embedding_name, one_token};
use crate::models::unet::UNet;

/// Trains an adapter on `references`, from the start or from `resume`; one report to `watch` per train step. If `watch`
/// says stop, the result is what has been learned so far.
///
/// # Errors
/// The request makes no sense (a word of several tokens, no images, an impossible size), the state to resume from belongs
/// to another training, a tensor operation fails, or a loss or gradient is NaN or infinite.
pub fn train(
    base: &BaseModel,
    spec: &VicoSpec,
    references: &[Rgb8],
    resume: Option<TrainingState>,
    watch: &mut dyn Watch,
) -> crate::Result<Adapter> {
    spec.check()?;
    let training = Training::new(base, spec, references)?;
    let plan = TrainPlan {
        steps: spec.steps,
        batch: spec.batch,
        micro_batch: spec.micro_batch,
        optimiser: AdamWSpec {
            weight_decay: spec.weight_decay,
            ..AdamWSpec::default()
        },
        max_grad_norm: None,
    };
    run(&training, &plan, resume, watch)
}

struct Training<'a> {
    base: &'a BaseModel,
    spec: &'a VicoSpec,
    unet: UNet,
    dataset: Dataset<'a>,
    learned: Learned,
    groups: Vec<ParameterGroup>,
}

impl<'a> Training<'a> {
    fn new(base: &'a BaseModel, spec: &'a VicoSpec, references: &[Rgb8]) -> crate::Result<Self> {
        let placeholder = one_token(base, "placeholder", &spec.placeholder)?;
        let dataset = Dataset::new(base, spec, references, placeholder)?;
        let (learned, groups) = initial(base, spec, placeholder)?;
        let mut unet = base.unet.clone();
        unet.set_checkpointing(spec.checkpointing);
        Ok(Self {
            base,
            spec,
            unet,
            dataset,
            learned,
            groups,
        })
    }
}

/// The variables at their start values: S* is the initializer's embedding, the blocks are random.
fn initial(
    base: &BaseModel,
    spec: &VicoSpec,
    placeholder: u32,
) -> crate::Result<(Learned, Vec<ParameterGroup>)> {
    let initializer = one_token(base, "initializer", &spec.initializer)?;
    let start = base.text.embedding(initializer)?.unsqueeze(0)?; // (1, width)
    let embedding = Parameter {
        name: embedding_name(&spec.placeholder),
        value: Var::from_tensor(&start)?,
    };
    let mut blocks = Vec::new();
    let image_attention = ImageAttention::new(&base.unet.config().sites(), |parameter| {
        let value = Var::from_tensor(&parameter.initial(spec.seed, &spec.concept, base.device())?)?;
        blocks.push(Parameter {
            name: parameter.name.clone(),
            value: value.clone(),
        });
        Ok(value.into_inner())
    })?;
    let learned = Learned {
        placeholder,
        embedding: embedding.value.as_tensor().clone(),
        image_attention,
        use_mask: spec.use_mask,
    };
    let groups = vec![
        ParameterGroup {
            name: "embedding",
            lr: spec.lr_embedding,
            parameters: vec![embedding],
        },
        ParameterGroup {
            name: "image_attention",
            lr: spec.lr_image_attention,
            parameters: blocks,
        },
    ];
    Ok((learned, groups))
}

impl Objective for Training<'_> {
    fn name(&self) -> String {
        let VicoSpec {
            batch,
            lr_embedding,
            lr_image_attention,
            weight_decay,
            reg_weight,
            use_mask,
            ..
        } = self.spec;
        let VicoSpec {
            placeholder,
            initializer,
            image_size,
            seed,
            concept,
            ..
        } = self.spec;
        format!(
            "{METHOD} concept={concept:?} placeholder={placeholder:?} initializer={initializer:?} seed={seed} \
             size={image_size} batch={batch} lr={lr_embedding}/{lr_image_attention} decay={weight_decay} \
             regulariser={reg_weight} mask={use_mask}"
        )
    }

    fn groups(&self) -> Vec<ParameterGroup> {
        self.groups.clone()
    }

    fn loss(&self, step: usize, samples: Range<usize>) -> crate::Result<Loss> {
        let pass = self
            .dataset
            .batch(step, samples)?
            .run(self.base, &self.unet, &self.learned)?;
        let share = 1.0 / self.spec.batch as f64;
        let summed = |per_sample: candle_core::Tensor| (per_sample.sum_all()? * share)?.to_scalar::<f32>();
        Ok(Loss {
            total: (pass.loss(self.spec.reg_weight)?.sum_all()? * share)?,
            mse: summed(pass.mse.detach())?,
            regulariser: summed(pass.regulariser()?.detach())?,
        })
    }

    fn adapter(&self, steps_done: usize) -> crate::Result<Adapter> {
        let mut tensors = AdapterTensors::new();
        for parameter in self.groups.iter().flat_map(|group| &group.parameters) {
            tensors.insert(
                parameter.name.clone(),
                parameter.value.as_detached_tensor().copy()?,
            );
        }
        let VicoSpec {
            placeholder,
            initializer,
            ..
        } = self.spec;
        let adapter = Adapter::new(METHOD, placeholder, initializer, steps_done, tensors);
        Ok(adapter
            .with("vico.concept", &self.spec.concept)
            .with(USE_MASK, &self.spec.use_mask.to_string()))
    }
}
