//! Sampling: the shared reference branch changes nothing, images do not depend on each other, broken images are refused.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use vico_engine::adapter::Adapter;
use vico_engine::diffusion::{Ddim, Purpose};
use vico_engine::image::Rgb8;
use vico_engine::kernels::Mask;
use vico_engine::methods::Next;
use vico_engine::methods::sampling::{Denoise, NoisePredictor, Prediction, SampleSpec, images};
use vico_engine::methods::vico::branches::{Branches, Columns};
use vico_engine::methods::vico::sample::TwoBranches;
use vico_engine::methods::vico::{sample, train};

use crate::tiny::{Recorder, base, concept, key, largest, normal, photos, relative, sample_spec, spec};

fn adapter() -> Adapter {
    train(base(), &spec(), &photos(2), None, &mut Recorder::default()).unwrap()
}

fn make(spec: &SampleSpec) -> Vec<Rgb8> {
    sample(base(), &adapter(), &photos(1)[0], spec, &mut Recorder::default()).unwrap()
}

fn largest_difference(left: &Rgb8, right: &Rgb8) -> u8 {
    left.data()
        .iter()
        .zip(right.data())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap()
}

/// Both branches in full for every image and both texts, nothing shared, masked instead of gathered.
struct Uncached<'a> {
    learned: &'a vico_engine::methods::vico::learned::Learned,
    context: Tensor,
    reference: Tensor,
    columns: Columns,
}

impl NoisePredictor for Uncached<'_> {
    fn prepare(&mut self, _timestep: usize) -> vico_engine::Result<()> {
        Ok(())
    }

    fn predict(&self, timestep: usize, latents: &Tensor) -> vico_engine::Result<Prediction> {
        let images = latents.dim(0)?;
        let noise = |text: usize| {
            let context = self.context.narrow(0, text, 1)?.repeat((2 * images, 1, 1))?;
            let rows = Tensor::cat(&[latents, &self.reference.repeat((images, 1, 1, 1))?], 0)?;
            let columns = vec![self.columns; images];
            let mut branches = Branches::new(&self.learned.image_attention, &columns, true);
            base()
                .unet
                .forward(&rows, &vec![timestep as f64; 2 * images], &context, &mut branches)
        };
        Ok(Prediction {
            unconditional: noise(0)?,
            conditional: noise(1)?,
        })
    }
}

fn walk(predictor: &mut dyn NoisePredictor, images: usize, batch: usize) -> Tensor {
    let ddim = Ddim::new(&base().schedule, 4, 0.0).unwrap();
    let denoise = Denoise {
        ddim: &ddim,
        guidance: 7.5,
        batch,
    };
    let no_noise = |_| candle_core::bail!("eta is 0");
    let start = normal(Purpose::InitialLatents, images);
    denoise
        .run(predictor, start, &no_noise, &mut |_, _| Next::Continue)
        .unwrap()
}

#[test]
fn the_shared_reference_branch_equals_both_branches_in_full() {
    let concept = concept();
    let reference = normal(Purpose::ReferencePosterior, 1);
    let ids = ["", "a red *"].map(|prompt| base().tokenizer.encode(prompt).unwrap());
    let columns = Columns {
        placeholder: 3,
        end_of_text: 4,
    };
    assert_eq!(ids[1].eot, 4);
    let mut uncached = Uncached {
        learned: &concept.learned,
        context: concept
            .learned
            .context(base(), &ids.map(|encoded| encoded.ids))
            .unwrap(),
        reference: reference.clone(),
        columns,
    };
    let mut cached = TwoBranches::new(base(), &concept.learned, &sample_spec(3), &reference).unwrap();
    let difference = relative(&walk(&mut cached, 3, 3), &walk(&mut uncached, 3, 1));
    assert!(difference < 2e-5, "{difference}");
}

#[test]
fn the_batch_split_does_not_matter() {
    let concept = concept();
    let reference = normal(Purpose::ReferencePosterior, 1);
    let mut predictor = TwoBranches::new(base(), &concept.learned, &sample_spec(3), &reference).unwrap();
    let whole = walk(&mut predictor, 3, 3);
    for batch in [1, 2] {
        let difference = relative(&walk(&mut predictor, 3, batch), &whole);
        assert!(difference < 2e-5, "{batch}: {difference}");
    }
}

