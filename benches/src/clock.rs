//! How time is taken.

use std::time::Duration;

/// How long `work` takes: the processor time of this thread on Linux, so that other programs on a busy machine do not
/// count; elsewhere the time on the wall. Reading it costs a system call, so `work` should be many operations.
pub fn stopwatch<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = now();
    let result = work();
    (now().saturating_sub(start), result)
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a time after the thread's start")
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}
