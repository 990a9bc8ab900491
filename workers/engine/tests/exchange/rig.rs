//! An adapter of every method that fits the tiny Stable Diffusion, its tensors drawn at random.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::diffusion::{NoiseKey, Purpose};
use vico_engine::exchange::{Facts, File, Format, Imported, Method, export, import};
use vico_engine::methods::{custom_diffusion, lora, vico};

/// Width of the tiny text encoder.
pub(crate) const WIDTH: usize = 32;
pub(crate) const RANK: usize = 2;

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/tiny-sd")
}

pub(crate) fn base() -> &'static BaseModel {
    static BASE: OnceLock<BaseModel> = OnceLock::new();
    BASE.get_or_init(|| BaseModel::load(&tiny(), None, &Device::Cpu).unwrap())
}

/// Normal values that depend on the name, with a few that text or another precision would not keep.
pub(crate) fn drawn(name: &str, shape: &[usize]) -> Tensor {
    let key = NoiseKey {
        seed: 7,
        concept: "exchange".to_owned(),
        prompt: name.to_owned(),
        image: 0,
    };
    let tensor = key
        .stream(Purpose::InitialWeights, 0)
        .normal(shape, &Device::Cpu)
        .unwrap();
    let mut values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (value, special) in values
        .iter_mut()
        .zip([-0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, 1.0 / 3.0])
    {
        *value = special;
    }
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// An adapter with everything in its header that training writes.
pub(crate) fn adapter(method: Method) -> Adapter {
    let (word, initializer) = match method {
        Method::Dreambooth | Method::Lora => ("", ""),
        _ => ("*", "dog"),
    };
    let shapes = shapes(method);
    let tensors: BTreeMap<String, Tensor> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let tensor = drawn(&name, &shape);
            // A difference is small; the sum with a weight must stay finite.
            let small = if method == Method::Dreambooth {
                (tensor.clamp(-1f32, 1f32).unwrap() * 1e-2).unwrap()
            } else {
                tensor
            };
            (name, small)
        })
        .collect();
    let adapter = Adapter::new(method.name(), word, initializer, 400, tensors).with("vico.base", "c0ffee");
    match method {
        Method::Vico => adapter.with("vico.concept", "dog5").with("vico.use_mask", "true"),
        Method::Lora => adapter
            .with("vico.instance_prompt", "a photo of sks dog")
            .with("vico.lora_alpha", "4")
            .with("vico.lora_rank", "2"),
        Method::Dreambooth => adapter.with("vico.instance_prompt", "a photo of sks dog"),
        Method::TextualInversion | Method::CustomDiffusion => adapter,
    }
}

fn shapes(method: Method) -> Vec<(String, Vec<usize>)> {
    let config = base().unet.config();
    let word = |vectors| ("string_to_param.*".to_owned(), vec![vectors, WIDTH]);
    let unet = |name: String| {
        let shape = base().unet_tensors()[&name].dims().to_vec();
        (format!("unet.{name}"), shape)
    };
    match method {
        Method::TextualInversion => vec![word(3)],
        Method::CustomDiffusion => {
            let trained = custom_diffusion::trained_names(config).into_iter().map(unet);
            trained.chain([word(1)]).collect()
        }
        Method::Dreambooth => {
            let text = base().text_tensors().iter();
            let text = text.map(|(name, tensor)| (format!("text_encoder.{name}"), tensor.dims().to_vec()));
            base()
                .unet_tensors()
                .keys()
                .cloned()
                .map(unet)
                .chain(text)
                .collect()
        }
        Method::Lora => {
            let modules = lora::modules(config, &lora::TARGETS.map(str::to_owned)).unwrap();
            let factors = modules.into_iter().flat_map(|module| {
                let (_, shape) = unet(format!("{module}.weight"));
                [("A", vec![RANK, shape[1]]), ("B", vec![shape[0], RANK])]
                    .map(|(part, shape)| (format!("unet.{module}.lora_{part}.weight"), shape))
            });
            factors.collect()
        }
        Method::Vico => {
            let sites = config.sites().into_iter().filter(vico::parameters::is_ica);
            let blocks = sites.flat_map(|site| vico::parameters::of_site(&site));
            blocks
                .map(|spec| (spec.name, spec.shape))
                .chain([word(1)])
                .collect()
        }
    }
}

/// Every cell of the table whose format is files, not a folder.
pub(crate) fn cells() -> Vec<(Method, Format)> {
    let cells = Method::ALL
        .into_iter()
        .flat_map(|method| method.formats().iter().map(move |format| (method, *format)));
    cells
        .filter(|(method, _)| *method != Method::Dreambooth)
        .collect()
}

pub(crate) fn exported(method: Method, format: Format) -> Vec<File> {
    export(&adapter(method), format, None).unwrap()
}

pub(crate) fn imported(format: Format, files: &[File]) -> Imported {
    import(format, files, &Facts::default()).unwrap()
}

pub(crate) fn refusal(format: Format, files: &[File]) -> String {
    import(format, files, &Facts::default()).unwrap_err().to_string()
}

/// Names, shapes and bits of an adapter's tensors.
pub(crate) fn bits(adapter: &Adapter) -> BTreeMap<String, (Vec<usize>, Vec<u32>)> {
    let tensors = adapter.tensors().iter();
    tensors
        .map(|(name, tensor)| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let bits = values.into_iter().map(f32::to_bits).collect();
            (name.clone(), (tensor.dims().to_vec(), bits))
        })
        .collect()
}
