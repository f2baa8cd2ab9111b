"""Who is calling: every scenario, and what `/whoami` tells of it."""

from typing import Any, ClassVar

from case import WhoamiTest
from mint import (
    ABSENT,
    AGENT,
    AGENT_USER,
    AGENT_USER_SUBJECT,
    AGENTS_USER,
    API,
    API_URI,
    APPLICATION,
    AUTONOMOUS,
    BLUEPRINT,
    CLIENT,
    DAEMON,
    DAEMON_OBJECT,
    ON_BEHALF,
    OTHER_TENANT,
    PERSON,
    TENANT,
    USER,
    USER_SUBJECT,
    V1,
    V2,
    VERSIONS,
    Scenario,
    encoded,
    handmade,
    token,
)

NO_AGENT = {
    "agent_status": "not_agent",
    "is_agent": False,
    "is_agent_user_identity": False,
    "parent_agent_blueprint": None,
}
AN_AGENT = {
    "agent_status": "attested",
    "is_agent": True,
    "is_agent_user_identity": False,
    "parent_agent_blueprint": BLUEPRINT,
}

# The answer to a token with the agent claims, except for what depends on the version.
WITH_FACETS: dict[Scenario, dict[str, Any]] = {
    AUTONOMOUS: AN_AGENT
    | {
        "kind": "autonomous_agent",
        "tenant_id": TENANT,
        "object_id": AGENT,
        "subject": AGENT,
        "client_id": AGENT,
        "identity_type": "app",
        "actor_facets": [3, 9, 11],
        "subject_facets": [3, 9, 11],
        "tenant_facets": [3, 9],
        "identity_relationships": [7],
        "scopes": [],
        "roles": ["Orders.Read.All"],
    },
    ON_BEHALF: AN_AGENT
    | {
        "kind": "agent_on_behalf_of_user",
        "tenant_id": TENANT,
        "object_id": USER,
        "subject": USER_SUBJECT,
        "client_id": AGENT,
        "identity_type": "user",
        "actor_facets": [3, 9, 11],
        "subject_facets": [3],
        "tenant_facets": [3],
        "identity_relationships": [1],
        "scopes": ["Orders.Read", "profile"],
        "roles": [],
    },
    AGENTS_USER: AN_AGENT
    | {
        "kind": "agent_user",
        "is_agent_user_identity": True,
        "tenant_id": TENANT,
        "object_id": AGENT_USER,
        "subject": AGENT_USER_SUBJECT,
        "client_id": AGENT,
        "identity_type": "user",
        "actor_facets": [3, 9, 11],
        "subject_facets": [3, 13],
        "tenant_facets": [3],
        "identity_relationships": [1],
        "scopes": ["Orders.Read"],
        "roles": [],
    },
    PERSON: NO_AGENT
    | {
        "kind": "user",
        "tenant_id": TENANT,
        "object_id": USER,
        "subject": USER_SUBJECT,
        "client_id": CLIENT,
        "identity_type": "user",
        "actor_facets": [3, 5],
        "subject_facets": [3],
        "tenant_facets": [3],
        "identity_relationships": [1],
        "scopes": ["Orders.Read", "email"],
        "roles": ["Buyer"],
    },
    APPLICATION: NO_AGENT
    | {
        "kind": "application",
        "tenant_id": TENANT,
        "object_id": DAEMON_OBJECT,
        "subject": DAEMON_OBJECT,
        "client_id": DAEMON,
        "identity_type": "app",
        "actor_facets": [3, 9],
        "subject_facets": [3, 9],
        "tenant_facets": [3],
        "identity_relationships": [7],
        "scopes": [],
        "roles": ["Audit", "Orders.Read.All"],
    },
}

# Without them an agent cannot be distinguished from an ordinary user or app.
KIND_WITHOUT_FACETS = {
    AUTONOMOUS: "application",
    ON_BEHALF: "user",
    AGENTS_USER: "user",
    PERSON: "user",
    APPLICATION: "application",
}
UNATTESTED = {
    "agent_status": "unattested",
    "is_agent": False,
    "is_agent_user_identity": False,
    "parent_agent_blueprint": None,
    "identity_type": None,
    "actor_facets": None,
    "subject_facets": None,
    "tenant_facets": None,
    "identity_relationships": None,
}


