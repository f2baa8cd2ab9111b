"""The static sidecar in a directory tree that has nothing else: run by `.ci/check_static_sidecar`.

Its name keeps it out of the tests that are found, because the binary takes minutes to build.
"""

import json
import os
import shutil
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import jwt
from entra import Entra
from program import LIMIT, Program

BINARY = os.environ["STATIC_SIDECAR"]
USER = "65532:65532"


def _path_of(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert path is not None, program
    return path


class InAnEmptyRoot(unittest.TestCase):
    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.entra = self.stack.enter_context(Entra())
        self.root = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.root.chmod(0o555)
        shutil.copy(BINARY, self.root / "tower-entra-sidecar")
        certificates = self.root / "etc/ssl/certs"
        certificates.mkdir(parents=True)
        shutil.copy(self.entra.proxy.ca, certificates / "ca-certificates.crt")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        self.files = self._files()

        scope = f"{self.entra.api['resource']}/.default"
        port = urllib.parse.urlsplit(self.entra.proxy.url).port
        variables = {
            "ASPNETCORE_URLS": "http://127.0.0.1:0",
            "AzureAd__Instance": self.entra.proxy.url,
            "AzureAd__TenantId": self.entra.tenant,
            "AzureAd__ClientId": self.entra.blueprint,
            "AzureAd__ClientCredentials__0__SourceType": "ClientSecret",
            "AzureAd__ClientCredentials__0__ClientSecret": self.entra.blueprint_secret,
            "DownstreamApis__orders__Scopes__0": scope,
            "DownstreamApis__orders__RequestAppToken": "true",
            # A name, which the static C library has to look up.
            "DownstreamApis__orders__BaseUrl": f"https://localhost:{port}/{self.entra.tenant}/v2.0",
            "DownstreamApis__orders__RelativePath": ".well-known/openid-configuration",
            "Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated": "true",
            "Sidecar__AllowOverrides__CallDownstreamApiUnauthenticated": "true",
        }
        chroot = _path_of("chroot")
        command = [chroot, f"--userspec={USER}", str(self.root), "/tower-entra-sidecar"]
        if os.geteuid() != 0:
            unshare = [_path_of("unshare"), "--map-root-user"]
            command = [*unshare, chroot, str(self.root), "/tower-entra-sidecar"]
        self.sidecar = self.stack.enter_context(Program(command, variables))

    def _files(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))

    def _ask(self, method: str, path: str) -> dict[str, object]:
        request = urllib.request.Request(f"http://{self.sidecar.address}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as response:
                answer: dict[str, object] = json.load(response)
        except urllib.error.HTTPError as refused:
            self.fail(f"{refused.code} {refused.read()!r}; its log: {self.sidecar.log()}")
        return answer

    def test_it_gets_a_token_over_tls_calls_an_api_by_name_and_writes_nothing(self) -> None:
        agent = f"AgentIdentity={self.entra.agent}"
        header = str(self._ask("GET", f"/AuthorizationHeaderUnauthenticated/orders?{agent}")["authorizationHeader"])
        claims = jwt.decode(header.removeprefix("Bearer "), options={"verify_signature": False})
        self.assertEqual(claims.get("azp") or claims.get("appid"), self.entra.agent)

        downstream = self._ask("POST", f"/DownstreamApiUnauthenticated/orders?{agent}")
        self.assertEqual(downstream["statusCode"], 200, downstream)
        self.assertIn("token_endpoint", json.loads(str(downstream["content"])))

        self.assertEqual(self._files(), self.files)

    def test_it_runs_without_rights_and_ends_when_it_is_asked_to(self) -> None:
        status = Path(f"/proc/{self.sidecar.pid}/status").read_text()
        effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        if os.geteuid() == 0:
            self.assertEqual(int(effective.split()[1], 16), 0, status)
        self.assertEqual(self.sidecar.end(), 0, self.sidecar.log())
