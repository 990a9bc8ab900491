//! The `Sweeps` service.

use tonic::{Request, Response, Status, async_trait};
use vico::ids::{SweepId, WorkerId};
use vico::job::FailureClass;
use vico::protocol::{ManifestText, Refusal, RefusalKind};
use vico::status::{JobDetail, SweepStatus};
use vico_proto::v1 as pb;
use vico_proto::v1::sweeps_server::Sweeps;

use super::Services;
use super::log_stream::LogStream;
use super::refusals::of_bucket;
use super::watch_stream::WatchStream;
use crate::audit::Subject;
use crate::core::view::attempt_record;
use crate::core::{Brain, Command};
use crate::submit;

#[async_trait]
impl Sweeps for Services {
    type WatchSweepStream = WatchStream;
    type LogsStream = LogStream;

    async fn submit(&self, request: Request<pb::SubmitRequest>) -> Result<Response<pb::SubmitReply>, Status> {
        let subject = Subject::of(&request);
        let manifest = ManifestText::from(request.into_inner());
        let (sweep, joined) = submit::submit(&self.handle, &self.store, &manifest).await?;
        subject.is(&sweep);
        let status = Some(self.status(sweep).await?.into());
        Ok(Response::new(pb::SubmitReply { status, joined }))
    }

    async fn plan(&self, request: Request<pb::SubmitRequest>) -> Result<Response<pb::PlanReply>, Status> {
        let manifest = ManifestText::from(request.into_inner());
        let summary = submit::plan(&self.store, &manifest)
            .await
            .map_err(Refusal::from)?;
        let summary_json = to_json(&summary)?;
        Ok(Response::new(pb::PlanReply { summary_json }))
    }

    async fn list_sweeps(
        &self,
        _: Request<pb::ListSweepsRequest>,
    ) -> Result<Response<pb::ListSweepsReply>, Status> {
        let sweeps = self.handle.look(Brain::sweep_list).await?;
        let sweeps = sweeps.into_iter().map(pb::SweepStatus::from).collect();
        Ok(Response::new(pb::ListSweepsReply { sweeps }))
    }

    async fn describe_sweep(
        &self,
        request: Request<pb::DescribeSweepRequest>,
    ) -> Result<Response<pb::SweepDetail>, Status> {
        let sweep = known(&request.into_inner().sweep)?;
        let detail = self
            .handle
            .look(move |brain, now| brain.sweep_detail(&sweep, now))
            .await?;
        Ok(Response::new(detail.map_err(Refusal::from)?.into()))
    }

    async fn describe_job(
        &self,
        request: Request<pb::DescribeJobRequest>,
    ) -> Result<Response<pb::JobDetail>, Status> {
        let detail = self.job_detail(request.into_inner().job).await?;
        Ok(Response::new(detail.into()))
    }

    async fn watch_sweep(
        &self,
        request: Request<pb::WatchSweepRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let sweep = known(&request.into_inner().sweep)?;
        self.status(sweep.clone()).await?;
        Ok(Response::new(super::watch_stream::watch(self.clone(), sweep)))
    }

    async fn logs(&self, request: Request<pb::LogsRequest>) -> Result<Response<LogStream>, Status> {
        let pb::LogsRequest { job, follow } = request.into_inner();
        let found = self
            .handle
            .look(move |brain, _| brain.state.find_job(&job).map(|job| job.key))
            .await?;
        let job = found.map_err(Refusal::from)?;
        Ok(Response::new(super::log_stream::logs(self.clone(), job, follow)))
    }

    async fn cancel_sweep(
        &self,
        request: Request<pb::CancelSweepRequest>,
    ) -> Result<Response<pb::SweepStatus>, Status> {
        let subject = Subject::of(&request);
        let sweep = known(&request.into_inner().sweep)?;
        subject.is(&sweep);
        self.handle.command(Command::Cancel(sweep.clone())).await?;
        Ok(Response::new(self.status(sweep).await?.into()))
    }

