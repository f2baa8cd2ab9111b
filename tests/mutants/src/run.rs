//! Runs the tests: each alone once, to see which mutants it reaches, and then those that reach a mutant.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, build, mutate::Mutant, report, scope, tree::Tree};

/// Tests that are run for a mutant one after the other, before the others run together.
const ALONE: usize = 8;

/// Tests that play many cases: they run if no other has caught a mutant.
const LAST: [&str; 3] = ["simulation::", "model::", "whatever_"];

/// How often a test has caught a mutant of a file.
type Catches = BTreeMap<(String, String), usize>;

#[derive(Clone, Debug)]
struct Test {
    program: String,
    executable: String,
    name: String,
    passes: bool,
    millis: u64,
    reached: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    TimedOut,
}

fn jobs() -> usize {
    let jobs = env::var("MUTANTS_JOBS").ok();
    jobs.and_then(|jobs| jobs.parse().ok()).unwrap_or(2)
}

/// For how long tests run for one mutant, by their usual times; without a limit if it is not set.
fn budget() -> u64 {
    let budget = env::var("MUTANTS_BUDGET_MS").ok();
    budget
        .and_then(|budget| budget.parse().ok())
        .unwrap_or(u64::MAX)
}

/// A command that is run before each mutant, such as one that waits for the machine.
fn before() {
    let command = env::var("MUTANTS_BEFORE").unwrap_or_default();
    let mut words = command.split_whitespace();
    if let Some(program) = words.next() {
        let _ = Command::new(program).args(words).status();
    }
}

fn executables(tree: &Tree) -> Result<BTreeMap<String, String>, Failure> {
    let programs = tree.list("programs.tsv")?;
    let programs = programs.lines().filter_map(|line| line.split_once('\t'));
    Ok(programs
        .map(|(name, path)| (name.to_owned(), path.to_owned()))
        .collect())
}

fn tests(tree: &Tree) -> Result<Vec<Test>, Failure> {
    let executables = executables(tree)?;
    let mut tests = Vec::new();
    for line in tree.list("reach.tsv")?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [program, name, passes, millis, reached] = fields[..] else {
            continue;
        };
        let Some(executable) = executables.get(program) else {
            continue;
        };
        tests.push(Test {
            program: program.to_owned(),
            executable: executable.clone(),
            name: name.to_owned(),
            passes: passes == "passes",
            millis: millis.parse()?,
            reached: reached
                .split(',')
                .filter_map(|number| number.parse().ok())
                .collect(),
        });
    }
    Ok(tests)
}

/// Runs each test that is not known yet alone, and notes its time and the mutants that it reaches.
pub fn reach(tree: &Tree, scopes: &[String]) -> Result<(), Failure> {
    let executables = executables(tree)?;
    let known: BTreeSet<(String, String)> = tests(tree)?
        .into_iter()
        .map(|test| (test.program, test.name))
        .collect();
    let mut missing = Vec::new();
    for scope in scope::named(scopes)? {
        for (program, starts) in scope.tests {
            let Some(executable) = executables.get(*program) else {
                return Err(format!("{program} is not built").into());
            };
            let output = Command::new(executable)
                .args(["--list", "--format", "terse"])
                .output()?;
            for line in String::from_utf8(output.stdout)?.lines() {
                if let Some(name) = line.strip_suffix(": test")
                    && starts.iter().any(|start| name.starts_with(start))
                    && !known.contains(&((*program).to_owned(), name.to_owned()))
                {
                    missing.push((*program, executable.clone(), name.to_owned()));
                }
            }
        }
    }
    println!("{} tests", missing.len());
    let list = Mutex::new(append(tree, "reach.tsv")?);
    let next = AtomicUsize::new(0);
    thread::scope(|threads| {
        for job in 0..jobs() {
            let (missing, list, next) = (&missing, &list, &next);
            threads.spawn(move || {
                let seen = tree.folder.join(format!("reached.{job}"));
                while let Some((program, executable, name)) =
                    missing.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    before();
                    let _ = fs::remove_file(&seen);
                    let began = Instant::now();
                    let mut command = command(tree, executable, &[name]);
                    command.env("MUTANTS_REACHED", &seen);
                    let end = wait(command, Duration::from_secs(180));
                    let millis = began.elapsed().as_millis();
                    let reached = fs::read_to_string(&seen).unwrap_or_default();
                    let numbers: BTreeSet<&str> = reached.lines().collect();
                    let numbers = Vec::from_iter(numbers).join(",");
                    let passes = if end == End::Passed {
                        "passes"
                    } else {
                        "fails"
                    };
                    if end != End::Passed {
                        println!("{program} {name} fails without a mutant");
                    }
                    let line = format!("{program}\t{name}\t{passes}\t{millis}\t{numbers}\n");
                    let _ = list.lock().map(|mut list| list.write_all(line.as_bytes()));
                }
            });
        }
    });
    Ok(())
}

