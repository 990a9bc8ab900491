//! What a worker is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use vico::ids::WorkerId;
use vico::protocol::Target;
use vico::traces::Traces;

/// Settings of one worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the coordinator is, and what it is shown.
    pub coordinator: Target,
    /// URL of the bucket; by default the coordinator says where it is.
    pub bucket: Option<String>,
    /// Folder of the local cache; one worker only may use it at a time.
    pub cache: PathBuf,
    /// Bytes the cache may hold.
    pub cache_size: u64,
    /// Jobs done at a time, each with models of its own in memory.
    pub slots: u32,
    /// Name, unique among the workers of a coordinator.
    pub name: WorkerId,
    /// Where probes and metrics are served without encryption; nowhere by default.
    pub http: Option<SocketAddr>,
    /// Where parts of attempts are told of.
    pub traces: Traces,
    /// How long an engine may give no sign of life.
    pub patience: Duration,
    /// How long to wait for jobs to save what they have when the worker must leave.
    pub grace: Duration,
}

impl Config {
    /// [`Self::patience`] where nobody says otherwise.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_hours(2);
    /// [`Self::grace`] where nobody says otherwise: below the 30 seconds that Kubernetes gives a process by default.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(25);
}
