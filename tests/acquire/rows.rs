//! The tables of `README.md` beside this file: which tests show what.

use std::{collections::BTreeMap, fs, path::Path};

/// The ids of the rows: a letter for each table, and how many rows it has.
const TABLES: [(char, u32); 6] = [
    ('W', 11),
    ('C', 10),
    ('L', 10),
    ('K', 12),
    ('E', 18),
    ('M', 33),
];

#[test]
fn every_test_that_a_row_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/acquire/README.md")).unwrap();
    let ids = TABLES.into_iter();
    let ids = ids.flat_map(|(letter, count)| (1..=count).map(move |at| format!("{letter}{at}")));
    let mut missing: BTreeMap<String, usize> = ids.map(|id| (id, 0)).collect();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, what, tests, _] = cells[..] else {
            continue;
        };
        if id == "id" || id == "---" {
            continue;
        }
        *missing.get_mut(id).expect(id) += 1;
        assert!(!what.is_empty(), "{id}");
        if tests.starts_with("not met: ") {
            continue;
        }
        // What is between backticks.
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{id}");
        for test in named {
            let (file, name) = test.split_once("::").expect(test);
            let path = match file.strip_prefix("src/") {
                Some(file) => root.join("src/acquire").join(file),
                None => root.join("tests/acquire").join(file),
            };
            let code = fs::read_to_string(path.with_extension("rs")).expect(test);
            assert!(code.contains(&format!("fn {name}(")), "{id}: {test}");
        }
    }
    missing.retain(|_, times| *times != 1);
    assert!(missing.is_empty(), "none, or more than one: {missing:?}");
}
