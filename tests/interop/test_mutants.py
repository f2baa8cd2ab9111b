"""Mutants of good tokens, judged by `whoami` and by two other JOSE libraries.

`mutants.py` says which of them must be admitted. What one library refuses the others refuse too, except
for the differences that `differences.md` lists with their reasons. A new difference fails, and so does
one that is gone.
"""

import base64
import functools
import json
import os
import re
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import oracles
from case import WhoamiTest
from mint import (
    ABSENT,
    AGENTS_USER,
    API,
    API_URI,
    AUTONOMOUS,
    BLUEPRINT,
    OTHER_TENANT,
    TENANT,
    VERSIONS,
    Json,
    segment,
    spare_key,
    token,
)
from mutants import Laboratory, Mutant
from whoami import LIMIT, Answer, wait_until

LISTED = Path(__file__).parent / "differences.md"
LAXER = "What another refuses and we admit"
STRICTER = "What another admits and we refuse"
SKEW = 60

Differences = Counter[tuple[str, str]]
"""How many mutants of a class one oracle judges otherwise than we do, by class and oracle."""


class MutantTest(WhoamiTest):
    """A program that knows the keys of a laboratory."""

    laboratory: ClassVar[Laboratory]

    @classmethod
    def more_keys(cls) -> list[Json]:
        cls.laboratory = Laboratory(cls.authority, cls.key)
        return cls.laboratory.jwks()[1:]

    @classmethod
    @functools.cache
    def usable_kids(cls) -> frozenset[str]:
        """The ids of the keys by which a mutant is admitted."""
        admitted = (mutant.token for mutant in cls.laboratory.all() if mutant.is_admitted)
        return frozenset(_part(token, 0)["kid"] for token in admitted)

    def assert_judged(self, mutant: Mutant, answer: Answer) -> None:
        """The verdict is the one that the mutant's class demands, in the form that it has to have."""
        if mutant.is_admitted:
            self.assertEqual(answer.status, 200, answer)
            payload, body = _payload(mutant.token), answer.json()
            for name, claim in (("tenant_id", "tid"), ("issuer", "iss"), ("token_version", "ver")):
                self.assertEqual(body[name], payload[claim])
        elif answer.status == 503:
            # In the cool-down the id of no usable key is not looked up.
            self.assertNotIn(_part(mutant.token, 0)["kid"], self.usable_kids())
            self.assert_unavailable(answer)
        # RFC 6750, section 2.1: the characters of a bearer token.
        elif re.fullmatch(r" *[A-Za-z0-9._~+/=-]+", mutant.token):
            self.assert_invalid_token(answer, mutant.token)
        else:
            self.assert_invalid_request(answer)
            self.assert_reveals_nothing(answer, mutant.token)
        self.assertNotIn("marker", str(answer.headers).lower())


