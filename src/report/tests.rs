use std::collections::BTreeMap;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;

use crate::ids::SweepId;

use super::fixture::{METRICS, run};
use super::{FailedJob, Leaderboard, Record, RunOutcome, metric_names};

fn results(sweep: &SweepId, runs: &[RunOutcome]) -> Result<super::Results, super::Error> {
    super::results(sweep, runs, &Record::default())
}

fn constant(value: f64) -> impl Fn(u32, u32) -> Option<f64> {
    move |_, _| Some(value)
}

fn leaderboard(runs: &[RunOutcome]) -> Leaderboard {
    Leaderboard::new(&"hello-3fa81c20".parse().unwrap(), runs)
}

fn close(got: Option<f64>, want: f64) -> bool {
    got.is_some_and(|got| (got - want).abs() < 1e-12)
}

#[test]
fn samples_weigh_within_a_prompt_and_prompts_within_a_concept() {
    // Prompt 0 keeps one sample of two: the mean of means is 0.3, the mean of all images would be 1/3.
    let scores = |prompt, sample| match (prompt, sample) {
        (0, 0) => Some(0.2),
        (0, 1) => None,
        _ => Some(0.4),
    };
    let board = leaderboard(&[run("vico", "barn", scores)]);
    let cell = &board.rows[0].cells[0];
    assert!(close(cell.mean, 0.3), "{cell:?}");
    assert_eq!((cell.concepts, cell.images, cell.images_wanted), (1, 3, 4));
    assert_eq!(cell.sd, None, "one concept has no spread");
}

#[test]
fn concepts_weigh_the_same_whatever_their_number_of_runs() {
    let mut other_seed = run("vico", "barn", constant(0.4));
    other_seed.train_seed = 8;
    let runs = [
        run("vico", "barn", constant(0.2)),
        other_seed,
        run("vico", "dog", constant(0.6)),
    ];
    let cell = leaderboard(&runs).rows[0].cells[0].clone();
    assert!(close(cell.mean, 0.45), "{cell:?}");
    assert!(close(cell.sd, 0.15 * 2.0_f64.sqrt()), "{cell:?}");
    assert_eq!(cell.concepts, 2);
}

#[test]
fn what_is_missing_is_shown_and_never_zero() {
    let mut unscored = run("vico", "dog", constant(0.5));
    unscored.scores = None;
    let mut nothing = run("other", "dog", constant(0.5));
    nothing.scores = None;
    let board = leaderboard(&[run("vico", "barn", constant(0.5)), unscored, nothing]);
    let text = board.to_markdown();
    assert!(text.contains("| other | 0/1 | missing | missing |"), "{text}");
    assert!(
        text.contains("| vico | 1/2 | 0.5000 (n=1) (4/8 images) |"),
        "{text}"
    );
    assert!(text.contains("2 of 3 runs have no scores"), "{text}");
}

#[test]
fn numbers_of_two_signatures_are_not_compared_in_silence() {
    let mut other = run("vico", "dog", constant(0.5));
    if let Some(table) = &mut other.scores {
        table
            .signatures
            .insert(METRICS[0].to_owned(), "proto:other".to_owned());
    }
    let board = leaderboard(&[run("vico", "barn", constant(0.5)), other]);
    assert_eq!(
        board.notes,
        ["bench-v1/clip_t was computed in 2 ways: its rows cannot be compared"]
    );
}

#[test]
fn a_leaderboard_survives_its_own_json() {
    let board = leaderboard(&[run("vico", "barn", constant(0.25))]);
    let read: Leaderboard = serde_json::from_str(&board.to_json().unwrap()).unwrap();
    assert_eq!(read, board);
}

#[test]
fn the_results_tree_holds_every_image_and_adapter_once() {
    let mut at_point = run("vico", "barn", constant(0.5));
    at_point.point = "steps=300".to_owned();
    let tree = results(
        &"hello-3fa81c20".parse().unwrap(),
        &[run("vico", "barn", constant(0.5)), at_point],
    )
    .unwrap();
    let paths: Vec<&str> = tree.copies.keys().map(String::as_str).collect();
    assert_eq!(paths.len(), 11, "{paths:?}");
    assert!(
        paths.contains(&"adapters/vico@steps=300/barn.safetensors"),
        "{paths:?}"
    );
    assert!(paths.contains(&"images/vico/barn/p01/s1.png"), "{paths:?}");
    let documents: Vec<&str> = tree.documents.keys().map(String::as_str).collect();
    assert_eq!(
        documents,
        [
            "cells.parquet",
            "leaderboard.csv",
            "leaderboard.json",
            "leaderboard.md",
            "leaderboard.tex",
            "metadata.jsonl",
            "report/index.html",
            "samples.csv",
            "samples.parquet"
        ]
    );
}

