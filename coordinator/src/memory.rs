//! Memory that was needed for a moment.

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
