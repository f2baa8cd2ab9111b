"""The program under test: the process, and requests to it."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from program import LIMIT, Program

PROGRAM = os.environ.get("WHOAMI", "target/debug/examples/whoami")


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        return json.loads(self.body)


class Whoami(Program):
    """A running `whoami` with these variables and no others."""

    def __init__(self, **variables: str) -> None:
        super().__init__([PROGRAM], variables)

    def get(
        self,
        path: str,
        token: str | None = None,
        *,
        authorization: Sequence[str | bytes] = (),
    ) -> Answer:
        """GET with a bearer token, or with these `Authorization` lines, or with none."""
        if token is not None:
            authorization = [f"Bearer {token}"]
        host, _, port = self.address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT)
        try:
            connection.putrequest("GET", path)
            for line in authorization:
                connection.putheader("Authorization", line)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def answers(self, path: str, tokens: Sequence[str]) -> list[Answer]:
        """The answer for each bearer token, asked for one after the other on one connection."""
        host, _, port = self.address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT)
        answers = []
        try:
            for token in tokens:
                connection.putrequest("GET", path)
                connection.putheader("Authorization", f"Bearer {token}".encode())
                connection.endheaders()
                response = connection.getresponse()
                answers.append(Answer(response.status, response.getheaders(), response.read()))
        finally:
            connection.close()
        return answers

    def raw(self, path: str, lines: Sequence[bytes]) -> Answer:
        """GET with exactly these header lines, whether or not HTTP allows them."""
        host, _, port = self.address.partition(":")
        head = b"\r\n".join([f"GET {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *lines])
        with socket.create_connection((host, int(port)), LIMIT) as connection:
            connection.sendall(head + b"\r\n\r\n")
            response = http.client.HTTPResponse(connection)
            response.begin()
            return Answer(response.status, response.getheaders(), response.read())

    def curl(self, path: str, token: str | None = None) -> Answer:
        """The same request, made by curl. The token is not on its command line."""
        completed = subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--include", "--http1.1"),
                *("--noproxy", "*", "--max-time", str(LIMIT), "--header", "@-"),
                f"http://{self.address}{path}",
            ],
            input=f"Authorization: Bearer {token}\n".encode() if token else b"",
            capture_output=True,
            timeout=2 * LIMIT,
            check=True,
        )
        head, _, body = completed.stdout.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = [(name, value.strip()) for name, _, value in fields]
        return Answer(int(status.split(" ")[1]), headers, body)

    def wait_until_ready(self, limit: float = LIMIT) -> None:
        """Waits for its keys."""
        wait_until(lambda: self.get("/readyz").status == 200, limit, "/readyz to answer 200")


def run_to_end(**variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `whoami` with these variables and no others, where it is expected to give up."""
    try:
        return subprocess.run(
            [PROGRAM],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT / 2,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"it did not give up, but said {expired.output!r}") from None


def wait_until(is_so: Callable[[], bool], limit: float, what: str) -> None:
    """Looks again and again until it is so. After `limit` seconds: AssertionError."""
    deadline = time.monotonic() + limit
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit} s for {what}")
        time.sleep(0.05)
