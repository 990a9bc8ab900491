//! The verbs `export` and `import` on real adapters.

use std::fs;
use std::path::Path;

use crate::rig::{CELLS, Exports, apart, files, header, tensors};

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

/// Other programs do not write down which files of the base model were trained on.
#[test]
fn a_base_model_that_has_no_plain_files_is_read_as_the_variant_that_is_named() {
    let exports = Exports::get();
    let half = exports.path("half");
    copy(Path::new(&exports.path("model")), Path::new(&half));
    for weights in [
        "unet/diffusion_pytorch_model",
        "vae/diffusion_pytorch_model",
        "text_encoder/model",
    ] {
        let name = |end: &str| format!("{half}/{weights}{end}");
        fs::rename(name(".safetensors"), name(".fp16.safetensors")).unwrap();
    }
    let embedding = files(&exports.path("out/textual_inversion/compvis")).remove(0);
    let [adapter, again] = ["half.safetensors", "half-again"].map(|name| exports.path(name));
    let import = [
        "import",
        &embedding,
        "--from",
        "compvis",
        "--initializer",
        "duck",
        "--out",
        &adapter,
        "--base",
        &half,
    ];
    let refused = exports.run(&import, &[]);
    assert!(
        refused.code == 2 && refused.stderr.contains("`--variant` says"),
        "{}",
        refused.stderr
    );
    exports.run(&import, &["--variant", "fp16"]).well();
    assert_eq!(header(&adapter)["vico.variant"], "fp16");
    let export = [
        "export", &adapter, "--to", "a1111", "--out", &again, "--base", &half,
    ];
    let exported = exports.run(&export, &[]).well();
    assert!(!exported.stderr.contains("was trained on"), "{}", exported.stderr);
    // A model whose header names the plain files.
    let_out_again(exports, &half, &["--variant", "fp16"]);
}

/// To name a variant helps where nothing but plain weights is missing: see the test above.
#[test]
fn a_variant_is_not_asked_for_where_it_would_not_help() {
    let exports = Exports::get();
    let out = exports.path("no-such-variant");
    let trained = exports.path("out/dreambooth/diffusers");
    let refused = |base: &str, told: &[&str]| {
        let base = exports.path(base);
        let import = [
            "import",
            &trained,
            "--from",
            "diffusers",
            "--out",
            &out,
            "--base",
            &base,
        ];
        let ended = exports.run(&import, told);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(!ended.stderr.contains("`--variant` says"), "{}", ended.stderr);
        ended.stderr
    };
    let absent = refused("model", &["--variant", "fp16"]);
    assert!(absent.contains(".fp16.safetensors"), "{absent}");
    let astray = refused("model", &["--variant", "../fp16"]);
    assert!(astray.contains("`../fp16` cannot be a variant"), "{astray}");
    let no_model = refused("photos", &[]);
    assert!(no_model.contains("config.json"), "{no_model}");
}

/// An imported difference is one to the model that it was taken to, whatever the trained model was made of.
#[test]
fn a_difference_to_another_base_model_goes_out_with_that_one() {
    let exports = Exports::get();
    let other = exports.path("nearly-the-same");
    copy(Path::new(&exports.path("model")), Path::new(&other));
    let scheduler = format!("{other}/scheduler/scheduler_config.json");
    let changed = fs::read_to_string(&scheduler).unwrap().replace("0.012", "0.014");
    fs::write(&scheduler, changed).unwrap();
    let_out_again(exports, &other, &[]);
}

/// Imports the whole model that DreamBooth trained as its difference to `base`, and rebuilds it from there.
fn let_out_again(exports: &Exports, base: &str, told: &[&str]) {
    let trained = exports.path("out/dreambooth/diffusers");
    let (adapter, rebuilt) = (
        format!("{base}-difference.safetensors"),
        format!("{base}-rebuilt"),
    );
    let import = ["import", &trained, "--out", &adapter];
    let export = ["export", &adapter, "--out", &rebuilt];
    let common = ["--base", base];
    let from = [&import[..], &["--from", "diffusers"], &common].concat();
    exports.run(&from, told).well();
    exports
        .run(&[&export[..], &["--to", "diffusers"], &common].concat(), &[])
        .well();
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
