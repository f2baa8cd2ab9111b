//! One issuer for all tests that leave it as it is, and short ways to ask.

use std::{
    cell::{Cell, RefCell},
    io,
    sync::{Once, OnceLock},
};

use serde_json::Value;
use tower_entra::{
    AgentPrincipal, Error, ErrorKind, Validator,
    testing::{Issuer, TokenBuilder},
};
use tracing::Level;
use tracing_subscriber::{filter::dynamic_filter_fn, prelude::*};

/// The issuer that tests share. Whoever rotates or breaks keys starts one of its own.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::start_blocking)
}

/// Runs `test` with a validator of the shared issuer, keys loaded.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(TEST_LIMIT, test)
                .await
                .expect("a test in time")
        })
}

/// Who is calling, by this token.
#[track_caller]
pub(crate) fn admitted(token: TokenBuilder) -> AgentPrincipal {
    admitted_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn admitted_by(validator: &Validator, token: &str) -> AgentPrincipal {
    match verdict(validator, token) {
        Ok(principal) => principal,
        Err(kind) => panic!("refused: {kind:?}"),
    }
}

/// Why this token is refused.
#[track_caller]
pub(crate) fn refusal(token: TokenBuilder) -> ErrorKind {
    refusal_by(&issuer().validator(), &token.mint())
}

#[track_caller]
pub(crate) fn refusal_by(validator: &Validator, token: &str) -> ErrorKind {
    match verdict(validator, token) {
        Ok(principal) => panic!("admitted: {principal:?}"),
        Err(kind) => kind,
    }
}

/// The whole error with which this token is refused.
#[track_caller]
pub(crate) fn error_by(validator: &Validator, token: &str) -> Error {
    let verdict = block_on(async {
        validator.ready().await;
        validator.validate(token).await
    });
    match verdict {
        Ok(principal) => panic!("admitted: {principal:?}"),
        Err(error) => error,
    }
}

fn verdict(validator: &Validator, token: &str) -> Result<AgentPrincipal, ErrorKind> {
    block_on(async {
        validator.ready().await;
        validator
            .validate(token)
            .await
            .map_err(|error| error.kind())
    })
}

/// Everything that was logged meanwhile on this thread, at every level, as an operator reads it.
pub(crate) fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
    listen(Listening::Everything, work)
}

/// The audit events that were made meanwhile on this thread, at the level `info`.
pub(crate) fn audited<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let (result, log) = listen(Listening::Audit, work);
    let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
    (result, events.collect())
}

/// What is kept of what is logged on a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    Nothing,
    Everything,
    Audit,
}

thread_local! {
    static LISTENING: Cell<Listening> = const { Cell::new(Listening::Nothing) };
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn listen<T>(to: Listening, work: impl FnOnce() -> T) -> (T, String) {
    static LISTENER: Once = Once::new();
    // One for all tests: whether anybody listens is remembered for all threads alike.
    LISTENER.call_once(|| {
        let everything = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(|| Log)
            .with_filter(dynamic_filter_fn(|_, _| {
                LISTENING.get() == Listening::Everything
            }));
        let audit = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(|| Log)
            .with_filter(dynamic_filter_fn(|metadata, _| {
                LISTENING.get() == Listening::Audit
                    && metadata.target() == "tower_entra::audit"
                    && *metadata.level() <= Level::INFO
            }));
        let listener = tracing_subscriber::registry().with(everything).with(audit);
        tracing::subscriber::set_global_default(listener).unwrap();
    });
    LOG.with_borrow_mut(Vec::clear);
    LISTENING.set(to);
    let result = work();
    LISTENING.set(Listening::Nothing);
    let log = LOG.with_borrow_mut(std::mem::take);
    (result, String::from_utf8(log).unwrap())
}

/// Writes to the log of the thread that it is on.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

const TEST_LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

pub(crate) const OTHER_TENANT: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
pub(crate) const OTHER_APP: &str = "001458b4-6bef-4de5-acde-bf9b2edaf9fb";