    async fn retry_sweep(
        &self,
        request: Request<pb::RetrySweepRequest>,
    ) -> Result<Response<pb::SweepStatus>, Status> {
        let subject = Subject::of(&request);
        let request = request.into_inner();
        let sweep = known(&request.sweep)?;
        subject.is(&sweep);
        let class = failure_class(&request.failure_class)?;
        let id = sweep.clone();
        self.handle.command(Command::Retry { sweep, class }).await?;
        Ok(Response::new(self.status(id).await?.into()))
    }

    async fn list_workers(
        &self,
        _: Request<pb::ListWorkersRequest>,
    ) -> Result<Response<pb::ListWorkersReply>, Status> {
        let workers = self.handle.look(Brain::worker_list).await?;
        let workers = workers.into_iter().map(pb::WorkerStatus::from).collect();
        Ok(Response::new(pb::ListWorkersReply { workers }))
    }

    async fn cordon_worker(
        &self,
        request: Request<pb::CordonWorkerRequest>,
    ) -> Result<Response<pb::CordonWorkerReply>, Status> {
        let subject = Subject::of(&request);
        let worker = worker(request.into_inner().worker, &subject)?;
        self.handle.command(Command::Cordon(worker)).await?;
        Ok(Response::new(pb::CordonWorkerReply {}))
    }

    async fn uncordon_worker(
        &self,
        request: Request<pb::UncordonWorkerRequest>,
    ) -> Result<Response<pb::UncordonWorkerReply>, Status> {
        let subject = Subject::of(&request);
        let worker = worker(request.into_inner().worker, &subject)?;
        self.handle.command(Command::Uncordon(worker)).await?;
        Ok(Response::new(pb::UncordonWorkerReply {}))
    }

    async fn drain_worker(
        &self,
        request: Request<pb::DrainWorkerRequest>,
    ) -> Result<Response<pb::DrainWorkerReply>, Status> {
        let subject = Subject::of(&request);
        let worker = worker(request.into_inner().worker, &subject)?;
        self.handle.drain(worker).await?;
        Ok(Response::new(pb::DrainWorkerReply {}))
    }
}

impl Services {
    pub(super) async fn status(&self, sweep: SweepId) -> Result<SweepStatus, Refusal> {
        let status = self
            .handle
            .look(move |brain, now| brain.sweep_status(&sweep, now))
            .await?;
        Ok(status?)
    }

    /// Everything about the job whose key begins so.
    pub(crate) async fn job_detail(&self, prefix: String) -> Result<JobDetail, Refusal> {
        let seen = self.handle.look(move |brain, now| {
            let job = brain.state.find_job(&prefix)?;
            let attempts: Vec<_> = job.tries().iter().map(attempt_record).collect();
            // Any sweep that lists it will do.
            let sweep = brain.state.listing(job).next().map(|sweep| sweep.id.clone());
            let sweep = sweep.ok_or_else(|| crate::core::Refusal::UnknownJob(prefix.clone()))?;
            Ok::<_, crate::core::Refusal>((sweep, brain.job_status(job, now), attempts))
        });
        let (sweep, status, attempts) = seen.await??;
        let spec = self.store.spec(&sweep, status.job).await.map_err(of_bucket)?;
        let receipt = self.store.receipt(status.job).await.map_err(of_bucket)?;
        Ok(JobDetail {
            spec_json: to_json(&spec)?,
            receipt_json: receipt.map(|receipt| to_json(&receipt)).transpose()?,
            status,
            attempts,
        })
    }
}

/// A text that cannot be an id names no sweep.
pub(crate) fn known(sweep: &str) -> Result<SweepId, Refusal> {
    sweep
        .parse()
        .map_err(|_| crate::core::Refusal::UnknownSweep(sweep.to_owned()).into())
}

/// A text that cannot be an id names no worker.
fn worker(name: String, subject: &Subject) -> Result<WorkerId, Refusal> {
    subject.is(&name);
    name.parse()
        .map_err(|_| crate::core::Refusal::UnknownWorker(name).into())
}

fn failure_class(word: &str) -> Result<Option<FailureClass>, Refusal> {
    if word.is_empty() {
        return Ok(None);
    }
    let class = word.parse::<FailureClass>();
    class
        .map(Some)
        .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Refusal> {
    let text = serde_json::to_string_pretty(value);
    text.map_err(|error| Refusal::new(RefusalKind::Internal, error.to_string()))
}
