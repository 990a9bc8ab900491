//! Wall time, processor time and peak memory of what a closure does, as Linux tells them.

use std::fmt;
use std::fs;
use std::time::Instant;

use crate::processor::processor_seconds;

/// What one piece of work took.
pub(crate) struct Cost {
    /// Wall time, seconds.
    pub(crate) wall: f64,
    /// Processor time over all threads, seconds; what is left of the truth on a busy machine.
    pub(crate) cpu: f64,
    /// Largest resident set of the process during the work (everything loaded before included), bytes.
    pub(crate) peak: u64,
}

/// A measured phase and the parts of it that were measured one by one.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) cost: Cost,
    pub(crate) parts: Vec<(&'static str, Cost)>,
}

/// Runs `work` and measures it.
///
/// # Errors
/// `work` fails, or the kernel does not tell.
pub(crate) fn measured<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Cost)> {
    // "5" sets the peak back to what is resident now (proc_pid_clear_refs(5)).
    fs::write("/proc/self/clear_refs", "5")?;
    let (started, cpu_before) = (Instant::now(), processor_seconds()?);
    let value = work()?;
    let cost = Cost {
        wall: started.elapsed().as_secs_f64(),
        cpu: processor_seconds()? - cpu_before,
        peak: peak()?,
    };
    Ok((value, cost))
}

fn peak() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = match line.and_then(|line| line.split_whitespace().next()) {
        Some(number) => number.parse()?,
        None => anyhow::bail!("no VmHWM in /proc/self/status"),
    };
    Ok(kilobytes << 10)
}

impl Phase {
    /// A phase that is nothing but its parts.
    pub(crate) fn of_parts(name: &'static str, parts: Vec<(&'static str, Cost)>) -> Self {
        let cost = Cost {
            wall: parts.iter().map(|(_, part)| part.wall).sum(),
            cpu: parts.iter().map(|(_, part)| part.cpu).sum(),
            peak: parts.iter().map(|(_, part)| part.peak).max().unwrap_or(0),
        };
        Self { name, cost, parts }
    }
}

impl fmt::Display for Phase {
    /// One line for the phase and one for each part, with its share of the phase's processor time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<42} {}", self.name, self.cost)?;
        for (name, part) in &self.parts {
            let share = 100.0 * part.cpu / self.cost.cpu;
            write!(f, "\n  {name:<40} {part} {share:>6.1} %")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = self.peak as f64 / f64::from(1 << 30);
        write!(f, "{:>8.2} s {:>8.2} s {gibibytes:>7.2} GiB", self.wall, self.cpu)
    }
}
