"""MSAL for Python and MSAL for Node, behind the same calls."""

import json
import os
import select
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self

import msal
import requests

from entra import Entra, KeyPair
from mint import Json
from program import LIMIT

ACQUIRE = os.environ.get("MSAL", "")
"""The script that drives MSAL for Node, beside which it is installed."""


@dataclass(frozen=True)
class Got:
    """A token that MSAL has got, and what it says of it."""

    token: str
    from_cache: bool
    id_claims: Json
    """Of the ID token. Empty where there is none."""


class Refused(Exception):
    """An error of the token endpoint as MSAL reports it."""

    def __init__(
        self,
        error: str,
        suberror: str | None,
        code: int,
        text: str,
        claims: str | None,
        correlation_id: str,
        kind: str | None,
    ) -> None:
        super().__init__(text)
        self.error = error
        self.suberror = suberror
        self.code = code
        """The number of AADSTS that MSAL reads from `error_codes`."""
        self.text = text
        self.claims = claims
        self.correlation_id = correlation_id
        self.kind = kind
        """The class of the exception. None where the library returns errors."""


@dataclass(frozen=True)
class Secret:
    secret: str


@dataclass(frozen=True)
class Certificate:
    """With the SHA-256 thumbprint, or with that of SHA-1 only, as for old registrations."""

    key_pair: KeyPair
    sha1: bool = False


@dataclass(frozen=True)
class Assertion:
    """Always this text."""

    assertion: str


@dataclass(frozen=True)
class ExchangeToken:
    """A T1, which MSAL asks for whenever it needs one: from `blueprint`'s cache or from Entra."""

    blueprint: "App"
    scope: str
    agent: str


Credential = Secret | Certificate | Assertion | ExchangeToken


class App(ABC):
    """A confidential client of a library. Scopes are as the user of the library writes them."""

    @abstractmethod
    def as_itself(self, scopes: Sequence[str], *, fmi_path: str | None = None, claims: str | None = None) -> Got: ...

    @abstractmethod
    def on_behalf_of(self, assertion: str, scopes: Sequence[str], *, claims: str | None = None) -> Got: ...

    @abstractmethod
    def as_user(
        self,
        assertion: str,
        scopes: Sequence[str],
        *,
        username: str | None = None,
        object_id: str | None = None,
        claims: str | None = None,
    ) -> Got: ...

    @abstractmethod
    def silently(self, scopes: Sequence[str], *, force: bool = False) -> Got:
        """For the account that the cache has. With `force`, by its refresh token."""


class Library(ABC):
    """A library whose requests go to this look-alike."""

    def __init__(self, entra: Entra) -> None:
        self.entra = entra

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @abstractmethod
    def app(
        self,
        client_id: str,
        credential: Credential,
        *,
        tenant: str | None = None,
        capabilities: Sequence[str] = (),
    ) -> App:
        """A client with an empty cache."""


class Python(Library):
    def app(
        self,
        client_id: str,
        credential: Credential,
        *,
        tenant: str | None = None,
        capabilities: Sequence[str] = (),
    ) -> App:
        # Proxies and REQUESTS_CA_BUNDLE of the environment would come before `verify`.
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.entra.proxy.ca)
        return _PythonApp(
            msal.ConfidentialClientApplication(
                client_id,
                authority=self.entra.authority_of(tenant or self.entra.tenant),
                client_credential=_python_credential(credential),
                client_capabilities=list(capabilities) or None,
                instance_discovery=False,
                http_client=session,
            )
        )


def _python_credential(credential: Credential) -> Any:
    match credential:
        case Secret(secret):
            return secret
        case Certificate(pair, sha1=True):
            return {"private_key": pair.key, "thumbprint": pair.sha1}
        case Certificate(pair):
            return {"private_key": pair.key, "public_certificate": pair.certificate}
        case Assertion(assertion):
            return {"client_assertion": assertion}
        case ExchangeToken(blueprint, scope, agent):
            return {"client_assertion": lambda: blueprint.as_itself([scope], fmi_path=agent).token}


class _PythonApp(App):
    def __init__(self, application: Any) -> None:
        self._app = application

    def as_itself(self, scopes: Sequence[str], *, fmi_path: str | None = None, claims: str | None = None) -> Got:
        call = self._app.acquire_token_for_client
        return _python_result(call(list(scopes), fmi_path=fmi_path, claims_challenge=claims))

    def on_behalf_of(self, assertion: str, scopes: Sequence[str], *, claims: str | None = None) -> Got:
        call = self._app.acquire_token_on_behalf_of
        return _python_result(call(assertion, list(scopes), claims_challenge=claims))

    def as_user(
        self,
        assertion: str,
        scopes: Sequence[str],
        *,
        username: str | None = None,
        object_id: str | None = None,
        claims: str | None = None,
    ) -> Got:
        result = self._app.acquire_token_by_user_federated_identity_credential(
            list(scopes),
            assertion,
            username=username,
            user_object_id=object_id,
            claims_challenge=claims,
        )
        return _python_result(result)

    def silently(self, scopes: Sequence[str], *, force: bool = False) -> Got:
        [account] = self._app.get_accounts()
        call = self._app.acquire_token_silent_with_error
        return _python_result(call(list(scopes), account, force_refresh=force))


