//! The table of differences in `README.md` beside this file: which tests show what.

use std::{fs, path::Path};

#[test]
fn every_test_that_a_row_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/sidecar/README.md")).expect("the tables");
    let rows = text
        .split("\n## ")
        .find(|part| part.starts_with("Where it differs"));
    let rows = rows.expect("the table").lines();
    let rows: Vec<&str> = rows.filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), DIFFERENCES);

    let mut code = String::new();
    for folder in ["tests/sidecar", "src/bin/sidecar"] {
        read(&root.join(folder), &mut code);
    }
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        let tests: Vec<&str> = cells[2..]
            .iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(code.contains(&format!("fn {test}()")), "{test}");
        }
    }
}

/// Every Rust file of this folder and those in it.
fn read(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(&path).expect("a text"));
        }
    }
}

const DIFFERENCES: usize = 32;
