//! The manifest with all five methods, whose trainings share what they can.

use vico::job::{Stage, output_names};
use vico::status::{SweepState, SweepStatus};

use crate::bench::{Bench, text};

const MANIFEST: &str = include_str!("../../../manifests/five-methods.yaml");

/// Stage, jobs, and how many of them were done before the sweep came.
fn reused(status: &SweepStatus) -> Vec<(Stage, u32, u32)> {
    let stages = status.stages.iter();
    stages
        .map(|stage| (stage.stage, stage.jobs(), stage.reused))
        .collect()
}

#[tokio::test]
async fn class_images_are_drawn_once_for_all_trainings() {
    let bench = Bench::new().await;
    let sweep = bench.submit(text(MANIFEST)).await;
    let worker = bench.worker("w1", 3).await;
    let (done, status) = tokio::join!(worker.work(), bench.wait_for(&sweep));
    assert_eq!((done, status.state), (31, SweepState::Succeeded));
    let expected = [
        (Stage::ClassImages, 1, 0),
        (Stage::Train, 10, 0),
        (Stage::Sample, 10, 0),
        (Stage::Score, 10, 0),
    ];
    assert_eq!(reused(&status), expected);

    let plan: vico::plan::Plan = bench.store.plan(&sweep).await.unwrap();
    let drawn = plan.runs.iter().find_map(|run| run.class_images).unwrap();
    let receipt = bench.store.receipt(drawn).await.unwrap().unwrap();
    let names: Vec<_> = receipt.outputs.keys().cloned().collect();
    assert_eq!(names, (0..4).map(output_names::class_image).collect::<Vec<_>>());
}

#[tokio::test]
async fn other_protocols_only_measure_again() {
    let bench = Bench::new().await;
    let first = bench.submit(text(MANIFEST)).await;
    let worker = bench.worker("w1", 3).await;
    tokio::join!(worker.work(), bench.wait_for(&first));
    let other = MANIFEST.replace("metrics:\n", "metrics:\n  protocols: [bench-v1]\n");
    let second = bench.submit(text(&other)).await;
    let (done, status) = tokio::join!(worker.work(), bench.wait_for(&second));
    assert_eq!(done, 10);
    let expected = [
        (Stage::ClassImages, 1, 1),
        (Stage::Train, 10, 10),
        (Stage::Sample, 10, 10),
        (Stage::Score, 10, 0),
    ];
    assert_eq!(reused(&status), expected);
}
