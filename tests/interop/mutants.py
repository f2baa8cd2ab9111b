"""Some 5,000 tokens, each a good one with something wrong, odd, or merely unusual about it.

They are the same in each run, except for the keys and the time of day. The class of a mutant says what
was done to it. A mutant must be refused unless its class is among `ADMITTED`. In `differences.md`, a
difference between two libraries is one of a class.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authority import Authority
from mint import (
    ABSENT,
    AGENT,
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
    THIRD_TENANT,
    USER_SUBJECT,
    V1,
    V2,
    VERSIONS,
    EcKey,
    Json,
    Key,
    Scenario,
    claims,
    encoded,
    handmade,
    segment,
    spare_key,
    token,
    with_repeated,
)

INFORMING = (
    "jti", "nonce", "at_hash", "c_hash", "groups", "acrs", "xms_cc", "uti", "acct", "idp", "azpacr", "appidacr",
    "xms_act_fct", "xms_sub_fct", "xms_tnt_fct", "xms_idrel", "xms_par_app_azp", "hasgroups", "_claim_names", "aio",
    "rh", "name", "email", "preferred_username", "auth_time", "client_id", "scope", "__proto__", "constructor",
    "of no name", "unknown",
)  # fmt: skip
"""Claims that decide nothing about this token: in any form it is admitted."""

IGNORED = (
    "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "nonce", "p2c", "iss", "exp", "epk", "url", "__proto__", "of no name",
    "unknown",
)  # fmt: skip
"""Header parameters that are not used: with any value the token is admitted."""

ADMITTED = (
    "good*",
    *(f"claim {name}: *" for name in INFORMING),
    *(f"claim {name}: absent" for name in ("nbf", "iat", "sub", "oid", "azp", "idtyp", "scp", "roles")),
    *(f"claim {name}: text" for name in ("sub", "idtyp", "scp")),
    "claim aud: in a list",
    "claim s[uc][bp]: as JSON text",
    *(f"header {name}" for name in IGNORED),
    "header: other letter case",
    "header: spelling",
    "header: not too deep",
    *(f"key: {form}" for form in ("plain", "twins", "no use", "alg RS256", "no cloud", "x5c of no certificate", "kid of 256")),
    "key: key_ops verify*",
    "key: ext*",
    "key: unknown members",
    *(f"key: {form}" for form in ("no issuer", "this tenant", "template in * letter case")),
    *(f"date exp: {form}" for form in ("future", "written with an exponent", "the last second")),
    *(f"date {name}: {form}" for name in ("nbf", "iat") for form in ("past", "zero")),
    "date *: within the skew",
    "date iat: after exp",
    "audience: a list of ours",
    "audience: ours among others",
    "payload: informing in other letter case",
    "payload: spelling",
    "payload: not too deep",
    "payload: many members",
    "encoding: header white space in front",
    "encoding: signature white space behind",
)
"""Patterns of the classes whose mutants must be admitted."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Mutant:
    kind: str
    """Its class."""
    name: str
    token: str

    @property
    def is_admitted(self) -> bool:
        """Whether `whoami` must admit it."""
        return any(fnmatchcase(self.kind, pattern) for pattern in ADMITTED)


@dataclass(frozen=True)
class Request:
    """A request with these header lines, and how it must be answered."""

    answer: str
    lines: tuple[bytes, ...]


