//! What the brain should know, said as simply as possible: the reference that the real state is compared with after
//! every command. It keeps no index, no history and no clock; what follows from other jobs is worked out anew each time.
//!
//! What the brain is free to choose (who gets which job, whose lease has run out, which worker rests) is read from its
//! events, and must then be one of the things it may choose.

use std::collections::{BTreeMap, BTreeSet};

use vico::ids::{JobKey, LeaseId, SweepId, WorkerId};
use vico::job::{Device, FailureClass, JobState, Remedy, Resources};
use vico::status::SweepState;

use crate::core::{Ask, Command, Event, NewJob, NewSweep, Refusal, State};

#[derive(Debug, Default)]
pub(super) struct Model {
    sweeps: BTreeMap<SweepId, Sweep>,
    jobs: BTreeMap<JobKey, Job>,
    cordoned: BTreeSet<WorkerId>,
    /// GPU memory of workers; 0 for no GPU.
    vram: BTreeMap<WorkerId, u64>,
    /// Leases whose receipts are being written, as often as they are.
    pub(super) committing: Vec<LeaseId>,
    last_lease: Option<LeaseId>,
}

#[derive(Debug)]
struct Sweep {
    jobs: Vec<JobKey>,
    attempts: u32,
    cancelled: bool,
    max_running: Option<u32>,
    /// The states of its jobs as its results have them; none as soon as one is another.
    published: Option<Vec<JobState>>,
}

#[derive(Debug)]
struct Job {
    upstream: Vec<JobKey>,
    /// As the latest submission before its end has it.
    needs: Resources,
    fate: Fate,
    failures: u32,
}

type Holder = (LeaseId, WorkerId);

/// What happened to a job itself.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    /// Nobody works on it; whether somebody could is for its upstream to say.
    Waiting,
    /// One or two workers do.
    Held(Vec<Holder>),
    Done,
    GivenUp(FailureClass),
    /// Nobody wanted it any more, when it was in this state.
    Dropped(JobState),
}

impl Model {
    /// Takes in what was asked and what the brain answered.
    pub(super) fn take(&mut self, command: &Command, answer: Result<&[Event], &Refusal>) {
        let refused = self.must_refuse(command);
        if let (Some(expected), got) = (refused, answer.is_err()) {
            assert_eq!(got, expected, "{command:?} got {answer:?}");
        }
        let Ok(events) = answer else { return };
        match command {
            Command::AddSweep(sweep) => self.add(sweep),
            Command::Commit(receipt) => self.job(receipt.job).fate = Fate::Done,
            Command::Fail {
                worker,
                job,
                lease,
                failure,
            } => {
                self.fail(*job, *lease, failure.class);
                self.choices(events, &|holder| holder == worker, *job);
            }
            Command::Release { worker, leases } => self.release(worker, leases),
            Command::Cancel(id) => self.cancel(id),
            Command::Retry { sweep, class } => self.retry(sweep, *class),
            Command::Register(who) => {
                self.vram.insert(who.session.worker.clone(), who.device.vram);
                let kept = |lease| who.held.iter().any(|held| held.lease == lease);
                self.ended(events, &|lease, holder| {
                    *holder == who.session.worker && !kept(lease)
                });
            }
            Command::Place(asks) => {
                self.start(events, JobState::Ready, asks);
            }
            Command::Copy(asks) => {
                self.start(events, JobState::Leased, asks);
            }
            Command::Tick => self.ended(events, &|_, _| true),
            Command::Cordon(worker) => _ = self.cordoned.insert(worker.clone()),
            Command::Uncordon(worker) => _ = self.cordoned.remove(worker),
            Command::Published(id) if !events.is_empty() => {
                let states = self.states_of(&self.sweeps[id]);
                self.sweeps.get_mut(id).unwrap().published = Some(states);
            }
            Command::Published(_) => {}
        }
        self.outdate();
    }

