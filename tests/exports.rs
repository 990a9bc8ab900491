//! Adapters of a real sweep, out through the command line and in again; and, where Python has diffusers, through the libraries
//! that people load them with, both ways.
#![expect(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "other tests start servers, too")]
mod processes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use processes::{Ended, vico_coord};
use safetensors::SafeTensors;
use tempfile::TempDir;

/// The methods and their formats. A DreamBooth adapter is rebuilt from the base model.
const CELLS: [(&str, &str); 11] = [
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

/// What official libraries make, and how it is imported.
const MADE: [(&str, &str, &str); 9] = [
    ("textual_inversion", "diffusers", "diffusers"),
    ("textual_inversion", "a1111", "a1111"),
    ("textual_inversion", "compvis", "compvis"),
    ("vico", "vico-official", "vico-official"),
    ("custom_diffusion", "diffusers", "diffusers"),
    ("custom_diffusion", "bin", "diffusers"),
    ("custom_diffusion", "adobe-delta", "adobe-delta"),
    ("lora", "diffusers", "diffusers"),
    ("lora", "kohya", "kohya"),
];

/// A finished sweep: `model/`, `adapters/METHOD.safetensors`, and `out/METHOD/FORMAT/` with every export.
struct Exports {
    folder: TempDir,
}

impl Exports {
    fn get() -> &'static Self {
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let fixtures = root.join("workers/engine/tests/fixtures/parity");
        for (from, name) in [
            (root.join("manifests/quickstart/images/duck_toy"), "photos"),
            (fixtures.join("tiny-sd"), "model"),
            (fixtures.join("metrics/clip"), "clip"),
            (fixtures.join("metrics/dino"), "dino"),
        ] {
            std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
        }
        let exports = Self { folder };
        let [manifest, bucket, cache] = ["manifest.yaml", "bucket", "cache"].map(|name| exports.path(name));
        fs::write(&manifest, include_str!("manifests/exported.yaml")).unwrap();
        vico_coord(
            &Vec::new(),
            &["run", &manifest, "--bucket", &bucket, "--cache", &cache],
        )
        .well();
        let sweep = fs::read_dir(exports.path("bucket/results"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        fs::create_dir(exports.path("adapters")).unwrap();
        for (method, _) in CELLS {
            let made = sweep
                .path()
                .join(format!("adapters/{method}/duck_toy.safetensors"));
            fs::copy(made, exports.adapter(method)).unwrap();
        }
        exports
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn adapter(&self, method: &str) -> String {
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
    fn import(&self, from: &str, format: &str, out: &str, more: &[&str]) -> Ended {
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
    fn run(&self, args: &[&str], more: &[&str]) -> Ended {
        vico_coord(&Vec::new(), &[args, more].concat())
    }

    /// What the user has to say for the adapter to be the same again.
    fn told(method: &str, format: &str) -> Vec<&'static str> {
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

fn files(folder: &str) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    files
}

/// Shape and bytes of every tensor.
fn tensors(path: &str) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

fn header(path: &str) -> BTreeMap<String, String> {
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
fn apart(one: &str, other: &str) -> f32 {
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

#[test]
fn every_export_comes_back_as_the_same_adapter() {
    let exports = Exports::get();
    for (method, format) in CELLS {
        let out = format!("back/{method}-{format}.safetensors");
        let told = Exports::told(method, format);
        let ended = exports
            .import(&format!("out/{method}/{format}"), format, &out, &told)
            .well();
        assert_eq!(ended.stdout.trim(), exports.path(&out));
        let (start, back) = (exports.adapter(method), exports.path(&out));
        let mut facts = header(&start);
        if ["compvis", "vico-official", "adobe-delta"].contains(&format) {
            facts.remove("vico.concept");
        }
        assert_eq!(header(&back), facts, "{method} as {format}");
        if method == "dreambooth" {
            assert!(apart(&start, &back) < 1e-6);
        } else {
            assert_eq!(tensors(&back), tensors(&start), "{method} as {format}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_said_with_what_can() {
    let exports = Exports::get();
    let out = exports.path("nowhere");
    let refused = |args: &[&str]| {
        let ended = exports.run(args, &["--out", &out]);
        assert_eq!(ended.code, 2, "{}\n{}", ended.stdout, ended.stderr);
        assert!(!Path::new(&out).exists(), "{}", ended.stderr);
        ended.stderr
    };
    let [vico, dreambooth, lora, embedding] =
        ["vico", "dreambooth", "lora", "textual_inversion"].map(|m| exports.adapter(m));
    let kohya = refused(&["export", &vico, "--to", "kohya"]);
    assert!(kohya.contains("there are `compvis`, `vico-official`"), "{kohya}");
    let whole = refused(&["export", &dreambooth, "--to", "diffusers"]);
    assert!(whole.contains("hint: `--base DIR`"), "{whole}");
    let word = refused(&["export", &lora, "--to", "kohya", "--placeholder", "x"]);
    assert!(word.contains("has no placeholder"), "{word}");
    let nothing = refused(&["export", &exports.path("photos/00.jpg"), "--to", "kohya"]);
    assert!(
        nothing.contains("00.jpg") && nothing.contains("not a valid safetensors file"),
        "{nothing}"
    );
    let missing = refused(&["import", &exports.path("absent.pt"), "--from", "compvis"]);
    assert!(missing.contains("absent.pt cannot be read"), "{missing}");
    let picture = refused(&["import", &exports.path("photos/00.jpg"), "--from", "compvis"]);
    assert!(picture.contains("neither a safetensors file"), "{picture}");
    let delta = exports.path("out/custom_diffusion/compvis/delta.ckpt");
    let asked = refused(&["import", &delta, "--from", "compvis"]);
    assert!(
        asked.contains("which word stands for the concept") && asked.contains("--placeholder"),
        "{asked}"
    );
    let two = refused(&[
        "import",
        &delta,
        "--from",
        "compvis",
        "--placeholder",
        "<new1>",
        "--base",
        &exports.path("model"),
    ]);
    assert!(two.contains("tokens of the text encoder's vocabulary"), "{two}");
    let alone = refused(&[
        "import",
        &exports.path("out/dreambooth/diffusers"),
        "--from",
        "diffusers",
    ]);
    assert!(alone.contains("`--base DIR`"), "{alone}");
    let folder = refused(&["import", &exports.path("photos"), "--from", "diffusers"]);
    assert!(folder.contains("name the files in it"), "{folder}");
    let again = exports.run(&["export", &embedding, "--to", "a1111", "--out", &lora], &[]);
    assert!(
        again.code == 2 && again.stderr.contains("exists already"),
        "{}",
        again.stderr
    );
}

/// Shapes that do not fit, and a difference to another model whose shapes do.
#[test]
fn an_adapter_of_another_base_model_is_noticed() {
    let exports = Exports::get();
    let other = exports.path("other");
    copy(Path::new(&exports.path("model")), Path::new(&other));
    let scheduler = format!("{other}/scheduler/scheduler_config.json");
    let changed = fs::read_to_string(&scheduler).unwrap().replace("0.012", "0.013");
    fs::write(&scheduler, changed).unwrap();
    let against = |method: &str, format: &str, out: &str| {
        let (adapter, out) = (exports.adapter(method), exports.path(out));
        exports.run(
            &[
                "export", &adapter, "--to", format, "--out", &out, "--base", &other,
            ],
            &[],
        )
    };
    let difference = against("dreambooth", "diffusers", "other-dreambooth");
    assert_eq!(difference.code, 2, "{}", difference.stderr);
    assert!(
        difference.stderr.contains("means nothing on another"),
        "{}",
        difference.stderr
    );
    let same_shapes = against("lora", "kohya", "other-lora").well();
    assert!(
        same_shapes.stderr.contains("was trained on the base model"),
        "{}",
        same_shapes.stderr
    );

    let narrow = exports.path("narrow.safetensors");
    let short = [("<toy>", [1usize, 16])].map(|(name, shape)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &[0; 64]).unwrap();
        (name, view)
    });
    fs::write(&narrow, safetensors::serialize(short, None).unwrap()).unwrap();
    let [out, model] = ["narrow-adapter.safetensors", "model"].map(|name| exports.path(name));
    let args = [
        "import",
        &narrow,
        "--from",
        "diffusers",
        "--placeholder",
        "*",
        "--out",
        &out,
        "--base",
        &model,
    ];
    let refused = exports.run(&args, &[]);
    assert!(
        refused.code == 2 && refused.stderr.contains("expected (n, 32)"),
        "{}",
        refused.stderr
    );
    assert!(!Path::new(&out).exists());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, to).unwrap();
        }
    }
}

/// A Python with diffusers: the one that is named, or the system's. `None` where there is none.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("VICO_PYTHON").map(PathBuf::from);
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", "import diffusers, peft, torch, transformers"])
        .output();
    let works = probe.is_ok_and(|ended| ended.status.success());
    assert!(
        works || named.is_none(),
        "VICO_PYTHON is {}, which cannot import diffusers and peft",
        python.display()
    );
    works.then_some(python)
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "what the libraries said; seen with --nocapture"
)]
fn the_libraries_that_people_use_agree() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with diffusers and peft here; VICO_PYTHON names one");
        return;
    };
    let exports = Exports::get();
    for method in ["textual_inversion", "custom_diffusion"] {
        let (adapter, out) = (
            exports.adapter(method),
            exports.path(&format!("out/{method}/renamed")),
        );
        let args = [
            "export",
            &adapter,
            "--to",
            "diffusers",
            "--out",
            &out,
            "--placeholder",
            "<toy>",
        ];
        exports.run(&args, &[]).well();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diffusers/check_exports.py");
    for verb in ["check", "make"] {
        let ended = Command::new(&python)
            .arg(&script)
            .args([verb, exports.folder.path().to_str().unwrap()])
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap();
        let (said, complained) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        eprintln!("{said}");
        assert!(ended.status.success(), "{verb}: {complained}");
    }
    for (method, folder, format) in MADE {
        let out = format!("made-back/{method}-{folder}.safetensors");
        exports
            .import(&format!("made/{method}/{folder}"), format, &out, &[])
            .well();
        let back = exports.path(&out);
        assert_eq!(
            tensors(&back),
            tensors(&exports.adapter(method)),
            "{method} as {folder}"
        );
        let (facts, start) = (header(&back), header(&exports.adapter(method)));
        for fact in [
            "vico.base",
            "vico.method",
            "vico.placeholder",
            "vico.lora_alpha",
            "vico.lora_rank",
        ] {
            assert_eq!(facts.get(fact), start.get(fact), "{method} as {folder}: {fact}");
        }
        eprintln!("ok  {method}, {folder} as official code writes it: imported, every bit the same");
    }
    let out = "made-back/dreambooth.safetensors";
    exports
        .import("made/dreambooth/diffusers", "diffusers", out, &[])
        .well();
    let most = apart(&exports.path(out), &exports.adapter("dreambooth"));
    assert!(most < 1e-6, "{most}");
    eprintln!("ok  dreambooth, a saved pipeline: imported, weights apart by {most:e} at most");
}
