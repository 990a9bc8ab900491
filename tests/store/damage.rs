//! Damage is noticed: flipped bytes, cut files, full disks, missing permission.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use tempfile::TempDir;
use vico::digest::Digest;
use vico::ids::{JobKey, LeaseId};
use vico::spec::FileSource;
use vico::store::{Error, Folder, Store};

use crate::backends::local;
use crate::blobs::bytes;

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_byte_in_a_blob_is_corruption() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    for length in [100, 20 << 20] {
        let blob = store.put_blob(bytes(length)).await.unwrap();
        flip(&store.blob_path(blob.digest).unwrap());
        let error = store.blob(&blob).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(&blob.digest.to_string()), "{error}");
        let target = folder.path().join("down");
        assert!(matches!(
            store.blob_to_file(&blob, &target).await,
            Err(Error::Corrupt { .. })
        ));
        assert!(!target.exists(), "damaged bytes were left behind");
    }
}

#[tokio::test]
async fn a_model_file_that_changed_is_not_downloaded() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), "new weights").unwrap();
    let origin = Folder::open(folder.path().to_str().unwrap()).await.unwrap();
    let file = FileSource {
        path: "model.safetensors".to_owned(),
        digest: Digest::of(b"old weights"),
        size: 11,
    };
    let target = folder.path().join("cached");
    assert!(matches!(
        origin.download(&file, &target).await,
        Err(Error::Corrupt { .. })
    ));
    assert!(!target.exists());
}

#[tokio::test]
async fn an_empty_model_file_that_is_gone_is_missed() {
    let folder = TempDir::new().unwrap();
    let origin = Folder::open(folder.path().to_str().unwrap()).await.unwrap();
    let file = FileSource {
        path: "empty.txt".to_owned(),
        digest: Digest::of(b""),
        size: 0,
    };
    let target = folder.path().join("cached");
    assert!(matches!(
        origin.download(&file, &target).await,
        Err(Error::NotFound { .. })
    ));
    assert!(!target.exists());
    std::fs::write(folder.path().join("empty.txt"), "").unwrap();
    origin.download(&file, &target).await.unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"");
}

#[tokio::test]
async fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let job = JobKey(Digest::of(b"job"));
    for step in [100, 200] {
        let state = Bytes::from(format!("state at {step}"));
        store.put_checkpoint(job, step, LeaseId(1), state).await.unwrap();
    }
    let found = store.checkpoints(job).await.unwrap();
    let newest = found.last().unwrap();
    let name = format!(
        "{:010}-{}-{}.safetensors",
        newest.step, newest.lease, newest.checksum
    );
    flip(
        &store
            .local_root()
            .unwrap()
            .join(format!("jobs/{job}/checkpoint/{name}")),
    );
    let (checkpoint, state) = store.latest_checkpoint(&found).await.unwrap().unwrap();
    assert_eq!((checkpoint.step, state), (100, Bytes::from("state at 100")));
}

#[tokio::test]
async fn a_folder_without_permission_is_a_refusal() {
    let folder = TempDir::new().unwrap();
    let store = local(&folder).await;
    let root = store.local_root().unwrap().to_owned();
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o555)).unwrap();
    let refused = store.put_blob(bytes(10)).await;
    let for_us = std::fs::write(root.join("x"), "").is_err();
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
    // Root may write anywhere.
    if for_us {
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
}

const SMALL_DISK: &str = "VICO_TEST_SMALL_DISK";

/// The same test once more, in a process that may write files of 64 KiB only: the kernel answers as a full disk would.
#[test]
fn a_full_disk_is_said_to_be_full() {
    let folder = TempDir::new().unwrap();
    let this = std::env::current_exe().unwrap();
    let script = r#"ulimit -f 64; trap "" XFSZ; exec "$0" --exact damage::on_a_small_disk --nocapture"#;
    let child = Command::new("bash")
        .args(["-c", script, this.to_str().unwrap()])
        .env(SMALL_DISK, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(said.contains("1 passed"), "{said}");
}

/// Does nothing unless [`a_full_disk_is_said_to_be_full`] started it.
#[tokio::test]
async fn on_a_small_disk() {
    let Ok(folder) = std::env::var(SMALL_DISK) else {
        return;
    };
    let store = Store::open(&folder).await.unwrap();
    store.put_blob(bytes(1000)).await.unwrap();
    for length in [1 << 20, 20 << 20] {
        let full = store.put_blob(bytes(length)).await.unwrap_err();
        assert!(matches!(full, Error::DiskFull { .. }), "{full:?}");
    }
    let blobs = store.local_root().unwrap().join("blobs");
    let left = Command::new("find")
        .arg(blobs)
        .args(["-type", "f"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(left.stdout).unwrap().lines().count(),
        1,
        "half a file was left"
    );
}
