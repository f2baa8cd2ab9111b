"""A few thousand tokens, each a good one with something wrong, odd, or merely unusual about it.

The same ones each time, but for the keys and the time of day. The class of a mutant says what was
done to it: in `differences.md`, a difference between two libraries is one of a class.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authority import Authority
from mint import (
    ABSENT,
    API,
    API_URI,
    CLIENT,
    OTHER_TENANT,
    PERSON,
    PERSONAL_TENANT,
    TENANT,
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
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Mutant:
    kind: str
    """Its class."""
    name: str
    token: str


class Laboratory:
    """Makes mutants for one authority."""

    def __init__(self, authority: Authority, key: Key) -> None:
        self.authority = authority
        self.key = key
        self.other = spare_key("other")
        self.stranger = spare_key("stranger")
        self.curve = EcKey.generate()
        self.now = int(time.time())

    def jwks(self) -> list[Json]:
        """The keys that the authority has to publish."""
        named = [
            self.other.jwk(self.authority, **{"kid": kid} | changes) for kid, changes in self._jwks().items()
        ]
        rivals = [self.other.jwk(self.authority, kid="rivals"), self.key.jwk(self.authority, kid="rivals")]
        return [self.key.jwk(self.authority), *named, *rivals, self.curve.jwk(self.authority)]

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
            "other issuer": {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
            "other cloud": {"cloud_instance_name": "microsoftonline.us"},
            "no cloud": {"cloud_instance_name": ABSENT},
            "x5c of nobody": {"x5c": ["MIIB"]},
            "ext": {"ext": True},
            "ext text": {"ext": "yes"},
            "unknown members": {"x": {"y": [1]}, "nbf": 1, "exp": 1},
            "no modulus": {"n": ABSENT},
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
                "none", "None", "NONE", "rs256", "RS256 ", "RS384", "RS512", "PS256", "HS256", "ES256",
                "EdDSA", "dir", "RSA-OAEP", "PBES2-HS256+A128KW", ["RS256"],
            ],
            "kid": [
                kid.swapcase(), f"{kid} ", kid[:-1], "rivals", "plain", "../keys", "\x00", "k" * 300, [kid],
            ],
            "typ": ["JWT", "jwt", "at+jwt", "application/at+jwt", "dpop+jwt", "JOSE", "application/jwt", " JWT"],
            "crit": [["x"], ["alg"], ["b64"], ["exp"], ["x", "x"], [1]],
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
        for name in ("b64", *telling):
            values = [ABSENT, *ordinary, *telling.get(name, [])]
            for value in values:
                shown = "absent" if value is ABSENT else json.dumps(value)[:60]
                yield Mutant(f"header {name or 'of no name'}", shown, self._signed(**{name: value}))

    def _header_texts(self) -> Iterator[Mutant]:
        kid = self.key.kid
        good = encoded({"typ": "JWT", "alg": "RS256", "kid": kid})

        def more(text: str) -> bytes:
            return good[:-1] + b"," + text.encode() + b"}"

        texts: dict[str, list[bytes]] = {
            "header: no object": [b"[]", b'"x"', b"null", b"1", b"true", b"", b"{", b"[" + good + b"]"],
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
            "header: deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (40, 500, 2000)],
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
            renamed = token(self.key, payload, alg, alg="RS256")
            yield Mutant("algorithm: another one as RS256", alg, renamed)
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
            yield Mutant("key: signed by nobody's", kid, token(self.stranger, self.claims(), kid=kid))
        for key in (self.key, self.other):
            yield Mutant("key: rivals", key.kid, token(key, self.claims(), kid="rivals"))
        yield Mutant("key: signed by nobody's", "own kid", token(self.stranger, self.claims()))
        stolen = token(self.stranger, self.claims(), kid=self.key.kid)
        yield Mutant("key: signed by nobody's", "stolen kid", stolen)
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
        for name in names:
            shown = name or "of no name"
            if name in good:
                yield Mutant(f"claim {shown}: absent", "absent", self._signed(payload=self.claims(**{name: ABSENT})))
            for form, examples in values.items():
                for value in examples:
                    made = self._signed(payload=good | {name: value})
                    yield Mutant(f"claim {shown}: {form}", json.dumps(value)[:60], made)

    def _swapped_claims(self) -> Iterator[Mutant]:
        good = self.claims()
        names = ["iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "scp", "roles"]
        for one in names:
            for other in names:
                if one < other:
                    swapped = good | {one: good[other], other: good[one]}
                    yield Mutant("claims swapped", f"{one} and {other}", self._signed(payload=swapped))
            wrapped = good | {one: [good[one]]}
            yield Mutant(f"claim {one}: in a list", "", self._signed(payload=wrapped))
            yield Mutant(f"claim {one}: in an object", "", self._signed(payload=good | {one: {one: good[one]}}))
            yield Mutant(f"claim {one}: as JSON text", "", self._signed(payload=good | {one: json.dumps(good[one])}))

    def _dates(self) -> Iterator[Mutant]:
        # However slow the machine is, nobody's verdict changes within a minute.
        past = [1, 180, 3_600, 86_400, 10**9]
        future = [1, 50, 180, 3_600, 86_400]
        for name in ("exp", "nbf", "iat"):
            others: Json = {"nbf": ABSENT, "iat": ABSENT} if name == "exp" else {"exp": self.now + 10**9}
            offsets = {"past": [-seconds for seconds in past], "future": future}
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
                "beyond 64 bits": ["18446744073709551616", "1e20", "99999999999999999999", "1e300"],
                "beyond a double": ["1e309", "1e400", "-1e400"],
                "infinite": ["Infinity", "-Infinity"],
                "no number": ["NaN"],
                "negative": ["-1", "-1e9", "-0.5", "-9223372036854775808"],
                "zero": ["0", "-0", "0.0", "0e5", "1e-400"],
                "the last second": ["253402300799"],
                "no JSON": ["0x10", "01", "+1", ".5", "1.", "1_000"],
                "text": ['"4000000000"', '" 4000000000 "', '"4e9"', '"soon"'],
            }
            for kind, written in literals.items():
                for literal in written:
                    payload = self.claims(**others | {name: "@date@"})
                    text = encoded(payload).replace(b'"@date@"', literal.encode())
                    yield Mutant(f"date {name}: {kind}", literal, self._signed(payload=text))
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
            ]  # fmt: skip
            for iss in forms:
                if iss not in (v1, v2):
                    yield Mutant("issuer: not ours", iss, self._signed(payload=self.claims(PERSON, version, iss=iss)))
        for version, iss in ((V1, v2), (V2, v1)):
            yield Mutant("issuer: of the other version", version, self._signed(payload=self.claims(PERSON, version, iss=iss)))
        for version in VERSIONS:
            for tid in (
                OTHER_TENANT, PERSONAL_TENANT, TENANT.upper(), f"{{{TENANT}}}", f" {TENANT}", f"{TENANT} ", "common",
                "organizations", "contoso.example", "", TENANT.replace("-", ""), f"{TENANT}\x00", "{tenantid}",
            ):  # fmt: skip
                payload = self.claims(PERSON, version, tid=tid)
                yield Mutant("tenant: not the issuer's", tid, self._signed(payload=payload))
            for tenant in (OTHER_TENANT, PERSONAL_TENANT, TENANT.upper(), "common"):
                payload = self.claims(PERSON, version, tenant=tenant)
                yield Mutant("tenant: another one", tenant, self._signed(payload=payload))
        for ver in ("3.0", "2", "1", "", "2.00", "v2.0", "1.1"):
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
            ]
            for kind, aud in lists:
                yield Mutant(kind, json.dumps(aud), self._signed(payload=self.claims(aud=aud)))
            yield Mutant("audience: ours as the name of a member", good, self._signed(payload=self.claims(aud={good: 1})))
        for aud in ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", CLIENT, "*", ""):
            yield Mutant("audience: somebody else's", aud, self._signed(payload=self.claims(aud=aud)))

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
            "payload: member twice": [
                more(text)
                for text in (
                    f'"aud":"{API}"', f'"tid":"{TENANT}"', '"scp":"Orders.Read"', '"s\\u0063p":"Orders.Read"',
                    '"x":1,"x":1', '"x":{"y":1,"y":1}', '"x":[[{"y":1,"y":2}]]', '"":1,"":1',
                )
            ]
            + [first('"aud":"x"'), first('"exp":1'), first('"iss":"x"'), first('"tid":"x"')],
            "payload: value overridden": [more('"aud":"x"'), more('"exp":1'), more('"iss":"x"')],
            "payload: other letter case": [
                more(f'"{name}":"x"') for name in ("TID", "Tid", "ISS", "AUD", "EXP", "SCP", "Roles", "APPID", "cNf")
            ],
            "payload: informing in other letter case": [more('"GROUPS":[]'), more('"UTI":1'), more('"Xms_cc":[]')],
            "payload: spelling": [
                json.dumps(self.claims(), indent=2).encode(),
                b" \t\r\n" + good + b"\n",
                good.replace(b'"aud"', b'"\\u0061ud"'),
                good.replace(b'"scp"', b'"s\\u0063\\u0070"'),
                good.replace(b":", b" : "),
                more('"x":"\\ud83d\\ude00"'),
                more('"\\u0000":"\\u0000"'),
                more('"x":[1e308,-0,12345678901234567890]'),
            ],
            "payload: byte order mark": [b"\xef\xbb\xbf" + good],
            "payload: UTF-16": [good.decode().encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")],
            "payload: no UTF-8": [
                more('"x":"@"').replace(b"@", octets)
                for octets in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
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
            "payload: deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (40, 500)] + [more(f'"x":{deep}')],
            "payload: not too deep": [more('"x":' + "[" * depth + "]" * depth) for depth in (1, 10, 30)],
            "payload: many members": [more(",".join(f'"m{at}":{at}' for at in range(800)))],
            "payload: 16 KiB": [more(f'"x":"{"x" * 16_384}"')],
        }  # fmt: skip
        for kind, written in texts.items():
            for payload in written:
                yield Mutant(kind, repr(payload[-80:]), self._signed(payload=payload))

    def _signatures(self) -> Iterator[Mutant]:
        good = self._signed()
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
            ("payload alone", signed.split(".")[1]),
            ("header alone", signed.split(".")[0]),
            ("with a dot", f"{signed}."),
            ("without the dot", signed.replace(".", "")),
        ):
            yield Mutant("signature: over something else", name, f"{signed}.{segment(self.key.sign(other.encode()))}")
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
        nested = f"{h}.{p}.{s}"
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
