//! What the disk alone can do: small files that survive a power cut, made as the bucket makes a receipt. No coordinator can
//! be quicker than that.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::percentile;

/// About as much as a receipt has.
const BYTES: usize = 1000;
const ONE_BY_ONE: usize = 200;
/// As many as the coordinator has for this.
const THREADS: usize = 64;
const FILES_A_THREAD: usize = 32;

/// Measures in a new folder, which should lie where the bucket lies.
#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
pub(crate) fn show(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let taken = one_by_one(folder)?;
    println!(
        "disk, one by one       {:8.2} ms median, {:.2} ms 99th percentile of {ONE_BY_ONE} files of {BYTES} bytes",
        percentile(&taken, 50),
        percentile(&taken, 99)
    );
    let rate = side_by_side(folder)?;
    println!("disk, {THREADS} threads       {rate:8.0} such files/s");
    Ok(())
}

/// What each file took, sorted.
fn one_by_one(folder: &Path) -> io::Result<Vec<Duration>> {
    let timed = |number| -> io::Result<Duration> {
        let begun = Instant::now();
        make(folder, &format!("alone-{number}"))?;
        Ok(begun.elapsed())
    };
    let mut taken = (0..ONE_BY_ONE).map(timed).collect::<io::Result<Vec<_>>>()?;
    taken.sort_unstable();
    Ok(taken)
}

/// Files a second.
fn side_by_side(folder: &Path) -> io::Result<f64> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || make_many(folder, thread)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let outcome = thread.join();
            outcome.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })
    })?;
    Ok((THREADS * FILES_A_THREAD) as f64 / begun.elapsed().as_secs_f64())
}

fn make_many(folder: &Path, thread: usize) -> io::Result<()> {
    (0..FILES_A_THREAD).try_for_each(|number| make(folder, &format!("{thread}-{number}")))
}

/// Written under another name, synced, linked, and the folder synced. A receipt has a new folder besides.
fn make(folder: &Path, name: &str) -> io::Result<()> {
    let staged = folder.join(format!("{name}#1"));
    let mut file = File::create_new(&staged)?;
    file.write_all(&[b'x'; BYTES])?;
    file.sync_all()?;
    drop(file);
    fs::hard_link(&staged, folder.join(name))?;
    File::open(folder)?.sync_all()?;
    fs::remove_file(staged)
}
