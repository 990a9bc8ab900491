//! Token ids equal those of the `transformers` CLIP tokenizer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vico_engine::tokenizer::{CONTEXT_LENGTH, ClipTokenizer, Error};

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    ids: Vec<u32>,
    eot_pos: usize,
    placeholder_pos: Vec<usize>,
}

const PLACEHOLDER: u32 = 265;

fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

fn tokenizer() -> ClipTokenizer {
    ClipTokenizer::from_dir(&parity("tiny-sd/tokenizer")).unwrap()
}

#[test]
fn golden_prompts_have_the_golden_ids() {
    let golden: Golden = serde_json::from_slice(&fs::read(parity("tokens.json")).unwrap()).unwrap();
    let tokenizer = tokenizer();
    assert_eq!(golden.prompts.len(), 30);
    for prompt in golden.prompts {
        let encoded = tokenizer.encode(&prompt.text).unwrap();
        assert_eq!(encoded.ids[..prompt.ids.len()], prompt.ids, "{:?}", prompt.text);
        assert_eq!(encoded.eot, prompt.eot_pos, "{:?}", prompt.text);
        assert_eq!(encoded.ids.len(), CONTEXT_LENGTH);
        let placeholders = (0..=encoded.eot).filter(|i| encoded.ids[*i] == PLACEHOLDER);
        assert_eq!(
            placeholders.collect::<Vec<_>>(),
            prompt.placeholder_pos,
            "{:?}",
            prompt.text
        );
    }
}

#[test]
fn words_that_do_not_fit_are_reported() {
    let tokenizer = tokenizer();
    let exact = tokenizer.encode(&["word"; 75].join(" ")).unwrap();
    assert_eq!((exact.eot, exact.truncated), (76, false));
    let long = tokenizer.encode(&["word"; 76].join(" ")).unwrap();
    assert_eq!((long.eot, long.truncated), (76, true));
    assert_eq!(long.ids, exact.ids);
}

#[test]
fn an_initializer_is_one_token_or_none() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.single_token("*").unwrap(), Some(PLACEHOLDER));
    assert_eq!(tokenizer.single_token("dog").unwrap(), Some(1929));
    assert_eq!(tokenizer.single_token("teddybear").unwrap(), None);
    assert_eq!(tokenizer.single_token("").unwrap(), None);
    assert_eq!(tokenizer.token_count("a photo of a *").unwrap(), 5);
}

#[test]
fn tokenizer_json_gives_the_same_ids() {
    let vocabulary: serde_json::Value =
        serde_json::from_slice(&fs::read(parity("tiny-sd/tokenizer/vocab.json")).unwrap()).unwrap();
    let merges = fs::read_to_string(parity("tiny-sd/tokenizer/merges.txt")).unwrap();
    let merges: Vec<&str> = merges.lines().skip(1).filter(|line| !line.is_empty()).collect();
    let special = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "special": true,
        "normalized": false, "single_word": false, "lstrip": false, "rstrip": false})
    };
    let words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    // As published with openai/clip-vit-base-patch32, with a truncation setting that must not count.
    let json = serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": null,
        "added_tokens": [special(49406, "<|startoftext|>"), special(49407, "<|endoftext|>")],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
        "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<|endoftext|>", "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary, "merges": merges},
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    let (from_json, from_vocabulary) = (ClipTokenizer::from_dir(dir.path()).unwrap(), tokenizer());
    for text in ["a photo of a * on the beach", "it's 2023!", "naïve café 日本"] {
        assert_eq!(
            from_json.encode(text).unwrap(),
            from_vocabulary.encode(text).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn a_directory_without_a_clip_tokenizer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        matches!(ClipTokenizer::from_dir(dir.path()), Err(Error::NoTokenizer(path)) if path == dir.path())
    );

    fs::write(dir.path().join("vocab.json"), r#"{"a": 0}"#).unwrap();
    fs::write(dir.path().join("merges.txt"), "#version: 0.2\n").unwrap();
    let error = ClipTokenizer::from_dir(dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("<|startoftext|>") || error.contains("not a CLIP vocabulary"),
        "{error}"
    );

    fs::write(dir.path().join("merges.txt"), "#version: 0.2\nq z\n").unwrap();
    let error = ClipTokenizer::from_dir(dir.path()).err().unwrap();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");

    fs::write(dir.path().join("vocab.json"), "not json").unwrap();
    let error = ClipTokenizer::from_dir(dir.path()).err().unwrap();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

/// Elsewhere the same folder may be readable, so this must not look like a folder that lacks something.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_fails_is_told_from_a_folder_without_a_tokenizer() {
    for name in ["vocab.json", "tokenizer.json"] {
        // A link to itself leads nowhere; a process's own memory opens like a file, but nothing lies where it begins.
        for target in [name, "/proc/self/mem"] {
            let dir = tempfile::tempdir().unwrap();
            let merges = parity("tiny-sd/tokenizer/merges.txt");
            fs::copy(merges, dir.path().join("merges.txt")).unwrap();
            std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap();
            let error = ClipTokenizer::from_dir(dir.path()).err().unwrap();
            assert!(matches!(error, Error::Io { .. }), "{name}, {target}: {error}");
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_the_files_own_fault() {
    for name in ["vocab.json", "merges.txt", "tokenizer.json"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("vocab.json"), r#"{"a": 0}"#).unwrap();
        if name != "tokenizer.json" {
            fs::write(dir.path().join("merges.txt"), "#version: 0.2\n").unwrap();
        }
        fs::write(dir.path().join(name), [b'"', 0xff, b'"']).unwrap();
        let error = ClipTokenizer::from_dir(dir.path()).err().unwrap();
        assert!(matches!(error, Error::Malformed { .. }), "{name}: {error}");
    }
}
