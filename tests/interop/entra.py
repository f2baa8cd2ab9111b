"""The example `entra` behind a proxy with TLS, as MSAL demands."""

import hashlib
import http.client
import json
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization

from mint import Json, Key
from program import LIMIT, Program
from tls import Passed, Proxy, new_certificate, pem_of, pem_of_key

PROGRAM = os.environ.get("ENTRA", "target/debug/examples/entra")


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its key."""

    key: str
    """PEM, PKCS#8."""
    certificate: str
    """PEM."""
    sha1: str
    """Thumbprint in hexadecimal digits."""
    sha256: str

    @classmethod
    def generate(cls) -> Self:
        key = Key.generate().private
        certificate = new_certificate(key, "A client of one run")
        der = certificate.public_bytes(serialization.Encoding.DER)
        return cls(
            pem_of_key(key).decode(),
            pem_of(certificate).decode(),
            hashlib.sha1(der, usedforsecurity=False).hexdigest(),
            hashlib.sha256(der).hexdigest(),
        )


class Entra:
    """The look-alike, at an URL with https."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        with self._stack:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self.proxy = self._stack.enter_context(Proxy(folder))
            self.key_pair = KeyPair.generate()
            """Registered with the blueprint and the client."""
            certificate = folder / "client.pem"
            certificate.write_text(self.key_pair.certificate)
            variables = {"PUBLIC_URL": self.proxy.url, "CERTIFICATE": str(certificate)}
            self.program = self._stack.enter_context(Program([PROGRAM, "--json"], variables))
            self.proxy.upstream = self.program.address
            registered = json.loads(self.program.line())
            self._stack = self._stack.pop_all()

        self.tenant: str = registered["tenant_id"]
        self.blueprint: str = registered["blueprint"]["client_id"]
        self.blueprint_secret: str = registered["blueprint"]["secret"]
        self.agent, self.other_agent = (str(agent["client_id"]) for agent in registered["agents"])
        self.agent_user: Json = registered["agent_user"]
        self.person: str = registered["person"]["object_id"]
        self.client: str = registered["client"]["client_id"]
        self.client_secret: str = registered["client"]["secret"]
        self.api: Json = registered["apis"][0]
        self.other_api: Json = registered["apis"][1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def authority(self) -> str:
        return self.authority_of(self.tenant)

    @property
    def issuer(self) -> str:
        return f"{self.authority}/v2.0"

    def authority_of(self, tenant: str) -> str:
        return f"{self.proxy.url}/{tenant}"

    @property
    def token_requests(self) -> list[Passed]:
        """Every request to the token endpoint so far."""
        return [passed for passed in self.proxy.passed if passed.path.endswith("/oauth2/v2.0/token")]

    def keys(self) -> list[Json]:
        """The JWKs that it publishes."""
        keys: list[Json] = json.loads(self._get(f"/{self.tenant}/discovery/v2.0/keys"))["keys"]
        return keys

    def mint(self, what: str) -> str:
        """A token for the blueprint: of a `person`, or of an `app`."""
        return self._get(f"/mint/{what}").decode()

    def throttle(self) -> None:
        """Has the next token request answered with 429, to be repeated after 5 s."""
        self._send("POST", "/page/fault", {"fault": "throttled", "times": 1})

    def _get(self, path: str) -> bytes:
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: Json | None = None) -> bytes:
        connection = http.client.HTTPConnection(self.program.address, timeout=LIMIT)
        try:
            sent = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, sent, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise AssertionError(f"{path} answers {response.status}")
            return answer
        finally:
            connection.close()
