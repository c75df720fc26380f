//! Rounds of measurements, interleaved, and their medians.

use std::time::Duration;

/// How much time a row may take.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds for each row.
    pub rounds: usize,
    /// What one implementation's part of a round should take.
    pub part: Duration,
}

impl Effort {
    /// For figures. Short parts and many of them: what interrupts one then spoils one ratio, not the median.
    pub const FULL: Self = Self { rounds: 101, part: Duration::from_millis(3) };
    /// To see that the benchmarks run; its figures mean nothing.
    pub const QUICK: Self = Self { rounds: 3, part: Duration::from_micros(300) };
}

/// Something to be timed: does its work so many times, and tells how long that took.
pub type Timed<'a> = dyn FnMut(usize) -> Duration + 'a;

/// What one implementation took, in nanoseconds for one operation, round by round.
#[derive(Clone, Debug)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// The median of the rounds.
    #[must_use]
    pub fn median(&self) -> f64 {
        quantile(self.0.clone(), 0.5)
    }

    /// What nine of ten rounds took longer than: nearly what it takes where nothing else uses the processor's core. On a virtual
    /// machine something else may, unseen.
    #[must_use]
    pub fn undisturbed(&self) -> f64 {
        quantile(self.0.clone(), 0.1)
    }

    /// Lower quartile, median and upper quartile of `self / other`, taken within each round.
    #[must_use]
    pub fn quartiles_over(&self, other: &Self) -> [f64; 3] {
        let ratios: Vec<_> = self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect();
        [0.25, 0.5, 0.75].map(|at| quantile(ratios.clone(), at))
    }
}

/// What the sides of a row took. `None` where a peer has no such function or was not measured.
#[derive(Clone, Debug)]
pub struct Row {
    /// Ours.
    pub ours: Samples,
    /// The peers', in the order of the table's columns.
    pub peers: Vec<Option<Samples>>,
}

/// A row's peer with the smallest median.
#[derive(Clone, Copy, Debug)]
pub struct Fastest<'a> {
    /// Its place among the peers.
    pub peer: usize,
    /// What it took.
    pub samples: &'a Samples,
}

impl Row {
    /// Times ours and those peers that are there, interleaved.
    pub fn measure<'a>(effort: Effort, ours: &mut Timed<'a>, peers: Vec<Option<&mut Timed<'a>>>) -> Self {
        let there: Vec<_> = peers.iter().map(Option::is_some).collect();
        let mut all: Vec<&mut Timed<'a>> = vec![ours];
        all.extend(peers.into_iter().flatten());
        let mut samples = interleave(effort, &mut all).into_iter();
        let ours = samples.next().expect("ours comes first");
        let peers = there.into_iter().map(|there| if there { samples.next() } else { None }).collect();
        Self { ours, peers }
    }

    /// The fastest of the peers, if there is any.
    #[must_use]
    pub fn fastest(&self) -> Option<Fastest<'_>> {
        let there = self.peers.iter().enumerate();
        let there = there.filter_map(|(peer, samples)| Some(Fastest { peer, samples: samples.as_ref()? }));
        there.min_by(|one, other| one.samples.median().total_cmp(&other.samples.median()))
    }
}

/// Times `all` in turn, round by round. Who begins rotates (A B C, B C A, C A B, ...), so that what else the machine does
/// meets all alike.
pub fn interleave(effort: Effort, all: &mut [&mut Timed<'_>]) -> Vec<Samples> {
    let times: Vec<_> = all.iter_mut().map(|timed| calibrate(effort, *timed)).collect();
    let mut samples = vec![Vec::new(); all.len()];
    for round in 0..effort.rounds {
        for place in 0..all.len() {
            let which = (round + place) % all.len();
            samples[which].push(once(all[which], times[which]));
        }
    }
    samples.into_iter().map(Samples).collect()
}

/// How often the work is to be done in one part of a round. Warms up caches and branch predictors on the way.
fn calibrate(effort: Effort, timed: &mut Timed<'_>) -> usize {
    let mut times = 1;
    loop {
        let took = timed(times);
        if took * 4 >= effort.part {
            let fitting = effort.part.as_secs_f64() / took.as_secs_f64() * times as f64;
            return (fitting as usize).max(1);
        }
        times *= 2;
    }
}

fn once(timed: &mut Timed<'_>, times: usize) -> f64 {
    timed(times).as_secs_f64() * 1e9 / times as f64
}

/// By the nearest rank; `values` is not empty.
fn quantile(mut values: Vec<f64>, at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * at).round() as usize]
}
