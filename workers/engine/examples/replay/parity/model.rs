//! `tiny-sd/`: the base model of the set, and its VAE on the set's pictures.

use std::path::Path;

use anyhow::Result;
use candle_core::{Device, Tensor};
use vico_engine::base_model::BaseModel;
use vico_engine::image::{Rgb8, to_unit_range};

use super::Ledger;
use super::golden::Golden;
use super::ledger::Tolerance::Abs;

pub(crate) fn load(dir: &Path) -> Result<BaseModel> {
    Ok(BaseModel::load(&dir.join("tiny-sd"), None, &Device::Cpu)?)
}

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let base = load(dir)?;
    let train = Golden::open(&dir.join("vico_train/inputs.safetensors"))?;
    let photos = train.get("photos_u8_first2")?;
    let count = photos.dim(0)?;
    let latents: Vec<Tensor> = (0..count)
        .map(|i| encode(&base, &picture(&photos.get(i)?)?))
        .collect::<Result<_>>()?;
    let latents = Tensor::cat(&latents, 0)?;
    ledger.tensors(
        "tiny-sd.vae.photos",
        &latents,
        &train.get("latents")?.narrow(0, 0, count)?,
        Abs(5e-5),
    );
    let vico = Golden::open(&dir.join("vico/inputs.safetensors"))?;
    ledger.tensors("tiny-sd.vae.z0", &latents, vico.get("z0")?, Abs(5e-5));
    let sample = Golden::open(&dir.join("vico_sample/inputs.safetensors"))?;
    let reference = encode(&base, &picture(sample.get("ref_u8")?)?)?;
    ledger.tensors(
        "tiny-sd.vae.reference",
        &reference,
        sample.get("ref_latent")?,
        Abs(5e-5),
    );
    let ids = sample.ids("uncond_input_ids")?;
    ledger.tensors(
        "tiny-sd.text.empty",
        &base.text.forward(&ids, &[])?,
        sample.get("context_uncond")?,
        Abs(2e-5),
    );
    Ok(())
}

/// Bytes (h, w, 3) as a picture.
fn picture(bytes: &Tensor) -> Result<Rgb8> {
    let (height, width, _) = bytes.dims3()?;
    Ok(Rgb8::new(width, height, bytes.flatten_all()?.to_vec1()?)?)
}

/// The scaled posterior mean of a picture, (1, 4, h, w).
fn encode(base: &BaseModel, picture: &Rgb8) -> Result<Tensor> {
    let pixels = to_unit_range(picture, &Device::Cpu)?.unsqueeze(0)?;
    Ok((base.vae.encode(&pixels)?.mean * base.vae.scaling_factor())?)
}
