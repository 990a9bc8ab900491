//! Large sweeps and many workers, step by step, so that each step can be timed.

use std::collections::VecDeque;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::{InvalidId, WorkerId};

use super::staged;
use crate::core::format::{decode_snapshot, encode_events, encode_snapshot};
use crate::core::{Ask, Brain, Command, Granted, NewSweep, Settings, State};
use crate::error::Error;
use crate::memory;

/// A sweep that was not submitted yet.
#[derive(Debug)]
pub struct Planned(NewSweep);

impl Planned {
    /// About `jobs` jobs, in chains of three.
    ///
    /// # Errors
    /// A name that no sweep can have.
    pub fn new(name: &str, jobs: usize) -> Result<Self, InvalidId> {
        let methods = ["vico", "textual_inversion", "dreambooth", "custom_diffusion"];
        let runs = (0..jobs.div_ceil(3)).map(|run| staged::chain(name, methods[run % methods.len()], run));
        Ok(Self(staged::sweep(name.parse()?, runs.flatten().collect())))
    }
}

/// A brain in the middle of work.
#[derive(Debug)]
pub struct Drill {
    brain: Brain,
    now: Timestamp,
    workers: Vec<WorkerId>,
    held: VecDeque<Granted>,
}

impl Default for Drill {
    fn default() -> Self {
        Self::over(State::default())
    }
}

impl Drill {
    fn over(state: State) -> Self {
        let now = Timestamp(1_000_000);
        Self {
            brain: Brain::new(state, Settings::default(), now),
            now,
            workers: Vec::new(),
            held: VecDeque::new(),
        }
    }

    /// Takes in a sweep; answers with the bytes that go into the journal.
    ///
    /// # Errors
    /// Events that have no JSON form.
    pub fn submit(&mut self, sweep: Planned) -> Result<usize, Error> {
        let jobs = sweep.0.jobs.len();
        let bytes = self.carry_out(&Command::AddSweep(sweep.0));
        memory::give_back_after(jobs);
        bytes
    }

    /// Connects workers of one slot.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub fn hire(&mut self, workers: usize) -> Result<(), Error> {
        for number in 0..workers {
            let Ok(worker) = format!("worker-{number:05}").parse() else {
                continue;
            };
            let who = staged::introduction(&worker);
            self.carry_out(&Command::Register(who.clone()))?;
            self.brain.floor.welcome(&who, self.now);
            self.workers.push(worker);
        }
        Ok(())
    }

    /// All workers ask at once; answers with how many got a job.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub fn place_all(&mut self) -> Result<usize, Error> {
        let ask = |worker: &WorkerId| Ask {
            worker: worker.clone(),
            max: 1,
        };
        let asks = self.workers.iter().map(ask).collect();
        let before = self.held.len();
        self.carry_out(&Command::Place(asks))?;
        Ok(self.held.len() - before)
    }

    /// One job after the other ends and its worker gets the next; answers with the bytes that go into the journal.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub fn turn_over(&mut self, jobs: usize) -> Result<usize, Error> {
        let mut bytes = 0;
        for _ in 0..jobs {
            let Some(held) = self.held.pop_front() else { break };
            self.now = self.now + Duration::from_millis(1);
            let stage = self.brain.state.job(held.job).map(|job| job.stage);
            let Some(stage) = stage else { continue };
            bytes += self.carry_out(&Command::Commit(staged::receipt(&held, stage, self.now)))?;
            let ask = Ask {
                worker: held.worker,
                max: 1,
            };
            bytes += self.carry_out(&Command::Place(vec![ask]))?;
        }
        Ok(bytes)
    }

    /// What a snapshot in the journal would be.
    ///
    /// # Errors
    /// As for [`Self::submit`].
    pub fn snapshot(&self) -> Result<Vec<u8>, Error> {
        encode_snapshot(&self.brain.state.snapshot()).map_err(Error::unwritable)
    }

    /// Comes back from a snapshot.
    ///
    /// # Errors
    /// Bytes that are no snapshot of this version.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, Error> {
        let state = State::from(decode_snapshot(bytes)?);
        state.check()?;
        Ok(Self::over(state))
    }

    /// Answers with the bytes that go into the journal.
    fn carry_out(&mut self, command: &Command) -> Result<usize, Error> {
        let events = self.brain.decide(command, self.now).unwrap_or_default();
        let bytes = encode_events(&events).map_err(Error::unwritable)?;
        for event in &events {
            self.brain.state.apply(event);
            self.held.extend(event.granted());
        }
        Ok(bytes.len())
    }
}
