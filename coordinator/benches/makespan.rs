//! A sweep of the field on a hundred GPUs of three speeds, replayed with the placement in service, beside what no
//! schedule can beat.
//!
//! ```sh
//! cargo bench --workspace --bench makespan
//! ```

use vico_coord::rehearsal::{Fleet, Mix, Outcome, Replay};

const SEEDS: u64 = 5;

#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
fn main() {
    println!(
        "FLEET      LOCALITY  COPIES  MAKESPAN  LOWER BOUND  OVER IT  UTILISATION  ATTEMPTS/JOBS   (means of {SEEDS} seeds)"
    );
    let fleets = [
        ("reserved", Fleet::standard()),
        ("spot", Fleet::spot()),
        ("throttled", Fleet::throttled()),
    ];
    for (name, fleet) in fleets {
        for (locality, copies) in [(true, true), (false, true), (true, false), (false, false)] {
            let outcomes: Vec<Outcome> = (0..SEEDS)
                .map(|seed| {
                    let fleet = fleet.clone();
                    let replay = Replay {
                        mix: Mix::STANDARD,
                        fleet,
                        locality,
                        copies,
                        seed,
                    };
                    replay.run()
                })
                .collect();
            let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / SEEDS as f64;
            println!(
                "{name:10} {:8}  {:6}  {:5.0} min  {:7.0} min  {:5.1} %  {:9.1} %  {:.0}/{:.0}",
                if locality { "on" } else { "off" },
                if copies { "on" } else { "off" },
                mean(|o| o.makespan) / 60.0,
                mean(|o| o.lower_bound) / 60.0,
                100.0 * (mean(|o| o.makespan / o.lower_bound) - 1.0),
                100.0 * mean(|o| o.utilisation),
                mean(|o| o.attempts as f64),
                mean(|o| o.jobs as f64),
            );
        }
    }
}