fn append(tree: &Tree, name: &str) -> Result<File, Failure> {
    Ok(OpenOptions::new()
        .append(true)
        .create(true)
        .open(tree.folder.join(name))?)
}

fn command(tree: &Tree, executable: &str, names: &[&str]) -> Command {
    let mut command = Command::new(executable);
    command
        .arg("--exact")
        .args(names)
        .args(["--test-threads", "2"]);
    command.current_dir(&tree.root).env_remove("MUTANT");
    command.env("CARGO_MANIFEST_DIR", &tree.root);
    // A backtrace takes longer than most tests.
    command.env("RUST_BACKTRACE", "0");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Its own group of processes, which ends as one.
    command.process_group(0);
    command
}

fn wait(mut command: Command, limit: Duration) -> End {
    let Ok(mut child) = command.spawn() else {
        return End::Failed;
    };
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            if !status.success() {
                kill(&mut child);
            }
            return if status.success() {
                End::Passed
            } else {
                End::Failed
            };
        }
        if began.elapsed() > limit {
            kill(&mut child);
            return End::TimedOut;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn kill(child: &mut Child) {
    let group = format!("-{}", child.id());
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &group]).stderr(Stdio::null());
    let _ = kill.status();
    let _ = child.wait();
}

/// Runs the tests for the mutants of these files, or all, that have no result yet. With `--again`, for
/// those that no test has caught; with `--open`, for those that were given up: all tests, or those of their
/// module and those that are named.
pub fn run(tree: &Tree, arguments: &[String]) -> Result<(), Failure> {
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (again, open) = (has("--again"), has("--open"));
    let places: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let tests: Vec<Test> = tests(tree)?
        .into_iter()
        .filter(|test| test.passes)
        .collect();
    let known = results(tree)?;
    let rank = |mutant: &Mutant| match places.as_slice() {
        [] => Some(0),
        places => places
            .iter()
            .position(|place| mutant.key().starts_with(place.as_str())),
    };
    let equivalent = report::equivalent();
    let is_due = |mutant: &Mutant| match known.get(&mutant.key()) {
        Some((outcome, _)) => match outcome.as_str() {
            "caught" | "timed out" => false,
            _ if equivalent.contains(mutant.lasting_key().as_str()) => false,
            "open" => again || open,
            _ => again,
        },
        None => true,
    };
    let mut due: Vec<(usize, Mutant)> = build::mutants(tree)?
        .into_iter()
        .filter(is_due)
        .filter_map(|mutant| Some((rank(&mutant)?, mutant)))
        .collect();
    due.sort_by_key(|(rank, mutant)| (*rank, mutant.number));
    println!("{} mutants, {} tests", due.len(), tests.len());
    let list = Mutex::new(append(tree, "results.tsv")?);
    // How often a test has caught a mutant of a file.
    let mut caught = Catches::new();
    for (key, (_, by)) in &known {
        let file = key.split(':').next().unwrap_or_default().to_owned();
        *caught.entry((file, by.clone())).or_default() += 1;
    }
    let caught = Mutex::new(caught);
    let next = AtomicUsize::new(0);
    thread::scope(|threads| {
        for _ in 0..jobs() {
            let (due, tests, list, next, caught) = (&due, &tests, &list, &next, &caught);
            threads.spawn(move || {
                while let Some((_, mutant)) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                    before();
                    let began = Instant::now();
                    let known = caught
                        .lock()
                        .map(|caught| caught.clone())
                        .unwrap_or_default();
                    let (outcome, by) = match env::var("MUTANTS_ALSO") {
                        Ok(also) if open => outcome_by_module(tree, mutant, tests, &also),
                        _ => outcome(tree, mutant, tests, &known),
                    };
                    if let Ok(mut caught) = caught.lock() {
                        *caught.entry((mutant.file.clone(), by.clone())).or_default() += 1;
                    }
                    let millis = began.elapsed().as_millis();
                    let line = format!("{}\t{outcome}\t{by}\t{millis}\n", mutant.key());
                    let _ = list.lock().map(|mut list| list.write_all(line.as_bytes()));
                }
            });
        }
    });
    Ok(())
}

/// The result of each mutant: its last one.
pub fn results(tree: &Tree) -> Result<BTreeMap<String, (String, String)>, Failure> {
    let mut results = BTreeMap::new();
    for line in tree.list("results.tsv")?.lines() {
        let mut fields = line.split('\t').map(str::to_owned);
        if let (Some(key), Some(outcome), Some(by)) = (fields.next(), fields.next(), fields.next())
        {
            results.insert(key, (outcome, by));
        }
    }
    Ok(results)
}

