//! From a thousand contexts at once to a million. See the README of this package.

use std::env;
use std::process::Command;

use portable_sspi_benches::columns::{self, time};

const WIDTHS: [usize; 12] = [10, 11, 11, 11, 11, 10, 12, 12, 11, 11, 10, 10];

const NOTES: &str = "\
For one context: bytes that it holds on the heap, what the resident memory grew by with the allocator's own share, and the processor
time of an operation. fresh: after the handshake; used: after its first message, a sealed one of 16 bytes. seal is a further one, on
the contexts as they were made, and in no order; more contexts than the caches hold then wait for memory, which is the
machine's. slowest 64 is what those 64 creations in a row took that took longest. A server's context is created by a whole
handshake, the client's share included, and exported in no order.";

fn main() {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let crowds: &[usize] = if quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    println!("Contexts at once in one process\n");
    let names = [
        "contexts",
        "heap,",
        "heap,",
        "resident,",
        "resident,",
        "create",
        "slowest 64",
        "first seal",
        "seal, in",
        "seal,",
        "export",
        "drop",
    ];
    columns::line(WIDTHS, names);
    columns::head(WIDTHS, ["", "fresh", "used", "fresh", "used", "", "", "", "order", "random", "", ""]);
    for contexts in crowds {
        let heap = numbers(env!("CARGO_BIN_EXE_registry_heap"), *contexts);
        let all = numbers(env!("CARGO_BIN_EXE_registry"), *contexts);
        let bytes = |number: f64| format!("{number} B");
        let cells: Vec<_> = heap.into_iter().chain(all.iter().copied().take(2)).map(bytes).collect();
        let cells: Vec<_> = cells.into_iter().chain(all.iter().skip(2).map(|number| time(*number))).collect();
        let cells: Vec<_> = [contexts.to_string()].into_iter().chain(cells).collect();
        let cells: [&str; 12] = std::array::from_fn(|place| cells[place].as_str());
        columns::line(WIDTHS, cells);
    }
    println!("\n{NOTES}");
}

fn numbers(program: &str, contexts: usize) -> Vec<f64> {
    let output = Command::new(program).arg(contexts.to_string()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}