def _python_result(result: Json | None) -> Got:
    if result is None:
        raise AssertionError("MSAL has no token and no error")
    if "error" in result:
        raise Refused(
            result["error"],
            result.get("suberror"),
            result["error_codes"][0],
            result["error_description"],
            result.get("claims"),
            result["correlation_id"],
            None,
        )
    from_cache = result["token_source"] == "cache"
    return Got(result["access_token"], from_cache, result.get("id_token_claims", {}))


class Node(Library):
    """A process for all apps."""

    def __init__(self, entra: Entra) -> None:
        super().__init__(entra)
        node = shutil.which("node")
        if node is None or not ACQUIRE:
            raise AssertionError("node is not installed, or MSAL does not name the script")
        self._process = subprocess.Popen(
            [node, ACQUIRE],
            # Nothing else of the environment, such as a proxy.
            env={"NODE_EXTRA_CA_CERTS": str(entra.proxy.ca)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._names = count()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(LIMIT)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def app(
        self,
        client_id: str,
        credential: Credential,
        *,
        tenant: str | None = None,
        capabilities: Sequence[str] = (),
    ) -> App:
        name = f"app {next(self._names)}"
        self._ask(
            "app",
            app=name,
            client_id=client_id,
            authority=self.entra.authority_of(tenant or self.entra.tenant),
            known=self.entra.proxy.host,
            credential=_node_credential(credential),
            capabilities=list(capabilities),
        )
        return _NodeApp(name, self._ask)

    def _ask(self, call: str, **parameters: Any) -> Json:
        assert self._process.stdin is not None and self._process.stdout is not None
        given = {name: value for name, value in parameters.items() if value is not None}
        self._process.stdin.write(json.dumps({"call": call, **given}).encode() + b"\n")
        readable, _, _ = select.select([self._process.stdout], [], [], LIMIT)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            raise AssertionError(f"MSAL for Node does not answer {call}")
        answer: Json = json.loads(line)
        return answer


def _node_credential(credential: Credential) -> Json:
    match credential:
        case Secret(secret):
            return {"kind": "secret", "secret": secret}
        case Certificate(pair, sha1=True):
            return {"kind": "certificate", "key": pair.key, "sha1": pair.sha1}
        case Certificate(pair):
            members = {"key": pair.key, "certificate": pair.certificate, "sha256": pair.sha256}
            return {"kind": "certificate", **members}
        case Assertion(assertion):
            return {"kind": "assertion", "assertion": assertion}
        case ExchangeToken(_NodeApp() as blueprint, scope, agent):
            members = {"blueprint": blueprint.name, "scope": scope, "agent": agent}
            return {"kind": "exchange_token", **members}
        case ExchangeToken():
            raise AssertionError("the blueprint is an app of another library")


class _NodeApp(App):
    def __init__(self, name: str, ask: Callable[..., Json]) -> None:
        self.name = name
        self._ask = ask

    def as_itself(self, scopes: Sequence[str], *, fmi_path: str | None = None, claims: str | None = None) -> Got:
        return self._get("as_itself", scopes=[*scopes], fmi_path=fmi_path, claims=claims)

    def on_behalf_of(self, assertion: str, scopes: Sequence[str], *, claims: str | None = None) -> Got:
        return self._get("on_behalf_of", assertion=assertion, scopes=[*scopes], claims=claims)

    def as_user(
        self,
        assertion: str,
        scopes: Sequence[str],
        *,
        username: str | None = None,
        object_id: str | None = None,
        claims: str | None = None,
    ) -> Got:
        return self._get(
            "as_user",
            assertion=assertion,
            scopes=[*scopes],
            username=username,
            object_id=object_id,
            claims=claims,
        )

    def silently(self, scopes: Sequence[str], *, force: bool = False) -> Got:
        return self._get("silently", scopes=[*scopes], force=force)

    def _get(self, call: str, **parameters: Any) -> Got:
        answer = self._ask(call, app=self.name, **parameters)
        if (thrown := answer.get("thrown")) is not None:
            if thrown.get("errorNo") is None:
                raise AssertionError(f"MSAL has thrown {thrown}")
            raise Refused(
                thrown["errorCode"],
                thrown.get("subError") or None,
                thrown["errorNo"],
                thrown["errorMessage"],
                thrown.get("claims") or None,
                thrown["correlationId"],
                thrown["name"],
            )
        return Got(answer["token"], answer["from_cache"], answer.get("id_claims") or {})
