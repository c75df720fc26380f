//! The fuzz targets, with a watch over the memory they take.

pub mod capi;
pub mod targets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a target, after one run that sets up what all runs share. It may take a small multiple of its input.
///
/// The decoder behind the seal may take 2 MiB more: `serde` sets up to 1 MiB aside for a list by the length that the list
/// claims to have, and a list can hold another. Only who has the host key gets there. The program that the C library's target
/// plays has memory of its own, with texts as long as they may be.
///
/// # Panics
/// Where it takes more, and where the target does.
pub fn run(target: targets::Target, data: &[u8]) {
    static WARM: std::sync::Once = std::sync::Once::new();
    WARM.call_once(|| target(&[1; 40]));
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    target(data);
    let taken = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    let is = |other: targets::Target| std::ptr::fn_addr_eq(target, other);
    let more = if is(targets::state) {
        2 << 20
    } else if is(capi::capi) {
        8 << 20
    } else {
        0
    };
    let limit = more + 64 * 1024 + 32 * data.len();
    assert!(taken <= limit, "{taken} bytes of memory for {} of input", data.len());
}

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// SAFETY: the system's allocator does all of it; counting touches no memory of its own.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(in_use, Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}
