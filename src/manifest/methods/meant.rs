//! The effective settings of a method: what is written, and each method's own defaults for the rest.

use crate::manifest::error::Kind;
use crate::manifest::finding::Finding;
use crate::manifest::path::Path;
use crate::manifest::raw::{RawMethod, RawPrior};
use crate::spec::{
    BaseModelSettings, CustomDiffusionSettings, DreamboothSettings, LoraSettings, MethodName, MethodSpec,
    PriorSettings, ReferencePolicy, TextualInversionSettings, VicoSettings,
};

pub(super) fn settings(
    raw: &RawMethod,
    name: MethodName,
    path: &Path,
    found: &mut Vec<Finding>,
) -> MethodSpec {
    match name {
        MethodName::Vico => MethodSpec::Vico(vico(raw, path, found)),
        MethodName::TextualInversion => MethodSpec::TextualInversion(textual_inversion(raw)),
        MethodName::Dreambooth => MethodSpec::Dreambooth(dreambooth(raw, path, found)),
        MethodName::CustomDiffusion => MethodSpec::CustomDiffusion(custom_diffusion(raw, path, found)),
        MethodName::Lora => MethodSpec::Lora(lora(raw, path, found)),
        MethodName::BaseModel => MethodSpec::BaseModel(base_model(raw)),
    }
}

fn vico(raw: &RawMethod, path: &Path, found: &mut Vec<Finding>) -> VicoSettings {
    let default = VicoSettings::default();
    let reference = raw.reference.clone().unwrap_or_default();
    if reference.policy == ReferencePolicy::Cycle && reference.index != 0 {
        let path = path.key("reference").key("index");
        let help = "remove it, or set `policy: fixed`";
        found.push(
            Finding::new(&path, Kind::BadValue, "`index` is not used by the policy `cycle`").help(help),
        );
    }
    VicoSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
        steps: raw.steps.unwrap_or(default.steps),
        batch: raw.batch.unwrap_or(default.batch),
        lr_embedding: raw.lr.embedding.unwrap_or(default.lr_embedding),
        lr_image_attention: raw.lr.image_attention.unwrap_or(default.lr_image_attention),
        weight_decay: raw.weight_decay.unwrap_or(default.weight_decay),
        reg_weight: raw.reg_weight.unwrap_or(default.reg_weight),
        mask: raw.mask.unwrap_or(default.mask),
        reference_policy: reference.policy,
        reference_index: reference.index,
    }
}

fn textual_inversion(raw: &RawMethod) -> TextualInversionSettings {
    let default = TextualInversionSettings::default();
    TextualInversionSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
        steps: raw.steps.unwrap_or(default.steps),
        batch: raw.batch.unwrap_or(default.batch),
        lr_embedding: raw.lr.embedding.unwrap_or(default.lr_embedding),
        weight_decay: raw.weight_decay.unwrap_or(default.weight_decay),
        vectors: raw.vectors.unwrap_or(default.vectors),
    }
}

fn dreambooth(raw: &RawMethod, path: &Path, found: &mut Vec<Finding>) -> DreamboothSettings {
    let default = DreamboothSettings::default();
    let trains_text = raw.text_encoder.unwrap_or(default.lr_text_encoder.is_some());
    if !trains_text && raw.lr.text_encoder.is_some() {
        let path = path.key("lr").key("text_encoder");
        let message = "the text encoder is not trained, so it has no learning rate";
        let finding = Finding::new(&path, Kind::BadValue, message);
        found.push(finding.help("remove it, or set `text_encoder: true`"));
    }
    let lr_text_encoder = raw.lr.text_encoder.or(default.lr_text_encoder);
    DreamboothSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
        steps: raw.steps.unwrap_or(default.steps),
        batch: raw.batch.unwrap_or(default.batch),
        lr_unet: raw.lr.unet.unwrap_or(default.lr_unet),
        lr_text_encoder: lr_text_encoder.filter(|_| trains_text),
        weight_decay: raw.weight_decay.unwrap_or(default.weight_decay),
        max_grad_norm: raw.max_grad_norm.unwrap_or(default.max_grad_norm),
        prior: prior(raw.prior.as_ref(), default.prior.as_ref(), path, found),
    }
}

fn custom_diffusion(raw: &RawMethod, path: &Path, found: &mut Vec<Finding>) -> CustomDiffusionSettings {
    let default = CustomDiffusionSettings::default();
    CustomDiffusionSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
        steps: raw.steps.unwrap_or(default.steps),
        batch: raw.batch.unwrap_or(default.batch),
        lr_cross_attention: raw.lr.cross_attention.unwrap_or(default.lr_cross_attention),
        lr_embedding: raw.lr.embedding.unwrap_or(default.lr_embedding),
        weight_decay: raw.weight_decay.unwrap_or(default.weight_decay),
        max_grad_norm: raw.max_grad_norm.unwrap_or(default.max_grad_norm),
        augmentation: raw.augmentation.unwrap_or(default.augmentation),
        prior: prior(raw.prior.as_ref(), default.prior.as_ref(), path, found),
    }
}

fn lora(raw: &RawMethod, path: &Path, found: &mut Vec<Finding>) -> LoraSettings {
    let default = LoraSettings::default();
    let mut targets = raw.targets.clone().unwrap_or(default.targets);
    targets.sort_unstable();
    targets.dedup();
    LoraSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
        steps: raw.steps.unwrap_or(default.steps),
        batch: raw.batch.unwrap_or(default.batch),
        rank: raw.rank.unwrap_or(default.rank),
        alpha: raw.alpha.unwrap_or(default.alpha),
        targets,
        lr_lora: raw.lr.lora.unwrap_or(default.lr_lora),
        weight_decay: raw.weight_decay.unwrap_or(default.weight_decay),
        max_grad_norm: raw.max_grad_norm.unwrap_or(default.max_grad_norm),
        prior: prior(raw.prior.as_ref(), default.prior.as_ref(), path, found),
    }
}

fn base_model(raw: &RawMethod) -> BaseModelSettings {
    let default = BaseModelSettings::default();
    BaseModelSettings {
        subject: raw.subject.clone().unwrap_or(default.subject),
    }
}

/// The prior loss, unless its weight is 0. A weight turns it on where it is off by default.
fn prior(
    raw: Option<&RawPrior>,
    default: Option<&PriorSettings>,
    path: &Path,
    found: &mut Vec<Finding>,
) -> Option<PriorSettings> {
    let raw = raw.cloned().unwrap_or_default();
    let weight = raw
        .weight
        .or(default.map(|prior| prior.weight))
        .filter(|weight| *weight > 0.0)?;
    let rest = PriorSettings::default();
    let prompt = raw.prompt.unwrap_or(rest.prompt);
    if prompt.replace("{class}", "thing").contains(['{', '}']) || prompt.trim().is_empty() {
        let path = path.key("prior").key("prompt");
        let message = format!("`{prompt}` cannot be the prompt of class images");
        let help = "write plain words, with `{class}` for the class word: \"a photo of a {class}\"";
        found.push(Finding::new(&path, Kind::BadPrompt, message).help(help));
    }
    Some(PriorSettings {
        weight,
        class_images: raw.class_images.unwrap_or(rest.class_images),
        prompt,
        steps: raw.steps.unwrap_or(rest.steps),
        guidance: raw.guidance.unwrap_or(rest.guidance),
        eta: raw.eta.unwrap_or(rest.eta),
        seed: raw.seed.unwrap_or(rest.seed),
    })
}
