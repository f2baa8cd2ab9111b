#!/usr/bin/env python3
"""Writes the seeds of every fuzz target into fuzz/seeds: a few small inputs for each branch.

They are made from fixtures/payload-shapes.jsonl and from the cases that the tests name. Run it again after
changing it; it takes away what it no longer makes, but for files whose name begins with `found-`,
which are inputs that once broke something.
"""

import base64
import hashlib
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent
SHAPES = ROOT.parent / "fixtures" / "payload-shapes.jsonl"
TID = "7090e106-1ad3-4313-9b7a-75cc3e576d40"
GUID = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encode(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def shapes():
    for line in SHAPES.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["payload"]


OBJECTS = [
    "{}", " { } ", "", "[]", "null", '{"a":1}', '{"a":1,"a":1}', '{"a":1,"\\u0061":1}',
    '{"x":1,"y":2,"x":1}', '{"x":{"y":1,"y":1}}', '{"a":{"y":1,"y":1}}',
    '{"x":[[{"y":1,"z":2,"y":1}]]}', '{"A":1}', '{"x":{"A":1}}', '{"é\\n":"x","b":[1,"2",{}]}',
    '{"a":-0}', '{"a":-0.0}', '{"a":1e400}', '{"a":0e400}', '{"a":1.5e-3}', '{"a":01}', '{"a":NaN}',
    '{"a":9223372036854775807}', '{"a":9223372036854775808}', '{"a":18446744073709551616}',
    '{"a":-9223372036854775809}', '{"a":1253402300799.75}', '{"a":"\\ud800"}',
    '{"a":"\\uD83D\\uDE00"}', '{"a":"\\ud800\\u0041"}', '{"a":"\t"}', '{"a":"\\/\\b\\f\\n\\r\\t\\"\\\\"}',
    '{"a":true,"b":false,"x":null}', '{"a":[null,true,1,1.5,"x",[],{}]}', '{"a":{"b":1,"c":{"d":[]}}}',
    '{"a":1,}', '{"a" 1}', '{a:1}', '{"a":1}x', '\ufeff{"a":1}', '{"__proto__":1,"constructor":2}',
    '{"x":' + "[" * 31 + "]" * 31 + "}", '{"x":' + "[" * 32 + "]" * 32 + "}",
    '{"y":' * 32 + "1" + "}" * 32, '{"y":' * 33 + "1" + "}" * 33,
    '{"$serde_json::private::Number":"5"}', '{"a":{"$serde_json::private::Number":"5"}}',
    '{"a":{"$serde_json::private::RawValue":"5"}}',
]

HEADERS = [
    {"typ": "JWT", "alg": "RS256", "kid": "k"},
    {"typ": "JWT", "alg": "RS256", "x5t": "k", "kid": "k"},
    {"typ": "at+jwt", "alg": "PS256", "kid": "k"},
    {"typ": "application/AT+JWT", "alg": "ES256", "kid": "k"},
    {"alg": "none"}, {"alg": "None", "kid": "k"}, {"alg": "HS256", "kid": "k"}, {"alg": 1, "kid": "k"},
    {"alg": "RS256"}, {"alg": "RS256", "kid": ""}, {"alg": "RS256", "kid": 1}, {"alg": "RS256", "kid": "k" * 256},
    {"alg": "RS256", "kid": "k" * 257}, {"alg": "RS256", "kid": "../../etc"},
    {"alg": "RS256", "kid": "k", "typ": "dpop+jwt"}, {"alg": "RS256", "kid": "k", "typ": None},
    {"alg": "RS256", "kid": "k", "crit": ["x"]}, {"alg": "RS256", "kid": "k", "crit": []},
    {"alg": "RS256", "kid": "k", "b64": False}, {"alg": "RS256", "kid": "k", "zip": "DEF"},
    {"alg": "dir", "enc": "A128GCM", "kid": "k"}, {"alg": "RS256", "kid": "k", "enc": None},
    {"alg": "RS256", "kid": "k", "cty": "JWT"}, {"alg": "RS256", "kid": "k", "cty": "json"},
    {"alg": "RS256", "kid": "k", "cty": 1}, {"alg": "RS256", "kid": "k", "nonce": "n"},
    {"alg": "RS256", "kid": "k", "jwk": {"kty": "RSA"}, "jku": "https://evil.example", "x5c": ["MII"]},
]

CLAIMS = [
    {"aud": ["a", "b"], "roles": ["r", " "], "scp": "a b"},
    {"aud": ["a", 1]}, {"aud": {}}, {"aud": None}, {"TID": TID}, {"tid": TID, "Tid": TID},
    {"exp": "1700000000"}, {"exp": 1700000000.9, "nbf": -1, "iat": 253402300800},
    {"scp": ["a"]}, {"scp": " / "}, {"roles": "Admin"}, {"cnf": {"kid": "x"}}, {"cnf": "x"},
    {"oid": GUID.upper()}, {"azp": "x"}, {"azp": GUID, "appid": TID},
    {"xms_act_fct": ["3", 11], "xms_sub_fct": 13, "xms_tnt_fct": "3 x", "xms_idrel": [1, 2.5]},
    {"xms_par_app_azp": "x", "azpacr": 1, "acct": "1", "idp": 1, "uti": [], "acrs": "c1", "xms_cc": ["CP1", 1]},
    {"_claim_names": {"groups": "src1"}, "hasgroups": True, "groups": [1]},
    {"nonce": 1, "at_hash": None}, {"idtyp": "device", "sub": "/eid1/c"},
]

FACETS = [
    "11", "13", "3 9 11", "11 9 3", "13 x", "", " ", "\t13\n11 ", "2 4", "-11", "+11", "0011", "2147483647",
    "2147483648", "255 257 1001", "13\u300011", "١١", "11,13", "11 11 11", "1 " * 60,
]

AUTHORIZATION = [
    "Bearer a.b-c_d~e+f/g=", "bearer a", "BEARER   a", "Bearer", "Bearer ", "Bearer a b", "Bearer a ",
    "Bearer\ta", "Bearer \ta", "Bearer a,b", "Bearer {}", "Basic abc", "Basic", "", " Bearer a", "BearerX a",
    "DPoP a", "pop", "PoP a", "Bearer a\nBearer a", "Basic b\nBearer a", "\n", "Bearer é",
]

CHALLENGES = [
    "api://x", "", "realm with spaces\nhttps://api.example/.well-known/oauth-protected-resource\nOrders.Read\nOrders.Write",
    'a"b', "a\\b", "é", "x\nhttp://a.example:8080/x?y=z", "x\nftp://a", "x\nhttps://", 'x\nhttps://a/"',
    "x\n\na b", 'x\n\na"b', "x\n\n\n", "x\n\nOrders.Read", 'x", error="y',
]

SEGMENTS = [
    "", ".", "..", "a.b", "....", "a..c.d.e", "a.b.c.d", "null", "e30.e30.AQ", "e30.e30.AR", "e30=.e30.AQ",
    "e3+.e30.AQ", " e30.e30.AQ", "e30.e30.A", "e30.e30.AQ\n", "." * 40,
]


def key_sets():
    n = encode(b"\x80" + b"\x01" * 255)
    other = encode(b"\xc0" + b"\x03" * 255)
    rsa = {"kty": "RSA", "use": "sig", "kid": "a", "x5t": "a", "n": n, "e": "AQAB",
           "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
           "cloud_instance_name": "microsoftonline.com"}
    # RFC 7515, appendix A.3.
    p256 = {"kty": "EC", "kid": "p", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    yield {"keys": [rsa]}
    yield {"keys": [rsa, rsa]}
    yield {"keys": [rsa, {**rsa, "n": other}]}
    yield {"keys": [rsa, {**rsa, "kid": "b", "n": other}, p256]}
    yield {"keys": [{**rsa, "alg": "PS256", "key_ops": ["verify"]}, {**rsa, "use": "enc", "kid": "b"}]}
    yield {"keys": [{**rsa, "e": "AQ"}, p256]}
    yield {"keys": [{**rsa, "issuer": None, "cloud_instance_name": None}]}
    yield {"keys": [{**rsa, "issuer": 1}, {**p256, "crv": "P-384"}, {"kty": "oct", "kid": "o", "k": "AQAB"}]}
    yield {"keys": [null for null in (None, 1, "x", [], {})] + [p256], "unknown": {"keys": []}}
    yield {"keys": []}
    yield {"keys": None}
    yield [[rsa]]
    yield {"keys": [{**rsa, "kid": str(number)} for number in range(14)]}


def discoveries():
    public = "https://login.microsoftonline.com"
    issuer = f"{public}/{TID}/v2.0"
    for url in [
        f"{public}/{TID}/discovery/v2.0/keys", f"{public}:443/keys", f"{public}:8443/keys", f"{public}?x", public,
        f"{public}.evil.example/keys", f"{public}@evil.example/keys", "http://login.microsoftonline.com/keys",
        f"{public}\\@evil.example", "//login.microsoftonline.com/keys", "https://LOGIN.microsoftonline.com/keys",
    ]:
        yield {"issuer": issuer, "jwks_uri": url}
    local = "http://127.0.0.1:4000"
    yield {"issuer": f"{local}/{{tenantid}}/v2.0", "jwks_uri": f"{local}/keys", "cloud_instance_name": "x"}
    yield {"issuer": f"{local}/{{TenantId}}/v2.0", "jwks_uri": f"{local}/keys", "cloud_instance_name": None}
    yield {"issuer": f"{local}/{{TENANTID}}/v2.0", "jwks_uri": f"{local}/keys"}
    yield {"issuer": f"{local}/{{tenantid}}/V2.0", "jwks_uri": f"{local}/keys"}
    yield {"issuer": f"{local}/common/v2.0", "jwks_uri": f"{local}/keys"}
    yield {"issuer": 1, "jwks_uri": 2}


def tokens():
    header = compact(HEADERS[0])
    for payload in list(shapes())[:6]:
        small = {name: payload[name] for name in list(payload)[:6]}
        yield f"{encode(header)}.{encode(compact(small))}.{encode(bytes(range(32)))}"
    for other in HEADERS[1:8]:
        yield f"{encode(compact(other))}.e30.AQ"


def scripts():
    """Which token, and what to do at which place with what: see tests/properties/edits.rs."""
    for token in range(6):
        yield bytes([token])
    for what in range(10):
        yield bytes([what, what, 0, 3])
        yield bytes([0, what, 128, 200])
        yield bytes([1, what, 254, 7, (what + 3) % 10, 100, 5])


SEEDS = {
    "authorization": AUTHORIZATION,
    "challenge": CHALLENGES,
    "claims": [compact(value) for value in [*shapes(), *CLAIMS]] + OBJECTS[:6],
    "compact": SEGMENTS + list(tokens()),
    "discovery": [compact(value) for value in discoveries()] + ["", "[]", "<html>"],
    "facets": FACETS,
    "header": [compact(value) for value in HEADERS] + ["[]", "{", '{"alg":"RS256","alg":"RS256","kid":"k"}'],
    "key_set": [compact(value) for value in key_sets()] + ["<html>", '{"keys":[],"keys":[]}'],
    "object": OBJECTS + [compact(payload) for payload in list(shapes())[:4]],
    "validate": list(scripts()),
}


def main():
    for target, seeds in SEEDS.items():
        folder = ROOT / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not old.name.startswith("found-"):
                old.unlink()
        for seed in seeds:
            raw = seed if isinstance(seed, bytes) else seed.encode()
            (folder / hashlib.sha256(raw).hexdigest()[:12]).write_bytes(raw)


if __name__ == "__main__":
    main()
