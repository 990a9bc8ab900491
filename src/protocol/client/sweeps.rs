//! The user's side of the `Sweeps` service.

use tonic::{Status, Streaming};
use vico_proto::v1 as pb;
use vico_proto::v1::sweeps_client::SweepsClient as Wire;

use super::{ANSWER_TIMEOUT, ClientError, Line, Target, line, timed};
use crate::ids::{SweepId, WorkerId};
use crate::job::FailureClass;
use crate::protocol::{InvalidMessage, MAX_MESSAGE_BYTES, VERSION_HEADER};
use crate::status::{JobDetail, LogLine, SweepDetail, SweepStatus, WorkerStatus};

/// A manifest as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestText {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// What relative paths in it start from: a URL such as `file:///home/me/bench/`.
    pub origin: String,
    /// Its name in messages.
    pub file_name: String,
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The sweep.
    pub status: SweepStatus,
    /// It was there before.
    pub joined: bool,
}

/// Submits, watches and ends sweeps. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct SweepsClient {
    url: String,
    wire: Wire<Line>,
}

impl SweepsClient {
    /// A client of the coordinator at `target`, or at a bare URL. Connects at the first request. Must be called inside
    /// a tokio runtime.
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

    /// Plans a manifest, stores it and starts it. The same manifest again joins the sweep that is there.
    pub async fn submit(&self, manifest: ManifestText) -> Result<Submitted, ClientError> {
        let reply = self.wire.clone().submit(pb::SubmitRequest::from(manifest)).await;
        let reply = reply.map_err(|status| self.failed(&status))?.into_inner();
        let joined = reply.joined;
        let status = self.read(reply.status.unwrap_or_default())?;
        Ok(Submitted { status, joined })
    }

    /// Plans without starting anything; the answer is `vico::plan::PlanSummary` as JSON.
    pub async fn plan(&self, manifest: ManifestText) -> Result<String, ClientError> {
        let reply = self.wire.clone().plan(pb::SubmitRequest::from(manifest)).await;
        Ok(reply
            .map_err(|status| self.failed(&status))?
            .into_inner()
            .summary_json)
    }

    /// All sweeps, newest first.
    pub async fn list(&self) -> Result<Vec<SweepStatus>, ClientError> {
        let request = timed(pb::ListSweepsRequest {}, ANSWER_TIMEOUT);
        let reply = self.wire.clone().list_sweeps(request).await;
        let sweeps = reply.map_err(|status| self.failed(&status))?.into_inner().sweeps;
        sweeps.into_iter().map(|sweep| self.read(sweep)).collect()
    }

