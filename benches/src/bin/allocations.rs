//! Prints how often each step of a handshake, an export, an import and a message ask the allocator for memory, and for how
//! many bytes; and what they give back. A program of its own, so that counting slows nothing down that is timed.

use std::alloc::System;

use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::{Implementation, Message, Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let mut ours = Ours::new();
    // What is made once for all contexts is not theirs.
    drop(Session::establish(&mut ours));
    let warm = Session::establish(&mut ours).server;
    drop(ours.import(&ours.export(warm)));

    println!("{:<28}{:>12}{:>12}{:>8}{:>8}", "step", "allocations", "resizes", "bytes", "freed");
    let (client, negotiate) = counted("client: NEGOTIATE", || ours.negotiate());
    let (server, challenge) = counted("server: CHALLENGE", || ours.challenge(negotiate));
    let (client, authenticate) = counted("client: AUTHENTICATE", || ours.authenticate(client, challenge));
    let server = counted("server: accepted", || ours.accept(server, authenticate));
    let mut session = Session::<Ours> { client, server };
    let mut message = Message::new(1024);
    counted("first message sealed", || Ours::seal(&mut session.client, &mut message));
    counted("first message unsealed", || Ours::unseal(&mut session.server, &mut message));
    counted("second message sealed", || Ours::seal(&mut session.client, &mut message));
    counted("second message unsealed", || Ours::unseal(&mut session.server, &mut message));
    let blob = counted("export, mid-stream", || ours.export(session.server));
    counted("import, mid-stream", || ours.import(&blob));
}

fn counted<T>(name: &str, step: impl FnOnce() -> T) -> T {
    let region = Region::new(ALLOCATOR);
    let result = step();
    let change = region.change();
    println!(
        "{name:<28}{:>12}{:>12}{:>8}{:>8}",
        change.allocations, change.reallocations, change.bytes_allocated, change.bytes_deallocated
    );
    result
}
