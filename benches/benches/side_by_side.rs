//! This project's NTLM, the `sspi` crate's and gss-ntlmssp, in one run and one table. See the README of this package.

use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};

use portable_sspi_benches::gss::GssNtlmssp;
use portable_sspi_benches::limit::{self, Limit};
use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::peer::Peer;
use portable_sspi_benches::rounds::{self, Effort, Timed};
use portable_sspi_benches::work::{self, Work};
use portable_sspi_benches::{Implementation, table};

const NOTES: &str = "\
All sides: NTLMv2, extended session security, 128-bit exchanged key, sign and seal, MIC.
Times are medians; a ratio is the median of the rounds' ratios, with its quartiles. Above 1, ours is faster or smaller.
Differences in the work that remain, the sspi crate:
- its server compares no NTProofStr, ours compares it, in constant time: the peer knows a client by its MIC;
- its CHALLENGE names no server, and it checks no names, no age and no flags of the answer;
- its credentials hold the password, and both sides hash it (MD4) in each handshake; ours hold the hash;
- it derives all keys in the handshake; ours derives those of messages with the first message of each direction;
- its server is told the one account to expect; ours looks the account up;
- it compares signatures with `!=`, ours in constant time; it leaves a failed message decrypted, ours restores it;
- it has no export and no import.";

const NOTES_GSS: &str = "\
Differences in the work that remain, gss-ntlmssp:
- an exported context of ours is sealed and authenticated with the host key, and each import is recorded in a file, so that
  none is imported twice; in its own the session key stands in the clear, and it imports one twice, and a changed one;
- its server reads the account's file, and looks for winbind, in each handshake; ours has the account in memory;
- gss_wrap and gss_unwrap allocate what they return and copy; ours seals and unseals in place;
- GSSAPI asks for a target name, ours has none;
- its calls go through the mechanism glue of MIT Kerberos, and its cryptography is OpenSSL's.";

fn main() {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let (mut ours, mut sspi) = (Ours::new(), Peer::new());
    let mut gss = GssNtlmssp::start(Path::new(env!("CARGO_TARGET_TMPDIR")));
    work::check(&mut ours);
    work::check(&mut sspi);
    if let Ok(gss) = &mut gss {
        gss.check();
    }

    println!("{}", machine());
    println!("{} rounds, {:?} for each side of a round\n", effort.rounds, effort.part);
    table::head();
    for work in Work::all() {
        let (name, size) = work.name();
        let ours = &mut |times| work.time(&mut ours, times);
        let sspi = &mut |times| work.time(&mut sspi, times);
        let mut all: Vec<&mut Timed<'_>> = vec![ours, sspi];
        let mut time_gss;
        if let Ok(gss) = &mut gss {
            time_gss = |times| gss.time(work, times);
            all.push(&mut time_gss);
        }
        let samples = rounds::interleave(effort, &mut all);
        table::times(name, size, &samples[0], samples.get(1), samples.get(2));
    }
    for (name, limit) in Limit::ALL {
        table::limit(name, limit::SIZE, &rounds::alone(effort, &mut |times| limit.time(times)));
    }
    for (state, messages) in [("fresh", 0), ("mid-stream", 1000)] {
        hand_over(effort, state, messages, &mut ours, gss.as_mut().ok());
    }
    for (name, [ours, sspi]) in
        ["memory of a server context, fresh", "the same, mid-stream"].into_iter().zip(memory())
    {
        table::bytes(name, ours, Some(sspi), None);
    }
    println!("\n{NOTES}");
    match gss {
        Ok(_) => println!("{NOTES_GSS}"),
        Err(missing) => println!("\nNOT MEASURED: gss-ntlmssp. Its columns are empty: {missing}."),
    }
    if quick {
        println!("\nA quick run: it shows that the benchmarks work, its figures mean nothing.");
    }
}

/// The rows about exported contexts, which the `sspi` crate has not.
fn hand_over(
    effort: Effort,
    state: &str,
    messages: usize,
    ours: &mut Ours,
    mut gss: Option<&mut GssNtlmssp>,
) {
    let mut prepared = ours.prepare(messages);
    let gss_bytes = gss.as_mut().map(|gss| gss.prepare(messages));
    for (what, importing) in [("export", false), ("import", true)] {
        let time_ours = &mut |times| {
            let (exports, imports) = ours.hand_over(&mut prepared, times);
            if importing { imports } else { exports }
        };
        let mut all: Vec<&mut Timed<'_>> = vec![time_ours];
        let mut time_gss;
        if let Some(gss) = &mut gss {
            time_gss = |times| if importing { gss.import(times) } else { gss.export(times) };
            all.push(&mut time_gss);
        }
        let samples = rounds::interleave(effort, &mut all);
        table::times(&format!("{what}, {state}"), None, &samples[0], None, samples.get(1));
    }
    let context = prepared.pop().expect("prepared");
    table::bytes(&format!("exported context, {state}"), ours.export(context).len(), None, gss_bytes);
}

/// What `src/bin/memory.rs` counts.
fn memory() -> Vec<[usize; 2]> {
    let output = Command::new(env!("CARGO_BIN_EXE_memory")).output().expect("the memory program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers =
        |line: &str| line.split(' ').map(|number| number.parse().expect("a number")).collect::<Vec<_>>();
    text.lines().map(|line| numbers(line).try_into().expect("two numbers")).collect()
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let model = model.trim_start_matches([' ', '\t', ':']);
    format!("{model}, {cores} cores, {} {}", env::consts::OS, env::consts::ARCH)
}
