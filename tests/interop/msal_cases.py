"""What MSAL gets from the look-alike and what it is refused, in whatever language it is.

`test_msal.py` runs these classes for each library.
"""

import json
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import oracles
from entra import Entra, KeyPair
from libraries import App, Assertion, Certificate, Credential, ExchangeToken, Got, Library, Refused, Secret
from mint import Json, part_of
from tls import Passed
from whoami import Whoami

EXCHANGE = "api://AzureADTokenExchange/.default"
EXCHANGE_ID = "fb60f99c-7a34-4190-8149-302f77469936"
NOBODY = "0d5c8a3e-9b1f-4e6a-8c72-5f4e3d2c1b0a"
"""A GUID under which nothing is registered."""

T = TypeVar("T")


class MsalTest(unittest.TestCase):
    """One look-alike, one library and one `whoami` that trusts the look-alike for all tests of a class."""

    library_type: ClassVar[type[Library]]
    entra: ClassVar[Entra]
    library: ClassVar[Library]
    whoami: ClassVar[Whoami]

    @classmethod
    def setUpClass(cls) -> None:
        cls.entra = cls.enterClassContext(Entra())
        cls.library = cls.enterClassContext(cls.library_type(cls.entra))
        variables = {
            "AZURE_AUTHORITY_HOST": cls.entra.proxy.url,
            "AZURE_TENANT_ID": cls.entra.tenant,
            "EXPECTED_AUDIENCE": cls.entra.api["client_id"],
            "SSL_CERT_FILE": str(cls.entra.proxy.ca),
        }
        cls.whoami = cls.enterClassContext(Whoami(**variables))
        cls.whoami.wait_until_ready()

    @property
    def default(self) -> list[str]:
        """What an app or an agent asks for as itself."""
        return [f"{self.entra.api['resource']}/.default"]

    @property
    def scope(self) -> list[str]:
        """What is granted with a user."""
        return [f"{self.entra.api['resource']}/{self.entra.api['scopes'][0]}"]

    @property
    def other_scope(self) -> list[str]:
        """What no user has consented to."""
        return [f"{self.entra.other_api['resource']}/{self.entra.other_api['scopes'][0]}"]

    def client(self, credential: Credential | None = None, **settings: Any) -> App:
        """The ordinary app."""
        credential = credential or Secret(self.entra.client_secret)
        return self.library.app(self.entra.client, credential, **settings)

    def blueprint(self, credential: Credential | None = None, **settings: Any) -> App:
        credential = credential or Secret(self.entra.blueprint_secret)
        return self.library.app(self.entra.blueprint, credential, **settings)

    def agent(self, blueprint: App | None = None, agent: str | None = None, **settings: Any) -> App:
        """An agent that presents T1."""
        agent = agent or self.entra.agent
        credential = ExchangeToken(blueprint or self.blueprint(), EXCHANGE, agent)
        return self.library.app(agent, credential, **settings)

    def requests_of(self, call: Callable[..., T], *arguments: Any, **named: Any) -> tuple[T, list[Passed]]:
        """What a call returns, and the token requests that it makes."""
        before = len(self.entra.token_requests)
        result = call(*arguments, **named)
        return result, self.entra.token_requests[before:]


