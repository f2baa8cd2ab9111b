"""What `whoami` says of a configuration that it cannot start with."""

import unittest

from mint import AGENT, API, API_URI, TENANT
from whoami import run_to_end

GOOD = {
    "AZURE_TENANT_ID": TENANT,
    "EXPECTED_AUDIENCE": f"{API},{API_URI}",
    "AZURE_AUTHORITY_HOST": "http://127.0.0.1:9",
    "PORT": "0",
}


class Start(unittest.TestCase):
    def refusal(self, **changes: str | None) -> str:
        """The one line it says before it gives up, with these variables changed or unset."""
        variables = {name: value for name, value in (GOOD | changes).items() if value is not None}
        completed = run_to_end(**variables)
        self.assertEqual(completed.returncode, 2, completed)
        self.assertEqual(completed.stdout, "")
        self.assertEqual(completed.stderr.count("\n"), 1, completed.stderr)
        self.assertTrue(completed.stderr.endswith("\n"))
        return completed.stderr.rstrip("\n")

    def assert_names(self, name: str, *values: str | None) -> None:
        """Each of these values of the variable is refused by a line that begins with its name."""
        for value in values:
            with self.subTest(name, value=value):
                self.assertRegex(self.refusal(**{name: value}), rf"\A{name}: \S")

    def test_a_tenant_that_is_no_guid_is_named(self) -> None:
        line = self.refusal(AZURE_TENANT_ID="contoso")
        self.assertEqual(line, 'AZURE_TENANT_ID: "contoso" is not a tenant GUID')

    def test_the_tenant_is_needed_and_must_be_guids(self) -> None:
        self.assert_names("AZURE_TENANT_ID", None, "", f"{TENANT},contoso", f"{TENANT}0", ",")

    def test_the_audience_is_needed(self) -> None:
        self.assert_names("EXPECTED_AUDIENCE", None, "", " ", f"{API},,{API_URI}", ",")

    def test_nothing_set_at_all_is_one_line_too(self) -> None:
        nothing = dict.fromkeys(GOOD)
        self.assertRegex(self.refusal(**nothing), r"\A(AZURE_TENANT_ID|EXPECTED_AUDIENCE): \S")

    def test_the_authority_is_https_or_on_loopback(self) -> None:
        self.assert_names(
            "AZURE_AUTHORITY_HOST",
            "http://login.microsoftonline.com",
            "http://192.0.2.1:8080",
            "http://127.0.0.1.example:8080",
            "ftp://127.0.0.1",
            "login.microsoftonline.com",
            "https://",
            "contoso",
        )

    def test_the_port_is_a_number(self) -> None:
        self.assert_names("PORT", "http", "-1", "65536", "80.5")

    def test_known_agents_are_pairs_of_guids(self) -> None:
        self.assert_names(
            "KNOWN_AGENTS",
            AGENT,
            f"{TENANT}/",
            f"/{AGENT}",
            f"{TENANT}/contoso",
            f"contoso/{AGENT}",
            f"{TENANT}/{AGENT},x",
            f"{TENANT}/{AGENT}/{AGENT}",
        )

    def test_the_resource_metadata_is_a_url(self) -> None:
        self.assert_names("RESOURCE_METADATA", "metadata", 'https://x.example/"', "https://x.example/é")

    def test_the_size_of_the_token_cache_is_a_number(self) -> None:
        self.assert_names("TOKEN_CACHE", "many", "-1", "1.5")
