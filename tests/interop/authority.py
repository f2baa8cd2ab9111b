"""An Entra look-alike on loopback: discovery, keys, rotation, faults."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

CLOUD = "microsoftonline.com"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DISCOVERY = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
_KEYS = re.compile(r"/([^/]+)/discovery/v2\.0/keys")


@dataclass(frozen=True)
class Fault:
    """An answer given instead of the right one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    """How many seconds later it is given."""


class Authority:
    """Serves discovery documents and keys for any tenant at an ephemeral port of 127.0.0.1.

    The port is taken from the start. With `listening=False` connections are refused until
    `listen()` is called.
    """

    def __init__(self, *, listening: bool = True) -> None:
        self.requests: list[str] = []
        """The target of every request so far, in order."""
        self.fault: Fault | None = None
        """What every request is answered with, while set."""
        self.keys_fault: Fault | None = None
        """What every request for keys is answered with, while set."""
        self.discovery: dict[str, Any] = {}
        """Members that take the place of the right ones in discovery documents."""
        self._keys: list[dict[str, Any]] = []

        authority = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                authority.requests.append(self.path)
                self.send(authority._answer(self.path))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.server_bind()
        self._thread: Thread | None = None
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if listening:
            self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def listen(self) -> None:
        """Accepts connections from now on."""
        self._server.server_activate()
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops serving and gives the port back."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def publish(self, *keys: dict[str, Any]) -> None:
        """Makes these JWKs the whole key set: rotation is publishing others."""
        self._keys = [*keys]

    def issuer(self, tenant: str, version: str = "2.0") -> str:
        """What the tokens of this tenant say in `iss`."""
        return f"{self.url}/{tenant}/v2.0" if version == "2.0" else f"{self.url}/{tenant}/"

    @property
    def issuer_template(self) -> str:
        """The `issuer` of Entra's own keys and of its tenant-independent discovery documents."""
        return self.issuer("{tenantid}")

    @property
    def discovery_fetches(self) -> int:
        """How often a discovery document was asked for."""
        return sum(_DISCOVERY.fullmatch(path) is not None for path in self.requests)

    @property
    def keys_fetches(self) -> int:
        """How often keys were asked for."""
        return sum(_KEYS.fullmatch(path) is not None for path in self.requests)

    def _answer(self, path: str) -> Fault:
        if self.fault is not None:
            return self.fault
        if found := _DISCOVERY.fullmatch(path):
            return _json(self._discovery_document(found[1]) | self.discovery)
        if _KEYS.fullmatch(path):
            return self.keys_fault or _json({"keys": self._keys})
        return Fault(404)

    def _discovery_document(self, tenant: str) -> dict[str, Any]:
        named = tenant if _GUID.fullmatch(tenant) else "{tenantid}"
        return {
            "issuer": self.issuer(named),
            "authorization_endpoint": f"{self.url}/{tenant}/oauth2/v2.0/authorize",
            "token_endpoint": f"{self.url}/{tenant}/oauth2/v2.0/token",
            "jwks_uri": f"{self.url}/{tenant}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": None,
            "cloud_instance_name": CLOUD,
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
            "rbac_url": "https://pas.windows.net",
        }


def _json(document: dict[str, Any]) -> Fault:
    return Fault(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


class _Handler(BaseHTTPRequestHandler):
    def send(self, answer: Fault) -> None:
        time.sleep(answer.after)
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The other side no longer waits.

    def log_message(self, format: str, *args: Any) -> None:
        pass