class Laboratory:
    """Makes mutants for one authority."""

    def __init__(self, authority: Authority, key: Key) -> None:
        self.authority = authority
        self.key = key
        self.other = spare_key("other")
        self.stranger = spare_key("stranger")
        self.curve = EcKey.generate()
        self.weak = Key.generate("weak", bits=1024)
        self.now = int(time.time())

    def jwks(self) -> list[Json]:
        """The keys that the authority has to publish."""
        named = [
            self.other.jwk(self.authority, **{"kid": kid} | changes) for kid, changes in self._jwks().items()
        ]
        rivals = [self.other.jwk(self.authority, kid="rivals"), self.key.jwk(self.authority, kid="rivals")]
        twins = [self.other.jwk(self.authority, kid="twins")] * 2
        nameless = self.other.jwk(self.authority, kid=ABSENT)
        others = [self.curve.jwk(self.authority), self.weak.jwk(self.authority)]
        return [self.key.jwk(self.authority), *named, *rivals, *twins, nameless, *others]

    def _jwks(self) -> dict[str, Json]:
        """The changes to the JWK of each `kid` of the other key."""
        return {
            "plain": {},
            "no use": {"use": ABSENT},
            "use enc": {"use": "enc"},
            "use blank": {"use": ""},
            "key_ops verify": {"key_ops": ["verify"]},
            "key_ops verify and more": {"key_ops": ["encrypt", "verify"]},
            "key_ops verify twice": {"key_ops": ["verify", "verify"]},
            "key_ops wrapKey": {"key_ops": ["wrapKey"]},
            "key_ops empty": {"key_ops": []},
            "alg RS256": {"alg": "RS256"},
            "alg RS512": {"alg": "RS512"},
            "alg PS256": {"alg": "PS256"},
            "alg RSA-OAEP": {"alg": "RSA-OAEP"},
            "no issuer": {"issuer": ABSENT},
            "blank issuer": {"issuer": ""},
            "this tenant": {"issuer": self.authority.issuer(TENANT)},
            "other tenant": {"issuer": self.authority.issuer(OTHER_TENANT)},
            "version 1.0": {"issuer": self.authority.issuer("{tenantid}", V1)},
            "template in another letter case": {"issuer": self.authority.issuer("{TENANTID}")},
            "template in mixed letter case": {"issuer": self.authority.issuer("{TenantId}")},
            "other issuer": {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
            "other cloud": {"cloud_instance_name": "microsoftonline.us"},
            "no cloud": {"cloud_instance_name": ABSENT},
            "x5c of no certificate": {"x5c": ["MIIB"]},
            "ext": {"ext": True},
            "ext text": {"ext": "yes"},
            "unknown members": {"x": {"y": [1]}, "nbf": 1, "exp": 1},
            "no modulus": {"n": ABSENT},
            "even modulus": {"n": segment(bytes([255] * 255 + [254]))},
            "exponent 1": {"e": "AQ"},
            "octets": {"kty": "oct", "k": "c2VjcmV0"},
            "k" * 256: {},
            "k" * 257: {},
        }

    def all(self) -> Iterator[Mutant]:
        """Every mutant, the good tokens first."""
        for scenario in Scenario:
            for version in VERSIONS:
                for facets in (True, False):
                    payload = self.claims(scenario, version, facets=facets)
                    yield Mutant("good", f"{scenario} {version} {facets}", token(self.key, payload))
        yield Mutant("good", "made by hand", self._signed())
        yield from self._header_values()
        yield from self._header_texts()
        yield from self._algorithms()
        yield from self._keys()
        yield from self._claim_values()
        yield from self._swapped_claims()
        yield from self._dates()
        yield from self._origins()
        yield from self._audiences()
        yield from self._payload_texts()
        yield from self._signatures()
        yield from self._encodings()
        yield from self._segments()
        yield from self._bytes()
        yield from self._markers()
        yield from self._contradictions()

    def claims(self, scenario: Scenario = PERSON, version: str = V2, **changes: Any) -> Json:
        return claims(self.authority, scenario, version, **changes)

    def _signed(self, header: bytes | None = None, payload: Json | bytes | None = None, **changes: Any) -> str:
        """A token that the right key has signed, whatever it says."""
        return handmade(self.key, self.claims() if payload is None else payload, header, **changes)

    def _header_values(self) -> Iterator[Mutant]:
        kid = self.key.kid
        own = self.key.jwk(self.authority)
        telling: dict[str, list[Any]] = {
            "alg": [
                "none", "None", "NONE", "nOnE", "rs256", "RS256 ", " RS256", "RS384", "RS512", "PS256", "HS256", "ES256",
                "EdDSA", "dir", "RSA-OAEP", "PBES2-HS256+A128KW", "PBES2-HS512+A256KW", ["RS256"], {"RS256": 1}, 256,
            ],
            "kid": [
                kid.swapcase(), f"{kid} ", kid[:-1], "rivals", "plain", "../keys", "\x00", "k" * 300, [kid],
                {"kid": kid},
            ],
            "typ": [
                "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt", "dpop+jwt", "logout+jwt",
                "secevent+jwt", "kb+jwt", "JOSE", "application/jwt", " JWT", ["JWT"],
            ],
            "crit": [["x"], ["alg"], ["b64"], ["exp"], ["x", "x"], [1], "alg"],
            "cty": ["JWT", "jwt", "application/jwt", "json"],
            "zip": ["DEF", "GZ"],
            "enc": ["A256GCM"],
            "jwk": [own, self.stranger.jwk(self.authority)],
            "jku": [f"{self.authority.url}/keys", "https://evil.example/keys", "file:///etc/passwd"],
            "x5u": ["https://evil.example/chain"],
            "x5c": [["MIIB"], []],
            "x5t": [kid, "other"],
            "x5t#S256": [kid],
            "nonce": ["x"],
            "p2c": [2**31, 2**63],
            "iss": ["https://evil.example"],
            "exp": [1],
            "epk": [own],
            "url": ["https://evil.example"],
            "__proto__": [{"alg": "none"}],
            "": ["x"],
            "unknown": ["x" * 2_000],
        }  # fmt: skip
        ordinary = [None, True, False, 0, 1, -1.5, "", " ", "x", [], ["x"], {}, {"x": 1}]
        fitting: dict[str, list[Any]] = {
            "typ": ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"],
            # A content type says nothing about the token itself, unless it says that the payload is one.
            "cty": ["", " ", "x", "json"],
        }
        for name in ("b64", *telling):
            for value in [ABSENT, *ordinary, *telling.get(name, [])]:
                shown = "absent" if value is ABSENT else json.dumps(value)[:60]
                is_fit = value in fitting.get(name, []) or (value is ABSENT and name not in ("alg", "kid"))
                kind = f"{'good: ' if is_fit else ''}header {name or 'of no name'}"
                yield Mutant(kind, shown, self._signed(**{name: value}))
        yield Mutant("header crit", "names a member that is there", self._signed(crit=["x"], x=1))
        for kid in (ABSENT, "another"):
            shown = "absent" if kid is ABSENT else kid
            yield Mutant("header kid", f"{shown}, with a thumbprint", self._signed(kid=kid, x5t=self.key.kid))
        yield from self._keys_within()

    def _keys_within(self) -> Iterator[Mutant]:
        """Tokens that bring the key of their signature with them, or say where it is."""
        stranger = self.stranger
        members: Json = {
            "jwk": stranger.jwk(self.authority),
            "jku": f"{self.authority.url}/stranger/keys",
            "x5u": f"{self.authority.url}/stranger/chain",
            "x5c": ["MIIB"],
            "x5t": stranger.kid,
            "x5t#S256": stranger.kid,
        }
        for name, value in members.items():
            for kid in (self.key.kid, stranger.kid):
                made = handmade(stranger, self.claims(), **{"kid": kid, name: value})
                yield Mutant("header: the key of the signature", f"{name} {kid}", made)
        yield Mutant("good: header with other keys", "", self._signed(**members))

    def _header_texts(self) -> Iterator[Mutant]:
        kid = self.key.kid
        good = encoded({"typ": "JWT", "alg": "RS256", "kid": kid})

        def more(text: str) -> bytes:
            return good[:-1] + b"," + text.encode() + b"}"

        texts: dict[str, list[bytes]] = {
            "header: no object": [b"[]", b'"x"', b"null", b"1", b"true", b"", b"{", b"[" + good + b"]", b"{} {}", b"\xff{}"],
            "header: member twice": [
                more(text)
                for text in (
                    '"alg":"RS256"', '"alg":"none"', '"\\u0061lg":"RS256"', f'"kid":"{kid}"', '"typ":"JWT"',
                    '"x":1,"x":1', '"x":{"y":1,"y":1}', '"x":[{"y":1,"y":1}]',
                )
            ],
            "header: value overridden": [more('"alg":"HS256"'), more('"kid":"plain"'), more('"typ":"x"')],
            "header: other letter case": [more('"ALG":"none"'), more('"Kid":"x"'), more('"CRIT":["x"]')],
            "header: spelling": [
                json.dumps({"kid": kid, "alg": "RS256"}, indent=2).encode(),
                good.replace(b"alg", b"\\u0061lg"),
                good.replace(b"RS256", b"\\u0052S256"),
                b" \t\r\n" + good + b"\n",
                more('"x":1e3'),
                more('"x":"\\ud83d\\ude00"'),
                more('"\\u0000":"\\u0000"'),
            ],
            "header: byte order mark": [b"\xef\xbb\xbf" + good],
            "header: UTF-16": [good.decode().encode("utf-16"), good.decode().encode("utf-16-le")],
            "header: no UTF-8": [more('"x":"@"').replace(b"@", b"\xff"), good.replace(b"JWT", b"J\xc3T")],
            "header: half a surrogate pair": [more('"x":"\\ud800"'), more('"\\udfff":1')],
            "header: what is no JSON": [
                good + b"x", good + good, good + b",", good.replace(b'"', b"'"), good[:-1] + b",}",
                more('"x":01'), more('"x":+1'), more('"x":0x1'), more('"x":"a\nb"'), b"/**/" + good,
            ],
            "header: numbers of JavaScript": [more('"x":NaN'), more('"x":Infinity'), more('"x":-Infinity')],
            "header: number too large": [more('"x":1e400'), more('"x":-1e999')],
            "header: deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (40, 500, 3000)],
            "header: not too deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (1, 10, 30)],
        }  # fmt: skip
        for kind, written in texts.items():
            for header in written:
                yield Mutant(kind, repr(header[:80]), self._signed(header))

    def _algorithms(self) -> Iterator[Mutant]:
        payload = self.claims()
        public = self.key.private.public_key()
        info = PublicFormat.SubjectPublicKeyInfo
        jwk = self.key.jwk(self.authority)
        secrets = {
            "PEM": public.public_bytes(Encoding.PEM, info),
            "PEM without its last line end": public.public_bytes(Encoding.PEM, info).strip(),
            "PKCS#1 PEM": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            "DER": public.public_bytes(Encoding.DER, info),
            "PKCS#1 DER": public.public_bytes(Encoding.DER, PublicFormat.PKCS1),
            "JWK": json.dumps(jwk).encode(),
            "compact JWK": encoded(jwk),
            "modulus": jwk["n"].encode(),
            "kid": self.key.kid.encode(),
            "nothing": b"",
        }
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512"), ("RS256", "sha256")):
            for name, secret in secrets.items():
                signed = f"{segment({'alg': alg, 'kid': self.key.kid})}.{segment(payload)}"
                mac = hmac.new(secret, signed.encode(), digest).digest()
                yield Mutant("algorithm: public key as a secret", f"{alg} {name}", f"{signed}.{segment(mac)}")
        for alg in ("RS384", "RS512", "PS256", "PS384", "PS512"):
            yield Mutant("algorithm: another one", alg, token(self.key, payload, alg))
        yield Mutant("algorithm: another one", "PS256 by a key for it", token(self.other, payload, "PS256", kid="alg PS256"))
        for alg in ("none", "None", "nOnE", "NONE", "", "RS256"):
            signed = f"{segment({'alg': alg, 'kid': self.key.kid})}.{segment(payload)}"
            for signature in (b"", b"x", bytes(256)):
                yield Mutant("algorithm: none", f"{alg} {len(signature)}", f"{signed}.{segment(signature)}")
        for alg in ("ES256", "RS256"):
            for kid in (self.curve.kid, self.key.kid):
                made = handmade(self.curve, payload, alg=alg, kid=kid)
                yield Mutant("algorithm: another curve", f"{alg} {kid}", made)
        edwards = ed25519.Ed25519PrivateKey.generate()
        for alg in ("EdDSA", "Ed25519", "RS256"):
            signed = f"{segment({'alg': alg, 'kid': self.key.kid})}.{segment(payload)}"
            signature = edwards.sign(signed.encode())
            yield Mutant("algorithm: another curve", alg, f"{signed}.{segment(signature)}")

    def _keys(self) -> Iterator[Mutant]:
        for kid in self._jwks():
            for version in VERSIONS:
                payload = self.claims(PERSON, version)
                kind = f"key: {kid}" if len(kid) < 200 else f"key: kid of {len(kid)}"
                yield Mutant(kind, version, token(self.other, payload, kid=kid))
            yield Mutant("key: signed by another", kid, token(self.key, self.claims(), kid=kid))
            yield Mutant("key: signed by an unpublished one", kid, token(self.stranger, self.claims(), kid=kid))
        for version in VERSIONS:
            made = token(self.other, self.claims(PERSON, version), kid="twins")
            yield Mutant("key: twins", version, made)
            made = handmade(self.weak, self.claims(PERSON, version))
            yield Mutant("key: of 1024 bits", version, made)
            yield Mutant("key: rivals", version, token(self.other, self.claims(PERSON, version), kid="rivals"))
        for key in (self.key, self.other):
            yield Mutant("key: rivals", key.kid, token(key, self.claims(), kid="rivals"))
        yield Mutant("key: signed by an unpublished one", "own kid", token(self.stranger, self.claims()))
        stolen = token(self.stranger, self.claims(), kid=self.key.kid)
        yield Mutant("key: signed by an unpublished one", "stolen kid", stolen)
        for kid in (f"unknown-{number}" for number in range(50)):
            yield Mutant("key: unknown", kid, token(self.key, self.claims(), kid=kid))

    def _claim_values(self) -> Iterator[Mutant]:
        good = self.claims()
        names = [
            "iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "appid", "idtyp", "scp", "roles",
            "cnf", "jti", "nonce", "at_hash", "c_hash", "groups", "acrs", "xms_cc", "uti", "acct", "idp", "azpacr",
            "appidacr", "xms_act_fct", "xms_sub_fct", "xms_tnt_fct", "xms_idrel", "xms_par_app_azp", "hasgroups",
            "_claim_names", "aio", "rh", "name", "email", "preferred_username", "auth_time", "client_id", "scope",
            "__proto__", "constructor", "", "unknown",
        ]  # fmt: skip
        values: dict[str, list[Any]] = {
            "null": [None],
            "boolean": [True, False],
            "number": [0, 1, -1, 1.5, 2**53, 13],
            "text": ["", " ", "x", "13", "/", "\x00", "é", "x" * 500, TENANT, TENANT.upper(), f"{self.now + 600}"],
            "list": [[], [""], ["x"], [1], [None], [[]], ["x", 1]],
            "object": [{}, {"x": 1}, {"jkt": "x"}],
        }
        guids = [TENANT, TENANT.upper()]
        fitting: dict[str, list[Any]] = {
            "tid": [TENANT], "oid": guids, "azp": guids, "roles": [[], [""], ["x"]],
            "nbf": [0, 1, 1.5, 13], "iat": [0, 1, 1.5, 13],
        }  # fmt: skip
        for name in names:
            shown = name or "of no name"
            fit = [json.dumps(value) for value in fitting.get(name, [])]
            if name in good:
                yield Mutant(f"claim {shown}: absent", "absent", self._signed(payload=self.claims(**{name: ABSENT})))
            for form, examples in values.items():
                for value in examples:
                    text = json.dumps(value)
                    kind = f"{'good: ' if text in fit else ''}claim {shown}: {form}"
                    yield Mutant(kind, text[:60], self._signed(payload=good | {name: value}))
        for name, value in (
            ("roles", ["Buyer", None]), ("aud", [[API]]), ("exp", "1700000000"), ("nbf", "1700000000"), ("iat", "1700000000"),
            *((name, "another") for name in ("ver", "aud", "iss", "tid")),
        ):  # fmt: skip
            form = "list" if isinstance(value, list) else "text"
            yield Mutant(f"claim {name}: {form}", json.dumps(value), self._signed(payload=good | {name: value}))
        yield Mutant("claim ver: number", "2.0", self._signed(payload=good | {"ver": 2.0}))
        odd = {"": 1, "__proto__": {"tid": "x"}, "constructor": None, "a b": "\x00"}
        yield Mutant("good: odd names of claims", "", self._signed(payload=good | odd))
        objects = {"sub": USER_SUBJECT, "inner": {"sub": "x", "tid": "y"}}
        yield Mutant("good: one name in two objects", "", self._signed(payload=good | {"xms_st": objects}))

    def _swapped_claims(self) -> Iterator[Mutant]:
        good = self.claims()
        names = ["iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "scp", "roles"]
        for one in names:
            for other in names:
                if one < other:
                    swapped = good | {one: good[other], other: good[one]}
                    is_fit = (one, other) in (("iat", "nbf"), ("azp", "oid"), ("scp", "sub"))
                    kind = f"{'good: ' if is_fit else ''}claims swapped"
                    yield Mutant(kind, f"{one} and {other}", self._signed(payload=swapped))
            wrapped = good | {one: [good[one]]}
            yield Mutant(f"claim {one}: in a list", "", self._signed(payload=wrapped))
            yield Mutant(f"claim {one}: in an object", "", self._signed(payload=good | {one: {one: good[one]}}))
            yield Mutant(f"claim {one}: as JSON text", "", self._signed(payload=good | {one: json.dumps(good[one])}))

    def _dates(self) -> Iterator[Mutant]:
        # On a slow machine, too: no verdict changes within ten seconds of these.
        for name in ("exp", "nbf", "iat"):
            others: Json = {"nbf": ABSENT, "iat": ABSENT} if name == "exp" else {"exp": self.now + 10**9}
            offsets = {
                "past": [-60, -61, -120, -180, -3_600, -86_400, -(10**9)],
                "within the skew": [-1],
                "future": [1, 50, 180, 3_600, 86_400],
            }
            if name != "exp":
                offsets = {
                    "past": [-1, *offsets["past"]],
                    "within the skew": [1, 50],
                    "future": [180, 3_600, 86_400],
                }
            for when, seconds in offsets.items():
                for offset in seconds:
                    for form in (int, float, lambda date: date + 0.75):
                        value = form(self.now + offset)
                        payload = self.claims(**others | {name: value})
                        yield Mutant(f"date {name}: {when}", f"{offset} {value!r}", self._signed(payload=payload))
            literals = {
                "written with an exponent": ["4e9", "4E+9", "4000000000e0", "4.0e9"],
                "in milliseconds": [f"{self.now + 600}000"],
                "beyond the year 9999": ["253402300800", "1e12", "9223372036854775807", "1e17"],
                "beyond 64 bits": ["9223372036854775808", "18446744073709551616", "1e20", "99999999999999999999", "1e30", "1e300", "1e308"],
                "beyond a double": ["1e309", "1e400", "-1e400"],
                "infinite": ["Infinity", "-Infinity"],
                "no number": ["NaN"],
                "negative": ["-1", "-1e9", "-0.5", "-9223372036854775808", "-1e300"],
                "zero": ["0", "-0", "0.0", "0e5", "1e-400"],
                "the last second": ["253402300799"],
                "no JSON": [
                    "0x10", "01", "+1", ".5", "1.", "1_000", "0x7fffffff", "04102444800", "+4102444800", "4102444800.",
                ],
                "text": ['"4000000000"', '" 4000000000 "', '"4e9"', '"soon"'],
            }
            for kind, written in literals.items():
                for literal in written:
                    payload = self.claims(**others | {name: "@date@"})
                    text = encoded(payload).replace(b'"@date@"', literal.encode())
                    yield Mutant(f"date {name}: {kind}", literal, self._signed(payload=text))
        for name in ("nbf", "iat"):
            for ahead in (180, 3_600, 10**9):
                payload = self.claims(**{name: self.now + ahead, "exp": 253402300799})
                yield Mutant(f"date {name}: future", f"{ahead}, and no end", self._signed(payload=payload))
        for age in (60, 61, 120, 86_400):
            begin = self.now - age - 10
            payload = self.claims(iat=begin, nbf=begin, exp=self.now - age)
            yield Mutant("date exp: past", f"{age}, and the others before", self._signed(payload=payload))
        yield Mutant("good: no date but exp", "", self._signed(payload=self.claims(nbf=ABSENT, iat=ABSENT)))
        yield Mutant("good: dates of 1970", "", self._signed(payload=self.claims(nbf=0, iat=0)))
        end = {"exp": self.now + 40}
        for name in ("nbf", "iat"):
            payload = self.claims(**end | {name: self.now + 50})
            yield Mutant(f"date {name}: after exp", "", self._signed(payload=payload))

    def _origins(self) -> Iterator[Mutant]:
        url = self.authority.url
        v1, v2 = (self.authority.issuer(TENANT, version) for version in VERSIONS)
        for version in VERSIONS:
            good = self.authority.issuer(TENANT, version)
            forms = [
                f"{good}/", good.rstrip("/"), good.upper(), good.replace("http:", "https:"), f" {good}", f"{good} ",
                good.replace("127.0.0.1", "localhost"), good.replace(TENANT, OTHER_TENANT), f"{good}#", f"{good}?x",
                good.replace(TENANT, TENANT.upper()), good.replace(TENANT, "common"), good.replace(TENANT, "{tenantid}"),
                f"https://login.microsoftonline.com/{TENANT}/v2.0", f"https://sts.windows.net/{TENANT}/", url, "",
                good.replace("/v2.0", "/v1.1"), f"{url}/{TENANT}/{TENANT}/v2.0", f"{good}\x00", f"{url}.evil.example/",
                f"{url}/{TENANT}", f"{url}//{TENANT}/v2.0", f"{url}/{TENANT}/V2.0", f"{url.upper()}/{TENANT}/v2.0",
                f"{url}/x/{TENANT}/v2.0", f"{url}.example/{TENANT}/v2.0", f"{good}#x", "https://", "foo",
            ]  # fmt: skip
            for iss in forms:
                if iss not in (v1, v2):
                    yield Mutant("issuer: not ours", iss, self._signed(payload=self.claims(PERSON, version, iss=iss)))
        for version, iss in ((V1, v2), (V2, v1)):
            yield Mutant("issuer: of the other version", version, self._signed(payload=self.claims(PERSON, version, iss=iss)))
            other = V1 if version == V2 else V2
            payload = self.claims(PERSON, other) | {"ver": version}
            yield Mutant("issuer: of the other version", f"all but ver {version}", self._signed(payload=payload))
        for version in VERSIONS:
            for tid in (
                OTHER_TENANT, PERSONAL_TENANT, TENANT.upper(), f"{{{TENANT}}}", f" {TENANT}", f"{TENANT} ", "common",
                "organizations", "contoso.example", "", TENANT.replace("-", ""), f"{TENANT}\x00", "{tenantid}",
                "consumers", AGENT,
            ):  # fmt: skip
                payload = self.claims(PERSON, version, tid=tid)
                yield Mutant("tenant: not the issuer's", tid, self._signed(payload=payload))
            for tenant in (
                OTHER_TENANT, PERSONAL_TENANT, TENANT.upper(), f"{{{TENANT}}}", TENANT.replace("-", ""), f"{TENANT} ",
                "contoso.onmicrosoft.com", "common", "organizations", "consumers", "{tenantid}", "",
            ):  # fmt: skip
                payload = self.claims(PERSON, version, tenant=tenant)
                yield Mutant("tenant: another one", tenant, self._signed(payload=payload))
        for ver in ("3.0", "2", "1", "", "2.00", "2.0 ", "v2.0", "1.1"):
            yield Mutant("version: neither one nor two", ver, self._signed(payload=self.claims(ver=ver)))

    def _audiences(self) -> Iterator[Mutant]:
        for good in (API, API_URI):
            for aud in (
                f"{good}/", good.upper(), f" {good}", f"{good} ", good[:-1], f"{good}0", f"{good},{good}", f"{good}\x00",
            ):  # fmt: skip
                yield Mutant("audience: nearly ours", aud, self._signed(payload=self.claims(aud=aud)))
            lists: list[tuple[str, list[Any]]] = [
                ("audience: a list of ours", [good]),
                ("audience: ours among others", ["https://graph.microsoft.com", good]),
                ("audience: ours among others", [good, ""]),
                ("audience: ours beside what is no text", [good, 1]),
                ("audience: ours beside what is no text", [None, good]),
                ("audience: ours beside what is no text", [good, [good]]),
                ("audience: a list of others", [f"{good}/", "x"]),
                ("audience: a list of others", [f"{good}/", good.upper()]),
            ]
            for kind, aud in lists:
                yield Mutant(kind, json.dumps(aud), self._signed(payload=self.claims(aud=aud)))
            yield Mutant("audience: nearly ours", "both", self._signed(payload=self.claims(aud=f"{API},{API_URI}")))
            yield Mutant("audience: ours as the name of a member", good, self._signed(payload=self.claims(aud={good: 1})))
        for aud in ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", CLIENT, "*", "", BLUEPRINT, "api://AzureADTokenExchange", [], [BLUEPRINT]):
            yield Mutant("audience: another API's", json.dumps(aud), self._signed(payload=self.claims(aud=aud)))

    def _payload_texts(self) -> Iterator[Mutant]:
        good = encoded(self.claims())

        def more(text: str) -> bytes:
            return good[:-1] + b"," + text.encode() + b"}"

        def first(text: str) -> bytes:
            return b"{" + text.encode() + b"," + good[1:]

        deep = "[" * 2_000 + "]" * 2_000
        texts: dict[str, list[bytes]] = {
            "payload: no object": [b"[]", b'"x"', b"null", b"1", b"true", b"", b"{", b"[" + good + b"]"],
            "payload: empty object": [b"{}"],
            "payload: something else": [b"not json", b"\xff" + good, good.replace(b'"ver"', b'"v\xffr"')],
            "payload: member twice": [
                more(text)
                for text in (
                    f'"aud":"{API}"', f'"tid":"{TENANT}"', '"scp":"Orders.Read"', '"s\\u0063p":"Orders.Read"', f'"\\u0074id":"{TENANT}"',
                    '"x":1,"x":1', '"x":{"y":1,"y":1}', '"x":[[{"y":1,"y":2}]]', '"":1,"":1',
                )
            ]
            + [first('"aud":"x"'), first('"exp":1'), first('"iss":"x"'), first('"tid":"x"')]
            + [
                with_repeated(self.claims(uti="x"), (name, value))
                for name in ("aud", "iss", "tid", "exp", "sub", "scp", "roles", "uti", "xms_act_fct")
                for value in (self.claims(uti="x")[name], "another")
            ],
            "payload: value overridden": [more('"aud":"x"'), more('"exp":1'), more('"iss":"x"')],
            "payload: other letter case": [
                more(f'"{name}":"x"') for name in ("TID", "Tid", "ISS", "AUD", "EXP", "SCP", "Roles", "APPID", "cNf")
            ]
            + [
                write(f'"{variant}":{json.dumps(self.claims()[name])}')
                for name in ("iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "idtyp", "scp", "roles")
                for variant in (name.upper(), name.capitalize())
                for write in (first, more)
            ],
            "payload: informing in other letter case": [more('"GROUPS":[]'), more('"UTI":1'), more('"Xms_cc":[]')],
            "payload: spelling": [
                json.dumps(self.claims(), indent=2).encode(),
                b" \t\r\n" + good + b"\n",
                good.replace(b'"aud"', b'"\\u0061ud"'),
                good.replace(b'"scp"', b'"s\\u0063\\u0070"'),
                json.dumps(self.claims(), separators=(" , ", " : ")).encode(),
                more('"x":"\\ud83d\\ude00"'),
                more('"\\u0000":"\\u0000"'),
                more('"x":[1e308,-0,12345678901234567890]'),
            ],
            "payload: byte order mark": [b"\xef\xbb\xbf" + good],
            "payload: UTF-16": [good.decode().encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")],
            "payload: no UTF-8": [
                more('"x":"@"').replace(b"@", octets)
                for octets in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8")
            ],
            "payload: half a surrogate pair": [more('"x":"\\ud800"'), more('"\\udfff":1'), more('"x":"\\udc00\\ud800"')],
            "payload: what is no JSON": [
                good + b"x", good + good, good + b",", good.replace(b'"', b"'"), good[:-1] + b",}", good[:-1],
                more('"x":01'), more('"x":+1'), more('"x":0x1'), more('"x":.5'), more('"x":[1,]'), more('"x":"a\nb"'),
                b"/**/" + good, good + b"\x00", more('"x":undefined'), more("x:1"),
            ],
            "payload: numbers of JavaScript": [more('"x":NaN'), more('"x":Infinity'), more('"x":-Infinity')],
            "payload: number too large": [more('"x":1e400'), more('"x":-1e999')],
            "payload: long number": [more('"x":' + "9" * 400), more('"x":' + "9" * 5_000)],
            "payload: deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (40, 500)]
            + [more(f'"x":{deep}')]
            + [more('"x":' + '{"a":' * depth + "1" + "}" * depth) for depth in (40, 1_500)],
            "payload: not too deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (1, 10, 25, 30)],
            "payload: many members": [more(",".join(f'"m{at}":{at}' for at in range(800)))],
            "payload: 16 KiB": [more(f'"x":"{"x" * 16_384}"')],
        }  # fmt: skip
        for kind, written in texts.items():
            for payload in written:
                yield Mutant(kind, repr(payload[-80:]), self._signed(payload=payload))

    def _signatures(self) -> Iterator[Mutant]:
        good = self._signed()
        # Remembered by the cache, where there is one, before its signature is changed.
        yield Mutant("good", "before its signature is changed", good)
        signed, _, last = good.rpartition(".")
        octets = base64.urlsafe_b64decode(last + "==")
        for bit in range(0, 2048, 16):
            flipped = bytearray(octets)
            flipped[bit // 8] ^= 1 << (bit // 16 % 8)
            yield Mutant("signature: a bit flipped", str(bit), f"{signed}.{segment(bytes(flipped))}")
        number = int.from_bytes(octets, "big")
        n = self.key.private.public_key().public_numbers().n
        numbers = {"zero": 0, "one": 1, "n - 1": n - 1, "n": n, "negated": n - number, "largest": 2**2048 - 1}
        for name, value in numbers.items():
            yield Mutant("signature: another number", name, f"{signed}.{segment(value.to_bytes(256, 'big'))}")
        for message, beyond in self._beyond_the_modulus(n):
            yield Mutant("signature: the same number beyond the modulus", "", f"{message}.{segment(beyond)}")
        lengths = {
            "one byte": octets[:1], "a byte short": octets[:-1], "a byte short in front": octets[1:],
            "a zero in front": b"\0" + octets, "a zero behind": octets + b"\0", "twice": octets * 2,
            "20 times": octets * 20, "none": b"",
        }  # fmt: skip
        for name, other in lengths.items():
            yield Mutant("signature: another length", name, f"{signed}.{segment(other)}")
        private = self.key.private
        message = signed.encode()
        for name, digest in (("SHA-1", hashes.SHA1()), ("SHA-384", hashes.SHA384()), ("SHA-512", hashes.SHA512())):
            made = private.sign(message, padding.PKCS1v15(), digest)
            yield Mutant("signature: another padding or hash", name, f"{signed}.{segment(made)}")
        pss = private.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        yield Mutant("signature: another padding or hash", "PSS", f"{signed}.{segment(pss)}")
        for name, other in (
            ("only the payload", signed.split(".")[1]),
            ("only the header", signed.split(".")[0]),
            ("with a dot", f"{signed}."),
            ("without the dot", signed.replace(".", "")),
        ):
            yield Mutant("signature: over something else", name, f"{signed}.{segment(self.key.sign(other.encode()))}")
        header, payload, _ = good.split(".")
        respaced = segment(json.dumps({"alg": "RS256", "kid": self.key.kid, "typ": "JWT"}, indent=1).encode())
        richer = segment(self.claims(roles=["Orders.Read.All", "Admin"]))
        for name, text in (
            ("richer claims", f"{header}.{richer}.{last}"),
            ("another spelling of the header", f"{respaced}.{payload}.{last}"),
            ("another token", f"{signed}.{self._signed().rpartition('.')[2]}"),
        ):
            yield Mutant("signature: of something else", name, text)
        digest_of = hashlib.sha256(message).digest()
        yield Mutant("signature: over something else", "the hash", f"{signed}.{segment(self.key.sign(digest_of))}")

    def _beyond_the_modulus(self, n: int) -> Iterator[tuple[str, bytes]]:
        """Signatures s + n that still fit into 256 bytes."""
        found = 0
        for attempt in range(1_000):
            signed = self._signed(payload=self.claims(x=attempt)).rpartition(".")[0]
            number = int.from_bytes(self.key.sign(signed.encode()), "big") + n
            if number < 2**2048:
                yield signed, number.to_bytes(256, "big")
                found += 1
            if found == 3:
                return

    def _encodings(self) -> Iterator[Mutant]:
        header, payload, signature = self._with_unused_bits().split(".")
        parts = {"header": header, "payload": payload, "signature": signature}
        # What is signed is the text as it is written, so a right signature needs no right encoding.
        for at, (name, part) in enumerate(parts.items()):
            forms = {
                "padded": part + "=" * (-len(part) % 4),
                "padded once": part + "=",
                "padded four times": part + "====",
                "padded within": part[:8] + "==" + part[8:],
                "other trailing bits": part[:-1] + ALPHABET[(ALPHABET.index(part[-1]) + 1) % 64],
                "characters of base64": "+/" + part[2:],
                "all in base64": part.replace("-", "+").replace("_", "/"),
                "white space behind": part + " ",
                "white space in front": " " + part,
                "white space within": part[:8] + " " + part[8:],
                "a character that is none": part[:8] + "*" + part[8:],
                "a tilde behind": part + "~",
                "a character more": part + "A",
                "a character less": part[:-1],
                "a letter beyond ASCII": part[:8] + "é" + part[8:],
                "percent": part[:8] + "%41" + part[8:],
            }
            for form, text in forms.items():
                if text == part:
                    continue
                written = [header, payload, signature]
                written[at] = text
                yield Mutant(f"encoding: {name} {form}", "", ".".join(written))
                if at < 2:
                    signed = f"{written[0]}.{written[1]}"
                    made = f"{signed}.{segment(self.key.sign(signed.encode()))}"
                    yield Mutant(f"encoding: {name} {form}, signed so", "", made)

    def _with_unused_bits(self) -> str:
        """A good token, the last character of whose header and payload has four bits that encode nothing."""
        for fill in range(9):
            made = self._signed(payload=self.claims(x="x" * (fill // 3)), x="x" * (fill % 3))
            if all(len(part) % 4 == 2 for part in made.split(".")[:2]):
                return made
        raise AssertionError("three lengths in a row have one that leaves four bits")

    def _segments(self) -> Iterator[Mutant]:
        one, other = self._signed().split("."), self._signed(payload=self.claims(Scenario.APPLICATION)).split(".")
        pieces = [*one, *other[1:], ""]
        generator = random.Random(7)
        for count in range(1, 7):
            for _ in range(1 if count == 1 else 60):
                picked = [generator.choice(pieces) for _ in range(count)]
                if picked not in (one, other):
                    kind = f"segments: {count}" if count != 3 else "segments: three others"
                    yield Mutant(kind, str([pieces.index(piece) for piece in picked]), ".".join(picked))
        h, p, s = one
        by_hand = {
            "one": h, "two": f"{h}.{p}", "four": f"{h}.{p}.{s}.{s}", "five, as if encrypted": f"{h}.{p}.{p}.{p}.{s}",
            "three dots": "...", "an empty one more": f"{h}..{p}.{s}", "a dot in front": f".{h}.{p}.{s}",
            "a dot behind": f"{h}.{p}.{s}.", "no header": f".{p}.{s}", "no payload": f"{h}..{s}", "no signature": f"{h}.{p}.",
        }  # fmt: skip
        for name, text in by_hand.items():
            yield Mutant("segments: by hand", name, text)
        whole = {
            "JSON": json.dumps({"payload": p, "signatures": [{"protected": h, "signature": s}]}),
            "flattened JSON": json.dumps({"payload": p, "protected": h, "signature": s}),
            "encoded once more": segment(f"{h}.{p}.{s}".encode()),
            "null": "null", "undefined": "undefined", "dots": "." * 20, "very many dots": "." * 16_000,
            "quoted": f'"{h}.{p}.{s}"', "with a scheme": f"Bearer {h}.{p}.{s}", "a comma": f"{h}.{p}.{s},",
            "a space behind": f"{h}.{p}.{s} x", "five empty": "....",
        }  # fmt: skip
        for name, text in whole.items():
            yield Mutant("segments: no compact form", name, text)
        for word in ("true", "0", "~", "a+b/c="):
            yield Mutant("segments: no compact form", word, word)
        nested = f"{h}.{p}.{s}"
        yield Mutant("payload: a token", "as cty says", self._signed(payload=nested.encode(), cty="JWT"))
        yield Mutant("payload: a token", "", self._signed(payload=nested.encode()))
        yield Mutant("payload: a token", "as text", self._signed(payload=json.dumps(nested).encode()))

    def _bytes(self) -> Iterator[Mutant]:
        good = self._signed()
        generator = random.Random(11)
        letters = ALPHABET + ".=+/~ "
        for number in range(1_200):
            # Whether the very last character matters depends on what it happens to be.
            at = generator.randrange(len(good) - 2)
            letter = generator.choice(letters)
            match number % 4:
                case 0:
                    kind, made = "replaced", good[:at] + letter + good[at + 1 :]
                case 1:
                    kind, made = "inserted", good[:at] + letter + good[at:]
                case 2:
                    kind, made = "left out", good[:at] + good[at + 1 :]
                case _:
                    kind, made = "swapped", good[:at] + good[at : at + 2][::-1] + good[at + 2 :]
            if made != good:
                yield Mutant(f"bytes: one {kind}", f"{letter!r} at {at}", made)

    def _markers(self) -> Iterator[Mutant]:
        """Claims with texts that would show, or do harm, in a header of the answer."""
        for text in ('marker", error="none', "marker\r\nX-Marker: 1", "https://marker.example/v2.0"):
            for name in ("iss", "aud", "tid", "ver"):
                yield Mutant("claim with a marker", f"{name} {text!r}", self._signed(payload=self.claims(**{name: text})))

    def _contradictions(self) -> Iterator[Mutant]:
        """Tokens whose claims contradict one another, ID tokens, and tokens bound to a key."""

        def made(kind: str, scenario: Scenario, version: str = V2, **changes: Any) -> Mutant:
            payload = self.claims(scenario, version, **changes)
            shown = {name: "absent" if value is ABSENT else value for name, value in changes.items()}
            return Mutant(kind, f"{scenario} {version} {shown}", self._signed(payload=payload))

        no_client = {"azp": ABSENT, "azpacr": ABSENT}
        marks: list[dict[str, Any]] = [
            {**no_client, "roles": ABSENT, "nonce": "n-0S6", "name": "A"},
            no_client,
            {"nonce": "n-0S6"},
            {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
            {"c_hash": "LDktKdoQak3Pk0cnXxCltA"},
        ]
        for changes in marks:
            for facets in (True, False):
                yield made("ID token", PERSON, scp=ABSENT, facets=facets, **changes)
        yield made("good: marks of an ID token and a scope", PERSON, nonce="n-0S6", at_hash="x", c_hash="x")

        for version, name in ((V2, "appid"), (V1, "azp")):
            yield made("contradiction: two clients", PERSON, version, **{name: DAEMON})
            yield made("good: one client under two names", PERSON, version, **{name: CLIENT})
        for scenario in (AUTONOMOUS, APPLICATION):
            for app in ({}, {"facets": False, "idtyp": "app"}):
                yield made("contradiction: an app with a scope", scenario, scp="Orders.Read", **app)
                yield made("good: an app with the scope that is none", scenario, scp="/", **app)
            for facets in ("13", "3 13", "11 13", [13]):
                yield made("contradiction: an app that is an agent's user", scenario, xms_sub_fct=facets)
        for facets in ("3 9", "3", "10 9", ["9"]):
            yield made("contradiction: an agent that is not its own subject", AUTONOMOUS, xms_sub_fct=facets)
        for scenario in (ON_BEHALF, PERSON):
            for changes in (
                {"xms_sub_fct": "3 11"},
                {"xms_sub_fct": "11", "idtyp": ABSENT},
                {"xms_sub_fct": "11", "scp": ABSENT, "roles": ["Buyer"]},
            ):
                yield made("contradiction: a user that is an agent", scenario, **changes)
        for confirmation in (
            {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
            {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"},
            {"kid": "x"},
            {},
        ):
            for scenario in Scenario:
                yield made("claim cnf: object", scenario, cnf=confirmation)

    def of_tenants(self, *, listed: bool) -> Iterator[Mutant]:
        """Mutants for a program that admits two tenants by a list, or else any organization."""
        for tenant in (TENANT, OTHER_TENANT, THIRD_TENANT, PERSONAL_TENANT):
            is_fit = tenant in (TENANT, OTHER_TENANT) or (tenant == THIRD_TENANT and not listed)
            for version in VERSIONS:
                payload = self.claims(PERSON, version, tenant=tenant)
                yield Mutant("good" if is_fit else "tenant: another one", tenant, token(self.key, payload))
        template = self.authority.issuer_template
        for changes in (
            {"tid": OTHER_TENANT},
            {"iss": template},
            {"tid": "{tenantid}", "iss": template},
            {"tid": "organizations", "iss": self.authority.issuer("organizations")},
            {"tenant": TENANT.upper()},
        ):
            yield Mutant("tenant: not the issuer's", str(changes), token(self.key, self.claims(**changes)))
        for version in VERSIONS:
            for tenant, kind in ((OTHER_TENANT, "good: key: of this tenant"), (TENANT, "key: of another tenant")):
                payload = self.claims(PERSON, version, tenant=tenant)
                yield Mutant(kind, version, token(self.other, payload, kid="other tenant"))
        for kid, kind in (
            ("template in another letter case", "good: key"),
            ("no issuer", "key: without issuer"),
            ("other cloud", "key: of another cloud"),
        ):
            yield Mutant(kind, kid, token(self.other, self.claims(), kid=kid))

    def requests(self) -> Iterator[Request]:
        """Requests whose `Authorization` is written in every way, and in some that HTTP does not allow."""
        good, other = (self._signed().encode() for _ in range(2))
        half, rest = good[:100], good[100:]
        room = 16 * 1024 - len(self._signed(payload=self.claims(padding="")))

        def padded(characters: int) -> bytes:
            # Three bytes of JSON make four characters of base64url.
            padding = "x" * ((room + characters) * 3 // 4)
            return b"Bearer " + self._signed(payload=self.claims(padding=padding)).encode()

        values: dict[str, list[list[bytes]]] = {
            "no credentials": [
                [],
                *([scheme + b" YTpi"] for scheme in (b"Basic", b"Negotiate")),
                *([scheme + b" " + good] for scheme in (b"DPoP", b"PoP", b"Bearers")),
                [good],
                # A scheme and nothing behind it.
                *([line] for line in (b"Bearer", b"bearer", b"Bearer ", b"Bearer    ")),
            ],
            "admitted": [
                *([scheme + b" " + good] for scheme in (b"Bearer", b"bearer", b"BEARER", b"bEaReR")),
                *([b"Bearer" + spaces + good] for spaces in (b"  ", b"     ")),
                [padded(-4)],
            ],
            "invalid token": [[padded(4)], [padded(40_000)]],
            "invalid request": [
                # Two lines, of which at least one is a bearer token.
                *(
                    [b"Bearer " + good, second]
                    for second in (b"Bearer " + good, b"Bearer " + other, b"Basic YTpi", b"Bearer null")
                ),
                [b"Basic YTpi", b"Bearer " + good],
                # More than a token.
                *([line] for line in (b"Bearer " + good + b" x", b"Bearer " + good + b", Bearer " + good)),
                [b"Bearer Bearer " + good],
                # Credentials of two schemes, joined into one line.
                *([scheme + comma + b"Bearer " + good] for scheme in (b"Negotiate x", b"DPoP x") for comma in (b", ", b",")),
                # Characters that no token has.
                *(
                    [line]
                    for character in (b"\t", b'"', b",", b"'", b"{", b"%", b"\\", b"\xc3\xa9", b"\xff", b":")
                    for line in (b"Bearer " + good + character + b"x", b"Bearer " + character + good)
                ),
                # A tab does not part scheme and token.
                *([b"Bearer" + gap + good] for gap in (b"\t", b" \t", b"\t ")),
            ],
        }
        for answer, written in values.items():
            for lines in written:
                yield Request(answer, tuple(b"Authorization: " + line for line in lines))

        spellings: dict[str, list[list[bytes]]] = {
            "admitted": [
                [b"Authorization:Bearer " + good],
                [b"authorization:   Bearer " + good],
                [b"AUTHORIZATION:\tBearer " + good + b" \t "],
            ],
            "invalid request": [
                [b"Authorization: Bearer " + good, b"Accept: */*", b"authorization: Bearer " + good],
                [b"AUTHORIZATION: Bearer " + good, b"Accept: */*", b"Authorization: Bearer " + good],
                [b"Authorization: Bearer " + good, b"Authorization:"],
            ],
            "no credentials": [
                *(
                    [name + b": Bearer " + good]
                    for name in (b"Authorisation", b"X-Authorization", b"Authorization_", b"Proxy-Authorization", b"Cookie")
                ),
                # A trailer is no header.
                [b"Transfer-Encoding: chunked\r\n", b"0\r\nAuthorization: Bearer " + good],
            ],
            "400": [
                [b"Authorization : Bearer " + good],
                [b"Authorization: Bearer " + half + b"\r\n " + rest],
                [b"Authorization: Bearer\r\n\t" + good],
                [b"Authorization: Bearer " + half + b"\0" + rest],
                [b"Authorization: Bearer " + half + b"\r" + rest],
                [b"Authorization: Bearer " + good + b"\0"],
                [b"Authorization\0: Bearer " + good],
                [b"Authorization: Bearer " + good + b"\x7f"],
            ],
            "401 or 431": [[b"Authorization: Bearer " + b"a" * 300_000]],
        }
        for answer, written in spellings.items():
            for lines in written:
                yield Request(answer, tuple(lines))
