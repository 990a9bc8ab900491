//! The commit of a job's outputs: everything it should have made is there, then its one receipt is written.

use futures::stream::{self, StreamExt, TryStreamExt};
use vico::job::{BlobRef, Outputs, Receipt};
use vico::protocol::{Refusal, RefusalKind};
use vico::store::{self, Committed, Store};

use crate::rpc::of_bucket;

const CHECKS_IN_FLIGHT: usize = 16;

/// A receipt that was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The job should have made something else.
    #[error(
        "the outputs are not what the job makes: {missing} missing, {surplus} unknown (`{example}` for one)"
    )]
    WrongOutputs {
        /// Names that were expected and not given.
        missing: usize,
        /// Names that were given and not expected.
        surplus: usize,
        /// One of them.
        example: String,
    },
    /// The bytes are not in the bucket.
    #[error("output `{name}` ({size} bytes, digest {digest}) is not in the bucket", size = .blob.size, digest = .blob.digest)]
    NoBlob {
        /// The output.
        name: String,
        /// What it should be.
        blob: BlobRef,
    },
    /// The bucket cannot be asked.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => of_bucket(error),
            Error::WrongOutputs { .. } | Error::NoBlob { .. } => {
                Self::new(RefusalKind::Invalid, error.to_string())
            }
        }
    }
}

/// Writes the receipt of a job that makes `outputs`, or finds the one that is there: the first one wins.
pub(crate) async fn commit(store: &Store, outputs: Outputs, receipt: Receipt) -> Result<Receipt, Error> {
    check_names(&outputs.names().collect::<Vec<_>>(), &receipt)?;
    check_blobs(store, &receipt).await?;
    match store.commit_receipt(&receipt).await? {
        Committed::Now => Ok(receipt),
        Committed::Before(earlier) => Ok(*earlier),
    }
}

fn check_names(expected: &[String], receipt: &Receipt) -> Result<(), Error> {
    let missing: Vec<&String> = expected
        .iter()
        .filter(|name| !receipt.outputs.contains_key(*name))
        .collect();
    let surplus: Vec<&String> = receipt
        .outputs
        .keys()
        .filter(|name| !expected.contains(name))
        .collect();
    match missing.first().or(surplus.first()) {
        None => Ok(()),
        Some(example) => Err(Error::WrongOutputs {
            missing: missing.len(),
            surplus: surplus.len(),
            example: (*example).clone(),
        }),
    }
}

async fn check_blobs(store: &Store, receipt: &Receipt) -> Result<(), Error> {
    let checks: Vec<_> = receipt
        .outputs
        .iter()
        .map(|(name, blob)| check_blob(store, name, blob))
        .collect();
    stream::iter(checks)
        .buffer_unordered(CHECKS_IN_FLIGHT)
        .try_collect()
        .await
}

async fn check_blob(store: &Store, name: &str, blob: &BlobRef) -> Result<(), Error> {
    if store.has_blob(blob).await? {
        return Ok(());
    }
    Err(Error::NoBlob {
        name: name.to_owned(),
        blob: blob.clone(),
    })
}
