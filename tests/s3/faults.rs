//! Which request fails, and how.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503 SlowDown; nothing is done.
    Unavailable,
    /// It is answered late.
    Delay(Duration),
    /// The connection ends; nothing is done.
    DroppedBefore,
    /// What was asked is done, then the connection ends without an answer.
    ReplyLost,
}

/// How often requests fail, each from 0 to 1; together at most 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultPlan {
    /// Another seed, another run of faults.
    pub seed: u64,
    pub unavailable: f64,
    pub dropped_before: f64,
    pub reply_lost: f64,
    pub delay: f64,
    pub longest_delay: Duration,
}

impl FaultPlan {
    /// A server that does what it should.
    pub fn none() -> Self {
        Self::default()
    }

    /// One request in five goes wrong somehow.
    pub fn rough(seed: u64) -> Self {
        Self {
            seed,
            unavailable: 0.06,
            dropped_before: 0.04,
            reply_lost: 0.05,
            delay: 0.05,
            longest_delay: Duration::from_millis(40),
        }
    }

    fn draw(&self, count: u64) -> Option<Fault> {
        let (chance, length) = (uniform(self.seed, 2 * count), uniform(self.seed, 2 * count + 1));
        let kinds = [
            (self.unavailable, Fault::Unavailable),
            (self.dropped_before, Fault::DroppedBefore),
            (self.reply_lost, Fault::ReplyLost),
            (self.delay, Fault::Delay(self.longest_delay.mul_f64(length))),
        ];
        let mut below = 0.0;
        kinds.into_iter().find_map(|(share, fault)| {
            below += share;
            (chance < below).then_some(fault)
        })
    }
}

/// The faults of a running server; they can be changed at any time.
#[derive(Debug)]
pub struct Faults {
    plan: Mutex<FaultPlan>,
    ordered: Mutex<VecDeque<Order>>,
    requests: AtomicU64,
    injected: AtomicU64,
    ignores_conditions: AtomicBool,
}

#[derive(Debug)]
struct Order {
    method: Method,
    part_of_path: String,
    fault: Fault,
}

impl Faults {
    pub fn new(plan: FaultPlan) -> Self {
        Self {
            plan: Mutex::new(plan),
            ordered: Mutex::default(),
            requests: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            ignores_conditions: AtomicBool::new(false),
        }
    }

    /// From now on by this plan.
    pub fn set(&self, plan: FaultPlan) {
        *self.plan.lock().unwrap() = plan;
    }

    /// Orders a fault for the next request with this method whose path contains `part`.
    pub fn order(&self, method: Method, part: &str, fault: Fault) {
        self.ordered.lock().unwrap().push_back(Order {
            method,
            part_of_path: part.to_owned(),
            fault,
        });
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many of them had a fault.
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }

    pub(super) fn ignore_conditions(&self) {
        self.ignores_conditions.store(true, Ordering::Relaxed);
    }

    pub(super) fn ignores_conditions(&self) -> bool {
        self.ignores_conditions.load(Ordering::Relaxed)
    }

    pub(super) fn next(&self, method: &Method, path: &str) -> Option<Fault> {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let fault = self
            .take_order(method, path)
            .or_else(|| self.plan.lock().unwrap().draw(count));
        self.injected
            .fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        fault
    }

    fn take_order(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut ordered = self.ordered.lock().unwrap();
        let matching = |order: &Order| order.method == *method && path.contains(&order.part_of_path);
        let at = ordered.iter().position(matching)?;
        ordered.remove(at).map(|order| order.fault)
    }
}

/// From 0 to 1, by SplitMix64.
fn uniform(seed: u64, count: u64) -> f64 {
    let mut z = seed.wrapping_add((count + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
