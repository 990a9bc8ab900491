//! What nobody needs is found, and nothing else.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;
use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey, LeaseId};
use vico::job::{BlobRef, DeviceFacts, Receipt, Stage};
use vico::store::Store;

use crate::backends::on_every_backend;

/// After everything that is written here.
const LATER: Timestamp = Timestamp(u64::MAX);

fn job(name: &str) -> JobKey {
    JobKey(Digest::of(name.as_bytes()))
}

async fn commit(store: &Store, job: JobKey, output: BlobRef) {
    let receipt = Receipt {
        job,
        stage: Stage::Train,
        outputs: BTreeMap::from([("adapter.safetensors".to_owned(), output)]),
        upstream: Vec::new(),
        worker: "w1".parse().unwrap(),
        device: DeviceFacts {
            name: "cpu".to_owned(),
            vram: 0,
            driver: String::new(),
            compute: String::new(),
        },
        lease: LeaseId(1),
        attempt: Attempt(1),
        started: Timestamp(1),
        finished: Timestamp(2),
    };
    store.commit_receipt(&receipt).await.unwrap();
}

#[tokio::test]
async fn only_what_nothing_names_is_garbage() {
    on_every_backend(async |store| {
        let put =
            async |text: &'static str| store.put_blob(Bytes::from_static(text.as_bytes())).await.unwrap();
        let (made, read, forgotten) = (
            put("an adapter").await,
            put("a photo").await,
            put("a half image").await,
        );
        commit(&store, job("done"), made.clone()).await;
        let jobs = BTreeMap::from([(job("planned"), json!({"image": read.digest.to_string()}))]);
        store
            .put_jobs(&"hello-00000000".parse().unwrap(), &jobs)
            .await
            .unwrap();
        for name in ["done", "under way"] {
            let bytes = Bytes::from_static(b"weights");
            store
                .put_checkpoint(job(name), 5, LeaseId(1), bytes)
                .await
                .unwrap();
        }

        assert_eq!(store.garbage(Timestamp(0)).await.unwrap().unneeded, []);
        let garbage = store.garbage(LATER).await.unwrap();
        let mut keys: Vec<&str> = garbage
            .unneeded
            .iter()
            .map(|unneeded| unneeded.key.as_str())
            .collect();
        keys.sort_unstable();
        let [blob, checkpoint] = keys[..] else {
            panic!("{keys:?}");
        };
        assert!(blob.ends_with(&forgotten.digest.to_string()), "{blob}");
        assert!(
            checkpoint.starts_with(&format!("jobs/{}/checkpoint/", job("done"))),
            "{checkpoint}"
        );
        assert_eq!(garbage.kept, 2);

        store.delete_unneeded(&garbage.unneeded).await.unwrap();
        store.delete_unneeded(&garbage.unneeded).await.unwrap();
        assert!(store.has_blob(&made).await.unwrap() && store.has_blob(&read).await.unwrap());
        assert!(!store.has_blob(&forgotten).await.unwrap());
        assert!(!store.checkpoints(job("under way")).await.unwrap().is_empty());
        assert_eq!(store.garbage(LATER).await.unwrap().unneeded, []);
    })
    .await;
}
