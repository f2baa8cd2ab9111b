"""Keys that change, and an authority that fails."""

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from authority import Authority, Fault
from case import Refusals, variables
from mint import ABSENT, OTHER_TENANT, Json, claims, handmade, spare_key, token
from whoami import Whoami, wait_until

RETRIES = 30.0
"""The most seconds until a failed fetch is tried again and succeeds."""


COOL_DOWN = 10
"""The seconds after a fetch for an unknown key in which there is no other."""


class KeysTest(Refusals):
    """Every test has an authority and a `whoami` of its own, since fetches are counted and rare."""

    def setUp(self) -> None:
        self.old = spare_key("old")
        self.new = spare_key("new")

    def authority(self, *, listening: bool = True) -> Authority:
        """An authority that has published the old key."""
        authority = self.enterContext(Authority(listening=listening))
        authority.publish(self.old.jwk(authority))
        return authority

    def started(self, authority: Authority, **changes: str) -> Whoami:
        """A `whoami`, whether or not it has keys yet."""
        return self.enterContext(Whoami(**variables(authority, **changes)))

    def with_keys(self, authority: Authority, **changes: str) -> Whoami:
        """A `whoami` that has fetched the keys once."""
        whoami = self.started(authority, **changes)
        whoami.wait_until_ready()
        self.assertEqual(authority.keys_fetches, 1)
        return whoami

    def assert_status(self, whoami: Whoami, sent: str, status: int) -> None:
        answer = whoami.get("/whoami", sent)
        self.assertEqual(answer.status, status, answer)


