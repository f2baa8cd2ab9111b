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


CLIENT = GUID
USER = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11"
CHALLENGE = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'

# Which flow is asked for: see src/acquire/properties/answers.rs.
APP, FOR_USER, FOR_USER_WITHOUT, AGENT_USER, AGENT_USER_BY_NAME = range(5)


def token_answers():
    """The flow, the claims of the JWT, and on further lines the answer."""
    user = {"azp": CLIENT, "tid": TID, "oid": USER, "sub": "s", "scp": "A B"}
    app = {"appid": CLIENT, "tid": TID, "oid": GUID, "sub": GUID, "roles": ["A"], "idtyp": "app"}
    good = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "scope": "api://x/A api://x/C",
            "access_token": "%JWT%", "refresh_token": "0.ARoAv4j5cvGGr0GRqy180BHbR", "id_token": "eyJ0",
            "client_info": "e30"}

    def seed(flow, claims, answer):
        claims = claims if isinstance(claims, str) else compact(claims)
        answer = answer if isinstance(answer, str) else compact(answer)
        return bytes([flow]) + claims.encode() + b"\n" + answer.encode()

    for flow in range(5):
        yield seed(flow, user, good)
        yield seed(flow, app, good)
        yield seed(flow, {**user, "idtyp": "user", "scp": None}, good)
    yield seed(63, user, good)
    for change in [
        {"azp": TID}, {"azp": CLIENT.upper()}, {"appid": CLIENT}, {"appid": TID}, {"azp": 1}, {"AZP": CLIENT},
        {"tid": CLIENT}, {"tid": None}, {"tid": TID.upper()}, {"oid": GUID}, {"oid": 1}, {"idtyp": "app"},
        {"idtyp": "App"}, {"idtyp": 1}, {"scp": ""}, {"scp": "/"}, {"scp": ["A"]}, {"scp": "", "sub": USER},
        {"scp": " ", "sub": "/eid1/c"}, {"x": {"y": 1}}, {"Scp": "A"}, {"scp": "", "oid": None},
    ]:
        yield seed(FOR_USER, {**user, **change}, good)
        yield seed(AGENT_USER_BY_NAME, {**user, **change}, good)
        yield seed(APP, {**app, **change}, good)
    for name in user:
        yield seed(FOR_USER, {key: value for key, value in user.items() if key != name}, good)
        yield seed(AGENT_USER, {key: value for key, value in user.items() if key not in (name, "scp")}, good)
    for name in app:
        yield seed(APP, {key: value for key, value in app.items() if key != name}, good)
    for claims in ["", "[]", "null", '{"azp":1,"azp":2}', compact(user)[:-1], "\xff", "{}"]:
        yield seed(FOR_USER, claims, good)
    for change in [
        {"token_type": "bearer"}, {"token_type": "pop"}, {"token_type": None}, {"access_token": "a.b.c"},
        {"access_token": "opaque"}, {"access_token": ""}, {"access_token": "a b"}, {"access_token": "a=="},
        {"access_token": "%JWT%.x.y"}, {"access_token": "e30.e30.c2ln"}, {"access_token": "77u_e30.e30.c2ln"},
        {"access_token": "e31.e31.c2ln"}, {"access_token": 1}, {"scope": ""}, {"scope": " a\"b c "}, {"scope": 1},
        {"refresh_in": 1800}, {"refresh_in": "0"}, {"error": ""}, {"error": None}, {"error": "invalid_grant"},
        {"expires_in": "3599"}, {"expires_in": "0003599"}, {"expires_in": 0}, {"expires_in": "0"},
        {"expires_in": 0.9999999999}, {"expires_in": 3599.9}, {"expires_in": 315619200}, {"expires_in": 315619201},
        {"expires_in": -1}, {"expires_in": "1e3"}, {"expires_in": "99999999999999999999"}, {"expires_in": True},
        {"expires_in": 1e300}, {"expires_in": "+5"}, {"expires_in": "\u0663"},
    ]:
        yield seed(FOR_USER, user, {**good, **change})
    for answer in ["", "<html>", "[]", "{", '{"token_type":"Bearer","token_type":"Bearer"}', '{"a":' * 33 + "1" + "}" * 33]:
        yield seed(FOR_USER, user, answer)


