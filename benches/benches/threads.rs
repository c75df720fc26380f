//! Two threads on two contexts beside one thread on one. See the README of this package.

use std::env;
use std::time::Duration;

use portable_sspi_benches::Implementation;
use portable_sspi_benches::columns::{self, quartiles, time};
use portable_sspi_benches::crew::Task;
use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::rounds::{self, Effort, Timed};

const WIDTHS: [usize; 5] = [26, 14, 14, 28, 28];

const NOTES: &str = "\
Time on the wall for one operation of all threads together. A rate is how many times the work of one thread: 2 is all that two
cores have. \"One table\": both threads use one Sspi and the same credentials; \"each its own\": nothing of the library's is shared.
The controls call nothing of the library's: what they fall short of 2, the machine does not give. One chain of multiplications
leaves most of a core idle, eight keep its multiplier busy: where the two cores are one core's two threads, the second control
says so. An empty file is what the kernel does for the record of an import, in one directory for a table: its directories are
locked while a file is made.";

fn main() {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let effort = if quick {
        Effort { rounds: 3, part: Duration::from_millis(5) }
    } else {
        Effort { rounds: 9, part: Duration::from_millis(200) }
    };
    // A part of a name chooses the rows that have it.
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let (ours, other) = (Ours::new(), Ours::new());
    println!("two threads, each on a context of its own, {} rounds of {:?}\n", effort.rounds, effort.part);
    columns::head(WIDTHS, ["work", "one thread", "two threads", "rate, one table", "rate, each its own"]);
    for (name, task) in Task::ALL {
        if wanted.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
            continue;
        }
        let one = &mut |times| task.time(&[&ours], times);
        let shared = &mut |times| task.time(&[&ours, &ours], times);
        let apart = &mut |times| task.time(&[&ours, &other], times);
        let mut all: Vec<&mut Timed<'_>> = vec![one, shared, apart];
        let samples = rounds::interleave(effort, &mut all);
        let rate = |of: usize| quartiles(samples[0].quartiles_over(&samples[of]));
        columns::line(
            WIDTHS,
            [name, &time(samples[0].median()), &time(samples[1].median()), &rate(1), &rate(2)],
        );
    }
    println!("\n{NOTES}");
}