class Mutants(MutantTest):
    mutants: ClassVar[list[Mutant]]
    answers: ClassVar[list[Answer]]
    variables: ClassVar = {"TOKEN_CACHE": "8192"}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.mutants = list(cls.laboratory.all())
        cls.answers = cls.whoami.answers("/whoami", cls._tokens())

    @classmethod
    def _tokens(cls) -> list[str]:
        return [mutant.token for mutant in cls.mutants]

    def test_every_mutant_is_judged_as_its_class_demands(self) -> None:
        self.assertGreater(len(set(self._tokens())), 4_500)
        for mutant, answer in zip(self.mutants, self.answers, strict=True):
            with self.subTest(mutant.kind, name=mutant.name):
                self.assert_judged(mutant, answer)

    def test_a_token_is_judged_alike_while_the_cache_remembers_it(self) -> None:
        again = self.whoami.answers("/whoami", self._tokens())
        for mutant, first, second in zip(self.mutants, self.answers, again, strict=True):
            with self.subTest(mutant.kind, name=mutant.name):
                self.assertEqual((second.status, second.body), (first.status, first.body))
                self.assertEqual(second.all("WWW-Authenticate"), first.all("WWW-Authenticate"))

    def test_no_segment_of_a_token_gets_into_the_log(self) -> None:
        log = set(re.findall(r"[A-Za-z0-9_-]{16,}", self.whoami.log()))
        self.assertTrue(log)
        segments = {part for sent in self._tokens() for part in sent.split(".") if len(part) >= 16}
        self.assertEqual(log & segments, set())

    def test_nothing_is_fetched_that_a_token_names(self) -> None:
        self.assertFalse([path for path in self.authority.requests if "stranger" in path])

    def test_every_difference_to_other_libraries_is_listed_and_has_a_reason(self) -> None:
        ours = [None if answer.status == 200 else str(answer.status) for answer in self.answers]
        issuers = [self.authority.issuer(TENANT, version) for version in VERSIONS]
        asked = (self._tokens(), self.laboratory.jwks(), issuers, [API, API_URI])
        others = {"PyJWT": oracles.pyjwt(*asked), "jose": oracles.jose(*asked)}
        for mutant, *verdicts in zip(self.mutants, *others.values(), strict=True):
            if mutant.kind == "good":
                self.assertEqual(verdicts, [None, None], mutant.name)

        laxer, stricter = Differences(), Differences()
        examples: dict[tuple[str, str], str] = {}
        for oracle, theirs in others.items():
            for mutant, we, they in zip(self.mutants, ours, theirs, strict=True):
                if (we is None) != (they is None):
                    found = laxer if we is None else stricter
                    found[mutant.kind, oracle] += 1
                    examples.setdefault((mutant.kind, oracle), f"{mutant.name} ({they or we})")
        self._report(self.mutants, ours, others, laxer, stricter)
        for heading, found in ((LAXER, laxer), (STRICTER, stricter)):
            with self.subTest(heading):
                self._assert_listed(heading, found, examples)

    maxDiff = None

    def _assert_listed(self, heading: str, found: Differences, examples: dict[tuple[str, str], str]) -> None:
        listed = differences(heading)
        new = [
            f"{kind} | {oracle} | {count} such as {examples[kind, oracle]}"
            for (kind, oracle), count in sorted(found.items())
            if not any(fnmatchcase(kind, pattern) and oracle == of for pattern, of in listed)
        ]
        gone = [
            f"{pattern} | {oracle}"
            for pattern, oracle in listed
            if not any(fnmatchcase(kind, pattern) and oracle == of for kind, of in found)
        ]
        self.assertEqual((new, gone), ([], []), "not listed in differences.md, or listed and gone")

    @staticmethod
    def _report(
        mutants: list[Mutant],
        ours: oracles.Verdicts,
        others: dict[str, oracles.Verdicts],
        laxer: Differences,
        stricter: Differences,
    ) -> None:
        def refused(verdicts: oracles.Verdicts) -> int:
            return sum(verdict is not None for verdict in verdicts)

        if "DIFFERENCES" in os.environ:
            for (kind, oracle), count in sorted(stricter.items()):
                print(f"    {oracle} admits and we refuse {count}: {kind}")
            for (kind, oracle), count in sorted(laxer.items()):
                print(f"    {oracle} refuses and we admit {count}: {kind}")
        print(
            f"{len(mutants)} mutants of {len({mutant.kind for mutant in mutants})} classes:",
            f"we refuse {refused(ours)};",
            "; ".join(
                f"{oracle} refuses {refused(theirs)}, {_of(stricter, oracle)} fewer and {_of(laxer, oracle)} others"
                for oracle, theirs in others.items()
            ),
            flush=True,
        )


class ListedTenants(MutantTest):
    variables: ClassVar = {"AZURE_TENANT_ID": f"{TENANT},{OTHER_TENANT}"}

    def test_tenants_on_the_list_are_admitted_and_no_others(self) -> None:
        for mutant in self.laboratory.of_tenants(listed=True):
            with self.subTest(mutant.kind, name=mutant.name):
                self.assert_judged(mutant, self.whoami.get("/whoami", mutant.token))

    def test_discovery_is_that_of_organizations(self) -> None:
        self.assertEqual(
            self.authority.requests[:2],
            [
                "/organizations/v2.0/.well-known/openid-configuration",
                "/organizations/discovery/v2.0/keys",
            ],
        )

    def test_the_resource_names_an_authorization_server_per_tenant(self) -> None:
        document = self.whoami.get("/.well-known/oauth-protected-resource").json()
        servers = [self.authority.issuer(tenant) for tenant in (TENANT, OTHER_TENANT)]
        self.assertEqual(sorted(document["authorization_servers"]), sorted(servers))


class AnyOrganization(MutantTest):
    variables: ClassVar = {"AZURE_TENANT_ID": "organizations"}

    def test_every_organization_is_admitted_by_keys_for_its_tenant(self) -> None:
        for mutant in self.laboratory.of_tenants(listed=False):
            with self.subTest(mutant.kind, name=mutant.name):
                self.assert_judged(mutant, self.whoami.get("/whoami", mutant.token))


