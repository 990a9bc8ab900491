//! The planner has no vocabulary: it may refuse only texts that the engine could not draw either.

use std::path::Path;

use vico::manifest::{self, Kind};
use vico::spec::PromptSpec;
use vico_engine::tokenizer::ClipTokenizer;

/// What a prompt may be made of; each is at least one token.
const PIECES: [&str; 9] = [
    " dog",
    " it's 2023!",
    " photo-realistic;",
    " (don't)",
    " '' '!' 'x'",
    " naïve cafe\u{301}.",
    " 日本",
    " <toy1>,",
    " <|endoftext|>",
];

#[test]
fn no_prompt_is_refused_that_clip_could_take() {
    let folder = "../engine/tests/fixtures/parity/tiny-sd/tokenizer";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let tokenizer = ClipTokenizer::from_dir(&folder).unwrap();
    for piece in PIECES {
        let prompts = (0..80).map(|count| format!("a {{}}{}", piece.repeat(count)));
        let refused: Vec<String> = prompts.filter(|prompt| is_refused(prompt)).collect();
        assert!(!refused.is_empty(), "80 times {piece:?} was accepted");
        for prompt in refused {
            let text = PromptSpec(prompt).fill("*", "*");
            assert!(tokenizer.encode(&text).unwrap().truncated, "{text} fits");
        }
    }
}

fn is_refused(prompt: &str) -> bool {
    let prompt = serde_json::to_string(prompt).unwrap();
    let text = format!(
        "version: 1
name: texts
base: {{model: /models/sd}}
concepts: {{toy: {{images: toy/, class: toy}}}}
prompt_sets: {{p: {{prompts: [{prompt}]}}}}
methods: {{vico: {{method: vico}}}}
metrics: {{protocols: []}}
"
    );
    let Err(errors) = manifest::parse(text.as_bytes(), "manifest.yaml") else {
        return false;
    };
    let only_prompt = errors
        .problems
        .iter()
        .all(|problem| problem.kind == Kind::BadPrompt);
    assert!(only_prompt, "{errors}");
    true
}
