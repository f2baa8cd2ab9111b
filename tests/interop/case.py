"""What the tests share: a running program with its authority, and how it must refuse."""

import base64
import json
import unittest
from collections.abc import Iterator
from typing import Any, ClassVar

from authority import Authority
from challenge import Challenge
from mint import API, API_URI, PERSON, TENANT, Json, Key, Scenario, claims, spare_key, token
from whoami import Answer, Whoami


class Refusals(unittest.TestCase):
    """What each kind of refusal looks like, as assertions."""

    realm: ClassVar[str] = API
    resource_metadata: ClassVar[str | None] = None

    def assert_no_credentials(self, answer: Answer) -> None:
        """401 without an error code: there was no token to judge."""
        found = self._challenge(answer, 401)
        self.assertEqual(found, self._expected())

    def assert_invalid_request(self, answer: Answer) -> None:
        """400: what came is not one well-formed bearer token."""
        found = self._challenge(answer, 400)
        found.pop("error_description", None)
        self.assertEqual(found, self._expected(error="invalid_request"))

    def assert_invalid_token(self, answer: Answer, sent: str) -> None:
        """401: a token, and not a good one."""
        found = self._challenge(answer, 401)
        self.assertTrue(found.pop("error_description", ""), "there is no error_description")
        self.assertEqual(found, self._expected(error="invalid_token"))
        self.assert_reveals_nothing(answer, sent)

    def assert_insufficient_scope(self, answer: Answer, scope: str | None = None) -> None:
        """403: a good token that does not suffice here. `scope` is what lacks."""
        found = self._challenge(answer, 403)
        found.pop("error_description", None)
        expected = self._expected(error="insufficient_scope")
        self.assertEqual(found, expected | ({} if scope is None else {"scope": scope}))

    def assert_unavailable(self, answer: Answer) -> None:
        """503: the program has no keys, and that is not the caller's fault."""
        self._assert_refusal(answer, 503)
        self.assertEqual(answer.all("WWW-Authenticate"), [])
        self.assertEqual(len(answer.all("Retry-After")), 1)
        self.assertRegex(answer.all("Retry-After")[0], r"\A[0-9]+\Z")

    def assert_reveals_nothing(self, answer: Answer, sent: str) -> None:
        """No header holds a segment of the token or a text from within it."""
        headers = "\n".join(value for _, value in answer.headers)
        for configured in (self.realm, self.resource_metadata):
            headers = headers.replace(configured or "", "")
        for text in (*sent.split("."), *_texts_in(sent)):
            # Shorter ones, such as "JWT" and "RS256", a fixed text may well name.
            if len(text) >= 8:
                self.assertNotIn(text, headers)

    def _challenge(self, answer: Answer, status: int) -> dict[str, str]:
        self._assert_refusal(answer, status)
        values = answer.all("WWW-Authenticate")
        self.assertEqual(len(values), 1, values)
        challenge = Challenge.parse(values[0])
        self.assertEqual(challenge.scheme, "Bearer")
        return challenge.parameters

    def _expected(self, **parameters: str) -> dict[str, str]:
        expected = {"realm": self.realm} | parameters
        if self.resource_metadata is not None:
            expected["resource_metadata"] = self.resource_metadata
        return expected

    def _assert_refusal(self, answer: Answer, status: int) -> None:
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.all("Cache-Control"), ["no-store"])
        self.assertEqual(answer.body, b"")


class WhoamiTest(Refusals):
    """One authority and one `whoami` with keys for all tests of a class."""

    key: ClassVar[Key]
    authority: ClassVar[Authority]
    whoami: ClassVar[Whoami]
    variables: ClassVar[dict[str, str]] = {}
    """What differs from a program for one tenant and both names of the API."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.key = spare_key("authority")
        cls.authority = cls.enterClassContext(Authority())
        cls.authority.publish(cls.key.jwk(cls.authority), *cls.more_keys())
        cls.whoami = cls.enterClassContext(Whoami(**variables(cls.authority, **cls.variables)))
        cls.whoami.wait_until_ready()

    @classmethod
    def more_keys(cls) -> list[Json]:
        """What is published beside the key that signs."""
        return []

    def claims(self, scenario: Scenario = PERSON, *version: str, **changes: Any) -> Json:
        """The payload of a good token of this authority, then `changes`."""
        return claims(self.authority, scenario, *version, **changes)

    def token(self, scenario: Scenario = PERSON, *version: str, **changes: Any) -> str:
        """A token of this authority: a good one, but for `changes`."""
        return token(self.key, self.claims(scenario, *version, **changes))

    def admitted(self, sent: str, path: str = "/whoami") -> Any:
        """The JSON of a request that must be admitted."""
        answer = self.whoami.get(path, sent)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def refused(self, sent: str, path: str = "/whoami") -> Answer:
        """A request that must be refused because of its token."""
        answer = self.whoami.get(path, sent)
        self.assert_invalid_token(answer, sent)
        return answer


def variables(authority: Authority, **changes: str) -> dict[str, str]:
    """The environment of a program for one tenant and both names of the API, then `changes`."""
    return {
        "AZURE_TENANT_ID": TENANT,
        "EXPECTED_AUDIENCE": f"{API},{API_URI}",
        "AZURE_AUTHORITY_HOST": authority.url,
    } | changes


def _texts_in(sent: str) -> Iterator[str]:
    """Every string that the token's header and payload hold, as far as they can be read."""
    for part in sent.split(".")[:2]:
        try:
            decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            continue
        yield from _strings(decoded)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, member in value.items():
                yield name
                yield from _strings(member)
        case list():
            for member in value:
                yield from _strings(member)
