"""The Microsoft 365 Agents SDK for Python and for Node, behind the same calls."""

import asyncio
import json
import logging
import os
import select
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from microsoft_agents.authentication.entra_auth_sidecar import SidecarAuth, SidecarAuthError
from microsoft_agents.hosting.core import AgentAuthConfiguration

from mint import Json
from program import LIMIT

TOKENS = os.environ.get("AGENTS_HOSTING", "")
"""The script that drives the SDK for Node, beside which it is installed."""

# What it logs of refusals would be printed among the names of the tests.
logging.getLogger("microsoft_agents").addHandler(logging.NullHandler())


@dataclass
class Failed(Exception):
    """An error as the SDK reports it."""

    kind: str
    """The class of the exception, or its number where there is only one class."""
    text: str


@dataclass(frozen=True)
class Call:
    """What a client is asked for: a method of `Client`, and its arguments."""

    name: str
    arguments: Json


def connection_token(scope: str | None = None) -> Call:
    """Of the app itself, with the scope of the service if none is given."""
    return Call("connection_token", {"scope": scope})


def application_token(tenant: str | None, agent: str) -> Call:
    """Which proves the agent to Entra."""
    return Call("application_token", {"tenant": tenant, "agent": agent})


def instance_token(tenant: str | None, agent: str) -> Call:
    """Of the agent itself, with the scopes of the connection if it has some."""
    return Call("instance_token", {"tenant": tenant, "agent": agent})


def user_token(tenant: str | None, agent: str, user: str, scopes: Sequence[str] = ()) -> Call:
    """Of the agent's user account, by object id or by name."""
    return Call("user_token", {"tenant": tenant, "agent": agent, "user": user, "scopes": [*scopes]})


class Client(ABC):
    """A connection of the SDK to a sidecar, with a cache of its own."""

    @abstractmethod
    def is_healthy(self) -> bool: ...

    @abstractmethod
    def at_once(self, calls: Sequence[Call]) -> list[str]:
        """The token that each of these calls gets, made at the same time."""

    def get(self, call: Call) -> str:
        """A token."""
        [token] = self.at_once([call])
        return token


class Sdk(ABC):
    """The SDK in one language. `variables` are all that it finds in its environment."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = variables or {}

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @abstractmethod
    def client(
        self,
        url: str | None,
        *,
        service: str | None = None,
        scopes: Sequence[str] = (),
        retries: int | None = None,
    ) -> Client:
        """A connection with an empty cache. What is None is left to the SDK's defaults."""

    @abstractmethod
    def refusal(self, status: int, title: str) -> Failed:
        """How it reports an answer that is no success, for which it does not try again."""

    @abstractmethod
    def outage(self, status: int, attempts: int) -> Failed:
        """How it reports an answer for which it has tried again, to no avail."""

    @abstractmethod
    def unreachable(self, attempts: int) -> Failed:
        """How it reports that there is no connection. The end of the text is the system's."""


class Python(Sdk):
    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(variables)
        self._runner = asyncio.Runner()
        self._opened: list[SidecarAuth] = []

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for opened in self._opened:
            self._runner.run(opened.close())
        self._runner.close()

    def client(
        self,
        url: str | None,
        *,
        service: str | None = None,
        scopes: Sequence[str] = (),
        retries: int | None = None,
    ) -> "PythonClient":
        given = {
            "SIDECAR_BASE_URL": url,
            "SERVICE_NAME": service,
            "SCOPES": [*scopes] or None,
            "RETRY_COUNT": retries,
        }
        known = {name: value for name, value in given.items() if value is not None}
        # Nothing else of the environment, such as a proxy.
        with patch.dict(os.environ, self.variables, clear=True):
            client = SidecarAuth(AgentAuthConfiguration(**known))
        self._opened.append(client)
        return PythonClient(self._runner, client)

    def refusal(self, status: int, title: str) -> Failed:
        kind = {400: "ValueError", 404: "SidecarConfigurationError"}.get(status, "SidecarAuthError")
        return Failed(kind, f"Sidecar returned {status}: {title}")

    def outage(self, status: int, attempts: int) -> Failed:
        text = f"Sidecar request failed after {attempts} attempt(s): HTTP {status}"
        return Failed("SidecarUnavailableError", text)

    def unreachable(self, attempts: int) -> Failed:
        return Failed("SidecarUnavailableError", f"Sidecar request failed after {attempts} attempt(s): ")


