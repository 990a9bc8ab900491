//! Every method on a base model in bfloat16: what it trains is f32, and as good as on one in f32.

use candle_core::{DType, Device};
use vico_engine::base_model::BaseModel;
use vico_engine::methods::Personalised;
use vico_engine::weights::Precision;

use crate::adapters::changed;
use crate::rig::{Method, Recorder, base, fixture, recipe, sample_spec};

#[test]
fn every_method_trains_and_draws() {
    let half = BaseModel::load_in(Some(Precision::Bf16), &fixture("tiny-sd"), None, &Device::Cpu).unwrap();
    for method in Method::ALL {
        let (mut watch, mut wide) = (Recorder::default(), Recorder::default());
        let adapter = method.train_on(&half, recipe(2), None, &mut watch).unwrap();
        method.train_on(base(), recipe(2), None, &mut wide).unwrap();
        assert_eq!((watch.reports.len(), wide.reports.len()), (2, 2));
        for (report, wide) in watch.reports.iter().zip(&wide.reports) {
            let off = (report.loss / wide.loss - 1.0).abs();
            assert!(off < 2e-2, "{method:?}: {} beside {}", report.loss, wide.loss);
        }
        for (name, tensor) in adapter.tensors() {
            assert_eq!(tensor.dtype(), DType::F32, "{method:?}: {name}");
        }
        let spec = sample_spec(method.prompt());
        let drawn = |base| {
            let personalised = Personalised::open(base, &adapter).unwrap();
            personalised
                .sample(&spec, &mut Recorder::default())
                .unwrap()
                .remove(0)
        };
        let (half, wide) = (drawn(&half), drawn(base()));
        let gaps = half
            .data()
            .iter()
            .zip(wide.data())
            .map(|(a, b)| f64::from(a.abs_diff(*b)));
        let mean = gaps.sum::<f64>() / half.data().len() as f64;
        assert!(mean < 4.0, "{method:?}: pixels differ by {mean} of 255");
    }
}

/// A thousandth of a weight is less than bf16 can add to it.
#[test]
fn small_differences_are_not_rounded_away() {
    let half = BaseModel::load_in(Some(Precision::Bf16), &fixture("tiny-sd"), None, &Device::Cpu).unwrap();
    let drawn = |share: f64| {
        let adapter = changed(&Method::DreamBooth.trained(), |tensors| {
            for (name, difference) in tensors {
                let base = name.strip_prefix("unet.").map(|name| &half.unet_tensors()[name]);
                let share = if difference.rank() > 1 { share } else { 0.0 };
                *difference = match base {
                    Some(base) => (base.to_dtype(DType::F32).unwrap() * share).unwrap(),
                    None => difference.zeros_like().unwrap(),
                };
            }
        });
        let personalised = Personalised::open(&half, &adapter).unwrap();
        let spec = sample_spec(Method::DreamBooth.prompt());
        personalised.sample(&spec, &mut Recorder::default()).unwrap()[0]
            .data()
            .to_vec()
    };
    assert_ne!(drawn(1e-3), drawn(0.0));
}