class TestsOfWhoami(WhoamiTest):
    """Comparing `/whoami` with what it must tell."""

    maxDiff = None

    def assert_tells(self, body: dict[str, Any], expected: dict[str, Any], payload: dict[str, Any]) -> None:
        """The whole document: these members, those of the token itself, and no others."""
        of_the_token = {
            "token_version": payload["ver"],
            "issuer": payload["iss"],
            "audience": API if payload["ver"] == V2 else API_URI,
            "expires_at": payload["exp"],
        }
        # Scopes and roles are sets.
        sorted_body = body | {name: sorted(body[name]) for name in ("scopes", "roles")}
        self.assertEqual(sorted_body, expected | of_the_token)

    def assert_tells_of(self, scenario: Scenario, expected: dict[str, Any], **changes: Any) -> None:
        """Some members of the document for a changed token of this scenario."""
        body = self.admitted(self.token(scenario, **changes))
        self.assertEqual({name: body[name] for name in expected}, expected)


class EveryScenario(TestsOfWhoami):
    def test_groups_that_are_emitted_as_roles_are_told_by_their_names(self) -> None:
        roles = ["CONTOSO\\Finance", "Domain Users", "Müller Team"]
        for scenario in (PERSON, ON_BEHALF, APPLICATION):
            self.assert_tells_of(scenario, {"roles": roles}, roles=roles)

    def test_every_scenario_is_told_in_full(self) -> None:
        for scenario, expected in WITH_FACETS.items():
            for version in VERSIONS:
                with self.subTest(scenario, version=version):
                    payload = self.claims(scenario, version)
                    body = self.admitted(token(self.key, payload))
                    self.assert_tells(body, expected, payload)

    def test_every_scenario_without_agent_claims_is_unattested(self) -> None:
        for scenario, expected in WITH_FACETS.items():
            for version in VERSIONS:
                with self.subTest(scenario, version=version):
                    payload = self.claims(scenario, version, facets=False)
                    body = self.admitted(token(self.key, payload))
                    kind = {"kind": KIND_WITHOUT_FACETS[scenario]}
                    self.assert_tells(body, expected | UNATTESTED | kind, payload)

    def test_curl_is_told_the_same(self) -> None:
        for scenario, expected in WITH_FACETS.items():
            for version in VERSIONS:
                with self.subTest(scenario, version=version):
                    payload = self.claims(scenario, version)
                    answer = self.whoami.curl("/whoami", token(self.key, payload))
                    self.assertEqual(answer.status, 200, answer)
                    self.assertEqual(answer.all("Content-Type"), ["application/json"])
                    self.assert_tells(answer.json(), expected, payload)

    def test_absent_claims_are_null(self) -> None:
        changes = dict.fromkeys(("oid", "sub", "azp", "azpacr"), ABSENT)
        expected = {"object_id": None, "subject": None, "client_id": None, "kind": "user"}
        self.assert_tells_of(PERSON, expected, facets=False, **changes)

    def test_either_name_of_the_api_is_an_audience_of_either_version(self) -> None:
        for version, audience in ((V1, API), (V2, API_URI)):
            with self.subTest(version=version):
                body = self.admitted(self.token(PERSON, version, aud=audience))
                self.assertEqual(body["audience"], audience)

    def test_one_good_audience_among_several_is_enough(self) -> None:
        body = self.admitted(self.token(aud=["https://graph.microsoft.com", API]))
        self.assertEqual(body["audience"], API)

    def test_a_fraction_of_a_date_is_floored(self) -> None:
        payload = self.claims()
        body = self.admitted(token(self.key, payload | {"exp": payload["exp"] + 0.9}))
        self.assertEqual(body["expires_at"], payload["exp"])

    def test_a_date_may_be_written_with_a_fraction_or_an_exponent(self) -> None:
        good = encoded(self.claims(exp=ABSENT))[:-1]
        for number in (b"4102444800.0", b"4102444800.999", b"4.1024448e9"):
            with self.subTest(exp=number):
                body = self.admitted(handmade(self.key, good + b',"exp":' + number + b"}"))
                self.assertEqual(body["expires_at"], 4102444800)

    def test_the_last_second_of_the_year_9999_is_a_date(self) -> None:
        self.assertEqual(self.admitted(self.token(exp=253402300799))["expires_at"], 253402300799)

    def test_one_client_may_have_both_names(self) -> None:
        for version, name in ((V2, "appid"), (V1, "azp")):
            with self.subTest(version=version):
                body = self.admitted(self.token(PERSON, version, **{name: CLIENT}))
                self.assertEqual(body["client_id"], CLIENT)


