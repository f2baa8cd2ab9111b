//! The figures, and the mutants that no test catches.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Failure, build, run, scope::SCOPES, tree::Tree};

/// Mutants that change nothing that can be seen, each with a reason.
const EQUIVALENT: &str = include_str!("../equivalent.txt");

#[derive(Default)]
struct Figures {
    mutants: usize,
    caught: usize,
    timed_out: usize,
    survived: usize,
    unreached: usize,
    equivalent: usize,
    open: usize,
    not_run: usize,
}

/// The mutants of the list, by what lasts of them.
pub fn equivalent() -> BTreeSet<&'static str> {
    let lines = EQUIVALENT.lines().map(str::trim_end);
    lines.filter(|line| line.starts_with("src/")).collect()
}

pub fn report(tree: &Tree) -> Result<(), Failure> {
    let results = run::results(tree)?;
    let equivalent = equivalent();
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut left = Vec::new();
    let mut used = BTreeSet::new();
    for mutant in build::mutants(tree)? {
        let figures = figures.entry(group_of(&mutant.file)).or_default();
        figures.mutants += 1;
        let outcome = results.get(&mutant.key());
        match outcome.map_or("not run", |(outcome, _)| outcome) {
            "caught" => figures.caught += 1,
            "timed out" => figures.timed_out += 1,
            "not run" => figures.not_run += 1,
            outcome => {
                let key = mutant.lasting_key();
                if equivalent.contains(key.as_str()) {
                    figures.equivalent += 1;
                    used.insert(key);
                    continue;
                }
                match outcome {
                    "survived" => figures.survived += 1,
                    "open" => figures.open += 1,
                    _ => figures.unreached += 1,
                }
                left.push(format!(
                    "{outcome}\t{}\t{}:{}",
                    key, mutant.line, mutant.number
                ));
            }
        }
    }
    for line in &left {
        println!("{line}");
    }
    println!(
        "\n| group | mutants | caught | timed out | survived | unreached | equivalent | open | not run |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (group, figures) in &figures {
        let Figures {
            mutants,
            caught,
            timed_out,
            survived,
            unreached,
            equivalent,
            open,
            not_run,
        } = figures;
        println!(
            "| `{group}` | {mutants} | {caught} | {timed_out} | {survived} | {unreached} | {equivalent} | {open} | {not_run} |"
        );
    }
    for line in equivalent.iter().filter(|line| !used.contains(**line)) {
        println!("equivalent.txt has what is caught or absent: {line}");
    }
    Ok(())
}

fn group_of(file: &str) -> String {
    let starts = SCOPES.iter().flat_map(|scope| scope.sources);
    let start = starts.copied().find(|start| file.starts_with(start));
    start.unwrap_or(file).trim_end_matches('/').to_owned()
}
