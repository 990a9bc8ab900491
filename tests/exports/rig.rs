//! One sweep for all tests, its adapters and every export of them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::processes::{Ended, vico_coord};
use crate::tiny_sweep;

/// The methods and their formats. A DreamBooth adapter is rebuilt from the base model.
pub(crate) const CELLS: [(&str, &str); 11] = [
    ("textual_inversion", "diffusers"),
    ("textual_inversion", "a1111"),
    ("textual_inversion", "compvis"),
    ("vico", "compvis"),
    ("vico", "vico-official"),
    ("custom_diffusion", "diffusers"),
    ("custom_diffusion", "adobe-delta"),
    ("custom_diffusion", "compvis"),
    ("lora", "diffusers"),
    ("lora", "kohya"),
    ("dreambooth", "diffusers"),
];

/// A finished sweep: `model/`, `adapters/METHOD.safetensors`, and `out/METHOD/FORMAT/` with every export.
pub(crate) struct Exports {
    pub(crate) folder: TempDir,
}

impl Exports {
    pub(crate) fn get() -> &'static Self {
        static EXPORTS: OnceLock<Exports> = OnceLock::new();
        EXPORTS.get_or_init(|| {
            let exports = Self::trained();
            for (method, format) in CELLS {
                exports.export(method, format, &[]).well();
            }
            exports
        })
    }

    fn trained() -> Self {
        let (folder, results) = tiny_sweep::run(include_str!("../manifests/exported.yaml"));
        let exports = Self { folder };
        fs::create_dir(exports.path("adapters")).unwrap();
        for (method, _) in CELLS {
            let made = results.join(format!("adapters/{method}/duck_toy.safetensors"));
            fs::copy(made, exports.adapter(method)).unwrap();
        }
        exports
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn adapter(&self, method: &str) -> String {
        self.path(&format!("adapters/{method}.safetensors"))
    }

    fn export(&self, method: &str, format: &str, more: &[&str]) -> Ended {
        let (adapter, out) = (self.adapter(method), self.path(&format!("out/{method}/{format}")));
        self.run(
            &[
                "export",
                &adapter,
                "--to",
                format,
                "--out",
                &out,
                "--base",
                &self.path("model"),
            ],
            more,
        )
    }

    /// Imports the files of a folder, or the folder itself where it is a model.
    pub(crate) fn import(&self, from: &str, format: &str, out: &str, more: &[&str]) -> Ended {
        let files = if from.contains("dreambooth") {
            vec![self.path(from)]
        } else {
            files(&self.path(from))
        };
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let args = [
            "import",
            "--from",
            format,
            "--out",
            &self.path(out),
            "--base",
            &self.path("model"),
        ];
        self.run(&[&args, files.as_slice()].concat(), more)
    }

    #[expect(clippy::unused_self, reason = "a command about these files")]
    pub(crate) fn run(&self, args: &[&str], more: &[&str]) -> Ended {
        vico_coord(&Vec::new(), &[args, more].concat())
    }

    /// What the user has to say for the adapter to be the same again.
    pub(crate) fn told(method: &str, format: &str) -> Vec<&'static str> {
        match (method, format) {
            ("vico", _) | ("textual_inversion", "compvis") => vec!["--initializer", "duck"],
            ("custom_diffusion", "adobe-delta") => vec!["--initializer", "duck", "--steps", "2"],
            ("custom_diffusion", "compvis") => {
                vec!["--initializer", "duck", "--steps", "2", "--placeholder", "*"]
            }
            _ => Vec::new(),
        }
    }
}

pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    files
}

/// Shape and bytes of every tensor.
pub(crate) fn tensors(path: &str) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

pub(crate) fn header(path: &str) -> BTreeMap<String, String> {
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect()
}

/// How far the weights of two DreamBooth adapters are apart at most: what import rounds.
pub(crate) fn apart(one: &str, other: &str) -> f32 {
    let (one, other) = (tensors(one), tensors(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let floats = |bytes: &[u8]| {
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect::<Vec<_>>()
    };
    let pairs = one.values().zip(other.values());
    pairs
        .flat_map(|((_, one), (_, other))| floats(one).into_iter().zip(floats(other)))
        .fold(0.0, |most, (one, other)| most.max((one - other).abs()))
}
