//! The worker's side of the `Leases` service.

use std::time::Duration;

use tonic::Status;
use vico_proto::v1 as pb;
use vico_proto::v1::leases_client::LeasesClient as Wire;

use super::{ANSWER_TIMEOUT, ClientError, Line, Target, line, timed};
use crate::job::{
    Acquire, Completion, FailedAttempt, Grant, Introduction, Release, Renewal, Renewed, Welcome,
};
use crate::protocol::{InvalidMessage, MAX_MESSAGE_BYTES};

/// Added to the wait of a long poll before the client gives up on it.
const POLL_GRACE: Duration = Duration::from_secs(15);

/// Asks for work and reports on it. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct LeasesClient {
    url: String,
    wire: Wire<Line>,
}

impl LeasesClient {
    /// A client of the coordinator at `target`, or at a bare URL. Connects at the first request and again after every
    /// break. Must be called inside a tokio runtime.
    pub fn new(target: impl Into<Target>) -> Result<Self, ClientError> {
        let target = target.into();
        let wire = Wire::new(line(&target)?)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self {
            url: target.url,
            wire,
        })
    }

    /// Introduces the worker, or re-introduces it with what it still holds.
    pub async fn register(&self, worker: Introduction) -> Result<Welcome, ClientError> {
        let request = timed(pb::RegisterRequest::from(worker), ANSWER_TIMEOUT);
        let reply = self.wire.clone().register(request).await;
        Ok(reply.map_err(|status| self.failed(&status))?.into_inner().into())
    }

    /// Asks for work; an empty answer means there was none for `ask.wait`.
    pub async fn acquire(&self, ask: Acquire) -> Result<Vec<Grant>, ClientError> {
        let timeout = ask.wait + POLL_GRACE;
        let request = timed(pb::AcquireRequest::from(ask), timeout);
        let reply = self.wire.clone().acquire(request).await;
        let grants = reply.map_err(|status| self.failed(&status))?.into_inner().grants;
        let grants: Result<Vec<Grant>, InvalidMessage> = grants.into_iter().map(Grant::try_from).collect();
        grants.map_err(|invalid| ClientError::of_reply(&self.url, &invalid))
    }

    /// Keeps leases alive and reports progress. Leases that are gone come back as revoked, not as an error.
    pub async fn renew(&self, renewal: Renewal) -> Result<Renewed, ClientError> {
        let request = timed(pb::RenewRequest::from(renewal), ANSWER_TIMEOUT);
        let reply = self.wire.clone().renew(request).await;
        Ok(reply.map_err(|status| self.failed(&status))?.into_inner().into())
    }

    /// Asks for a job's outputs to be committed. Once it answers, the receipt exists; asking again is harmless.
    pub async fn complete(&self, completion: Completion) -> Result<(), ClientError> {
        let request = timed(pb::CompleteRequest::from(completion), ANSWER_TIMEOUT);
        let reply = self.wire.clone().complete(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    /// Reports that an attempt failed.
    pub async fn fail(&self, failed: FailedAttempt) -> Result<(), ClientError> {
        let request = timed(pb::FailRequest::from(failed), ANSWER_TIMEOUT);
        let reply = self.wire.clone().fail(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    /// Gives leases back unfinished, and says goodbye where the worker is about to leave.
    pub async fn release(&self, release: Release) -> Result<(), ClientError> {
        let request = timed(pb::ReleaseRequest::from(release), ANSWER_TIMEOUT);
        let reply = self.wire.clone().release(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    fn failed(&self, status: &Status) -> ClientError {
        ClientError::of_status(&self.url, status)
    }
}