def error_answers():
    """The flow, the status, `Retry-After` and the credential, and the answer."""
    def error(word, code, **more):
        return {"error": word, "error_codes": [code], "error_description": f"AADSTS{code}: text", **more}

    def seed(answer, flow=FOR_USER, status=0, more=0):
        answer = answer if isinstance(answer, str) else compact(answer)
        return bytes([flow, status, more]) + answer.encode()

    for word, code in [
        ("invalid_grant", 65001), ("interaction_required", 50076), ("invalid_client", 7000215),
        ("invalid_client", 700024), ("invalid_grant", 500133), ("invalid_grant", 50173), ("invalid_grant", 53003),
        ("invalid_grant", 82014), ("unauthorized_client", 700016), ("invalid_scope", 70011), ("server_error", 50000),
        ("invalid_request", 50196), ("temporarily_unavailable", 90033), ("access_denied", 1), ("x", 1),
        ("invalid_request", 700213), ("invalid_grant", 50105), ("invalid_request", 90038),
    ]:
        yield seed(error(word, code))
        yield seed(error(word, code, claims=CHALLENGE), flow=AGENT_USER, status=1, more=33)
        yield seed(error(word, code, suberror="basic_action"), flow=APP, status=5)
    for status in range(16):
        yield seed(error("invalid_grant", 65001, suberror="consent_required", claims=CHALLENGE), status=status, more=status)
    for claims in [CHALLENGE, "", " ", None, 1, {}, "{}", "[]", CHALLENGE + "x", '{"a":1,"a":1}']:
        yield seed(error("interaction_required", 50079, claims=claims))
        yield seed(error("interaction_required", 50079, claims=claims), flow=FOR_USER_WITHOUT)
    for codes in [[], [1, 65001], ["65001"], [65001.0], [-1, 4294967296, 70011], None, 65001, list(range(9)) + [65001]]:
        yield seed(error("invalid_grant", 53003, error_codes=codes))
    for text in [
        "AADSTS50020: User account 'jane.doe@contoso.com' from identity provider 'live.com' does not exist",
        "AADSTS50034: The user 'Jane Doe' is not there", "a jane%40contoso.com b", "AADSTS7000215: the secret %SECRET% is wrong",
        "the body was client_secret=%FORM%&a=b", "%WORD%", "AADSTS7000215: eyJhbGciOiJSUzI1NiJ9.e30.x",
        "AADSTS1: -----BEGIN PRIVATE KEY-----", "AADSTS1: aB08Q~0123456789012345678901234567890123", "x" * 65, "a " * 300,
        "AADSTS70011: a. Trace ID: 1 Correlation ID: 2\r\nTimestamp: 3", "\u001b[31m\u202e\"\\", " AADSTS65001", "AADSTS99999999999: a",
        "user 'O'Neil' b", "account \"a b\" c@d",
    ]:
        yield seed(error("invalid_client", 1, error_description=text))
        yield seed({"error": "invalid_client", "error_description": text}, flow=APP, more=8)
    for word in ["%WORD%", "%SECRET%", "Invalid_Grant", "a" * 41, "é", "", None, 1]:
        yield seed(error(word, 65001))
        yield seed(error("invalid_grant", 1, suberror=word))
    for trace in [TID, "x", 1]:
        yield seed(error("invalid_grant", 1, trace_id=trace, correlation_id=trace))
    for answer in ["", "<html>", "{", "[]", "{}", '{"error":"x","error":"y"}']:
        yield seed(answer)
        yield seed(answer, status=4, more=2)


