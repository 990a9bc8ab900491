//! ViCo's noise-prediction loss of an adapter with every draw fixed, so that two adapters can be compared.

use candle_core::{Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::methods::vico::learned::{Learned, columns};
use vico_engine::methods::vico::pass::Batch;
use vico_engine::methods::vico::sample::reference_latents;

use crate::world::photos;

const TIMESTEPS: [usize; 5] = [100, 300, 500, 700, 900];

/// Mean over time steps and photos; the reference of each photo is the next one.
pub(crate) fn loss(base: &BaseModel, adapter: &Adapter) -> f32 {
    let learned = Learned::from_adapter(base, adapter).unwrap();
    let photos = photos();
    let latents: Vec<Tensor> = photos
        .iter()
        .map(|photo| reference_latents(base, photo).unwrap())
        .collect();
    let caption = format!("a photo of a {}", adapter.placeholder());
    let encoded = base.tokenizer.encode(&caption).unwrap();
    let columns = columns(&caption, &encoded, learned.placeholder).unwrap();
    let losses = TIMESTEPS.map(|timestep| {
        let noise: Vec<Tensor> = (0..photos.len())
            .map(|image| {
                let key = NoiseKey {
                    seed: timestep as u64,
                    concept: String::new(),
                    prompt: String::new(),
                    image: image as u64,
                };
                let mut stream = key.stream(Purpose::TrainNoise, 0);
                stream.normal(latents[image].dims(), &Device::Cpu).unwrap()
            })
            .collect();
        let mut references = latents.clone();
        references.rotate_left(1);
        let batch = Batch {
            clean: Tensor::cat(&latents, 0).unwrap(),
            noise: Tensor::cat(&noise, 0).unwrap(),
            reference: Tensor::cat(&references, 0).unwrap(),
            timesteps: vec![timestep; photos.len()],
            ids: vec![encoded.ids.clone(); photos.len()],
            columns: vec![columns; photos.len()],
        };
        let pass = batch.run(base, &base.unet, &learned).unwrap();
        pass.mse.mean_all().unwrap().to_scalar::<f32>().unwrap()
    });
    losses.iter().sum::<f32>() / losses.len() as f32
}