#[test]
fn train_seeds_share_a_row_but_no_folder() {
    let mut other_seed = run("vico", "barn", constant(0.5));
    other_seed.train_seed = 8;
    let runs = [run("vico", "barn", constant(0.5)), other_seed];
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &runs).unwrap();
    assert_eq!(tree.copies.len(), 11);
    assert!(
        tree.copies.contains_key("images/vico@seed=8/barn/p00/s0.png"),
        "{:?}",
        tree.copies.keys()
    );
    assert_eq!(leaderboard(&runs).rows.len(), 1);
}

#[test]
fn what_people_read_is_pinned() {
    let scores = |prompt: u32, sample: u32| (sample == 0).then(|| 0.25 + f64::from(prompt) / 8.0);
    let runs = [run("vico", "barn", scores), run("vico", "dog", constant(0.5))];
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &runs).unwrap();
    let text = |name: &str| {
        String::from_utf8(tree.documents[name].clone())
            .unwrap()
            .replace('\r', "")
    };
    insta::assert_snapshot!("leaderboard_md", text("leaderboard.md"));
    insta::assert_snapshot!("leaderboard_json", text("leaderboard.json"));
    insta::assert_snapshot!("samples_csv", text("samples.csv"));
    insta::assert_snapshot!("metadata_jsonl", text("metadata.jsonl"));
}

/// Two methods, three concepts of which two are common: what is compared, and how it is told.
#[test]
fn every_two_rows_are_compared_on_their_common_concepts() {
    let mut odd = run("odd_name", "barn", constant(0.25));
    odd.point = "steps=300".to_owned();
    let runs = [
        run("vico", "barn", constant(0.5)),
        run("vico", "dog", constant(0.75)),
        run("vico", "cat", constant(0.25)),
        odd.clone(),
        RunOutcome {
            concept: "dog".parse().unwrap(),
            ..odd
        },
    ];
    let board = leaderboard(&runs);
    assert_eq!(board.comparisons.len(), 2, "one pair of rows, two columns");
    let first = &board.comparisons[0];
    assert_eq!(
        (first.first.as_str(), first.second.as_str()),
        ("odd_name@steps=300", "vico")
    );
    assert!(close(Some(first.paired.difference), -0.375), "{first:?}");
    assert_eq!((first.paired.concepts, first.paired.tally.losses), (2, 2));
    assert!(
        close(Some(first.paired.p), 0.5) && close(Some(first.p_holm), 1.0),
        "{first:?}"
    );
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &runs).unwrap();
    let text = |name: &str| {
        String::from_utf8(tree.documents[name].clone())
            .unwrap()
            .replace('\r', "")
    };
    insta::assert_snapshot!("compared_md", text("leaderboard.md"));
    insta::assert_snapshot!("compared_csv", text("leaderboard.csv"));
    insta::assert_snapshot!("compared_tex", text("leaderboard.tex"));
}

/// A total is one value of a run: a column of the leaderboard, no column of images, and never a missing image.
#[test]
fn values_of_whole_runs_are_averaged_over_concepts() {
    let with_total = |concept, value| {
        let mut run = run("vico", concept, constant(0.5));
        let table = run.scores.as_mut().unwrap();
        table
            .signatures
            .insert("health/diversity".to_owned(), "proto:health".to_owned());
        table.totals.insert("health/diversity".to_owned(), value);
        run
    };
    let runs = [with_total("barn", 0.2), with_total("dog", 0.4)];
    let board = leaderboard(&runs);
    let names: Vec<&str> = board.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["bench-v1/clip_t", "bench-v1/dino_i", "health/diversity"]);
    assert!(close(board.rows[0].cells[2].mean, 0.3), "{board:?}");
    assert_eq!(board.rows[0].runs_scored, 2);
    assert_eq!(metric_names(&runs), METRICS.map(str::to_owned));
}

#[test]
fn train_seeds_spread_within_their_concept() {
    let seed = |train_seed, value| RunOutcome {
        train_seed,
        ..run("vico", "barn", constant(value))
    };
    let board = leaderboard(&[seed(7, 0.2), seed(8, 0.4), run("vico", "dog", constant(0.9))]);
    assert!(
        close(board.rows[0].cells[0].seed_sd, 0.02_f64.sqrt()),
        "{board:?}"
    );
    let alone = leaderboard(&[run("vico", "dog", constant(0.9))]);
    assert_eq!(alone.rows[0].cells[0].seed_sd, None);
}

