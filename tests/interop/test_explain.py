"""What the example `explain` says about a token, and what the log of `whoami` says."""

import os
import subprocess
import unittest
from typing import ClassVar

from authority import Authority
from case import WhoamiTest, variables
from mint import (
    ABSENT,
    AGENT,
    APPLICATION,
    BLUEPRINT,
    ON_BEHALF,
    OTHER_TENANT,
    PERSON,
    V1,
    V2,
    Key,
    claims,
    spare_key,
    token,
)
from whoami import LIMIT

PROGRAM = os.environ.get("EXPLAIN", "target/debug/examples/explain")


def explain(sent: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `explain` with this on its standard input, these variables and no others."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=environment,
        input=sent,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )


class Explain(unittest.TestCase):
    key: ClassVar[Key]
    authority: ClassVar[Authority]

    @classmethod
    def setUpClass(cls) -> None:
        cls.key = spare_key("authority")
        cls.authority = cls.enterClassContext(Authority())
        cls.authority.publish(cls.key.jwk(cls.authority))

    def said(self, sent: str, status: int, *arguments: str, **environment: str) -> str:
        """What it prints about a token, with this exit status and nothing on stderr."""
        completed = explain(sent, *arguments, **(environment or variables(self.authority)))
        self.assertEqual(completed.returncode, status, completed)
        self.assertEqual(completed.stderr, "")
        self.assertNotIn("\x1b", completed.stdout)
        for segment in sent.strip().split("."):
            self.assertTrue(len(segment) < 16 or segment not in completed.stdout, completed.stdout)
        return completed.stdout

    def test_an_admitted_agent_is_explained_with_the_evidence(self) -> None:
        sent = token(self.key, claims(self.authority, ON_BEHALF))
        for form in (sent, f"Bearer {sent}\n", f"  bearer  {sent}  \n"):
            said = self.said(form, 0)
            for text in (
                "ADMITTED",
                "agent_on_behalf_of_user",
                "xms_act_fct has 11, and a user has delegated",
                "11 = an agent identity",
                f"xms_par_app_azp  {BLUEPRINT}",
                f"azp              {AGENT}",
                "Orders.Read profile",
            ):
                self.assertIn(text, said)

    def test_a_refused_token_is_explained_with_the_check_and_what_to_change(self) -> None:
        for changes, *texts in (
            ({"aud": "api://other"}, "check 9, audience", '"api://other"', ".default"),
            (
                {"exp": 1_000},
                "check 10, dates",
                "1970-01-01T00:16:40Z",
                "new token",
                "Who would be calling, if it had not expired",
                "idtyp is user, and no facet",
            ),
            (
                {"nbf": 4_000_000_000, "exp": 4_000_003_600},
                "check 10, dates",
                "clock",
                "Who would be calling, if it were valid already",
            ),
            ({"tenant": OTHER_TENANT}, "check 7, issuer and tenant", OTHER_TENANT, "Tenants"),
        ):
            with self.subTest(texts[0]):
                said = self.said(token(self.key, claims(self.authority, PERSON, **changes)), 1)
                for text in ("REFUSED", *texts):
                    self.assertIn(text, said)
                self.assertNotIn("Who is calling", said)
                self.assertNotIn("NOT VERIFIED", said)

    def test_a_token_that_grants_nothing_is_explained_with_its_caller(self) -> None:
        payload = claims(self.authority, APPLICATION, roles=ABSENT)
        said = self.said(token(self.key, payload), 1)
        for text in ("check 13, grant", "24 h", "keeps its own list", "Who is calling", "application"):
            self.assertIn(text, said)

    def test_a_forged_token_is_not_taken_at_its_word(self) -> None:
        stranger = Key(self.key.kid, spare_key("stranger").private)
        for changes in ({}, {"exp": 1_000}):
            said = self.said(token(stranger, claims(self.authority, PERSON, **changes)), 1)
            self.assertIn("check 5, signature", said)
            self.assertIn("NOT VERIFIED", said)
            self.assertNotIn("Who is calling", said)
            self.assertNotIn("Who would be calling", said)

    def test_a_client_in_the_claim_of_the_other_version_is_explained(self) -> None:
        for version, missing, there, note in (
            (V2, "azp", "appid", "version 2.0 tokens name their client in azp"),
            (V1, "appid", "azp", "version 1.0 tokens name their client in appid"),
        ):
            with self.subTest(note):
                changes = {missing: ABSENT, there: AGENT}
                payload = claims(self.authority, PERSON, version, **changes)
                said = self.said(token(self.key, payload), 0)
                self.assertIn(f"does not count: {note}", said)
                self.assertRegex(said, r"client +none\n +version 2\.0 tokens name it in azp")

    def test_groups_that_did_not_fit_are_explained(self) -> None:
        for changes in ({"_claim_names": {"groups": "src1"}}, {"hasgroups": True}):
            said = self.said(token(self.key, claims(self.authority, PERSON, **changes)), 0)
            self.assertIn("ask Microsoft Graph (memberOf), or use app roles", said)
            self.assertRegex(said, r"groups +0\n +more than the token could hold")

    def test_offline_there_is_no_verdict_and_nothing_is_fetched(self) -> None:
        sent = token(self.key, claims(self.authority, ON_BEHALF, exp=1_000))
        before = len(self.authority.requests)
        said = self.said(sent, 0, "--offline")
        self.assertEqual(len(self.authority.requests), before)
        for text in (
            "NOT VERIFIED",
            "check 10, dates would refuse the token (expired)",
            "11 = an agent identity",
            "Who would be calling, if it had not expired",
            "agent_on_behalf_of_user",
        ):
            self.assertIn(text, said)
        for text in ("ADMITTED", "REFUSED", "Who is calling"):
            self.assertNotIn(text, said)
        # Without any setting too.
        self.assertIn("NOT VERIFIED", self.said(sent, 0, "--offline", HOME="/"))

    def test_without_keys_nothing_is_decided(self) -> None:
        sent = token(self.key, claims(self.authority, PERSON))
        with Authority(listening=False) as silent:
            said = self.said(sent, 1, **variables(silent))
        for text in ("NOT DECIDED (keys_unavailable)", "could not be reached", "NOT VERIFIED"):
            self.assertIn(text, said)

    def test_claims_that_would_take_over_a_terminal_are_escaped(self) -> None:
        hostile = "a\x1b[2J\r\n\u202eb"
        sent = token(self.key, claims(self.authority, PERSON, name=hostile, **{hostile: hostile}))
        for arguments in ((), ("--offline",)):
            said = self.said(sent, 0, *arguments)
            self.assertTrue(said.replace("\n", "").isprintable() and said.isascii(), said)
            self.assertIn(r"a\u{1b}[2J\r\n\u{202e}b", said)

    def test_a_token_is_not_taken_from_an_argument(self) -> None:
        sent = token(self.key, claims(self.authority, PERSON))
        for arguments in ((sent,), ("--offline", sent), ("--token", sent)):
            completed = explain("", *arguments, **variables(self.authority))
            self.assertEqual(completed.returncode, 2)
            self.assertEqual(completed.stdout, "")
            self.assertIn("never from an argument", completed.stderr)
            self.assertNotIn(sent, completed.stderr)

    def test_what_is_missing_is_one_line(self) -> None:
        for sent, environment in (
            ("", variables(self.authority)),
            ("x", {"EXPECTED_AUDIENCE": "x"}),
            ("x", variables(self.authority, AZURE_TENANT_ID="contoso")),
        ):
            completed = explain(sent, **environment)
            self.assertEqual(completed.returncode, 2, completed)
            self.assertEqual(completed.stderr.count("\n"), 1, completed)


class Log(WhoamiTest):
    # What it logs by itself.
    variables: ClassVar[dict[str, str]] = {"RUST_LOG": ""}

    def test_the_log_tells_who_came_and_why_others_did_not(self) -> None:
        self.admitted(self.token(ON_BEHALF))
        self.refused(self.token(PERSON, aud="api://other"))
        self.refused(self.token(PERSON, exp=1_000))
        self.whoami.get("/agents", self.token(PERSON))
        self.whoami.get("/whoami")
        log = self.whoami.log()
        for texts in (
            ("request admitted", f"client_id={AGENT}", "kind=agent_on_behalf_of_user"),
            ("request refused", 'code="audience_mismatch"', r'\"api://other\"', "hint="),
            ("request refused", 'code="expired"', "expired ", "hint="),
            ("request refused", 'code="denied"', "only agents may", "kind=user"),
            ("request refused", 'code="missing_token"', "there is no Authorization header"),
            ("the signing keys are loaded",),
        ):
            found = [line for line in log.splitlines() if all(text in line for text in texts)]
            self.assertEqual(len(found), 1, (texts, log))
        self.assertNotIn("\x1b", log)
