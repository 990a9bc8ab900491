//! The storage check passes where it should and fails where it must.

use tempfile::TempDir;
use vico::clock::SystemClock;
use vico::store::{Error, Outcome, Store, storage_check};

use crate::backends::on_every_backend;
use crate::s3::{FaultPlan, S3Server};

#[tokio::test]
async fn every_backend_passes() {
    on_every_backend(async |store| {
        let report = storage_check(&store, &SystemClock).await.unwrap();
        assert!(
            report.checks.iter().all(|check| check.outcome == Outcome::Works),
            "{report:#?}"
        );
        store.require_create_if_absent(&SystemClock).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    storage_check(&store, &SystemClock).await.unwrap();
    let left = std::process::Command::new("find")
        .args([folder.path().to_str().unwrap(), "-type", "f"])
        .output()
        .unwrap();
    assert!(
        left.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&left.stdout)
    );
}

#[tokio::test]
async fn a_server_that_ignores_create_if_absent_is_refused() {
    let server = S3Server::start(FaultPlan::none()).await;
    server.ignore_conditions();
    let store = server.store("").await;
    let refused = store.require_create_if_absent(&SystemClock).await;
    assert!(matches!(refused, Err(Error::Unsafe { .. })), "{refused:?}");
    let report = storage_check(&store, &SystemClock).await.unwrap();
    assert!(!report.usable());
    let failed: Vec<&str> = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Fails)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(failed, ["create only once", "create under races"]);
}

#[tokio::test]
async fn wrong_credentials_are_a_refusal() {
    let server = S3Server::start(FaultPlan::none()).await;
    let access = server.access().with("aws_secret_access_key", "wrong");
    let store = Store::open_with("s3://vico", access).await.unwrap();
    let refused = storage_check(&store, &SystemClock).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_found() {
    let server = S3Server::start(FaultPlan::none()).await;
    let store = Store::open_with("s3://another", server.access()).await.unwrap();
    let missing = storage_check(&store, &SystemClock).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
}

#[tokio::test]
async fn an_endpoint_without_tls_must_be_meant() {
    let server = S3Server::start(FaultPlan::none()).await;
    let access = server.access().with("aws_allow_http", "false");
    let refused = Store::open_with("s3://vico", access).await.unwrap_err();
    assert!(refused.to_string().contains("AWS_ALLOW_HTTP"), "{refused}");
}
