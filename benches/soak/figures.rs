//! What is counted, and whether it is good.

use std::{
    collections::BTreeMap,
    fs, process,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::world::World;

#[derive(Default)]
pub(crate) struct Figures {
    answers: Mutex<Answers>,
    pub(crate) keys_rotated: AtomicU64,
    pub(crate) keys_withdrawn: AtomicU64,
    pub(crate) certificates_rotated: AtomicU64,
    pub(crate) secrets_rotated: AtomicU64,
    pub(crate) token_faults: AtomicU64,
    pub(crate) token_refusals: AtomicU64,
    pub(crate) key_faults: AtomicU64,
    /// Token requests that came too fast to be looked at.
    pub(crate) missed: AtomicU64,
}

#[derive(Default)]
struct Answers {
    /// By what was asked for and what came of it.
    counts: BTreeMap<(&'static str, String), u64>,
    wrong: BTreeMap<Wrong, u64>,
    longest: BTreeMap<&'static str, Duration>,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    Identity,
    Refusal,
    Admission,
    /// No answer in time, none at all, or one that cannot be read.
    Answer,
}

impl Figures {
    pub(crate) fn count(&self, what: &'static str, outcome: String, took: Duration) {
        let mut answers = self.answers();
        *answers.counts.entry((what, outcome)).or_default() += 1;
        let longest = answers.longest.entry(what).or_default();
        *longest = took.max(*longest);
    }

    pub(crate) fn wrong(&self, wrong: Wrong, what: &str, text: &str) {
        let mut answers = self.answers();
        let count = answers.wrong.entry(wrong).or_default();
        *count += 1;
        if *count <= SHOWN {
            eprintln!("WRONG {wrong:?}: {what}: {text}");
        }
    }

    pub(crate) fn print(&self, world: &World, elapsed: Duration, sidecar_kib: u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = world.issuer.token_requests();
        let answers = self.answers();
        let answered: u64 = answers.counts.values().sum();
        println!("\n== after {} s: {answered} answers", elapsed.as_secs());
        for ((what, outcome), count) in &answers.counts {
            println!("{count:>9}  {what}: {outcome}");
        }
        for wrong in [
            Wrong::Identity,
            Wrong::Refusal,
            Wrong::Admission,
            Wrong::Answer,
        ] {
            let count = answers.wrong.get(&wrong).copied().unwrap_or_default();
            println!("{count:>9}  WRONG {wrong:?}");
        }
        for (what, longest) in &answers.longest {
            println!("longest wait, {what}: {:.1} s", longest.as_secs_f64());
        }
        println!(
            "keys rotated: {}, withdrawn: {}; discovery and key fetches: {}, in {} spells of faults",
            of(&self.keys_rotated),
            of(&self.keys_withdrawn),
            world.issuer.fetches(),
            of(&self.key_faults),
        );
        println!(
            "certificates rotated: {}, secrets: {}",
            of(&self.certificates_rotated),
            of(&self.secrets_rotated),
        );
        println!(
            "token requests: {requests}, failed: {} ({} %), refused: {}, not looked at: {}",
            of(&self.token_faults),
            (of(&self.token_faults) * 100)
                .checked_div(requests)
                .unwrap_or_default(),
            of(&self.token_refusals),
            of(&self.missed),
        );
        println!("log: {}", world.log.in_words());
        let own_kib = resident_kib(process::id());
        println!("resident: {own_kib} KiB; the sidecar {sidecar_kib} KiB");
    }

    /// Whether nothing is wrong and everything has happened.
    pub(crate) fn is_good(&self, world: &World) -> bool {
        let answers = self.answers();
        let mut problems: Vec<String> = Vec::new();
        for (wrong, count) in &answers.wrong {
            problems.push(format!("{count} × wrong: {wrong:?}"));
        }
        for what in answers.longest.keys() {
            let has_succeeded = (answers.counts.keys())
                .any(|(other, outcome)| other == what && outcome.starts_with("right"));
            if !has_succeeded {
                problems.push(format!("nothing came of: {what}"));
            }
        }
        for (what, counter) in [
            ("no key was rotated", &self.keys_rotated),
            ("no certificate was rotated", &self.certificates_rotated),
            ("no secret was rotated", &self.secrets_rotated),
            ("no token request failed", &self.token_faults),
            ("no token request was refused", &self.token_refusals),
        ] {
            if counter.load(Ordering::Relaxed) == 0 {
                problems.push(what.to_owned());
            }
        }
        if let Some(problem) = world.log.problem() {
            problems.push(problem);
        }
        println!("\n{}", if problems.is_empty() { "good" } else { "BAD" });
        for problem in &problems {
            println!("- {problem}");
        }
        problems.is_empty()
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resident memory of a process in KiB; 0 without Linux's `/proc`.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// How many of each kind are shown.
const SHOWN: u64 = 10;
