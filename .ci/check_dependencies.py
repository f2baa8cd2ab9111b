#!/usr/bin/env python3
"""Checks what the graph of dependencies promises: every crate in it builds with the Rust version that
Cargo.toml names, and the README counts them right.

    python3 .ci/check_dependencies.py
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def version(text):
    return tuple(int(part) for part in text.split("."))[:2]


def newer_than_promised():
    """Crates, those for tests included, that say they need a newer Rust than this one does."""
    packages = json.loads(cargo("metadata", "--format-version", "1", "--all-features"))["packages"]
    own = next(package for package in packages if package["name"] == "tower-entra")
    promised = own["rust_version"]
    if f"rustc {promised} or later" not in README:
        yield f"README.md does not say that rustc {promised} is needed"
    for package in packages:
        needed = package.get("rust_version")
        if needed and version(needed) > version(promised):
            yield f"{package['name']} {package['version']} needs rustc {needed}"


def count(*features):
    """Crates that a user builds for this machine, this one and build-time ones included."""
    tree = cargo("tree", "--edges", "normal,build", "--prefix", "none", *features)
    return len({" ".join(line.split()[:2]) for line in tree.splitlines() if line})


def wrong_counts():
    stated = re.search(r"(\d+) crates by default, (\d+) without the HTTP client", README)
    if not stated:
        yield "README.md does not count the crates"
        return
    counted = (count(), count("--no-default-features"))
    if tuple(map(int, stated.groups())) != counted:
        yield f"README.md counts {stated.groups()} crates; there are {counted}"
    added = tuple(count("--features", feature) - counted[0] for feature in ("acquire", "azure", "sidecar"))
    words = "`acquire` adds {}, `azure` {}, and `sidecar` {}".format(added[0] or "none", *added[1:])
    if words not in " ".join(README.split()):
        yield f"README.md does not say that the feature {words}"


def main():
    faults = [*newer_than_promised(), *wrong_counts()]
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
