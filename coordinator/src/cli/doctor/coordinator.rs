//! Whether a coordinator answers, knows us, and has workers that fit it.

use vico::protocol::{ClientError, RefusalKind, SweepsClient, Target};
use vico::status::WorkerStatus;

use super::finding::Finding;

const CHECK: &str = "coordinator";

/// Asks it for its version and its workers.
pub(super) async fn look(target: &Target) -> Vec<Finding> {
    match ask(target).await {
        Ok((version, workers)) => {
            let mut findings = vec![of_version(target, version.as_deref())];
            findings.push(of_number(&workers));
            findings.extend(workers.iter().map(of_worker));
            findings
        }
        Err(error) => vec![Finding::fails(CHECK, error.to_string(), fix(&error))],
    }
}

async fn ask(target: &Target) -> Result<(Option<String>, Vec<WorkerStatus>), ClientError> {
    let client = SweepsClient::new(target)?;
    Ok((client.version().await?, client.workers().await?))
}

fn fix(error: &ClientError) -> &'static str {
    match error {
        ClientError::Address { .. } => "correct --coordinator: https://host:port",
        ClientError::Credentials { .. } => "correct --tls-ca, --tls-cert, --tls-key and --token-file",
        ClientError::Unreachable { reason, .. } if reason.contains("certificate") => {
            "name the authority that signed the coordinator's certificate with --tls-ca, or have it renewed"
        }
        ClientError::Unreachable { .. } | ClientError::TimedOut { .. } => {
            "start one with `vico-coord serve`, or correct --coordinator; https:// if it has a certificate"
        }
        ClientError::Refused(refusal) => match refusal.kind {
            RefusalKind::Unauthenticated => "set VICO_TOKEN or --token-file to a token in its tokens file",
            RefusalKind::Forbidden => "ask for a token with the role `read` or `submit`",
            _ => "see the coordinator's log",
        },
        ClientError::Foreign { .. } => "use the version of this program that the coordinator has",
    }
}

fn of_version(target: &Target, version: Option<&str>) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    match version {
        Some(version) if version == ours => {
            Finding::works(CHECK, format!("{}, version {version}", target.url))
        }
        Some(version) => Finding::odd(
            CHECK,
            format!("{}, version {version}; this program has {ours}", target.url),
            "use the same version on both sides",
        ),
        None => Finding::odd(
            CHECK,
            format!("{}, of a version that does not say so", target.url),
            "use the same version on both sides",
        ),
    }
}

fn of_number(workers: &[WorkerStatus]) -> Finding {
    let slots: u64 = workers.iter().map(|worker| u64::from(worker.slots)).sum();
    match workers.len() {
        0 => Finding::odd(
            "workers",
            "none is connected",
            "start `vico-worker --coordinator URL`",
        ),
        count => Finding::works("workers", format!("{count} with {slots} slots")),
    }
}

fn of_worker(worker: &WorkerStatus) -> Finding {
    let check = format!("worker {}", worker.worker);
    let device = &worker.device;
    let gpu = match device.vram {
        0 => device.name.clone(),
        vram => format!("{}, {} GiB, driver {}", device.name, vram >> 30, device.driver),
    };
    let detail = format!("{gpu}, version {}", worker.version);
    match &worker.condition {
        Some(condition) => Finding::odd(
            &check,
            format!("{condition}; {detail}"),
            "see its log, and `vico-coord workers`",
        ),
        None => Finding::works(&check, detail),
    }
}