class Facets(TestsOfWhoami):
    def test_order_repetition_noise_and_form_of_facets_do_not_matter(self) -> None:
        forms: list[Any] = [
            "13 3",
            "3 13",
            "  3\t13 \n",
            "13 13 3 3",
            "2 3 4 13 6",
            "3 12 13 14",
            "003 13",
            ["3", "13"],
            [3, 13],
            ["13", 3, 10],
        ]
        for form in forms:
            with self.subTest(form=form):
                expected = {"kind": "agent_user", "subject_facets": [3, 13], "is_agent_user_identity": True}
                self.assert_tells_of(AGENTS_USER, expected, xms_sub_fct=form)

    def test_one_integer_is_a_set_of_one(self) -> None:
        expected = {"kind": "agent_user", "subject_facets": [13]}
        self.assert_tells_of(AGENTS_USER, expected, xms_sub_fct=13)

    def test_unknown_odd_values_are_kept_and_even_ones_are_not(self) -> None:
        expected = {"actor_facets": [1, 11, 99], "identity_relationships": [1, 77]}
        self.assert_tells_of(ON_BEHALF, expected, xms_act_fct="99 98 1 11 0", xms_idrel="77 76 1")

    def test_one_bad_part_voids_the_claim(self) -> None:
        # The actor is still an agent: with no word on the subject, one that acts for a user.
        forms: list[Any] = [
            "12 a 13", "13 x", "13,3", "0x0d", "13.0", "1e1 13",
            {"13": True}, True, None, 13.5, [13, "x"], [["13"]], [13, None],
        ]  # fmt: skip
        for form in forms:
            with self.subTest(form=form):
                expected = {
                    "kind": "agent_on_behalf_of_user",
                    "agent_status": "attested",
                    "is_agent_user_identity": False,
                    "subject_facets": None,
                }
                self.assert_tells_of(AGENTS_USER, expected, xms_sub_fct=form)

    def test_a_claim_of_another_type_counts_as_absent(self) -> None:
        expected = {"actor_facets": None, "tenant_facets": None, "identity_relationships": None}
        self.assert_tells_of(PERSON, expected, xms_act_fct={"11": 1}, xms_tnt_fct=True, xms_idrel={})

    def test_no_facet_is_part_of_another_number(self) -> None:
        expected = {"kind": "user", "agent_status": "not_agent", "is_agent_user_identity": False}
        self.assert_tells_of(PERSON, expected, xms_act_fct="111 1 1", xms_sub_fct="113 131")

    def test_very_many_facets_are_read(self) -> None:
        expected = {"kind": "agent_on_behalf_of_user"}
        self.assert_tells_of(ON_BEHALF, expected, xms_act_fct=" ".join(["2"] * 4000) + " 11")


