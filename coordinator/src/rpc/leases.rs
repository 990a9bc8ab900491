//! The `Leases` service.

use tonic::{Request, Response, Status, async_trait};
use vico::job::{Acquire, Completion, FailedAttempt, Introduction, Release, Renewal};
use vico::protocol::{InvalidMessage, Refusal};
use vico_proto::v1 as pb;
use vico_proto::v1::leases_server::Leases;

use super::Services;

#[async_trait]
impl Leases for Services {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterReply>, Status> {
        let introduction: Introduction = read(request)?;
        let welcome = self.handle.register(introduction).await?;
        Ok(Response::new(welcome.into()))
    }

    async fn acquire(
        &self,
        request: Request<pb::AcquireRequest>,
    ) -> Result<Response<pb::AcquireReply>, Status> {
        let acquire: Acquire = read(request)?;
        let grants = self.handle.acquire(acquire).await?;
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
        let completion: Completion = read(request)?;
        self.handle.complete(completion).await?;
        Ok(Response::new(pb::CompleteReply {}))
    }

    async fn fail(&self, request: Request<pb::FailRequest>) -> Result<Response<pb::FailReply>, Status> {
        let failed: FailedAttempt = read(request)?;
        self.handle.fail(failed).await?;
        Ok(Response::new(pb::FailReply {}))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseReply>, Status> {
        let release: Release = read(request)?;
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
