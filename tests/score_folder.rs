//! Pictures in a folder get the very numbers that the same pictures got inside a sweep, to the last bit.
#![expect(clippy::unwrap_used, reason = "tests")]

mod processes;
mod tiny_sweep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use processes::{Ended, vico_coord};
use serde_json::Value;
use tempfile::TempDir;

const PROTOCOLS: [&str; 7] = [
    "bench-v1",
    "vico-2023",
    "vico-2023-aa",
    "dreambooth-2023",
    "textual-inversion",
    "customconcept101",
    "dreambench-plus",
];

/// A finished sweep of one run of four pictures.
struct Sweep {
    folder: TempDir,
    results: PathBuf,
}

impl Sweep {
    fn run() -> Self {
        let (folder, results) = tiny_sweep::run(include_str!("manifests/scored.yaml"));
        Self { folder, results }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn score(&self, images: &Path, more: &[&str]) -> Ended {
        let photos = self.path("photos");
        self.score_without_photos(images, &[more, &["--refs", &photos]].concat())
    }

    fn score_without_photos(&self, images: &Path, more: &[&str]) -> Ended {
        let [clip, dino] = ["clip", "dino"].map(|name| self.path(name));
        let mut args = vec!["score", "--images", images.to_str().unwrap()];
        args.extend(["--clip", &clip, "--dino", &dino, "-o", "json"]);
        args.extend(more);
        vico_coord(&Vec::new(), &args)
    }

    /// What `metadata.jsonl` says of each picture: its metrics.
    fn inside(&self) -> Rows {
        let text = std::fs::read_to_string(self.results.join("metadata.jsonl")).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Pictures of the bare class word have no prompt.
        let lines = lines.filter(|line| line.get("prompt_index").is_some());
        lines
            .map(|line| {
                let place = (
                    line["prompt_index"].as_u64().unwrap(),
                    line["sample"].as_u64().unwrap(),
                );
                let metrics = line
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(key, _)| key.contains('/'));
                (place, metrics.map(bits).collect())
            })
            .collect()
    }

    /// Whole runs have their values in the leaderboard; of one concept, its mean is the run's own value.
    fn totals_inside(&self) -> BTreeMap<String, u64> {
        let text = std::fs::read_to_string(self.results.join("leaderboard.json")).unwrap();
        let board: Value = serde_json::from_str(&text).unwrap();
        let columns = board["columns"].as_array().unwrap().iter();
        let cells = board["rows"][0]["cells"].as_array().unwrap();
        let values = columns.zip(cells).map(|(column, cell)| {
            (
                column["name"].as_str().unwrap().to_owned(),
                cell["mean"].as_f64().unwrap().to_bits(),
            )
        });
        let of_images = self.inside().into_values().next().unwrap();
        let totals: BTreeMap<_, _> = values.filter(|(name, _)| !of_images.contains_key(name)).collect();
        assert!(totals.contains_key("health/prior_preservation"), "{totals:?}");
        totals
    }
}

fn bits((name, value): (&String, &Value)) -> (String, u64) {
    (name.clone(), value.as_f64().unwrap().to_bits())
}

/// Metrics by prompt and sample, with the bits of their values.
type Rows = BTreeMap<(u64, u64), BTreeMap<String, u64>>;

fn answer(ended: Ended) -> Value {
    serde_json::from_str(&ended.well().stdout).unwrap()
}

/// The values of the only run as a whole.
fn totals(answer: &Value) -> BTreeMap<String, u64> {
    let totals = answer[0]["totals"].as_object().unwrap();
    totals.iter().map(bits).collect()
}

/// The rows of the only run.
fn rows(answer: &Value) -> Rows {
    let rows = answer[0]["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let place = (row["prompt"].as_u64().unwrap(), row["sample"].as_u64().unwrap());
            (
                place,
                row["values"].as_object().unwrap().iter().map(bits).collect(),
            )
        })
        .collect()
}