    /// Panics where the state is not what this model says.
    pub(super) fn compare(&self, state: &State) {
        assert_eq!(state.jobs().count(), self.jobs.len());
        for (&key, job) in &self.jobs {
            let real = state.job(key).unwrap();
            let label = state.label(real);
            assert_eq!(real.phase.state(), self.state(key), "{label}");
            assert_eq!(real.failures(), job.failures, "{label}");
            let held = real.leases().map(|lease| (lease.id, lease.worker.clone()));
            assert_eq!(held.collect::<Vec<_>>(), job.fate.holders(), "{label}");
            assert_eq!(state.profile(real).unwrap().resources, job.needs, "{label}");
        }
        for sweep in state.sweeps() {
            let id = &sweep.id;
            let known = &self.sweeps[id];
            let real = sweep.state(state.tally(id).unwrap());
            assert_eq!(real, self.sweep_state(known), "{id}");
            assert_eq!(sweep.published, known.published.is_some(), "{id}");
        }
    }

    /// Whether a command is to be refused; `None` where that depends on what this model does not know.
    fn must_refuse(&self, command: &Command) -> Option<bool> {
        let running = |id: &SweepId| self.sweeps.get(id).map(|sweep| self.sweep_state(sweep));
        Some(match command {
            Command::Register(_) | Command::AddSweep(_) | Command::Cordon(_) | Command::Uncordon(_) => {
                return None;
            }
            Command::Commit(receipt) => !self.jobs.contains_key(&receipt.job),
            Command::Fail {
                worker, job, lease, ..
            } => {
                let holders = self.jobs.get(job).map_or(&[][..], |job| job.fate.holders());
                !holders.contains(&(*lease, worker.clone())) || self.committing.contains(lease)
            }
            Command::Cancel(id) => !matches!(running(id), Some(SweepState::Running | SweepState::Cancelled)),
            Command::Retry { sweep, class } => match self.sweeps.get(sweep) {
                None => true,
                Some(sweep) if sweep.cancelled => class.is_some(),
                Some(sweep) => !sweep.jobs.iter().any(|key| self.jobs[key].fate.gave_up(*class)),
            },
            Command::Published(id) => !self.sweeps.contains_key(id),
            Command::Release { .. } | Command::Place(_) | Command::Copy(_) | Command::Tick => false,
        })
    }

    fn job(&mut self, key: JobKey) -> &mut Job {
        self.jobs.get_mut(&key).unwrap()
    }

    fn state(&self, key: JobKey) -> JobState {
        let job = &self.jobs[&key];
        let upstream = || job.upstream.iter().map(|&key| self.state(key));
        match job.fate {
            Fate::Held(..) => JobState::Leased,
            Fate::Done => JobState::Succeeded,
            Fate::GivenUp(_) => JobState::Failed,
            Fate::Dropped(state) => state,
            Fate::Waiting
                if upstream().any(|state| matches!(state, JobState::Failed | JobState::Aborted)) =>
            {
                JobState::Aborted
            }
            Fate::Waiting if upstream().all(|state| state == JobState::Succeeded) => JobState::Ready,
            Fate::Waiting => JobState::Blocked,
        }
    }

    fn states_of(&self, sweep: &Sweep) -> Vec<JobState> {
        sweep.jobs.iter().map(|&key| self.state(key)).collect()
    }

    /// Forgets results that lack what has happened since.
    fn outdate(&mut self) {
        let states = self.sweeps.values().map(|sweep| self.states_of(sweep));
        let states: Vec<_> = states.collect();
        for (sweep, states) in self.sweeps.values_mut().zip(states) {
            sweep.published.take_if(|published| *published != states);
        }
    }

    fn sweep_state(&self, sweep: &Sweep) -> SweepState {
        let is = |wanted: fn(JobState) -> bool| sweep.jobs.iter().any(|&key| wanted(self.state(key)));
        if sweep.cancelled {
            SweepState::Cancelled
        } else if is(|state| !state.has_ended()) {
            SweepState::Running
        } else if is(|state| state != JobState::Succeeded) {
            SweepState::Failed
        } else {
            SweepState::Succeeded
        }
    }