class Tokens(MsalTest):
    def assert_admitted(self, got: Got, kind: str, **expected: Any) -> None:
        """`whoami` admits the token and tells of this caller."""
        answer = self.whoami.get("/whoami", got.token)
        self.assertEqual(answer.status, 200, answer)
        body = answer.json()
        expected = {"kind": kind, "tenant_id": self.entra.tenant} | expected
        self.assertEqual({name: body[name] for name in expected}, expected)

    def assert_has_account(self, got: Got, object_id: str) -> None:
        """MSAL has read an ID token of the agent for this user."""
        expected = {"aud": self.entra.agent, "oid": object_id, "tid": self.entra.tenant}
        self.assertEqual(got.id_claims, got.id_claims | expected)

    def test_an_app_gets_a_token_for_itself(self) -> None:
        got = self.client().as_itself(self.default)
        roles = [self.entra.api["roles"][0]]
        self.assert_admitted(got, "application", client_id=self.entra.client, roles=roles)

    def test_a_certificate_proves_the_app_and_the_blueprint(self) -> None:
        for sha1, algorithm, thumbprint in ((False, "PS256", "x5t#S256"), (True, "RS256", "x5t")):
            with self.subTest(algorithm):
                credential = Certificate(self.entra.key_pair, sha1)
                client = self.client(credential)
                got, [request] = self.requests_of(client.as_itself, self.default)
                self.assert_admitted(got, "application", client_id=self.entra.client)
                header = part_of(request.form["client_assertion"], 0)
                self.assertEqual(header["alg"], algorithm)
                self.assertIn(thumbprint, header)

                agent = self.agent(self.blueprint(credential))
                self.assert_admitted(agent.as_itself(self.default), "autonomous_agent")

    def test_a_blueprint_gets_an_exchange_token_for_each_agent(self) -> None:
        # MSAL's cache does not tell the spellings apart.
        for scope in (EXCHANGE, EXCHANGE.replace("AD", "Ad")):
            blueprint = self.blueprint()
            for agent in (self.entra.agent, self.entra.other_agent):
                with self.subTest(scope, agent=agent):
                    got = blueprint.as_itself([scope], fmi_path=agent)
                    self.assertFalse(got.from_cache)
                    payload = part_of(got.token, 1)
                    expected = {"aud": EXCHANGE_ID, "azp": self.entra.blueprint, "azpacr": "1"}
                    self.assertEqual(payload, payload | expected)
                    self.assertTrue(payload["sub"].endswith(f"/{agent}"), payload["sub"])

    def test_an_agent_gets_a_token_for_itself(self) -> None:
        for agent in (self.entra.agent, self.entra.other_agent):
            with self.subTest(agent):
                self.assert_admitted(
                    self.agent(agent=agent).as_itself(self.default),
                    "autonomous_agent",
                    client_id=agent,
                    object_id=agent,
                    parent_agent_blueprint=self.entra.blueprint,
                    roles=[self.entra.api["roles"][0]],
                )

    def test_an_agent_gets_a_token_on_behalf_of_a_person(self) -> None:
        got = self.agent().on_behalf_of(self.entra.mint("person"), self.scope)
        self.assert_admitted(
            got,
            "agent_on_behalf_of_user",
            client_id=self.entra.agent,
            object_id=self.entra.person,
            parent_agent_blueprint=self.entra.blueprint,
            scopes=[self.entra.api["scopes"][0]],
        )
        self.assert_has_account(got, self.entra.person)

    def test_an_agents_user_gets_a_token_by_either_name(self) -> None:
        user = self.entra.agent_user
        for name in ({"username": user["user_principal_name"]}, {"object_id": user["object_id"]}):
            with self.subTest(**name):
                agent = self.agent()
                got = agent.as_user(agent.as_itself([EXCHANGE]).token, self.scope, **name)
                self.assert_admitted(
                    got,
                    "agent_user",
                    client_id=self.entra.agent,
                    object_id=user["object_id"],
                    parent_agent_blueprint=self.entra.blueprint,
                    scopes=[self.entra.api["scopes"][0]],
                )
                self.assert_has_account(got, user["object_id"])
                self.assertEqual(got.id_claims["preferred_username"], user["user_principal_name"])

    def test_the_default_scope_stands_for_what_is_consented_to(self) -> None:
        got = self.agent().on_behalf_of(self.entra.mint("person"), self.default)
        self.assert_admitted(got, "agent_on_behalf_of_user", scopes=[self.entra.api["scopes"][0]])

    def test_a_repeated_call_is_answered_from_the_cache(self) -> None:
        client = self.client()
        blueprint = self.blueprint()
        calls: dict[str, Callable[[], Got]] = {
            "an app": lambda: client.as_itself(self.default),
            "T1": lambda: blueprint.as_itself([EXCHANGE], fmi_path=self.entra.agent),
            "T1 of the other agent": lambda: blueprint.as_itself([EXCHANGE], fmi_path=self.entra.other_agent),
        }
        for name, call in calls.items():
            with self.subTest(name):
                first, requests = self.requests_of(call)
                self.assertEqual((first.from_cache, len(requests)), (False, 1))
                second, requests = self.requests_of(call)
                self.assertEqual((second, requests), (Got(first.token, True, {}), []))

    def test_one_exchange_token_serves_every_call_of_an_agent(self) -> None:
        def calls() -> None:
            agent.as_itself(self.default)
            agent.on_behalf_of(self.entra.mint("person"), self.scope)
            agent.as_user(agent.as_itself([EXCHANGE]).token, self.scope, object_id=user)

        user = self.entra.agent_user["object_id"]
        agent = self.agent()
        _, requests = self.requests_of(calls)
        with_path = ["fmi_path" in request.form for request in requests]
        self.assertEqual(with_path, [True, False, False, False, False])
        assertions = {request.form.get("client_assertion") for request in requests[1:]}
        self.assertEqual(len(assertions), 1)

    def test_a_users_token_is_had_silently_and_renewed_by_its_refresh_token(self) -> None:
        person = self.entra.mint("person")
        user = self.entra.agent_user["object_id"]
        flows: dict[str, tuple[str, Callable[[App], Got]]] = {
            "agent_on_behalf_of_user": (
                self.entra.person,
                lambda agent: agent.on_behalf_of(person, self.scope),
            ),
            "agent_user": (
                user,
                lambda agent: agent.as_user(agent.as_itself([EXCHANGE]).token, self.scope, object_id=user),
            ),
        }
        for kind, (object_id, flow) in flows.items():
            with self.subTest(kind):
                agent = self.agent()
                first = flow(agent)
                second, requests = self.requests_of(agent.silently, self.scope)
                self.assertEqual((second.token, second.from_cache), (first.token, True))
                self.assertEqual(requests, [])

                renewed, [request] = self.requests_of(agent.silently, self.scope, force=True)
                self.assertEqual(request.form["grant_type"], "refresh_token")
                self.assertIn("client_assertion", request.form)
                self.assertNotEqual(renewed.token, first.token)
                self.assert_admitted(renewed, kind, client_id=self.entra.agent, object_id=object_id)

    def test_a_claims_challenge_is_answered_past_the_cache(self) -> None:
        wanted = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})
        client = self.client()
        client.as_itself(self.default)
        again = client.as_itself(self.default, claims=wanted)
        self.assertFalse(again.from_cache)

        agent = self.agent()
        user = self.entra.agent_user["object_id"]
        t2 = agent.as_itself([EXCHANGE]).token
        person = self.entra.mint("person")
        for got in (
            agent.on_behalf_of(person, self.scope, claims=wanted),
            agent.as_user(t2, self.scope, object_id=user, claims=wanted),
        ):
            self.assertEqual(part_of(got.token, 1)["acrs"], ["c1"])

    def test_capabilities_are_taken_on_every_leg(self) -> None:
        agent = self.agent(self.blueprint(capabilities=["cp1"]), capabilities=["cp1"])
        person = self.entra.mint("person")
        got, requests = self.requests_of(agent.on_behalf_of, person, self.scope)
        for request in requests:
            claims = json.loads(request.form["claims"])
            self.assertEqual(claims["access_token"]["xms_cc"]["values"], ["cp1"])
        self.assertEqual(len(requests), 2)
        self.assertEqual(part_of(got.token, 1)["xms_cc"], ["cp1"])

    def test_pyjwt_and_jose_accept_the_tokens_of_every_flow(self) -> None:
        agent = self.agent()
        user = self.entra.agent_user["object_id"]
        t2 = agent.as_itself([EXCHANGE]).token
        tokens = [
            self.client().as_itself(self.default).token,
            self.blueprint().as_itself([EXCHANGE], fmi_path=self.entra.agent).token,
            agent.as_itself(self.default).token,
            t2,
            agent.on_behalf_of(self.entra.mint("person"), self.scope).token,
            agent.as_user(t2, self.scope, object_id=user).token,
            self.entra.mint("person"),
            self.entra.mint("app"),
        ]
        audiences = [self.entra.api["client_id"], EXCHANGE_ID, self.entra.blueprint]
        for oracle in (oracles.pyjwt, oracles.jose):
            with self.subTest(oracle.__name__):
                verdicts = oracle(tokens, self.entra.keys(), [self.entra.issuer], audiences)
                self.assertEqual(verdicts, [None] * len(tokens))

    def test_one_document_is_all_that_is_read_of_the_authority(self) -> None:
        before = len(self.entra.proxy.passed)
        self.agent().as_itself(self.default)
        read = [passed.path for passed in self.entra.proxy.passed[before:] if passed.method == "GET"]
        document = f"/{self.entra.tenant}/v2.0/.well-known/openid-configuration"
        # One for each of the two apps.
        self.assertEqual(read, [document] * 2)


