//! Receipts: written once, never changed. A job whose receipt exists is done.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::documents::{MAX_DOCUMENT, decode, encode};
use super::{Error, Store, layout};
use crate::ids::JobKey;
use crate::job::Receipt;

const READS_IN_FLIGHT: usize = 32;

/// What came of committing a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// This receipt is the job's.
    Now,
    /// The job had one already, which stays.
    Before(Box<Receipt>),
}

impl Store {
    /// Makes `receipt` the job's receipt unless there is one.
    pub async fn commit_receipt(&self, receipt: &Receipt) -> Result<Committed, Error> {
        let key = layout::receipt(receipt.job);
        if self.objects.create(&key, &encode(&key, receipt)?).await? {
            return Ok(Committed::Now);
        }
        match self.receipt(receipt.job).await? {
            Some(earlier) => Ok(Committed::Before(Box::new(earlier))),
            None => Err(Error::corrupt(&key, "it was deleted while it was read")),
        }
    }

    /// A job's receipt, if it is done.
    pub async fn receipt(&self, job: JobKey) -> Result<Option<Receipt>, Error> {
        let key = layout::receipt(job);
        let Some(bytes) = self.objects.find(&key, MAX_DOCUMENT).await? else {
            return Ok(None);
        };
        let receipt: Receipt = decode(&key, &bytes)?;
        if receipt.job != job {
            return Err(Error::corrupt(
                &key,
                format!("it is the receipt of {}", receipt.job),
            ));
        }
        Ok(Some(receipt))
    }

    /// Receipts of those among `jobs` that are done.
    pub async fn receipts(
        &self,
        jobs: impl IntoIterator<Item = JobKey>,
    ) -> Result<BTreeMap<JobKey, Receipt>, Error> {
        stream::iter(jobs)
            .map(|job| self.receipt(job))
            .buffer_unordered(READS_IN_FLIGHT)
            .try_filter_map(async |receipt| Ok(receipt.map(|receipt| (receipt.job, receipt))))
            .try_collect()
            .await
    }
}
