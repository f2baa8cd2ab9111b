//! What two threads get done, against one.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::contest::median;

/// Something that several threads do at a time. Each gets its number.
pub(crate) struct Work<'f> {
    name: &'static str,
    measure: &'static str,
    call: Box<dyn Fn(usize, u32) + Sync + 'f>,
    /// Calls per second, round by round: one thread, two threads.
    rates: [Vec<f64>; 2],
}

impl<'f> Work<'f> {
    pub(crate) fn new<T>(
        name: &'static str,
        measure: &'static str,
        call: impl Fn(usize) -> T + Sync + 'f,
    ) -> Self {
        Self {
            name,
            measure,
            call: Box::new(move |thread, times| {
                for _ in 0..times {
                    black_box(call(thread));
                }
            }),
            rates: [Vec::new(), Vec::new()],
        }
    }
}

/// Measures each work with one thread and with two, in turns.
pub(crate) fn run(works: &mut [Work<'_>], rounds: usize) {
    for _ in 0..rounds {
        for work in &mut *works {
            for count in [1, 2] {
                let rate = rate(work, count);
                work.rates[count - 1].push(rate);
            }
        }
    }
}

/// Prints one row for each work, with the ratio that the machine grants to a work that shares
/// nothing: the one that it names as its measure.
pub(crate) fn print(works: &[Work<'_>]) {
    println!("{:>44} {:>12} {:>12}", "", "one, 1/s", "two, 1/s");
    for work in works {
        let [one, two] = work.rates.each_ref().map(|rates| median(rates));
        let measure = works.iter().find(|other| other.name == work.measure);
        let granted = measure.map_or(f64::NAN, Work::ratio);
        let (name, ratio) = (work.name, work.ratio());
        println!(
            "{name:>44} {one:>12.0} {two:>12.0} {ratio:>7.3} × = {:.3} of {}",
            ratio / granted,
            work.measure,
        );
    }
    println!();
}

impl Work<'_> {
    fn ratio(&self) -> f64 {
        let [one, two] = &self.rates;
        median(two) / median(one)
    }
}

fn rate(work: &Work<'_>, count: usize) -> f64 {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    rate_of_one(work, thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the work goes well"))
            .sum()
    })
}

fn rate_of_one(work: &Work<'_>, thread: usize) -> f64 {
    let start = Instant::now();
    let mut calls = 0.0;
    loop {
        (work.call)(thread, CALLS);
        calls += f64::from(CALLS);
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return calls / elapsed.as_secs_f64();
        }
    }
}

/// How often the work is done between two looks at the clock.
const CALLS: u32 = 16;
const SLICE: Duration = Duration::from_millis(10);
