"""Keys and tokens as Entra makes them, minted by PyJWT; and by hand what PyJWT refuses to mint."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authority import CLOUD, Authority

TENANT = "7090e106-1ad3-4313-9b7a-75cc3e576d40"
OTHER_TENANT = "0f6a3c5e-2b8d-4c1f-9e57-d3a1b2c4e5f6"
THIRD_TENANT = "b5d3e9a1-7c42-4f6d-8e0b-2a9c4d1f7e63"
PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"

API = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"
API_URI = f"api://{API}"

AGENT = "facbde84-d22b-4c07-a3e2-66f35c3f4a2e"
AGENT_USER = "696b0161-bb69-40d7-a03b-8c0b49ce99fb"
BLUEPRINT = "4d4c6958-d676-49f0-815f-608f5aacfd24"
USER = "fb2a73f0-3685-4aac-8fa4-ed9952fb277d"
CLIENT = "001458b4-6bef-4de5-acde-bf9b2edaf9fb"
DAEMON = "5c1e9a77-40c2-4f0b-8d36-1f9b0a6ce3d2"
DAEMON_OBJECT = "f64f960d-9785-4b5b-956f-8f5585054517"

USER_SUBJECT = "hfYK80bj-y3zHAZuIUXn3ilzODGgDrb3qcNncf821e-"
AGENT_USER_SUBJECT = "Ah1uoSZlVQZ4zKASQ_q04kkLsyv2i9agVPCFM90Sbxl"

ABSENT = object()
"""As the value of a claim or a header parameter: leave it out."""

Json = dict[str, Any]


class Scenario(StrEnum):
    """The callers. The values are the kinds that `whoami` reports."""

    AUTONOMOUS_AGENT = "autonomous_agent"
    AGENT_ON_BEHALF_OF_USER = "agent_on_behalf_of_user"
    AGENT_USER = "agent_user"
    USER = "user"
    APPLICATION = "application"


AUTONOMOUS, ON_BEHALF, AGENTS_USER, PERSON, APPLICATION = Scenario

V1 = "1.0"
V2 = "2.0"
VERSIONS = (V1, V2)


@dataclass(frozen=True)
class _Shape:
    client: str
    credential: str
    claims: Json
    attestation: Json
    """What a custom API gets only if its registration asks for it."""


_SHAPES = {
    AUTONOMOUS: _Shape(
        AGENT,
        "2",
        {"oid": AGENT, "sub": AGENT, "roles": ["Orders.Read.All"]},
        {
            "idtyp": "app",
            "xms_act_fct": "3 11 9",
            "xms_sub_fct": "9 3 11",
            "xms_idrel": "7 10",
            "xms_tnt_fct": "3 9",
            "xms_par_app_azp": BLUEPRINT,
        },
    ),
    ON_BEHALF: _Shape(
        AGENT,
        "2",
        {"oid": USER, "sub": USER_SUBJECT, "scp": "Orders.Read profile"},
        {
            "idtyp": "user",
            "xms_act_fct": "11 9 3",
            "xms_sub_fct": "3 10",
            "xms_idrel": "18 1",
            "xms_tnt_fct": "3 8",
            "xms_par_app_azp": BLUEPRINT,
        },
    ),
    AGENTS_USER: _Shape(
        AGENT,
        "2",
        {"oid": AGENT_USER, "sub": AGENT_USER_SUBJECT, "scp": "Orders.Read"},
        {
            "idtyp": "user",
            "xms_act_fct": "9 11 3",
            "xms_sub_fct": "13 3",
            "xms_idrel": "1 32",
            "xms_tnt_fct": "3",
            "xms_par_app_azp": BLUEPRINT,
        },
    ),
    PERSON: _Shape(
        CLIENT,
        "1",
        {"oid": USER, "sub": USER_SUBJECT, "scp": "Orders.Read email", "roles": ["Buyer"]},
        {
            "idtyp": "user",
            "xms_act_fct": "5 3",
            "xms_sub_fct": "3 6",
            "xms_idrel": "1 16",
            "xms_tnt_fct": "3 16",
        },
    ),
    APPLICATION: _Shape(
        DAEMON,
        "1",
        {"oid": DAEMON_OBJECT, "sub": DAEMON_OBJECT, "roles": ["Orders.Read.All", "Audit"]},
        {
            "idtyp": "app",
            "xms_act_fct": "9 3",
            "xms_sub_fct": "3 9 2",
            "xms_idrel": "8 7",
            "xms_tnt_fct": "10 3",
        },
    ),
}


def claims(
    authority: Authority,
    scenario: Scenario = PERSON,
    version: str = V2,
    *,
    tenant: str = TENANT,
    facets: bool = True,
    **changes: Any,
) -> Json:
    """The payload of a good token, then `changes`.

    Without `facets` it is what an API gets by default: no `idtyp` and none of the agent claims.
    """
    shape = _SHAPES[scenario]
    client, credential = ("appid", "appidacr") if version == V1 else ("azp", "azpacr")
    now = int(time.time())
    payload = {
        "aud": API_URI if version == V1 else API,
        "iss": authority.issuer(tenant, version),
        "iat": now,
        "nbf": now,
        "exp": now + 3900,
        "aio": secrets.token_urlsafe(36),
        client: shape.client,
        credential: shape.credential,
        "rh": secrets.token_urlsafe(36),
        "tid": tenant,
        "uti": secrets.token_urlsafe(16),
        "ver": version,
        **shape.claims,
    }
    if facets:
        payload |= shape.attestation
    return without_absent(payload | changes)


def without_absent(members: Json) -> Json:
    """All members but those set to `ABSENT`."""
    return {name: value for name, value in members.items() if value is not ABSENT}


@dataclass(frozen=True)
class Key:
    """A signing key, of the authority or of an attacker."""

    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def generate(cls, kid: str | None = None, bits: int = 2048) -> Self:
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        return cls(kid or secrets.token_urlsafe(20), private)

    def jwk(self, authority: Authority, **changes: Any) -> Json:
        """As Entra publishes it: without `alg`, with the issuer and the cloud it signs for."""
        numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return _jwk(self.kid, {name: numbers[name] for name in ("kty", "n", "e")}, authority, changes)

    def sign(self, message: bytes) -> bytes:
        """The signature of RS256."""
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class EcKey:
    """A P-256 key."""

    kid: str
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> Self:
        return cls(secrets.token_urlsafe(20), ec.generate_private_key(ec.SECP256R1()))

    def jwk(self, authority: Authority, **changes: Any) -> Json:
        """The JWK, in the manner of Entra's RSA keys."""
        point = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        members = {name: point[name] for name in ("kty", "crv", "x", "y")}
        return _jwk(self.kid, members, authority, changes)

    def sign(self, message: bytes) -> bytes:
        """The signature of ES256."""
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _jwk(kid: str, numbers: Json, authority: Authority, changes: Json) -> Json:
    members = {
        "use": "sig",
        "kid": kid,
        "x5t": kid,
        "cloud_instance_name": CLOUD,
        "issuer": authority.issuer_template,
    }
    return without_absent(numbers | members | changes)


