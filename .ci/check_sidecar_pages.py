#!/usr/bin/env python3
"""Runs the shell lines of the sidecar's pages that call it, and their programs in Python and TypeScript, against
examples/sidecar/try.sh: each must be answered as the page says. Needs curl and Node.js.

    python3 .ci/check_sidecar_pages.py
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples/sidecar"
PAGES = [ROOT / "README.md", *sorted(FOLDER.glob("*.md"))]
SIDECAR = "http://127.0.0.1:5178"
BLOCK = re.compile(r"^```(sh|python|ts)\n(.*?)^```$", re.M | re.S)
PROGRAMS = {"python": [sys.executable, "-c"], "ts": ["node", "--input-type=module", "--eval"]}
REFUSED = 2
"""Requests of other_languages.md, behind the words "Refused:"."""


def start():
    """try.sh, once both of its programs answer."""
    log = tempfile.TemporaryFile("w+")
    script = subprocess.Popen([FOLDER / "try.sh"], cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    for _ in range(3_000):
        if script.poll() is not None:
            log.seek(0)
            sys.exit(f"try.sh has ended: {log.read()}")
        try:
            urllib.request.urlopen(f"{SIDECAR}/readyz", timeout=1).close()
            return script
        except OSError:
            time.sleep(0.1)
    stop(script)
    sys.exit("the sidecar does not answer")


def stop(script):
    """Ends it and both of its programs."""
    os.killpg(script.pid, signal.SIGTERM)
    script.wait(20)


def blocks(page):
    """Those that call the sidecar."""
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if "127.0.0.1:5178" in text or "$SIDECAR" in text:
            yield language, text


def faults_of(page):
    # One shell for a page: a block uses the variables of those before it.
    shell = "\n".join(text for language, text in blocks(page) if language == "sh")
    asked = len(re.findall(r"^(?:PERSON=.*\n)?curl .*", shell, re.M))
    if shell:
        done = subprocess.run(["bash", "-eu", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
        got = done.stdout.count('{"authorizationHeader":"Bearer ') + done.stdout.count('{"protocol":"Bearer"')
        refused = done.stdout.count("HTTP/1.1 400 Bad Request")
        expected = REFUSED if "# Refused:" in shell else 0
        if done.returncode or (got, refused) != (asked - expected, expected):
            yield f"{page.name}: {asked} calls, {got} tokens, {refused} refusals: {done.stdout} {done.stderr}"
    for language, text in blocks(page):
        if language in PROGRAMS:
            command = [*PROGRAMS[language], text]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            if not done.stdout.startswith("Bearer eyJ"):
                yield f"{page.name}: {done.stdout} {done.stderr}"
    print(f"{page.relative_to(ROOT)}: {asked} calls")


def main():
    script = start()
    try:
        faults = [fault for page in PAGES for fault in faults_of(page)]
    finally:
        stop(script)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