class Kinds(TestsOfWhoami):
    def test_subject_facet_13_is_an_agents_user_with_any_actor(self) -> None:
        for actor in ("3 9", "3 5", "3 9 11", ABSENT):
            with self.subTest(actor=actor):
                expected = {"kind": "agent_user", "agent_status": "attested", "is_agent": True}
                self.assert_tells_of(AGENTS_USER, expected, xms_act_fct=actor)

    def test_subject_facets_11_and_13_together_are_an_agents_user(self) -> None:
        expected = {"kind": "agent_user", "is_agent_user_identity": True}
        self.assert_tells_of(AGENTS_USER, expected, xms_sub_fct="11 13")

    def test_subject_facet_11_is_an_autonomous_agent(self) -> None:
        for name, value in (("xms_act_fct", "3 9"), ("xms_act_fct", ABSENT), ("idtyp", ABSENT)):
            with self.subTest(name, value=value):
                expected = {"kind": "autonomous_agent", "agent_status": "attested"}
                self.assert_tells_of(AUTONOMOUS, expected, **{name: value})

    def test_actor_facet_11_alone_follows_whether_the_token_is_app_only(self) -> None:
        cases: dict[str, tuple[Scenario, dict[str, Any], str]] = {
            "idtyp app": (AUTONOMOUS, {"xms_sub_fct": ABSENT}, "autonomous_agent"),
            "a voided subject claim": (AUTONOMOUS, {"xms_sub_fct": "11 x"}, "autonomous_agent"),
            "no idtyp, sub is oid": (
                AUTONOMOUS,
                {"idtyp": ABSENT, "xms_sub_fct": ABSENT},
                "autonomous_agent",
            ),
            "no idtyp, sub is a path": (
                AUTONOMOUS,
                {"idtyp": ABSENT, "xms_sub_fct": ABSENT, "sub": f"/eid1/c/pub/t/x/a/y/{AGENT}"},
                "autonomous_agent",
            ),
            "no idtyp, a scope": (
                ON_BEHALF,
                {"idtyp": ABSENT, "sub": USER, "xms_sub_fct": ABSENT},
                "agent_on_behalf_of_user",
            ),
            "no idtyp, another sub, a role": (
                AUTONOMOUS,
                {"idtyp": ABSENT, "xms_sub_fct": ABSENT, "sub": USER_SUBJECT, "xms_idrel": ABSENT, "roles": ["r"]},
                "autonomous_agent",
            ),
            "nothing shows an app or a user": (
                AUTONOMOUS,
                {"idtyp": ABSENT, "xms_sub_fct": ABSENT, "sub": USER_SUBJECT, "xms_idrel": ABSENT, "roles": ABSENT},
                "unknown",
            ),
            "idtyp user": (ON_BEHALF, {"xms_sub_fct": ABSENT}, "agent_on_behalf_of_user"),
        }
        for name, (scenario, changes, kind) in cases.items():
            with self.subTest(name):
                expected = {"kind": kind, "agent_status": "attested", "is_agent": True}
                self.assert_tells_of(scenario, expected, **changes)

    def test_app_only_without_idtyp_needs_no_scope_and_a_claim_of_an_apps(self) -> None:
        path = "/eid1/c/pub/t/BuGQcNMaE0ObenXMPldtQA/a/WGlMTXbW8EmBX2CPWqz9JA/job"
        cases: dict[str, tuple[dict[str, Any], str]] = {
            "sub is oid": ({}, "application"),
            "sub is a path": ({"sub": path}, "application"),
            "a scope": ({"scp": "Orders.Read"}, "user"),
            "another sub": ({"sub": USER_SUBJECT}, "unknown"),
            "neither sub nor oid": ({"sub": ABSENT, "oid": ABSENT}, "unknown"),
            "another sub and a role": ({"sub": USER_SUBJECT, "roles": ["r"]}, "application"),
            "another sub and a blank role": ({"sub": USER_SUBJECT, "roles": [" "]}, "unknown"),
            "a service principal's relationship": ({"sub": ABSENT, "oid": ABSENT, "xms_idrel": "7 10"}, "application"),
            "no service principal": ({"sub": ABSENT, "oid": ABSENT, "xms_idrel": "13"}, "application"),
            "a member's relationship": ({"sub": USER_SUBJECT, "xms_idrel": "1"}, "unknown"),
            "a blank scope": ({"scp": "  "}, "application"),
            "the scope that is none": ({"scp": "/"}, "application"),
        }
        for name, (changes, kind) in cases.items():
            with self.subTest(name):
                changes = {"roles": ABSENT, "xms_idrel": ABSENT} | changes
                self.assert_tells_of(APPLICATION, {"kind": kind}, idtyp=ABSENT, **changes)

    def test_another_idtyp_is_a_kind_unknown(self) -> None:
        for idtyp in ("device", "App", "USER", "agent"):
            with self.subTest(idtyp=idtyp):
                expected = {"kind": "unknown", "is_agent": False, "identity_type": idtyp}
                self.assert_tells_of(PERSON, expected, idtyp=idtyp)


