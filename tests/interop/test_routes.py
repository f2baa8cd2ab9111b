"""What each route lets in."""

from typing import ClassVar

from case import WhoamiTest
from mint import (
    ABSENT,
    AGENT,
    AGENTS_USER,
    APPLICATION,
    AUTONOMOUS,
    CLIENT,
    DAEMON,
    ON_BEHALF,
    PERSON,
    TENANT,
    USER_SUBJECT,
    VERSIONS,
    Json,
)
from whoami import Answer

NOTHING_GRANTED: tuple[Json, ...] = (
    {"roles": ABSENT},
    {"roles": []},
    {"roles": ["", "  "]},
    {"roles": ABSENT, "scp": ""},
    {"roles": ABSENT, "scp": " \t"},
    {"roles": ABSENT, "scp": "/"},
)


class Routes(WhoamiTest):
    def assert_open(self, answer: Answer) -> None:
        self.assertEqual(answer.status, 200, answer)

    def test_agents_of_every_kind_may_see_agents(self) -> None:
        for scenario in (AUTONOMOUS, ON_BEHALF, AGENTS_USER):
            for version in VERSIONS:
                with self.subTest(scenario, version=version):
                    self.assert_open(self.whoami.curl("/agents", self.token(scenario, version)))

    def test_no_other_caller_may_see_agents(self) -> None:
        tokens = {
            "a person": self.token(PERSON),
            "an app": self.token(APPLICATION),
            "a person in v1": self.token(PERSON, "1.0"),
            "an unattested agent": self.token(AUTONOMOUS, facets=False),
            "an unattested agent's user": self.token(AGENTS_USER, facets=False),
            "the child of a blueprint": self.token(APPLICATION, xms_par_app_azp=AGENT),
            "a kind unknown": self.token(PERSON, idtyp="device"),
        }
        for name, token in tokens.items():
            with self.subTest(name):
                self.assert_insufficient_scope(self.whoami.get("/agents", token))

    def test_people_may_see_people(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                self.assert_open(self.whoami.curl("/people", self.token(PERSON, version)))

    def test_no_other_caller_may_see_people(self) -> None:
        tokens = {
            "an autonomous agent": self.token(AUTONOMOUS),
            "an agent for a person": self.token(ON_BEHALF),
            "an agent's user": self.token(AGENTS_USER),
            "an app": self.token(APPLICATION),
            "an unattested person": self.token(PERSON, facets=False),
            "a person with an unattested actor": self.token(PERSON, xms_act_fct=ABSENT),
            "a person with an unattested subject": self.token(PERSON, xms_sub_fct=ABSENT),
            "a person with a void claim": self.token(PERSON, xms_act_fct="3 x"),
            "a kind unknown": self.token(PERSON, idtyp="device"),
        }
        for name, token in tokens.items():
            with self.subTest(name):
                self.assert_insufficient_scope(self.whoami.get("/people", token))

    def test_orders_open_to_the_scope_of_delegated_callers(self) -> None:
        for scenario in (ON_BEHALF, AGENTS_USER, PERSON):
            for facets in (True, False):
                with self.subTest(scenario, facets=facets):
                    token = self.token(scenario, facets=facets)
                    self.assert_open(self.whoami.curl("/orders", token))

    def test_orders_open_to_the_role_of_app_only_callers(self) -> None:
        for scenario in (AUTONOMOUS, APPLICATION):
            for facets in (True, False):
                with self.subTest(scenario, facets=facets):
                    token = self.token(scenario, facets=facets)
                    self.assert_open(self.whoami.curl("/orders", token))

    def test_delegated_callers_are_told_the_scope_they_lack(self) -> None:
        for scope in ("orders.read", "Orders.Read.All", "Orders", "profile Orders.ReadWrite"):
            with self.subTest(scope=scope):
                answer = self.whoami.get("/orders", self.token(PERSON, scp=scope))
                self.assert_insufficient_scope(answer, "Orders.Read")

    def test_curl_is_told_the_scope_it_lacks(self) -> None:
        answer = self.whoami.curl("/orders", self.token(ON_BEHALF, scp="profile"))
        self.assert_insufficient_scope(answer, "Orders.Read")

    def test_the_role_of_apps_does_not_help_a_person(self) -> None:
        token = self.token(PERSON, scp="profile", roles=["Orders.Read.All"])
        self.assert_insufficient_scope(self.whoami.get("/orders", token), "Orders.Read")
        token = self.token(PERSON, scp=ABSENT, roles=["Orders.Read.All"])
        self.assert_insufficient_scope(self.whoami.get("/orders", token), "Orders.Read")

    def test_app_only_callers_without_the_role_are_told_of_no_scope(self) -> None:
        for roles in (["orders.read.all"], ["Orders.Read"], ["Audit", "Orders.Read.All "]):
            with self.subTest(roles=roles):
                answer = self.whoami.get("/orders", self.token(APPLICATION, roles=roles))
                self.assert_insufficient_scope(answer)

    def test_orders_are_closed_to_a_kind_unknown(self) -> None:
        token = self.token(PERSON, idtyp="device", roles=["Orders.Read.All"])
        self.assert_insufficient_scope(self.whoami.get("/orders", token))

    def test_a_token_that_grants_nothing_opens_whoami_and_public_only(self) -> None:
        for changes in NOTHING_GRANTED:
            with self.subTest(**changes):
                token = self.token(AUTONOMOUS, **changes)
                body = self.admitted(token)
                self.assertEqual((body["scopes"], body["roles"]), ([], []))
                self.assertEqual(self.admitted(token, "/public"), {"anonymous": False})
                for route in ("/agents", "/people", "/orders"):
                    self.assert_insufficient_scope(self.whoami.get(route, token))

    def test_without_a_token_there_are_no_credentials_at_any_other_route(self) -> None:
        for route in ("/whoami", "/agents", "/people", "/orders"):
            with self.subTest(route):
                self.assert_no_credentials(self.whoami.get(route))
                self.assert_no_credentials(self.whoami.curl(route))

    def test_a_token_in_the_query_is_not_read(self) -> None:
        good = self.token()
        self.assert_no_credentials(self.whoami.get(f"/whoami?access_token={good}"))
        self.assertEqual(self.whoami.get("/whoami?access_token=x", good).status, 200)
        self.refused("null", f"/whoami?access_token={good}")

    def test_no_claim_gets_into_a_denial(self) -> None:
        for text in ('marker", error="none', "marker\r\nX-Marker: 1", "https://marker.example/v2.0"):
            with self.subTest(text):
                answer = self.whoami.get("/agents", self.token(PERSON, idtyp=text))
                self.assert_insufficient_scope(answer)
                self.assertNotIn("marker", str(answer.headers).lower())

    def test_public_tells_whether_there_was_a_token(self) -> None:
        for request in (self.whoami.get, self.whoami.curl):
            answer = request("/public")
            self.assert_open(answer)
            self.assertEqual(answer.json(), {"anonymous": True})
            answer = request("/public", self.token())
            self.assert_open(answer)
            self.assertEqual(answer.json(), {"anonymous": False})

    def test_public_refuses_a_bad_token(self) -> None:
        self.refused(self.token(aud="https://graph.microsoft.com"), "/public")
        self.refused("null", "/public")

    def test_public_takes_basic_for_anonymous(self) -> None:
        for scheme in ("Basic YWxhZGRpbjpvcGVuc2VzYW1l", "Negotiate YII", "Bearers x"):
            with self.subTest(scheme):
                answer = self.whoami.get("/public", authorization=[scheme])
                self.assert_open(answer)
                self.assertEqual(answer.json(), {"anonymous": True})

    def test_public_refuses_the_schemes_of_bound_tokens(self) -> None:
        for scheme in ("DPoP", "PoP", "dpop", "POP"):
            with self.subTest(scheme):
                line = f"{scheme} {self.token()}"
                self.assert_no_credentials(self.whoami.get("/public", authorization=[line]))

    def test_public_refuses_the_scheme_with_nothing_behind_it(self) -> None:
        for line in ("Bearer", "bearer", "Bearer "):
            with self.subTest(line=line):
                self.assert_no_credentials(self.whoami.get("/public", authorization=[line]))

    def test_public_refuses_a_malformed_header(self) -> None:
        for lines in (["Bearer {}"], ["Negotiate a, Bearer b"], ["Bearer a b"], ["Bearer a", "Bearer a"], ["Basic a", "Basic a"]):
            with self.subTest(lines=lines):
                self.assert_invalid_request(self.whoami.get("/public", authorization=lines))

    def test_health_and_readiness_need_no_token(self) -> None:
        for route in ("/healthz", "/readyz"):
            for authorization in ([], ["Bearer null"], ["Bearer a", "Bearer b"]):
                with self.subTest(route, authorization=authorization):
                    self.assert_open(self.whoami.get(route, authorization=authorization))

    def test_no_spelling_of_a_path_gets_by_without_a_token(self) -> None:
        # The router has the last word on what a path names: what it does not know is nothing.
        for path in (
            "/healthz/..;/whoami",
            "/healthz/../whoami",
            "/healthz/%2e%2e/whoami",
            "/healthz%2f..%2fwhoami",
            "/healthz;/whoami",
            "/public/../whoami",
            "//whoami",
            "/./whoami",
            "/%77hoami",
            "/whoami%2f",
            "/whoami/",
            "/whoami;x=1",
            "/WHOAMI",
            "/whoami?/healthz",
        ):
            with self.subTest(path):
                self.assertIn(self.whoami.get(path).status, (401, 404))

    def test_the_resource_describes_itself(self) -> None:
        answer = self.whoami.curl("/.well-known/oauth-protected-resource")
        self.assert_open(answer)
        self.assertEqual(answer.all("Content-Type"), ["application/json"])
        document = answer.json()
        self.assertIsInstance(document["resource"], str)
        self.assertNotEqual(document["resource"], "")
        self.assertEqual(document["authorization_servers"], [self.authority.issuer(TENANT)])
        self.assertEqual(document["bearer_methods_supported"], ["header"])
        # In full, as a client has to ask Entra for it.
        scope = f"{document['resource']}/Orders.Read"
        self.assertEqual(document["scopes_supported"], [scope])


class KnownAgentsAtRoutes(WhoamiTest):
    variables: ClassVar = {"KNOWN_AGENTS": f"{TENANT}/{AGENT}"}

    def test_a_declared_agent_may_see_agents(self) -> None:
        for scenario in (AUTONOMOUS, ON_BEHALF, AGENTS_USER):
            with self.subTest(scenario):
                self.admitted(self.token(scenario, facets=False), "/agents")

    def test_a_declared_agent_may_not_see_people(self) -> None:
        tokens = (
            self.token(ON_BEHALF, facets=False),
            self.token(PERSON, azp=AGENT),
        )
        for token in tokens:
            self.assert_insufficient_scope(self.whoami.get("/people", token))

    def test_others_stay_what_they_are(self) -> None:
        self.admitted(self.token(PERSON, azp=CLIENT), "/people")
        token = self.token(APPLICATION, azp=DAEMON)
        self.assert_insufficient_scope(self.whoami.get("/agents", token))


class Cache(WhoamiTest):
    variables: ClassVar = {"TOKEN_CACHE": "100"}

    def test_every_route_keeps_its_rule_for_a_token_that_the_cache_remembers(self) -> None:
        sent = self.token(AUTONOMOUS, roles=ABSENT)
        for _ in range(2):
            self.admitted(sent)
            self.assert_insufficient_scope(self.whoami.get("/agents", sent))


class ResourceMetadata(WhoamiTest):
    resource_metadata = "https://orders.example/.well-known/oauth-protected-resource"
    variables: ClassVar = {"RESOURCE_METADATA": resource_metadata}

    def test_every_challenge_says_where_the_metadata_is(self) -> None:
        self.assert_no_credentials(self.whoami.get("/whoami"))
        self.assert_no_credentials(self.whoami.get("/orders", authorization=["Basic YTpi"]))
        self.assert_no_credentials(self.whoami.get("/public", authorization=["DPoP a"]))
        self.assert_invalid_request(self.whoami.get("/whoami", authorization=["Bearer {}"]))
        self.refused("null")
        self.refused(self.token(tid=AGENT), "/public")
        nothing = self.token(AUTONOMOUS, roles=ABSENT)
        self.assert_insufficient_scope(self.whoami.get("/agents", nothing))
        self.assert_insufficient_scope(self.whoami.get("/agents", self.token(PERSON)))
        poor = self.token(PERSON, scp="profile")
        self.assert_insufficient_scope(self.whoami.get("/orders", poor), "Orders.Read")

    def test_curl_is_told_where_the_metadata_is(self) -> None:
        self.assert_no_credentials(self.whoami.curl("/whoami"))

    def test_a_good_token_is_admitted_as_ever(self) -> None:
        body = self.admitted(self.token(PERSON))
        self.assertEqual((body["kind"], body["subject"]), ("user", USER_SUBJECT))
