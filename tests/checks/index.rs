//! The index of all tables: every id of the list stands in one row, and in no other.

use std::{collections::BTreeMap, path::Path};

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

#[test]
fn every_test_that_the_security_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    read_all(&root.join("tests"), &mut code);
    read_all(&root.join("src"), &mut code);
    let document = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let ids: Vec<&str> = rows().into_iter().map(|row| row.id).collect();
    let mut named = 0;
    for name in document.split('`') {
        let is_test = name.matches('_').count() >= 4 && !name.starts_with("danger_");
        let is_number = |digits: &str| digits.len() == 2 && digits.parse::<u32>().is_ok();
        let is_id = name.strip_prefix(char::is_uppercase).is_some_and(is_number);
        if is_test && !name.contains(' ') {
            assert!(has(&code, name), "{name}");
        } else if is_id {
            assert!(ids.contains(&name), "{name}");
        }
        named += usize::from(is_test || is_id);
    }
    assert!(named > 30, "{named}");
}

fn has(code: &str, name: &str) -> bool {
    code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("))
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
