#!/usr/bin/env bash
# Uses the page of the example `entra` in headless Chromium, as a person would. Works from any directory.
#
#   CARGO_TARGET_DIR   where cargo builds, and npm's package and the screenshots lie (default: target)
#   CHROMIUM           the browser to use (default: chromium; where it is missing, Debian's package is
#                      installed if this is root, and otherwise nothing is tested)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
[[ $target == /* ]] || target=$PWD/$target
export CARGO_TARGET_DIR=$target

chromium=${CHROMIUM:-$(command -v chromium || true)}
if [[ -z $chromium && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends chromium >>"$log" 2>&1; then
        chromium=$(command -v chromium || true)
    else
        tail -n 3 "$log"
    fi
    rm -f "$log"
fi
if [[ -z $chromium ]]; then
    echo "skipped: there is no Chromium, and it cannot be installed"
    exit 0
fi
for program in node npm; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is needed, to drive the browser" >&2
        exit 1
    fi
done

work=$target/page
if ! cmp -s "$here/package-lock.json" "$work/installed.json"; then
    rm -rf "$work"
    mkdir -p "$work"
    cp "$here/package.json" "$here/package-lock.json" "$work"
    npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error
    # Last, so that an interrupted installation is begun again.
    cp "$here/package-lock.json" "$work/installed.json"
fi
cp "$here/"*.mjs "$work"

cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --example entra

export CHROMIUM=$chromium ENTRA=$target/debug/examples/entra SCREENSHOTS=$work
exec node "$work/test.mjs" "$@"
