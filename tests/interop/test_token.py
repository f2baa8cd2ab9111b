"""A token's form, its header and its signature: checks 2 to 5."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from case import WhoamiTest
from mint import ABSENT, PERSON, TENANT, EcKey, Json, Key, encoded, handmade, segment, spare_key, token

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Form(WhoamiTest):
    def test_anything_but_three_segments_is_refused(self) -> None:
        good = self.token()
        header, payload, signature = good.split(".")
        forms = {
            "one segment": header,
            "two segments": f"{header}.{payload}",
            "four segments": f"{good}.{signature}",
            "five segments, as if encrypted": f"{header}.{payload}.{payload}.{payload}.{signature}",
            "dots": "...",
            "very many dots": "." * 10_000,
            "an empty segment more": f"{header}..{payload}.{signature}",
            "a dot in front": f".{good}",
            "a dot behind": f"{good}.",
            "no header": f".{payload}.{signature}",
            "no payload": f"{header}..{signature}",
            "no signature": f"{header}.{payload}.",
        }
        for name, form in forms.items():
            with self.subTest(name):
                self.refused(form)

    def test_a_segment_is_canonical_unpadded_base64url(self) -> None:
        good = self.token()
        header, payload, signature = good.split(".")
        # 256 octets leave four bits of the last character unused: the same octets, written otherwise.
        other_end = ALPHABET[ALPHABET.index(signature[-1]) + 1]
        other_writings = {
            "padding behind the signature": f"{good}==",
            "padding behind the header": f"{header}=.{payload}.{signature}",
            "unused bits set": good[:-1] + other_end,
            "characters of base64": f"{header}.{payload}.{'+/' + signature[2:]}",
            "a tilde": f"{header}~.{payload}.{signature}",
            "a character too many": f"{good}A",
        }
        for name, form in other_writings.items():
            with self.subTest(name):
                self.refused(form)

    def test_a_header_that_is_no_object_is_refused(self) -> None:
        for header in (b"[]", b'"RS256"', b"null", b"1", b"{", b"", b"{} {}", b"\xff{}"):
            with self.subTest(header=header):
                self.refused(handmade(self.key, self.claims(), header))

    def test_a_repeated_header_member_is_refused(self) -> None:
        good = {"alg": "RS256", "typ": "JWT", "kid": self.key.kid}
        for member in ('"alg":"RS256"', '"alg":"none"', f'"kid":"{self.key.kid}"', '"x":1,"x":1'):
            with self.subTest(member):
                header = encoded(good)[:-1] + b"," + member.encode() + b"}"
                self.refused(handmade(self.key, self.claims(), header))

    def test_a_header_nested_too_deep_is_refused(self) -> None:
        nested = "[" * 3000 + "]" * 3000
        header = f'{{"alg":"RS256","kid":"{self.key.kid}","x":{nested}}}'.encode()
        self.refused(handmade(self.key, self.claims(), header))


class Header(WhoamiTest):
    def test_a_header_made_by_hand_is_admitted_as_it_stands(self) -> None:
        self.admitted(handmade(self.key, self.claims()))

    def test_no_algorithm_but_rs256_is_accepted(self) -> None:
        names: list[Any] = [
            "none", "None", "NONE", "nOnE", "rs256", "RS384", "RS512", "PS256", "ES256", "EdDSA",
            "HS256", "dir", "RSA-OAEP", "PBES2-HS512+A256KW", "", " RS256", 256, None, ["RS256"],
            {"RS256": 1}, True, ABSENT,
        ]  # fmt: skip
        for name in names:
            with self.subTest(alg=name):
                self.refused(handmade(self.key, self.claims(), alg=name))

    def test_an_unsigned_token_is_refused(self) -> None:
        unsigned = f"{segment({'alg': 'none', 'kid': self.key.kid})}.{segment(self.claims())}."
        self.refused(unsigned)
        self.refused(unsigned + segment(b"signature"))

    def test_other_algorithms_by_the_right_key_are_refused(self) -> None:
        for algorithm in ("PS256", "RS384", "RS512", "PS512"):
            with self.subTest(algorithm):
                self.refused(token(self.key, self.claims(), algorithm))

    def test_es256_is_refused(self) -> None:
        self.refused(token(EcKey.generate(), self.claims(), "ES256", kid=self.key.kid))

    def test_the_public_key_is_no_shared_secret(self) -> None:
        public = self.key.private.public_key()
        info = PublicFormat.SubjectPublicKeyInfo
        jwk = self.key.jwk(self.authority)
        secrets = {
            "PEM": public.public_bytes(Encoding.PEM, info),
            "PEM without its last line end": public.public_bytes(Encoding.PEM, info).strip(),
            "PKCS#1 PEM": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            "DER": public.public_bytes(Encoding.DER, info),
            "JWK": json.dumps(jwk).encode(),
            "modulus": jwk["n"].encode(),
            "nothing": b"",
        }
        header = segment({"typ": "JWT", "alg": "HS256", "kid": self.key.kid})
        for name, secret in secrets.items():
            with self.subTest(name):
                signed = f"{header}.{segment(self.claims())}"
                mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
                self.refused(f"{signed}.{segment(mac)}")

    def test_no_critical_parameter_is_understood(self) -> None:
        values: list[Any] = [["x"], [], ["alg"], ["b64"], ["exp"], "alg", None, {}, 1]
        for critical in values:
            with self.subTest(crit=critical):
                self.refused(handmade(self.key, self.claims(), crit=critical, x=1))

    def test_no_other_encoding_is_understood(self) -> None:
        for changes in (
            {"b64": True},
            {"b64": False},
            {"zip": "DEF"},
            {"enc": "A256GCM"},
            {"cty": "JWT"},
            {"cty": "jwt"},
        ):
            with self.subTest(**changes):
                self.refused(handmade(self.key, self.claims(), **changes))

    def test_the_types_of_access_tokens_are_accepted(self) -> None:
        for name in (ABSENT, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"):
            with self.subTest(typ=name):
                self.admitted(handmade(self.key, self.claims(), typ=name))

    def test_other_types_are_refused(self) -> None:
        for name in ("dpop+jwt", "logout+jwt", "secevent+jwt", "kb+jwt", "JOSE", "", " JWT", 1, ["JWT"]):
            with self.subTest(typ=name):
                self.refused(handmade(self.key, self.claims(), typ=name))

    def test_a_token_names_its_key(self) -> None:
        kid = self.key.kid
        for name in (ABSENT, "", None, 1, [kid], {"kid": kid}, True, f"{kid} ", kid.swapcase(), "../keys"):
            with self.subTest(kid=name):
                self.refused(handmade(self.key, self.claims(), kid=name))

    def test_a_thumbprint_does_not_stand_in_for_the_kid(self) -> None:
        for name in (ABSENT, "another"):
            with self.subTest(kid=name):
                self.refused(handmade(self.key, self.claims(), kid=name, x5t=self.key.kid))

    def test_keys_within_the_token_are_never_used(self) -> None:
        stranger = spare_key("stranger")
        members: Json = {
            "jwk": stranger.jwk(self.authority),
            "jku": f"{self.authority.url}/stranger/keys",
            "x5u": f"{self.authority.url}/stranger/chain",
            "x5c": ["MIIB"],
            "x5t": stranger.kid,
            "x5t#S256": stranger.kid,
        }
        for name, value in members.items():
            with self.subTest(name):
                self.refused(handmade(stranger, self.claims(), kid=self.key.kid, **{name: value}))
                self.refused(handmade(stranger, self.claims(), **{name: value}))
        self.admitted(handmade(self.key, self.claims(), **members))
        self.assertFalse([path for path in self.authority.requests if "stranger" in path])


class Signature(WhoamiTest):
    def test_an_unknown_key_and_a_bad_signature_answer_alike(self) -> None:
        stranger = spare_key("stranger")
        bad_signature = self.refused(token(stranger, self.claims(), kid=self.key.kid))
        unknown_key = self.refused(token(stranger, self.claims()))

        def comparable(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
            return [(name, value) for name, value in headers if name.lower() != "date"]

        self.assertEqual(comparable(bad_signature.headers), comparable(unknown_key.headers))

    def test_every_bit_of_the_signature_counts(self) -> None:
        signed, _, signature = self.token().rpartition(".")
        octets = base64.urlsafe_b64decode(signature + "==")
        for position in (0, 1, 128, 254, 255):
            with self.subTest(position=position):
                flipped = bytearray(octets)
                flipped[position] ^= 1
                self.refused(f"{signed}.{segment(bytes(flipped))}")

    def test_a_signature_of_another_length_is_refused(self) -> None:
        signed, _, signature = self.token().rpartition(".")
        octets = base64.urlsafe_b64decode(signature + "==")
        for other in (octets[:1], octets[:-1], b"\0" + octets, octets + b"\0", octets * 20, bytes(256)):
            with self.subTest(length=len(other)):
                self.refused(f"{signed}.{segment(other)}")

    def test_a_signature_is_of_these_words_only(self) -> None:
        header, _, signature = self.token().split(".")
        richer = self.claims(roles=["Orders.Read.All", "Admin"])
        self.refused(f"{header}.{segment(richer)}.{signature}")
        _, payload, signature = self.token().split(".")
        respaced = json.dumps({"alg": "RS256", "kid": self.key.kid, "typ": "JWT"}, indent=1).encode()
        self.refused(f"{segment(respaced)}.{payload}.{signature}")

    def test_another_padding_or_hash_is_refused(self) -> None:
        signed = token(self.key, self.claims()).rpartition(".")[0]
        message = signed.encode()
        private = self.key.private
        signatures = {
            "PSS": private.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
            "SHA-1": private.sign(message, padding.PKCS1v15(), hashes.SHA1()),
            "SHA-512": private.sign(message, padding.PKCS1v15(), hashes.SHA512()),
        }
        for name, signature in signatures.items():
            with self.subTest(name):
                self.refused(f"{signed}.{segment(signature)}")

    def test_a_bad_signature_hides_what_else_is_wrong(self) -> None:
        stranger = spare_key("stranger")
        answers = [
            self.refused(token(stranger, self.claims(**changes), kid=self.key.kid))
            for changes in ({}, {"aud": "https://graph.microsoft.com"}, {"exp": 1}, {"tid": "contoso"})
        ]
        self.assertEqual(len({answer.all("WWW-Authenticate")[0] for answer in answers}), 1)


class Keys(WhoamiTest):
    """Checks 4, 5 and 8: which of the published keys may sign, and for whom."""

    other: Key
    weak: Key
    curve: EcKey

    @classmethod
    def more_keys(cls) -> list[Json]:
        cls.other = spare_key("other")
        cls.weak = Key.generate("weak", bits=1024)
        cls.curve = EcKey.generate()
        authority, key = cls.authority, cls.other
        jwks: dict[str, Json] = {
            "encrypts": {"use": "enc"},
            "no-use": {"use": ABSENT},
            "wraps": {"key_ops": ["wrapKey"]},
            "verifies": {"key_ops": ["verify"]},
            "rs256": {"alg": "RS256"},
            "rs512": {"alg": "RS512"},
            "ps256": {"alg": "PS256"},
            "no-issuer": {"issuer": ABSENT},
            "odd-template": {"issuer": authority.issuer("{TenantId}")},
            "this-tenant": {"issuer": authority.issuer(TENANT)},
            "v1-issuer": {"issuer": authority.issuer("{tenantid}", "1.0")},
            "foreign-issuer": {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
            "other-cloud": {"cloud_instance_name": "microsoftonline.us"},
            "no-cloud": {"cloud_instance_name": ABSENT},
            "K" * 256: {},
            "K" * 257: {},
            "unusual": {"x5c": ["not a certificate"], "unknown": {"nested": [1, {}]}},
            "octets": {"kty": "oct", "k": "c2VjcmV0"},
            "no-modulus": {"n": ABSENT},
            "even-modulus": {"n": segment(bytes([255] * 255 + [254]))},
            "exponent-1": {"e": "AQ"},
        }
        named = [key.jwk(authority, kid=kid, **changes) for kid, changes in jwks.items()]
        twins = [key.jwk(authority, kid="twins"), key.jwk(authority, kid="twins")]
        rivals = [key.jwk(authority, kid="rivals"), cls.key.jwk(authority, kid="rivals")]
        nameless = key.jwk(authority, kid=ABSENT)
        return [*named, *twins, *rivals, nameless, cls.weak.jwk(authority), cls.curve.jwk(authority)]

    def test_keys_that_may_sign_for_this_tenant_do(self) -> None:
        for kid in (
            "no-use",
            "verifies",
            "rs256",
            "no-issuer",
            "odd-template",
            "this-tenant",
            "no-cloud",
            "K" * 256,
            "unusual",
            "twins",
        ):
            for version in ("1.0", "2.0"):
                with self.subTest(kid=kid, version=version):
                    payload = self.claims(PERSON, version)
                    self.admitted(token(self.other, payload, kid=kid))

    def test_keys_that_may_not_do_not(self) -> None:
        for kid in (
            "encrypts",
            "wraps",
            "rs512",
            "ps256",
            "v1-issuer",
            "foreign-issuer",
            "other-cloud",
            "K" * 257,
            "octets",
            "no-modulus",
            "even-modulus",
            "exponent-1",
            "rivals",
        ):
            for version in ("1.0", "2.0"):
                with self.subTest(kid=kid, version=version):
                    payload = self.claims(PERSON, version)
                    self.refused(token(self.other, payload, kid=kid))

    def test_rivals_for_one_name_both_lose_it(self) -> None:
        self.refused(token(self.key, self.claims(), kid="rivals"))

    def test_a_key_bound_to_ps256_does_not_serve_ps256(self) -> None:
        self.refused(token(self.other, self.claims(), "PS256", kid="ps256"))

    def test_a_key_of_1024_bits_is_too_weak(self) -> None:
        self.refused(handmade(self.weak, self.claims()))

    def test_a_curve_that_is_not_listed_does_not_serve(self) -> None:
        self.refused(token(self.curve, self.claims(), "ES256"))
        self.refused(handmade(self.curve, self.claims()))