@dataclass(frozen=True)
class Error:
    """What the token endpoint answers: status, `error`, `error_codes[0]`, `suberror`."""

    status: int
    error: str
    code: int
    suberror: str | None = None


class Refusals(MsalTest):
    throws: ClassVar[bool]
    """Whether the library throws its errors, with a class of its own for what a user must do."""

    def assert_refused(self, expected: Error, call: Callable[..., Got], *arguments: Any, **named: Any) -> Refused:
        """MSAL reports this error, of its last request to the token endpoint."""
        with self.assertRaises(Refused) as raised:
            call(*arguments, **named)
        refused = raised.exception
        request = self.entra.token_requests[-1]
        found = Error(request.status, refused.error, refused.code, refused.suberror)
        self.assertEqual(found, expected, refused.text)
        self.assertIn(f"AADSTS{expected.code}: ", refused.text)
        sent = request.headers.get("client-request-id") or request.form["client-request-id"]
        self.assertEqual(refused.correlation_id, sent)
        if self.throws:
            kind = "InteractionRequiredAuthError" if expected.suberror else "ServerError"
            self.assertEqual(refused.kind, kind)
        return refused

    def test_a_wrong_secret(self) -> None:
        expected = Error(401, "invalid_client", 7000215)
        self.assert_refused(expected, self.client(Secret("wrong")).as_itself, self.default)
        blueprint = self.blueprint(Secret("wrong"))
        self.assert_refused(expected, blueprint.as_itself, [EXCHANGE], fmi_path=self.entra.agent)

    def test_a_certificate_that_is_not_registered(self) -> None:
        client = self.client(Certificate(KeyPair.generate()))
        expected = Error(401, "invalid_client", 700027)
        self.assert_refused(expected, client.as_itself, self.default)

    def test_a_client_that_there_is_not(self) -> None:
        client = self.library.app(NOBODY, Secret("any"))
        expected = Error(400, "unauthorized_client", 700016)
        self.assert_refused(expected, client.as_itself, self.default)

    def test_a_tenant_that_there_is_not(self) -> None:
        client = self.client(tenant=NOBODY)
        expected = Error(400, "invalid_request", 90002)
        self.assert_refused(expected, client.as_itself, self.default)

    def test_a_scope_that_an_app_may_not_ask_for_itself(self) -> None:
        client = self.client()
        expected = Error(400, "invalid_scope", 1002012)
        self.assert_refused(expected, client.as_itself, self.scope)

    def test_an_api_that_there_is_not(self) -> None:
        client = self.client()
        expected = Error(400, "invalid_resource", 500011)
        self.assert_refused(expected, client.as_itself, [f"api://{NOBODY}/.default"])

    def test_a_blueprint_that_acts_itself(self) -> None:
        blueprint = self.blueprint()
        person = self.entra.mint("person")
        expected = Error(400, "unauthorized_client", 82001)
        self.assert_refused(expected, blueprint.as_itself, self.default)
        expected = Error(400, "invalid_request", 82008)
        self.assert_refused(expected, blueprint.as_itself, [EXCHANGE])
        expected = Error(400, "invalid_grant", 7000114)
        self.assert_refused(expected, blueprint.on_behalf_of, person, self.scope)

    def test_an_exchange_token_for_an_agent_that_there_is_not(self) -> None:
        blueprint = self.blueprint()
        expected = Error(401, "invalid_client", 7000229)
        self.assert_refused(expected, blueprint.as_itself, [EXCHANGE], fmi_path=NOBODY)

    def test_an_exchange_token_of_another_agent(self) -> None:
        t1 = self.blueprint().as_itself([EXCHANGE], fmi_path=self.entra.other_agent).token
        agent = self.library.app(self.entra.agent, Assertion(t1))
        expected = Error(401, "invalid_client", 700213)
        self.assert_refused(expected, agent.as_itself, self.default)

    def test_an_agents_own_exchange_token_as_its_assertion(self) -> None:
        t2 = self.agent().as_itself([EXCHANGE]).token
        agent = self.library.app(self.entra.agent, Assertion(t2))
        expected = Error(401, "invalid_client", 700231)
        self.assert_refused(expected, agent.as_itself, self.default)

    def test_an_assertion_without_a_person(self) -> None:
        agent = self.agent()
        expected = Error(400, "invalid_grant", 7000114)
        self.assert_refused(expected, agent.on_behalf_of, self.entra.mint("app"), self.scope)

    def test_what_is_not_consented_to(self) -> None:
        agent = self.agent()
        t2 = agent.as_itself([EXCHANGE]).token
        user = self.entra.agent_user["object_id"]
        expected = Error(400, "invalid_grant", 65001, "consent_required")
        for refused in (
            self.assert_refused(expected, agent.on_behalf_of, self.entra.mint("person"), self.other_scope),
            self.assert_refused(expected, agent.as_user, t2, self.other_scope, object_id=user),
        ):
            assert refused.claims is not None
            self.assertIn("capolids", json.loads(refused.claims)["access_token"])

    def test_scopes_of_two_apis(self) -> None:
        agent = self.agent()
        scopes = self.scope + self.other_scope
        expected = Error(400, "invalid_scope", 700022)
        self.assert_refused(expected, agent.on_behalf_of, self.entra.mint("person"), scopes)

    def test_a_user_that_is_not_the_agents(self) -> None:
        agent = self.agent()
        other = self.agent(agent=self.entra.other_agent)
        t2 = agent.as_itself([EXCHANGE]).token
        others_t2 = other.as_itself([EXCHANGE]).token
        t1 = self.blueprint().as_itself([EXCHANGE], fmi_path=self.entra.agent).token
        name = self.entra.agent_user["user_principal_name"]
        user = {"object_id": self.entra.agent_user["object_id"]}
        grant = "invalid_grant"
        cases: dict[str, tuple[App, str, Json, str, int]] = {
            "no such name": (agent, t2, {"username": "nobody@example.com"}, grant, 50034),
            "no such object id": (agent, t2, {"object_id": NOBODY}, grant, 50034),
            "a name as an object id": (agent, t2, {"object_id": name}, "server_error", 50000),
            "another agent's user": (other, others_t2, user, grant, 50020),
            "another agent's T2": (agent, others_t2, user, grant, 500131),
            "T1 in the place of T2": (agent, t1, user, grant, 500131),
        }
        for case, (app, credential, named, error, code) in cases.items():
            with self.subTest(case):
                expected = Error(400, error, code)
                self.assert_refused(expected, app.as_user, credential, self.scope, **named)
