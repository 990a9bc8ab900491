//! Which bucket a command without a coordinator reads.

use clap::Args;
use vico::store::Store;

use crate::cli::exit::Result;

/// The option that names the bucket.
#[derive(Debug, Args)]
pub(super) struct Bucket {
    /// The bucket: a folder, or s3://…, gs://…, az://… with credentials in the environment
    #[arg(long, env = "VICO_BUCKET", default_value = "bucket", value_name = "URL")]
    bucket: String,
}

impl Bucket {
    /// Opens it.
    pub(super) async fn open(&self) -> Result<Store> {
        Ok(Store::open(&self.bucket).await?)
    }
}
