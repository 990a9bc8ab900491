//! The line to the coordinator: one session over any number of connections.
//!
//! Whenever the line broke, or the coordinator does not know the session because it was restarted, the worker registers
//! again with what it still holds before it says anything else; what was taken away meanwhile is stopped. Once it is
//! refused for good, nothing more is asked, and the worker must leave: what it computes nobody would take.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use vico::ids::LeaseId;
use vico::job::{Introduction, Release, Renewal, Renewed, Session, Welcome};
use vico::protocol::{ClientError, LeasesClient, Refusal};

use crate::backoff::Backoff;
use crate::lease::Leases;
use crate::leave::Leave;
use crate::refused;

/// See the module.
#[derive(Debug)]
pub struct Link {
    client: LeasesClient,
    introduction: Introduction,
    leases: Leases,
    /// The last answer to a registration. Locked while registering, so that one does it and the others wait.
    welcome: tokio::sync::Mutex<Welcome>,
    /// How long leases live, in milliseconds; apart from `welcome`, since renewals must not wait for a registration.
    lease_ttl: AtomicU64,
    registered: AtomicBool,
    /// Set once the coordinator has refused this worker for good.
    refused: OnceLock<Refusal>,
    leave: Leave,
}

impl Link {
    /// Registers, however long it takes until the coordinator answers. A refusal later on drives the worker out by `leave`.
    ///
    /// # Errors
    /// The coordinator answers and refuses this worker.
    pub async fn open(
        client: LeasesClient,
        introduction: Introduction,
        leases: Leases,
        leave: Leave,
    ) -> Result<Self, ClientError> {
        let mut backoff = Backoff::default();
        let welcome = loop {
            match client.register(introduction.clone()).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "waiting for the coordinator");
                    backoff.wait().await;
                }
                answer => break answer?,
            }
        };
        tracing::info!(worker = %introduction.session.worker, bucket = welcome.bucket, "registered");
        Ok(Self {
            client,
            introduction,
            leases,
            lease_ttl: AtomicU64::new(millis(welcome.lease_ttl)),
            welcome: tokio::sync::Mutex::new(welcome),
            registered: AtomicBool::new(true),
            refused: OnceLock::new(),
            leave,
        })
    }

    /// The last answer to a registration.
    pub async fn welcome(&self) -> Welcome {
        self.welcome.lock().await.clone()
    }

    /// How often to renew: three times before a lease runs out.
    pub fn renew_interval(&self) -> Duration {
        Duration::from_millis(self.lease_ttl.load(Ordering::SeqCst)) / 3
    }

    /// The leases that registrations are about.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Who speaks.
    pub fn session(&self) -> Session {
        self.introduction.session.clone()
    }

    /// Whether nothing that this worker says will be heard any more.
    pub fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// Gives leases back unfinished; with `leaving`, says goodbye as well.
    ///
    /// # Errors
    /// The coordinator does not answer; then the leases run out by themselves.
    pub async fn release(&self, leases: Vec<LeaseId>, leaving: bool) -> Result<(), ClientError> {
        let session = self.session();
        let release = Release {
            session,
            leases,
            leaving,
        };
        self.call(|client| {
            let release = release.clone();
            async move { client.release(release).await }
        })
        .await
    }

    /// Renews leases. It waits for no registration that is under way, which is answered only once the journal can be written:
    /// a coordinator that knows the session takes renewals at any time.
    ///
    /// # Errors
    /// As the client says; a session unknown to the coordinator is dealt with here.
    pub async fn renew(&self, renewal: &Renewal) -> Result<Renewed, ClientError> {
        self.check()?;
        let answer = match self.client.renew(renewal.clone()).await {
            Err(error) if refused::is_unknown_session(&error) => {
                self.registered.store(false, Ordering::SeqCst);
                self.ensure_registered().await?;
                self.client.renew(renewal.clone()).await
            }
            answer => answer,
        };
        answer.inspect_err(|error| self.note(refused::for_good(error)))
    }

    /// Asks once, after registering again if need be.
    ///
    /// # Errors
    /// As the client says; a session unknown to the coordinator is dealt with here.
    pub async fn call<T, F>(&self, ask: impl Fn(LeasesClient) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let once = || ask(self.client.clone());
        self.ensure_registered().await?;
        let answer = match once().await {
            Err(error) if refused::is_unknown_session(&error) => {
                self.registered.store(false, Ordering::SeqCst);
                self.ensure_registered().await?;
                once().await
            }
            answer => answer,
        };
        // One that answers late, or that cannot write its journal, still knows the session.
        if let Err(ClientError::Unreachable { .. }) = answer {
            self.registered.store(false, Ordering::SeqCst);
        }
        answer.inspect_err(|error| self.note(refused::for_good(error)))
    }

    /// Asks until the coordinator answers. A token that is refused may be replaced, and what a job has made is worth the
    /// wait.
    ///
    /// # Errors
    /// The answer is another refusal, or makes no sense.
    pub async fn persist<T, F>(&self, ask: impl Fn(LeasesClient) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut backoff = Backoff::default();
        loop {
            match self.call(&ask).await {
                Err(error) if error.is_transient() || refused::is_unauthenticated(&error) => {
                    tracing::warn!(%error, "asking the coordinator again");
                    backoff.wait().await;
                }
                answer => return answer,
            }
        }
    }

    async fn ensure_registered(&self) -> Result<(), ClientError> {
        self.check()?;
        if self.registered.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut welcome = self.welcome.lock().await;
        // Somebody else may have done it while this one waited, or have been refused.
        self.check()?;
        if self.registered.load(Ordering::SeqCst) {
            return Ok(());
        }
        let held = self.leases.held();
        tracing::info!(held = held.len(), "registering again");
        let introduction = Introduction {
            held,
            ..self.introduction.clone()
        };
        let answer = self.client.register(introduction).await;
        *welcome = answer.inspect_err(|error| self.note(refused::registration_for_good(error)))?;
        self.lease_ttl.store(millis(welcome.lease_ttl), Ordering::SeqCst);
        for lease in &welcome.revoked {
            self.leases
                .revoke(*lease, "no longer good when the worker came back");
        }
        self.registered.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Says no in the coordinator's place once it has said so for good.
    fn check(&self) -> Result<(), ClientError> {
        match self.refused.get() {
            Some(refusal) => Err(refusal.clone().into()),
            None => Ok(()),
        }
    }

    /// Drives the worker out if it is refused for good: jobs stop, and trainings save where they are.
    fn note(&self, for_good: Option<&Refusal>) {
        let Some(refusal) = for_good else { return };
        if self.refused.set(refusal.clone()).is_ok() {
            self.leave.drive_out(refused::explained(refusal));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
