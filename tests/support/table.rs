//! Rows, and how each is shown to hold.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use tower_entra::testing::Issuer;

use super::case::Case;

/// One line of a table.
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// The input, in words.
    pub(crate) what: &'static str,
    pub(crate) proof: Proof,
    /// Tests of this binary that show more of it. They run by themselves.
    with: &'static [fn()],
    /// Tests of another binary that do: file below `tests` or in `src`, and name.
    pub(crate) tests: &'static [(&'static str, &'static str)],
}

impl Row {
    fn new(id: &'static str, what: &'static str, proof: Proof) -> Self {
        Self {
            id,
            what,
            proof,
            with: &[],
            tests: &[],
        }
    }

    pub(crate) fn with(self, with: &'static [fn()]) -> Self {
        Self { with, ..self }
    }

    pub(crate) fn also(self, tests: &'static [(&'static str, &'static str)]) -> Self {
        Self { tests, ..self }
    }
}

/// How a row is shown to hold.
pub(crate) enum Proof {
    /// These inputs are sent and answered so.
    Cases(Vec<Case>),
    /// It takes more than single requests.
    Scene(Box<dyn Fn(&Issuer)>),
    /// By the tests that the row holds or names.
    Elsewhere,
    /// This crate cannot meet it, for this reason.
    NotMet(&'static str),
}

pub(crate) fn row(
    id: &'static str,
    what: &'static str,
    cases: impl IntoIterator<Item = Case>,
) -> Row {
    Row::new(id, what, Proof::Cases(cases.into_iter().collect()))
}

pub(crate) fn scene(
    id: &'static str,
    what: &'static str,
    scene: impl Fn(&Issuer) + 'static,
) -> Row {
    Row::new(id, what, Proof::Scene(Box::new(scene)))
}

/// A row that these tests of this binary show.
pub(crate) fn shown(id: &'static str, what: &'static str, with: &'static [fn()]) -> Row {
    Row::new(id, what, Proof::Elsewhere).with(with)
}

pub(crate) fn not_met(id: &'static str, what: &'static str, why: &'static str) -> Row {
    Row::new(id, what, Proof::NotMet(why))
}

/// Proves every row of a group, each case by itself, and names those that do not hold.
pub(crate) fn prove(rows: Vec<Row>) {
    let issuer = Issuer::start_blocking();
    let mut wrong = Vec::new();
    for row in rows {
        println!("{}: {}", row.id, row.what);
        let issuer = &issuer;
        let mut hold = |proof: &dyn Fn()| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(proof)) {
                wrong.push((row.id, panic));
            }
        };
        match &row.proof {
            Proof::Cases(cases) => cases.iter().for_each(|case| hold(&|| case.prove(issuer))),
            Proof::Scene(scene) => hold(&|| scene(issuer)),
            Proof::Elsewhere => assert!(row.with.len() + row.tests.len() > 0, "{}", row.id),
            Proof::NotMet(why) => println!("  not met: {why}"),
        }
    }
    let ids: Vec<&str> = wrong.iter().map(|(id, _)| *id).collect();
    println!("rows that do not hold: {ids:?}");
    if let Some((_, panic)) = wrong.into_iter().next() {
        let panic: Box<dyn Any + Send> = panic;
        resume_unwind(panic);
    }
}
