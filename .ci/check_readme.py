#!/usr/bin/env python3
"""Builds the README's programs in a crate that the README's own `cargo add` lines make.

    python3 .ci/check_readme.py

The README is read from top to bottom. A `cargo add` line is run in the fresh crate, with this checkout
in the place of `../tower-entra`. A Rust block with a `main` becomes a program of that crate. Programs
above the first `--dev` line are built without development dependencies; those below it are also run.
The lock file is this repository's, so that the versions are those of the other checks.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
BLOCK = re.compile(r"^```(\w*)(?:,\w+)*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(directory, *command):
    print("$", shlex.join(command), flush=True)
    environment = {**os.environ, "CARGO_TARGET_DIR": TARGET}
    subprocess.run(command, cwd=directory, check=True, env=environment)


def profiles():
    """This crate's profiles: with others, every dependency that they name would be built anew."""
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    sections = re.split(r"^(?=\[)", manifest, flags=re.MULTILINE)
    return "".join(section for section in sections if section.startswith("[profile."))


def add(line, crate):
    arguments = shlex.split(line, comments=True)
    if "--path" in arguments:
        arguments[arguments.index("--path") + 1] = str(ROOT)
    run(crate, *arguments)


def main():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    programs = tests = 0
    with tempfile.TemporaryDirectory() as parent:
        crate = pathlib.Path(parent) / "my-api"
        run(parent, "cargo", "new", "--quiet", "--vcs", "none", str(crate))
        shutil.copy(ROOT / "Cargo.lock", crate)
        for language, block in BLOCK.findall(readme):
            if language == "sh":
                for line in block.splitlines():
                    if not line.startswith("cargo add "):
                        continue
                    if "--dev" in line and programs and not tests:
                        build(crate, "--bins")
                    add(line, crate)
                    tests += "--dev" in line
            elif language == "rust" and re.search(r"^(async )?fn main\(", block, re.MULTILINE):
                folder = crate / ("examples" if tests else "src/bin")
                folder.mkdir(exist_ok=True)
                programs += 1
                name = f"readme_{programs}"
                (folder / f"{name}.rs").write_text(block, encoding="utf-8")
                if tests:
                    use_profiles(crate)
                    run(crate, "cargo", "run", "--quiet", "--example", name)
    if programs < 2 or not tests:
        sys.exit("README.md has no program, or none below a `cargo add --dev` line")


def build(crate, *arguments):
    use_profiles(crate)
    run(crate, "cargo", "build", "--quiet", *arguments)


def use_profiles(crate):
    manifest = crate / "Cargo.toml"
    text = manifest.read_text(encoding="utf-8")
    if "[profile." not in text:
        manifest.write_text(f"{text}\n{profiles()}", encoding="utf-8")


if __name__ == "__main__":
    main()
