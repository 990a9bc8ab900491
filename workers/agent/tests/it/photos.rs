//! What a job says of the photos it was given.

use std::path::Path;

use vico::job::Stage;
use vico::spec::ImageInput;

use crate::pipeline::{SIZE, done, real_engine};
use crate::support::bench::{Bench, concept, settings};
use crate::support::tiny;

/// Phones store photos lying on their side, with a tag that says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_is_turned_is_named_in_the_log() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &real_engine());
    let mut images = tiny::photos(&bench).await;
    let name = "exif6.jpg".to_owned();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures/images");
    let bytes = std::fs::read(fixtures.join(&name)).unwrap();
    let digest = bench.store.put_blob(bytes.into()).await.unwrap().digest;
    images.push(ImageInput { name, digest });
    let job = bench
        .put_train_job(tiny::base(), concept(images), settings(1, 1), SIZE, 0)
        .await;
    done(&bench, job, Stage::Train).await;
    let log = bench.coordinator.wait_until(|_| true).await.log(job);
    worker.stop().await;
    let turned: Vec<_> = log.iter().filter(|line| line.contains("EXIF")).collect();
    assert_eq!(turned, ["`exif6.jpg` is turned as its EXIF tag says"], "{log:?}");
}
