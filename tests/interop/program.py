"""A program under test: its process, its first line, its log."""

import atexit
import os
import select
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

LIMIT = 10.0
"""The most seconds that any one thing may take."""


class Program:
    """A running program with these variables and no others, in this folder or that of the tests.

    Its log is at the most talkative level for the library, so that tests can look into it.
    """

    def __init__(self, command: Sequence[str], variables: dict[str, str], folder: Path | None = None) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            # Without a buffer, in which `select` would not see a second line.
            bufsize=0,
            cwd=folder,
            env={"PORT": "0", "RUST_LOG": "info,tower_entra=trace"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        atexit.register(self._process.kill)
        try:
            self.address = self._listening_at()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait(LIMIT)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
        atexit.unregister(self._process.kill)

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> int:
        """Asks it to end. Its exit status."""
        self._process.terminate()
        return self._process.wait(LIMIT)

    def log(self) -> str:
        """What it has written to stderr so far."""
        return os.pread(self._log.fileno(), 1 << 24, 0).decode()

    def line(self) -> str:
        """The next line that it writes to stdout."""
        output = self._process.stdout
        assert output is not None
        readable, _, _ = select.select([output], [], [], LIMIT)
        return output.readline().decode() if readable else ""

    def _listening_at(self) -> str:
        line = self.line()
        prefix = "listening on http://"
        if not (line.startswith(f"{prefix}127.0.0.1:") and line.endswith("\n")):
            raise AssertionError(f"the first line is {line!r}; its log: {self.log()}")
        return line.removeprefix(prefix).rstrip("\n")
