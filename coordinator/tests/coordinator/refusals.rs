//! What the coordinator says no to, and in which words.

use std::collections::BTreeMap;
use std::time::Duration;

use vico::digest::Digest;
use vico::job::BlobRef;
use vico::protocol::{ClientError, ManifestText, Refusal, RefusalKind, SweepsClient};
use vico::store::Store;
use vico_coord::{Config, Coordinator, Error, Parts};

use crate::bench::{Bench, manifest, text};
use crate::fake_worker::FakeWorker;

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> Refusal {
    match outcome {
        Err(ClientError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn manifests_with_mistakes() {
    let bench = Bench::new().await;
    let users = bench.users();
    let cases = [
        (text("version: 1\nname: [oops"), "test.yaml:"),
        (text("version: 1\nname: x\nsurprise: 1\n"), "surprise"),
        (
            ManifestText {
                origin: "nowhere".to_owned(),
                ..manifest("hello", 1)
            },
            "`nowhere`",
        ),
        (
            ManifestText {
                bytes: vec![b' '; 2 << 20],
                ..manifest("hello", 1)
            },
            "2097152 bytes",
        ),
    ];
    for (manifest, expected) in cases {
        let refused = refusal(users.submit(manifest.clone()).await);
        assert_eq!(refused.kind, RefusalKind::Invalid, "{refused}");
        assert!(refused.message.contains(expected), "{refused}");
        assert_eq!(refusal(users.plan(manifest).await).kind, RefusalKind::Invalid);
    }
    assert!(bench.store.sweeps().await.unwrap().is_empty());
}

#[tokio::test]
async fn inputs_that_are_not_there() {
    let bench = Bench::new().await;
    let good = manifest("hello", 1);
    let yaml = String::from_utf8(good.bytes.clone()).unwrap();
    for (from, to) in [
        ("images: duck_toy/", "images: no_such_folder/"),
        ("parity/tiny-sd", "parity/no-such-model"),
    ] {
        let bytes = yaml.replace(from, to).into_bytes();
        let refused = refusal(
            bench
                .users()
                .submit(ManifestText {
                    bytes,
                    ..good.clone()
                })
                .await,
        );
        assert_eq!(refused.kind, RefusalKind::Invalid, "{refused}");
        let name = to.rsplit(['/', ' ']).find(|part| !part.is_empty()).unwrap();
        assert!(refused.message.contains(name), "{refused}");
    }
}

#[tokio::test]
async fn what_does_not_exist() {
    let bench = Bench::new().await;
    let users = bench.users();
    let nobody = "nobody-00000000".parse().unwrap();
    assert_eq!(
        refusal(users.describe_sweep(&nobody).await).kind,
        RefusalKind::NotFound
    );
    assert_eq!(refusal(users.cancel(&nobody).await).kind, RefusalKind::NotFound);
    assert_eq!(
        refusal(users.retry(&nobody, None).await).kind,
        RefusalKind::NotFound
    );
    assert_eq!(refusal(users.watch(&nobody).await).kind, RefusalKind::NotFound);
    assert_eq!(
        refusal(users.describe_job("feed").await).kind,
        RefusalKind::NotFound
    );
    assert_eq!(refusal(users.describe_job("fe").await).kind, RefusalKind::Invalid);
    assert_eq!(
        refusal(users.describe_job("../../etc/passwd").await).kind,
        RefusalKind::NotFound
    );
    assert_eq!(
        refusal(users.logs("feed", true).await).kind,
        RefusalKind::NotFound
    );
}

#[tokio::test]
async fn workers_nobody_knows() {
    let bench = Bench::new().await;
    let stranger = FakeWorker::new("w9", 1, bench.leases(), bench.store.clone());
    let refused = refusal(stranger.try_acquire(Duration::from_secs(1)).await);
    assert_eq!(refused.kind, RefusalKind::UnknownSession);
    let slotless = FakeWorker::new("w9", 0, bench.leases(), bench.store.clone());
    assert_eq!(refusal(slotless.register(&[]).await).kind, RefusalKind::Invalid);
}

#[tokio::test]
async fn a_name_that_a_newer_process_took() {
    let bench = Bench::new().await;
    let older = bench.worker("w1", 1).await;
    let mut newer = older.clone();
    newer.session.nonce = "w1 2".to_owned();
    newer.register(&[]).await.unwrap();
    let refused = refusal(older.try_acquire(Duration::from_secs(1)).await);
    assert_eq!(refused.kind, RefusalKind::Conflict);
    assert_eq!(refusal(older.register(&[]).await).kind, RefusalKind::Conflict);
    assert!(newer.acquire(Duration::from_millis(100)).await.is_empty());
}

#[tokio::test]
async fn outputs_that_are_not_what_the_job_makes() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let refused = refusal(worker.complete_with(&grant, BTreeMap::new()).await);
    assert_eq!(refused.kind, RefusalKind::Invalid);
    assert!(
        refused
            .message
            .contains("1 missing, 0 unknown (`adapter.safetensors` for one)"),
        "{refused}"
    );

    let digest = Digest::of(b"never uploaded");
    let outputs = BTreeMap::from([("adapter.safetensors".to_owned(), BlobRef { digest, size: 14 })]);
    let refused = refusal(worker.complete_with(&grant, outputs).await);
    assert!(refused.message.contains("is not in the bucket"), "{refused}");
    assert_eq!(bench.store.receipt(grant.job).await.unwrap(), None);
    // The lease is still good.
    worker.complete(&grant).await.unwrap();
}

/// Nobody should ask again for ever for what stays as it is.
#[tokio::test]
async fn a_receipt_that_nobody_can_read() {
    let bench = Bench::new().await;
    bench.submit(manifest("hello", 1)).await;
    let worker = bench.worker("w1", 1).await;
    let grant = worker.acquire_one().await;
    let folder = bench.store.local_root().unwrap();
    let folder = folder.join(format!("jobs/{}", grant.job));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("receipt.json"), "{").unwrap();
    let refused = refusal(worker.complete(&grant).await);
    assert_eq!(refused.kind, RefusalKind::Internal, "{refused}");
    assert!(refused.message.contains("receipt.json is corrupt"), "{refused}");
    let described = bench.users().describe_job(&grant.job.to_string()).await;
    assert_eq!(refusal(described).kind, RefusalKind::Internal);
}

#[tokio::test]
async fn an_address_that_others_can_reach() {
    let config = Config {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Config::default()
    };
    let refused = Coordinator::open(&config, Parts::new(Store::in_memory()))
        .await
        .err();
    assert!(matches!(refused, Some(Error::Exposed { .. })), "{refused:?}");
}

#[tokio::test]
async fn nobody_at_home() {
    let users = SweepsClient::new("http://127.0.0.1:1").unwrap();
    let error = users.list().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(SweepsClient::new("no host at all").is_err());
}
