"""Whose tokens are admitted where several tenants may come: checks 7 and 8."""

from typing import ClassVar

from case import WhoamiTest
from mint import (
    ABSENT,
    OTHER_TENANT,
    PERSON,
    PERSONAL_TENANT,
    TENANT,
    VERSIONS,
    Json,
    Key,
    spare_key,
    token,
)

THIRD_TENANT = "b5d3e9a1-7c42-4f6d-8e0b-2a9c4d1f7e63"


class SeveralTenants(WhoamiTest):
    """What holds for a list and for any organization."""

    other: Key

    @classmethod
    def more_keys(cls) -> list[Json]:
        cls.other = spare_key("other")
        authority = cls.authority
        return [
            cls.other.jwk(authority, kid="no-issuer", issuer=ABSENT),
            cls.other.jwk(authority, kid="odd-template", issuer=authority.issuer("{TENANTID}")),
            cls.other.jwk(authority, kid="one-tenant", issuer=authority.issuer(OTHER_TENANT)),
            cls.other.jwk(authority, kid="other-cloud", cloud_instance_name="microsoftonline.us"),
        ]

    def assert_admits(self, tenant: str) -> None:
        for version in VERSIONS:
            with self.subTest(tid=tenant, version=version):
                body = self.admitted(self.token(PERSON, version, tenant=tenant))
                issuer = self.authority.issuer(tenant, version)
                self.assertEqual((body["tenant_id"], body["issuer"]), (tenant, issuer))

    def assert_refuses(self, tenant: str) -> None:
        for version in VERSIONS:
            with self.subTest(tid=tenant, version=version):
                self.refused(self.token(PERSON, version, tenant=tenant))


class AList(SeveralTenants):
    variables: ClassVar = {"AZURE_TENANT_ID": f"{TENANT},{OTHER_TENANT}"}

    def test_tenants_on_the_list_are_admitted_and_no_others(self) -> None:
        self.assert_admits(TENANT)
        self.assert_admits(OTHER_TENANT)
        self.assert_refuses(THIRD_TENANT)
        self.assert_refuses(PERSONAL_TENANT)

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


class AnyOrganization(SeveralTenants):
    variables: ClassVar = {"AZURE_TENANT_ID": "organizations"}

    def test_every_organization_is_admitted(self) -> None:
        for tenant in (TENANT, OTHER_TENANT, THIRD_TENANT):
            self.assert_admits(tenant)

    def test_personal_accounts_are_refused(self) -> None:
        self.assert_refuses(PERSONAL_TENANT)

    def test_the_issuer_still_names_the_tenant(self) -> None:
        self.refused(self.token(tid=OTHER_TENANT))
        self.refused(self.token(iss=self.authority.issuer_template))
        self.refused(self.token(tid="{tenantid}", iss=self.authority.issuer_template))
        self.refused(self.token(tid="organizations", iss=self.authority.issuer("organizations")))
        self.refused(self.token(PERSON, tenant=TENANT.upper()))

    def test_a_key_signs_for_its_own_tenant_only(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                own = self.claims(PERSON, version, tenant=OTHER_TENANT)
                self.admitted(token(self.other, own, kid="one-tenant"))
                foreign = self.claims(PERSON, version, tenant=TENANT)
                self.refused(token(self.other, foreign, kid="one-tenant"))

    def test_a_template_is_filled_in_whatever_its_letter_case(self) -> None:
        self.admitted(token(self.other, self.claims(), kid="odd-template"))

    def test_a_key_without_issuer_signs_for_nobody(self) -> None:
        self.refused(token(self.other, self.claims(), kid="no-issuer"))

    def test_a_key_of_another_cloud_signs_for_nobody(self) -> None:
        self.refused(token(self.other, self.claims(), kid="other-cloud"))
