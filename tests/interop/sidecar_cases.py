"""What the Microsoft 365 Agents SDK gets from the sidecar and what it is refused, in whatever language it is.

`test_sidecar.py` runs these classes for each language.
"""

import json
import socket
import unittest
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from agents import (
    Call,
    Client,
    Failed,
    Sdk,
    application_token,
    connection_token,
    instance_token,
    user_token,
)
from entra import Entra
from mint import Json, part_of
from sidecar import SERVICES, Sidecar
from tls import Passed

EXCHANGE_ID = "fb60f99c-7a34-4190-8149-302f77469936"
"""The audience of exchange tokens."""
NOBODY = "0d5c8a3e-9b1f-4e6a-8c72-5f4e3d2c1b0a"
"""A GUID under which nothing is registered."""
NIL = "00000000-0000-0000-0000-000000000000"

T = TypeVar("T")


class SidecarTest(unittest.TestCase):
    """One look-alike, one SDK and one sidecar of the blueprint for all tests of a class."""

    sdk_type: ClassVar[type[Sdk]]
    entra: ClassVar[Entra]
    sdk: ClassVar[Sdk]
    sidecar: ClassVar[Sidecar]

    @classmethod
    def setUpClass(cls) -> None:
        cls.entra = cls.enterClassContext(Entra())
        cls.sdk = cls.enterClassContext(cls.sdk_type())
        cls.sidecar = cls.enterClassContext(Sidecar(cls.entra))

    def assert_is_of(self, token: str, **expected: Any) -> None:
        """These are the claims of the token about its caller. None: the claim is absent."""
        payload = part_of(token, 1)
        expected = {"tid": self.entra.tenant, "aud": self.entra.api["client_id"]} | expected
        self.assertEqual({name: payload.get(name) for name in expected}, expected)

    def assert_is_of_agent(self, token: str, agent: str, **expected: Any) -> None:
        """An app-only token of an agent with the API's role."""
        of_agent = {
            "azp": agent,
            "oid": agent,
            "idtyp": "app",
            "roles": self.roles,
            "scp": None,
            "xms_par_app_azp": self.entra.blueprint,
        }
        self.assert_is_of(token, **(of_agent | expected))

    def assert_is_of_user(self, token: str, **expected: Any) -> None:
        """A token of the agent's user account with the API's scope."""
        of_user = {
            "azp": self.entra.agent,
            "oid": self.user_id,
            "idtyp": "user",
            "scp": self.entra.api["scopes"][0],
            "xms_par_app_azp": self.entra.blueprint,
        }
        self.assert_is_of(token, **(of_user | expected))

    @property
    def roles(self) -> list[str]:
        return [self.entra.api["roles"][0]]

    @property
    def user_id(self) -> str:
        return str(self.entra.agent_user["object_id"])

    @property
    def user_name(self) -> str:
        return str(self.entra.agent_user["user_principal_name"])

    @property
    def default(self) -> str:
        """What an app asks for as itself."""
        return f"{self.entra.api['resource']}/.default"

    @property
    def scope(self) -> str:
        """What is granted with a user."""
        return f"{self.entra.api['resource']}/{self.entra.api['scopes'][0]}"

    @property
    def other_default(self) -> str:
        return f"{self.entra.other_api['resource']}/.default"

    @property
    def other_scope(self) -> str:
        """What no user has consented to."""
        return f"{self.entra.other_api['resource']}/{self.entra.other_api['scopes'][0]}"

    def requests_to_entra(self, call: Callable[..., T], *arguments: Any) -> tuple[T, list[Passed]]:
        """What a call returns, and the token requests that it causes."""
        before = len(self.entra.token_requests)
        result = call(*arguments)
        return result, self.entra.token_requests[before:]