    fn add(&mut self, new: &NewSweep) {
        let (max_running, attempts) = (new.scheduling.max_running, new.retry.attempts);
        new.jobs.iter().for_each(|job| self.need(job));
        if let Some(known) = self.sweeps.get_mut(&new.id) {
            (known.max_running, known.attempts) = (max_running, attempts);
            return;
        }
        let jobs: Vec<JobKey> = new.jobs.iter().map(|job| job.key).collect();
        for &key in &new.done {
            self.job(key).fate = Fate::Done;
        }
        for &key in &jobs {
            self.refresh(key, Fate::ended_badly);
        }
        self.sweeps.insert(
            new.id.clone(),
            Sweep {
                jobs,
                attempts,
                cancelled: false,
                max_running,
                published: None,
            },
        );
    }

    /// What a submission says of a job that is not done.
    fn need(&mut self, new: &NewJob) {
        let job = self.jobs.entry(new.key).or_insert_with(|| Job {
            upstream: new.upstream.clone(),
            needs: Resources::default(),
            fate: Fate::Waiting,
            failures: 0,
        });
        if job.fate != Fate::Done {
            job.needs = new.resources.clone();
        }
    }

    /// A fresh start with a fresh budget.
    fn refresh(&mut self, key: JobKey, which: impl Fn(&Fate) -> bool) {
        let job = self.job(key);
        if which(&job.fate) {
            (job.fate, job.failures) = (Fate::Waiting, 0);
        }
    }

    /// Whether somebody else goes on with the job.
    fn leave(&mut self, key: JobKey, lease: LeaseId) -> bool {
        let job = self.job(key);
        let mut left = job.fate.holders().to_vec();
        left.retain(|(other, _)| *other != lease);
        let goes_on = !left.is_empty();
        job.fate = if goes_on { Fate::Held(left) } else { Fate::Waiting };
        goes_on
    }

    fn fail(&mut self, key: JobKey, lease: LeaseId, class: FailureClass) {
        if self.leave(key, lease) {
            return;
        }
        let listing = self.sweeps.values().filter(|sweep| sweep.jobs.contains(&key));
        let most = listing.map(|sweep| sweep.attempts).max().unwrap();
        let job = self.job(key);
        job.failures += 1;
        let last = class.remedy() == Remedy::GiveUp || job.failures >= most;
        job.fate = if last { Fate::GivenUp(class) } else { Fate::Waiting };
    }

    fn release(&mut self, worker: &WorkerId, leases: &[LeaseId]) {
        let is_given = |(lease, holder): &&Holder| {
            holder == worker && leases.contains(lease) && !self.committing.contains(lease)
        };
        let held = self.jobs.iter().flat_map(|(&key, job)| {
            let given = job.fate.holders().iter().filter(&is_given);
            given.map(move |(lease, _)| (key, *lease))
        });
        for (key, lease) in held.collect::<Vec<_>>() {
            self.leave(key, lease);
        }
    }

    fn cancel(&mut self, id: &SweepId) {
        let states: BTreeMap<JobKey, JobState> =
            self.jobs.keys().map(|&key| (key, self.state(key))).collect();
        let sweep = self.sweeps.get_mut(id).unwrap();
        sweep.cancelled = true;
        for key in sweep.jobs.clone() {
            let mut others = self.sweeps.values().filter(|sweep| !sweep.cancelled);
            if others.any(|sweep| sweep.jobs.contains(&key)) {
                continue;
            }
            match states[&key] {
                JobState::Succeeded | JobState::Failed => {}
                JobState::Aborted => self.job(key).fate = Fate::Dropped(JobState::Aborted),
                _ => self.job(key).fate = Fate::Dropped(JobState::Cancelled),
            }
        }
    }

    fn retry(&mut self, id: &SweepId, class: Option<FailureClass>) {
        let sweep = self.sweeps.get_mut(id).unwrap();
        sweep.cancelled = false;
        for key in sweep.jobs.clone() {
            self.refresh(key, |fate| {
                fate.gave_up(class) || matches!(fate, Fate::Dropped(_))
            });
        }
    }

