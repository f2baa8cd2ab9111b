//! Which sources have mutants, and which tests are to catch them.

use crate::Failure;

pub struct Scope {
    pub name: &'static str,
    /// Sources whose paths begin like this.
    pub sources: &'static [&'static str],
    /// Programs of tests, and how the names of their tests begin.
    pub tests: &'static [(&'static str, &'static [&'static str])],
}

/// Each group of figures of the report.
pub const SCOPES: [Scope; 2] = [
    Scope {
        name: "out",
        sources: &["src/acquire/", "src/handover.rs", "src/bin/sidecar/"],
        tests: &[
            (
                "tower_entra",
                &["acquire::", "handover::", "user_assertion::", "secret::"],
            ),
            ("tower-entra-sidecar", &[""]),
            ("acquire", &[""]),
            ("sidecar", &[""]),
        ],
    },
    Scope {
        name: "door",
        sources: &[
            "src/admit/checks/",
            "src/admit/middleware/",
            "src/admit/principal/",
            "src/admit/requirement/",
        ],
        tests: &[("tower_entra", &["admit::"]), ("door", &[""])],
    },
];

pub fn named(names: &[String]) -> Result<Vec<&'static Scope>, Failure> {
    let scope = |name: &String| {
        let scope = SCOPES.iter().find(|scope| scope.name == name);
        scope.ok_or_else(|| Failure::from(format!("there is no scope {name}")))
    };
    match names {
        [] => Err("name a scope: out, door".into()),
        names => names.iter().map(scope).collect(),
    }
}

/// A test, or a file that has only tests.
pub fn is_of_tests(file: &str) -> bool {
    let stem = file.trim_end_matches(".rs");
    stem.split('/').any(|part| {
        ["tests", "properties"].contains(&part)
            || part.ends_with("_tests")
            || part.ends_with("_model")
    })
}

/// The files of the modules that this file has for tests only.
pub fn modules_of_tests(file: &str, text: &str) -> Vec<String> {
    let folder = match file
        .strip_suffix("/mod.rs")
        .or(file.strip_suffix("/lib.rs"))
    {
        Some(folder) => folder,
        None => file.trim_end_matches(".rs"),
    };
    let mut files = Vec::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for pair in lines.windows(2) {
        let is_of_tests = ["test", "any(test", "all(test"]
            .iter()
            .any(|start| pair[0].starts_with(&format!("#[cfg({start}")));
        let name = pair[1]
            .rsplit_once("mod ")
            .and_then(|(_, name)| name.strip_suffix(';'));
        if let (true, Some(name)) = (is_of_tests, name) {
            files.push(format!("{folder}/{name}.rs"));
            files.push(format!("{folder}/{name}/mod.rs"));
        }
    }
    files
}
