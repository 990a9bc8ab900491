//! A sweep that is submitted again: workers read what was said last, and what says nothing new is left alone.

use std::collections::BTreeSet;

use vico::ids::SweepId;
use vico::plan::PlannedJob;
use vico::protocol::ManifestText;

use crate::bench::{Bench, manifest, text};

fn saving_every(steps: u32) -> ManifestText {
    let plain = String::from_utf8(manifest("hello", 2).bytes).unwrap();
    let attempts = "retry: {attempts: 2";
    assert!(plain.contains(attempts));
    text(&plain.replace(
        attempts,
        &format!("retry: {{checkpoint_every: {steps} steps, attempts: 2"),
    ))
}

/// How often trainings save, as their documents say.
async fn saved(bench: &Bench, sweep: &SweepId) -> BTreeSet<u32> {
    let jobs = bench.store.jobs::<PlannedJob>(sweep).await.unwrap();
    let every = jobs.values().map(|job| job.spec.checkpoint_every);
    every.filter(|steps| *steps > 0).collect()
}

#[tokio::test]
async fn documents_follow_the_last_submission() {
    let bench = Bench::new().await;
    let sweep = bench.submit(saving_every(50)).await;
    assert_eq!(saved(&bench, &sweep).await, [50].into());
    assert_eq!(bench.submit(saving_every(7)).await, sweep);
    assert_eq!(saved(&bench, &sweep).await, [7].into());

    let before = bench.documents(&sweep);
    assert_eq!(bench.submit(saving_every(7)).await, sweep);
    assert_eq!(bench.documents(&sweep), before, "nothing was written again");
}
