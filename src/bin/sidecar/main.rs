//! Tokens and checks over HTTP, for agents in other languages: the HTTP interface of Microsoft's Entra auth
//! sidecar, version 1.1.2.
//!
//! ```sh
//! cargo run --features sidecar --bin tower-entra-sidecar -- --config appsettings.json
//! ```
//!
//! The folder `examples/sidecar` of the repository says how to configure and deploy it.
//!
//! # Exit codes
//!
//! | | |
//! |---|---|
//! | 0 | ended by SIGTERM or SIGINT, after the requests under way; with `--check`, everything that was tried is well |
//! | 1 | an address to listen at is in use, or the operating system refuses something; with `--check`, something is wrong |
//! | 2 | the configuration is wrong: each wrong key has a line on stderr |
// The fuzz targets have this file as a library, in which `main` is unused.
#![cfg_attr(fuzzing, allow(dead_code))]

mod answer;

mod app;

mod asked;

mod audit;

mod authorization_header;

mod check;

mod downstream;

mod frame;

mod gate;

mod guid;

mod health;

mod identity;

mod inbound;

mod json;

mod log;

mod metrics;

mod openapi;

mod overrides;

mod paths;

mod problem;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;

mod route;

mod routes;

mod serve;

mod settings;

mod token;

mod validate;

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    num::NonZero,
    pin::pin,
    process::ExitCode,
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    app::App,
    check::Item,
    frame::Frame,
    metrics::MetricsPage,
    serve::{Connections, DRAIN_TIME, Listener},
    settings::{Command, HELP, Listen},
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match Command::of(&arguments) {
        Command::Help => {
            print([HELP.trim_end()]);
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            print([concat!("tower-entra-sidecar ", env!("CARGO_PKG_VERSION"))]);
            Ok(ExitCode::SUCCESS)
        }
        command @ (Command::Check | Command::Serve) => run(command, &arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            // Without a reader of stderr the exit code must do.
            let _ = writeln!(io::stderr(), "{}", failure.text);
            failure.code
        }
    }
}

fn run(command: Command, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let (settings, warnings) = settings::read(arguments, env::vars_os())
        .map_err(|problems| Failure::configuration(&problems))?;
    log::start(&settings.log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads(available_parallelism()))
        .enable_all()
        .build()
        .map_err(|error| Failure::system(&error))?;
    let result = runtime.block_on(async {
        // Before the app, whose parts register their series.
        let page = settings.metrics.as_ref().map(|_| MetricsPage::install());
        let page = page.transpose().map_err(|error| Failure::other(&error))?;
        let app = App::new(settings).map_err(|problems| Failure::configuration(&problems))?;
        match command {
            Command::Check => Ok(check(&app).await),
            _ => serve(app, page).await,
        }
    });
    // What is still under way after the drain is cut off.
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

async fn check(app: &App) -> ExitCode {
    let items = check::check(app).await;
    print(items.iter().map(ToString::to_string));
    match items.iter().any(Item::is_wrong) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn serve(app: App, page: Option<MetricsPage>) -> Result<ExitCode, Failure> {
    // Before the first line is printed, so that a signal that follows it ends the program in order.
    let mut signals = Signals::new().map_err(|error| Failure::system(&error))?;
    let listeners = bind(&app.settings.listen, ASPNETCORE_URLS)?;
    let of_metrics = bind(app.settings.metrics.as_slice(), METRICS_URL)?;
    // Starts to fetch the keys.
    let _ = app.validator.status();
    let metrics_urls = of_metrics
        .iter()
        .map(|listener| format!("metrics at {}{}", listener.url(), metrics::PATH));
    let urls = listeners
        .iter()
        .map(|listener| format!("listening on {}", listener.url()));
    print(urls.chain(metrics_urls));
    let (stop, stopped) = watch::channel(false);
    let router = routes::router(&app);
    let frame = Frame::new(app, router);
    let mut serving = pin!(async {
        let serving = serve::serve(listeners, frame, CONNECTIONS, stopped.clone());
        match page {
            Some(page) => {
                let of_metrics = serve::serve(of_metrics, page, METRICS_CONNECTIONS, stopped);
                tokio::join!(serving, of_metrics).0
            }
            None => serving.await,
        }
    });
    tokio::select! {
        _ = &mut serving => return Err(Failure::other(&"no address is listened at any more")),
        () = signals.next() => {}
    }
    tracing::info!("no more connections are accepted");
    stop.send_replace(true);
    tokio::select! {
        rest = &mut serving => if rest > 0 {
            tracing::warn!(connections = rest, "connections are cut off after {DRAIN_TIME:?}");
        },
        // A second signal does not wait.
        () = signals.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// `key` is where the addresses are configured.
fn bind(all: &[Listen], key: &'static str) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::with_capacity(all.len());
    for listen in all {
        listeners.extend(Listener::bind(listen, key).map_err(|error| Failure::other(&error))?);
    }
    Ok(listeners)
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Prints lines on stdout. A closed stdout is no reason not to serve.
fn print(lines: impl IntoIterator<Item = impl AsRef<str>>) {
    let mut stdout = io::stdout().lock();
    for line in lines {
        let _ = writeln!(stdout, "{}", line.as_ref());
    }
    let _ = stdout.flush();
}

fn worker_threads(available: io::Result<NonZero<usize>>) -> usize {
    // More threads than that only take memory: a request takes a few microseconds.
    available.map_or(1, |threads| threads.get().min(4))
}

/// Why the program ends other than by a signal: lines for stderr.
#[derive(Debug)]
struct Failure {
    code: ExitCode,
    text: String,
}

impl Failure {
    fn configuration(problems: &impl ToString) -> Self {
        Self {
            code: ExitCode::from(2),
            text: problems.to_string(),
        }
    }

    fn other(error: &impl ToString) -> Self {
        Self {
            code: ExitCode::FAILURE,
            text: error.to_string(),
        }
    }

    fn system(error: &io::Error) -> Self {
        let text = format!("the operating system refuses what the program needs: {error}");
        Self::other(&text)
    }
}

/// 10,000 idle clients leave room for others.
const CONNECTIONS: Connections = Connections {
    all: 16_384,
    remote: 1_024,
};
/// Prometheus is one client.
const METRICS_CONNECTIONS: Connections = Connections {
    all: 80,
    remote: 64,
};

const ASPNETCORE_URLS: &str = "ASPNETCORE_URLS";
const METRICS_URL: &str = "Sidecar:MetricsUrl";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_threads_as_processors_and_at_most_four() {
        let threads = |available| worker_threads(Ok(NonZero::new(available).expect("some")));
        assert_eq!([1, 2, 4, 5, 64].map(threads), [1, 2, 4, 4, 4]);
        assert_eq!(worker_threads(Err(io::ErrorKind::Unsupported.into())), 1);
    }
}
