//! Random walks: moves that choose among what there is.

use proptest::prelude::*;
use vico::ids::{LeaseId, SweepId};
use vico::job::{Device, FailureClass, JobState, Progress};
use vico::plan::Scheduling;
use vico::status::SweepState;

use super::world::{Granted, World, granted, holding, id, introduction, needing, sweep, sweep_id};
use crate::core::{Ask, Command, NewSweep};

const GIB: u64 = 1 << 30;

const SWEEPS: [(&str, &[&str]); 5] = [
    ("a", &["cat", "dog"]),
    ("b", &["dog", "cow"]),
    ("c", &["cat"]),
    ("d", &["toy:duck", "toy:bear", "cat"]),
    ("e", &["toy:duck", "pet:fish"]),
];
/// Names, slots, and gibibytes of GPU memory.
const WORKERS: [(&str, u32, u64); 3] = [("w1", 1, 0), ("w2", 2, 0), ("w3", 4, 24)];
/// What jobs may need, in gibibytes of GPU memory; the last is for nobody before the walk's end.
const NEEDS: [(Device, u64); 5] = [
    (Device::Any, 0),
    (Device::Any, 16),
    (Device::Any, 40),
    (Device::Gpu, 16),
    (Device::Gpu, 40),
];

/// Numbers choose among what there is, so that most moves do something.
#[derive(Debug, Clone)]
pub(super) enum Move {
    Submit {
        sweep: usize,
        done: u8,
        needs: usize,
        attempts: u32,
    },
    Register {
        worker: usize,
        restarted: bool,
        holds: bool,
    },
    Acquire {
        workers: Vec<usize>,
        max: u32,
    },
    Copy {
        worker: usize,
    },
    Renew {
        grant: usize,
        percent: u64,
    },
    BeginCommit {
        grant: usize,
    },
    EndCommit {
        grant: usize,
    },
    Complete {
        grant: usize,
    },
    Fail {
        grant: usize,
        class: FailureClass,
    },
    Release {
        grant: usize,
    },
    Cancel {
        sweep: usize,
    },
    Retry {
        sweep: usize,
        class: Option<FailureClass>,
    },
    Cordon {
        worker: usize,
        lift: bool,
    },
    Publish,
    Wait {
        seconds: u64,
    },
    Restart,
}

pub(super) fn moves() -> impl Strategy<Value = Move> {
    let class = || proptest::sample::select(FailureClass::ALL.to_vec());
    let grant = 0..64_usize;
    prop_oneof![
        3 => (0..SWEEPS.len(), any::<u8>(), 0..NEEDS.len(), 1..5_u32)
            .prop_map(|(sweep, done, needs, attempts)| Move::Submit { sweep, done, needs, attempts }),
        3 => (0..3_usize, any::<bool>(), any::<bool>())
            .prop_map(|(worker, restarted, holds)| Move::Register { worker, restarted, holds }),
        6 => (proptest::collection::vec(0..3_usize, 1..4), 0..5_u32)
            .prop_map(|(workers, max)| Move::Acquire { workers, max }),
        3 => (0..3_usize).prop_map(|worker| Move::Copy { worker }),
        3 => (grant.clone(), 0..=100_u64).prop_map(|(grant, percent)| Move::Renew { grant, percent }),
        2 => grant.clone().prop_map(|grant| Move::BeginCommit { grant }),
        1 => grant.clone().prop_map(|grant| Move::EndCommit { grant }),
        6 => grant.clone().prop_map(|grant| Move::Complete { grant }),
        4 => (grant.clone(), class()).prop_map(|(grant, class)| Move::Fail { grant, class }),
        2 => grant.prop_map(|grant| Move::Release { grant }),
        1 => (0..SWEEPS.len()).prop_map(|sweep| Move::Cancel { sweep }),
        1 => (0..SWEEPS.len(), proptest::option::of(class()))
            .prop_map(|(sweep, class)| Move::Retry { sweep, class }),
        1 => (0..3_usize, any::<bool>()).prop_map(|(worker, lift)| Move::Cordon { worker, lift }),
        2 => Just(Move::Publish),
        3 => (0..70_u64).prop_map(|seconds| Move::Wait { seconds }),
        1 => Just(Move::Restart),
    ]
}

/// A sweep, and of what was done before and of its place among others what the bits of `done` say.
fn planned(number: usize, done: u8) -> NewSweep {
    let (name, concepts) = SWEEPS[number];
    let mut planned = sweep(name, concepts);
    let chosen = planned
        .jobs
        .iter()
        .enumerate()
        .filter(|(i, _)| done >> (i % 8) & 1 == 1 && done > 200);
    planned.done = chosen.map(|(_, job)| job.key).collect();
    planned.scheduling = Scheduling {
        priority: i32::from(done & 1),
        share: 1 + u32::from(done >> 1 & 3),
        max_running: (done & 8 == 0).then_some(1 + u32::from(done >> 4 & 1)),
    };
    planned
}

