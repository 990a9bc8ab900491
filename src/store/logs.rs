//! Logs: one text an attempt. Object stores cannot append, so a growing log is written again as a whole.

use bytes::Bytes;

use super::{Error, Store, layout};
use crate::ids::{Attempt, JobKey};

/// No longer log is read; writers keep far below it.
const MAX_LOG: u64 = 64 << 20;

impl Store {
    /// Writes the log of an attempt, replacing what was there of it.
    pub async fn put_log(&self, job: JobKey, attempt: Attempt, text: &str) -> Result<(), Error> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.objects.put(&layout::log(job, attempt), &bytes).await
    }

    /// The log of an attempt, if it wrote one. Bytes that are no UTF-8 are replaced.
    pub async fn log(&self, job: JobKey, attempt: Attempt) -> Result<Option<String>, Error> {
        let bytes = self.objects.find(&layout::log(job, attempt), MAX_LOG).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The attempts of a job that have a log, in order.
    pub async fn logged_attempts(&self, job: JobKey) -> Result<Vec<Attempt>, Error> {
        let objects = self.objects.list(&layout::logs(job)).await?;
        let mut attempts: Vec<Attempt> = objects
            .iter()
            .filter_map(|object| layout::log_attempt(&object.key))
            .collect();
        attempts.sort();
        Ok(attempts)
    }
}
