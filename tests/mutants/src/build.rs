//! Writes the copy with its mutants, and leaves out those that do not compile.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    Failure,
    mutate::{self, Group, Mutant, Rewritten},
    scope::{self, Scope},
    tree::Tree,
};

/// Rounds of compiling after which the rest is given up.
const MAX_ROUNDS: usize = 30;

struct Source {
    file: String,
    text: String,
    groups: Vec<Group>,
}

pub fn build(tree: &Tree, scopes: &[String]) -> Result<(), Failure> {
    let scopes = scope::named(scopes)?;
    let sources = copy(tree, &scopes)?;
    let mut dropped: BTreeSet<String> = tree
        .list("dropped.txt")?
        .lines()
        .map(str::to_owned)
        .collect();
    for round in 0.. {
        let written = write(tree, &sources, &dropped)?;
        let errors = check(tree)?;
        println!("round {round}: {} errors", errors.len());
        if errors.is_empty() {
            break;
        }
        if round >= MAX_ROUNDS {
            return Err("it does not compile yet".into());
        }
        let before = dropped.len();
        for error in &errors {
            drop_at(error, &written, &mut dropped)?;
        }
        fs::write(
            tree.folder.join("dropped.txt"),
            Vec::from_iter(dropped.iter().cloned()).join("\n"),
        )?;
        if dropped.len() == before {
            return Err(format!("no mutant is at {:?}", errors[0]).into());
        }
    }
    let mut lines = String::new();
    let mut count = 0;
    for mutant in sources
        .iter()
        .flat_map(|source| &source.groups)
        .flat_map(|group| &group.mutants)
    {
        if dropped.contains(&mutant.key()) {
            continue;
        }
        count += 1;
        let Mutant {
            number,
            file,
            line,
            column,
            function,
            what,
        } = mutant;
        lines += &format!("{number}\t{file}\t{line}\t{column}\t{function}\t{what}\n");
    }
    if tree.list("mutants.tsv")? != lines {
        // The numbers have changed.
        fs::write(tree.folder.join("reach.tsv"), "")?;
        fs::write(tree.folder.join("mutants.tsv"), lines)?;
    }
    println!("{count} mutants, {} do not compile", dropped.len());
    Ok(())
}

/// The mutants of the last build.
pub fn mutants(tree: &Tree) -> Result<Vec<Mutant>, Failure> {
    let mutant = |line: &str| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default().to_owned();
        Ok(Mutant {
            number: next().parse()?,
            file: next(),
            line: next().parse()?,
            column: next().parse()?,
            function: next(),
            what: next(),
        })
    };
    tree.list("mutants.tsv")?.lines().map(mutant).collect()
}

/// Copies the crate, and finds the places of mutants.
fn copy(tree: &Tree, scopes: &[&Scope]) -> Result<Vec<Source>, Failure> {
    let files = tree.files()?;
    let mut bounds = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.starts_with("src/") && file.ends_with(".rs"))
    {
        bounds.extend(mutate::bounds(&String::from_utf8(tree.read(file)?)?));
    }
    let mut of_tests = BTreeSet::new();
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        let text = String::from_utf8(tree.read(file)?)?;
        of_tests.extend(scope::modules_of_tests(file, &text));
    }
    let is_mutated = |file: &str| {
        let is_in = |scope: &&Scope| scope.sources.iter().any(|start| file.starts_with(start));
        file.ends_with(".rs")
            && !scope::is_of_tests(file)
            && !of_tests.contains(file)
            && scopes.iter().any(is_in)
    };
    let mut kept: BTreeSet<String> = files.iter().cloned().collect();
    let (mut sources, mut next) = (Vec::new(), 1);
    for file in files {
        let content = tree.read(&file)?;
        if is_mutated(&file) {
            let text = String::from_utf8(content)?;
            let ground = match file.starts_with("src/bin/") {
                true => "tower_entra::mutant",
                false => "crate::mutant",
            };
            let groups = mutate::groups(&file, &text, ground, &bounds, &mut next)?;
            sources.push(Source { file, text, groups });
            continue;
        }
        let content = match file.as_str() {
            "Cargo.toml" => manifest(&String::from_utf8(content)?).into_bytes(),
            "src/lib.rs" => {
                let text = String::from_utf8(content)?;
                format!("{text}\n#[doc(hidden)]\npub mod mutant;\n").into_bytes()
            }
            // The program of the sidecar has to know its mutant.
            file if file.starts_with("tests/sidecar/") => {
                let given = "env_clear().envs(std::env::vars().filter(|(name, _)| name.starts_with(\"MUTANT\")))";
                String::from_utf8(content)?
                    .replace("env_clear()", given)
                    .into_bytes()
            }
            _ => content,
        };
        tree.write(&file, &content)?;
    }
    let words = format!("const WORDS: usize = {};\n", next / 64 + 1);
    let module = include_str!("ground.rs").to_owned() + &words;
    tree.write("src/mutant.rs", module.as_bytes())?;
    kept.insert("src/mutant.rs".to_owned());
    kept.insert("Cargo.lock".to_owned());
    tree.keep_only(&kept)?;
    println!("{} places in {} files", next - 1, sources.len());
    Ok(sources)
}

