"""The Microsoft 365 Agents SDK for Python and for Node against the sidecar."""

from azure.core.credentials import AccessToken

import sidecar_cases
from agents import Node, Python, PythonClient, user_token
from mint import part_of
from sidecar import Sidecar


class TokensOfPython(sidecar_cases.Tokens):
    sdk_type = Python

    def connection(self, sidecar: Sidecar) -> PythonClient:
        client = self.sdk.client(sidecar.url)
        assert isinstance(client, PythonClient)
        return client

    def test_a_forced_call_gets_a_new_token_past_both_caches(self) -> None:
        def token(of: PythonClient, *, force: bool = False) -> str:
            got: str = of.run(of.client.get_access_token("", [self.default], force))
            return got

        with Sidecar(self.entra, of_client=True) as sidecar:
            connection = self.connection(sidecar)
            first = token(connection)
            self.assertEqual(self.requests_to_entra(token, connection), (first, []))
            forced, requests = self.requests_to_entra(lambda: token(connection, force=True))
            self.assertEqual(len(requests), 1)
            self.assertNotEqual(forced, first)
            other = self.connection(sidecar)
            self.assertEqual(self.requests_to_entra(token, other), (forced, []))

    def test_a_credential_of_the_azure_sdk_says_when_its_token_expires(self) -> None:
        with Sidecar(self.entra, of_client=True) as sidecar:
            connection = self.connection(sidecar)
            credential = connection.client.get_token_credential()
            got: AccessToken = connection.run(credential.get_token(self.default))
            self.assertEqual(got.expires_on, part_of(got.token, 1)["exp"])
            self.assertEqual(part_of(got.token, 1)["azp"], self.entra.client)

    def test_every_spelling_of_a_guid_that_python_takes_for_one_names_the_user(self) -> None:
        for spelling in (self.user_id.replace("-", ""), f"{{{self.user_id}}}"):
            with self.subTest(spelling):
                call = user_token(self.entra.tenant, self.entra.agent, spelling)
                self.assert_is_of_user(self.client().get(call))


class TokensOfNode(sidecar_cases.Tokens):
    sdk_type = Node


class RefusalsOfPython(sidecar_cases.Refusals):
    sdk_type = Python


class RefusalsOfNode(sidecar_cases.Refusals):
    sdk_type = Node


class OutagesOfPython(sidecar_cases.Outages):
    sdk_type = Python


class OutagesOfNode(sidecar_cases.Outages):
    sdk_type = Node
