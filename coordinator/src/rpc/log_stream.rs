//! A job's log lines as they come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use futures::stream;
use tonic::Status;
use vico::ids::{Attempt, JobKey, WorkerId};
use vico::protocol::Refusal;
use vico::status::LogLine;
use vico_proto::v1 as pb;

use super::Services;
use super::refusals::of_bucket;

const POLL: Duration = Duration::from_millis(500);

/// What `Logs` answers with.
pub(crate) type LogStream = Pin<Box<dyn Stream<Item = Result<pb::LogLine, Status>> + Send>>;

struct Reader {
    services: Services,
    job: JobKey,
    follow: bool,
    /// How many lines of each attempt were read. Two may write at the same time.
    seen: BTreeMap<Attempt, u64>,
    /// Attempts that were read after they had ended: nothing more comes of them.
    over: BTreeSet<Attempt>,
    /// Read and not yet sent.
    ready: VecDeque<LogLine>,
    /// Nothing more will come.
    ended: bool,
}

/// Lines of all attempts in order; with `follow`, until the job ends.
pub(super) fn logs(services: Services, job: JobKey, follow: bool) -> LogStream {
    let reader = Reader {
        services,
        job,
        follow,
        seen: BTreeMap::new(),
        over: BTreeSet::new(),
        ready: VecDeque::new(),
        ended: false,
    };
    Box::pin(stream::unfold(reader, async |mut reader| {
        let next = reader.next().await?;
        Some((next, reader))
    }))
}

impl Reader {
    async fn next(&mut self) -> Option<Result<pb::LogLine, Status>> {
        let mut first = true;
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line.into()));
            }
            if self.ended {
                return None;
            }
            if !std::mem::take(&mut first) {
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = self.services.stop.cancelled() => {}
                }
            }
            if let Err(refusal) = self.read_more().await {
                self.ended = true;
                return Some(Err(refusal.into()));
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), Refusal> {
        let (attempts, job_ended) = self.attempts().await?;
        for (attempt, worker, has_ended) in attempts {
            if self.over.contains(&attempt) {
                continue;
            }
            let seen = self.seen.entry(attempt).or_default();
            let (logs, store) = (&self.services.logs, &self.services.store);
            let id = (self.job, attempt);
            let read = logs.read(store, (id, &worker), *seen).await;
            let part = read.map_err(of_bucket)?;
            *seen = part.seen;
            self.ready.extend(part.lines);
            if has_ended {
                self.over.insert(attempt);
            }
        }
        self.ended = job_ended || !self.follow;
        Ok(())
    }

    /// All attempts with their workers, which of them have ended, and whether the job has.
    async fn attempts(&self) -> Result<(Vec<(Attempt, WorkerId, bool)>, bool), Refusal> {
        let job = self.job;
        let seen = self.services.handle.look(move |brain, _| {
            let unknown = || crate::core::Refusal::UnknownJob(job.to_string());
            let job = brain.state.job(job).ok_or_else(unknown)?;
            let attempts = job
                .tries()
                .iter()
                .map(|tried| (tried.attempt, tried.worker.clone(), tried.ended.is_some()));
            Ok::<_, crate::core::Refusal>((attempts.collect(), job.phase.state().has_ended()))
        });
        Ok(seen.await??)
    }
}
