//! The C library: what a call through it costs beside the Rust call, how it fares with several threads, and with many
//! contexts at once. See the README of this package.

use std::env;
use std::time::Duration;

use portable_sspi_benches::Implementation;
use portable_sspi_benches::columns::{self, quartiles, size, time};
use portable_sspi_benches::functions::{self, Functions, Program};
use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::rounds::{self, Effort, Timed};
use portable_sspi_benches::work::{self, Work};

const SIZES: [usize; 3] = [16, 1 << 10, 64 << 10];

const NOTES_BOUNDARY: &str = "\
Processor time of one call, in a program in C that opened the library by dlopen and calls through the pointer that it found;
medians, and the median of the rounds' own ratios with its quartiles. Cargo built both from the same sources, with the same
options but for one: Rust's program is optimized across crates when it is linked (LTO), a shared library that is built beside an
rlib is not. lookup is QueryContextAttributes of SECPKG_ATTR_SIZES: the way to the context and back, and next to nothing else.";

const NOTES_THREADS: &str = "\
Time on the wall for one operation of all threads together; a rate of 2 is twice the work of one thread, which is all there is
on two cores. spin calls nothing: what it falls short by, the machine does not give. one session: a client and a server who talk to
each other, in two threads; what the library keeps of both lies side by side. next: the clients of sessions that were made one
after the other; apart: of sessions far from each other.";

const NOTES_CROWD: &str = "\
Processor time of one operation, and of those 64 creations in a row that took longest; resident is what the process grew by for
each context, the table's slot included. in: in the order in which they were made. Random access to more contexts than the
caches hold waits for memory: that is the machine's.";

fn main() {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let program = Program::compile();
    let opened = program.and_then(|program| Ok((functions::our_library()?, program)));
    let (library, program) = match opened {
        Ok(opened) => opened,
        Err(missing) => return println!("NOT MEASURED: the C library: {missing}."),
    };
    boundary(quick, &program, &library);
    println!();
    threads(quick, &mut Functions::open(&program, &library));
    println!();
    crowds(quick, &program, &library);
    if quick {
        println!("\nA quick run: it shows that the benchmarks work, its figures mean nothing.");
    }
}

/// The functions of messages through the C library, beside the Rust call and beside sspi-rs's C library.
fn boundary(quick: bool, program: &Program, library: &std::path::Path) {
    const WIDTHS: [usize; 6] = [16, 12, 12, 26, 16, 26];
    let effort = if quick { Effort::QUICK } else { Effort { rounds: 51, part: Duration::from_millis(8) } };
    let mut ours = Ours::new();
    work::check(&mut ours);
    let mut through_c = Functions::open(program, library);
    let sspilib = functions::sspilib_library();
    let mut sspi_rs = sspilib.as_ref().ok().map(|(library, _)| Functions::open(program, library));

    println!("The C library beside the Rust call, {} rounds of {:?}\n", effort.rounds, effort.part);
    columns::head(WIDTHS, ["call", "Rust", "C", "C / Rust", "sspi-rs's C", "sspi-rs's C / C"]);
    let theirs_over_ours = |theirs: Option<&rounds::Samples>, ours: &rounds::Samples| match theirs {
        Some(theirs) => [time(theirs.median()), quartiles(theirs.quartiles_over(ours))],
        None => ["-".to_owned(), "-".to_owned()],
    };
    for make in [Work::Seal, Work::Unseal, Work::Sign, Work::Verify] {
        for bytes in SIZES {
            let work = make(bytes);
            let rust = &mut |times| work.time(&mut ours, times);
            let c = &mut |times| through_c.time(work, times).expect("supported");
            let mut all: Vec<&mut Timed<'_>> = vec![rust, c];
            let mut time_theirs;
            if let Some(sspi_rs) = sspi_rs.as_mut()
                && sspi_rs.time(work, 1).is_some()
            {
                time_theirs = |times| sspi_rs.time(work, times).expect("supported, as before");
                all.push(&mut time_theirs);
            }
            let samples = rounds::interleave(effort, &mut all);
            let [theirs, over] = theirs_over_ours(samples.get(2), &samples[1]);
            let (rust, c) = (time(samples[0].median()), time(samples[1].median()));
            let ratio = quartiles(samples[1].quartiles_over(&samples[0]));
            let name = format!("{} {}", work.name().0, size(bytes));
            columns::line(WIDTHS, [&name, &rust, &c, &ratio, &theirs, &over]);
        }
    }
    let c = &mut |times| through_c.lookups(times);
    let mut all: Vec<&mut Timed<'_>> = vec![c];
    let mut time_theirs;
    if let Some(sspi_rs) = sspi_rs.as_mut() {
        time_theirs = |times| sspi_rs.lookups(times);
        all.push(&mut time_theirs);
    }
    let samples = rounds::interleave(effort, &mut all);
    let [theirs, over] = theirs_over_ours(samples.get(1), &samples[0]);
    columns::line(WIDTHS, ["lookup", "-", &time(samples[0].median()), "-", &theirs, &over]);

    println!("\n{NOTES_BOUNDARY}");
    match sspilib {
        Ok((_, version)) => println!(
            "sspi-rs's C library is the one that the Python package sspilib {version} brings along, as its authors compiled it. Its \
             functions\nwithout a time answer SEC_E_UNSUPPORTED_FUNCTION. Its handles are addresses, which it does not check."
        ),
        Err(missing) => println!("\nNOT MEASURED: sspi-rs's C library. Its columns are empty: {missing}."),
    }
}

