//! ViCo on a base model in bfloat16.

use candle_core::{DType, Device};
use vico_engine::base_model::BaseModel;
use vico_engine::methods::vico::train;
use vico_engine::weights::Precision;

use crate::tiny::{Recorder, base, fixture, photos, spec};

/// Two steps on the same draws: losses, and the gradients of the same start, are near those on a base model in f32.
#[test]
fn it_trains_the_same_way() {
    let half = BaseModel::load_in(Some(Precision::Bf16), &fixture("tiny-sd"), None, &Device::Cpu).unwrap();
    let run = |base| {
        let mut watch = Recorder::default();
        let adapter = train(base, &spec(), &photos(3), None, &mut watch).unwrap();
        (adapter, watch.reports)
    };
    let ((adapter, half), (_, wide)) = (run(&half), run(base()));
    let near = |a: f32, b: f32| (a / b - 1.0).abs() < 5e-2;
    assert_eq!((half.len(), wide.len()), (2, 2));
    assert!(!half[0].grad_norms.is_empty());
    for (half, wide) in half.iter().zip(&wide) {
        assert!(near(half.loss, wide.loss), "{} beside {}", half.loss, wide.loss);
    }
    for ((group, half), (_, wide)) in half[0].grad_norms.iter().zip(&wide[0].grad_norms) {
        assert!(near(*half, *wide), "{group}: {half} beside {wide}");
    }
    for (name, tensor) in adapter.tensors() {
        assert_eq!(tensor.dtype(), DType::F32, "{name}");
    }
}