#[test]
fn a_folder_gets_the_numbers_of_its_sweep() {
    let sweep = Sweep::run();
    let protocols: Vec<&str> = PROTOCOLS.iter().flat_map(|name| ["--protocol", name]).collect();
    let inside = sweep.inside();
    assert_eq!(inside.len(), 4);
    // Three metrics each, but for two protocols without DINO here, and two of health.
    assert_eq!(inside[&(1, 1)].len(), 3 * 7 - 2 + 2);
    let scored = answer(sweep.score(&sweep.results, &protocols));
    assert_eq!(rows(&scored), inside);
    assert_eq!(totals(&scored), sweep.totals_inside());

    // The same pictures in another tool's layout: prompts in words, so `bench-v1` reads the same text.
    let number = |prompt: u64, sample: u64| 2 * prompt + sample;
    let other = arranged(&sweep, "other", |prompt, sample| {
        format!("samples/{}.png", number(prompt, sample))
    });
    let words = ["a toy in the jungle", "a toy that is red"];
    let prompts = inside
        .keys()
        .map(|(prompt, sample)| (number(*prompt, *sample).to_string(), words[*prompt as usize]));
    let prompts: BTreeMap<String, &str> = prompts.collect();
    let text = serde_json::to_string(&prompts).unwrap();
    std::fs::write(other.join("prompts.json"), text).unwrap();
    let more = ["--layout", "customconcept101", "--class-word", "toy"];
    let outside = rows(&answer(sweep.score(&other, &more)));
    for (place, metrics) in &outside {
        for name in ["bench-v1/clip_i", "bench-v1/dino_i", "health/copy_score"] {
            assert_eq!(metrics[name], inside[place][name], "{name} of {place:?}");
        }
    }
    let of_prompt_0 = |table: &Rows| table[&(0, 0)]["bench-v1/clip_t"];
    assert_eq!(of_prompt_0(&outside), of_prompt_0(&inside));
}

/// Four pictures, and every value that they got is the sweep's.
fn assert_all_from(inside: &Rows, outside: &Rows) {
    assert_eq!(outside.len(), 4);
    for (place, metrics) in outside {
        for (name, value) in metrics {
            assert_eq!(*value, inside[place][name], "{name} of {place:?}");
        }
    }
}

/// A folder with a copy of each picture of the sweep.
fn arranged(sweep: &Sweep, name: &str, place: impl Fn(u64, u64) -> String) -> PathBuf {
    let folder = sweep.folder.path().join(name);
    for (prompt, sample) in sweep.inside().into_keys() {
        let picture = format!("images/textual_inversion/duck_toy/p{prompt:02}/s{sample}.png");
        let to = folder.join(place(prompt, sample));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(sweep.results.join(picture), to).unwrap();
    }
    folder
}

