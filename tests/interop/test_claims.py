"""What a token that is signed well must say: checks 6 to 12."""

import json
import time
from typing import Any, ClassVar

from case import WhoamiTest
from mint import (
    ABSENT,
    AGENT,
    AGENTS_USER,
    API,
    API_URI,
    APPLICATION,
    AUTONOMOUS,
    BLUEPRINT,
    CLIENT,
    DAEMON,
    ON_BEHALF,
    OTHER_TENANT,
    PERSON,
    PERSONAL_TENANT,
    TENANT,
    USER_SUBJECT,
    V1,
    V2,
    VERSIONS,
    Json,
    Scenario,
    encoded,
    handmade,
    segment,
    token,
    with_repeated,
)
from whoami import LIMIT, wait_until

SKEW = 60
LAST_SECOND = 253402300799


class ClaimsTest(WhoamiTest):
    def refused_with(self, **changes: Any) -> None:
        """A token that is good but for these claims must be refused."""
        self.refused(handmade(self.key, self.claims(**changes)))

    def admitted_with(self, **changes: Any) -> Any:
        """A token with these claims is good."""
        return self.admitted(handmade(self.key, self.claims(**changes)))


class Writing(ClaimsTest):
    """Check 6."""

    def test_a_payload_that_is_no_object_is_refused(self) -> None:
        good = encoded(self.claims())
        payloads = (
            b"[" + good + b"]", b"null", b"1", b'"text"', b"{}", b"{", good[:-1], good + good,
            good + b"x", b"\xff" + good, good.replace(b'"ver"', b'"v\xffr"'), b"not json",
        )  # fmt: skip
        for payload in payloads:
            with self.subTest(payload[:20]):
                self.refused(handmade(self.key, payload))

    def test_a_token_within_the_token_is_refused(self) -> None:
        inner = self.token()
        self.refused(handmade(self.key, inner.encode(), cty="JWT"))
        self.refused(handmade(self.key, inner.encode()))

    def test_invalid_utf_8_is_refused(self) -> None:
        good = encoded(self.claims())
        for octets in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8"):
            with self.subTest(octets=octets):
                self.refused(handmade(self.key, good[:-1] + b',"name":"' + octets + b'"}'))

    def test_a_repeated_name_is_refused(self) -> None:
        good = self.claims()
        for name in ("aud", "iss", "tid", "exp", "sub", "scp", "roles", "uti", "xms_act_fct"):
            for value in (good[name], "another"):
                with self.subTest(name=name, value=value):
                    self.refused(handmade(self.key, with_repeated(good, (name, value))))

    def test_a_repeated_name_is_refused_however_it_is_written(self) -> None:
        payload = encoded(self.claims())[:-1] + rb',"\u0074id":"' + TENANT.encode() + b'"}'
        self.refused(handmade(self.key, payload))

    def test_a_repeated_name_is_refused_wherever_it_is(self) -> None:
        for value in (b'{"a":1,"a":1}', b'[{"b":[{"a":1,"a":2}]}]'):
            with self.subTest(value):
                payload = encoded(self.claims())[:-1] + b',"xms_st":' + value + b"}"
                self.refused(handmade(self.key, payload))

    def test_one_name_may_stand_in_two_objects(self) -> None:
        self.admitted_with(xms_st={"sub": USER_SUBJECT, "inner": {"sub": "x", "tid": "y"}})

    def test_a_claim_that_decides_may_not_stand_in_another_letter_case_too(self) -> None:
        for name in (
            "iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "idtyp", "scp", "roles",
        ):  # fmt: skip
            for variant in (name.upper(), name.capitalize()):
                with self.subTest(variant):
                    good = self.claims()
                    self.refused(handmade(self.key, {variant: good[name]} | good))
                    self.refused(handmade(self.key, good | {variant: good[name]}))

    def test_deep_nesting_is_refused(self) -> None:
        for depth in (40, 1500):
            for left, right in (("[", "]"), ('{"a":', "}")):
                with self.subTest(depth=depth, left=left):
                    nested = left * depth + "1" + right * depth
                    payload = encoded(self.claims())[:-1] + f',"x":{nested}}}'.encode()
                    self.refused(handmade(self.key, payload))

    def test_modest_nesting_does_no_harm(self) -> None:
        nested: Any = 1
        for _ in range(25):
            nested = [nested]
        self.admitted_with(x=nested)

    def test_odd_names_do_no_harm(self) -> None:
        self.admitted_with(**{"": 1, "__proto__": {"tid": "x"}, "constructor": None, "a b": "\u0000"})

    def test_a_claim_that_decides_is_refused_in_the_wrong_type(self) -> None:
        texts = ("iss", "tid", "ver", "sub", "oid", "azp", "appid", "idtyp", "scp")
        wrong: dict[str, list[Any]] = {name: [7, None, True, ["x"], {"x": 1}] for name in texts}
        wrong |= {name: ["1700000000", None, True, [], {}] for name in ("exp", "nbf", "iat")}
        wrong["roles"] = [7, None, True, {"x": 1}, [7], ["Buyer", None]]
        wrong["aud"] = [7, None, True, {API: 1}, [7], [API, 7], [[API]]]
        wrong["cnf"] = [7, None, "x", [], True]
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.refused_with(**{name: value})

    def test_a_claim_that_only_informs_counts_as_absent_in_the_wrong_type(self) -> None:
        for name, value in {
            "groups": "not a list",
            "acrs": {"p1": True},
            "xms_cc": 7,
            "uti": ["x"],
            "azpacr": 7,
            "acct": "guest",
            "idp": 7,
        }.items():
            with self.subTest(name):
                self.admitted_with(**{name: value})
        body = self.admitted_with(xms_act_fct={"11": 1}, xms_tnt_fct=True, xms_idrel={})
        told = [body[name] for name in ("actor_facets", "tenant_facets", "identity_relationships")]
        self.assertEqual(told, [None, None, None])


