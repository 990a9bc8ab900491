//! Blobs: what is put comes back, whatever its size and the way it takes.

use bytes::Bytes;
use tempfile::TempDir;
use vico::clock::SystemClock;
use vico::digest::Digest;
use vico::job::BlobRef;
use vico::store::{Error, Journal, Store, storage_check};

use crate::backends::{local, on_every_backend};
use crate::s3::{FaultPlan, S3Server};

/// Not a round number of parts.
const LARGE: usize = (20 << 20) + 17;

pub(crate) fn bytes(length: usize) -> Bytes {
    (0..length).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn small_large_and_empty_blobs_come_back() {
    on_every_backend(async |store| {
        for length in [0, 1, 1000, LARGE] {
            let bytes = bytes(length);
            let blob = store.put_blob(bytes.clone()).await.unwrap();
            assert_eq!((blob.digest, blob.size), (Digest::of(&bytes), length as u64));
            assert_eq!(store.blob(&blob).await.unwrap(), bytes);
            assert_eq!(store.put_blob(bytes).await.unwrap(), blob, "again");
        }
    })
    .await;
}

#[tokio::test]
async fn files_go_up_and_come_down() {
    let folder = TempDir::new().unwrap();
    on_every_backend(async |store| {
        for length in [0, 1000, LARGE] {
            let (up, down) = (folder.path().join("up"), folder.path().join("down"));
            std::fs::write(&up, bytes(length)).unwrap();
            let blob = store.put_blob_file(&up).await.unwrap();
            store.blob_to_file(&blob, &down).await.unwrap();
            assert_eq!(std::fs::read(&down).unwrap(), bytes(length));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    on_every_backend(async |store| {
        let absent = BlobRef {
            digest: Digest::of(b"absent"),
            size: 6,
        };
        assert!(!store.has_blob(&absent).await.unwrap());
        assert!(matches!(store.blob(&absent).await, Err(Error::NotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_size_is_corruption() {
    on_every_backend(async |store| {
        let mut blob = store.put_blob(bytes(10)).await.unwrap();
        blob.size = 9;
        assert!(!store.has_blob(&blob).await.unwrap());
        assert!(matches!(store.blob(&blob).await, Err(Error::Corrupt { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_blob_in_a_local_folder_is_a_plain_file() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let blob = store.put_blob(bytes(10)).await.unwrap();
    let path = store.blob_path(blob.digest).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes(10));
    let hex = blob.digest.to_string();
    assert!(path.ends_with(format!("bucket with space/blobs/{}/{hex}", &hex[..2])));
}

#[tokio::test]
async fn transfers_survive_a_rough_server() {
    let server = S3Server::start(FaultPlan::rough(7)).await;
    let store = server.store("").await;
    for i in 0..30_usize {
        let bytes = bytes(i * 1000 + usize::from(i == 9) * LARGE);
        let blob = store.put_blob(bytes.clone()).await.unwrap();
        assert_eq!(store.blob(&blob).await.unwrap(), bytes);
    }
    assert!(
        server.faults().injected() > 5,
        "{} faults",
        server.faults().injected()
    );
}

#[tokio::test]
async fn two_that_put_the_same_blob_both_succeed() {
    on_every_backend(async |store| {
        let puts = (0..8).map(|_| store.put_blob(bytes(5000)));
        for blob in futures::future::join_all(puts).await {
            assert_eq!(store.blob(&blob.unwrap()).await.unwrap(), bytes(5000));
        }
    })
    .await;
}

/// What others spawn must be able to move between threads.
#[test]
fn futures_are_send() {
    fn sendable(_: impl Send) {}
    let store = Store::in_memory();
    sendable(store.put_blob(Bytes::new()));
    sendable(store.put_blob_file("x".as_ref()));
    sendable(store.resolve(&[]));
    sendable(store.sweeps());
    sendable(store.receipts([]));
    sendable(store.publish(&"x".parse().unwrap(), Vec::new()));
    sendable(Journal::open(&store, "x"));
    sendable(storage_check(&store, &SystemClock));
}
