use std::collections::BTreeMap;

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

#[test]
fn dreambench_plus_pairs_pictures_with_captions_and_references() {
    let names = ["live/00/0_0", "live/00/10_0", "live/00/2_0", "object/07/0_0"];
    let mut files: Vec<String> = Vec::new();
    for name in names {
        files.extend([format!("tgt_image/{name}.jpg"), format!("src_image/{name}.jpg")]);
    }
    let texts: BTreeMap<String, String> = names
        .iter()
        .map(|name| (format!("text/{name}.txt"), format!("a caption of {name}\n")))
        .collect();
    let found = dreambench_plus(&files, &texts).unwrap();
    assert_eq!(found.len(), 2);
    let live = &found[0];
    assert_eq!((live.concept.as_str(), live.class.as_deref()), ("live/00", None));
    let prompts: Vec<&str> = live.prompts.iter().map(|shown| shown.prompt.as_str()).collect();
    let expected = ["live/00/0_0", "live/00/2_0", "live/00/10_0"].map(|name| format!("a caption of {name}"));
    assert_eq!(prompts, expected, "by number, not by letter");
    assert!(matches!(&live.references, References::Copies(copies) if copies.len() == 3));

    let error = dreambench_plus(&files[..7], &texts).unwrap_err().to_string();
    assert_eq!(
        error,
        "tgt_image/object/07/0_0.jpg has no reference in src_image/ of the same name"
    );
    let error = dreambench_plus(&files, &BTreeMap::new()).unwrap_err().to_string();
    assert_eq!(
        error,
        "tgt_image/live/00/0_0.jpg has no caption in text/ of the same name"
    );
    assert!(matches!(dreambench_plus(&[], &texts), Err(Error::Empty(_))));
}

#[test]
fn dreammatcher_numbers_its_prompts() {
    let lists =
        |count: usize| -> Vec<String> { (0..count).map(|number| format!("a {{}} {number}")).collect() };
    let (live, object) = (lists(1), lists(2));
    let lists = PromptLists {
        live: &live,
        object: &object,
    };
    let files = paths(&[
        "red_vase/output/ours/prompt_0/b.jpg",
        "red_vase/output/ours/prompt_0/a.jpg",
        "red_vase/output/ours/prompt_1/grid.jpg",
        "red_vase/output/ours/prompt_1/samples/0.jpg",
        "red_vase/output/ours/metrics.txt",
        "fat_dog/output/baseline/prompt_0/0.png",
    ]);
    let found = dreammatcher(&files, lists).unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|shown| (shown.method.as_str(), shown.concept.as_str()))
        .collect();
    assert_eq!(names, [("baseline", "fat_dog"), ("ours", "red_vase")]);
    let vase = &found[1];
    assert_eq!(
        (vase.class.as_deref(), &vase.references),
        (Some("vase"), &References::Folder("vase".to_owned()))
    );
    assert_eq!(
        vase.prompts[0].images,
        files[..2].iter().rev().cloned().collect::<Vec<_>>()
    );
    assert_eq!(
        vase.prompts[1].images,
        files[3..4],
        "what lies beside samples/ is no sample"
    );

    let refused = |names: &[&str]| dreammatcher(&paths(names), lists).unwrap_err().to_string();
    let one = refused(&["red_vase/output/ours/prompt_1/a.jpg"]);
    assert_eq!(one, "red_vase/output/ours: prompt 0 (from 0) has no pictures");
    let beyond = refused(&[
        "fat_dog/output/ours/prompt_0/a.jpg",
        "fat_dog/output/ours/prompt_1/a.jpg",
    ]);
    assert_eq!(
        beyond,
        "fat_dog/output/ours: prompt 1 (from 0) is not in the prompt list"
    );
    let stranger = refused(&["blue_cow/output/ours/prompt_0/a.jpg"]);
    assert!(stranger.starts_with("`blue_cow` is no concept of this benchmark, which has alarm_clock"));
    assert!(refused(&["notes.txt"]).starts_with("no pictures: "));
}
