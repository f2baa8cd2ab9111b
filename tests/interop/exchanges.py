"""The same questions, asked by MSAL and by us, and the requests that each makes for them."""

import http.client
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from entra import Entra
from libraries import App, Assertion, Certificate, Credential, ExchangeToken, Library, Refused, Secret
from mint import part_of
from program import LIMIT
from sidecar import Sidecar
from tls import Passed

EXCHANGE = "api://AzureADTokenExchange/.default"
CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
ELSEWHERE = "0d5c8a3e-9b1f-4e6a-8c72-5f4e3d2c1b0a"
"""A tenant in which nothing is registered: the request is made nevertheless."""

Facts = dict[str, str]
"""What a request has, by names such as `parameter scope` and `header accept`, without what differs each time."""


@dataclass(frozen=True)
class Question:
    """A token, and which of the requests for it are compared."""

    leg: str
    """`T1`, `T2` or `last`."""
    caller: str
    """`app`, `blueprint`, `agent`, or `user` with the object id, or `name` with the name of the agent's user."""
    credential: str = "secret"
    for_person: bool = False
    claims: str | None = None
    elsewhere: bool = False
    capable: bool = False


QUESTIONS = {
    "app": Question("last", "app"),
    "app by certificate": Question("last", "app", "certificate"),
    "app by certificate with its chain": Question("last", "app", "chain"),
    "app by assertion": Question("last", "app", "assertion"),
    "app in another tenant": Question("last", "app", elsewhere=True),
    "app with claims": Question("last", "app", claims=CLAIMS),
    "app with cp1": Question("last", "app", capable=True),
    "app for a person": Question("last", "blueprint", for_person=True),
    "T1": Question("T1", "agent"),
    "T1 by certificate": Question("T1", "agent", "certificate"),
    "T1 with cp1": Question("T1", "agent", capable=True),
    "T2": Question("T2", "user"),
    "T2 with cp1": Question("T2", "user", capable=True),
    "agent": Question("last", "agent"),
    "agent for a person": Question("last", "agent", for_person=True),
    "agent for a person with claims": Question("last", "agent", for_person=True, claims=CLAIMS),
    "agent for a person with cp1": Question("last", "agent", for_person=True, capable=True),
    "agent's user": Question("last", "user"),
    "agent's user by name": Question("last", "name"),
    "agent's user with claims": Question("last", "user", claims=CLAIMS),
}


class Asker(ABC):
    """Who asks. Each question is asked with an empty cache."""

    def __init__(self, entra: Entra) -> None:
        self.entra = entra

    def facts(self, question: Question) -> Facts:
        """Of the request that the question names. An error of Entra is no matter."""
        before = len(self.entra.token_requests)
        self.ask(question)
        for request in self.entra.token_requests[before:]:
            if _leg_of(request) == question.leg:
                facts = facts_of(request)
                resource = self.entra.api["resource"]
                return {name: value.replace(resource, "{api}") for name, value in facts.items()}
        raise AssertionError(f"no such request is made: {question}")

    @abstractmethod
    def ask(self, question: Question) -> None: ...

    @property
    def default(self) -> str:
        return f"{self.entra.api['resource']}/.default"

    @property
    def scope(self) -> str:
        return f"{self.entra.api['resource']}/{self.entra.api['scopes'][0]}"


class Msal(Asker):
    def __init__(self, entra: Entra, library: Library) -> None:
        super().__init__(entra)
        self._library = library

    def ask(self, question: Question) -> None:
        try:
            self._ask(question)
        except Refused:
            pass

    def _ask(self, question: Question) -> None:
        capabilities = ["cp1"] if question.capable else []
        if question.caller == "app":
            tenant = ELSEWHERE if question.elsewhere else None
            credential = self._credential(question.credential, self.entra.client_secret)
            app = self._library.app(self.entra.client, credential, tenant=tenant, capabilities=capabilities)
            app.as_itself([self.default], claims=question.claims)
            return
        credential = self._credential(question.credential, self.entra.blueprint_secret)
        app = self._library.app(self.entra.blueprint, credential, capabilities=capabilities)
        if question.caller != "blueprint":
            token = ExchangeToken(app, EXCHANGE, self.entra.agent)
            app = self._library.app(self.entra.agent, token, capabilities=capabilities)
        if question.for_person:
            app.on_behalf_of(self.entra.mint("person"), [self.scope], claims=question.claims)
        elif question.caller in ("user", "name"):
            self._ask_as_user(app, question)
        else:
            app.as_itself([self.default], claims=question.claims)

    def _ask_as_user(self, agent: App, question: Question) -> None:
        user = self.entra.agent_user
        name = {"user": {"object_id": user["object_id"]}, "name": {"username": user["user_principal_name"]}}
        t2 = agent.as_itself([EXCHANGE]).token
        agent.as_user(t2, [self.scope], claims=question.claims, **name[question.caller])

    def _credential(self, kind: str, secret: str) -> Credential:
        match kind:
            case "certificate" | "chain":
                return Certificate(self.entra.key_pair)
            case "assertion":
                return Assertion(self.entra.mint("person"))
            case _:
                return Secret(secret)