def claims_challenges():
    def encoded(json_text):
        return base64.b64encode(json_text.encode()).decode()

    claims = encoded(CHALLENGE)
    good = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    yield good
    yield (f'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
           f'client_id="{CLIENT}", error="insufficient_claims", claims="{claims}"')
    for before, after in [
        ("Bearer", "bearer"), ("Bearer", "Basic"), ("Bearer ", "Bearer,"), ("Bearer ", "Bearer ,"), ("Bearer ", ""),
        ("Bearer ", "Bearer abc==, "), (", ", " ,\t,"), ("=", " = "), ("error", "Error"), ("insufficient_claims", "invalid_token"),
        ('"insufficient_claims"', "insufficient_claims"), (f'"{claims}"', claims.rstrip("=")), ("claims=", "x="),
        ("claims=", 'claims="x", claims='), ("error=", 'error="x", Error='), ("insufficient_claims", "insufficient\\_claims"),
        ('realm=""', 'realm="a,b\\"c"'), ('realm=""', 'realm="a'), (", claims", ", Basic, claims"), (", claims", ", Bearer claims"),
        (claims, claims.rstrip("=")), (claims, claims + "="), (claims, claims + "===="), (claims, ""), (claims, " " + claims),
    ]:
        yield good.replace(before, after)
    for value in [
        "{}", "[]", "null", '{"a":1,"a":1}', '{"access_token":null}', '{"access_token":{"xms_cc":{"values":["cp1"]}}}',
        '{"access_token":{"xms_cc":{"values":["x",1]},"nbf":{"essential":true,"value":"1"}},"id_token":{"a":[1.50,-0,{}]}}',
        ' { "access_token" : { "nbf" : { "value" : "1702682181" } } } ', '{"access_token":{"xms_cc":"cp1"}}', '{"é?>":"\\u0041~~?"}',
        '{"a":' * 32 + "1" + "}" * 32, '{"a":' * 33 + "1" + "}" * 33, CHALLENGE + "x",
    ]:
        yield good.replace(claims, encoded(value))
        yield good.replace(claims, encode(value))
    for other in ["Basic realm=\"a\"", good, 'Bearer error="invalid_token"', '"', "", f'PoP error="insufficient_claims", claims="{claims}"']:
        yield good + "\n" + other
        yield other + "\n" + good
        yield other + ", " + good


def pems():
    def section(label, *lines):
        return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])

    key, certificate = section("PRIVATE KEY", "%KEY%"), section("CERTIFICATE", "%CERT%")
    other = section("CERTIFICATE", "%OTHER%")
    yield key + certificate
    yield certificate + other + key
    yield section("RSA PRIVATE KEY", "%PKCS1%") + certificate
    yield "\ufeff" + (key + certificate).replace("\n", "\r\n")
    yield (key + certificate).replace("\n", "\n\n  ")
    yield "Bag Attributes\n    friendlyName: é\n" + key + "Key Attributes: <No Attributes>\n" + certificate
    for text in [
        key + certificate + certificate, key + other, key + key + certificate, certificate, key, key + certificate * 16,
        section("EC PRIVATE KEY", "%PKCS1%") + certificate, section("PRIVATE KEY", "%PKCS1%") + certificate,
        section("RSA PRIVATE KEY", "%KEY%") + certificate, section("ENCRYPTED PRIVATE KEY", "AAEC") + certificate,
        section("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,00", "", "AAEC"),
        section("A", "AAEC") * 17, section("A", "AAEC", "AAE="), section("A", "AAE="), section("A", "AAF="), section("A", "AA=="),
        section("A", "AAE"), section("A", "AAE_"), section("A", "AA EC"), section("A", "AAECAA==AAEC"), section("A", ""), section("A"),
        "-----BEGIN A-----", "-----BEGIN A-----\nAAEC", "-----BEGIN A-----\nAAEC\n-----END B-----", "-----END A-----\n",
        "-----BEGIN A-----\nAAEC\n-----BEGIN A-----\nAAEC\n-----END A-----", "-----BEGIN -----\nAAEC\n-----END -----",
        "-----BEGIN A-----\nAAEC\n-----END A----", "-----BEGIN A_B-----\nAAEC", "x-----BEGIN A-----\nAAEC\n-----END A-----",
        "-----BEGIN CERTIFICATE----- AAEC -----END CERTIFICATE-----", (key + certificate).replace("\n", "\\n"), "no marker", "", " \n",
        key + certificate.replace("%CERT%", "MIIC"), key.replace("%KEY%", "MIIE"), "%KEY%", "0\x03\x02\x01\x03",
    ]:
        yield text