class PythonClient(Client):
    def __init__(self, runner: asyncio.Runner, client: SidecarAuth) -> None:
        self._runner = runner
        self.client = client

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a call of `client` to its end."""
        try:
            return self._runner.run(coroutine)
        except (SidecarAuthError, ValueError) as error:
            # A number and an address of its documentation follow.
            text = str(error).partition("\n")[0]
            raise Failed(type(error).__name__, text) from error

    def is_healthy(self) -> bool:
        healthy: bool = self.run(self.client.is_healthy())
        return healthy

    def at_once(self, calls: Sequence[Call]) -> list[str]:
        async def gathered() -> list[str]:
            return await asyncio.gather(*(self._call(call) for call in calls))

        tokens: list[str] = self.run(gathered())
        return tokens

    async def _call(self, call: Call) -> str:
        match call.name, call.arguments:
            case "connection_token", {"scope": scope}:
                return await self.client.get_access_token("", [scope] if scope else [])
            case "application_token", {"tenant": tenant, "agent": agent}:
                return await self.client.get_agentic_application_token(tenant, agent) or ""
            case "instance_token", {"tenant": tenant, "agent": agent}:
                token, same = await self.client.get_agentic_instance_token(tenant, agent)
                assert token == same
                return token
            case "user_token", {"tenant": tenant, "agent": agent, "user": user, "scopes": scopes}:
                return await self.client.get_agentic_user_token(tenant, agent, user, scopes) or ""
        raise AssertionError(f"there is no call {call.name}")


class Node(Sdk):
    """A process for all its clients."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(variables)
        node = shutil.which("node")
        if node is None or not TOKENS:
            raise AssertionError("node is not installed, or AGENTS_HOSTING does not name the script")
        self._process = subprocess.Popen(
            [node, TOKENS],
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._names = count()
        self._ids = count()

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

    def client(
        self,
        url: str | None,
        *,
        service: str | None = None,
        scopes: Sequence[str] = (),
        retries: int | None = None,
    ) -> "NodeClient":
        given = {
            "sidecarBaseUrl": url,
            "serviceName": service,
            "scopes": [*scopes] or None,
            "retryCount": retries,
        }
        settings = {name: value for name, value in given.items() if value is not None}
        client = NodeClient(self, f"client {next(self._names)}")
        client.ask(Call("client", {"settings": settings}))
        return client

    def refusal(self, status: int, title: str) -> Failed:
        return Failed("-120807", f"Sidecar returned error status {status}: {title}")

    def outage(self, status: int, attempts: int) -> Failed:
        return self.refusal(status, "Service Unavailable")

    def unreachable(self, attempts: int) -> Failed:
        return Failed("-120806", f"Sidecar request failed after {attempts} attempt(s): ")

    def ask(self, calls: Sequence[Json]) -> list[Json]:
        """The answers to these calls, in their order."""
        assert self._process.stdin is not None and self._process.stdout is not None
        ids = [next(self._ids) for _ in calls]
        lines = [json.dumps({"id": id, **call}) for id, call in zip(ids, calls, strict=True)]
        self._process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        answers: dict[int, Json] = {}
        while len(answers) < len(calls):
            readable, _, _ = select.select([self._process.stdout], [], [], 2 * LIMIT)
            line = self._process.stdout.readline() if readable else b""
            if not line:
                raise AssertionError("the SDK for Node does not answer")
            answer = json.loads(line)
            answers[answer["id"]] = answer
        return [answers[id] for id in ids]


class NodeClient(Client):
    def __init__(self, sdk: Node, name: str) -> None:
        self._sdk = sdk
        self._name = name

    def is_healthy(self) -> bool:
        healthy: bool = self.ask(Call("is_healthy", {}))
        return healthy

    def at_once(self, calls: Sequence[Call]) -> list[str]:
        answers = self._sdk.ask([self._line(call) for call in calls])
        return [_result(answer) for answer in answers]

    def ask(self, call: Call) -> Any:
        [answer] = self._sdk.ask([self._line(call)])
        return _result(answer)

    def _line(self, call: Call) -> Json:
        # An argument that is missing is `undefined` there.
        given = {name: value for name, value in call.arguments.items() if value is not None}
        return {"client": self._name, "call": call.name, **given}


def _result(answer: Json) -> Any:
    if (thrown := answer.get("thrown")) is None:
        return answer["result"]
    if thrown.get("code") is None:
        raise AssertionError(f"the SDK for Node has thrown {thrown['message']}")
    raise Failed(str(thrown["code"]), thrown["description"])