/// The manifest without lints, which a mutant may break, and without debug information.
fn manifest(text: &str) -> String {
    let mut result = String::new();
    let mut is_of_lints = false;
    for line in text.lines() {
        if line.starts_with('[') {
            is_of_lints = line.starts_with("[lints");
        }
        if !is_of_lints {
            result.push_str(line);
            result.push('\n');
        }
    }
    result
        + "\n[lints.rust]\nwarnings = \"allow\"\n\n[profile.dev.package.tower-entra]\ndebug = false\n"
}

type Written<'s> = BTreeMap<String, (Vec<&'s Group>, Rewritten)>;

fn write<'s>(
    tree: &Tree,
    sources: &'s [Source],
    dropped: &BTreeSet<String>,
) -> Result<Written<'s>, Failure> {
    let mut written = Written::new();
    for source in sources {
        let is_kept = |group: &&Group| {
            group
                .mutants
                .iter()
                .all(|mutant| !dropped.contains(&mutant.key()))
        };
        let groups: Vec<&Group> = source.groups.iter().filter(is_kept).collect();
        let rewritten = mutate::rewrite(&source.text, &groups);
        tree.write(&source.file, rewritten.text.as_bytes())?;
        written.insert(source.file.clone(), (groups, rewritten));
    }
    Ok(written)
}

/// An error of the compiler: its text, and the places that it names, the first ones the most to blame.
#[derive(Debug)]
struct CompileError {
    text: String,
    spans: Vec<(String, usize, usize)>,
}

pub fn cargo(tree: &Tree) -> Command {
    let wrapper = env::var("MUTANTS_WRAPPER").unwrap_or_default();
    let mut words = wrapper.split_whitespace().chain(["cargo"]);
    let mut command = Command::new(words.next().unwrap_or("cargo"));
    command.args(words).current_dir(&tree.root);
    command.env("CARGO_TARGET_DIR", tree.folder.join("build"));
    command
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_INCREMENTAL", "0");
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

fn check(tree: &Tree) -> Result<Vec<CompileError>, Failure> {
    let mut command = cargo(tree);
    command.args([
        "check",
        "--locked",
        "--all-features",
        "--lib",
        "--bins",
        "--quiet",
    ]);
    command.arg("--message-format=json").stderr(Stdio::null());
    let output = command.output()?;
    let mut errors = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let mut spans = Vec::new();
        for of_primary in [true, false] {
            for span in message["spans"].as_array().into_iter().flatten() {
                if span["is_primary"] == of_primary {
                    add_span(span, &mut spans);
                }
            }
        }
        for child in message["children"].as_array().into_iter().flatten() {
            for span in child["spans"].as_array().into_iter().flatten() {
                add_span(span, &mut spans);
            }
        }
        if spans.is_empty() && message["code"].is_null() {
            continue;
        }
        let text = message["message"].as_str().unwrap_or_default().to_owned();
        errors.push(CompileError { text, spans });
    }
    if errors.is_empty() && !output.status.success() {
        return Err("cargo check fails without a place".into());
    }
    Ok(errors)
}

