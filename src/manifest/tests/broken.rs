//! The report for every mistake people make, as they see it.

use super::super::Kind;
use super::{SMALL, bad, with};

/// One snapshot per case: the manifest's mistake is in its name, the report in the snapshot.
macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident: $text:expr;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let text: String = $text.into();
                insta::assert_snapshot!(bad(&text).to_string());
            }
        )*
    };
}

const PROMPTS: &str = r#"    prompts: ["a {} in the snow", "a {} on the beach"]"#;
const DUCK: &str = "{images: duck/, class: rubber duck}";
const VICO: &str = "{method: vico}";

fn prompts(lines: &[&str]) -> String {
    let list = lines.join("\n      - ");
    with(PROMPTS, &format!("    prompts:\n      - {list}"))
}

fn appended(section: &str) -> String {
    format!("{SMALL}{section}\n")
}

reports! {
    an_empty_file: "";
    only_comments: "# nothing here yet\n";
    text_instead_of_a_map: "hello";
    an_unclosed_bracket: with("[\"a {} in the snow\", \"a {} on the beach\"]", "[\"a {} in the snow\", \"a {} on the beach\"");
    a_map_that_is_not_closed: with(DUCK, "{images: duck/,\n    class: rubber duck");
    an_unclosed_quote: with("name: hello", "name: \"hello");
    a_tab_in_the_indentation: with("  duck:", "\tduck:");
    two_documents: appended("---\nversion: 1");

    an_asterisk_as_placeholder: with(DUCK, "{images: duck/, class: duck, placeholder: *}");
    an_asterisk_on_its_own_line: appended("concept_defaults:\n  placeholder: *");
    an_unknown_alias: appended("concept_defaults:\n  placeholder: *new");
    a_prompt_that_starts_with_braces: prompts(&["{} swimming in a pool"]);
    a_prompt_with_a_colon: prompts(&["a {} in the snow", "S*: on the beach"]);
    a_prompt_that_ends_in_a_colon_pair: prompts(&["a {}: in the snow"]);
    a_prompt_that_is_only_braces: prompts(&["{}"]);
    a_prompt_that_starts_with_a_bracket: prompts(&["[{}] in the snow"]);
    a_prompt_after_a_quoted_word: prompts(&["\"{}\" in the snow"]);
    a_name_with_an_at_sign: with("name: hello", "name: @hello");
    a_description_with_a_colon: with("name: hello", "name: hello\ndescription: first try: with a duck");

    a_key_twice: appended("name: again");
    a_merge_key: with(DUCK, &format!("&duck {DUCK}\n  red_duck: {{<<: *duck, images: red/}}"));
    a_tag: with("name: hello", "name: !!str hello");
    a_list_as_key: appended("? [a, b]\n: c");

    an_unknown_key: with(VICO, "{method: vico, stepz: 50}");
    an_unknown_key_like_no_other: with(VICO, "{method: vico, warmup: 50}");
    an_unknown_section: appended("sampler: {steps: 50}");
    a_missing_section: with("base: {model: /models/sd}\n", "");
    a_missing_key: with(DUCK, "{class: duck}");
    text_where_a_number_belongs: with(VICO, "{method: vico, steps: many}");
    a_quoted_number: with(VICO, "{method: vico, steps: \"400\"}");
    a_fraction_where_a_whole_number_belongs: with(VICO, "{method: vico, steps: 40.5}");
    a_number_where_text_belongs: with("name: hello", "name: 2024");
    text_where_a_list_belongs: with("clip: /models/clip", "protocols: bench-v1, clip: /models/clip");
    nothing_where_a_map_belongs: appended("sampling:");
    a_number_out_of_range: appended("sampling: {steps: 0, size: 100, eta: 1.5}");
    a_number_beyond_all_ranges: appended("sampling: {seeds: {base: 99999999999999999999999}}");
    an_optional_key_without_a_value: with(DUCK, "{images: duck/, class: , kind: }");
    not_a_number: appended("sampling: {guidance: .nan}");
    a_size_without_a_unit: appended("resources:\n  train: {vram: 16}\n  sample: {vram: 16G}");
    a_duration_without_a_unit: appended("retry: {checkpoint_every: 50, backoff: {initial: ten seconds, max: 5m}}");
    a_wait_that_shrinks: appended("retry: {backoff: {initial: 10m, max: 5m}}");
    a_share_of_nothing: appended("scheduling: {priority: high, share: 0, max_running: 0}");
    another_version: with("version: 1", "version: 2");
    an_unknown_protocol: with("clip: /models/clip", "protocols: [bench-v2], clip: /models/clip");

    an_unknown_method: with(VICO, "{method: vicco}");
    a_subject_without_token: with(VICO, "{method: vico, subject: \"{class}\"}");
    keys_of_other_methods: with(VICO, "{method: dreambooth, mask: false, rank: 4, lr: {embedding: 0.1}}");
    a_prior_for_a_method_without_one: with(VICO, "{method: textual_inversion, prior: {weight: 1}}");
    a_subject_of_nothing: with(VICO, "{method: dreambooth, subject: \"\"}");
    a_subject_with_a_slot_of_another_program: with(VICO, "{method: lora, subject: \"sks {name}\"}");
    a_base_model_that_is_to_be_trained: with(VICO, "{method: base_model, steps: 50}");
    a_base_model_that_is_to_draw_a_new_word: with(VICO, "{method: base_model, subject: \"{token} {class}\"}");
    a_new_word_that_no_subject_names: with(VICO, "{method: custom_diffusion, subject: \"sks {class}\"}");
    a_learning_rate_of_what_is_frozen: with(VICO, "{method: dreambooth, text_encoder: false, lr: {text_encoder: 1e-6}}");
    a_class_prompt_with_a_slot: with(VICO, "{method: dreambooth, prior: {prompt: \"a photo of a {}\"}}");
    an_unknown_projection: with(VICO, "{method: lora, targets: [to_q, to_out]}");
    an_index_that_is_not_used: with(VICO, "{method: vico, reference: {policy: cycle, index: 2}}");
    metrics_without_models: with("{clip: /models/clip, dino: /models/dino}", "{dino: /models/dino}");

    a_prompt_without_slot: prompts(&["a {} in the snow", "a duck in the snow"]);
    a_prompt_of_another_program: prompts(&["a {0} {1} in the snow", "a photo of S*"]);
    a_slot_that_does_not_stand_free: prompts(&["a photo of a{} in the snow"]);
    a_prompt_that_is_too_long: prompts(&[&format!("a {{}} wearing {}", ["a red, a blue"; 14].join(", "))]);
    a_negative_prompt_that_is_too_long: appended(&format!("sampling: {{negative_prompt: \"{}\"}}", ["ugly"; 80].join(" ")));
    the_same_prompt_twice: prompts(&["a {} in the snow", "a red {}", "a {} in the snow"]);
    prompts_from_two_places: with(PROMPTS, &format!("    builtin: vico/object\n{PROMPTS}"));
    an_unknown_builtin_list: with(PROMPTS, "    builtin: vico/objects");
    no_prompts_for_a_kind: with(PROMPTS, &format!("    for: {{kind: live}}\n{PROMPTS}"));

    no_concepts: with("concepts:\n  duck: {images: duck/, class: rubber duck}\n", "");
    two_concepts_with_the_same_folder: with(DUCK, &format!("{DUCK}\n  goose: {{images: duck, class: goose}}"));
    a_concept_without_class: with(DUCK, "{images: duck/}");
    an_initializer_of_two_words: with(DUCK, "{images: duck/, class: duck, init: rubber duck}");
    an_id_that_is_a_path: with("  duck:", "  ../duck:");
    a_list_of_images_with_a_text_file: with(DUCK, "{images: [a.jpg, notes.txt], class: duck}");
    a_home_folder: with("/models/sd", "~/models/sd");
    a_web_address: with("/models/sd", "https://huggingface.co/CompVis/stable-diffusion-v1-4");
    a_secret_in_a_location: with("/models/sd", "s3://key:secret@bucket/sd");

    a_precision_that_is_a_variant: with("/models/sd", "/models/sd, precision: fp16");

    an_axis_that_is_misspelt: appended("matrix: {sampling.guidence: [3.0, 5.0]}");
    an_axis_that_is_a_section: appended("matrix: {sampling.seeds: [1, 2]}");
    an_axis_that_changes_nothing: appended("matrix: {retry.attempts: [1, 2]}");
    an_axis_of_an_unknown_method: appended("matrix: {methods.dreambooth.steps: [1, 2]}");
    an_axis_with_bad_values: appended("matrix: {methods.vico.steps: [100, many, 0, 100]}");
    an_axis_with_too_many_values: appended(&format!("matrix: {{train_seed: [{}]}}", (0..5000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")));
    an_axis_without_values: appended("matrix: {train_seed: []}");
    an_axis_whose_values_do_not_fit_together: appended("matrix: {methods.vico.reference.index: [0, 1], methods.vico.reference.policy: [fixed, cycle]}");

    many_mistakes_at_once: "version: 1
name: my sweep
base: {model: /models/sd, dtype: fp16}
concepts:
  duck: {images: duck/, class: rubber duck, kind: living}
  cat: {image: cat/, class: cat}
prompt_sets:
  p: {prompts: [\"a {} in the snow\", \"a duck\", 7]}
methods:
  vico: {method: vico, steps: -1, lr: 0.005}
sampling: {guidance: high, sampler: ddpm}
matrix: {sampling.stepz: [10, 20]}
";
}

#[test]
fn kinds_are_told_apart() {
    let kinds =
        |text: String| -> Vec<Kind> { bad(&text).problems.iter().map(|problem| problem.kind).collect() };
    assert_eq!(kinds(with(VICO, "{method: vico, rank: 4}")), [Kind::UnknownKey]);
    assert_eq!(kinds(appended("matrix: {x: [1]}")), [Kind::BadAxis]);
}

#[test]
fn a_problem_says_where_it_is() {
    let errors = bad(&with(VICO, "{method: vico, stepz: 50}"));
    let problem = &errors.problems[0];
    let place = problem
        .place
        .as_ref()
        .map(|place| (place.line, place.column, place.width));
    assert_eq!(
        (problem.path.as_str(), place),
        ("methods.vico.stepz", Some((10, 24, 5)))
    );
}
