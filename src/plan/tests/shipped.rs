//! The manifests that come along, planned in a world in which all they name is there: how much work they are.

use std::collections::BTreeSet;
use std::path::Path;

use super::planned;

fn work(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let plan = planned(&text);
    let summary = plan.summary(&BTreeSet::new());
    let stages: Vec<String> = summary
        .stages
        .iter()
        .map(|stage| format!("{} {}", stage.jobs, stage.stage))
        .collect();
    format!(
        "{name}: {} concepts, {} rows, {} runs; {}; {} train steps, {} class images, {} images",
        summary.concepts,
        summary.rows,
        summary.runs,
        stages.join(", "),
        summary.train_steps,
        summary.class_images,
        summary.images,
    )
}

#[test]
fn what_the_shipped_manifests_ask_for() {
    let names = [
        "quickstart.yaml",
        "world.yaml",
        "five-methods.yaml",
        "photos.yaml",
        "vico-paper.yaml",
        "dreambench.yaml",
        "customconcept101.yaml",
        "ablation.yaml",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let files = std::fs::read_dir(folder).expect("the manifests are there");
    let files = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let shipped: BTreeSet<String> = files
        .filter(|name| name.split('.').nth(1) == Some("yaml"))
        .collect();
    assert_eq!(
        shipped,
        names.map(str::to_owned).into(),
        "one is not planned here"
    );
    insta::assert_snapshot!(names.map(work).join("\n"));
}