/// An image is a function of its key: it neither depends on its companions nor on their number.
#[test]
fn an_image_does_not_depend_on_its_companions() {
    let together = make(&sample_spec(3));
    let alone = make(&SampleSpec {
        images: vec![key(2)],
        ..sample_spec(3)
    });
    assert!(largest_difference(&together[2], &alone[0]) <= 1);
    assert_ne!(together[0].data(), together[1].data());
    assert_eq!((together[0].width(), together[0].height()), (128, 128));
}

#[test]
fn fresh_noise_is_keyed_too() {
    let spec = |batch| SampleSpec {
        eta: 1.0,
        batch,
        ..sample_spec(2)
    };
    let (whole, split) = (make(&spec(2)), make(&spec(1)));
    assert!(
        whole
            .iter()
            .zip(&split)
            .all(|(a, b)| largest_difference(a, b) <= 1)
    );
    assert!(
        largest_difference(&whole[0], &make(&sample_spec(1))[0]) > 1,
        "eta changes the image"
    );
}

/// A prompt without placeholder takes the end of text's map for the mask.
#[test]
fn a_prompt_without_placeholder_can_be_sampled() {
    let spec = SampleSpec {
        prompt: "a red dog".to_owned(),
        ..sample_spec(1)
    };
    assert_eq!(make(&spec).len(), 1);
}

#[test]
fn a_watcher_can_end_it() {
    let mut recorder = Recorder {
        stop_after: Some(2),
        ..Recorder::default()
    };
    let error = sample(base(), &adapter(), &photos(1)[0], &sample_spec(1), &mut recorder).unwrap_err();
    assert_eq!(error.to_string(), "stopped after denoise step 2 of 4");
    let mut recorder = Recorder {
        stop_after: Some(4),
        ..Recorder::default()
    };
    assert!(sample(base(), &adapter(), &photos(1)[0], &sample_spec(1), &mut recorder).is_ok());
}

#[test]
fn no_images_and_no_batch_are_refused() {
    let refusal = |spec: &SampleSpec| {
        sample(base(), &adapter(), &photos(1)[0], spec, &mut Recorder::default())
            .unwrap_err()
            .to_string()
    };
    assert!(
        refusal(&SampleSpec {
            batch: 0,
            ..sample_spec(1)
        })
        .starts_with("batch must be at least 1")
    );
    assert!(refusal(&sample_spec(0)).starts_with("images must be at least 1"));
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let image = |value: f32| Tensor::full(value, (3, 4, 4), &Device::Cpu).unwrap();
    assert!(images::checked(&image(0.0), &key(7)).is_ok());
    let black = images::checked(&image(-1.5), &key(7)).unwrap_err().to_string();
    assert_eq!(black, "image 7 of the prompt `a red *` is entirely black");
    for broken in [f32::NAN, f32::INFINITY] {
        let error = images::checked(&image(broken), &key(7)).unwrap_err().to_string();
        assert_eq!(error, "image 7 of the prompt `a red *` is not finite");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Leaving masked reference tokens out is the same as masking them.
    #[test]
    fn gathered_tokens_equal_masked_tokens(mask in proptest::collection::vec(any::<bool>(), 16)) {
        prop_assume!(mask.iter().any(|kept| *kept));
        let concept = concept();
        let site = &base().unet.config().sites()[8];
        let block = concept.learned.image_attention.block(site).unwrap();
        let tokens = key(0).stream(Purpose::TrainNoise, 0).normal((1, 16, site.width), &Device::Cpu).unwrap();
        let reference = key(1).stream(Purpose::TrainNoise, 0).normal((1, 16, site.width), &Device::Cpu).unwrap();
        let kept: Vec<u32> = (0..16).filter(|i| mask[*i as usize]).collect();
        let keys: Vec<u8> = mask.iter().map(|kept| u8::from(*kept)).collect();
        let keys = Tensor::from_vec(keys, (1, 16), &Device::Cpu).unwrap();
        let masked = block.key_values(&reference).unwrap();
        let masked = block.forward(&tokens, &masked, Mask::Keys(&keys)).unwrap();
        let kept = Tensor::from_vec(kept.clone(), kept.len(), &Device::Cpu).unwrap();
        let gathered = block.key_values(&reference.index_select(&kept, 1).unwrap()).unwrap();
        let gathered = block.forward(&tokens, &gathered, Mask::None).unwrap();
        prop_assert!(largest(&(masked - gathered).unwrap()) < 2e-6);
    }
}
