//! Tokens and checks over HTTP, for agents in other languages: the HTTP interface of Microsoft's Entra auth
//! sidecar, version 1.1.2.
//!
//! ```sh
//! cargo run --features sidecar --bin tower-entra-sidecar -- --config appsettings.json
//! ```
//!
//! The folder `examples/sidecar` of the repository says how to configure and deploy it.

mod app;

mod audit;

mod problem;

mod settings;

fn main() {}
