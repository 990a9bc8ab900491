//! The `Leases` service.

use tonic::{Request, Response, Status, async_trait};
use vico::job::{Acquire, Completion, FailedAttempt, Introduction, Release, Renewal};
use vico::protocol::{InvalidMessage, Refusal};
use vico_proto::v1 as pb;
use vico_proto::v1::leases_server::Leases;

use super::Services;
use crate::audit::Subject;

#[async_trait]
impl Leases for Services {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterReply>, Status> {
        let subject = Subject::of(&request);
        let introduction: Introduction = read(request)?;
        subject.is(&introduction.session.worker);
        let welcome = self.handle.register(introduction).await?;
        Ok(Response::new(welcome.into()))
    }

    async fn acquire(
        &self,
        request: Request<pb::AcquireRequest>,
    ) -> Result<Response<pb::AcquireReply>, Status> {
        let subject = Subject::of(&request);
        let acquire: Acquire = read(request)?;
        let worker = acquire.session.worker.clone();
        let grants = self.handle.acquire(acquire).await?;
        if !grants.is_empty() {
            let jobs: Vec<_> = grants.iter().map(|grant| grant.job.0.short()).collect();
            subject.is(format_args!("{worker}: {}", jobs.join(" ")));
        }
        let grants = grants.into_iter().map(pb::Grant::from).collect();
        Ok(Response::new(pb::AcquireReply { grants }))
    }

    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::RenewReply>, Status> {
        let renewal: Renewal = read(request)?;
        let renewed = self.handle.renew(renewal).await?;
        Ok(Response::new(renewed.into()))
    }

    async fn complete(
        &self,
        request: Request<pb::CompleteRequest>,
    ) -> Result<Response<pb::CompleteReply>, Status> {
        let subject = Subject::of(&request);
        let completion: Completion = read(request)?;
        subject.is(format_args!(
            "{}: {}",
            completion.session.worker,
            completion.job.0.short()
        ));
        self.handle.complete(completion).await?;
        Ok(Response::new(pb::CompleteReply {}))
    }

    async fn fail(&self, request: Request<pb::FailRequest>) -> Result<Response<pb::FailReply>, Status> {
        let subject = Subject::of(&request);
        let failed: FailedAttempt = read(request)?;
        subject.is(format_args!(
            "{}: {}",
            failed.session.worker,
            failed.job.0.short()
        ));
        self.handle.fail(failed).await?;
        Ok(Response::new(pb::FailReply {}))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseReply>, Status> {
        let subject = Subject::of(&request);
        let release: Release = read(request)?;
        subject.is(&release.session.worker);
        self.handle.release(release).await?;
        Ok(Response::new(pb::ReleaseReply {}))
    }
}

fn read<W, D>(request: Request<W>) -> Result<D, Refusal>
where
    D: TryFrom<W, Error = InvalidMessage>,
{
    Ok(D::try_from(request.into_inner())?)
}