def configurations():
    """A file, variables and arguments, each behind a line of three hyphens."""
    good = {
        "AzureAd": {"Instance": "https://login.microsoftonline.com/", "TenantId": TID, "ClientId": CLIENT,
                    "ClientCredentials": [{"SourceType": "ClientSecret", "ClientSecret": "hunter2"}]},
        "DownstreamApis": {"orders": {"BaseUrl": "https://api.example/v1", "Scopes": ["api://x/.default"],
                                      "ExtraHeaderParameters": {"X-Own": "1"}, "RequestAppToken": True}},
        "Sidecar": {"AllowOverrides": {"CallDownstreamApi": False}, "LenientAgentParameters": "True"},
        "Logging": {"LogLevel": {"Default": "Warning"}}, "AllowedHosts": "*",
    }

    def seed(file=good, variables=(), arguments=()):
        file = file if isinstance(file, str) else compact(file)
        return "\n---\n".join([file, "\n".join(variables), "\n".join(arguments)])

    text = json.dumps(good, indent=2)
    yield seed()
    yield seed("\ufeff" + text.replace("\n", " // a comment\r\n").replace("}", ",}").replace("]", ", /* a */ ]"))
    for before, after in [
        ('"hunter2"', '" hunter2"'), ('"hunter2"', '"hunter2\\u0001"'), ('"hunter2"', '["hunter2"]'), ('"hunter2"', "{}"),
        ('"ClientSecret": "hunter2"', '"Base64EncodedValue": "hunter2"'), ("ClientSecret", "Base64Encoded"), ("ClientSecret", "Path"),
        ("ClientSecret", "SignedAssertionFilePath"), ("ClientSecret", "SignedAssertionFromManagedIdentity"),
        ('"SourceType": "ClientSecret"', '"SourceType": "hunter2"'), ("SourceType", "SourcType"), ("ClientCredentials", "ClientCredential"),
        ('"SourceType": "ClientSecret"', '"SourceType": "KeyVault"'), (TID, "common"), (TID, "{" + TID + "}"), (TID, "hunter2"),
        (TID, TID.upper()), ("https://api", "http://api"), ("https://api.example", "http://127.0.0.1:80"), ("https://api.example", "http://[::1]"),
        ("https://", "HTTPS://a@"), ("v1", "v1?a"), ("X-Own", "Authorization"), ("true", "null"), ("true", '"yes"'), ("true", "1"), ("*", "a;b"),
        ("Warning", "Loud"), ("TenantId", "Tenantid"), ("Sidecar", "SideCar"), ("orders", "Orders:a"), ("https://login", "http://login"),
    ]:
        yield seed(text.replace(before, after))
    secret = ["--AzureAd:ClientCredentials:0:ClientSecret=hunter2-1"]
    yield seed(arguments=secret)
    yield seed(variables=["AzureAd__ClientCredentials__0__ClientSecret= hunter2", "AzureAd__TenantId=x"])
    yield seed(variables=["AzureAd__TenantId=" + CLIENT, "AZUREAD__TENANTID=" + TID, "ASPNETCORE_URLS=http://a", "DOTNET_AzureAd__ClientId=x"])
    yield seed(variables=["AZUREAD__TENANTID=" + CLIENT], arguments=["--azuread:tenantid=" + TID, "--AzureAd:TenantId=" + USER])
    yield seed("{}", ["ASPNETCORE_ENVIRONMENT=Development", "URLS=http://127.0.0.1:0", "AZURE_FEDERATED_TOKEN_FILE=/x", "http_proxy=hunter2"])
    yield seed("", [f"AzureAd:TenantId={TID}", f"azuread__clientid={CLIENT}", "A__b__0=1", "__=1", "A____b=2"])
    yield seed("{}", [], [f"--AzureAd:TenantId={TID}", "/azuread:CLIENTID", CLIENT, "Urls=http://[::]:80", "--Sidecar:MetricsUrl=http://127.0.0.1:9"])
    yield seed("{}", [], ["--config", "a.json", "--check", "-x=hunter2", "hunter2", "--=a", "--A", "--help", "--version=1", "--config=", "--B"])
    yield seed("{}", [], ["--A:b=1", "--a:B=2", "/A:B", "3", "A:b=4", "--kestrel:endpoints:x:url=http://unix:/x", "--Sidecar:AllowPlainHttp=TRUE"])
    for text in [
        "", "// only", "[]", '"hunter2"', "{", '{"a":hunter2}', '{"a" "hunter2"}', '{"a":"hunter2}', "{'a':1}", "{a:1}", '{"a":1 "b":2}',
        '{"a":0x1}', '{"a":+1}', '{"a":.5}', '{"a":1.}', '{"a":NaN}', '{"a":-Infinity}', '{"a":"\\x41"}', '{"a":/*', "{} {}", '{"a":1,,}', "{,}",
        '{"a":[,]}', '{"a":[1,,2]}', '{"a":[1 2]}', '{"a":[[1] [2]]}', '{"a":[{} {}]}', '{"a":[1 {}]}', '{"a":{} "b":1}', '{"a":1 {}}', '{"a":[1}',
        '{"a":"hunter2","A":"hunter2"}', '{"a":{"b":1},"A":{"B":2}}', '{"a":{"b":1},"a:b":2}', '{"a":{},"A":1}', '{"a":1,"A":{}}', '{"a":{},"a":{}}',
        '{"a":[1],"a":[2]}', '{"a":[],"b":[[]],"0":[],"c":[{}],"d":null}', '{"":1,":":2}', '{"é":1,"É":2}', '{"\\u212a":1,"k":2}',
        '{"a":01}', '{"a":-}', '{"a":1e}', '{"a":-0.0e+5,"b":1E400}', '{"a":"\\ud800"}', '{"a":"\\udc00"}', '{"a":"\\uD83D\\uDE00\\/\\b\\f\\n\\r\\t"}',
        '{"a":"\t"}', '{"a\u0001":1}', '{"a":"b\nc"}', '{"a":"// no","b":"/* no */","c":",}"}', '{"a":1,//\n}', '{"a":[1,/**/]}', '{"a"/**/:/**/1//\r}',
        "\u00a0{\u000b\u2003}\u000c", '{"a":true1}', '{"a":true_}', '{"a":tru}', '{"a":1}//', '{"a":1}/', "{\"a\":" * 63 + "{}" + "}" * 63,
        "{\"a\":" * 64 + "{}" + "}" * 64, "[" * 70, '{"' + "a" * 1025 + '":1}', '{"a":/*/1}', '{"a":/***/1}', "\ufeff\ufeff{}",
    ]:
        yield seed(text)


