//! No bytes can panic, hang or exhaust the reader.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::{Kind, parse};
use super::{SMALL, bad, with};

fn only_kind(text: &str) -> Kind {
    bad(text).problems[0].kind
}

#[test]
fn aliases_cannot_blow_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}", level - 1);
        let list = vec![below; 9].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{list}]");
    }
    insta::assert_snapshot!(bad(&text).to_string());
}

#[test]
fn depth_is_limited() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let text = format!("a: {}1{}", open.repeat(200), close.repeat(200));
        assert_eq!(only_kind(&text), Kind::TooLarge);
    }
    let block: Vec<String> = (0..200).map(|level| " ".repeat(level) + "a:\n").collect();
    let block = block.concat();
    assert_eq!(only_kind(&block), Kind::TooLarge);
    insta::assert_snapshot!(bad(&block).to_string());
}

#[test]
fn size_is_limited() {
    let text = format!("{SMALL}# {}\n", "x".repeat(2 << 20));
    insta::assert_snapshot!(bad(&text).to_string());
}

#[test]
fn an_alias_cannot_hold_itself() {
    assert_eq!(only_kind("a: &a [*a]\n"), Kind::Syntax);
}

#[test]
fn a_megabyte_of_nonsense_is_refused_in_time() {
    let nonsense = [
        "[", "{", "- ", "? ", "a: ", "\"", "&a ", "*a ", "!", "|\n", "- - ", "a: b\n", "\t", "{a: 1},", "%",
    ];
    for piece in nonsense {
        let text = piece.repeat((1 << 20) / piece.len());
        assert!(
            parse(text.as_bytes(), "nonsense").is_err(),
            "{piece:?} was accepted"
        );
    }
    let keys: Vec<String> = (0..80_000).map(|i| format!("k{i}: ")).collect();
    let errors = bad(&keys.join("\n"));
    assert_eq!(
        (errors.problems.len(), errors.truncated),
        (super::super::Errors::MOST, true)
    );
}

#[test]
fn a_variant_leads_into_no_other_folder() {
    let with_variant = |variant: &str| {
        let base = format!("base: {{model: /models/sd, variant: \"{variant}\"}}");
        with("base: {model: /models/sd}", &base)
    };
    for variant in ["", "../fp16", "fp16+ema", "fp 16"] {
        assert_eq!(only_kind(&with_variant(variant)), Kind::BadValue, "{variant:?}");
    }
    assert!(parse(with_variant("fp16").as_bytes(), "manifest.yaml").is_ok());
}

#[test]
fn terminals_are_not_written_to() {
    let text = format!("{SMALL}\"\\e[31mred\": 1\nplain\u{9b}31m: 2\n");
    let report = bad(&text).to_string();
    assert!(!report.chars().any(|c| c.is_control() && c != '\n'), "{report:?}");
}

#[test]
fn broken_text_encodings_are_placed() {
    let mut bytes = SMALL.as_bytes().to_vec();
    bytes.extend(b"description: caf\xe9\n");
    let report = parse(&bytes, "manifest.yaml").map_err(|errors| errors.to_string());
    insta::assert_snapshot!(report.err().unwrap_or_default());
}

/// Pieces that a manifest is made of, to get deep into the reader.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "version: 1\n",
            "name: x\n",
            "base:\n",
            "  model: /m\n",
            "concepts:\n",
            "  duck: ",
            "{images: d/, class: duck}\n",
            "prompt_sets: {p: {prompts: [\"a {}\"]}}\n",
            "methods: {vico: {method: vico}}\n",
            "matrix: ",
            "{train_seed: [0, 1]}\n",
            "{sampling.steps: [1]}\n",
            "metrics: {protocols: []}\n",
            "- ",
            "\n",
            "  ",
            ": ",
            "*",
            "&a ",
            "*a",
            "{}",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "\"",
            "'",
            "|\n",
            ">-\n",
            "? ",
            "!!str ",
            "~",
            "1e400",
            "-0",
            ".inf",
            "0x1F",
            "<<: *a\n",
            "#",
            "\t",
            "---\n",
            "...\n",
        ])
        .prop_map(str::to_owned),
        "[a-z_.]{1,8}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(errors) = parse(&bytes, "any") {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn any_pieces_are_answered(text in pieces()) {
        if let Err(errors) = parse(text.as_bytes(), "any") {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn a_good_manifest_with_a_bad_patch_is_answered(at in 0..SMALL.len(), cut in 0_usize..20, patch in "\\PC{0,6}") {
        let (start, end) = (at, (at + cut).min(SMALL.len()));
        prop_assume!(SMALL.is_char_boundary(start) && SMALL.is_char_boundary(end));
        let text = format!("{}{patch}{}", &SMALL[..start], &SMALL[end..]);
        match parse(text.as_bytes(), "any") {
            Ok(manifest) => prop_assert!(!manifest.points().is_empty()),
            Err(errors) => prop_assert!(!errors.to_string().contains("cannot be read as a manifest"), "{errors}\n{text}"),
        }
    }
}
