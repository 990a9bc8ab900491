//! Memory between one tensor and the next.

/// Has the allocator keep what is freed for what comes next, for a process that computes on the CPU. To be called first in
/// `main`: threads that exist already have arenas of their own, in which large blocks find no room.
///
/// Left alone, glibc takes a large tensor from the system and gives it back as soon as it is freed, so that the next one's pages
/// are cleared and faulted in again, one by one: a sixth of a train step of Stable Diffusion's size. The price is that the
/// process stays as large as its largest work. Other allocators are left alone, and so is a build for GPUs, whose tensors lie elsewhere.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "cuda")))]
    #[expect(unsafe_code, reason = "the C library offers it as a foreign function")]
    // SAFETY: it takes two numbers and no pointer, and glibc changes its settings under a lock of its own.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0); // no mapping of its own for a large block
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1); // the end of the heap is not given back
        libc::mallopt(libc::M_ARENA_MAX, 1); // one heap for all threads
    }
}
