//! Files that are whole but hold something else than the format says: each refusal names the file and what is wrong with it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use vico_engine::exchange::{File, Format, Method};
use vico_engine::tensor_file::Content;

use crate::refusals::file;
use crate::rig::{exported, refusal};

const BLOCK: &str = "down_blocks.0.attentions.0.transformer_blocks.0";
const KOHYA: &str = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";

/// Names and shapes of tensors.
type Shapes<'a> = &'a [(&'a str, &'a [usize])];

/// Checks that a file of these tensors is refused with these words.
fn refused(format: Format, header: &[(&str, &str)], tensors: Shapes<'_>, words: &str) {
    let file = file("foreign.safetensors", header, tensors);
    let refused = refusal(format, &[file]);
    assert!(
        refused.contains(words) && refused.contains("foreign.safetensors"),
        "{format}: {refused}"
    );
}

#[test]
fn a_words_file_holds_one_word() {
    let two: Shapes<'_> = &[("a", &[32]), ("b", &[32])];
    refused(Format::Diffusers, &[], two, "one word was expected");
    refused(
        Format::A1111,
        &[],
        &[("x", &[1, 32])],
        "`emb_params` or `string_to_param`",
    );
    refused(
        Format::A1111,
        &[],
        &[("emb_params", &[1, 2, 32])],
        "expected (n, width)",
    );
    refused(
        Format::Compvis,
        &[],
        &[("x", &[1, 32])],
        "no dictionary `string_to_param`",
    );
    refused(
        Format::AdobeDelta,
        &[],
        &[("x", &[1, 32])],
        "no dictionary `unet`",
    );
    refused(Format::VicoOfficial, &[], &[("x", &[1])], "pair of files");
    let query = format!("{BLOCK}.attn2.processor.to_q_custom_diffusion.weight");
    refused(
        Format::Diffusers,
        &[],
        &[(&query, &[16, 16])],
        "one file of a word",
    );
    refused(
        Format::Diffusers,
        &[("vico.steps", "many")],
        &[("x", &[1, 32])],
        "no whole number",
    );
}

#[test]
fn a_file_of_kohya_holds_pairs_of_one_rank_and_alpha() {
    let [down, up, alpha] =
        ["lora_down.weight", "lora_up.weight", "alpha"].map(|part| format!("{KOHYA}.{part}"));
    let text = "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight";
    let refused = |tensors: Shapes<'_>, words| refused(Format::Kohya, &[], tensors, words);
    refused(&[(text, &[2, 16])], "no linear layer of a transformer");
    refused(&[(&down, &[2, 16])], "only one of two factors");
    refused(&[(&up, &[16, 2])], "only one of two factors");
    refused(&[(&down, &[2, 16]), (&up, &[16, 3])], "[2, 16] and [16, 3]");
    refused(
        &[(&down, &[2, 16, 1, 1]), (&up, &[16, 2, 1, 1])],
        "have the shapes",
    );
    let two_alphas: Shapes<'_> = &[(&down, &[2, 16]), (&up, &[16, 2]), (&alpha, &[2])];
    refused(two_alphas, "differs from layer to layer");
}

#[test]
fn what_peft_can_and_lora_here_cannot_is_named() {
    let names = ["A", "B"].map(|part| format!("unet.{BLOCK}.attn1.to_q.lora_{part}.weight"));
    let pair: Shapes<'_> = &[(&names[0], &[2, 16]), (&names[1], &[16, 2])];
    for (key, value, words) in [
        (
            "lora_adapter_metadata",
            r#"{"unet.use_rslora": true}"#,
            "use_rslora",
        ),
        (
            "lora_adapter_metadata",
            r#"{"unet.alpha_pattern": {"x": 1}}"#,
            "alpha_pattern",
        ),
        ("lora_adapter_metadata", "{", "no JSON"),
        ("vico.lora_alpha", "-1", "positive number"),
    ] {
        refused(Format::Diffusers, &[(key, value)], pair, words);
    }
    let text = "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight";
    refused(
        Format::Diffusers,
        &[],
        &[(text, &[2, 16])],
        "no part of the U-Net",
    );
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