/// What the tests make of a mutant, and the test that catches it.
fn outcome(
    tree: &Tree,
    mutant: &Mutant,
    tests: &[Test],
    caught: &Catches,
) -> (&'static str, String) {
    let mut reaching: Vec<&Test> = tests
        .iter()
        .filter(|test| test.reached.contains(&mutant.number))
        .collect();
    if reaching.is_empty() {
        return ("unreached", String::new());
    }
    let module = module_of(mutant);
    let catches = |test: &Test| {
        let key = (
            mutant.file.clone(),
            format!("{} {}", test.program, test.name),
        );
        caught.get(&key).copied().unwrap_or_default()
    };
    reaching.sort_by_cached_key(|test| {
        let is_of_module = test.name.starts_with(&module);
        (
            is_last(test),
            Reverse(catches(test)),
            !is_of_module,
            test.millis,
        )
    });
    let some = reaching.len().min(ALONE);
    let (alone, together) = reaching.split_at(some);
    let budget = budget();
    let began = Instant::now();
    for test in alone {
        // A time that was taken while the machine had other work says little.
        if is_last(test) && test.millis > budget || began.elapsed() > Duration::from_millis(budget)
        {
            return ("open", String::new());
        }
        if let Some(found) = run_alone(tree, mutant, test) {
            return found;
        }
    }
    if !together.is_empty() && budget < u64::MAX {
        return ("open", String::new());
    }
    if let Some(found) = run_together(tree, mutant, together) {
        return found;
    }
    ("survived", format!("{} tests", reaching.len()))
}

/// The tests of the module of a mutant, and those that are named, together.
fn outcome_by_module(
    tree: &Tree,
    mutant: &Mutant,
    tests: &[Test],
    also: &str,
) -> (&'static str, String) {
    let module = module_of(mutant);
    let is_named = |test: &Test| {
        also.split(',')
            .any(|part| !part.is_empty() && test.name.contains(part))
    };
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|test| test.reached.contains(&mutant.number))
        .filter(|test| test.name.starts_with(&module) || is_named(test))
        .collect();
    run_together(tree, mutant, &chosen).unwrap_or(("open", String::new()))
}

fn is_last(test: &Test) -> bool {
    LAST.iter().any(|part| test.name.contains(part))
}

fn module_of(mutant: &Mutant) -> String {
    let module = mutant
        .file
        .trim_start_matches("src/")
        .trim_start_matches("bin/sidecar/");
    let module = module.trim_end_matches(".rs").trim_end_matches("/mod");
    module.replace('/', "::")
}

/// Runs tests of each program in one process. One that fails has to fail alone, too: together it may
/// fail for want of time.
fn run_together(
    tree: &Tree,
    mutant: &Mutant,
    together: &[&Test],
) -> Option<(&'static str, String)> {
    let mut programs: BTreeMap<(bool, &str), Vec<&Test>> = BTreeMap::new();
    for test in together {
        programs
            .entry((is_last(test), &test.executable))
            .or_default()
            .push(test);
    }
    for ((_, executable), tests) in programs {
        // In parts, so that a mutant which is caught is caught soon.
        for tests in tests.chunks(60) {
            let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
            let limit =
                Duration::from_millis(tests.iter().map(|test| test.millis).sum::<u64>() * 6);
            let mut command = command(tree, executable, &names);
            let path = tree.folder.join(format!("output.{}", mutant.number));
            let Ok(file) = File::create(&path) else {
                continue;
            };
            command
                .env("MUTANT", mutant.number.to_string())
                .stdout(file);
            let end = wait(command, limit + Duration::from_secs(30));
            let output = fs::read(&path).unwrap_or_default();
            let output = String::from_utf8_lossy(&output).into_owned();
            let _ = fs::remove_file(&path);
            let passed = |test: &&&Test| output.contains(&format!("test {} ... ok", test.name));
            match end {
                End::Passed => {}
                // Together they may fail for want of time: one has to fail alone.
                End::Failed | End::TimedOut => {
                    for test in tests.iter().filter(|test| !passed(test)) {
                        if let Some(found) = run_alone(tree, mutant, test) {
                            return Some(found);
                        }
                    }
                }
            }
        }
    }
    None
}

fn run_alone(tree: &Tree, mutant: &Mutant, test: &Test) -> Option<(&'static str, String)> {
    let mut command = command(tree, &test.executable, &[&test.name]);
    command.env("MUTANT", mutant.number.to_string());
    let limit = Duration::from_millis(test.millis * 10) + Duration::from_secs(5);
    let outcome = match wait(command, limit) {
        End::Passed => return None,
        End::Failed => "caught",
        End::TimedOut => "timed out",
    };
    Some((outcome, format!("{} {}", test.program, test.name)))
}
