//! Running one test against every back end.

use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use vico::store::Store;

use crate::s3::{FaultPlan, S3Server};

/// Runs `test` on an empty store of every kind.
pub(crate) async fn on_every_backend(test: impl AsyncFn(Store)) {
    let folder = TempDir::new().unwrap();
    test(local(&folder).await).await;
    test(Store::in_memory()).await;
    let server = S3Server::start(FaultPlan::none()).await;
    test(server.store("a folder/deep").await).await;
    if let Ok(url) = std::env::var("VICO_TEST_BUCKET") {
        test(Store::open(&format!("{url}/test-{}", nonce())).await.unwrap()).await;
    }
}

pub(crate) async fn local(folder: &TempDir) -> Store {
    let path = folder.path().join("bucket with space");
    Store::open(path.to_str().unwrap()).await.unwrap()
}

/// Another word each time.
#[expect(clippy::disallowed_methods, reason = "names of scratch folders")]
pub(crate) fn nonce() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!(
        "{}-{}",
        std::process::id(),
        now.unwrap_or(Duration::ZERO).as_nanos()
    )
}
