//! A job's log lines as they come.

use std::collections::VecDeque;
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
    /// The attempt being read, and how many of its lines were read.
    place: (Attempt, usize),
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
        place: (Attempt(0), 0),
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
        for (attempt, worker) in attempts {
            let read = if attempt == self.place.0 { self.place.1 } else { 0 };
            let id = (self.job, attempt);
            let lines = self
                .services
                .logs
                .read(&self.services.store, id, &worker)
                .await
                .map_err(of_bucket)?;
            self.place = (attempt, lines.len().max(read));
            self.ready.extend(lines.into_iter().skip(read));
        }
        self.ended = job_ended || !self.follow;
        Ok(())
    }

    /// Attempts from the one being read on, and whether the job has ended.
    async fn attempts(&self) -> Result<(Vec<(Attempt, WorkerId)>, bool), Refusal> {
        let (job, from) = (self.job, self.place.0);
        let seen = self.services.handle.look(move |brain, _| {
            let unknown = || crate::core::Refusal::UnknownJob(job.to_string());
            let job = brain.state.job(job).ok_or_else(unknown)?;
            let tries = job.tries().iter().filter(|tried| tried.attempt >= from);
            let attempts = tries.map(|tried| (tried.attempt, tried.worker.clone())).collect();
            Ok::<_, crate::core::Refusal>((attempts, job.phase.state().has_ended()))
        });
        Ok(seen.await??)
    }
}
