//! The index of all tables: every id of the list stands in one row, and in no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::*;
use crate::{
    cache, caller, configuration, keys,
    support::{Proof, Row},
    wire,
};

/// How many ids each letter has, from 01 on.
///
/// The letters are those of a list of inputs that other validators were broken by or stumbled over:
/// 167 of the ids are its own, the others are neighbours that this crate added.
const LIST: [(char, usize); 15] = [
    ('A', 26), // The `Authorization` header: check 1.
    ('B', 25), // Shape, encoding and JSON: checks 2 and 6.
    ('C', 28), // The header of a token, and its key: checks 3, 4 and 5.
    ('D', 12), // The signature: checks 4 and 5.
    ('E', 16), // Dates: check 10.
    ('F', 33), // Version, issuer, tenant, and whose key it is: checks 7 and 8.
    ('G', 13), // The audience, and tokens that are no access tokens: checks 9 and 11.
    ('H', 19), // Scopes, roles and clients, and what contradicts them: checks 11, 12 and 13.
    ('I', 23), // The claims of Entra Agent ID.
    ('J', 29), // Documents of keys.
    ('K', 11), // Discovery documents.
    ('L', 20), // Rotation, floods and outages.
    ('M', 10), // The cache of verified tokens.
    ('N', 14), // Answers and logs.
    ('P', 10), // Traps in the configuration.
];

fn rows() -> Vec<Row> {
    let tables = [
        c01_credentials::rows(),
        c02_shape::rows(),
        c03_header::rows(),
        c04_key::rows(),
        c05_signature::rows(),
        c06_claims::rows(),
        c07_provenance::rows(),
        c08_signer::rows(),
        c09_audience::rows(),
        c10_dates::rows(),
        c11_nature::rows(),
        c12_bearer::rows(),
        c13_grants::rows(),
        caller::agent_claims::rows(),
        keys::key_set::rows(),
        keys::discovery::rows(),
        keys::pressure::rows(),
        cache::rows(),
        wire::answers::rows(),
        configuration::rows(),
    ];
    tables.into_iter().flatten().collect()
}

#[test]
fn every_id_of_the_list_stands_in_one_row() {
    let numbered = |(letter, count)| (1..=count).map(move |at| format!("{letter}{at:02}"));
    let mut missing: BTreeMap<String, usize> = LIST
        .into_iter()
        .flat_map(numbered)
        .map(|id| (id, 0))
        .collect();
    for row in rows() {
        assert!(!row.what.is_empty(), "{}", row.id);
        if let Proof::Cases(cases) = &row.proof {
            assert!(!cases.is_empty(), "{}", row.id);
        }
        let times = missing.get_mut(row.id);
        *times.unwrap_or_else(|| panic!("{} is not on the list", row.id)) += 1;
    }
    missing.retain(|_, times| *times != 1);
    assert!(missing.is_empty(), "none, or more than one: {missing:?}");
}

/// Tests that a row cannot hold itself: those of another binary, or in another language.
#[test]
fn every_test_that_a_row_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for row in rows() {
        for (file, name) in row.tests {
            let path = match file.strip_prefix("src/") {
                Some(file) => root.join("src").join(file),
                None => root.join("tests").join(file),
            };
            // The published package is without these.
            if file.starts_with("interop/") && !root.join("tests/interop").exists() {
                continue;
            }
            let code = std::fs::read_to_string(&path).expect(file);
            assert!(has(&code, name), "{}: {name} in {file}", row.id);
        }
    }
}

/// In the tables of classes, whose first column is headed `class`, each row names rows of the tables of
/// checks and tests, of whichever binary, and nothing else.
#[test]
fn every_test_that_the_security_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    read_all(&root.join("tests"), &mut code);
    read_all(&root.join("src"), &mut code);
    let ids: Vec<&str> = rows().into_iter().map(|row| row.id).collect();
    let document = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let tables = document
        .split("\n\n")
        .filter(|part| part.starts_with("| class"));
    let classes: Vec<&str> = tables.flat_map(|table| table.lines().skip(2)).collect();
    assert!(classes.len() > 60, "{}", classes.len());
    for class in &classes {
        let cells: Vec<&str> = class.split('|').collect();
        let [_, _, how, tests, _] = cells[..] else {
            panic!("not three cells: {class}");
        };
        assert!(!how.trim().is_empty(), "{class}");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {class}");
        for name in names {
            assert!(
                ids.contains(&name) || is_test(&code, name),
                "{name}: {class}"
            );
        }
    }
    // In the text around the tables.
    let names = document.split('`').skip(1).step_by(2);
    for name in names.filter(|name| name.matches('_').count() >= 4) {
        let is_setting = name.starts_with("danger_");
        assert!(is_setting || is_test(&code, name), "{name}");
    }
}

#[test]
fn every_row_of_what_others_have_tripped_over_has_a_class_in_the_security_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (rows, document) = (text("tests/acquire/README.md"), text("SECURITY.md"));
    let of_clients = document
        .split("\n### ")
        .find(|part| part.starts_with(CLIENTS));
    let classes = of_clients.unwrap().lines().filter_map(|line| {
        let class = line.strip_prefix("| ")?.split(" | ").next()?;
        Some(class.split(['(', ')', ',', ' ']))
    });
    let named: BTreeSet<&str> = classes.flatten().filter(|word| is_row(word)).collect();
    let ids = rows.lines().filter_map(|line| line.strip_prefix("| "));
    let ids = ids.filter_map(|line| line.split(" | ").next());
    let ids: BTreeSet<&str> = ids.filter(|id| is_row(id)).collect();
    assert!(ids.len() > 30, "{ids:?}");
    assert_eq!(named, ids);
}

/// `M1` and so on.
fn is_row(word: &str) -> bool {
    let number = word.strip_prefix('M');
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

const CLIENTS: &str = "The clients of Entra's token endpoint";

fn has(code: &str, name: &str) -> bool {
    code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("))
}

/// Whether it is a function with an attribute of a test.
fn is_test(code: &str, name: &str) -> bool {
    code.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let own = before.rsplit("\n\n").next().unwrap_or_default();
        own.contains("#[test]") || own.contains("#[tokio::test")
    })
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
