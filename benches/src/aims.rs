//! What this project aims at, and whether a run reached it. Peers are those of the same run.

use crate::rounds::{Row, Samples};
use crate::table;
use crate::work::Work;

/// At least so many times as fast as the fastest peer.
const TIMES_AS_FAST: [(Work, f64); 2] = [(Work::Seal(64 << 10), 1.8), (Work::Unseal(64 << 10), 1.8)];

/// At most so much of the fastest peer's time.
const SHARE_OF_TIME: [(Work, f64); 5] = [
    (Work::Seal(1 << 10), 0.5),
    (Work::Seal(16), 0.5),
    (Work::Sign(16), 0.5),
    (Work::Handshake, 0.5),
    // With all the checks that ours makes.
    (Work::ServerShare, 0.6),
];

/// The most that a server's context may hold of what the smallest peer's does, fresh.
const SHARE_OF_MEMORY: f64 = 0.3;

/// A state in which a context is handed over, or its memory is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// No message was sent yet.
    Fresh,
    /// Messages went both ways.
    MidStream,
}

impl State {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fresh, Self::MidStream];

    /// What it is called in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::MidStream => "mid-stream",
        }
    }

    /// A server's context holds less than so many bytes.
    const fn memory(self) -> usize {
        match self {
            Self::Fresh => 512,
            Self::MidStream => 1200,
        }
    }

    /// An exported context has less than so much of the length of gss-ntlmssp's.
    const fn share_of_blob(self) -> f64 {
        match self {
            Self::Fresh => 1.0 / 3.0,
            Self::MidStream => 0.5,
        }
    }
}

/// Export and import together take less than so many nanoseconds.
const HAND_OVER: f64 = 10_000.0;

/// The table of the aims, line by line.
#[derive(Debug)]
pub struct Aims {
    peers: &'static [&'static str],
    lines: Vec<[String; 5]>,
}

impl Aims {
    /// No line yet; `peers` are the names of those that rows have.
    #[must_use]
    pub const fn new(peers: &'static [&'static str]) -> Self {
        Self { peers, lines: Vec::new() }
    }

    /// A row of the times.
    pub fn times(&mut self, work: Work, row: &Row) {
        for (_, least) in TIMES_AS_FAST.iter().filter(|(aim, _)| *aim == work) {
            let over = |ours: &Samples, theirs: &Samples| theirs.quartiles_over(ours);
            let line = self.ratio(work, "fastest peer / ours", row, over, |reached| reached >= *least);
            let undisturbed = row.fastest().map(|peer| peer.samples.undisturbed() / row.ours.undisturbed());
            self.add(line, &format!("at least {least:.2}"), undisturbed);
        }
        for (_, most) in SHARE_OF_TIME.iter().filter(|(aim, _)| *aim == work) {
            let over = |ours: &Samples, theirs: &Samples| ours.quartiles_over(theirs);
            let line = self.ratio(work, "ours / fastest peer", row, over, |reached| reached <= *most);
            let undisturbed = row.fastest().map(|peer| row.ours.undisturbed() / peer.samples.undisturbed());
            self.add(line, &format!("at most {most:.2}"), undisturbed);
        }
    }

    /// What a server's context holds on the heap.
    pub fn memory(&mut self, state: State, ours: usize, peers: &[Option<usize>]) {
        let name = format!("memory of a server context, {}", state.name());
        if state == State::Fresh {
            let reached = table::smallest(peers).map(|(peer, bytes)| {
                let share = ours as f64 / bytes as f64;
                (format!("{share:.2}, {}", self.peers[peer]), share <= SHARE_OF_MEMORY)
            });
            self.add(
                (format!("{name}: ours / smallest peer"), reached),
                &format!("at most {SHARE_OF_MEMORY:.2}"),
                None,
            );
        }
        let most = state.memory();
        self.add((name, Some((format!("{ours} B"), ours < most))), &format!("under {most} B"), None);
    }

    /// What an export and an import take, in nanoseconds, and how long the exported context is; `theirs` is gss-ntlmssp's.
    pub fn hand_over(
        &mut self,
        state: State,
        [export, import]: [f64; 2],
        ours: usize,
        theirs: Option<usize>,
    ) {
        let name = state.name();
        let both = export + import;
        let reached = (format!("{:.1} us", both / 1e3), both < HAND_OVER);
        self.add(
            (format!("export and import together, {name}"), Some(reached)),
            &format!("under {:.1} us", HAND_OVER / 1e3),
            None,
        );
        let most = state.share_of_blob();
        let reached = theirs.map(|theirs| {
            let share = ours as f64 / theirs as f64;
            (format!("{share:.2}"), share < most)
        });
        self.add(
            (format!("exported context, {name}: ours / gss-ntlmssp"), reached),
            &format!("under {most:.2}"),
            None,
        );
    }

    /// Prints them.
    pub fn print(&self) {
        let print = |[aim, bound, reached, verdict, undisturbed]: [&str; 5]| {
            let line = format!("{aim:<58}{bound:<18}{reached:<36}{verdict:<14}{undisturbed}");
            println!("{}", line.trim_end());
        };
        print(["the aims", "aim", "reached", "", "undisturbed"]);
        println!("{}", "-".repeat(137));
        for line in &self.lines {
            print(line.each_ref().map(String::as_str));
        }
        println!(
            "\nundisturbed: by the fastest tenth of each side's rounds. Where it is far from what was reached, something else used the cores."
        );
    }

    fn ratio(
        &self,
        work: Work,
        what: &str,
        row: &Row,
        over: impl Fn(&Samples, &Samples) -> [f64; 3],
        met: impl Fn(f64) -> bool,
    ) -> (String, Option<(String, bool)>) {
        let (name, size) = work.name();
        let size = size.map_or_else(String::new, |size| format!(" {}", table::size(size)));
        let reached = row.fastest().map(|fastest| {
            let [low, middle, high] = over(&row.ours, fastest.samples);
            (format!("{middle:.2} ({low:.2} to {high:.2}), {}", self.peers[fastest.peer]), met(middle))
        });
        (format!("{name}{size}: {what}"), reached)
    }

    fn add(
        &mut self,
        (aim, reached): (String, Option<(String, bool)>),
        bound: &str,
        undisturbed: Option<f64>,
    ) {
        let (reached, verdict) = match reached {
            Some((reached, true)) => (reached, "met"),
            Some((reached, false)) => (reached, "MISSED"),
            None => ("-".to_owned(), "NOT MEASURED"),
        };
        let undisturbed = undisturbed.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        self.lines.push([aim, bound.to_owned(), reached, verdict.to_owned(), undisturbed]);
    }
}
