//! Processor time as Linux tells it: the measure that other programs on a machine disturb least.

use std::fs;

/// The unit of times in `/proc`, the same on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of the process so far, in user and kernel mode.
pub(crate) fn processor_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field, the name in parentheses, may hold anything; 11 fields follow before utime and stime.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        anyhow::bail!("no name in /proc/self/stat");
    };
    let times = fields.split_whitespace().skip(11).take(2);
    let mut ticks = 0;
    for time in times {
        ticks += time.parse::<u32>()?;
    }
    Ok(f64::from(ticks) / TICKS_PER_SECOND)
}
