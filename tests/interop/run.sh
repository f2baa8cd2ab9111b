#!/usr/bin/env bash
# Tests the example `whoami` with tokens minted by PyJWT, and its verdicts against those of PyJWT and
# of npm's jose; the example `entra` with MSAL for Python and for Node; the requests of `tower-entra-sidecar` beside
# theirs; and that program with the Microsoft 365 Agents SDK for both. Works from any directory.
#
#   CARGO_TARGET_DIR   where cargo builds, and Python's and npm's packages lie (default: target)
#   PYTHON             the interpreter to use, 3.11 or later (default: python3)
#   DIFFERENCES        if set, `test_mutants` prints how many mutants of each class are judged otherwise
#
# Arguments choose tests, as `python -m unittest` takes them: run.sh test_keys
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
[[ $target == /* ]] || target=$PWD/$target
export CARGO_TARGET_DIR=$target
venv=$target/interop-venv
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    # Last, so that an interrupted installation is begun again.
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

# npm's jose is the other oracle, its MSAL a client of the token service, its Agents SDK one of the sidecar.
# Without them a difference would go unseen, so their absence is a failure.
for program in node npm; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is needed, for npm's jose, MSAL and Agents SDK" >&2
        exit 1
    fi
done
for package in jose msal agents_hosting; do
    installed=$target/interop-$package
    if ! cmp -s "$here/$package/package-lock.json" "$installed/installed.json"; then
        rm -rf "$installed"
        mkdir -p "$installed"
        cp "$here/$package/package.json" "$here/$package/package-lock.json" "$installed"
        npm ci --prefix "$installed" --ignore-scripts --no-audit --no-fund --loglevel=error
        # Last, as above.
        cp "$here/$package/package-lock.json" "$installed/installed.json"
    fi
    cp "$here/$package/"*.mjs "$installed"
done
export JOSE=$target/interop-jose/verify.mjs
export MSAL=$target/interop-msal/acquire.mjs
export AGENTS_HOSTING=$target/interop-agents_hosting/tokens.mjs

# All at once, so that the library is built once.
cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --all-features \
    --example whoami --example explain --example entra --bin tower-entra-sidecar

export WHOAMI=$target/debug/examples/whoami
export EXPLAIN=$target/debug/examples/explain
export ENTRA=$target/debug/examples/entra
export SIDECAR=$target/debug/tower-entra-sidecar
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here" "$@"
