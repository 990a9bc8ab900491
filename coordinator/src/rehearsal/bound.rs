//! What no schedule can beat.

/// How much work the fleet could have done by when: changes of its speed, in order of time.
#[derive(Debug, Default)]
pub(super) struct Supply {
    /// Seconds, and the speed from then on.
    changes: Vec<(f64, f64)>,
}

impl Supply {
    /// The fleet's whole speed is now `speed`.
    pub(super) fn note(&mut self, at: f64, speed: f64) {
        self.changes.push((at, speed));
    }

    /// Work that the fleet could have done until then.
    pub(super) fn until(&self, end: f64) -> f64 {
        let ends = self.changes.iter().skip(1).map(|change| change.0).chain([end]);
        let spans = self.changes.iter().zip(ends);
        spans
            .map(|(&(from, speed), to)| speed * (to.min(end) - from).max(0.0))
            .sum()
    }

    /// When this much work could have been done at the earliest, all workers busy all the time.
    pub(super) fn time_for(&self, mut work: f64) -> f64 {
        let mut ends = self.changes.iter().skip(1).map(|change| change.0);
        for &(from, speed) in &self.changes {
            let to = ends.next().unwrap_or(f64::INFINITY);
            if speed > 0.0 && work <= speed * (to - from) {
                return from + work / speed;
            }
            work -= speed * (to - from);
        }
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_longer_while_half_the_fleet_is_away() {
        let mut supply = Supply::default();
        for (at, speed) in [(0.0, 4.0), (10.0, 2.0), (20.0, 4.0)] {
            supply.note(at, speed);
        }
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(supply.until(25.0), 40.0 + 20.0 + 20.0);
        close(supply.time_for(40.0), 10.0);
        close(supply.time_for(50.0), 15.0);
        close(supply.time_for(80.0), 25.0);
    }
}