class Requests(MutantTest):
    def test_every_spelling_of_the_authorization_is_answered_as_it_must_be(self) -> None:
        for request in self.laboratory.requests():
            with self.subTest(request.answer, lines=[line[:24] + line[-10:] for line in request.lines]):
                answer = self.whoami.raw("/whoami", request.lines)
                match request.answer:
                    case "admitted":
                        self.assertEqual(answer.status, 200, answer)
                    case "no credentials":
                        self.assert_no_credentials(answer)
                    case "invalid request":
                        self.assert_invalid_request(answer)
                    case "invalid token":
                        self.assert_invalid_token(answer, request.lines[0].decode().rpartition(" ")[2])
                    case statuses:
                        self.assertIn(str(answer.status), statuses.split(" or "))
                for line in request.lines:
                    self.assert_reveals_nothing(answer, line.decode("latin-1").rpartition(" ")[2])


class Answers(MutantTest):
    """Refusals that a client must not be able to distinguish."""

    def challenges(self, *tokens: str) -> set[str]:
        return {self.refused(sent).all("WWW-Authenticate")[0] for sent in tokens}

    def test_an_unknown_key_and_a_bad_signature_answer_alike(self) -> None:
        stranger = spare_key("stranger")
        bad_signature = self.refused(token(stranger, self.claims(), kid=self.key.kid))
        unknown_key = self.refused(token(stranger, self.claims()))

        def comparable(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
            return [(name, value) for name, value in headers if name.lower() != "date"]

        self.assertEqual(comparable(bad_signature.headers), comparable(unknown_key.headers))

    def test_a_bad_signature_hides_what_else_is_wrong(self) -> None:
        stranger = spare_key("stranger")
        changes: tuple[Json, ...] = ({}, {"aud": "https://graph.microsoft.com"}, {"exp": 1}, {"tid": "contoso"})
        tokens = [token(stranger, self.claims(**change), kid=self.key.kid) for change in changes]
        self.assertEqual(len(self.challenges(*tokens)), 1)

    def test_every_wrong_audience_is_answered_alike(self) -> None:
        audiences: list[Any] = [BLUEPRINT, "https://x.example", []]
        self.assertEqual(len(self.challenges(*(self.token(aud=audience) for audience in audiences))), 1)


class Time(MutantTest):
    variables: ClassVar = {"TOKEN_CACHE": "100"}

    def test_a_clock_may_be_half_a_minute_off(self) -> None:
        now = int(time.time())
        self.admitted(self.token(exp=now - SKEW // 2, nbf=now - 3600, iat=now - 3600))
        self.admitted(self.token(nbf=now + SKEW // 2))
        self.admitted(self.token(iat=now + SKEW // 2))

    def test_a_token_that_ends_within_the_skew_of_its_beginning_is_refused(self) -> None:
        now = int(time.time())
        self.refused(self.token(exp=now - 10, nbf=now + 10, iat=ABSENT))

    def test_a_clock_more_than_the_skew_behind_refuses(self) -> None:
        for name in ("nbf", "iat"):
            with self.subTest(name):
                self.refused(self.token(**{name: int(time.time()) + SKEW + 30}))

    def test_a_token_expires_while_the_cache_remembers_it(self) -> None:
        now = int(time.time())
        sent = self.token(iat=now - 3600, nbf=now - 3600, exp=now - SKEW + 3)
        self.admitted(sent)
        wait_until(lambda: self.whoami.get("/whoami", sent).status != 200, LIMIT, "its end")
        self.refused(sent)


class Log(MutantTest):
    def test_no_claim_but_three_gets_into_the_log(self) -> None:
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


def _payload(sent: str) -> Json:
    return _part(sent, 1)


def _part(sent: str, at: int) -> Json:
    part = sent.strip().split(".")[at]
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _of(found: Differences, oracle: str) -> int:
    return sum(count for (_, of), count in found.items() if of == oracle)


def differences(heading: str) -> list[tuple[str, str]]:
    """The classes and oracles in the table under this heading; every row has a reason."""
    _, found, rest = LISTED.read_text().partition(f"## {heading}\n")
    if not found:
        raise AssertionError(f"no {heading!r} in {LISTED.name}")
    listed = []
    for line in rest.partition("\n## ")[0].splitlines():
        if not line.startswith("| `"):
            continue
        kinds, names, reason = (cell.strip() for cell in line.strip("| ").split(" | "))
        if not reason:
            raise AssertionError(f"no reason: {line}")
        listed += [
            (kind.strip(" `"), name) for kind in kinds.split("`, `") for name in names.split(", ")
        ]
    return listed


