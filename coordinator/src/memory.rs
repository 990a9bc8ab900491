//! Memory that was needed for a moment.

/// Blocks of this size or more come from the system and go back to it one by one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BLOCK: i32 = 128 << 10;

/// Has the allocator return large blocks as soon as they are freed, for a process that coordinates and does nothing else.
///
/// Left alone, glibc learns from the first large block that is freed to keep the next ones, up to 32 MiB, between small ones that
/// stay: a hundred thousand queued jobs take twice the memory then (`benches/runner`).
pub fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library offers it as a foreign function")]
    // SAFETY: it takes two numbers and may be called at any time from any thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK);
    }
}

/// With fewer jobs there is nothing to speak of, and every thread that allocates would wait meanwhile.
const LARGE: usize = 1000;

/// Gives back to the system what a plan or a journal of so many jobs took while it was read. The allocator would keep it
/// for good: for every job a thousand bytes come and go, and two hundred stay.
pub(crate) fn give_back_after(jobs: usize) {
    if jobs < LARGE {
        return;
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library offers it as a foreign function")]
    // SAFETY: it takes no pointer and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
