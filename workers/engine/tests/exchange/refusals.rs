//! What cannot be done is said: which formats there are instead, which file holds what, what is missing.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use vico_engine::adapter::Adapter;
use vico_engine::exchange::{Facts, File, Format, Method, export, import, renamed};
use vico_engine::tensor_file::Content;

use crate::rig::{adapter, base, exported, refusal};

fn file(name: &str, header: &[(&str, &str)], tensors: &[(&str, &[usize])]) -> File {
    let zeros = |shape: &&[usize]| Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
    let content = Content {
        metadata: header
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        tensors: tensors
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), zeros(shape)))
            .collect(),
    };
    let bytes = content.to_bytes().unwrap();
    File {
        name: name.to_owned(),
        bytes,
    }
}

#[test]
fn a_format_that_does_not_exist_names_those_that_do() {
    for method in Method::ALL {
        for format in Format::ALL
            .into_iter()
            .filter(|format| !method.formats().contains(format))
        {
            let refused = export(&adapter(method), format, None).unwrap_err().to_string();
            for offered in method.formats() {
                assert!(refused.contains(&format!("`{offered}`")), "{refused}");
            }
        }
    }
    let refused = export(&adapter(Method::Vico), Format::Kohya, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no format `kohya` for an adapter of `vico`; there are `compvis`, `vico-official`"
    );
    let whole = export(&adapter(Method::Dreambooth), Format::Diffusers, None)
        .unwrap_err()
        .to_string();
    assert!(whole.contains("folder of the base model"), "{whole}");
    let unknown = export(
        &Adapter::new("tarot", "", "", 1, BTreeMap::new()),
        Format::Kohya,
        None,
    );
    assert!(unknown.unwrap_err().to_string().contains("`tarot`"));
}

#[test]
fn a_word_that_only_the_tokenizer_knows_takes_the_base_model() {
    let sks = renamed(&adapter(Method::TextualInversion), "sks").unwrap();
    let alone = export(&sks, Format::Compvis, None).unwrap_err().to_string();
    assert!(alone.contains("`sks`") && alone.contains("base model"), "{alone}");
    let tokenizer = Some(&base().tokenizer);
    export(&sks, Format::Compvis, tokenizer).unwrap();
    // With the tokenizer at hand the same file comes out for `*` as without.
    let star = adapter(Method::TextualInversion);
    let (with, without) = (
        export(&star, Format::Compvis, tokenizer),
        export(&star, Format::Compvis, None),
    );
    assert_eq!(with.unwrap(), without.unwrap());
    let two = renamed(&adapter(Method::TextualInversion), "<new1>").unwrap();
    let refused = export(&two, Format::Compvis, tokenizer).unwrap_err().to_string();
    assert!(refused.contains("is not one token"), "{refused}");
}

#[test]
fn an_adapter_of_other_tensors_does_not_go_out() {
    for (method, format) in crate::rig::cells() {
        let good = adapter(method);
        let mut tensors = good.tensors().clone();
        tensors.insert(
            "odd".to_owned(),
            Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap(),
        );
        let odd =
            Adapter::new(method.name(), good.placeholder(), "", 1, tensors).with("vico.lora_alpha", "1");
        let refused = export(&odd, format, None).unwrap_err().to_string();
        assert!(refused.contains("odd"), "{method} as {format}: {refused}");
        let empty = Adapter::new(method.name(), "*", "", 1, BTreeMap::new());
        assert!(export(&empty, format, None).is_err(), "{method} as {format}");
    }
}

#[test]
fn files_that_do_not_say_their_word_ask_for_it() {
    let told = |files: &[File], format| {
        let facts = Facts {
            placeholder: Some("*".to_owned()),
            ..Facts::default()
        };
        import(format, files, &facts).unwrap()
    };
    let embedding = file("teapot.safetensors", &[], &[("emb_params", &[2, 32])]);
    let asked = refusal(Format::A1111, std::slice::from_ref(&embedding));
    assert!(
        asked.contains("teapot.safetensors") && asked.contains("must be named"),
        "{asked}"
    );
    assert_eq!(told(&[embedding], Format::A1111).adapter.placeholder(), "*");
    let delta = exported(Method::CustomDiffusion, Format::Compvis);
    assert!(refusal(Format::Compvis, &delta).contains("must be named"));
    assert_eq!(told(&delta, Format::Compvis).adapter.placeholder(), "*");
}

#[test]
fn facts_that_a_method_does_not_have_are_refused() {
    let lora = exported(Method::Lora, Format::Kohya);
    let refused = |facts: Facts| import(Format::Kohya, &lora, &facts).unwrap_err().to_string();
    let word = Some("dog".to_owned());
    let told = [
        (
            Facts {
                placeholder: word.clone(),
                ..Facts::default()
            },
            "placeholder",
        ),
        (
            Facts {
                initializer: word,
                ..Facts::default()
            },
            "initializer",
        ),
        (
            Facts {
                use_mask: Some(false),
                ..Facts::default()
            },
            "mask",
        ),
    ];
    for (facts, name) in told {
        assert_eq!(refused(facts), format!("an adapter of `lora` has no {name}"));
    }
    assert!(renamed(&adapter(Method::Dreambooth), "x").is_err());
}

/// (format, file names and what they hold, what the refusal says)
type Case<'a> = (Format, File, &'a str);

fn all_refused(cases: Vec<Case<'_>>) {
    for (format, file, expected) in cases {
        let refused = refusal(format, std::slice::from_ref(&file));
        assert!(
            refused.contains(expected) && refused.contains(&file.name),
            "{format}: {refused}"
        );
    }
}

