//! What diffusers, peft and torch make of the exports, and what is made of their files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{Exports, apart, header, tensors};

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
