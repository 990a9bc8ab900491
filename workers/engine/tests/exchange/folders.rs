//! DreamBooth: a whole model out of the base model's folder, and back.

use std::collections::BTreeMap;
use std::fs;

use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;
use vico_engine::adapter::{Adapter, BASE, VARIANT};
use vico_engine::base_model::BaseModel;
use vico_engine::exchange::{Facts, Format, Method, dreambooth, export, import};
use vico_engine::methods::Personalised;

use crate::rig::{adapter, base, bits, tiny};

fn rebuilt(adapter: &Adapter) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    dreambooth::export(adapter, &tiny(), &out).unwrap();
    (folder, out)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn the_folder_is_the_base_model_plus_the_difference() {
    let adapter = adapter(Method::Dreambooth);
    let (_folder, out) = rebuilt(&adapter);
    let model = BaseModel::load(&out, None, &Device::Cpu).unwrap();
    for (name, trained) in model.unet_tensors() {
        let difference = &adapter.tensors()[&format!("unet.{name}")];
        let sum = (&base().unet_tensors()[name] + difference).unwrap();
        assert_eq!(values(trained), values(&sum), "{name}");
    }
    for (name, trained) in model.text_tensors() {
        let difference = &adapter.tensors()[&format!("text_encoder.{name}")];
        let sum = (&base().text_tensors()[name] + difference).unwrap();
        assert_eq!(values(trained), values(&sum), "{name}");
    }
    for same in [
        "model_index.json",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/vocab.json",
        "unet/config.json",
    ] {
        assert_eq!(
            fs::read(out.join(same)).unwrap(),
            fs::read(tiny().join(same)).unwrap(),
            "{same}"
        );
    }
}

#[test]
fn a_model_comes_back_as_its_difference_and_says_what_was_rounded() {
    let start = adapter(Method::Dreambooth);
    let (_folder, out) = rebuilt(&start);
    let back = dreambooth::import(&out, &tiny(), &Facts::default()).unwrap();
    assert_eq!(
        back.adapter.metadata(),
        start.metadata(),
        "the header of the U-Net carries the facts"
    );
    let (model, again) = (
        BaseModel::load(&out, None, &Device::Cpu).unwrap(),
        rebuilt(&back.adapter),
    );
    let again = BaseModel::load(&again.1, None, &Device::Cpu).unwrap();
    let (mut missed, mut most) = (0, 0f32);
    for (name, trained) in model.unet_tensors().iter().chain(model.text_tensors()) {
        let other = again
            .unet_tensors()
            .get(name)
            .unwrap_or_else(|| &again.text_tensors()[name]);
        for (one, other) in values(trained).into_iter().zip(values(other)) {
            missed += usize::from(one.to_bits() != other.to_bits());
            most = most.max((one - other).abs());
        }
    }
    // One rounding of a weight of at most a few units.
    assert!(most < 1e-6, "{most}");
    match back.remarks.as_slice() {
        [] => assert_eq!(missed, 0),
        [remark] => assert!(
            remark.contains(&format!(" {missed} are kept up to rounding")),
            "{missed}: {remark}"
        ),
        more => panic!("{more:?}"),
    }
}

#[test]
fn an_untouched_text_encoder_is_left_out_both_ways() {
    let whole = adapter(Method::Dreambooth);
    let mut tensors = whole.tensors().clone();
    tensors.retain(|name, _| name.starts_with("unet."));
    let unet_only = Adapter::new("dreambooth", "", "", 400, tensors);
    let (_folder, out) = rebuilt(&unet_only);
    let same = "text_encoder/model.safetensors";
    assert_eq!(
        fs::read(out.join(same)).unwrap(),
        fs::read(tiny().join(same)).unwrap()
    );
    let back = dreambooth::import(&out, &tiny(), &Facts::default())
        .unwrap()
        .adapter;
    assert!(bits(&back).keys().all(|name| name.starts_with("unet.")));
    Personalised::open(base(), &back).unwrap();
}

/// The tiny model with its weights as the variant `fp16`, and other weights of the VAE under the plain name.
fn of_variant() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] {
        fs::create_dir(folder.path().join(part)).unwrap();
        for file in fs::read_dir(tiny().join(part)).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let name = name.replace(".safetensors", ".fp16.safetensors");
            fs::copy(file.path(), folder.path().join(part).join(name)).unwrap();
        }
    }
    let other = folder.path().join("vae/diffusion_pytorch_model.safetensors");
    fs::write(other, "another precision").unwrap();
    // Whoever loads a folder takes safetensors first, whatever they are called.
    fs::write(folder.path().join("unet/model.safetensors"), "another precision").unwrap();
    folder
}