class Tokens(SidecarTest):
    def client(self, **settings: Any) -> Client:
        return self.sdk.client(self.sidecar.url, **settings)

    def test_a_sidecar_is_healthy(self) -> None:
        self.assertTrue(self.client().is_healthy())

    def test_an_application_token_is_the_agents_exchange_token(self) -> None:
        for agent in (self.entra.agent, self.entra.other_agent):
            with self.subTest(agent):
                token = self.client().get(application_token(self.entra.tenant, agent))
                self.assert_is_of_agent(token, agent, aud=EXCHANGE_ID, roles=None)

    def test_an_instance_token_is_the_agents_own(self) -> None:
        for agent in (self.entra.agent, self.entra.other_agent):
            with self.subTest(agent):
                token = self.client().get(instance_token(self.entra.tenant, agent))
                self.assert_is_of_agent(token, agent)

    def test_a_user_token_is_of_the_agents_user_by_either_name(self) -> None:
        for name in (self.user_id, self.user_id.upper(), self.user_name, self.user_name.upper()):
            with self.subTest(name):
                call = user_token(self.entra.tenant, self.entra.agent, name, [self.scope])
                self.assert_is_of_user(self.client().get(call))

    def test_a_user_token_has_the_scopes_of_the_service_unless_the_call_names_some(self) -> None:
        for scopes in ([], [self.default], [self.scope]):
            for user in (self.user_id, self.user_name):
                with self.subTest(scopes=scopes, user=user):
                    call = user_token(self.entra.tenant, self.entra.agent, user, scopes)
                    self.assert_is_of_user(self.client().get(call))

    def test_a_user_comes_before_a_service_that_is_configured_for_apps(self) -> None:
        client = self.client(service="connection")
        self.assert_is_of_user(client.get(user_token(self.entra.tenant, self.entra.agent, self.user_id)))

    def test_the_scopes_of_a_connection_take_the_place_of_those_of_the_service(self) -> None:
        client = self.client(scopes=[self.other_default])
        token = client.get(instance_token(self.entra.tenant, self.entra.agent))
        other = self.entra.other_api["client_id"]
        self.assert_is_of_agent(token, self.entra.agent, aud=other, roles=None)
        again = self.client().get(instance_token(self.entra.tenant, self.entra.agent))
        self.assert_is_of_agent(again, self.entra.agent)

    def test_an_agent_asks_as_itself_for_the_first_of_several_scopes(self) -> None:
        client = self.client(scopes=[self.default, self.other_default])
        token = client.get(instance_token(self.entra.tenant, self.entra.agent))
        self.assert_is_of_agent(token, self.entra.agent)

    def test_a_service_may_have_any_name(self) -> None:
        for service in SERVICES:
            with self.subTest(service):
                client = self.client(service=service)
                token = client.get(instance_token(self.entra.tenant, self.entra.agent))
                self.assert_is_of_agent(token, self.entra.agent)

    def test_a_call_may_name_the_tenant_or_leave_it_out(self) -> None:
        # With either, the token request goes to the one tenant; so the second is answered from the cache.
        for tenant in (self.entra.tenant, self.entra.tenant.upper(), None):
            with self.subTest(tenant):
                token = self.client().get(instance_token(tenant, self.entra.agent))
                self.assert_is_of_agent(token, self.entra.agent)
        paths = {request.path for request in self.entra.token_requests}
        self.assertEqual(paths, {f"/{self.entra.tenant}/oauth2/v2.0/token"})

    def test_a_connection_token_is_that_of_an_ordinary_app(self) -> None:
        expected = {"azp": self.entra.client, "idtyp": "app", "roles": self.roles, "scp": None, "xms_par_app_azp": None}
        with Sidecar(self.entra, of_client=True) as sidecar:
            for service in ("default", "connection"):
                for scope in (self.default, None):
                    with self.subTest(service, scope=scope):
                        client = self.sdk.client(sidecar.url, service=service)
                        self.assert_is_of(client.get(connection_token(scope)), **expected)

    def test_each_client_of_a_sidecar_gets_the_same_token(self) -> None:
        calls = {
            "application": application_token(self.entra.tenant, self.entra.agent),
            "instance": instance_token(self.entra.tenant, self.entra.agent),
            "user": user_token(self.entra.tenant, self.entra.agent, self.user_id, [self.scope]),
        }
        for name, call in calls.items():
            with self.subTest(name):
                first = self.client().get(call)
                self.assertEqual(self.requests_to_entra(self.client().get, call), (first, []))

    def test_one_exchange_token_of_the_blueprint_serves_every_call_of_an_agent(self) -> None:
        with Sidecar(self.entra) as sidecar:
            client = self.sdk.client(sidecar.url)
            tenant, agent = self.entra.tenant, self.entra.agent
            calls = (
                instance_token(tenant, agent),
                user_token(tenant, agent, self.user_id),
                user_token(tenant, agent, self.user_name),
                application_token(tenant, agent),
            )
            each = [self.requests_to_entra(client.get, call)[1] for call in calls]
        # T1 and the agent's token; T2 and the user's token; that token again, by the other name. T2 is asked for
        # once more, because the configuration spells its scope otherwise.
        self.assertEqual([len(requests) for requests in each], [2, 2, 1, 1])
        requests = [request.form for requests in each for request in requests]
        self.assertEqual(["fmi_path" in form for form in requests], [True] + [False] * 5)
        self.assertEqual(len({form.get("client_assertion") for form in requests[1:]}), 1)

    def test_many_callers_at_once_get_the_token_of_the_one_whom_each_has_named(self) -> None:
        tenant, agent, other = self.entra.tenant, self.entra.agent, self.entra.other_agent
        expected: list[tuple[Call, Callable[[str], None]]] = [
            (instance_token(tenant, agent), lambda token: self.assert_is_of_agent(token, agent)),
            (instance_token(tenant, other), lambda token: self.assert_is_of_agent(token, other)),
            (user_token(tenant, agent, self.user_id), self.assert_is_of_user),
            (user_token(tenant, agent, self.user_name, [self.scope]), self.assert_is_of_user),
        ]
        with Sidecar(self.entra) as sidecar:
            calls = [call for call, _ in expected * 10]
            tokens = self.sdk.client(sidecar.url).at_once(calls)
        for token, (_, check) in zip(tokens, expected * 10, strict=True):
            check(token)

    def test_a_client_reaches_the_sidecar_by_every_local_name(self) -> None:
        port = self.sidecar.url.rpartition(":")[2]
        for url in (f"http://localhost:{port}", f"http://127.0.0.1:{port}/", f"http://LocalHost:{port}//"):
            with self.subTest(url):
                client = self.sdk.client(url)
                self.assertTrue(client.is_healthy())
                token = client.get(instance_token(self.entra.tenant, self.entra.agent))
                self.assert_is_of_agent(token, self.entra.agent)

    def test_the_environment_names_the_sidecar(self) -> None:
        with self.sdk_type({"SIDECAR_URL": self.sidecar.url}) as sdk:
            client = sdk.client("http://127.0.0.1:9")
            self.assertTrue(client.is_healthy())
            token = client.get(instance_token(self.entra.tenant, self.entra.agent))
            self.assert_is_of_agent(token, self.entra.agent)

    def test_neither_tokens_nor_names_are_in_the_log(self) -> None:
        client = self.client()
        tokens = [
            client.get(call)
            for call in (
                instance_token(self.entra.tenant, self.entra.agent),
                user_token(self.entra.tenant, self.entra.agent, self.user_name),
            )
        ]
        log = self.sidecar.program.log()
        self.assertIn(self.entra.agent, log)
        for text in (*tokens, *(token.split(".")[2] for token in tokens), self.user_name):
            self.assertNotIn(text, log)
        self.assertNotIn(self.entra.blueprint_secret, log)