class Ours(Asker):
    """The sidecar, which asks by the public names of the library. Each question has one of its own."""

    def __init__(self, entra: Entra) -> None:
        super().__init__(entra)
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        pair = entra.key_pair
        (self._folder / "client.pem").write_text(pair.key + pair.certificate)
        (self._folder / "assertion").write_text(entra.mint("person"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def ask(self, question: Question) -> None:
        query: dict[str, str] = {}
        user = self.entra.agent_user
        if question.caller not in ("app", "blueprint"):
            query["AgentIdentity"] = self.entra.agent
        if question.caller == "user":
            query["AgentUserId"] = user["object_id"]
        if question.caller == "name":
            query["AgentUsername"] = user["user_principal_name"]
        if question.claims is not None:
            query["optionsOverride.AcquireTokenOptions.Claims"] = question.claims
        if question.elsewhere:
            query["optionsOverride.AcquireTokenOptions.Tenant"] = ELSEWHERE
        service = "connection"
        if question.for_person or question.caller in ("user", "name"):
            service = "person"
        route, headers = "AuthorizationHeaderUnauthenticated", {}
        if question.for_person:
            route, headers = "AuthorizationHeader", {"Authorization": f"Bearer {self.entra.mint('person')}"}
        parameters = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        with self._sidecar(question) as sidecar:
            connection = http.client.HTTPConnection(sidecar.program.address, timeout=LIMIT)
            try:
                connection.request("GET", f"/{route}/{service}?{parameters}", headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                # 400 and 403 are answers to a question that is not asked as it must be.
                if answer.status in (400, 403, 404, 405):
                    raise AssertionError(f"the sidecar answers {answer.status}: {body!r}")
            finally:
                connection.close()

    def _sidecar(self, question: Question) -> Sidecar:
        variables = {
            "DownstreamApis__person__Scopes__0": self.scope,
            "Sidecar__AllowOverrides__GetAuthorizationHeader": "true",
        }
        first = "AzureAd__ClientCredentials__0"
        if question.credential in ("certificate", "chain"):
            variables[f"{first}__SourceType"] = "Path"
            variables[f"{first}__CertificateDiskPath"] = str(self._folder / "client.pem")
        if question.credential == "chain":
            variables["AzureAd__SendX5C"] = "true"
        if question.credential == "assertion":
            variables[f"{first}__SourceType"] = "SignedAssertionFilePath"
            variables[f"{first}__SignedAssertionFileDiskPath"] = str(self._folder / "assertion")
        if question.capable:
            variables["AzureAd__ClientCapabilities__0"] = "cp1"
        return Sidecar(self.entra, of_client=question.caller == "app", **variables)


GROUPS = {
    "every request": list(QUESTIONS),
    "every request with a user": [
        name
        for name, question in QUESTIONS.items()
        if question.leg == "last" and (question.for_person or question.caller in ("user", "name"))
    ],
    "every request but on behalf of a person": [
        name for name, question in QUESTIONS.items() if not question.for_person
    ],
    "every request by certificate": [
        name for name, question in QUESTIONS.items() if question.credential in ("certificate", "chain")
    ],
}
"""Names for several questions."""


def _leg_of(request: Passed) -> str:
    form = request.form
    if "fmi_path" in form:
        return "T1"
    is_exchange = form["scope"].lower().startswith(EXCHANGE.lower())
    return "T2" if is_exchange and form["grant_type"] == "client_credentials" else "last"


def facts_of(request: Passed) -> Facts:
    url = urlsplit(request.target)
    # What follows from the length of the body and from the address.
    headers = {name: value for name, value in request.headers.items() if name not in ("content-length", "host")}
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise AssertionError(f"a parameter is sent twice: {names}")
    facts = {"method": request.method, "path": url.path, "order of the parameters": " ".join(names)}
    facts |= {f"query {name}": _shown(value) for name, value in parse_qsl(url.query, keep_blank_values=True)}
    facts |= {f"header {name}": _shown(value) for name, value in headers.items()}
    for name, value in pairs:
        facts[f"parameter {name}"] = _shown(value)
        if name == "client_assertion" and _is_signed_by_certificate(value):
            facts |= _facts_of_assertion(value)
    return facts


def _facts_of_assertion(assertion: str) -> Facts:
    header, claims = part_of(assertion, 0), part_of(assertion, 1)
    facts = {f"assertion's header {name}": _shown(value) for name, value in header.items()}
    if "x5c" in header:
        lines = ", in lines" if any("\n" in certificate for certificate in header["x5c"]) else ""
        facts["assertion's header x5c"] = f"base64{lines}: {len(header['x5c'])}"
    facts |= {f"assertion's claim {name}": _shown(value) for name, value in claims.items()}
    for name in ("exp", "iat", "nbf"):
        if name in claims:
            facts[f"assertion's claim {name}"] = type(claims[name]).__name__
    facts["assertion's life"] = f"{round(claims['exp'] - claims.get('nbf', claims.get('iat')))} s"
    return facts


def _is_signed_by_certificate(assertion: str) -> bool:
    return any(name in part_of(assertion, 0) for name in ("x5t", "x5t#S256"))


def _shown(value: Any) -> str:
    """Without what is another in each run or with each version."""
    text = str(value)
    if re.fullmatch(r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", text):
        return "JWT"
    text = re.sub(r"(?<=/)[0-9]+(\.[0-9]+)+", "*", text)
    # A SHA-256 in base64url.
    return re.sub(r"^[A-Za-z0-9_-]{43}(=?)$", r"thumbprint\1", text)


GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALWAYS_OTHER = ("header client-request-id", "assertion's claim jti")
ORDER = "client_id, credential, scope, claims, grant"


def differing(ours: Facts, theirs: Facts) -> Iterator[tuple[str, str | None, str | None]]:
    """What differs: its name, their value and ours."""
    common = [name for name in ours["order of the parameters"].split() if f"parameter {name}" in theirs]
    for name in sorted(ours | theirs):
        they, we = theirs.get(name), ours.get(name)
        if name == "order of the parameters":
            in_order = [one for one in theirs[name].split() if one in common]
            they, we = ORDER if in_order == common else "another", ORDER
        elif name in ALWAYS_OTHER and they is not None and we is not None:
            # Another GUID each time.
            they, we = (GUID.sub("GUID", value) for value in (they, we))
        if they != we:
            yield name, they, we