/// Whoever loads the folder need not know what it was made of.
#[test]
fn a_model_trained_on_a_variant_has_plain_names_and_comes_back() {
    let base = of_variant();
    let adapter = adapter(Method::Dreambooth).with(VARIANT, "fp16");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    dreambooth::export(&adapter, base.path(), &out).unwrap();
    BaseModel::load(&out, None, &Device::Cpu).unwrap();
    let vae = "vae/diffusion_pytorch_model.safetensors";
    assert_eq!(
        fs::read(out.join(vae)).unwrap(),
        fs::read(tiny().join(vae)).unwrap()
    );
    let left =
        ["unet", "vae", "text_encoder"].map(|network| fs::read_dir(out.join(network)).unwrap().count());
    assert_eq!(left, [2, 2, 2], "the weights and their config.json");

    assert_eq!(dreambooth::variant(&out).as_deref(), Some("fp16"));
    let back = dreambooth::import(&out, base.path(), &Facts::default()).unwrap();
    assert_eq!(back.adapter.metadata(), adapter.metadata());
    let told = Facts {
        variant: Some("bf16".to_owned()),
        ..Facts::default()
    };
    let refused = dreambooth::import(&out, base.path(), &told).unwrap_err();
    assert!(
        refused.to_string().contains("model.bf16.safetensors"),
        "{refused}"
    );
    let without = Adapter::new("dreambooth", "", "", 400, adapter.tensors().clone());
    let elsewhere = folder.path().join("elsewhere");
    let refused = dreambooth::export(&without, base.path(), &elsewhere).unwrap_err();
    assert!(refused.to_string().contains("no weights here"), "{refused}");
}

/// What the header says of the base model is no longer true once the user names other files of it.
#[test]
fn a_variant_that_the_user_names_is_another_base_model() {
    let base = of_variant();
    let told = |variant: &str| Facts {
        variant: Some(variant.to_owned()),
        ..Facts::default()
    };
    let (_folder, out) = rebuilt(&adapter(Method::Dreambooth));
    let back = dreambooth::import(&out, base.path(), &told("fp16"))
        .unwrap()
        .adapter;
    assert_eq!((back.variant(), back.metadata().get(BASE)), (Some("fp16"), None));

    let files = export(&adapter(Method::Lora).with(VARIANT, "fp16"), Format::Kohya, None).unwrap();
    let base_of = |variant: &str| {
        let back = import(Format::Kohya, &files, &told(variant)).unwrap().adapter;
        back.metadata().get(BASE).cloned()
    };
    assert_eq!(base_of("fp16").as_deref(), Some("c0ffee"));
    assert_eq!(base_of("bf16"), None);
}

#[test]
fn a_variant_cannot_lead_out_of_the_folder() {
    let astray = adapter(Method::Lora).with(VARIANT, "../../fp16");
    let refused = Adapter::from_bytes(&astray.to_bytes().unwrap(), &Device::Cpu).unwrap_err();
    assert!(refused.to_string().contains("`vico.variant`"), "{refused}");
    let files = export(&astray, Format::Kohya, None).unwrap();
    let refused = import(Format::Kohya, &files, &Facts::default()).unwrap_err();
    assert!(refused.to_string().contains("`vico.variant`"), "{refused}");
}

#[test]
fn what_does_not_fit_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let refused = |adapter: &Adapter| {
        dreambooth::export(adapter, &tiny(), &out)
            .unwrap_err()
            .to_string()
    };
    let whole = adapter(Method::Dreambooth);
    let changed = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let mut tensors = whole.tensors().clone();
        change(&mut tensors);
        refused(&Adapter::new("dreambooth", "", "", 1, tensors))
    };
    let odd = Tensor::zeros((3, 5), DType::F32, &Device::Cpu).unwrap();
    let missing = changed(&|tensors| drop(tensors.remove("unet.conv_in.weight")));
    assert!(missing.contains("unet.conv_in.weight"), "{missing}");
    let misshapen = changed(&|tensors| drop(tensors.insert("unet.conv_in.weight".to_owned(), odd.clone())));
    assert!(misshapen.contains("its shape is [3, 5]"), "{misshapen}");
    let more = changed(&|tensors| drop(tensors.insert("vae.x".to_owned(), odd.clone())));
    assert!(more.contains("vae.x"), "{more}");
    assert!(refused(&adapter(Method::Lora)).contains("only DreamBooth"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let nowhere = dreambooth::import(folder.path(), &tiny(), &Facts::default()).unwrap_err();
    assert!(nowhere.to_string().contains("no tokenizer here"), "{nowhere}");
}