/// Threads at once, each with a context of its own, beside one.
fn threads(quick: bool, functions: &mut Functions) {
    const WIDTHS: [usize; 7] = [12, 12, 24, 24, 24, 24, 24];
    // Every second context is a server's.
    const BOTH_ENDS: usize = 1;
    const NEXT: usize = 2;
    const APART: usize = 34;
    let effort = if quick {
        Effort { rounds: 3, part: Duration::from_millis(2) }
    } else {
        Effort { rounds: 11, part: Duration::from_millis(100) }
    };
    println!("Threads of the C library at once, {} rounds of {:?}\n", effort.rounds, effort.part);
    columns::head(
        WIDTHS,
        ["work", "1 thread", "2, one session", "2, next", "2, apart", "4, next", "8, four sessions"],
    );
    let functions = std::cell::RefCell::new(functions);
    for what in ["spin", "lookup", "sign", "handshake"] {
        let together = |threads: usize, gap: usize| {
            let functions = &functions;
            move |times: usize| {
                // All threads together do `times` of it, or a few more.
                let each = times.div_ceil(threads);
                let took = functions.borrow_mut().threads(threads, what, each, gap);
                took.mul_f64(times as f64 / (each * threads) as f64)
            }
        };
        let mut all = [(1, NEXT), (2, BOTH_ENDS), (2, NEXT), (2, APART), (4, NEXT), (8, BOTH_ENDS)]
            .map(|(n, gap)| together(n, gap));
        let mut all: Vec<_> = all.iter_mut().map(|timed| timed as &mut Timed<'_>).collect();
        let samples = rounds::interleave(effort, &mut all);
        let rate = |of: usize| quartiles(samples[0].quartiles_over(&samples[of]));
        columns::line(
            WIDTHS,
            [what, &time(samples[0].median()), &rate(1), &rate(2), &rate(3), &rate(4), &rate(5)],
        );
    }
    println!("\n{NOTES_THREADS}");
}

/// Many contexts at once in the table of handles.
fn crowds(quick: bool, program: &Program, library: &std::path::Path) {
    const WIDTHS: [usize; 11] = [12; 11];
    let crowds: &[usize] = if quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    println!("Contexts at once in the C library's table of handles\n");
    let names = [
        "contexts",
        "resident",
        "create",
        "slowest 64",
        "lookup, in",
        "random",
        "first sign",
        "sign, in",
        "random",
        "export",
        "delete",
    ];
    columns::head(WIDTHS, names);
    for &contexts in crowds {
        let mut functions = Functions::open(program, library);
        // What is made once for all contexts is not theirs.
        functions.crowd(1);
        let before = functions.resident();
        let (create, slowest) = functions.crowd(contexts + 1);
        let resident = functions.resident().zip(before).map(|(after, before)| (after - before) / contexts);
        let times = contexts.max(100_000);
        let each = |took: Duration, times: usize| time(took.as_secs_f64() * 1e9 / times as f64);
        let in_order = functions.each(times, "lookup", true);
        let random = functions.each(times, "lookup", false);
        let first = functions.each(contexts, "sign", true);
        let sign_in_order = functions.each(times, "sign", true);
        let sign_random = functions.each(times, "sign", false);
        let some = contexts / 2;
        let export = functions.export(some);
        let delete = functions.delete();
        columns::line(
            WIDTHS,
            [
                &contexts.to_string(),
                &resident.map_or("-".to_owned(), |bytes| format!("{bytes} B")),
                &each(create, contexts),
                &each(slowest, 1),
                &each(in_order, times),
                &each(random, times),
                &each(first, contexts),
                &each(sign_in_order, times),
                &each(sign_random, times),
                &each(export, some),
                &each(delete, contexts + 1 - some),
            ],
        );
    }
    println!("\n{NOTES_CROWD}");
}
