//! Mutation testing with all mutants in one build. The README says how it works.

mod build;
mod defaults;
mod mutate;
mod report;
mod run;
mod scope;
mod tree;

use std::{env, error::Error, process::ExitCode};

use self::tree::Tree;

pub type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match main_of() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn main_of() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let tree = Tree::new()?;
    match arguments.split_first() {
        Some((command, scopes)) if command == "build" => build::build(&tree, scopes),
        Some((command, scopes)) if command == "programs" => build::programs(&tree, scopes),
        Some((command, scopes)) if command == "reach" => run::reach(&tree, scopes),
        Some((command, places)) if command == "run" => run::run(&tree, places),
        Some((command, _)) if command == "report" => report::report(&tree),
        _ => Err("mutants build SCOPE… | programs SCOPE… | reach SCOPE… | run [--again | --open] [PATH…] | report".into()),
    }
}