pub(super) struct Walk {
    pub(super) world: World,
    /// Everything ever granted, so that stale leases are used as well.
    grants: Vec<Granted>,
    starts: u32,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            world: World::new(),
            grants: Vec::new(),
            starts: 0,
        }
    }

    fn grant(&self, number: usize) -> Option<Granted> {
        let recent = self.grants.iter().rev();
        recent.cycle().nth(number % 16).cloned()
    }

    /// A grant whose lease is good.
    fn live_grant(&self, number: usize) -> Option<Granted> {
        let granted = self.grant(number)?;
        let brain = &self.world.brain;
        let is_live = brain.held(&granted.worker, granted.job, granted.lease).is_ok();
        is_live.then_some(granted)
    }

    pub(super) fn make(&mut self, step: &Move) {
        let leases_before = self.world.brain.state.next_lease();
        match step {
            Move::Submit {
                sweep,
                done,
                needs,
                attempts,
            } => {
                let (device, gib) = NEEDS[*needs];
                let mut planned = needing(planned(*sweep, *done), device, gib * GIB);
                planned.retry.attempts = *attempts;
                self.world.submit(planned);
            }
            Move::Register {
                worker,
                restarted,
                holds,
            } => self.register(*worker, *restarted, *holds),
            Move::Acquire { workers, max } => {
                let ask = |n: &usize| Ask {
                    worker: id(WORKERS[*n].0),
                    max: *max,
                };
                let events = self.world.run(&Command::Place(workers.iter().map(ask).collect()));
                self.grants.extend(granted(&events));
            }
            Move::Copy { worker } => {
                let (worker, max) = (id(WORKERS[*worker].0), 1);
                let events = self.world.run(&Command::Copy(vec![Ask { worker, max }]));
                self.grants.extend(granted(&events));
            }
            Move::Renew { grant, percent } => self.renew(*grant, *percent),
            Move::BeginCommit { grant } => {
                if let Some(granted) = self.live_grant(*grant) {
                    self.world.begin_commit(&granted);
                }
            }
            Move::EndCommit { grant } => {
                if let Some(granted) = self.grant(*grant) {
                    self.world.end_commit(&granted);
                }
            }
            Move::Complete { grant } => {
                if let Some(granted) = self.grant(*grant) {
                    self.world.complete(&granted);
                    assert_eq!(self.world.state_of(granted.job), JobState::Succeeded);
                }
            }
            Move::Fail { grant, class } => self.fail(*grant, *class),
            Move::Release { grant } => {
                if let Some(Granted { worker, lease, .. }) = self.grant(*grant) {
                    let leases = vec![lease, LeaseId(999)];
                    self.world.run(&Command::Release { worker, leases });
                }
            }
            Move::Cancel { sweep } => _ = self.world.try_do(&Command::Cancel(sweep_id(SWEEPS[*sweep].0))),
            Move::Retry { sweep, class } => {
                let sweep = sweep_id(SWEEPS[*sweep].0);
                _ = self.world.try_do(&Command::Retry { sweep, class: *class });
            }
            Move::Cordon { worker, lift } => {
                let worker = id(WORKERS[*worker].0);
                let wish = if *lift { Command::Uncordon } else { Command::Cordon };
                _ = self.world.try_do(&wish(worker));
            }
            Move::Publish => {
                let due: Vec<SweepId> = self.world.brain.unpublished().cloned().collect();
                for sweep in due {
                    self.world.run(&Command::Published(sweep));
                }
            }
            Move::Wait { seconds } => {
                self.world.wait(*seconds);
                self.world.run(&Command::Tick);
            }
            Move::Restart => self.world.restart(),
        }
        assert!(self.world.brain.state.next_lease() >= leases_before);
    }

    fn register(&mut self, worker: usize, restarted: bool, holds: bool) {
        let (name, slots, gib) = WORKERS[worker];
        let mut who = introduction(name, slots, gib * GIB);
        let mine: Vec<Granted> = self
            .grants
            .iter()
            .filter(|g| g.worker == id(name))
            .cloned()
            .collect();
        if restarted {
            self.starts += 1;
            who.session.nonce = format!("{name} start {}", self.starts);
        } else if let Some(known) = self.world.brain.floor.worker(&id(name)) {
            who.session.nonce.clone_from(&known.session);
        }
        if holds && !restarted {
            who = holding(who, &mine.iter().collect::<Vec<_>>());
        }
        if self.world.try_do(&Command::Register(who.clone())).is_ok() {
            self.world.brain.floor.welcome(&who, self.world.now);
        }
    }

    fn renew(&mut self, grant: usize, percent: u64) {
        let Some(granted) = self.live_grant(grant) else {
            return;
        };
        let progress = Progress {
            done: percent,
            of: 100,
            note: String::new(),
        };
        let now = self.world.now;
        self.world.brain.floor.renew(granted.lease, progress, now);
    }

    /// What is said of a stale lease, or of one whose receipt is being written, changes nothing.
    fn fail(&mut self, grant: usize, class: FailureClass) {
        let Some(granted) = self.grant(grant) else { return };
        let counts = self.live_grant(grant).is_some() && !self.world.is_committing(&granted);
        let before = self.world.brain.state.clone();
        let outcome = self.world.try_fail(&granted, class);
        assert_eq!(outcome.is_ok(), counts);
        assert!(counts || self.world.brain.state == before);
    }

    /// Whatever happened, willing workers bring every sweep to an end.
    pub(super) fn finish(&mut self) {
        let running = |world: &World| {
            let sweeps = world.brain.sweep_list(world.now);
            sweeps.iter().any(|sweep| sweep.state == SweepState::Running)
        };
        for round in 0.. {
            if !running(&self.world) {
                return;
            }
            assert!(
                round < 100,
                "it never ends: {:?}",
                self.world.brain.sweep_list(self.world.now)
            );
            self.world.wait(61);
            self.world.run(&Command::Tick);
            let mut willing = introduction("willing", 8, 80 * GIB);
            willing.session.nonce = "willing".into();
            self.world.join(&willing);
            for granted in self.world.acquire("willing", 8) {
                self.world.complete(&granted);
            }
        }
    }
}