def managed_identities():
    good = {"access_token": "%JWT%", "client_id": CLIENT, "expires_in": "86400", "expires_on": "4070908800", "resource": "api://x",
            "token_type": "Bearer"}

    def seed(answer, selector=0):
        answer = answer if isinstance(answer, str) else compact(answer)
        return bytes([selector]) + answer.encode()

    for selector in range(16):
        yield seed(good, selector)
    for token in [
        "", " %JWT%\n", "opaque", "a.b.c", "%JWT%.x.y", "%JWT%=", "e30.e30.", "e30.e30.AQ", "e30.W10.AQ", "e30=.e30.AQ", "e30.e30.AR",
        "IHt9.e30.AQ", "e31.e31.AQ", "eyJhIjoxLCJhIjoxfQ.e30.AQ", "a" * 40, None, 1, "eyJ", "\u00e9", "%JWT% %JWT%",
    ]:
        yield seed({**good, "access_token": token})
    for name in ["expires_on", "resource", "token_type", "access_token"]:
        yield seed({key: value for key, value in good.items() if key != name})
        yield seed({**good, name: None})
        yield seed(compact(good)[:-1] + f',"{name}":"1"}}')
    for time in ["1586984735", 1586984735, "0", "-1", "253402300799", "253402300800", "-377705116800", "-377705116801", "x", "+5", " 5", "1.0", ""]:
        yield seed({**good, "expires_on": time})
    for answer in [
        "", "<html>", "[]", "{", compact(good) + "x", '["%JWT%","1","b","c"]', '["%JWT%","1","b"]', '{"error":"invalid_request","error_description":"hunter2"}',
        "eyJhbGciOiJSUzI1NiJ9.e30.x", "-----BEGIN PRIVATE KEY-----", "\u001b[31m\u202e\n" * 90, "a " * 2000,
    ]:
        for selector in [0, 5]:
            yield seed(answer, selector)


