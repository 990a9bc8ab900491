//! A small world around a brain: named sweeps, jobs and workers, time in seconds, every event checked.

use std::collections::BTreeSet;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::digest::Digest;
use vico::ids::{JobKey, SweepId, WorkerId};
use vico::job::{
    Device, DeviceFacts, Failure, FailureClass, HeldLease, Introduction, JobState, Outputs, Progress,
    Receipt, Resources, Session, Stage,
};
use vico::plan::{Backoff, RetryPolicy, Scheduling};

use super::model::Model;
pub(super) use crate::core::Granted;
use crate::core::event::Event;
use crate::core::{Ask, Brain, Command, NewJob, NewSweep, Refusal, Settings, State};
use crate::rehearsal::staged;

pub(super) struct World {
    pub(super) brain: Brain,
    pub(super) now: Timestamp,
    /// Everything that would be in the journal.
    pub(super) journal: Vec<Event>,
    model: Model,
}

impl World {
    pub(super) fn new() -> Self {
        let now = Timestamp(1_000_000);
        Self {
            brain: Brain::new(State::default(), Settings::default(), now),
            now,
            journal: Vec::new(),
            model: Model::default(),
        }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    pub(super) fn try_do(&mut self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let before = self.brain.state.clone();
        let decided = self.brain.decide(command, self.now);
        assert_eq!(self.brain.state, before, "deciding changed something");
        self.model.take(command, decided.as_deref());
        let events = decided?;
        for event in &events {
            self.brain.state.apply(event);
            if let Err(violation) = self.brain.state.check() {
                panic!("{violation}\nafter {event:?}");
            }
            let reread = State::from(self.brain.state.snapshot());
            assert_eq!(reread, self.brain.state, "the snapshot tells another story");
        }
        self.model.compare(&self.brain.state);
        self.journal.extend(events.iter().cloned());
        Ok(events)
    }

    #[track_caller]
    pub(super) fn run(&mut self, command: &Command) -> Vec<Event> {
        self.try_do(command).unwrap()
    }

    pub(super) fn submit(&mut self, sweep: NewSweep) {
        self.run(&Command::AddSweep(sweep));
    }

    pub(super) fn join(&mut self, introduction: &Introduction) {
        self.run(&Command::Register(introduction.clone()));
        self.brain.floor.welcome(introduction, self.now);
    }

    /// A CPU worker with some slots.
    pub(super) fn cpu(&mut self, name: &str, slots: u32) {
        self.join(&introduction(name, slots, 0));
    }

    pub(super) fn acquire(&mut self, worker: &str, max: u32) -> Vec<Granted> {
        let ask = Ask {
            worker: id(worker),
            max,
        };
        let events = self.run(&Command::Place(vec![ask]));
        granted(&events)
    }

    /// The one job that a worker gets.
    #[track_caller]
    pub(super) fn acquire_one(&mut self, worker: &str) -> Granted {
        let granted = self.acquire(worker, 1);
        assert_eq!(granted.len(), 1, "{worker} got {granted:?}");
        granted[0].clone()
    }

    pub(super) fn complete(&mut self, granted: &Granted) {
        let receipt = receipt(granted, self.brain.state.job(granted.job).unwrap().stage);
        self.run(&Command::Commit(receipt));
    }

    pub(super) fn try_fail(&mut self, granted: &Granted, class: FailureClass) -> Result<Vec<Event>, Refusal> {
        let message = "it broke".to_owned();
        self.try_do(&Command::Fail {
            worker: granted.worker.clone(),
            job: granted.job,
            lease: granted.lease,
            failure: Failure { class, message },
        })
    }

    #[track_caller]
    pub(super) fn fail(&mut self, granted: &Granted, class: FailureClass) {
        self.try_fail(granted, class).unwrap();
    }

    /// Its outputs are there, and the bucket takes its time with the receipt.
    pub(super) fn begin_commit(&mut self, granted: &Granted) {
        self.brain.floor.begin_commit(granted.lease);
        self.model.committing.push(granted.lease);
    }

    /// The bucket has taken the receipt, or has not.
    pub(super) fn end_commit(&mut self, granted: &Granted) {
        let mut under_way = self.model.committing.iter();
        if let Some(place) = under_way.position(|lease| *lease == granted.lease) {
            self.model.committing.swap_remove(place);
            self.brain.floor.end_commit(granted.lease, self.now);
        }
    }

    pub(super) fn is_committing(&self, granted: &Granted) -> bool {
        self.model.committing.contains(&granted.lease)
    }

    pub(super) fn renew(&mut self, granted: &Granted, done: u64, of: u64) {
        let session = Session {
            worker: granted.worker.clone(),
            nonce: granted.worker.to_string(),
        };
        self.brain.floor.hear(&session, self.now).unwrap();
        let note = String::new();
        self.brain
            .floor
            .renew(granted.lease, Progress { done, of, note }, self.now);
    }

    pub(super) fn state_of(&self, job: JobKey) -> JobState {
        self.brain.state.job(job).unwrap().phase.state()
    }

    /// The first of the jobs that read this one's outputs.
    pub(super) fn reader_of(&self, job: JobKey) -> JobKey {
        let state = &self.brain.state;
        let reader = state.job(job).unwrap().downstream.as_slice()[0];
        state.numbered(reader).unwrap().key
    }

    #[track_caller]
    pub(super) fn reason(&self, job: JobKey) -> String {
        let job = self.brain.state.job(job).unwrap();
        self.brain.job_status(job, self.now).reason.unwrap_or_default()
    }

    /// The coordinator's process dies and another one reads the journal.
    pub(super) fn restart(&mut self) {
        let mut state = State::default();
        self.journal.iter().for_each(|event| state.apply(event));
        assert_eq!(state, self.brain.state, "the journal tells another story");
        assert_eq!(
            state,
            State::from(state.snapshot()),
            "the snapshot tells another story"
        );
        self.brain = Brain::new(state, Settings::default(), self.now);
        self.model.committing.clear();
    }
}

pub(super) fn granted(events: &[Event]) -> Vec<Granted> {
    events.iter().filter_map(Event::granted).collect()
}

pub(super) fn id(worker: &str) -> WorkerId {
    worker.parse().unwrap()
}

pub(super) fn sweep_id(name: &str) -> SweepId {
    name.parse().unwrap()
}

pub(super) fn key(name: &str) -> JobKey {
    JobKey(Digest::of(name.as_bytes()))
}

pub(super) fn model(name: &str) -> Digest {
    Digest::of(format!("model {name}").as_bytes())
}

/// A worker whose session is its name; no GPU where `vram` is 0.
pub(super) fn introduction(name: &str, slots: u32, vram: u64) -> Introduction {
    let device = DeviceFacts {
        name: if vram == 0 {
            "cpu".to_owned()
        } else {
            "H200".to_owned()
        },
        vram,
        ..DeviceFacts::default()
    };
    Introduction {
        session: Session {
            worker: id(name),
            nonce: name.to_owned(),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device,
        slots,
        held: Vec::new(),
    }
}

pub(super) fn holding(mut who: Introduction, granted: &[&Granted]) -> Introduction {
    let held = granted.iter().map(|granted| HeldLease {
        job: granted.job,
        lease: granted.lease,
        attempt: granted.attempt,
    });
    who.held = held.collect();
    who
}

/// Runs named `concepts`, each a chain `<concept>/train`, `<concept>/sample`, `<concept>/score`. One named `toy:duck` is a
/// run of `duck` that needs `toy/class_images`, which it shares with all other toys.
pub(super) fn sweep(name: &str, concepts: &[&str]) -> NewSweep {
    NewSweep {
        id: sweep_id(name),
        name: name.to_owned(),
        retry: RetryPolicy {
            attempts: 3,
            backoff: Backoff {
                initial: Duration::from_secs(10),
                factor: 2.0,
                max: Duration::from_mins(1),
            },
        },
        scheduling: Scheduling::default(),
        jobs: once(concepts.iter().flat_map(|concept| chain(concept)).collect()),
        done: Vec::new(),
    }
}

fn once(mut jobs: Vec<NewJob>) -> Vec<NewJob> {
    let mut seen = BTreeSet::new();
    jobs.retain(|job| seen.insert(job.key));
    jobs
}

fn chain(concept: &str) -> Vec<NewJob> {
    let (class, concept) = match concept.split_once(':') {
        Some((class, concept)) => (Some(format!("{class}/class_images")), concept),
        None => (None, concept),
    };
    let of = |stage: Stage| format!("{concept}/{stage}");
    let drawn = class.as_deref().map(|class| job(Stage::ClassImages, class, None));
    let chain = [
        job(Stage::Train, &of(Stage::Train), class.as_deref()),
        job(Stage::Sample, &of(Stage::Sample), Some(&of(Stage::Train))),
        job(Stage::Score, &of(Stage::Score), Some(&of(Stage::Sample))),
    ];
    drawn.into_iter().chain(chain).collect()
}

fn job(stage: Stage, label: &str, upstream: Option<&str>) -> NewJob {
    NewJob {
        key: key(label),
        stage,
        label: label.to_owned(),
        upstream: upstream.map(key).into_iter().collect(),
        resources: Resources::default(),
        models: vec![model("base")],
        outputs: Outputs::Adapter,
    }
}

/// The sweep with the same demand on every job.
pub(super) fn needing(mut sweep: NewSweep, device: Device, vram: u64) -> NewSweep {
    for job in &mut sweep.jobs {
        job.resources = Resources { device, vram };
    }
    sweep
}

pub(super) fn receipt(granted: &Granted, stage: Stage) -> Receipt {
    staged::receipt(granted, stage, Timestamp(0))
}
