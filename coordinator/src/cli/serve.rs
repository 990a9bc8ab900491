//! `serve`: a coordinator for users and workers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use vico::traces::Traces;
use vico_coord::{Candidate, Config, Parts, TlsFiles};

use crate::cli::bucket::Bucket;
use crate::cli::exit::{Error, Result};
use crate::cli::{output, signals};

/// Takes over a bucket and serves it until told to stop; whoever served it before steps down
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    bucket: Bucket,
    /// Let another coordinator serve as long as one does; take over once it has been silent for some seconds
    #[arg(long)]
    standby: bool,
    /// Where to listen
    #[arg(long, default_value_t = Config::DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Listen where other machines can reach it, even without encryption or tokens
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    tls: Tls,
    /// Who may do what: a file with `role name token` a line; roles are admin, submit, read and worker
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Serve /livez, /readyz and /metrics there, without encryption; they hold counts and no names
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Serve the dashboard there, with the same certificates and tokens: a token of the role `read` sees everything
    #[arg(long, value_name = "ADDRESS")]
    dashboard: Option<SocketAddr>,
    /// Tell an OpenTelemetry collector there what happens to jobs (OTLP over gRPC, e.g. http://127.0.0.1:4317)
    #[cfg(feature = "otlp")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    traces: Option<String>,
    /// How long a worker may be silent before its jobs are given to others; a second at least
    #[arg(long, default_value = "30s", value_parser = lease_ttl)]
    lease_ttl: Duration,
}

/// Workers renew three times in a lease's life, and the coordinator looks what has run out four times a second.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

fn lease_ttl(text: &str) -> std::result::Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if ttl < SHORTEST_LEASE {
        return Err("a lease must live for a second at least".to_owned());
    }
    Ok(ttl)
}

/// What connections are encrypted with. Renewed files are taken up within seconds.
#[derive(Debug, Args)]
struct Tls {
    /// The server's certificate in PEM, followed by those between it and the authority
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE", requires = "tls_key")]
    cert: Option<PathBuf>,
    /// The private key of --tls-cert
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_cert")]
    key: Option<PathBuf>,
    /// Let in only clients whose certificate one of these authorities vouches for
    #[arg(long = "tls-client-ca", value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
}

impl Tls {
    fn files(self) -> Option<TlsFiles> {
        let Self { cert, key, client_ca } = self;
        let (cert, key) = cert.zip(key)?;
        Some(TlsFiles { cert, key, client_ca })
    }
}

impl Serve {
    /// Serves, and tells a collector of it if there is one.
    #[cfg(feature = "otlp")]
    pub(super) async fn execute(mut self) -> Result {
        use vico::traces::{Otlp, Service};

        let Some(endpoint) = self.traces.take() else {
            return self.serve(Traces::default()).await;
        };
        let (name, instance) = ("vico-coord", self.listen.to_string());
        let instance = instance.as_str();
        let collector = Otlp::open(&endpoint, &Service { name, instance })
            .map_err(|error| Error::usage(error.to_string(), "see --traces"))?;
        let outcome = self.serve(collector.traces()).await;
        collector.close().await;
        outcome
    }

    #[cfg(not(feature = "otlp"))]
    pub(super) async fn execute(self) -> Result {
        self.serve(Traces::default()).await
    }

    async fn serve(self, traces: Traces) -> Result {
        let store = self.bucket.open().await?;
        let config = Config {
            listen: self.listen,
            insecure: self.insecure,
            tls: self.tls.files(),
            tokens: self.tokens,
            http: self.http,
            dashboard: self.dashboard,
            lease_ttl: self.lease_ttl,
            ..Config::default()
        };
        let url = store.url().to_owned();
        let parts = Parts {
            traces,
            ..Parts::new(store)
        };
        vico_coord::return_large_blocks();
        let candidate = Candidate::open(&config, parts).await?;
        if let Some(http) = candidate.http_address() {
            output::note(format_args!("probes and metrics at http://{http}"));
        }
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let place = format!("{url} at {scheme}://{}", candidate.address());
        if let Some(dashboard) = candidate.dashboard_address() {
            output::note(format_args!(
                "dashboard at {scheme}://{dashboard}, once it serves"
            ));
        }
        let stop = CancellationToken::new();
        let serving = serve(candidate, self.standby, &place, stop.clone());
        tokio::select! {
            ended = serving => Ok(ended?),
            () = hand_on(stop) => Err(Error::Interrupted("whatever was answered is kept")),
        }
    }
}

async fn serve(
    candidate: Candidate,
    standby: bool,
    place: &str,
    stop: CancellationToken,
) -> std::result::Result<(), vico_coord::Error> {
    let taken_over = async {
        if standby {
            output::note(format_args!("standing by to serve {place}"));
            candidate.stand_by().await
        } else {
            candidate.take_over().await
        }
    };
    let coordinator = tokio::select! {
        coordinator = taken_over => coordinator?,
        // It can be left at any point, as by a crash.
        () = stop.cancelled() => return Ok(()),
    };
    output::note(format_args!("serving {place}"));
    coordinator.serve(stop).await
}

/// Hands on the wish to stop, and lets what is under way come to its end. Returns if that is wished for a second time.
async fn hand_on(stop: CancellationToken) {
    signals::stop_asked().await;
    output::note("stopping (once more to stop at once)");
    stop.cancel();
    signals::stop_asked().await;
}
