//! What would change if everything placed so far were granted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use vico::clock::Timestamp;
use vico::ids::JobKey;

use super::Placed;
use super::contender::Contender;
use super::offer::{Group, Rank, Suit};
use super::queue::{Queue, count_longer_jobs};
use crate::core::event::Profile;
use crate::core::floor::Worker;
use crate::core::state::{JobNo, Lane, SweepNo};
use crate::core::{Ask, Brain, eta};

/// With fewer long jobs than this for every worker, the end of a sweep is near: which jobs are begun last decides when
/// it comes.
const PLENTY: usize = 8;

pub(super) struct Draft<'a> {
    brain: &'a Brain,
    asks: &'a [Ask],
    now: Timestamp,
    /// What each asking worker may still get.
    room: Vec<u32>,
    queues: Vec<Queue<'a>>,
    groups: Vec<Group>,
    sweeps: BTreeMap<SweepNo, Contender<'a>>,
    taken: HashSet<JobNo>,
    /// Workers on the floor.
    workers: usize,
}

impl<'a> Draft<'a> {
    pub(super) fn new(brain: &'a Brain, asks: &'a [Ask], now: Timestamp) -> Self {
        let lanes = brain.state.lanes();
        let mut queues: Vec<_> = lanes
            .filter_map(|(lane, jobs)| {
                let profile = brain.state.lane_profile(lane)?;
                let sweep = brain.state.numbered_sweep(lane.sweep);
                let expected = eta::expected(sweep, profile.stage);
                let due = brain.state.due(jobs, now);
                Some(Queue::new((lane, profile), expected, jobs.len(), due))
            })
            .collect();
        let taken = HashSet::new();
        queues.retain_mut(|queue| queue.is_open(&taken));
        count_longer_jobs(&mut queues);
        let sweeps = queues.iter().map(|queue| queue.lane.sweep);
        let sweeps = sweeps.filter_map(|number| Some((number, Contender::new(brain, number)?)));
        let mut draft = Self {
            brain,
            asks,
            now,
            room: Vec::new(),
            sweeps: sweeps.collect(),
            queues,
            groups: Vec::new(),
            taken,
            workers: brain.floor.size(),
        };
        draft.group();
        draft
    }

    /// Sorts the asks by how the lanes suit their workers.
    fn group(&mut self) {
        if self.queues.is_empty() {
            return;
        }
        let room = self.asks.iter().map(|ask| self.brain.room(ask, self.now));
        self.room = room.collect();
        let mut groups: BTreeMap<Vec<Suit>, Group> = BTreeMap::new();
        for (number, ask) in self.asks.iter().enumerate() {
            let worker = self.brain.floor.worker(&ask.worker);
            let Some(worker) = worker.filter(|_| self.room[number] > 0) else {
                continue;
            };
            let profiles = self.queues.iter().map(|queue| queue.profile);
            let suits: Vec<Suit> = profiles.map(|profile| suit(worker, profile)).collect();
            let group = groups
                .entry(suits)
                .or_insert_with_key(|suits| Group::new(suits.clone()));
            group.asks.push_back(number);
            for (queue, job) in self.near(worker) {
                group.near.entry(queue).or_default().push_back((number, job));
            }
        }
        self.groups = groups.into_values().collect();
    }

    /// Due jobs whose upstream's outputs the worker has, with the queues they stand in.
    fn near(&self, worker: &Worker) -> Vec<(usize, JobNo)> {
        let state = &self.brain.state;
        let made = worker.at_hand.iter().filter_map(|have| state.job(JobKey(*have)));
        let readers: BTreeSet<JobNo> = made.flat_map(|job| &job.downstream).copied().collect();
        let due = readers
            .into_iter()
            .filter_map(|number| Some((number, state.numbered(number)?)))
            .filter(|(_, job)| state.is_due(job, self.now));
        due.flat_map(|(number, job)| {
            let queue = |lane: Lane| self.queues.iter().position(|queue| queue.lane == lane);
            let queues = state.lanes_of(job).filter_map(queue);
            queues.map(move |queue| (queue, number))
        })
        .collect()
    }

    /// The best that is left.
    pub(super) fn place_one(&mut self) -> Option<Placed> {
        loop {
            let (group, lane) = self.best_offer()?;
            if let Some((ask, job)) = self.near_pair(group, lane).or_else(|| self.any_pair(group, lane)) {
                return self.take(group, ask, job);
            }
            // What is left there is to be tried elsewhere.
            self.groups[group].suits[lane] = Suit::DoesNotFit;
        }
    }

    fn best_offer(&mut self) -> Option<(usize, usize)> {
        let open: Vec<bool> = (0..self.queues.len()).map(|lane| self.is_open(lane)).collect();
        let suited = self.suited(&open);
        let mut best: Option<(Rank, (usize, usize))> = None;
        for group in 0..self.groups.len() {
            if self.groups[group].asks.is_empty() {
                continue;
            }
            for lane in (0..open.len()).filter(|&lane| open[lane]) {
                if self.groups[group].suits[lane] == Suit::DoesNotFit {
                    continue;
                }
                let rank = self.rank(group, lane, &suited);
                best = best.max(rank.map(|rank| (rank, (group, lane))));
            }
        }
        best.map(|(_, offer)| offer)
    }