class Refusals(SidecarTest):
    """The SDK repeats a request after 2, 4 and 8 s where a repetition may help, and no other."""

    def client(self, **settings: Any) -> Client:
        return self.sdk.client(self.sidecar.recorded_url, **settings)

    def assert_refused(
        self,
        status: int,
        call: Call,
        client: Client | None = None,
        sidecar: Sidecar | None = None,
    ) -> Json:
        """The SDK reports this status, for one request. What the sidecar has answered."""
        titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
        sidecar = sidecar or self.sidecar
        client = client or self.sdk.client(sidecar.recorded_url)
        before = len(sidecar.recorded)
        with self.assertRaises(Failed) as raised:
            client.get(call)
        [request] = sidecar.recorded[before:]
        problem: Json = json.loads(request.answer)
        self.assertEqual(request.status, status, problem)
        self.assertEqual((problem["status"], problem["title"]), (status, titles[status]))
        self.assertEqual(raised.exception, self.sdk.refusal(status, titles[status]))
        return problem

    def test_a_service_that_is_not_configured(self) -> None:
        client = self.client(service="orders")
        for call in (
            instance_token(self.entra.tenant, self.entra.agent),
            user_token(self.entra.tenant, self.entra.agent, self.user_id),
            connection_token(),
        ):
            with self.subTest(call.name):
                problem = self.assert_refused(400, call, client)
                self.assertIn("No scopes found for the API 'orders'", problem["detail"])

    def test_an_agent_that_is_no_guid(self) -> None:
        for agent in ("orders-agent", NIL, f"{self.entra.agent}0", " "):
            for call in (
                application_token(self.entra.tenant, agent),
                instance_token(self.entra.tenant, agent),
                user_token(self.entra.tenant, agent, self.user_id),
            ):
                with self.subTest(call.name, agent=agent):
                    problem, requests = self.requests_to_entra(self.assert_refused, 400, call)
                    self.assertIn("AgentIdentity", problem["detail"])
                    self.assertEqual(requests, [])

    def test_a_user_that_is_the_nil_guid(self) -> None:
        call = user_token(self.entra.tenant, self.entra.agent, NIL)
        problem, requests = self.requests_to_entra(self.assert_refused, 400, call)
        self.assertEqual((problem["detail"], requests), ("AgentUserId must be a non-empty GUID.", []))

    def test_a_user_that_has_no_name_of_a_user(self) -> None:
        for name in ("orders-agent", "orders agent@example.com", "@example.com", f"{self.user_id}0"):
            with self.subTest(name):
                call = user_token(self.entra.tenant, self.entra.agent, name)
                problem, requests = self.requests_to_entra(self.assert_refused, 400, call)
                self.assertEqual(requests, [])
                self.assertNotIn(name, problem["detail"] + problem["hint"])

    def test_a_tenant_that_is_no_guid(self) -> None:
        for tenant in ("common", "example.com", "../consumers"):
            with self.subTest(tenant):
                call = instance_token(tenant, self.entra.agent)
                problem, requests = self.requests_to_entra(self.assert_refused, 400, call)
                self.assertEqual(requests, [], problem)

    def test_scopes_that_cannot_be_asked_for(self) -> None:
        tenant, agent = self.entra.tenant, self.entra.agent

        def of_user(*scopes: str) -> tuple[Call, list[str]]:
            return user_token(tenant, agent, self.user_id, scopes), []

        cases = {
            "no .default": (instance_token(tenant, agent), [self.scope]),
            "white space within": (instance_token(tenant, agent), [f"{self.default}\t{self.default}"]),
            "white space within, for a user": of_user(f"{self.scope}\t{self.scope}"),
            "two APIs": of_user(self.scope, self.other_scope),
        }
        for name, (call, scopes) in cases.items():
            with self.subTest(name):
                client = self.client(scopes=scopes)
                problem, requests = self.requests_to_entra(self.assert_refused, 400, call, client)
                self.assertEqual(requests, [], problem)

    def test_what_entra_refuses(self) -> None:
        tenant, agent, other = self.entra.tenant, self.entra.agent, self.entra.other_agent
        cases = {
            "no such agent": (instance_token(tenant, NOBODY), 7000229),
            "no such agent for its exchange token": (application_token(tenant, NOBODY), 7000229),
            "no such tenant": (instance_token(NOBODY, agent), 90002),
            "no such user by object id": (user_token(tenant, agent, NOBODY), 50034),
            "no such user by name": (user_token(tenant, agent, "nobody@example.com"), 50034),
            "another agent's user": (user_token(tenant, other, self.user_id), 50020),
            "no consent": (user_token(tenant, agent, self.user_id, [self.other_scope]), 65001),
            "the blueprint for an API": (connection_token(self.default), 82001),
        }
        for name, (call, code) in cases.items():
            with self.subTest(name):
                problem = self.assert_refused(401, call)
                self.assertTrue(problem["detail"].startswith(f"AADSTS{code}: "), problem["detail"])
                self.assertEqual(problem["errorCode"], f"AADSTS{code}")

    def test_the_name_of_a_user_comes_to_entra_as_it_is_written(self) -> None:
        for name in ("Ann.O'Neil+x@example.com", "a&b=c%20d;e#f@example.com", "jörg.花子@example.com"):
            with self.subTest(name):
                call = user_token(self.entra.tenant, self.entra.agent, name)
                _, requests = self.requests_to_entra(self.assert_refused, 401, call)
                self.assertEqual(requests[-1].form["username"], name)

    def test_a_secret_that_entra_refuses(self) -> None:
        wrong = {"AzureAd__ClientCredentials__0__ClientSecret": "wrong"}
        with Sidecar(self.entra, **wrong) as sidecar:
            call = instance_token(self.entra.tenant, self.entra.agent)
            problem = self.assert_refused(401, call, sidecar=sidecar)
        self.assertEqual(problem["errorCode"], "AADSTS7000215")

    def test_agents_where_overrides_are_off(self) -> None:
        with Sidecar(self.entra, allows_overrides=False) as sidecar:
            for call in (
                application_token(self.entra.tenant, self.entra.agent),
                instance_token(None, self.entra.agent),
                user_token(None, self.entra.agent, self.user_id),
            ):
                with self.subTest(call.name):
                    arguments = (self.assert_refused, 403, call, None, sidecar)
                    problem, requests = self.requests_to_entra(*arguments)
                    key = "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated"
                    self.assertIn(key, problem["detail"])
                    self.assertEqual(requests, [])

    def test_an_app_gets_what_is_configured_where_overrides_are_off(self) -> None:
        with Sidecar(self.entra, of_client=True, allows_overrides=False) as sidecar:
            client = self.sdk.client(sidecar.recorded_url, service="connection")
            token = client.get(connection_token(self.other_default))
            self.assert_is_of(token, azp=self.entra.client, idtyp="app", roles=self.roles)
            # Without the override, this service is for users.
            self.assert_refused(401, connection_token(self.default), sidecar=sidecar)

    def test_a_refusal_says_nothing_of_the_caller_to_the_log(self) -> None:
        self.assert_refused(401, user_token(self.entra.tenant, self.entra.agent, "nobody@example.com"))
        self.assertNotIn("nobody@example.com", self.sidecar.program.log())


