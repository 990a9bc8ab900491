//! A sweep from its first job to its last, in simulated time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{JobKey, LeaseId, WorkerId};
use vico::job::Progress;

use super::bound::Supply;
use super::chance::Chance;
use super::fleet::Fleet;
use super::mix::Mix;
use super::staged;
use crate::core::{Ask, Brain, Command, Event, Granted, Settings, State};

/// Seconds to load a model that is not at hand, and to fetch an upstream job's outputs.
const LOAD: f64 = 40.0;
const FETCH: f64 = 5.0;
/// Seconds between two looks at what runs late.
const LOOK: f64 = 30.0;
/// Seconds of work between checkpoints: what a preempted job loses at most.
const CHECKPOINT: f64 = 60.0;

/// What is replayed.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The sweep.
    pub mix: Mix,
    /// The workers.
    pub fleet: Fleet,
    /// Whether placement is told what workers have at hand.
    pub locality: bool,
    /// Whether jobs that run late run twice.
    pub copies: bool,
    /// Of durations and preemptions.
    pub seed: u64,
}

/// How it went, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// From the first job's start to the last one's end.
    pub makespan: f64,
    /// No schedule is shorter: all work spread evenly over all workers, loading nothing.
    pub lower_bound: f64,
    /// Work done, as a part of what the workers that were there could have done.
    pub utilisation: f64,
    /// Attempts begun.
    pub attempts: usize,
    /// Jobs done.
    pub jobs: usize,
}

impl Replay {
    /// Runs it.
    pub fn run(&self) -> Outcome {
        let chance = Chance(self.seed);
        let (jobs, work) = self.mix.jobs(chance);
        let (count, total) = (jobs.len(), work.values().sum());
        let mut stage = Stage::new(self, chance, work);
        let Ok(id) = "mix".parse() else {
            return stage.outcome(count, total);
        };
        stage.carry_out(&Command::AddSweep(staged::sweep(id, jobs)));
        stage.schedule(LOOK, What::Look);
        while stage.left > 0 && stage.step() {}
        stage.outcome(count, total)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Done { worker: usize, lease: LeaseId },
    Leaves { worker: usize },
    Comes { worker: usize },
    Look,
}

struct Worker {
    id: WorkerId,
    speed: f64,
    is_there: bool,
    has: BTreeSet<Digest>,
    busy: Option<Busy>,
    visits: u64,
}

struct Busy {
    held: Granted,
    /// Seconds; the work begins when everything is loaded.
    work_begins: f64,
    /// Seconds on a GPU of speed 1 that there were to do then.
    work: f64,
}

struct Stage<'a> {
    replay: &'a Replay,
    chance: Chance,
    brain: Brain,
    /// Since the start.
    now: Timestamp,
    agenda: BinaryHeap<Reverse<(Timestamp, What)>>,
    workers: Vec<Worker>,
    /// Seconds on a GPU of speed 1 that each job still needs.
    work: BTreeMap<JobKey, f64>,
    left: usize,
    attempts: usize,
    supply: Supply,
}

impl<'a> Stage<'a> {
    fn new(replay: &'a Replay, chance: Chance, work: BTreeMap<JobKey, f64>) -> Self {
        let workers = replay
            .fleet
            .speeds
            .iter()
            .enumerate()
            .filter_map(|(number, &speed)| {
                Some(Worker {
                    id: format!("worker-{number:04}").parse().ok()?,
                    speed,
                    is_there: false,
                    has: BTreeSet::new(),
                    busy: None,
                    visits: 0,
                })
            });
        let workers: Vec<Worker> = workers.collect();
        let settings = Settings {
            copies: replay.copies,
            ..Settings::default()
        };
        let agenda = (0..workers.len()).map(|worker| Reverse((Timestamp(0), What::Comes { worker })));
        Self {
            replay,
            chance,
            brain: Brain::new(State::default(), settings, Timestamp(0)),
            now: Timestamp(0),
            agenda: agenda.collect(),
            workers,
            left: work.len(),
            work,
            attempts: 0,
            supply: Supply::default(),
        }
    }

    /// Everything that happens at the next moment at which something does; false if nothing ever will.
    fn step(&mut self) -> bool {
        let Some(&Reverse((at, _))) = self.agenda.peek() else {
            return false;
        };
        self.now = at;
        while let Some(&Reverse((next, what))) = self.agenda.peek()
            && next == at
        {
            self.agenda.pop();
            match what {
                What::Done { worker, lease } => self.done(worker, lease),
                What::Leaves { worker } => self.leaves(worker),
                What::Comes { worker } => self.comes(worker),
                What::Look => self.look(),
            }
        }
        self.give(Command::Place);
        true
    }

    fn seconds(&self) -> f64 {
        self.now.0 as f64 / 1000.0
    }

    fn schedule(&mut self, after: f64, what: What) {
        let at = Timestamp(self.now.0 + (after * 1000.0).ceil() as u64);
        self.agenda.push(Reverse((at, what)));
    }

    fn carry_out(&mut self, command: &Command) -> Vec<Event> {
        let events = self.brain.decide(command, self.now).unwrap_or_default();
        for event in &events {
            self.brain.state.apply(event);
        }
        events
    }

