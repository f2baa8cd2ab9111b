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
//! | 0 | ended by SIGTERM or SIGINT, after the requests under way |
//! | 1 | could not listen, or could not go on |
//! | 2 | the configuration is wrong: each wrong key has a line on stderr |

mod answer;

mod app;

mod asked;

mod audit;

mod authorization_header;

mod downstream;

mod frame;

mod gate;

mod guid;

mod health;

mod identity;

mod inbound;

mod json;

mod overrides;

mod paths;

mod problem;

mod route;

mod routes;

mod serve;

mod settings;

mod stub;

mod token;

mod validate;

use std::{
    io::{self, Write},
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
    frame::Frame,
    serve::{Connections, Listener},
    settings::Settings,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in &failure.lines {
                // Without a reader of stderr the exit code must do.
                let _ = writeln!(io::stderr(), "{line}");
            }
            failure.code
        }
    }
}

fn run() -> Result<(), Failure> {
    let settings = stub::settings().map_err(Failure::configuration)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .enable_all()
        .build()
        .map_err(Failure::system)?;
    let result = runtime.block_on(serve(settings));
    // What is still under way after the drain is cut off.
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    // Before the first line is printed, so that a signal that follows it ends the program in order.
    let terminate = signal(SignalKind::terminate()).map_err(Failure::system)?;
    let interrupt = signal(SignalKind::interrupt()).map_err(Failure::system)?;
    let app = App::new(settings)
        .map_err(|error| Failure::configuration(vec![format!("AzureAd: {error}")]))?;
    let mut listeners = Vec::new();
    for listen in &app.settings.listen {
        listeners.push(Listener::bind(listen).await.map_err(Failure::other)?);
    }
    // Starts to fetch the keys.
    let _ = app.validator.status();
    say_where(&listeners);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(stop_at_signal(terminate, interrupt, stop));
    let router = routes::router(&app);
    let rest = serve::serve(listeners, Frame::new(app, router), CONNECTIONS, stopped).await;
    if rest > 0 {
        tracing::warn!(connections = rest, "connections are cut off");
    }
    Ok(())
}

/// Prints a line for each listener on stdout.
fn say_where(listeners: &[Listener]) {
    let mut stdout = io::stdout().lock();
    for listener in listeners {
        // A closed stdout is no reason not to serve.
        let _ = writeln!(stdout, "listening on {}", listener.url());
    }
    let _ = stdout.flush();
}

async fn stop_at_signal(mut terminate: Signal, mut interrupt: Signal, stop: watch::Sender<bool>) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("no more connections are accepted");
    stop.send_replace(true);
    // The receivers know of no sender that is gone.
    stop.closed().await;
}

fn worker_threads() -> usize {
    // More threads than that only take memory: a request takes a few microseconds.
    available_parallelism().map_or(1, |threads| threads.get().min(4))
}

/// Why the program ends other than by a signal.
#[derive(Debug)]
struct Failure {
    code: ExitCode,
    lines: Vec<String>,
}

impl Failure {
    fn configuration(lines: Vec<String>) -> Self {
        let code = ExitCode::from(2);
        Self { code, lines }
    }

    fn other(error: impl ToString) -> Self {
        let lines = vec![error.to_string()];
        let code = ExitCode::FAILURE;
        Self { code, lines }
    }

    fn system(error: io::Error) -> Self {
        Self::other(format!(
            "the operating system refuses what the program needs: {error}"
        ))
    }
}

/// 10,000 idle clients leave room for others.
const CONNECTIONS: Connections = Connections {
    all: 16_384,
    remote: 1_024,
};
