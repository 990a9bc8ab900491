//! Workers of different speeds that come and go.

/// The workers of a replay.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Speed of each, 1 for the GPU that durations are given for.
    pub speeds: Vec<f64>,
    /// How often spot machines are taken away; `None` if never.
    pub preemption: Option<Preemption>,
}

/// In seconds, means of exponential distributions.
#[derive(Debug, Clone, Copy)]
pub struct Preemption {
    /// That a worker stays.
    pub stays: f64,
    /// Until another comes in its place.
    pub is_away: f64,
}

impl Fleet {
    /// A hundred workers of three speeds.
    pub fn standard() -> Self {
        let of = |count, speed| std::iter::repeat_n(speed, count);
        Self {
            speeds: of(60, 1.0).chain(of(30, 1.6)).chain(of(10, 2.5)).collect(),
            preemption: None,
        }
    }

    /// The same, five of which have become slow: too hot, or shared with somebody.
    pub fn throttled() -> Self {
        let mut fleet = Self::standard();
        for speed in fleet.speeds.iter_mut().take(5) {
            *speed = 0.2;
        }
        fleet
    }

    /// The same on spot machines: six hours, then ten minutes away.
    pub fn spot() -> Self {
        Self {
            preemption: Some(Preemption {
                stays: 6.0 * 3600.0,
                is_away: 600.0,
            }),
            ..Self::standard()
        }
    }
}