    /// Workers tell how far they have come, and what runs late may get company.
    fn look(&mut self) {
        let now = self.seconds();
        for worker in &self.workers {
            let Some(busy) = &worker.busy else { continue };
            let done = (now - busy.work_begins).max(0.0) * worker.speed;
            let progress = Progress {
                done: (done * 1000.0) as u64,
                of: (busy.work * 1000.0) as u64,
                note: String::new(),
            };
            self.brain.floor.renew(busy.held.lease, progress, self.now);
        }
        self.give(Command::Copy);
        if !self.agenda.is_empty() {
            self.schedule(LOOK, What::Look);
        }
    }

    /// Idle workers ask.
    fn give(&mut self, command: fn(Vec<Ask>) -> Command) {
        let idle = self
            .workers
            .iter()
            .filter(|worker| worker.is_there && worker.busy.is_none());
        let asks = idle.map(|worker| Ask {
            worker: worker.id.clone(),
            max: 1,
        });
        let asks = asks.collect();
        for held in self.carry_out(&command(asks)).iter().filter_map(Event::granted) {
            self.begin(held);
        }
    }

    fn begin(&mut self, held: Granted) {
        let now = self.seconds();
        let Some(job) = self.brain.state.job(held.job) else {
            return;
        };
        let Some(number) = self.workers.iter().position(|worker| worker.id == held.worker) else {
            return;
        };
        let worker = &mut self.workers[number];
        let state = &self.brain.state;
        let models = state.profile(job).map(|profile| profile.models.as_slice());
        let models = models
            .unwrap_or_default()
            .iter()
            .filter(|model| worker.has.insert(**model))
            .count();
        let inputs = state
            .upstream(job)
            .filter(|input| worker.has.insert(input.key.0))
            .count();
        let preparing = LOAD * models as f64 + FETCH * inputs as f64;
        let work = self.work.get(&held.job).copied().unwrap_or(0.0);
        let takes = preparing + work / worker.speed;
        let lease = held.lease;
        worker.busy = Some(Busy {
            held,
            work_begins: now + preparing,
            work,
        });
        self.attempts += 1;
        self.schedule(
            takes,
            What::Done {
                worker: number,
                lease,
            },
        );
    }

    fn done(&mut self, number: usize, lease: LeaseId) {
        let worker = &mut self.workers[number];
        let Some(busy) = worker.busy.take_if(|busy| busy.held.lease == lease) else {
            return;
        };
        worker.has.insert(busy.held.job.0);
        let Some(stage) = self.brain.state.job(busy.held.job).map(|job| job.stage) else {
            return;
        };
        self.carry_out(&Command::Commit(staged::receipt(&busy.held, stage, self.now)));
        self.left -= 1;
        self.hint(number);
        // Who raced for it learns that it is done.
        for other in &mut self.workers {
            other.busy.take_if(|other| other.held.job == busy.held.job);
        }
    }

    fn hint(&mut self, number: usize) {
        if self.replay.locality {
            let worker = &self.workers[number];
            let at_hand: Vec<Digest> = worker.has.iter().copied().collect();
            self.brain.floor.hint(&worker.id, &at_hand);
        }
    }

    fn leaves(&mut self, number: usize) {
        let now = self.seconds();
        let worker = &mut self.workers[number];
        worker.is_there = false;
        worker.has.clear();
        let id = worker.id.clone();
        if let Some(busy) = worker.busy.take() {
            let done = ((now - busy.work_begins).max(0.0) * worker.speed / CHECKPOINT).floor() * CHECKPOINT;
            if let Some(work) = self.work.get_mut(&busy.held.job) {
                // Another attempt at it may have come further.
                *work = work.min((busy.work - done).max(0.0));
            }
            let leases = vec![busy.held.lease];
            self.carry_out(&Command::Release {
                worker: id.clone(),
                leases,
            });
        }
        self.brain.floor.dismiss(&id);
        self.note_supply();
        if let Some(preemption) = self.replay.fleet.preemption {
            let away = self.draw(preemption.is_away, "away", number);
            self.schedule(away, What::Comes { worker: number });
        }
    }

    fn comes(&mut self, number: usize) {
        let who = staged::introduction(&self.workers[number].id);
        self.carry_out(&Command::Register(who.clone()));
        self.brain.floor.welcome(&who, self.now);
        self.workers[number].is_there = true;
        self.workers[number].visits += 1;
        self.note_supply();
        if let Some(preemption) = self.replay.fleet.preemption {
            let stays = self.draw(preemption.stays, "stays", number);
            self.schedule(stays, What::Leaves { worker: number });
        }
    }

    fn draw(&self, mean: f64, purpose: &str, number: usize) -> f64 {
        let purpose = format!("{purpose} {number}");
        self.chance
            .exponential(mean, &purpose, self.workers[number].visits)
    }

    fn note_supply(&mut self) {
        let now = self.seconds();
        let there = self.workers.iter().filter(|worker| worker.is_there);
        self.supply.note(now, there.map(|worker| worker.speed).sum());
    }

    fn outcome(&self, jobs: usize, work: f64) -> Outcome {
        let makespan = self.seconds();
        Outcome {
            makespan,
            lower_bound: self.supply.time_for(work),
            utilisation: work / self.supply.until(makespan),
            attempts: self.attempts,
            jobs: jobs - self.left,
        }
    }
}