    /// Attempts that began, at jobs in this state.
    fn start(&mut self, events: &[Event], at: JobState, asks: &[Ask]) {
        let may = |worker: &WorkerId| asks.iter().any(|ask| ask.worker == *worker);
        for event in events {
            let Event::AttemptStarted {
                job, lease, worker, ..
            } = event
            else {
                panic!("{event:?} is no placement");
            };
            assert_eq!(self.state(*job), at, "{job}");
            assert!(
                Some(*lease) > self.last_lease && may(worker) && !self.cordoned.contains(worker),
                "{event:?}"
            );
            assert!(fits(&self.jobs[job].needs, self.vram[worker]), "{event:?}");
            self.last_lease = Some(*lease);
            let mut holders = self.jobs[job].fate.holders().to_vec();
            assert!(holders.len() < 2 && holders.iter().all(|(_, holder)| holder != worker));
            holders.push((*lease, worker.clone()));
            self.job(*job).fate = Fate::Held(holders);
            let mut wanting = self.sweeps.values().filter(|sweep| sweep.jobs.contains(job));
            assert!(wanting.any(|sweep| self.is_within_limit(sweep)), "{event:?}");
        }
    }

    fn is_within_limit(&self, sweep: &Sweep) -> bool {
        let held = sweep.jobs.iter().map(|key| self.jobs[key].fate.holders().len());
        let held: usize = held.sum();
        !sweep.cancelled && sweep.max_running.is_none_or(|most| held <= most as usize)
    }

    /// Attempts that ended because of what the brain knows about workers; `may` tells which leases that can be.
    fn ended(&mut self, events: &[Event], may: &dyn Fn(LeaseId, &WorkerId) -> bool) {
        for event in events {
            let (Event::AttemptFailed { job, lease, .. } | Event::AttemptReturned { job, lease, .. }) = event
            else {
                panic!("{event:?} ends no attempt");
            };
            let holders = self.jobs[job].fate.holders();
            let is_known = |(live, holder): &Holder| live == lease && may(*live, holder);
            assert!(holders.iter().any(is_known), "{event:?}");
            assert!(!self.committing.contains(lease), "{event:?} beside a receipt");
            match event {
                Event::AttemptFailed { failure, .. } => self.fail(*job, *lease, failure.class),
                _ => _ = self.leave(*job, *lease),
            }
        }
    }

    /// What may follow a failure of `failed`: its worker rests, and the rest of its jobs move.
    fn choices(&mut self, events: &[Event], is_blamed: &dyn Fn(&WorkerId) -> bool, failed: JobKey) {
        let [first, rest @ ..] = events else {
            panic!("a failure without an event");
        };
        assert!(
            matches!(first, Event::AttemptFailed { job, .. } if *job == failed),
            "{first:?}"
        );
        if let [Event::WorkerQuarantined { worker, .. }, moved @ ..] = rest {
            assert!(is_blamed(worker), "{worker} rests");
            self.ended(moved, &|_, holder| is_blamed(holder));
        } else {
            assert!(rest.is_empty(), "{rest:?}");
        }
    }
}

/// Whether a worker with so much GPU memory, 0 for no GPU, has what a job needs.
fn fits(needs: &Resources, vram: u64) -> bool {
    match needs.device {
        Device::Any if vram == 0 => true,
        Device::Gpu if vram == 0 => false,
        Device::Any | Device::Gpu => vram >= needs.vram,
    }
}

impl Fate {
    fn holders(&self) -> &[Holder] {
        match self {
            Self::Held(holders) => holders,
            _ => &[],
        }
    }

    fn gave_up(&self, wanted: Option<FailureClass>) -> bool {
        matches!(self, Self::GivenUp(class) if wanted.is_none_or(|wanted| wanted == *class))
    }

    fn ended_badly(&self) -> bool {
        matches!(self, Self::GivenUp(_) | Self::Dropped(_))
    }
}