@cache
def spare_key(name: str) -> Key:
    """A key that is made once and may be used by any test."""
    return Key.generate(f"spare-{name}-{secrets.token_urlsafe(12)}")


def token(key: Key | EcKey, payload: Json, algorithm: str = "RS256", **headers: Any) -> str:
    """A token minted by PyJWT. A v1 token names its key twice, as Entra's do."""
    named = {"kid": key.kid, "x5t": key.kid} if payload.get("ver") == V1 else {"kid": key.kid}
    return jwt.encode(payload, key.private, algorithm=algorithm, headers=named | headers)


def handmade(key: Key | EcKey, payload: Json | bytes, header: bytes | None = None, **changes: Any) -> str:
    """A token signed by cryptography, whatever header and payload say."""
    if header is None:
        header = encoded({"typ": "JWT", "alg": "RS256", "kid": key.kid} | changes)
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{segment(key.sign(signed.encode()))}"


def encoded(members: Json) -> bytes:
    """Compact JSON."""
    return json.dumps(without_absent(members), separators=(",", ":")).encode()


def segment(part: Json | bytes) -> str:
    """Base64url without padding."""
    octets = part if isinstance(part, bytes) else encoded(part)
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def with_repeated(payload: Json, *members: tuple[str, Any]) -> bytes:
    """The payload as JSON with these members once more at its end, whatever their names."""
    rest = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in members)
    return encoded(payload)[:-1] + rest.encode() + b"}"


def part_of(token: str, index: int) -> Json:
    """Header or payload of a JWT, without verification."""
    part = token.split(".")[index]
    decoded: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded
