//! Memory that was needed for a moment.

/// Gives back to the system what a large plan or journal took while it was read. The allocator would keep it for good: for
/// every job a thousand bytes come and go, and two hundred stay.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library offers it as a foreign function")]
    // SAFETY: it takes no pointer and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