class Issuer(ClaimsTest):
    """Check 7."""

    def test_the_version_is_1_or_2(self) -> None:
        for version in ("3.0", "2", "1", "", "2.0 ", 2.0, ABSENT):
            with self.subTest(ver=version):
                self.refused_with(ver=version)

    def test_the_version_fits_the_issuer(self) -> None:
        for version, other in ((V1, V2), (V2, V1)):
            with self.subTest(ver=version):
                self.refused_with(ver=version, iss=self.authority.issuer(TENANT, other))
                payload = self.claims(PERSON, other) | {"ver": version}
                self.refused(token(self.key, payload))

    def test_the_issuer_is_exactly_this_authoritys(self) -> None:
        url = self.authority.url
        issuers = (
            f"{url}/{TENANT}/v2.0/", f"{url}/{TENANT}/v1.1", f"{url}/{TENANT}", f"{url}//{TENANT}/v2.0",
            f"{url}/{TENANT.upper()}/v2.0", f"{url}/{TENANT}/V2.0", f"{url.upper()}/{TENANT}/v2.0",
            f"{url}/x/{TENANT}/v2.0", f"{url}/{{tenantid}}/v2.0", f"{url}/common/v2.0",
            f" {url}/{TENANT}/v2.0", f"{url}.example/{TENANT}/v2.0",
            f"{url.replace('127.0.0.1', 'localhost')}/{TENANT}/v2.0",
            f"https://login.microsoftonline.com/{TENANT}/v2.0", f"https://sts.windows.net/{TENANT}/",
            f"{url}/{TENANT}/v2.0?x", f"{url}/{TENANT}/v2.0#x", "https://", "foo", "", ABSENT,
        )  # fmt: skip
        for issuer in issuers:
            with self.subTest(iss=issuer):
                self.refused_with(iss=issuer)

    def test_the_issuer_of_version_1_ends_with_a_slash(self) -> None:
        for issuer in (f"{self.authority.url}/{TENANT}", f"https://sts.windows.net/{TENANT}/"):
            with self.subTest(iss=issuer):
                payload = self.claims(PERSON, V1, iss=issuer)
                self.refused(token(self.key, payload))

    def test_the_tenant_is_the_issuers(self) -> None:
        for tenant in (OTHER_TENANT, AGENT, ABSENT):
            with self.subTest(tid=tenant):
                self.refused_with(tid=tenant)
        self.refused_with(iss=self.authority.issuer(OTHER_TENANT))

    def test_the_tenant_is_a_guid_in_lower_case(self) -> None:
        for tenant in (
            TENANT.upper(), f"{{{TENANT}}}", TENANT.replace("-", ""), f"{TENANT} ", "contoso.onmicrosoft.com",
            "common", "organizations", "consumers", "{tenantid}", "",
        ):  # fmt: skip
            with self.subTest(tid=tenant):
                self.refused_with(tid=tenant)
                self.refused_with(tid=tenant, iss=self.authority.issuer(tenant))

    def test_a_foreign_tenant_is_refused(self) -> None:
        for tenant in (OTHER_TENANT, PERSONAL_TENANT):
            for version in VERSIONS:
                with self.subTest(tid=tenant, version=version):
                    payload = self.claims(PERSON, version, tenant=tenant)
                    self.refused(token(self.key, payload))

    def test_nothing_of_the_token_gets_into_the_answer(self) -> None:
        for text in ('marker", error="none', "marker\r\nX-Marker: 1", "https://marker.example/v2.0"):
            for name in ("iss", "aud", "tid", "ver", "idtyp"):
                with self.subTest(name, text=text):
                    sent = handmade(self.key, self.claims(PERSON, **{name: text}))
                    if name == "idtyp":
                        answer = self.whoami.get("/agents", sent)
                        self.assert_insufficient_scope(answer)
                    else:
                        answer = self.refused(sent)
                    self.assertNotIn("marker", str(answer.headers).lower())


