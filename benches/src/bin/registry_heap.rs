//! What one of so many contexts holds on the heap, in bytes: `registry_heap CONTEXTS`. After the handshake, and after its first
//! message. A program of its own, so that counting slows down nothing that is timed.

use std::alloc::System;
use std::env;

use portable_sspi_benches::crowd;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let contexts: usize =
        env::args().nth(1).and_then(|text| text.parse().ok()).expect("a number of contexts");
    let [fresh, used] = crowd::heap(contexts, || {
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated - stats.bytes_deallocated
    });
    println!("{fresh} {used}");
}