/// Whole sentences instead of prompts with a slot, and a single photo that lies beside every picture.
#[test]
fn dreambench_plus_folders_bring_their_own_photo() {
    let sweep = Sweep::run();
    let inside = sweep.inside();
    let folder = arranged(&sweep, "plus", |prompt, sample| {
        format!("tgt_image/toy/07/{prompt}_{sample}.png")
    });
    let mut photos: Vec<PathBuf> = std::fs::read_dir(sweep.folder.path().join("photos"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    photos.sort();
    for part in ["src_image/toy/07", "text/toy/07"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    let words = ["a toy in the jungle", "a red toy"];
    for (prompt, sample) in inside.keys() {
        let name = format!("toy/07/{prompt}_{sample}");
        std::fs::copy(&photos[0], folder.join(format!("src_image/{name}.jpg"))).unwrap();
        std::fs::write(folder.join(format!("text/{name}.txt")), words[*prompt as usize]).unwrap();
    }
    let more = ["--layout", "dreambench++", "--protocol", "dreambench-plus"];
    assert_all_from(
        &inside,
        &rows(&answer(sweep.score_without_photos(&folder, &more))),
    );
    std::fs::copy(&photos[1], folder.join("src_image/toy/07/1_1.jpg")).unwrap();
    let mixed = sweep.score_without_photos(&folder, &more);
    assert_eq!(mixed.code, 2);
    assert!(
        mixed.stderr.contains("src_image/toy/07/1_1.jpg is another photo"),
        "{}",
        mixed.stderr
    );
}

#[test]
fn dreammatcher_folders_get_the_numbers_of_the_sweep() {
    let sweep = Sweep::run();
    let inside = sweep.inside();
    let folder = arranged(&sweep, "matcher", |prompt, sample| {
        format!("duck_toy/output/ours/prompt_{prompt}/samples/{sample}.png")
    });
    std::fs::write(sweep.path("prompts.txt"), "a {} in the jungle\na red {}  \n").unwrap();
    let prompts = sweep.path("prompts.txt");
    let more = ["--layout", "dreammatcher", "--prompts", &prompts];
    let protocols = ["--protocol", "vico-2023", "--protocol", "bench-v1"];
    let scored = sweep.score(&folder, &[more.as_slice(), &protocols].concat());
    assert_all_from(&inside, &rows(&answer(scored)));
    let own_lists = sweep.score(&folder, &["--layout", "dreammatcher"]);
    assert_eq!(own_lists.code, 2);
    let said = "duck_toy/output/ours: prompt 2 (from 0) has no pictures";
    assert!(own_lists.stderr.contains(said), "{}", own_lists.stderr);
    let no_photos = sweep.score_without_photos(&folder, &more);
    assert!(no_photos.stderr.contains("--refs"), "{}", no_photos.stderr);
}

/// Photos stand for what another tool made of them: its files are JPEG, and a sweep's are PNG.
#[test]
fn signatures_say_what_the_pictures_are_kept_in() {
    let sweep = Sweep::run();
    let folder = sweep.folder.path();
    let formats = |images: &Path, more: &[&str]| -> Vec<String> {
        let scored = answer(sweep.score(images, more));
        let signatures = scored[0]["signatures"].as_object().unwrap().values();
        let format = |signature: &Value| {
            let (_, format) = signature.as_str().unwrap().split_once("|img:")?;
            Some(format.split('|').next().unwrap().to_owned())
        };
        let mut formats: Vec<String> = signatures.filter_map(format).collect();
        formats.dedup();
        formats
    };
    let flat = ["--layout", "flat", "--prompt", "a {}", "--class-word", "toy"];
    assert_eq!(formats(&sweep.results, &[]), ["png"]);
    assert_eq!(formats(&folder.join("photos"), &flat), ["jpg"]);
    let mixed = folder.join("mixed");
    std::fs::create_dir(&mixed).unwrap();
    std::fs::copy(folder.join("photos/00.jpg"), mixed.join("one.png")).unwrap();
    let png = sweep.results.join("images/textual_inversion/duck_toy/p00/s0.png");
    std::fs::copy(png, mixed.join("other.png")).unwrap();
    assert_eq!(formats(&mixed, &flat), ["mixed"]);
}

/// One token more than CLIP reads, once the class word is in its place.
#[test]
fn a_prompt_that_is_too_long_for_clip_is_refused_or_remarked() {
    let sweep = Sweep::run();
    let photos = sweep.folder.path().join("photos");
    let prompt = format!("a {{}}{}", " dog".repeat(74));
    let flat = ["--layout", "flat", "--prompt", &prompt, "--class-word", "dog"];
    let refused = sweep.score(&photos, &flat);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("bench-v1 compares with `a dog dog"),
        "{}",
        refused.stderr
    );
    let cut = ["--protocol", "customconcept101"];
    let scored = answer(sweep.score(&photos, &[flat.as_slice(), &cut].concat()));
    let remark = scored[0]["remarks"][0].as_str().unwrap();
    assert!(remark.contains("only the beginning of 1 of 1 texts"), "{remark}");
}

#[test]
fn what_cannot_be_scored_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let score = |more: &[&str]| {
        let mut args = vec![
            "score", "--images", path, "--refs", path, "--clip", path, "--dino", path,
        ];
        args.extend(more);
        vico_coord(&Vec::new(), &args)
    };
    let flat = score(&["--layout", "flat"]);
    assert!(
        flat.stderr.contains("does not say what was asked for"),
        "{}",
        flat.stderr
    );
    let empty = score(&["--layout", "flat", "--prompt", "a {}"]);
    assert!(empty.stderr.contains("no pictures: "), "{}", empty.stderr);
    let ours = score(&[]);
    assert!(ours.stderr.contains("metadata.jsonl"), "{}", ours.stderr);
    std::fs::write(folder.path().join("a.png"), "no picture").unwrap();
    let protocol = score(&["--layout", "flat", "--prompt", "a {}", "--protocol", "bench-v9"]);
    assert!(
        protocol.stderr.contains("unknown protocol"),
        "{}",
        protocol.stderr
    );
    let clip = score(&["--layout", "flat", "--prompt", "a {}"]);
    assert!(clip.stderr.contains("no weights here"), "{}", clip.stderr);
    for ended in [flat, empty, ours, protocol, clip] {
        assert_eq!(ended.code, 2, "{}", ended.stderr);
    }
}
