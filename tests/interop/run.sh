#!/usr/bin/env bash
# Tests the example `whoami` with tokens minted by PyJWT, and its verdicts against those of PyJWT and
# of npm's jose. Works from any directory.
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

# The other oracle. Without it a difference would go unseen, so its absence is a failure.
for program in node npm; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is needed, for the verdicts of npm's jose" >&2
        exit 1
    fi
done
jose=$target/interop-jose
if ! cmp -s "$here/jose/package-lock.json" "$jose/installed.json"; then
    rm -rf "$jose"
    mkdir -p "$jose"
    cp "$here/jose/package.json" "$here/jose/package-lock.json" "$jose"
    npm ci --prefix "$jose" --ignore-scripts --no-audit --no-fund --loglevel=error
    # Last, as above.
    cp "$here/jose/package-lock.json" "$jose/installed.json"
fi
cp "$here/jose/verify.mjs" "$jose"
export JOSE=$jose/verify.mjs

cargo build --quiet --locked --manifest-path "$root/Cargo.toml" --example whoami --example explain

export WHOAMI=$target/debug/examples/whoami
export EXPLAIN=$target/debug/examples/explain
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$here" "$@"
