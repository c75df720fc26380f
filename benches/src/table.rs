//! The tables that a run prints.

use crate::rounds::{Row, Samples};

const NAME: usize = 36;
const SIDE: usize = 20;
const LAST: usize = 32;
/// Where an implementation has no such function, or was not measured.
const NOTHING: &str = "-";

/// A table with a column for ours, one for each of `peers`, and one for the fastest of them.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Their names.
    pub peers: &'static [&'static str],
}

impl Table {
    /// The lines above the rows: what is in the first column, in that of ours, and in the last.
    pub fn head(self, rows: &str, ours: &str, last: &str) {
        let sides: Vec<_> = [ours].iter().chain(self.peers).copied().collect();
        line(rows, &sides, last);
        println!("{}", "-".repeat(NAME + SIDE * sides.len() + LAST));
    }

    /// A row with times. `bytes` is the size of a message, where there is one.
    pub fn times(self, name: &str, bytes: Option<usize>, row: &Row) {
        let name = bytes.map_or_else(|| name.to_owned(), |bytes| format!("{name} {}", size(bytes)));
        let text = |samples: &Samples| time(samples.median(), bytes);
        let mut sides = vec![text(&row.ours)];
        sides.extend(row.peers.iter().map(|samples| samples.as_ref().map_or_else(nothing, text)));
        let last = row.fastest().map(|fastest| {
            let [low, middle, high] = fastest.samples.quartiles_over(&row.ours);
            format!("{middle:.2} ({low:.2} to {high:.2}) {}", self.peers[fastest.peer])
        });
        line(&name, &sides, &last.unwrap_or_else(nothing));
    }

    /// A row with numbers of bytes; `None` where a peer has nothing of the kind.
    pub fn bytes(self, name: &str, ours: usize, peers: &[Option<usize>]) {
        let text = |bytes: usize| format!("{bytes} B");
        let mut sides = vec![text(ours)];
        sides.extend(peers.iter().map(|bytes| bytes.map_or_else(nothing, text)));
        let last = smallest(peers)
            .map(|(peer, bytes)| format!("{:.2} {}", bytes as f64 / ours as f64, self.peers[peer]));
        line(name, &sides, &last.unwrap_or_else(nothing));
    }
}

/// Which peer has the fewest bytes, and how many.
#[must_use]
pub fn smallest(peers: &[Option<usize>]) -> Option<(usize, usize)> {
    let some = peers.iter().enumerate().filter_map(|(peer, bytes)| Some((peer, (*bytes)?)));
    some.min_by_key(|(_, bytes)| *bytes)
}

fn nothing() -> String {
    NOTHING.to_owned()
}

fn line(name: &str, sides: &[impl AsRef<str>], last: &str) {
    let sides: String = sides.iter().map(|text| format!("{:<SIDE$}", text.as_ref())).collect();
    println!("{}", format!("{name:<NAME$}{sides}{last}").trim_end());
}

fn time(nanoseconds: f64, bytes: Option<usize>) -> String {
    let time = if nanoseconds < 1e4 {
        format!("{nanoseconds:.0} ns")
    } else if nanoseconds < 1e6 {
        format!("{:.1} us", nanoseconds / 1e3)
    } else {
        format!("{:.2} ms", nanoseconds / 1e6)
    };
    // Bytes in a nanosecond are thousands of MB (10^6 bytes) in a second.
    let speed = bytes.map(|bytes| format!("{time:<9}{:.0} MB/s", bytes as f64 / nanoseconds * 1e3));
    speed.unwrap_or(time)
}

/// In the largest unit that it fills.
#[must_use]
pub fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
