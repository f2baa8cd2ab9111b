"""The program `tower-entra-sidecar` in front of the example `entra`."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from entra import Entra
from program import Program
from tls import Passed, Recorder

PROGRAM = os.environ.get("SIDECAR", "target/debug/tower-entra-sidecar")

EXCHANGE = "api://AzureAdTokenExchange/.default"
"""As Microsoft's documents for the SDK spell it."""

SERVICES = ("default", "order book", "b%2Fk+#&?", "Bücher")
"""The names of services with tokens of the API, for an app or a user. The SDK's own is the first."""


class Sidecar:
    """For the blueprint, or for the ordinary app, with the services that the SDK wants.

    Beside `SERVICES`, `agenticblueprint` gets exchange tokens, and `connection` tokens of the API for an app only.
    """

    def __init__(
        self,
        entra: Entra,
        *,
        of_client: bool = False,
        allows_overrides: bool = True,
        **variables: str,
    ) -> None:
        client, secret = entra.blueprint, entra.blueprint_secret
        if of_client:
            client, secret = entra.client, entra.client_secret
        scope = f"{entra.api['resource']}/.default"
        configuration = {
            "ASPNETCORE_URLS": "http://127.0.0.1:0",
            "AzureAd__Instance": entra.proxy.url,
            "AzureAd__TenantId": entra.tenant,
            "AzureAd__ClientId": client,
            "AzureAd__ClientCredentials__0__SourceType": "ClientSecret",
            "AzureAd__ClientCredentials__0__ClientSecret": secret,
            "DownstreamApis__agenticblueprint__Scopes__0": EXCHANGE,
            "DownstreamApis__agenticblueprint__RequestAppToken": "true",
            "DownstreamApis__connection__Scopes__0": scope,
            "DownstreamApis__connection__RequestAppToken": "true",
            "Logging__LogLevel__Default": "Trace",
            "SSL_CERT_FILE": str(entra.proxy.ca),
        }
        for service in SERVICES:
            configuration[f"DownstreamApis__{service}__Scopes__0"] = scope
        if allows_overrides:
            configuration["Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated"] = "true"
        with ExitStack() as stack:
            # Where no file of the repository is taken for its configuration.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.program = stack.enter_context(Program([PROGRAM], configuration | variables, folder))
            self.url = f"http://{self.program.address}"
            self._recorder = stack.enter_context(Recorder())
            self._recorder.upstream = self.program.address
            self.recorded_url = self._recorder.url
            """The same program behind a proxy that records."""
            self._stack = stack.pop_all()

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
    def recorded(self) -> list[Passed]:
        """Every request to `recorded_url` that has been answered so far."""
        return self._recorder.passed