class Audience(ClaimsTest):
    """Check 9."""

    def test_the_audience_is_one_of_the_apis_names(self) -> None:
        for audience in (
            "https://graph.microsoft.com", f"{API_URI}/", f"{API}/", API.upper(), f" {API}", f"{API} ",
            API[:-1], f"{API}0", f"{API},{API_URI}", BLUEPRINT, "api://AzureADTokenExchange",
            [], [BLUEPRINT], [f"{API}/", API.upper()], "", ABSENT,
        ):  # fmt: skip
            with self.subTest(aud=audience):
                self.refused_with(aud=audience)

    def test_the_same_words_are_said_of_every_wrong_audience(self) -> None:
        audiences: list[Any] = [BLUEPRINT, "https://x.example", []]
        answers = [self.refused(self.token(aud=audience)) for audience in audiences]
        self.assertEqual(len({answer.all("WWW-Authenticate")[0] for answer in answers}), 1)


class Dates(ClaimsTest):
    """Check 10."""

    def test_an_expired_token_is_refused(self) -> None:
        for age in (SKEW, SKEW + 1, 2 * SKEW, 86_400):
            with self.subTest(age=age):
                now = int(time.time())
                self.refused_with(iat=now - age - 10, nbf=now - age - 10, exp=now - age)

    def test_a_clock_may_be_a_minute_off(self) -> None:
        now = int(time.time())
        self.admitted_with(exp=now - SKEW // 2, nbf=now - 3600, iat=now - 3600)
        self.admitted_with(nbf=now + SKEW // 2)
        self.admitted_with(iat=now + SKEW // 2)

    def test_a_token_of_the_future_is_refused(self) -> None:
        for name in ("nbf", "iat"):
            for ahead in (SKEW + 30, 3600, 10**9):
                with self.subTest(name, ahead=ahead):
                    self.refused_with(**{name: int(time.time()) + ahead, "exp": LAST_SECOND})

    def test_a_token_that_expires_before_it_begins_is_refused(self) -> None:
        now = int(time.time())
        self.refused_with(exp=now - 10, nbf=now + 10, iat=ABSENT)

    def test_only_the_end_is_needed(self) -> None:
        self.refused_with(exp=ABSENT)
        self.admitted_with(nbf=ABSENT, iat=ABSENT)

    def test_dates_lie_between_1970_and_9999(self) -> None:
        self.assertEqual(self.admitted_with(exp=LAST_SECOND)["expires_at"], LAST_SECOND)
        self.admitted_with(nbf=0, iat=0)
        for date in (LAST_SECOND + 1, 2**63 - 1, 2**63, 2**64, 10**30, 1e308, -1):
            with self.subTest(exp=date):
                self.refused_with(exp=date)
        for name in ("nbf", "iat"):
            for date in (-1, -1e300):
                with self.subTest(name, date=date):
                    self.refused_with(**{name: date})

    def test_numbers_that_are_none_are_refused(self) -> None:
        good = encoded(self.claims(exp=ABSENT))[:-1]
        for number in (
            b"1e400", b"NaN", b"Infinity", b"0x7fffffff", b"04102444800", b"+4102444800", b"4102444800.",
        ):  # fmt: skip
            with self.subTest(exp=number):
                self.refused(handmade(self.key, good + b',"exp":' + number + b"}"))

    def test_a_number_may_be_written_with_a_fraction_or_an_exponent(self) -> None:
        good = encoded(self.claims(exp=ABSENT))[:-1]
        for number in (b"4102444800.0", b"4102444800.999", b"4.1024448e9"):
            with self.subTest(exp=number):
                body = self.admitted(handmade(self.key, good + b',"exp":' + number + b"}"))
                self.assertEqual(body["expires_at"], 4102444800)


class Contradictions(ClaimsTest):
    """Checks 11 and 12."""

    def test_an_id_token_is_refused(self) -> None:
        no_client = {"azp": ABSENT, "azpacr": ABSENT}
        cases: dict[str, dict[str, Any]] = {
            "as Entra issues it": {**no_client, "roles": ABSENT, "nonce": "n-0S6", "name": "A"},
            "no client": no_client,
            "nonce": {"nonce": "n-0S6"},
            "at_hash": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
            "c_hash": {"c_hash": "LDktKdoQak3Pk0cnXxCltA"},
        }
        for name, changes in cases.items():
            for facets in (True, False):
                with self.subTest(name, facets=facets):
                    self.refused_with(scp=ABSENT, facets=facets, **changes)

    def test_a_token_with_a_scope_is_no_id_token(self) -> None:
        self.admitted_with(azp=ABSENT)
        self.admitted_with(nonce="n-0S6", at_hash="x", c_hash="x")

    def test_two_names_for_the_client_must_agree(self) -> None:
        for version, name in ((V2, "appid"), (V1, "azp")):
            with self.subTest(version):
                payload = self.claims(PERSON, version)
                self.refused(token(self.key, payload | {name: DAEMON}))
                body = self.admitted(token(self.key, payload | {name: CLIENT}))
                self.assertEqual(body["client_id"], CLIENT)

    def test_an_app_has_no_scope(self) -> None:
        for scenario in (AUTONOMOUS, APPLICATION):
            for facets in ({}, {"facets": False, "idtyp": "app"}):
                with self.subTest(scenario, **facets):
                    self.refused(self.token(scenario, scp="Orders.Read", **facets))
                    self.admitted(self.token(scenario, scp="/", **facets))

    def test_an_app_is_not_an_agents_user(self) -> None:
        for facets in ("13", "3 13", "11 13", [13]):
            with self.subTest(xms_sub_fct=facets):
                self.refused(self.token(AUTONOMOUS, xms_sub_fct=facets))
                self.refused(self.token(APPLICATION, xms_sub_fct=facets))

    def test_an_agent_that_acts_as_an_app_is_its_own_subject(self) -> None:
        for facets in ("3 9", "3", "10 9", ["9"]):
            with self.subTest(xms_sub_fct=facets):
                self.refused(self.token(AUTONOMOUS, xms_sub_fct=facets))

    def test_an_agent_as_the_subject_is_no_user(self) -> None:
        for scenario in (ON_BEHALF, PERSON):
            with self.subTest(scenario):
                self.refused(self.token(scenario, xms_sub_fct="3 11"))
                self.refused(self.token(scenario, xms_sub_fct="11", idtyp=ABSENT))
                self.refused(self.token(scenario, xms_sub_fct="11", scp=ABSENT, roles=["Buyer"]))

    def test_a_bound_token_is_no_bearer_token(self) -> None:
        confirmations: tuple[Json, ...] = (
            {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
            {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"},
            {"kid": "x"},
            {},
        )
        for confirmation in confirmations:
            for scenario in Scenario:
                with self.subTest(scenario, cnf=confirmation):
                    self.refused(self.token(scenario, cnf=confirmation))


class Cache(ClaimsTest):
    """The cache of verified tokens, which must not change what is admitted."""

    variables: ClassVar = {"TOKEN_CACHE": "100"}

    def test_a_token_is_told_alike_again_and_again(self) -> None:
        sent = self.token()
        told = self.admitted(sent)
        for _ in range(3):
            self.assertEqual(self.admitted(sent), told)

    def test_a_token_expires_all_the_same(self) -> None:
        now = int(time.time())
        sent = self.token(iat=now - 3600, nbf=now - 3600, exp=now - SKEW + 3)
        self.admitted(sent)
        wait_until(lambda: self.whoami.get("/whoami", sent).status != 200, LIMIT, "its end")
        self.refused(sent)

    def test_a_token_with_another_signature_is_another_token(self) -> None:
        sent = self.token()
        self.admitted(sent)
        signed, _, signature = sent.rpartition(".")
        self.refused(f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")
        self.refused(f"{signed}.{token(self.key, self.claims()).rpartition('.')[2]}")

    def test_every_route_keeps_its_own_rule(self) -> None:
        sent = self.token(AUTONOMOUS, roles=ABSENT)
        for _ in range(2):
            self.admitted(sent)
            self.assert_insufficient_scope(self.whoami.get("/agents", sent))


class Log(ClaimsTest):
    def test_no_token_gets_into_the_log(self) -> None:
        tokens = [
            self.token(sub="marker-in-a-good-token"),
            # These three claims are what an operator has to see, escaped and cut.
            self.token(aud="https://elsewhere.example"),
            self.token(iss="https://elsewhere.example/"),
            self.token(tid="elsewhere"),
            self.token(exp=1, sub="marker-in-an-old-token"),
            self.token(AUTONOMOUS, roles=ABSENT, sub="marker-without-roles"),
            self.token(AGENTS_USER, xms_sub_fct="marker 13"),
            "marker.marker.marker",
            f"{segment(b'marker')}.{segment(json.dumps({'sub': 'marker'}).encode())}.x",
        ]
        for sent in tokens:
            for route in ("/whoami", "/public", "/orders"):
                self.whoami.get(route, sent)
        log = self.whoami.log()
        self.assertNotEqual(log, "")
        self.assertNotIn("marker", log)
        for part in {part for sent in tokens for part in sent.split(".")}:
            if len(part) >= 8:
                self.assertNotIn(part, log)
