//! Functions measured against each other, in turns.
//!
//! On a shared machine, the speed of one minute says little about that of the next. So only ratios are
//! compared: in each of many rounds every function runs one short batch, and each round begins with
//! another function, so that other load slows all of them down alike. The result is the ratio of two
//! medians over all rounds.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// What has been measured so far, and what is to be.
#[derive(Default)]
pub(crate) struct Contest<'f> {
    entrants: Vec<Entrant<'f>>,
}

struct Entrant<'f> {
    name: &'static str,
    /// Runs this many times and returns how long that took.
    run: Box<dyn FnMut(u32) -> Duration + 'f>,
    batch: u32,
    /// Of one call, in nanoseconds, batch by batch.
    times: Vec<f64>,
}

impl<'f> Contest<'f> {
    pub(crate) fn enter<T>(&mut self, name: &'static str, mut function: impl FnMut() -> T + 'f) {
        self.push(name, move |times| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(function());
            }
            start.elapsed()
        });
    }

    /// Makes the inputs of each call before the clock runs: not one by one, which would measure the
    /// clock, and not all of a batch, which would measure the memory they take.
    pub(crate) fn enter_with<I, T>(
        &mut self,
        name: &'static str,
        mut input: impl FnMut() -> I + 'f,
        mut function: impl FnMut(I) -> T + 'f,
    ) {
        self.push(name, move |times| {
            let mut time = Duration::ZERO;
            let mut inputs = Vec::new();
            for _ in 0..times.div_ceil(INPUTS_AT_A_TIME) {
                inputs.extend((0..INPUTS_AT_A_TIME).map(|_| input()));
                let start = Instant::now();
                for input in inputs.drain(..) {
                    black_box(function(input));
                }
                time += start.elapsed();
            }
            time
        });
    }

    fn push(&mut self, name: &'static str, run: impl FnMut(u32) -> Duration + 'f) {
        self.entrants.push(Entrant {
            name,
            run: Box::new(run),
            batch: INPUTS_AT_A_TIME,
            times: Vec::new(),
        });
    }

    /// Measures all of them.
    pub(crate) fn run(mut self, rounds: usize) -> Results {
        for entrant in &mut self.entrants {
            entrant.fit_batch();
        }
        let count = self.entrants.len();
        for round in 0..rounds {
            for turn in 0..count {
                self.entrants[(round + turn) % count].take_turn();
            }
        }
        let results = self.entrants.into_iter().map(Entrant::finish).collect();
        Results(results)
    }
}

impl Entrant<'_> {
    /// Makes a batch long enough for the clock and short enough for fairness. Warms up by the way.
    fn fit_batch(&mut self) {
        while (self.run)(self.batch) < BATCH {
            self.batch *= 2;
        }
    }

    fn take_turn(&mut self) {
        let time = (self.run)(self.batch).as_secs_f64() / f64::from(self.batch);
        self.times.push(time * 1e9);
    }

    fn finish(self) -> (&'static str, Vec<f64>) {
        (self.name, self.times)
    }
}

/// The times of each function, round by round.
pub(crate) struct Results(Vec<(&'static str, Vec<f64>)>);

impl Results {
    pub(crate) fn print(&self) {
        println!("{:>44} {:>10} {:>10}", "", "median", "p10");
        for (name, times) in &self.0 {
            let [median, best] = [0.5, 0.1].map(|share| quantile(times, share) / 1e3);
            println!("{name:>44} {median:>7.3} µs {best:>7.3} µs");
        }
        println!();
    }

    /// Prints one row of the table: what, the ratio, and what it must not exceed, if anything.
    pub(crate) fn ratio(&self, of: &str, to: &str, at_most: Option<f64>) {
        let (of_times, to_times) = (self.times(of), self.times(to));
        let ratio = self.median(of) / self.median(to);
        // How much single rounds differ says how far the ratio is to be trusted.
        let rounds: Vec<_> = of_times.iter().zip(to_times).map(|(a, b)| a / b).collect();
        let (low, high) = (quantile(&rounds, 0.25), quantile(&rounds, 0.75));
        let verdict = match at_most {
            Some(limit) if ratio <= limit => format!("at most {limit:.2}: reached"),
            Some(limit) => format!("at most {limit:.2}: MISSED"),
            None => String::new(),
        };
        let what = format!("{of} / {to}");
        println!("{what:<68} {ratio:>6.3} ({low:.3}–{high:.3})  {verdict}");
    }

    /// Prints how many microseconds one takes more than another, round by round, and what that must not
    /// exceed, if anything.
    #[allow(dead_code)] // Not every bench compares so.
    pub(crate) fn difference(&self, of: &str, to: &str, at_most: Option<f64>) {
        let rounds = self.times(of).iter().zip(self.times(to));
        let rounds: Vec<_> = rounds.map(|(a, b)| (a - b) / 1e3).collect();
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&rounds, share));
        let verdict = match at_most {
            Some(limit) if middle <= limit => format!("at most {limit:.2}: reached"),
            Some(limit) => format!("at most {limit:.2}: MISSED"),
            None => String::new(),
        };
        let what = format!("{of} - {to}, µs");
        println!("{what:<68} {middle:>6.3} ({low:.3}–{high:.3})  {verdict}");
    }

    /// The median of one call, in nanoseconds.
    pub(crate) fn median(&self, name: &str) -> f64 {
        median(self.times(name))
    }

    fn times(&self, name: &str) -> &[f64] {
        let found = self.0.iter().find(|(other, _)| *other == name);
        &found.expect("the name of an entrant").1
    }
}

pub(crate) fn median(times: &[f64]) -> f64 {
    quantile(times, 0.5)
}

fn quantile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index into a short list"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted[index.min(sorted.len() - 1)]
}

/// Much shorter than what disturbs a machine, and long enough for caches and branch predictors to
/// have forgotten the function before.
const BATCH: Duration = Duration::from_millis(1);

/// A power of two, as the sizes of all batches are.
const INPUTS_AT_A_TIME: u32 = 16;
