//! A method with every setting written out.

use super::{Path, meant, named};
use crate::manifest::raw::{RawLr, RawMethod, RawPrior};
use crate::spec::{
    CustomDiffusionSettings, DreamboothSettings, LoraSettings, MethodSpec, PriorSettings,
    TextualInversionSettings, VicoSettings,
};

/// Writes every setting that is not written. What is written stays, also where another one turns it off: an axis may
/// turn it on.
pub(crate) fn write_out(raw: &mut RawMethod) {
    let Some(name) = named(raw) else { return };
    match meant::settings(raw, name, &Path::default(), &mut Vec::new()) {
        MethodSpec::Vico(settings) => vico(raw, settings),
        MethodSpec::TextualInversion(settings) => textual_inversion(raw, settings),
        MethodSpec::Dreambooth(settings) => dreambooth(raw, settings),
        MethodSpec::CustomDiffusion(settings) => custom_diffusion(raw, settings),
        MethodSpec::Lora(settings) => lora(raw, settings),
        MethodSpec::BaseModel(settings) => {
            raw.subject.get_or_insert(settings.subject);
        }
    }
}

fn vico(raw: &mut RawMethod, settings: VicoSettings) {
    everybodys(raw, settings.subject, (settings.steps, settings.batch));
    raw.lr.embedding.get_or_insert(settings.lr_embedding);
    raw.lr.image_attention.get_or_insert(settings.lr_image_attention);
    raw.weight_decay.get_or_insert(settings.weight_decay);
    raw.reg_weight.get_or_insert(settings.reg_weight);
    raw.mask.get_or_insert(settings.mask);
    raw.reference.get_or_insert_default();
}

fn textual_inversion(raw: &mut RawMethod, settings: TextualInversionSettings) {
    everybodys(raw, settings.subject, (settings.steps, settings.batch));
    raw.lr.embedding.get_or_insert(settings.lr_embedding);
    raw.weight_decay.get_or_insert(settings.weight_decay);
    raw.vectors.get_or_insert(settings.vectors);
}

fn dreambooth(raw: &mut RawMethod, settings: DreamboothSettings) {
    everybodys(raw, settings.subject, (settings.steps, settings.batch));
    raw.lr.unet.get_or_insert(settings.lr_unet);
    let RawLr { text_encoder, .. } = &mut raw.lr;
    *text_encoder = text_encoder.or(settings.lr_text_encoder);
    raw.text_encoder.get_or_insert(settings.lr_text_encoder.is_some());
    raw.weight_decay.get_or_insert(settings.weight_decay);
    raw.max_grad_norm.get_or_insert(settings.max_grad_norm);
    prior(raw, settings.prior);
}

fn custom_diffusion(raw: &mut RawMethod, settings: CustomDiffusionSettings) {
    everybodys(raw, settings.subject, (settings.steps, settings.batch));
    raw.lr.cross_attention.get_or_insert(settings.lr_cross_attention);
    raw.lr.embedding.get_or_insert(settings.lr_embedding);
    raw.weight_decay.get_or_insert(settings.weight_decay);
    raw.max_grad_norm.get_or_insert(settings.max_grad_norm);
    raw.augmentation.get_or_insert(settings.augmentation);
    prior(raw, settings.prior);
}

fn lora(raw: &mut RawMethod, settings: LoraSettings) {
    everybodys(raw, settings.subject, (settings.steps, settings.batch));
    raw.rank.get_or_insert(settings.rank);
    raw.alpha.get_or_insert(settings.alpha);
    raw.targets.get_or_insert(settings.targets);
    raw.lr.lora.get_or_insert(settings.lr_lora);
    raw.weight_decay.get_or_insert(settings.weight_decay);
    raw.max_grad_norm.get_or_insert(settings.max_grad_norm);
    prior(raw, settings.prior);
}

fn everybodys(raw: &mut RawMethod, subject: String, (steps, batch): (u32, u32)) {
    raw.subject.get_or_insert(subject);
    raw.steps.get_or_insert(steps);
    raw.batch.get_or_insert(batch);
}

fn prior(raw: &mut RawMethod, settings: Option<PriorSettings>) {
    let written: &mut RawPrior = raw.prior.get_or_insert_default();
    let Some(settings) = settings else {
        written.weight.get_or_insert(0.0);
        return;
    };
    written.weight.get_or_insert(settings.weight);
    written.class_images.get_or_insert(settings.class_images);
    written.prompt.get_or_insert(settings.prompt);
    written.steps.get_or_insert(settings.steps);
    written.guidance.get_or_insert(settings.guidance);
    written.eta.get_or_insert(settings.eta);
    written.seed.get_or_insert(settings.seed);
}