/// The rows of a parquet file.
fn table(file: &[u8]) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let cells = |row: parquet::record::Row| {
        let cells = row.get_column_iter();
        cells.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| cells(row.unwrap())).collect()
}

#[test]
fn parquet_and_csv_tell_the_same() {
    let scores = |prompt: u32, sample: u32| (sample == 0).then(|| 0.25 + f64::from(prompt) / 8.0);
    let runs = [run("vico", "barn", scores)];
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &runs).unwrap();
    let rows = table(&tree.documents["samples.parquet"]);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["prompt"], Field::Str("a \"red\" *, old".to_owned()));
    assert_eq!(rows[2]["bench-v1/dino_i"], Field::Double(0.375));
    assert_eq!(rows[3]["bench-v1/dino_i"], Field::Null);
    assert_eq!(rows[0].len(), 9 + metric_names(&runs).len());
}

/// Two samples a prompt: one row with their mean, over what was measured.
#[test]
fn cells_are_means_over_samples() {
    let scores = |prompt: u32, sample: u32| match (prompt, sample) {
        (0, _) => Some(0.25 + f64::from(sample) / 2.0),
        (_, 0) => Some(0.75),
        _ => None,
    };
    let mut unscored = run("vico", "dog", constant(0.5));
    unscored.scores = None;
    let runs = [run("vico", "barn", scores), unscored];
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &runs).unwrap();
    let rows = table(&tree.documents["cells.parquet"]);
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        column("bench-v1/dino_i"),
        [Field::Double(0.5), Field::Double(0.75), Field::Null, Field::Null]
    );
    assert_eq!(column("images"), [2, 2, 2, 2].map(Field::Int));
    assert_eq!(column("images_scored"), [2, 1, 0, 0].map(Field::Int));
    assert_eq!(rows[1]["pattern"], Field::Str("a \"red\" {}, old".to_owned()));
    assert_eq!(rows[3]["concept"], Field::Str("dog".to_owned()));
}

/// Images of the bare class word lie beside the others and are told apart.
#[test]
fn images_of_the_class_word_are_published() {
    let mut run = run("vico", "barn", constant(0.5));
    let outputs = &mut run.sample.as_mut().unwrap().outputs;
    let blob = outputs["p00/s0.png"].clone();
    outputs.insert("prior/s0.png".to_owned(), blob.clone());
    let tree = results(&"hello-3fa81c20".parse().unwrap(), &[run]).unwrap();
    assert_eq!(tree.copies["images/vico/barn/prior/s0.png"], blob);
    let metadata = String::from_utf8(tree.documents["metadata.jsonl"].clone()).unwrap();
    let last: serde_json::Value = serde_json::from_str(metadata.lines().last().unwrap()).unwrap();
    assert_eq!(last["prompt"], "a photo of a house");
    assert_eq!(last.get("prompt_index"), None);
}

/// The page of a sweep with a failure, a hostile prompt and a missing image.
#[test]
fn the_page_shows_everything_and_lets_nothing_out() {
    let hostile = "a {} <script>alert(1)</script> & \"more\"";
    let mut broken = run("vico", "dog", constant(0.5));
    broken.patterns[0] = hostile.to_owned();
    broken.prompts[0] = hostile.replace("{}", "*");
    if let Some(receipt) = &mut broken.sample {
        receipt.outputs.remove("p01/s1.png");
    }
    let runs = [
        run("odd", "barn", constant(0.25)),
        run("vico", "barn", constant(0.75)),
        broken,
    ];
    let record = Record {
        manifest: "name: hello # <b>".to_owned(),
        lock: "name: hello".to_owned(),
        failures: vec![FailedJob {
            label: "vico/dog/score".to_owned(),
            reason: "storage: the bucket is full".to_owned(),
        }],
    };
    let sweep = "hello-3fa81c20".parse().unwrap();
    let page = |runs: &[RunOutcome]| {
        let tree = super::results(&sweep, runs, &record).unwrap();
        String::from_utf8(tree.documents["report/index.html"].clone()).unwrap()
    };
    let text = page(&runs);
    assert_eq!(text, page(&runs), "the same receipts make the same bytes");
    assert!(
        !text.contains("<script>alert") && !text.contains("<b>"),
        "text of others is escaped"
    );
    for shown in [
        "../images/vico/barn/p00/s0.png",
        "../references/dog/00_front.jpg",
        "../adapters/vico/barn.safetensors",
        "storage: the bucket is full",
        "sampling seed 3",
        "<circle",
        "missing",
        "first − second",
    ] {
        assert!(text.contains(shown), "no `{shown}`");
    }
}