class Rotation(KeysTest):
    def test_a_new_key_is_admitted_in_the_same_request_by_one_more_fetch(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        self.assert_status(whoami, token(self.old, claims(authority)), 200)
        authority.publish(self.old.jwk(authority), self.new.jwk(authority))

        answer = whoami.curl("/whoami", token(self.new, claims(authority)))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(authority.keys_fetches, 2)
        self.assert_status(whoami, token(self.old, claims(authority)), 200)
        self.assert_status(whoami, token(self.new, claims(authority)), 200)
        self.assertEqual(authority.keys_fetches, 2)

    def test_a_withdrawn_key_is_dead_at_once(self) -> None:
        for cache in ({}, {"TOKEN_CACHE": "100"}):
            with self.subTest(**cache):
                authority = self.authority()
                whoami = self.with_keys(authority, **cache)
                sent = token(self.old, claims(authority))
                self.assert_status(whoami, sent, 200)
                self.assert_status(whoami, sent, 200)
                authority.publish(self.new.jwk(authority))
                self.assert_status(whoami, token(self.new, claims(authority)), 200)
                self.assert_invalid_token(whoami.get("/whoami", sent), sent)
                self.assertEqual(authority.keys_fetches, 2)

    def test_many_requests_for_a_new_key_share_one_fetch(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        authority.publish(self.new.jwk(authority))
        sent = token(self.new, claims(authority))
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: whoami.get("/whoami", sent), range(40)))
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(authority.keys_fetches, 2)

    def test_unknown_keys_cause_one_fetch_at_most(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        for number in range(20):
            sent = token(self.new, claims(authority), kid=f"unknown-{number}")
            answer = whoami.get("/whoami", sent)
            if number == 0:
                self.assert_invalid_token(answer, sent)
            else:
                # Not looked up, and not to be before the cool-down is over.
                self.assert_unavailable(answer)
                self.assertLessEqual(int(answer.all("Retry-After")[0]), COOL_DOWN)
        self.assertEqual(authority.keys_fetches, 2)
        self.assertFalse([path for path in authority.requests if "unknown" in path])

    def test_an_invented_key_makes_no_honest_client_throw_its_token_away(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        invented = token(self.new, claims(authority), kid="invented")
        self.assert_invalid_token(whoami.get("/whoami", invented), invented)
        authority.publish(self.old.jwk(authority), self.new.jwk(authority))
        sent = token(self.new, claims(authority))

        def is_admitted() -> bool:
            answer = whoami.get("/whoami", sent)
            if answer.status != 200:
                self.assert_unavailable(answer)
            return answer.status == 200

        wait_until(is_admitted, COOL_DOWN + 2, "the new key")
        self.assertEqual(authority.keys_fetches, 3)

    def test_a_token_that_would_be_refused_anyway_causes_no_fetch(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        authority.publish(self.new.jwk(authority))
        for sent in self._hopeless(authority):
            self.assert_invalid_token(whoami.get("/whoami", sent), sent)
        self.assertEqual((authority.discovery_fetches, authority.keys_fetches), (1, 1))
        # Nor has any of them used up the fetch that an honest one needs.
        self.assert_status(whoami, token(self.new, claims(authority)), 200)
        self.assertEqual(authority.keys_fetches, 2)

    def _hopeless(self, authority: Authority) -> list[str]:
        payloads: list[Json] = [
            claims(authority, iss="https://login.microsoftonline.com/common/v2.0"),
            claims(authority, iss=f"{authority.url}.example/v2.0"),
            claims(authority, tenant=OTHER_TENANT),
            claims(authority, tid=OTHER_TENANT),
            claims(authority, ver="1.0"),
            claims(authority, aud="https://graph.microsoft.com"),
            claims(authority, exp=int(time.time()) - 3600),
            claims(authority, exp=ABSENT),
            claims(authority, nbf=int(time.time()) + 3600),
        ]
        headers: list[dict[str, Any]] = [
            {"alg": "none"},
            {"alg": "HS256"},
            {"alg": "PS256"},
            {"kid": ABSENT},
            {"kid": "K" * 257},
            {"kid": ""},
            {"crit": ["x"]},
            {"typ": "dpop+jwt"},
        ]
        return [
            *(token(self.new, payload) for payload in payloads),
            *(handmade(self.new, claims(authority), **changes) for changes in headers),
            "null",
            "a.b.c",
        ]


class Outage(KeysTest):
    def test_without_keys_good_and_bad_requests_are_told_apart(self) -> None:
        authority = self.authority(listening=False)
        whoami = self.started(authority)
        self.assertEqual(whoami.get("/readyz").status, 503)
        self.assertEqual(whoami.get("/healthz").status, 200)
        self.assertEqual(whoami.get("/.well-known/oauth-protected-resource").status, 200)

        good = token(self.old, claims(authority))
        for route in ("/whoami", "/public", "/agents", "/people", "/orders"):
            self.assert_unavailable(whoami.get(route, good))
        self.assert_unavailable(whoami.curl("/whoami", good))
        # Claims are not judged before the signature is: this passes checks 1-3 too.
        for payload in (claims(authority, aud="api://other"), claims(authority, tenant=OTHER_TENANT)):
            self.assert_unavailable(whoami.get("/whoami", token(self.old, payload)))
        self.assert_no_credentials(whoami.get("/whoami"))
        self.assertEqual(whoami.get("/public").json(), {"anonymous": True})
        self.assert_no_credentials(whoami.get("/whoami", authorization=["Bearer"]))
        self.assert_invalid_request(whoami.get("/whoami", authorization=["Bearer {}"]))
        for bad in ("null", handmade(self.old, claims(authority), alg="none")):
            self.assert_invalid_token(whoami.get("/whoami", bad), bad)

    def test_it_recovers_when_the_authority_comes_up(self) -> None:
        authority = self.authority(listening=False)
        whoami = self.started(authority)
        self.assert_unavailable(whoami.get("/whoami", token(self.old, claims(authority))))
        authority.listen()
        whoami.wait_until_ready(RETRIES)
        self.assert_status(whoami, token(self.old, claims(authority)), 200)

    def test_it_recovers_when_the_authority_does(self) -> None:
        faults = {
            "503": Fault(503),
            "a redirect": Fault(302, headers={"Location": "/elsewhere"}),
            "a page": Fault(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
        }
        for name, fault in faults.items():
            with self.subTest(name):
                self.assert_recovers_from(fault)

    def assert_recovers_from(self, fault: Fault) -> None:
        """It starts while the authority has this fault, and needs no restart when that is over."""
        authority = self.authority()
        authority.fault = fault
        whoami = self.started(authority)
        wait_until(lambda: bool(authority.requests), RETRIES, "a request to the authority")
        self.assert_unavailable(whoami.get("/whoami", token(self.old, claims(authority))))
        self.assertEqual(whoami.get("/readyz").status, 503)
        self.assertNotIn("/elsewhere", authority.requests)
        authority.fault = None
        whoami.wait_until_ready(RETRIES)
        self.assert_status(whoami, token(self.old, claims(authority)), 200)

    def test_a_bad_key_set_does_not_take_the_place_of_a_good_one(self) -> None:
        for name, fault in self._bad_key_sets().items():
            with self.subTest(name):
                authority = self.authority()
                whoami = self.with_keys(authority)
                authority.keys_fault = fault
                unknown = token(self.new, claims(authority))
                self.assert_unavailable(whoami.get("/whoami", unknown))
                self.assertGreaterEqual(authority.keys_fetches, 2)
                self.assert_status(whoami, token(self.old, claims(authority)), 200)
                self.assertEqual(whoami.get("/readyz").status, 200)

    def test_an_outage_during_a_rotation_ends_by_itself(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        authority.publish(self.new.jwk(authority))
        authority.fault = Fault(503)
        sent = token(self.new, claims(authority))
        self.assert_unavailable(whoami.get("/whoami", sent))
        authority.fault = None
        wait_until(lambda: whoami.get("/whoami", sent).status == 200, RETRIES, "the new key")

    def test_a_slow_authority_holds_a_request_no_longer_than_two_seconds(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority)
        authority.keys_fault = Fault(200, b"{}", after=8)
        began = time.monotonic()
        self.assert_unavailable(whoami.get("/whoami", token(self.new, claims(authority))))
        self.assertLess(time.monotonic() - began, 4)
        began = time.monotonic()
        self.assert_status(whoami, token(self.old, claims(authority)), 200)
        self.assertLess(time.monotonic() - began, 1)

    def _bad_key_sets(self) -> dict[str, Fault]:
        unusable = b'{"keys":[{"kty":"oct","kid":"x","k":"c2VjcmV0"}]}'
        return {
            "503": Fault(503, b'{"keys":[]}'),
            "404": Fault(404),
            "204": Fault(204),
            "a redirect": Fault(302, headers={"Location": "/elsewhere"}),
            "a page": Fault(200, b"<!doctype html><title>Sign in</title>"),
            "nothing": Fault(200),
            "half of it": Fault(200, b'{"keys":[{"kty":"RSA","kid":"x"'),
            "more than it": Fault(200, unusable + b"x"),
            "no keys": Fault(200, b'{"keys":[]}'),
            "no list": Fault(200, b'{"keys":{}}'),
            "no object": Fault(200, b"[]"),
            "no usable key": Fault(200, unusable),
            "too much": Fault(200, b'{"keys":[]' + b" " * 300_000 + b"}"),
            "encoded": Fault(200, gzip.compress(unusable), {"Content-Encoding": "gzip"}),
        }


class Discovery(KeysTest):
    def test_discovery_is_that_of_the_tenant(self) -> None:
        authority = self.authority()
        self.with_keys(authority)
        tenant = variables(authority)["AZURE_TENANT_ID"]
        self.assertEqual(
            authority.requests,
            [f"/{tenant}/v2.0/.well-known/openid-configuration", f"/{tenant}/discovery/v2.0/keys"],
        )

    def test_a_slash_behind_the_authority_makes_no_difference(self) -> None:
        authority = self.authority()
        whoami = self.with_keys(authority, AZURE_AUTHORITY_HOST=f"{authority.url}/")
        for version in ("1.0", "2.0"):
            payload = claims(authority, version=version)
            self.assert_status(whoami, token(self.old, payload), 200)

    def test_an_authority_on_loopback_is_reached_without_a_proxy(self) -> None:
        authority = self.authority()
        proxy = "http://127.0.0.1:9"
        whoami = self.with_keys(authority, HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy)
        self.assert_status(whoami, token(self.old, claims(authority)), 200)

    def test_a_document_with_another_issuer_is_not_believed(self) -> None:
        authority = self.authority()
        for issuer in ("https://login.microsoftonline.com/{tenantid}/v2.0", authority.issuer(OTHER_TENANT)):
            with self.subTest(issuer):
                authority.discovery = {"issuer": issuer}
                self.assert_never_ready(authority)

    def test_keys_of_another_origin_are_not_fetched(self) -> None:
        authority, stranger = self.authority(), self.authority()
        for target in (stranger.issuer("x"), f"https{authority.url[4:]}/keys", "/keys"):
            with self.subTest(target):
                authority.discovery = {"jwks_uri": target}
                self.assert_never_ready(authority)
        self.assertEqual(stranger.requests, [])

    def assert_never_ready(self, authority: Authority) -> None:
        """Discovery is tried twice, and there are still no keys."""
        before = authority.discovery_fetches
        whoami = self.started(authority)
        wait_until(lambda: authority.discovery_fetches >= before + 2, RETRIES, "a second try")
        self.assertEqual(whoami.get("/readyz").status, 503)
        self.assert_unavailable(whoami.get("/whoami", token(self.old, claims(authority))))
        self.assertEqual(authority.keys_fetches, 0)