class Outages(SidecarTest):
    def test_a_throttled_sidecar_has_a_token_for_the_third_request(self) -> None:
        self.entra.throttle()
        client = self.sdk.client(self.sidecar.recorded_url)
        call = instance_token(self.entra.tenant, self.entra.agent)
        token, requests = self.requests_to_entra(client.get, call)
        self.assert_is_of_agent(token, self.entra.agent)
        # The SDK comes again after 2 s and after 4 more. Entra wants 5 s, before which it is not asked.
        self.assertEqual([passed.status for passed in self.sidecar.recorded], [503, 503, 200])
        self.assertEqual([request.status for request in requests], [429, 200, 200])

    def test_entra_out_of_reach(self) -> None:
        with socket.socket() as unserved:
            unserved.bind(("127.0.0.1", 0))
            instance = f"https://127.0.0.1:{unserved.getsockname()[1]}"
            with Sidecar(self.entra, AzureAd__Instance=instance) as sidecar:
                client = self.sdk.client(sidecar.recorded_url, retries=0)
                self.assertTrue(client.is_healthy())
                with self.assertRaises(Failed) as raised:
                    client.get(instance_token(self.entra.tenant, self.entra.agent))
                self.assertEqual(raised.exception, self.sdk.outage(503, 1))
                answered = [(passed.path, passed.status) for passed in sidecar.recorded]
        path = "/AuthorizationHeaderUnauthenticated/default"
        self.assertEqual(answered, [("/healthz", 200), (path, 503)])

    def test_a_sidecar_that_is_down(self) -> None:
        with Sidecar(self.entra) as sidecar:
            client = self.sdk.client(sidecar.url, retries=0)
            self.assertTrue(client.is_healthy())
        self.assertFalse(client.is_healthy())
        with self.assertRaises(Failed) as raised:
            client.get(instance_token(self.entra.tenant, self.entra.agent))
        expected = self.sdk.unreachable(1)
        self.assertEqual(raised.exception.kind, expected.kind)
        self.assertTrue(raised.exception.text.startswith(expected.text), raised.exception.text)
