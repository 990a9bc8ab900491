//! The line to the coordinator: one session over any number of connections.
//!
//! Whenever the line broke, or the coordinator does not know the session because it was restarted, the worker registers
//! again with what it still holds before it says anything else; what was taken away meanwhile is stopped.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use vico::ids::LeaseId;
use vico::job::{Introduction, Release, Renewal, Renewed, Session, Welcome};
use vico::protocol::{ClientError, LeasesClient, RefusalKind};

use crate::backoff::Backoff;
use crate::lease::Leases;

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
}

impl Link {
    /// Registers, however long it takes until the coordinator answers.
    ///
    /// # Errors
    /// The coordinator answers and refuses this worker.
    pub async fn open(
        client: LeasesClient,
        introduction: Introduction,
        leases: Leases,
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
        match self.client.renew(renewal.clone()).await {
            Err(error) if is_unknown_session(&error) => {
                self.registered.store(false, Ordering::SeqCst);
                self.ensure_registered().await?;
                self.client.renew(renewal.clone()).await
            }
            answer => answer,
        }
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
            Err(error) if is_unknown_session(&error) => {
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
        answer
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
                Err(error) if error.is_transient() || is_unauthenticated(&error) => {
                    tracing::warn!(%error, "asking the coordinator again");
                    backoff.wait().await;
                }
                answer => return answer,
            }
        }
    }

    async fn ensure_registered(&self) -> Result<(), ClientError> {
        if self.registered.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut welcome = self.welcome.lock().await;
        if self.registered.load(Ordering::SeqCst) {
            return Ok(()); // somebody else did it while this one waited
        }
        let held = self.leases.held();
        tracing::info!(held = held.len(), "registering again");
        let introduction = Introduction {
            held,
            ..self.introduction.clone()
        };
        *welcome = self.client.register(introduction).await?;
        self.lease_ttl.store(millis(welcome.lease_ttl), Ordering::SeqCst);
        for lease in &welcome.revoked {
            self.leases
                .revoke(*lease, "no longer good when the worker came back");
        }
        self.registered.store(true, Ordering::SeqCst);
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_unauthenticated(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(refusal) if refusal.kind == RefusalKind::Unauthenticated)
}

fn is_unknown_session(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(refusal) if refusal.kind == RefusalKind::UnknownSession)
}
