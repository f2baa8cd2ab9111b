"""A certificate authority of one run, and proxies with and without TLS that record what passes them."""

import datetime
import http.client
import ipaddress
import ssl
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from program import LIMIT

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Passed:
    """A request that the proxy has handed on, and the answer."""

    method: str
    target: str
    headers: dict[str, str]
    """The names are in lower case."""
    body: bytes
    status: int
    answer: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


class Recorder:
    """Hands requests on from an ephemeral port of 127.0.0.1, over plain HTTP on both sides."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        """Every request that has been answered so far, in order of the answers."""
        self.upstream = ""
        """Host and port of the program behind it."""

        proxy = self

        class Handler(_Handler):
            def pass_on(self) -> None:
                passed, headers = self.exchange(proxy.upstream)
                # First, so that a client that has its answer finds it here.
                proxy.passed.append(passed)
                self.answer(passed, headers)

            do_GET = do_POST = pass_on

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.prepare(self._server)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def prepare(self, server: ThreadingHTTPServer) -> None:
        """Called before the first connection is accepted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(LIMIT)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{self.host}"


class Proxy(Recorder):
    """Terminates TLS and hands requests on over plain HTTP.

    `ca` is the file with the certificate that its clients must trust.
    """

    def __init__(self, folder: Path) -> None:
        ca_key, ca = _new_ca()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(pem_of(ca))
        key = ec.generate_private_key(ec.SECP256R1())
        self._leaf = folder / "proxy.pem"
        self._leaf.write_bytes(pem_of_key(key) + pem_of(_new_leaf(key, ca_key, ca)))
        super().__init__()

    def prepare(self, server: ThreadingHTTPServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._leaf)
        # The handshake is made in the thread of the connection, not in the one that accepts.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        return f"https://{self.host}"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A program that has been ended does not read its answer.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LIMIT
    # Headers and body are two writes, of which the second would wait for an acknowledgement.
    disable_nagle_algorithm = True

    def exchange(self, upstream: str) -> tuple[Passed, list[tuple[str, str]]]:
        """Asks `upstream`. Beside the answer, its headers."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        connection = http.client.HTTPConnection(upstream, timeout=LIMIT)
        try:
            headers = {**self.headers, "Connection": "close"}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        sent = {name.lower(): value for name, value in self.headers.items()}
        passed = Passed(self.command, self.path, sent, body, response.status, answer)
        return passed, response.getheaders()

    def answer(self, passed: Passed, headers: list[tuple[str, str]]) -> None:
        self.send_response(passed.status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(passed.answer)))
        self.end_headers()
        self.wfile.write(passed.answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def new_certificate(key: PrivateKey, name: str) -> x509.Certificate:
    """A certificate that the key itself has signed, as apps register them."""
    return _builder(name, name, key).sign(key, hashes.SHA256())


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def pem_of_key(key: PrivateKey) -> bytes:
    """PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


_CA = "The authority of one run"


def _new_ca() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_CA, _CA, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return key, builder.sign(key, hashes.SHA256())


def _new_leaf(key: PrivateKey, ca_key: ec.EllipticCurvePrivateKey, ca: x509.Certificate) -> x509.Certificate:
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = _builder("localhost", _CA, key)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    builder = builder.add_extension(issuer, critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _builder(subject: str, issuer: str, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
