#!/usr/bin/env bash
# Starts the Entra look-alike and a sidecar for it on this machine. Ctrl-C ends both.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --locked --features axum,testing --example entra
cargo build --locked --features sidecar --bin tower-entra-sidecar
target=${CARGO_TARGET_DIR:-target}/debug

"$target/examples/entra" >/dev/null &
entra=$!
trap 'kill "$entra" 2>/dev/null || true' EXIT
"$target/tower-entra-sidecar" --config examples/sidecar/appsettings.json
