"""The verdicts of other JOSE libraries on a token, each as strict as it can be configured."""

import json
import os
import subprocess
from collections.abc import Sequence

import jwt

from mint import Json

VERIFY = os.environ.get("JOSE", "")
"""The script that asks npm's jose, beside which it is installed."""

SKEW = 60
LIMIT = 120.0
"""The most seconds that jose may take for all tokens."""

Verdicts = list[str | None]
"""One for each token: None if it is admitted, or else why not."""


def pyjwt(tokens: Sequence[str], jwks: list[Json], issuers: list[str], audiences: list[str]) -> Verdicts:
    """The verdicts of PyJWT."""
    # Keys that it cannot use, it leaves out with a warning, or one by one.
    keys = {key.key_id: key for key in reversed(_keys(jwks))}

    def verdict(token: str) -> str | None:
        try:
            kid = jwt.get_unverified_header(token)["kid"]
            jwt.decode(
                token,
                keys[kid],
                algorithms=["RS256"],
                issuer=issuers,
                audience=audiences,
                leeway=SKEW,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        # Some faults escape it as whatever they are, such as a number that is too large.
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
        return None

    return [verdict(token) for token in tokens]


def _keys(jwks: list[Json]) -> list[jwt.PyJWK]:
    """The keys that PyJWT's own client would look among."""
    keys = []
    for jwk in jwks:
        try:
            key = jwt.PyJWK.from_dict(jwk)
        except (jwt.PyJWTError, TypeError, ValueError, KeyError):
            continue
        if key.public_key_use in ("sig", None) and key.key_id:
            keys.append(key)
    return keys


def jose(tokens: Sequence[str], jwks: list[Json], issuers: list[str], audiences: list[str]) -> Verdicts:
    """The verdicts of npm's jose."""
    configuration = {"jwks": {"keys": jwks}, "issuers": issuers, "audiences": audiences, "skew": SKEW}
    lines = [json.dumps(line) for line in (configuration, *tokens)]
    completed = subprocess.run(
        ["node", VERIFY],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if completed.returncode != 0:
        raise AssertionError(f"jose could not be asked: {completed.stderr}")
    verdicts = [json.loads(line) for line in completed.stdout.splitlines()]
    if len(verdicts) != len(tokens):
        raise AssertionError(f"jose answered {len(verdicts)} of {len(tokens)} tokens")
    return verdicts
