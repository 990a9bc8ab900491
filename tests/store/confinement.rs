//! No path leaves its folder.

use bytes::Bytes;
use tempfile::TempDir;
use vico::store::{Content, Error, Folder, ResultFile};

use crate::backends::on_every_backend;

const ESCAPES: [&str; 8] = [
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "a//b",
    "./a",
    "a\\..\\b",
    "a\0b",
    "",
];

#[tokio::test]
async fn results_cannot_be_published_elsewhere() {
    on_every_backend(async |store| {
        let sweep = "hello-00000000".parse().unwrap();
        for path in ESCAPES {
            let file = ResultFile {
                path: path.to_owned(),
                content: Content::Bytes(Bytes::from_static(b"x")),
            };
            let published = store.publish(&sweep, vec![file]).await;
            assert!(
                matches!(published, Err(Error::PathEscapes { .. })),
                "{path:?}: {published:?}"
            );
            let read = store.result(&sweep, path).await;
            assert!(
                matches!(read, Err(Error::PathEscapes { .. })),
                "{path:?}: {read:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_folder_reads_nothing_above_itself() {
    let outer = TempDir::new().unwrap();
    std::fs::write(outer.path().join("secret"), "hush").unwrap();
    std::fs::create_dir(outer.path().join("inner")).unwrap();
    let folder = Folder::open(outer.path().join("inner").to_str().unwrap())
        .await
        .unwrap();
    for path in ESCAPES {
        assert!(
            matches!(folder.read(path, 100).await, Err(Error::PathEscapes { .. })),
            "{path:?}"
        );
        assert!(folder.local_path(path).is_err(), "{path:?}");
        assert!(folder.subfolder(path).is_err(), "{path:?}");
    }
}

#[tokio::test]
async fn the_prefix_of_a_bucket_bounds_listings() {
    use crate::s3::{FaultPlan, S3Server};
    let server = S3Server::start(FaultPlan::none()).await;
    let (ours, theirs) = (server.store("team").await, server.store("team-b").await);
    let sweep = "hello-00000000".parse().unwrap();
    theirs
        .put_manifest(&sweep, "version: 1", "version: 1")
        .await
        .unwrap();
    assert!(ours.sweeps().await.unwrap().is_empty());
    assert_eq!(theirs.sweeps().await.unwrap(), [sweep]);
}