def queries():
    """The route and the switches, and the query: see src/bin/sidecar/properties/query.rs."""
    agent, user = f"AgentIdentity={CLIENT}", f"AgentUserId={USER}"
    name = "AgentUsername=agent1%40contoso.com"
    option = "optionsOverride."
    token = option + "AcquireTokenOptions."
    hexadecimal = "{0x7090e106,0x1ad3,0x4313,{0x9b,0x7a,0x75,0xcc,0x3e,0x57,0x6d,0x40}}"
    for query in [
        "", agent, f"{agent}&{user}", f"{agent}&{name}", f"{agent}&{user}&{name}", user, name, f"{user}&{name}", f"{agent}&{agent}",
        f"agentidentity={CLIENT}", f"AGENTIDENTITY={CLIENT.upper()}", f"Agent%49dentity={CLIENT}", "AgentIdentity=", "AgentIdentity", "AgentIdentity=+",
        f"AgentIdentity=%7B{CLIENT}%7D", f"AgentIdentity=({CLIENT})", "AgentIdentity=" + CLIENT.replace("-", ""), f"AgentIdentity=+{CLIENT}%09",
        "AgentIdentity=" + hexadecimal, "AgentIdentity=" + hexadecimal.replace(",", "+,+"), "AgentIdentity=%7B0x1,0x2,0x3,%7B0x4,5%7D%7D",
        "AgentIdentity=00000000-0000-0000-0000-000000000000", "AgentIdentity=hunter2", f"{agent}&AgentUserId=hunter2", f"{agent}&AgentUsername=hunter2",
        f"AgentIdentity%5B%5D={CLIENT}", f"+AgentIdentity={CLIENT}", f"x-agentidentity={CLIENT}", f"a=b;AgentIdentity={CLIENT}", f"AgentIdentity%3Dx={CLIENT}",
        f"Agent_User_Id={USER}", f"AgentIdentity%00={CLIENT}", f"a={CLIENT};b", f"{agent}&&=&=x&x&%&%4", f"{agent}&x=hunter2",
        f"{option}Scopes=a&{option}scopes=b&{option}Scopes=+", f"{option}RequestAppToken=true", f"{option}RequestAppToken=+TRUE%00&{agent}",
        f"{option}RequestAppToken=1", f"{option}RelativePath=items/1%3Fa%3Db", f"{option}RelativePath=../x", f"{option}RelativePath=a/%252e%252e/x",
        f"{option}RelativePath=a/../../x", f"{option}RelativePath=a/..;/x", f"{option}RelativePath=/%2F/evil.example", f"{option}RelativePath=https://evil.example",
        f"{option}RelativePath=%40evil.example", f"{option}RelativePath=a%5C..%5C..%5Cx", f"{option}RelativePath=a/%EF%BC%8E%EF%BC%8E/x", f"{option}RelativePath=a%23b",
        f"{option}RelativePath=a%250d%250ab", f"{option}RelativePath=%25c0%25ae", f"{option}RelativePath=./a/./b/..", f"{option}RelativePath=a'b%27c+d%E9",
        f"{option}RelativePath=a%253fb/..%253f", f"{option}HttpMethod=Post", f"{option}HttpMethod=connect", f"{option}HttpMethod=TRACE", f"{option}HttpMethod=G+T",
        f"{option}AcceptHeader=text/html", f"{option}AcceptHeader=a%0D%0Ab", f"{option}AcceptHeader=%C3%A9", f"{option}BaseUrl=https://evil.example",
        f"{option}ExtraHeaderParameters.X-A=1&{option}extraheaderparameters.x-a=2", f"{option}ExtraHeaderParameters.Authorization=hunter2",
        f"{option}ExtraHeaderParameters.X_Forwarded_For=1", f"{option}ExtraHeaderParameters.X-A=a%0D%0AHost:+b", f"{option}ExtraHeaderParameters.=1",
        f"{option}ExtraHeaderParameters.Transfer-Encoding=chunked", f"{option}ExtraHeaderParameters.a+b=1", f"{option}ExtraHeaderParameters.X-Own=",
        f"{option}ExtraQueryParameters.a%26b=c%3D&{option}ExtraQueryParameters.VERSION=2", f"{option}ExtraQueryParameters.version=",
        f"{token}Tenant={TID}", f"{token}Tenant=common", f"{token}Tenant=x&{token}Tenant={TID}", f"{token}Tenant={TID}&{token}Tenant=", f"{token}Tenant=",
        f"{token}ForceRefresh=true&{token}CorrelationId={TID}&{token}Claims=%7B%7D", f"{token}FmiPath=hunter2", f"{token}ManagedIdentity.X=1",
        f"{token}PopPublicKeys=1", f"{token}LongRunningWebApiSessionKey", f"{token}CorrelationId=x", f"{token}", f"{option}", f"{option}x=hunter2",
        # Nearly an agent's parameter, and what is none.
        f"agent_identity={CLIENT}", f"AgentId={CLIENT}", "AgentUserName2=a@b", f"agent%C4%B1dent%C4%B1ty={CLIENT}", f"AGENT%C4%B0DENT%C4%B0TY={CLIENT}",
        f"AgentU%C5%BFerId={USER}", f"{agent}&AgentUserId%5B%5D={USER}", f"%EF%BB%BFAgentIdentity={CLIENT}", f"x%3D1%26AgentIdentity%3D{CLIENT}",
        f"x=1?AgentIdentity={CLIENT}", f"x=1%26y=2%26agentuserid={USER}", f"x=1;agent%C4%B1dent%C4%B1ty={CLIENT}", f"x=1;AgentId={CLIENT}", "x=AgentIdentity;y",
        f"{option}AgentIdentity={CLIENT}", f"{token}agentidentity={CLIENT}", f"{agent}&{option}AgentUserId={USER}", f"{token}ForceRefresh=true;AgentIdentity={CLIENT}",
        f"{option}Scopes=a/.default%26AgentIdentity%3D{CLIENT}", f"{option}Scopes=api://agentidentity/.default", f"{option}Scopes=a?agentid=b",
        f"{option}BaseUrl=a?AgentUsername=b", "agent=a", "identity=a;b=c", f"returnUrl=https://x/?agentId={CLIENT}",
        f"{option}ExtraQueryParameters.AgentIdentity=a", f"{option}ExtraHeaderParameters.X-AgentIdentity=a", f"{option}RelativePath=a;AgentIdentity=b",
        f"{option}RelativePath=a?AgentIdentity=b", token + "Claims={%22a%22:%22;AgentIdentity%22}", f"{option}ExtraQueryParameters.=a;AgentIdentity=b",
        f"{option}ExtraQueryParameters.a%26AgentIdentity%3D{CLIENT}", f"{option}ExtraHeaderParameters.a;AgentUserId={USER}",
        f"{option}ExtraQueryParameters.AgentIdentity%3Da=b", f"{option}RelativePath?AgentIdentity%3D{CLIENT}", f"{option}ExtraQueryParameters.a?b=c;d=e",
        # Nearly the tenant's: ignored, as Microsoft's own tests have it.
        f"{option}Tenant={TID}", f"{option}TenantId={TID}", f"{token}TenantId={TID}", f"{token}Tenant%5B%5D={TID}", f"{token}_tenant+={TID}",
        f"{token}tena%E2%81%BFt={TID}", f"{token}TENANT%C4%B0D={TID}", f"{token.upper()}TENANT={TID}", f"{token}Tenants={TID}", f"{token}X.Tenant=",
        f"{option}ExtraQueryParameters.tenant=a", f"{option}ExtraHeaderParameters.X-Tenant-Id=a", f"{option}ExtraQueryParameters.a;tenant=b", f"Tenant={TID}",
        f"{token}Tenant={TID}&{token}TenantId={TID}", f"{token}Tenant%3Dx={TID}",
        # Dots and backslashes of other forms, characters that have no width, names of headers.
        *[f"{option}RelativePath=a/{dots}/x" for dots in [
            "%E2%80%A5", "%E2%80%A6", "%EF%B8%99", "%EF%B8%B0", "%EF%B9%92.", "%EF%B9%92%EF%B9%92", ".%252e%E2%81%A0", "%C2%AD.%2E", "..%EF%BB%BF",
            ".%F3%A0%80%81.", "%E3%85%A4..", "%EF%BF%BB..", "%E2%80%8B", "a%E2%80%8B", "a%E2%80%A6", "..%EF%B9%A8x", "a%EF%B9%A8..%EF%B9%A8x",
        ]],
        f"{option}ExtraHeaderParameters.X.Forwarded.For=1", f"{option}ExtraHeaderParameters.x-forwarded!host=1", f"{option}ExtraHeaderParameters.Content~Type=1",
        f"{option}ExtraHeaderParameters.Keep*Alive=1", f"{option}ExtraHeaderParameters.X.A=1",
        "é=é", "&".join("a" * 1001), "&".join("a" * 1000),
    ]:
        yield bytes([0b001100]) + query.encode()
        if query.startswith(("Agent", option)):
            yield bytes([0b000001]) + query.encode()
            yield bytes([0b011011]) + query.encode()
            yield bytes([0b101110]) + query.encode()


SEEDS = {
    "authorization": AUTHORIZATION,
    "challenge": CHALLENGES,
    "claims": [compact(value) for value in [*shapes(), *CLAIMS]] + OBJECTS[:6],
    "claims_challenge": list(claims_challenges()),
    "compact": SEGMENTS + list(tokens()),
    "configuration": list(configurations()),
    "discovery": [compact(value) for value in discoveries()] + ["", "[]", "<html>"],
    "error_answer": list(error_answers()),
    "facets": FACETS,
    "header": [compact(value) for value in HEADERS] + ["[]", "{", '{"alg":"RS256","alg":"RS256","kid":"k"}'],
    "key_set": [compact(value) for value in key_sets()] + ["<html>", '{"keys":[],"keys":[]}'],
    "managed_identity": list(managed_identities()),
    "object": OBJECTS + [compact(payload) for payload in list(shapes())[:4]],
    "pem": list(pems()),
    "query": list(queries()),
    "token_answer": list(token_answers()),
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