    fn is_open(&mut self, lane: usize) -> bool {
        let queue = &mut self.queues[lane];
        let contender = self.sweeps.get(&queue.lane.sweep);
        contender.is_some_and(|contender| !contender.is_at_its_limit()) && queue.is_open(&self.taken)
    }

    /// By priority: what a sweep has for its share, less the slack, whose models some asking workers have at hand; the most there
    /// is.
    fn suited(&self, open: &[bool]) -> BTreeMap<i32, u64> {
        let mut most = BTreeMap::new();
        let asking = self.groups.iter().filter(|group| !group.asks.is_empty());
        for (priority, (_, served)) in asking.flat_map(|group| self.best_suited(group, open)) {
            let known = most.entry(priority).or_insert(0);
            *known = served.max(*known);
        }
        most
    }

    /// By priority: the best suit of a group, and what the best served sweep of those has that suit so well.
    fn best_suited(&self, group: &Group, open: &[bool]) -> BTreeMap<i32, (Suit, u64)> {
        let mut best = BTreeMap::new();
        let lanes = self.queues.iter().zip(&group.suits).zip(open);
        let offered = lanes.filter(|((_, suit), open)| **open && **suit != Suit::DoesNotFit);
        for ((queue, suit), _) in offered {
            if let Some(contender) = self.sweeps.get(&queue.lane.sweep) {
                let one = (*suit, contender.served_less_slack());
                let known = best.entry(contender.priority()).or_insert(one);
                *known = one.max(*known);
            }
        }
        best
    }

    fn rank(&mut self, group: usize, lane: usize, suited: &BTreeMap<i32, u64>) -> Option<Rank> {
        let is_near = self.near_pair(group, lane).is_some();
        let queue = &self.queues[lane];
        let contender = self.sweeps.get(&queue.lane.sweep)?;
        Some(Rank {
            priority: contender.priority(),
            claim: contender.claim(suited),
            suit: self.groups[group].suits[lane],
            has_upstream: is_near && queue.longer_jobs > PLENTY * self.workers,
            least_served: Reverse(contender.served()),
            oldest: Reverse(contender.sweep.submitted),
            longest: queue.expected,
            is_near,
            lane: Reverse(lane),
        })
    }

    /// A worker with a job whose upstream's outputs it has. Pairs that are not open any more are forgotten.
    fn near_pair(&mut self, group: usize, lane: usize) -> Option<(usize, JobNo)> {
        let pairs = self.groups[group].near.get_mut(&lane)?;
        loop {
            let &(ask, job) = pairs.front()?;
            let worker = &self.asks[ask].worker;
            let is_open = self.room[ask] > 0 && !self.taken.contains(&job);
            if is_open && !self.brain.spares(job, worker, self.now) {
                return Some((ask, job));
            }
            pairs.pop_front();
        }
    }

    /// The first worker for which the lane has a job.
    fn any_pair(&mut self, group: usize, lane: usize) -> Option<(usize, JobNo)> {
        let (brain, now) = (self.brain, self.now);
        for &ask in &self.groups[group].asks {
            let worker = &self.asks[ask].worker;
            let suits = |job| !brain.spares(job, worker, now);
            if let Some(job) = self.queues[lane].first(&self.taken, suits) {
                return Some((ask, job));
            }
        }
        None
    }

    fn take(&mut self, group: usize, ask: usize, number: JobNo) -> Option<Placed> {
        self.taken.insert(number);
        self.room[ask] -= 1;
        turn(&mut self.groups[group].asks, ask, self.room[ask] > 0);
        let job = self.brain.state.numbered(number)?;
        for lane in self.brain.state.lanes_of(job) {
            if let Some(contender) = self.sweeps.get_mut(&lane.sweep) {
                contender.running += 1;
            }
        }
        let worker = self.asks[ask].worker.clone();
        Some(Placed { job: job.key, worker })
    }
}

/// Who got something goes to the end, if it has room for more.
fn turn(asks: &mut VecDeque<usize>, ask: usize, has_room: bool) {
    if let Some(place) = asks.iter().position(|&other| other == ask) {
        asks.remove(place);
    }
    if has_room {
        asks.push_back(ask);
    }
}

fn suit(worker: &Worker, profile: &Profile) -> Suit {
    if !worker.fits(&profile.resources) {
        return Suit::DoesNotFit;
    }
    let models = profile.models.iter();
    match models.filter(|model| worker.at_hand.contains(*model)).count() {
        all if all == profile.models.len() => Suit::HasModels,
        0 => Suit::Fits,
        _ => Suit::HasPart,
    }
}
