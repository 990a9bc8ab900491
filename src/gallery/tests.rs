use super::*;

fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_flat_folder_is_one_prompt() {
    let files = paths(&["b.JPG", "a.png", "notes.txt", "sub/c.png"]);
    let found = flat(&files, "a {} in the snow").unwrap();
    assert_eq!(found[0].prompts[0].images, ["a.png", "b.JPG"]);
    assert_eq!(found[0].prompts[0].prompt, "a {} in the snow");
    assert!(matches!(
        flat(&paths(&["notes.txt"]), "a {}"),
        Err(Error::Empty(_))
    ));
}

#[test]
fn pictures_of_equal_prompts_belong_together() {
    let files = paths(&["samples/0.png", "samples/1.png", "samples/2.png", "prompts.json"]);
    let prompts = r#"{"0": "a dog in the snow", "1": "a dog at sea", "2": "a dog in the snow"}"#;
    let found = custom_concept101(&files, prompts).unwrap();
    let shown: Vec<(&str, usize)> = found[0]
        .prompts
        .iter()
        .map(|prompt| (prompt.prompt.as_str(), prompt.images.len()))
        .collect();
    assert_eq!(shown, [("a dog at sea", 1), ("a dog in the snow", 2)]);
}

#[test]
fn a_picture_or_a_prompt_alone_is_named() {
    let files = paths(&["samples/0.png", "samples/1.png"]);
    let error = custom_concept101(&files, r#"{"0": "a dog"}"#).unwrap_err();
    assert_eq!(error.to_string(), "samples/1.png has no prompt in prompts.json");
    let error = custom_concept101(&files, r#"{"0": "a", "1": "b", "2": "c"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "prompts.json names 2, and there is no such picture in samples/"
    );
    let error = custom_concept101(&files, "[]").unwrap_err().to_string();
    assert!(error.starts_with("prompts.json, line 1: "), "{error}");
    assert!(matches!(custom_concept101(&[], "{}"), Err(Error::Empty(_))));
}

#[test]
fn our_results_are_one_entry_per_run() {
    let line = |method: &str, prompt: u32, sample: u32| {
        format!(
            r#"{{"file_name": "images/{method}/barn/p0{prompt}/s{sample}.png", "method": "{method}", "point": "",
             "concept": "barn", "class": "house", "train_seed": 7, "prompt_index": {prompt}, "sample": {sample},
             "pattern": "a {{}} {prompt}", "prompt": "a * {prompt}"}}"#
        )
        .replace('\n', " ")
    };
    let text = [
        line("vico", 1, 0),
        line("vico", 0, 1),
        line("vico", 0, 0),
        line("lora", 0, 0),
    ]
    .join("\n");
    let found = ours(&text).unwrap();
    assert_eq!(found.len(), 2);
    let vico = &found[1];
    assert_eq!(
        (vico.method.as_str(), vico.class.as_deref()),
        ("vico seed 7", Some("house"))
    );
    assert_eq!(
        vico.prompts[0],
        ShownPrompt {
            prompt: "a {} 0".to_owned(),
            images: paths(&["images/vico/barn/p00/s0.png", "images/vico/barn/p00/s1.png"]),
        }
    );
    assert_eq!(vico.prompts.len(), 2);
    let error = ours("{}").unwrap_err().to_string();
    assert!(
        error.starts_with("metadata.jsonl, line 1: missing field"),
        "{error}"
    );
    assert!(matches!(ours("\n"), Err(Error::Empty(_))));
}