fn add_span(span: &Value, spans: &mut Vec<(String, usize, usize)>) {
    let number = |name: &str| {
        let number = span[name].as_u64().unwrap_or_default();
        usize::try_from(number).unwrap_or_default()
    };
    let file = span["file_name"].as_str().unwrap_or_default().to_owned();
    spans.push((file, number("byte_start"), number("byte_end")));
    if let Some(inner) = span["expansion"].get("span") {
        add_span(inner, spans);
    }
}

/// Leaves out the smallest group that has one of the places of the error, or else all on its lines.
fn drop_at(
    error: &CompileError,
    written: &Written<'_>,
    dropped: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let mut drop = |group: &Group| {
        let mut is_new = false;
        for mutant in &group.mutants {
            is_new |= dropped.insert(mutant.key());
        }
        is_new
    };
    for (file, start, end) in &error.spans {
        let Some((groups, rewritten)) = written.get(file) else {
            continue;
        };
        let around = rewritten
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.0 <= *start && *start < place.1);
        if let Some((at, _)) = around.min_by_key(|(_, place)| place.1 - place.0) {
            drop(groups[at]);
            return Ok(());
        }
        let within: Vec<usize> = (0..groups.len())
            .filter(|at| {
                let place = rewritten.places[*at];
                *start <= place.0 && place.1 <= *end
            })
            .collect();
        if !within.is_empty() {
            within.into_iter().for_each(|at| {
                drop(groups[at]);
            });
            return Ok(());
        }
    }
    for (file, start, _) in &error.spans {
        let Some((groups, rewritten)) = written.get(file) else {
            continue;
        };
        let line = rewritten.text[..*start].matches('\n').count() + 1;
        let mut is_new = false;
        for group in groups
            .iter()
            .filter(|group| group.mutants[0].line.abs_diff(line) <= 3)
        {
            is_new |= drop(group);
        }
        if is_new {
            return Ok(());
        }
    }
    Err(format!("no mutant is at {error:?}: {}", error.text).into())
}

/// Builds the programs of the tests, and notes where they are.
pub fn programs(tree: &Tree, scopes: &[String]) -> Result<(), Failure> {
    let scopes = scope::named(scopes)?;
    let names: BTreeSet<&str> = scopes
        .iter()
        .flat_map(|scope| scope.tests.iter().map(|(name, _)| *name))
        .collect();
    let mut command = cargo(tree);
    command.args([
        "test",
        "--locked",
        "--all-features",
        "--no-run",
        "--quiet",
        "--message-format=json",
    ]);
    for name in &names {
        match *name {
            "tower_entra" => command.arg("--lib"),
            "tower-entra-sidecar" => command.args(["--bin", name]),
            name => command.args(["--test", name]),
        };
    }
    let output = command.output()?;
    if !output.status.success() {
        for line in String::from_utf8(output.stdout)?.lines() {
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            if message["message"]["level"] == "error" {
                eprintln!(
                    "{}",
                    message["message"]["rendered"].as_str().unwrap_or_default()
                );
            }
        }
        return Err("the tests do not build".into());
    }
    let mut lines = String::new();
    for line in tree.list("programs.tsv")?.lines() {
        let name = line.split('\t').next().unwrap_or_default();
        if !names.contains(name) {
            lines += &format!("{line}\n");
        }
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let name = message["target"]["name"].as_str().unwrap_or_default();
        if let Some(executable) = message["executable"].as_str()
            && message["profile"]["test"] == true
            && names.contains(name)
        {
            lines += &format!("{name}\t{executable}\n");
        }
    }
    print!("{lines}");
    Ok(fs::write(tree.folder.join("programs.tsv"), lines)?)
}
