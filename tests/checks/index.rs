//! Hostile and odd inputs, a table for each group, and what must come of every line.
//!
//! The ids are those of a list of inputs that other validators were broken by or stumbled over; a
//! line of the list stands in exactly one table. The numbers that the list leaves out, and those
//! beyond its last ones, are neighbours that this crate added.
//!
//! Each case is sent through the layer and, where it is a token, to the validator alone; twice, and
//! with a cache of verified tokens and without. In every refusal the service inside is not called,
//! status, challenge and `Cache-Control` are exactly those of the contract, and neither the answer
//! nor the log holds anything of the token.

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

/// The letter of each group, and its table.
fn groups() -> [(char, Vec<Row>); 15] {
    [
        ('A', c01_credentials::rows()),
        ('B', c02_shape::rows()),
        ('C', c03_header::rows()),
        ('D', c05_signature::rows()),
        ('E', c10_dates::rows()),
        ('F', c07_provenance::rows()),
        ('G', c09_audience::rows()),
        ('H', c13_grants::rows()),
        ('I', caller::agent_claims::rows()),
        ('J', keys::key_set::rows()),
        ('K', keys::discovery::rows()),
        ('L', keys::pressure::rows()),
        ('M', cache::table::rows()),
        ('N', wire::responses::rows()),
        ('P', configuration::table::rows()),
    ]
}

#[test]
fn every_line_of_the_list_stands_in_its_table_once() {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for (letter, table) in groups() {
        for row in table {
            let number = row.id.strip_prefix(letter).expect(row.id);
            assert!(
                number.len() == 2 && number.parse::<u32>().is_ok(),
                "{}",
                row.id
            );
            assert!(!row.what.is_empty(), "{}", row.id);
            *rows.entry(row.id).or_default() += 1;
        }
    }
    let repeated: Vec<_> = rows.iter().filter(|(_, times)| **times != 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
    let missing: Vec<_> = LISTED.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(BTreeSet::from(LISTED).len(), LISTED.len());
    println!(
        "{} lines of the list and {} neighbours",
        LISTED.len(),
        rows.len() - LISTED.len()
    );
}

#[test]
fn every_test_that_a_table_names_is_there() {
    for (_, table) in groups() {
        for row in table {
            match row.proof {
                Proof::Cases(cases) => assert!(!cases.is_empty(), "{}", row.id),
                Proof::Scene(_) => {}
                Proof::Elsewhere => assert!(!row.tests.is_empty(), "{}", row.id),
                Proof::NotMet(why) => assert!(why.ends_with('.'), "{}", row.id),
            }
            for (file, name) in row.tests {
                let root = Path::new(env!("CARGO_MANIFEST_DIR"));
                let path = match file.strip_prefix("src/") {
                    Some(file) => root.join("src").join(file),
                    None => root.join("tests").join(file),
                };
                // The published package is without these.
                if file.starts_with("interop/") && !root.join("tests/interop").exists() {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect(file);
                assert!(is_run(&text, name), "{}: {name} in {file}", row.id);
            }
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
    let is_sentence = |name: &&str| {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        name.matches('_').count() >= 4 && name.bytes().all(is_name)
    };
    let names: Vec<&str> = document.split('`').filter(is_sentence).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let is_setting = name.starts_with("danger_");
        assert!(is_setting || is_run(&code, name), "{name}");
    }
}

/// Whether this code has a test of this name that is run: one in Rust that is not ignored, or a
/// method in Python.
fn is_run(code: &str, name: &str) -> bool {
    if name.starts_with("test_") {
        return code.contains(&format!("    def {name}(self) -> None:"));
    }
    let function = format!("fn {name}(");
    code.match_indices(&function).any(|(at, _)| {
        let (before, line) = code[..at].rsplit_once('\n').unwrap_or(("", &code[..at]));
        // Attributes stand between the function and what ends before it.
        let is_end = |line: &&str| line.is_empty() || line.ends_with(['{', '}']);
        let lines = before.lines().rev().map(str::trim);
        let attributes: Vec<&str> = lines.take_while(|line| !is_end(line)).collect();
        let has = |start: &str| attributes.iter().any(|line| line.starts_with(start));
        let is_test = has("#[test]") || has("#[tokio::test]") || has("#[tokio::test(");
        matches!(line.trim(), "" | "async") && is_test && !has("#[ignore")
    })
}

#[test]
fn a_test_that_is_not_run_proves_no_row() {
    let named = |code: &str| is_run(code, "name_of_it");
    for code in [
        "#[test]\nfn name_of_it() {}",
        "    #[test]\n    fn name_of_it(x in 0..9) {}",
        "}\n\n#[tokio::test(start_paused = true)]\nasync fn name_of_it() {}",
        "}\n\n#[tokio::test(\n    start_paused = true\n)]\nasync fn name_of_it() {}",
        "#[cfg(unix)]\n/// Why.\n#[test]\n#[should_panic]\nfn name_of_it() {}",
    ] {
        assert!(named(code), "{code}");
    }
    for code in [
        "",
        "fn name_of_it() {}",
        "// fn name_of_it() {}",
        "#[test]\nfn another() {}\n\nfn name_of_it() {}",
        "#[test]\nfn another() {}\nfn name_of_it() {}",
        "#[test]\n#[ignore]\nfn name_of_it() {}",
        "#[ignore = \"slow\"]\n#[test]\nfn name_of_it() {}",
        "#[test]\nfn name_of_it_too() {}",
        "// #[test]\nfn name_of_it() {}",
    ] {
        assert!(!named(code), "{code}");
    }
    let python = "class C:\n    def test_it(self) -> None:\n        pass";
    assert!(is_run(python, "test_it"));
    assert!(!is_run(python, "test_it_all"));
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

/// The ids of the list.
#[rustfmt::skip]
const LISTED: [&str; 167] = [
    "A02", "A05", "A08", "A09", "A10", "A12", "A13", "A16", "A18", "A20",
    "B01", "B02", "B04", "B05", "B07", "B08", "B09", "B10", "B12", "B13", "B14", "B15", "B16", "B17", "B20", "B21", "B22", "B23", "B24",
    "C01", "C02", "C04", "C05", "C06", "C07", "C08", "C10", "C12", "C13", "C14", "C15", "C16", "C18", "C19", "C20", "C21", "C23", "C24", "C25",
    "D01", "D02", "D03", "D04", "D06", "D08", "D09",
    "E01", "E02", "E03", "E04", "E05", "E06", "E08", "E14",
    "F02", "F03", "F04", "F06", "F10", "F11", "F13", "F14", "F15", "F16", "F19", "F20", "F21", "F22", "F26", "F27", "F29", "F30", "F31",
    "G02", "G03", "G04", "G05", "G06", "G08", "G09", "G10",
    "H03", "H04", "H07", "H09", "H10", "H11", "H12", "H13", "H18",
    "I01", "I02", "I04", "I07", "I09", "I12", "I13", "I16", "I17", "I19", "I20", "I21",
    "J01", "J02", "J03", "J04", "J05", "J06", "J08", "J11", "J14", "J15", "J18", "J19", "J20", "J21", "J22", "J23", "J24", "J25", "J26", "J27",
    "K02", "K05", "K06", "K09",
    "L02", "L03", "L04", "L05", "L07", "L08", "L09", "L12", "L13", "L16", "L17", "L18", "L19",
    "M01", "M03", "M04", "M06", "M07", "M08", "M09",
    "N01", "N02", "N03", "N06", "N07", "N09", "N10", "N12", "N13",
    "P01", "P07",
];
