//! Publishing results.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::Instant;
use vico::store::{Content, Fate, FateOutcome, Published, ResultFile, SharedMemory, Store, Weather};

use crate::backends::{local, on_every_backend};
use crate::s3::{FaultPlan, S3Server};

fn file(path: &str, content: Content) -> ResultFile {
    ResultFile {
        path: path.to_owned(),
        content,
    }
}

#[tokio::test]
async fn publishing_can_be_repeated() {
    on_every_backend(async |store| {
        let sweep = "hello-00000000".parse().unwrap();
        let blob = store.put_blob(Bytes::from_static(b"an image")).await.unwrap();
        let files = |table: &'static [u8]| {
            vec![
                file("images/vico@lr=0.02/barn/p00/s0.png", Content::Blob(blob.clone())),
                file("leaderboard.json", Content::Bytes(Bytes::from_static(table))),
            ]
        };
        let first = store.publish(&sweep, files(b"{}")).await.unwrap();
        assert_eq!(
            first,
            Published {
                written: 2,
                present: 0
            }
        );
        let second = store.publish(&sweep, files(b"[]")).await.unwrap();
        assert_eq!(
            second,
            Published {
                written: 1,
                present: 1
            }
        );
        let read = async |path: &str| store.result(&sweep, path).await.unwrap();
        assert_eq!(read("leaderboard.json").await.as_deref(), Some(b"[]".as_slice()));
        let image = read("images/vico@lr=0.02/barn/p00/s0.png").await;
        assert_eq!(image.as_deref(), Some(b"an image".as_slice()));
        assert_eq!(read("samples.csv").await, None);
    })
    .await;
}

#[tokio::test]
async fn who_edits_a_result_does_not_change_the_blob() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let sweep = "hello-00000000".parse().unwrap();
    let blob = store.put_blob(Bytes::from_static(b"an image")).await.unwrap();
    let files = vec![file("images/x.png", Content::Blob(blob.clone()))];
    store.publish(&sweep, files).await.unwrap();
    let path = store
        .local_root()
        .unwrap()
        .join(format!("results/{sweep}/images/x.png"));
    std::fs::write(path, "scribble").unwrap();
    assert_eq!(store.blob(&blob).await.unwrap(), "an image");
}

#[tokio::test]
async fn publishing_survives_a_rough_server() {
    let server = S3Server::start(FaultPlan::rough(3)).await;
    let store = server.store("").await;
    let sweep = "hello-00000000".parse().unwrap();
    let mut files = Vec::new();
    for i in 0..40 {
        let blob = store.put_blob(Bytes::from(format!("image {i}"))).await.unwrap();
        files.push(file(&format!("images/{i}.png"), Content::Blob(blob)));
    }
    store.publish(&sweep, files).await.unwrap();
    for i in 0..40 {
        let image = store.result(&sweep, &format!("images/{i}.png")).await.unwrap();
        assert_eq!(image.unwrap(), format!("image {i}"));
    }
}

/// A bucket in which every write takes a second.
#[derive(Debug)]
struct SlowWrites;

impl Weather for SlowWrites {
    fn next(&self, _key: &str, is_write: bool) -> Fate {
        Fate {
            after: Duration::from_secs(u64::from(is_write)),
            outcome: FateOutcome::Done,
        }
    }
}

/// Publishes so many tables; how long it took.
async fn publish_tables(store: &Store, sweep: &str, count: usize) -> Duration {
    let begun = Instant::now();
    let tables = (0..count).map(|i| file(&format!("{i}.csv"), Content::Bytes(Bytes::from_static(b"x"))));
    let published = store.publish(&sweep.parse().unwrap(), tables.collect()).await;
    assert_eq!(published.unwrap().written, count as u64);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn sweeps_share_the_files_in_flight_and_a_small_one_passes_large_ones() {
    let store = SharedMemory::default().under(Arc::new(SlowWrites));
    let clone = store.clone();
    let (first, second, small) = tokio::join!(
        publish_tables(&store, "first", 160),
        publish_tables(&clone, "second", 160),
        publish_tables(&store, "small", 16),
    );
    let all = Duration::from_secs((160 + 160 + 16) / 16);
    assert_eq!(
        first.max(second).as_secs(),
        all.as_secs(),
        "more than 16 at a time, or fewer"
    );
    assert!(small < all / 3, "it waited {small:?} for others");
}
