//! Publishing results.

use bytes::Bytes;
use tempfile::TempDir;
use vico::store::{Content, Published, ResultFile};

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
