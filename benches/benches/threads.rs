//! Two threads on two contexts beside one thread on one. See the README of this package.

use std::env;
use std::time::Duration;

use portable_sspi_benches::columns::{self, quartiles, time};
use portable_sspi_benches::crew::Task;
use portable_sspi_benches::ours::Ours;
use portable_sspi_benches::rounds::{self, Effort, Timed};
use portable_sspi_benches::Implementation;

const WIDTHS: [usize; 5] = [26, 14, 14, 28, 28];

const NOTES: &str = "\
Time on the wall for one operation of all threads together. A rate is that of one thread: 2 is twice the work, and all there is.
The controls call nothing of the library's: what they fall short of 2, the machine does not give. One chain of multiplications
leaves most of a core idle, eight fill its multiplier: where the two cores are one with two threads of its own, the
second control says so. The library lies between the two.";

fn main() {
    // `cargo test --benches` runs this without `--bench`: to see that it runs is then enough.
    let quick = env::args().any(|argument| argument == "--quick")
        || env::args().all(|argument| argument != "--bench");
    let effort = if quick {
        Effort { rounds: 3, part: Duration::from_millis(5) }
    } else {
        Effort { rounds: 11, part: Duration::from_millis(200) }
    };
    let (ours, other) = (Ours::new(), Ours::new());
    println!("two threads, each on a context of its own, {} rounds of {:?}\n", effort.rounds, effort.part);
    columns::head(WIDTHS, ["work", "one thread", "two threads", "rate, one table", "rate, a table for each"]);
    for (name, task) in Task::ALL {
        // Two threads do twice as many operations.
        let one = &mut |times| task.time(&[&ours], times);
        let shared = &mut |times| task.time(&[&ours, &ours], times) / 2;
        let apart = &mut |times| task.time(&[&ours, &other], times) / 2;
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