#[test]
fn what_a_file_holds_instead_is_said() {
    let block = "down_blocks.0.attentions.0.transformer_blocks.0";
    let query = format!("{block}.attn2.processor.to_q_custom_diffusion.weight");
    all_refused(vec![
        (
            Format::Diffusers,
            file("two.safetensors", &[], &[("a", &[32]), ("b", &[32])]),
            "one word was expected",
        ),
        (
            Format::A1111,
            file("t.safetensors", &[], &[("x", &[1, 32])]),
            "`emb_params` or `string_to_param`",
        ),
        (
            Format::A1111,
            file("t.safetensors", &[], &[("emb_params", &[1, 2, 32])]),
            "expected (n, width)",
        ),
        (
            Format::Compvis,
            file("t.safetensors", &[], &[("x", &[1, 32])]),
            "no dictionary `string_to_param`",
        ),
        (
            Format::AdobeDelta,
            file("t.safetensors", &[], &[("x", &[1, 32])]),
            "no dictionary `unet`",
        ),
        (
            Format::Diffusers,
            file("q.safetensors", &[], &[(&query, &[16, 16])]),
            "one file of a word",
        ),
        (
            Format::VicoOfficial,
            file("v.safetensors", &[], &[("x", &[1])]),
            "pair of files",
        ),
    ]);
}

#[test]
fn what_a_lora_file_holds_instead_is_said() {
    let block = "down_blocks.0.attentions.0.transformer_blocks.0";
    let kohya = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
    let [down, up, te] = [
        format!("{kohya}.lora_down.weight"),
        format!("{kohya}.lora_up.weight"),
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight".to_owned(),
    ];
    let rslora = r#"{"unet.use_rslora": true, "unet.lora_alpha": 4}"#;
    let peft = [
        format!("unet.{block}.attn1.to_q.lora_A.weight"),
        format!("unet.{block}.attn1.to_q.lora_B.weight"),
    ];
    let both: [(&str, &[usize]); 2] = [(&peft[0], &[2, 16]), (&peft[1], &[16, 2])];
    all_refused(vec![
        (
            Format::Kohya,
            file("k.safetensors", &[], &[(&te, &[2, 16])]),
            "no linear layer of a transformer",
        ),
        (
            Format::Kohya,
            file("k.safetensors", &[], &[(&down, &[2, 16])]),
            "only one of two factors",
        ),
        (
            Format::Kohya,
            file("k.safetensors", &[], &[(&down, &[2, 16]), (&up, &[16, 3])]),
            "[2, 16] and [16, 3]",
        ),
        (
            Format::Kohya,
            file(
                "k.safetensors",
                &[],
                &[(&down, &[2, 16, 1, 1]), (&up, &[16, 2, 1, 1])],
            ),
            "have the shapes",
        ),
        (
            Format::Diffusers,
            file("l.safetensors", &[("lora_adapter_metadata", rslora)], &both),
            "use_rslora",
        ),
        (
            Format::Diffusers,
            file("l.safetensors", &[("lora_adapter_metadata", "{")], &both),
            "no JSON",
        ),
        (
            Format::Diffusers,
            file("l.safetensors", &[("vico.lora_alpha", "-1")], &both),
            "positive number",
        ),
        (
            Format::Diffusers,
            file("l.safetensors", &[("vico.steps", "many")], &both),
            "no whole number",
        ),
    ]);
}

#[test]
fn queries_and_other_ranks_are_refused_by_name() {
    let block = "down_blocks.0.attentions.0.transformer_blocks.0";
    let query = format!("{block}.attn2.processor.to_q_custom_diffusion.weight");
    let files = [
        file("w.safetensors", &[], &[(&query, &[16, 16])]),
        file("<new1>.safetensors", &[], &[("<new1>", &[32])]),
    ];
    let refused = refusal(Format::Diffusers, &files);
    assert!(
        refused.contains("to_q_custom_diffusion") && refused.contains("crossattn_kv"),
        "{refused}"
    );

    let layer = |name: &str, rank| {
        let names = ["A", "B"].map(|part| format!("unet.{block}.{name}.lora_{part}.weight"));
        names
            .into_iter()
            .zip([vec![rank, 16], vec![16, rank]])
            .collect::<Vec<_>>()
    };
    let several: Vec<_> = layer("attn1.to_q", 2)
        .into_iter()
        .chain(layer("attn1.to_v", 4))
        .collect();
    let several: Vec<(&str, &[usize])> = several
        .iter()
        .map(|(name, shape)| (name.as_str(), shape.as_slice()))
        .collect();
    let refused = refusal(Format::Diffusers, &[file("l.safetensors", &[], &several)]);
    assert!(refused.contains("the ranks [2, 4]"), "{refused}");
}

#[test]
fn numbers_that_are_none_do_not_come_in() {
    let values = Tensor::new(&[[0.5f32, f32::NAN]], &Device::Cpu).unwrap();
    let content = Content {
        tensors: BTreeMap::from([("<w>".to_owned(), values)]),
        ..Content::default()
    };
    let bytes = content.to_bytes().unwrap();
    let name = "n.safetensors".to_owned();
    let refused = refusal(Format::Diffusers, &[File { name, bytes }]);
    assert!(refused.contains("holds NaN at element 1"), "{refused}");
}

#[test]
fn halves_of_two_pairs_are_noticed() {
    let mut pair = exported(Method::Vico, Format::VicoOfficial);
    pair[1].name = "cross_attention-349.pt".to_owned();
    let refused = refusal(Format::VicoOfficial, &pair);
    assert!(
        refused.contains("different train steps, 399 and 349"),
        "{refused}"
    );
    assert!(refusal(Format::VicoOfficial, &pair[..1]).contains("pair of files"));
}
