//! This project's NTLM, the `sspi` crate's, gss-ntlmssp and WinPR, in one run and one table, and the aims. See the README of
//! this package.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, thread};

use portable_sspi_benches::aims::{Aims, State};
use portable_sspi_benches::c_peer::{CPeer, GSS_NTLMSSP, OPENSSL, Recipe, WINPR};
use portable_sspi_benches::limit::{self, Limit};
use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::peer::Peer;
use portable_sspi_benches::rounds::{Effort, Row, Timed};
use portable_sspi_benches::table::Table;
use portable_sspi_benches::work::{self, Work};
use portable_sspi_benches::{Implementation, MEMORY_AFTER, notes};

/// The columns, in their order; those after the first are the peers in C.
const PEERS: &[&str] = &["sspi crate", GSS_NTLMSSP.name, WINPR.name];
const IN_C: [Recipe; 2] = [GSS_NTLMSSP, WINPR];
const TABLE: Table = Table { peers: PEERS };
const LIMITS: Table = Table { peers: &["RustCrypto", OPENSSL.name] };

fn main() -> ExitCode {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let mut run = Run::new(effort);

    println!("{}", machine());
    println!("{} rounds, {:?} for each side of a round", effort.rounds, effort.part);
    println!("In C: {}\n", run.in_c());
    TABLE.head("work", "ours", "fastest peer / ours");
    for work in Work::all() {
        run.times(work);
    }
    for (state, messages) in State::ALL.into_iter().zip([0, 1000]) {
        run.hand_over(state, messages);
    }
    run.memory();
    println!();
    LIMITS.head("the algorithms alone", "ours: all of seal", "faster one / ours");
    for (name, limit) in Limit::ALL {
        run.limit(name, limit);
    }
    println!("\n{}", notes::ALL);
    run.notes_in_c();
    println!();
    run.aims.print();
    for missing in &run.missing {
        println!("\nNOT MEASURED: {missing}.");
    }
    if run.in_c.iter().any(Option::is_none) {
        println!("The aims are measured by the other peers alone.");
    }
    if quick {
        println!("\n{}", notes::QUICK);
    }
    // Where all peers are asked for, none may be missing.
    if env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_some() && !run.missing.is_empty() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// All sides, and what is learnt of them.
struct Run {
    effort: Effort,
    ours: Ours,
    sspi: Peer,
    in_c: [Option<CPeer>; 2],
    openssl: Option<CPeer>,
    aims: Aims,
    /// What was not measured, and why.
    missing: Vec<String>,
}

impl Run {
    fn new(effort: Effort) -> Self {
        let mut missing = Vec::new();
        let mut start = |recipe: Recipe| {
            let started = CPeer::start(recipe, programs());
            started.map_err(|why| missing.push(format!("{}. Its columns are empty: {why}", recipe.name))).ok()
        };
        let (in_c, openssl) = (IN_C.map(&mut start), start(OPENSSL));
        let (mut ours, mut sspi) = (Ours::new(), Peer::new());
        work::check(&mut ours);
        work::check(&mut sspi);
        Self { effort, ours, sspi, in_c, openssl, aims: Aims::new(PEERS), missing }
    }

    /// What of it is there, with versions.
    fn in_c(&self) -> String {
        let there: Vec<_> = self.in_c.iter().chain([&self.openssl]).flatten().map(CPeer::name).collect();
        if there.is_empty() { "nothing".to_owned() } else { there.join(", ") }
    }

    fn times(&mut self, work: Work) {
        let ours = &mut |times| work.time(&mut self.ours, times);
        let sspi = &mut |times| work.time(&mut self.sspi, times);
        let mut in_c = self.in_c.each_mut().map(|peer| {
            // Some refuse some work.
            let peer = peer.as_mut().and_then(|peer| peer.can(work).then_some(peer))?;
            Some(move |times| peer.time(work, times))
        });
        let mut peers: Vec<Option<&mut Timed<'_>>> = vec![Some(sspi)];
        peers.extend(in_c.iter_mut().map(timed));
        let row = Row::measure(self.effort, ours, peers);
        let (name, size) = work.name();
        TABLE.times(name, size, &row);
        self.aims.times(work, &row);
    }

    /// The rows about exported contexts, which the `sspi` crate has not.
    fn hand_over(&mut self, state: State, messages: usize) {
        let mut prepared = self.ours.prepare(messages);
        let bytes_in_c =
            self.in_c.each_mut().map(|peer| peer.as_mut().and_then(|peer| peer.prepare(messages)));
        let mut took = Vec::new();
        for (what, importing) in [("export", false), ("import", true)] {
            let ours = &mut |times| {
                let (exports, imports) = self.ours.hand_over(&mut prepared, times);
                if importing { imports } else { exports }
            };
            let mut exporting = bytes_in_c.iter();
            let mut in_c = self.in_c.each_mut().map(|peer| {
                let exports = exporting.next().is_some_and(Option::is_some);
                let peer = peer.as_mut().filter(|_| exports)?;
                Some(move |times| if importing { peer.import(times) } else { peer.export(times) })
            });
            let mut peers = vec![None];
            peers.extend(in_c.iter_mut().map(timed));
            let row = Row::measure(self.effort, ours, peers);
            TABLE.times(&format!("{what}, {}", state.name()), None, &row);
            took.push(row.ours.median());
        }
        let context = prepared.pop().expect("prepared");
        let bytes = self.ours.export(context).len();
        let peers = [None, bytes_in_c[0], bytes_in_c[1]];
        TABLE.bytes(&format!("exported context, {}", state.name()), bytes, &peers);
        self.aims.hand_over(state, [took[0], took[1]], bytes, bytes_in_c[0]);
    }

    /// What `src/bin/memory.rs` counts, and the peers in C themselves.
    fn memory(&mut self) {
        let rust = memory_in_rust();
        let in_c = [0, 1].map(|at| {
            // One that is missing is noted already.
            let peer = self.in_c[at].as_ref().map(|_| IN_C[at]);
            let counted = peer.map(|recipe| (recipe.name, CPeer::memory(recipe, programs(), &MEMORY_AFTER)));
            match counted {
                Some((_, Ok(bytes))) => bytes.map(Some),
                Some((name, Err(why))) => {
                    self.missing.push(format!("the memory of {name}: {why}"));
                    [None; 2]
                }
                None => [None; 2],
            }
        });
        for (at, state) in State::ALL.into_iter().enumerate() {
            let [ours, sspi] = rust[at];
            let peers = [Some(sspi), in_c[0][at], in_c[1][at]];
            TABLE.bytes(&format!("memory of a context, {}", state.name()), ours, &peers);
            self.aims.memory(state, ours, &peers);
        }
    }

    fn limit(&mut self, name: &str, limit: Limit) {
        let ours = &mut |times| Work::Seal(limit::SIZE).time(&mut self.ours, times);
        let rust_crypto = &mut |times| limit.time(times);
        let mut openssl =
            self.openssl.as_mut().map(|openssl| |times| openssl.limit(limit, times, limit::SIZE));
        let peers: Vec<Option<&mut Timed<'_>>> = vec![Some(rust_crypto), timed(&mut openssl)];
        LIMITS.times(name, Some(limit::SIZE), &Row::measure(self.effort, ours, peers));
    }

    /// What differs in the work of those peers in C that are there.
    fn notes_in_c(&mut self) {
        let [gss, winpr] = &mut self.in_c;
        if gss.is_some() {
            println!("{}", notes::GSS_NTLMSSP);
        }
        if let Some(winpr) = winpr {
            println!("{}", notes::WINPR);
            if !winpr.can(Work::Sign(1)) {
                println!("{}", notes::WINPR_SIGNS_NOT);
            }
            if winpr.prepare(0).is_none() {
                println!("{}", notes::WINPR_EXPORTS_NOT);
            }
        }
    }
}

fn timed<F: FnMut(usize) -> Duration>(work: &mut Option<F>) -> Option<&mut Timed<'_>> {
    work.as_mut().map(|work| work as &mut Timed<'_>)
}

/// Where the peers in C are compiled.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Ours and the `sspi` crate's, fresh and in mid-stream.
fn memory_in_rust() -> Vec<[usize; 2]> {
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
