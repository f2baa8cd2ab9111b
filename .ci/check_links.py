#!/usr/bin/env python3
"""Checks that every relative link of the Markdown files of the repository and of the package leads somewhere.

    python3 .ci/check_links.py

A link in a file of the package must lead to a file of the package, because on crates.io and in an unpacked
package there is nothing else. `#anchor` must be a heading.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def lines_of(*command):
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return set(run.stdout.split("\n")) - {""}


def anchors(text):
    """The anchors that GitHub gives to headings."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def faults(name, files, where):
    path = ROOT / name
    for link in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.is_relative_to(ROOT) or not there.exists():
            yield f"{name}: {link} leads nowhere"
        elif files is not None and there.is_file() and str(there.relative_to(ROOT)) not in files:
            yield f"{name}: {link} is not in the {where}"
        elif anchor and there.suffix == ".md":
            if anchor not in anchors(there.read_text(encoding="utf-8")):
                yield f"{name}: {link} names no heading"


def main():
    package = lines_of("cargo", "package", "--list", "--locked", "--allow-dirty", "--quiet")
    repository = lines_of("git", "ls-files", "--cached", "--others", "--exclude-standard")
    found = []
    for name in sorted(name for name in repository if name.endswith(".md")):
        files, where = (package, "package") if name in package else (None, "repository")
        found.extend(faults(name, files, where))
    for fault in found:
        print(fault, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