    /// A sweep with all its jobs.
    pub async fn describe_sweep(&self, sweep: &SweepId) -> Result<SweepDetail, ClientError> {
        let sweep = sweep.to_string();
        let request = timed(pb::DescribeSweepRequest { sweep }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().describe_sweep(request).await;
        self.read(reply.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// Everything about a job, named by its key or by a unique prefix of at least four digits.
    pub async fn describe_job(&self, job: &str) -> Result<JobDetail, ClientError> {
        let job = job.to_owned();
        let request = timed(pb::DescribeJobRequest { job }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().describe_job(request).await;
        self.read(reply.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// The sweep's status now and after every change, until it has ended and its results are written.
    pub async fn watch(&self, sweep: &SweepId) -> Result<SweepWatch, ClientError> {
        let sweep = sweep.to_string();
        let reply = self
            .wire
            .clone()
            .watch_sweep(pb::WatchSweepRequest { sweep })
            .await;
        let stream = reply.map_err(|status| self.failed(&status))?.into_inner();
        let client = self.clone();
        Ok(SweepWatch { client, stream })
    }

    /// A job's log so far; with `follow`, until the job ends. The job is named as in [`Self::describe_job`].
    pub async fn logs(&self, job: &str, follow: bool) -> Result<JobLog, ClientError> {
        let job = job.to_owned();
        let reply = self.wire.clone().logs(pb::LogsRequest { job, follow }).await;
        let stream = reply.map_err(|status| self.failed(&status))?.into_inner();
        let client = self.clone();
        Ok(JobLog { client, stream })
    }

    /// Ends a sweep; jobs that another sweep needs go on.
    pub async fn cancel(&self, sweep: &SweepId) -> Result<SweepStatus, ClientError> {
        let sweep = sweep.to_string();
        let request = timed(pb::CancelSweepRequest { sweep }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().cancel_sweep(request).await;
        self.read(reply.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// Gives failed and cancelled jobs a fresh attempt budget; with a class, only failures of that class.
    pub async fn retry(
        &self,
        sweep: &SweepId,
        class: Option<FailureClass>,
    ) -> Result<SweepStatus, ClientError> {
        let message = pb::RetrySweepRequest {
            sweep: sweep.to_string(),
            failure_class: class.map(|class| class.to_string()).unwrap_or_default(),
        };
        let reply = self
            .wire
            .clone()
            .retry_sweep(timed(message, ANSWER_TIMEOUT))
            .await;
        self.read(reply.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// The coordinator's version, where it says so.
    pub async fn version(&self) -> Result<Option<String>, ClientError> {
        let request = timed(pb::ListWorkersRequest {}, ANSWER_TIMEOUT);
        let reply = self.wire.clone().list_workers(request).await;
        let reply = reply.map_err(|status| self.failed(&status))?;
        let version = reply.metadata().get(VERSION_HEADER);
        Ok(version.and_then(|version| Some(version.to_str().ok()?.to_owned())))
    }

    /// All workers that the coordinator knows.
    pub async fn workers(&self) -> Result<Vec<WorkerStatus>, ClientError> {
        let request = timed(pb::ListWorkersRequest {}, ANSWER_TIMEOUT);
        let reply = self.wire.clone().list_workers(request).await;
        let workers = reply.map_err(|status| self.failed(&status))?.into_inner().workers;
        workers.into_iter().map(|worker| self.read(worker)).collect()
    }

    /// Gives a worker no new work until it is uncordoned, whatever is restarted meanwhile; it keeps what it holds.
    pub async fn cordon(&self, worker: &WorkerId) -> Result<(), ClientError> {
        let worker = worker.to_string();
        let request = timed(pb::CordonWorkerRequest { worker }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().cordon_worker(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    /// Lets a worker have work again.
    pub async fn uncordon(&self, worker: &WorkerId) -> Result<(), ClientError> {
        let worker = worker.to_string();
        let request = timed(pb::UncordonWorkerRequest { worker }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().uncordon_worker(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    /// Asks a worker to take no more work, to give back what it holds, and to leave.
    pub async fn drain(&self, worker: &WorkerId) -> Result<(), ClientError> {
        let worker = worker.to_string();
        let request = timed(pb::DrainWorkerRequest { worker }, ANSWER_TIMEOUT);
        let reply = self.wire.clone().drain_worker(request).await;
        reply.map(drop).map_err(|status| self.failed(&status))
    }

    fn read<W, D>(&self, wire: W) -> Result<D, ClientError>
    where
        D: TryFrom<W, Error = InvalidMessage>,
    {
        D::try_from(wire).map_err(|invalid| ClientError::of_reply(&self.url, &invalid))
    }

    fn failed(&self, status: &Status) -> ClientError {
        ClientError::of_status(&self.url, status)
    }
}

impl From<ManifestText> for pb::SubmitRequest {
    fn from(manifest: ManifestText) -> Self {
        Self {
            manifest: manifest.bytes,
            origin: manifest.origin,
            file_name: manifest.file_name,
        }
    }
}

impl From<pb::SubmitRequest> for ManifestText {
    fn from(wire: pb::SubmitRequest) -> Self {
        Self {
            bytes: wire.manifest,
            origin: wire.origin,
            file_name: wire.file_name,
        }
    }
}

/// A sweep's statuses as they change.
#[derive(Debug)]
pub struct SweepWatch {
    client: SweepsClient,
    stream: Streaming<pb::SweepStatus>,
}

impl SweepWatch {
    /// The next status; `None` after the one with which the sweep ended. Safe to drop while waiting.
    pub async fn next(&mut self) -> Result<Option<SweepStatus>, ClientError> {
        let message = self.stream.message().await;
        let message = message.map_err(|status| self.client.failed(&status))?;
        message.map(|wire| self.client.read(wire)).transpose()
    }
}

/// A job's log lines as they come.
#[derive(Debug)]
pub struct JobLog {
    client: SweepsClient,
    stream: Streaming<pb::LogLine>,
}

impl JobLog {
    /// The next line; `None` after the last. Safe to drop while waiting.
    pub async fn next(&mut self) -> Result<Option<LogLine>, ClientError> {
        let message = self.stream.message().await;
        let message = message.map_err(|status| self.client.failed(&status))?;
        message.map(|wire| self.client.read(wire)).transpose()
    }
}