class Statuses(TestsOfWhoami):
    def test_half_an_attestation_that_shows_no_agent_proves_nothing(self) -> None:
        for changes in (
            {"xms_act_fct": ABSENT},
            {"xms_sub_fct": ABSENT},
            {"xms_act_fct": "3 x"},
            {"xms_sub_fct": "x"},
        ):
            with self.subTest(**changes):
                expected = {"kind": "user", "agent_status": "unattested", "is_agent": False}
                self.assert_tells_of(PERSON, expected, **changes)

    def test_tenant_facets_never_count(self) -> None:
        for scenario in (PERSON, APPLICATION):
            with self.subTest(scenario):
                expected = {
                    "kind": scenario.value,
                    "agent_status": "unattested",
                    "is_agent": False,
                    "tenant_facets": [11, 13],
                }
                self.assert_tells_of(scenario, expected, facets=False, xms_tnt_fct="11 13")

    def test_a_parent_never_makes_an_agent(self) -> None:
        cases = {"unattested": {"facets": False}, "not_agent": {}}
        for status, changes in cases.items():
            with self.subTest(status):
                expected = {
                    "kind": "application",
                    "agent_status": status,
                    "is_agent": False,
                    "parent_agent_blueprint": BLUEPRINT,
                }
                self.assert_tells_of(APPLICATION, expected, xms_par_app_azp=BLUEPRINT, **changes)

    def test_a_parent_that_is_no_guid_counts_as_absent(self) -> None:
        for parent in ("contoso", "", 7, [BLUEPRINT], None):
            with self.subTest(parent=parent):
                expected = {"kind": "autonomous_agent", "parent_agent_blueprint": None}
                self.assert_tells_of(AUTONOMOUS, expected, xms_par_app_azp=parent)


class KnownAgents(TestsOfWhoami):
    variables: ClassVar = {
        "AZURE_TENANT_ID": f"{TENANT},{OTHER_TENANT}",
        "KNOWN_AGENTS": f"{TENANT}/{AGENT},{OTHER_TENANT}/{DAEMON}",
    }

    def test_a_known_agent_without_facets_is_declared(self) -> None:
        kinds = {
            AUTONOMOUS: "autonomous_agent",
            ON_BEHALF: "agent_on_behalf_of_user",
            AGENTS_USER: "agent_on_behalf_of_user",
        }
        declared = {"agent_status": "declared", "is_agent": True}
        for scenario, kind in kinds.items():
            for version in VERSIONS:
                with self.subTest(scenario, version=version):
                    payload = self.claims(scenario, version, facets=False)
                    body = self.admitted(token(self.key, payload))
                    expected = WITH_FACETS[scenario] | UNATTESTED | declared | {"kind": kind}
                    self.assert_tells(body, expected, payload)

    def test_a_known_agent_with_facets_stays_attested(self) -> None:
        for scenario in (AUTONOMOUS, ON_BEHALF, AGENTS_USER):
            with self.subTest(scenario):
                self.assert_tells_of(scenario, {"kind": scenario.value, "agent_status": "attested"})

    def test_a_known_agent_whose_facets_show_none_is_declared(self) -> None:
        expected = {"kind": "autonomous_agent", "agent_status": "declared", "is_agent": True}
        self.assert_tells_of(APPLICATION, expected, azp=AGENT)

    def test_an_agent_is_known_in_its_own_tenant_only(self) -> None:
        cases = [(AUTONOMOUS, OTHER_TENANT), (APPLICATION, TENANT)]
        for scenario, tenant in cases:
            with self.subTest(scenario):
                expected = {"kind": "application", "agent_status": "unattested", "tenant_id": tenant}
                self.assert_tells_of(scenario, expected, tenant=tenant, facets=False)

    def test_an_agent_is_known_by_its_client_id_and_by_nothing_else(self) -> None:
        expected = {"kind": "application", "agent_status": "unattested"}
        changes = {"azp": DAEMON, "oid": AGENT, "sub": AGENT, "xms_par_app_azp": AGENT}
        self.assert_tells_of(AUTONOMOUS, expected, facets=False, **changes)
