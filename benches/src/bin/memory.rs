//! Prints what an established server's context holds on the heap, in bytes: ours and the peer's fresh, then both in
//! mid-stream. A program of its own, so that counting slows nothing down that is timed.

use std::alloc::System;

use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::peer::Peer;
use portable_sspi_benches::{Implementation, MEMORY_AFTER, Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONTEXTS: usize = 200;

fn main() {
    for messages in MEMORY_AFTER {
        println!("{} {}", held::<Ours>(messages), held::<Peer>(messages));
    }
}

/// The mean of many contexts, each after so many messages in both directions.
fn held<I: Implementation>(messages: usize) -> usize {
    let mut implementation = I::new();
    // What is made once for all contexts is not theirs.
    drop(Session::establish(&mut implementation));
    let mut contexts = Vec::with_capacity(CONTEXTS);
    let region = Region::new(ALLOCATOR);
    for _ in 0..CONTEXTS {
        let mut session = Session::establish(&mut implementation);
        session.converse(messages);
        contexts.push(session.server);
    }
    let change = region.change();
    (change.bytes_allocated - change.bytes_deallocated) / CONTEXTS
}
