//! So many contexts at once in one process: `registry CONTEXTS`. Prints, for one context, in this order: bytes of resident memory
//! after the handshake, and after its first message; nanoseconds to create it, for the slowest 64 together, for its first message, for
//! another one in the order in which the contexts were made, for one in no order, to export it, and to drop it.
//! `benches/registry.rs` runs it, a process for each number: memory that one has given back would hide what the next takes.

use std::env;
use std::time::Duration;

use portable_sspi_benches::crowd::Crowd;
use portable_sspi_benches::functions::resident;

fn main() {
    let contexts: usize =
        env::args().nth(1).and_then(|text| text.parse().ok()).expect("a number of contexts");
    let resident = || resident("/proc/self/statm").unwrap_or_default();
    let mut crowd = Crowd::new(contexts);
    let before = resident();
    let (create, slowest) = crowd.create(contexts);
    let fresh = resident() - before;
    let first = crowd.seal(contexts, true);
    let used = resident() - before;
    // Often enough to be timed where there are few contexts, too.
    let times = contexts.max(100_000);
    let (in_order, random) = (crowd.seal(times, true), crowd.seal(times, false));
    let some = contexts / 2;
    let export = crowd.export(some);
    let drop = crowd.clear();
    let each = |took: Duration, times: usize| took.as_secs_f64() * 1e9 / times as f64;
    println!(
        "{} {} {} {} {} {} {} {} {}",
        fresh / contexts,
        used / contexts,
        each(create, contexts),
        each(slowest, 1),
        each(first, contexts),
        each(in_order, times),
        each(random, times),
        each(export, some),
        each(drop, contexts - some),
    );
}
