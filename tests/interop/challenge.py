"""A strict reader of one `WWW-Authenticate` value, as RFC 7235 and RFC 6750 write it."""

import re
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5B\x5D-\x7E]|\\[\t \x21-\x7E])*"'
_SCHEME = re.compile(rf"({_TOKEN}) +")
_PARAMETER = re.compile(rf"({_TOKEN})=({_QUOTED}|{_TOKEN})")
_COMMA = re.compile(r"[ \t]*,[ \t]*")

# RFC 6750, section 3: always quoted, and of fewer characters than RFC 7235 would allow.
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
_SCOPE_TOKEN = r"[\x21\x23-\x5B\x5D-\x7E]+"
_CHARACTERS = {
    "error": _DESCRIPTION,
    "error_description": _DESCRIPTION,
    "scope": re.compile(rf"{_SCOPE_TOKEN}(?: {_SCOPE_TOKEN})*"),
}


@dataclass(frozen=True)
class Challenge:
    """A scheme and its parameters, quotes and escapes undone."""

    scheme: str
    parameters: dict[str, str]

    @classmethod
    def parse(cls, value: str) -> "Challenge":
        """Reads a value that holds one challenge and nothing else.

        Raises ValueError: for a second challenge, a repeated parameter, a missing parameter, a
        parameter of RFC 6750 that is not quoted or has characters it may not have, and anything
        else that the grammar does not allow.
        """
        scheme = _SCHEME.match(value)
        if scheme is None:
            raise ValueError(f"no scheme with parameters: {value!r}")
        parameters: dict[str, str] = {}
        position = scheme.end()
        while True:
            found = _PARAMETER.match(value, position)
            if found is None:
                raise ValueError(f"no parameter at {position}: {value!r}")
            name, text = _parameter(*found.groups())
            if name in parameters:
                raise ValueError(f"{name} is repeated: {value!r}")
            parameters[name] = text
            position = found.end()
            if position == len(value):
                return cls(scheme[1], parameters)
            comma = _COMMA.match(value, position)
            if comma is None:
                raise ValueError(f"no comma at {position}: {value!r}")
            position = comma.end()


def _parameter(name: str, text: str) -> tuple[str, str]:
    name = name.lower()
    is_quoted = text.startswith('"')
    if is_quoted:
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    characters = _CHARACTERS.get(name)
    if characters and not (is_quoted and characters.fullmatch(text)):
        raise ValueError(f"{name} is not as RFC 6750 writes it: {text!r}")
    return name, text
