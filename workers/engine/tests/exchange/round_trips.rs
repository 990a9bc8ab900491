//! What goes out comes back with the same bits, by every cell of the table.

use vico_engine::exchange::{Facts, Format, Method, export, import, renamed};

use crate::rig::{adapter, bits, cells, exported, imported};

/// What the user has to say of a pickled file's adapter; a safetensors file carries it.
fn told(method: Method, format: Format) -> Facts {
    let header = matches!(format, Format::Diffusers | Format::A1111 | Format::Kohya);
    let named = |value: &str| (!header && method != Method::Lora).then(|| value.to_owned());
    Facts {
        // Custom Diffusion's own code does not keep its word.
        placeholder: named("*").filter(|_| (method, format) == (Method::CustomDiffusion, Format::Compvis)),
        initializer: named("dog"),
        steps: named("400").map(|steps| steps.parse().unwrap()),
        use_mask: (method == Method::Vico).then_some(true),
        variant: None,
    }
}

#[test]
fn every_cell_of_the_table_gives_back_what_it_took() {
    assert_eq!(
        cells().len(),
        10,
        "the table has another cell, which deserves a test"
    );
    for (method, format) in cells() {
        let out = adapter(method);
        let back = import(format, &exported(method, format), &told(method, format)).unwrap();
        assert_eq!(back.remarks, Vec::<String>::new(), "{method} as {format}");
        assert_eq!(bits(&back.adapter), bits(&out), "{method} as {format}");
        let mut facts = out.metadata().clone();
        if matches!(
            format,
            Format::Compvis | Format::VicoOfficial | Format::AdobeDelta
        ) {
            // A pickled file has no header.
            facts.retain(|key, _| !["vico.base", "vico.concept"].contains(&key.as_str()));
        }
        assert_eq!(back.adapter.metadata(), &facts, "{method} as {format}");
    }
}

#[test]
fn equal_adapters_are_equal_files() {
    for (method, format) in cells() {
        let twice = [exported(method, format), exported(method, format)];
        assert_eq!(twice[0], twice[1], "{method} as {format}");
    }
}

#[test]
fn what_a_pickled_file_does_not_say_is_remarked_not_guessed() {
    let pair = exported(Method::Vico, Format::VicoOfficial);
    let back = imported(Format::VicoOfficial, &pair);
    assert_eq!(back.remarks.len(), 2, "{:?}", back.remarks);
    assert!(back.remarks[0].contains("which word the concept's started as"));
    assert!(back.remarks[1].contains("automatic mask"));
    let facts = back.adapter.metadata();
    // The steps are in the name: the last one is 399, counted from 0.
    assert_eq!(pair[0].name, "embeddings_gs-399.pt");
    assert_eq!(
        (facts["vico.steps"].as_str(), facts["vico.initializer"].as_str()),
        ("400", "")
    );

    let delta = exported(Method::CustomDiffusion, Format::AdobeDelta);
    let back = imported(Format::AdobeDelta, &delta);
    assert_eq!(back.adapter.metadata()["vico.steps"], "0");
    assert!(
        back.remarks.iter().any(|remark| remark.contains("train steps")),
        "{:?}",
        back.remarks
    );
}

#[test]
fn the_users_word_counts_more_than_the_files() {
    let files = exported(Method::TextualInversion, Format::Diffusers);
    let told = Facts {
        placeholder: Some("sks".to_owned()),
        initializer: Some("cat".to_owned()),
        steps: Some(7),
        use_mask: None,
        variant: Some("fp16".to_owned()),
    };
    let back = import(Format::Diffusers, &files, &told).unwrap().adapter;
    assert_eq!(back.variant(), Some("fp16"));
    assert!(
        !back.metadata().contains_key("vico.base"),
        "the file names the plain files, which are another model"
    );
    assert_eq!(
        (back.placeholder(), back.metadata()["vico.steps"].as_str()),
        ("sks", "7")
    );
    assert_eq!(back.metadata()["vico.initializer"], "cat");
    assert_eq!(
        bits(&back)["string_to_param.sks"],
        bits(&adapter(Method::TextualInversion))["string_to_param.*"]
    );
}

#[test]
fn a_word_goes_out_under_another_name_and_comes_back_under_its_own() {
    for method in [Method::TextualInversion, Method::CustomDiffusion] {
        let renamed = renamed(&adapter(method), "<new1>").unwrap();
        let files = export(&renamed, Format::Diffusers, None).unwrap();
        assert_eq!(
            imported(Format::Diffusers, &files).adapter.placeholder(),
            "<new1>"
        );
        let told = Facts {
            placeholder: Some("*".to_owned()),
            ..Facts::default()
        };
        let back = import(Format::Diffusers, &files, &told).unwrap().adapter;
        assert_eq!(bits(&back), bits(&adapter(method)));
        assert_eq!(back.metadata(), adapter(method).metadata());
    }
}

/// α is what a file of LoRA loses most easily.
#[test]
fn the_scale_of_a_lora_survives_and_its_absence_is_remarked() {
    for (format, key) in [(Format::Diffusers, "lora_adapter_metadata"), (Format::Kohya, "")] {
        let file = exported(Method::Lora, format).remove(0);
        let (tensors, metadata) = crate::names::opened(&file);
        // As another program writes it: without this program's facts.
        let foreign = |keep: &dyn Fn(&str) -> bool| {
            let metadata = metadata
                .iter()
                .filter(|(name, _)| *name == key && keep(name))
                .map(|(k, v)| (k.clone(), v.clone()));
            let tensors = tensors
                .iter()
                .filter(|(name, _)| keep(name))
                .map(|(k, v)| (k.clone(), v.clone()));
            let content = vico_engine::tensor_file::Content {
                metadata: metadata.collect(),
                tensors: tensors.collect(),
            };
            let bytes = content.to_bytes().unwrap();
            vico_engine::exchange::File {
                bytes,
                ..file.clone()
            }
        };
        let back = imported(format, &[foreign(&|_| true)]).adapter;
        assert_eq!(
            (
                back.metadata()["vico.lora_alpha"].as_str(),
                back.metadata()["vico.lora_rank"].as_str()
            ),
            ("4", "2")
        );
        let lost = imported(
            format,
            &[foreign(&|name| {
                !name.ends_with("alpha") && name != "lora_adapter_metadata"
            })],
        );
        assert_eq!(lost.adapter.metadata()["vico.lora_alpha"], "2");
        assert!(
            lost.remarks.iter().any(|remark| remark.contains('α')),
            "{:?}",
            lost.remarks
        );
    }
}

/// People publish files in half precision, which f32 holds exactly.
#[test]
fn halves_are_widened_without_loss() {
    for dtype in [candle_core::DType::F16, candle_core::DType::BF16] {
        let table =
            candle_core::Tensor::new(&[[0.1f32, -2.5, 65504.0, 1e-7]], &candle_core::Device::Cpu).unwrap();
        let half = table.to_dtype(dtype).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("half.safetensors");
        candle_core::safetensors::save(&std::collections::HashMap::from([("<w>", half.clone())]), &path)
            .unwrap();
        let bytes = std::fs::read(path).unwrap();
        let name = "half.safetensors".to_owned();
        let back = imported(Format::Diffusers, &[vico_engine::exchange::File { name, bytes }]).adapter;
        let values = back.tensors()["string_to_param.<w>"].to_vec2::<f32>().unwrap();
        assert_eq!(
            values,
            half.to_dtype(candle_core::DType::F32)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap()
        );
    }
}
