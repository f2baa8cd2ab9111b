"""A few thousand mutants of good tokens, judged by `whoami` and by two other JOSE libraries.

Whatever one of them refuses we refuse too, and the other way round, but for the differences that
`differences.md` lists with their reasons. A new difference fails, and so does one that is gone.
"""

import os
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

import oracles
from case import WhoamiTest
from mint import API, API_URI, TENANT, VERSIONS, Json
from mutants import Laboratory, Mutant

LISTED = Path(__file__).parent / "differences.md"
LAXER = "What another refuses and we admit"
STRICTER = "What another admits and we refuse"

Differences = Counter[tuple[str, str]]
"""How many mutants of a class one oracle judges otherwise than we do, by class and oracle."""


class Oracles(WhoamiTest):
    laboratory: ClassVar[Laboratory]
    variables = {"TOKEN_CACHE": "8192"}

    @classmethod
    def more_keys(cls) -> list[Json]:
        cls.laboratory = Laboratory(cls.authority, cls.key)
        return cls.laboratory.jwks()[1:]

    def test_every_difference_to_other_libraries_is_listed_and_has_a_reason(self) -> None:
        mutants = list(self.laboratory.all())
        tokens = [mutant.token for mutant in mutants]
        self.assertGreater(len(set(tokens)), 4_000)

        statuses = self.whoami.statuses("/whoami", tokens)
        self.assertLessEqual(set(statuses), {200, 400, 401})
        # Now with every good one remembered.
        self.assertEqual(self.whoami.statuses("/whoami", tokens), statuses)
        ours = [None if status == 200 else str(status) for status in statuses]
        issuers = [self.authority.issuer(TENANT, version) for version in VERSIONS]
        asked = (tokens, self.laboratory.jwks(), issuers, [API, API_URI])
        others = {"PyJWT": oracles.pyjwt(*asked), "jose": oracles.jose(*asked)}
        for mutant, *verdicts in zip(mutants, ours, *others.values(), strict=True):
            if mutant.kind == "good":
                self.assertEqual(verdicts, [None, None, None], mutant.name)

        laxer, stricter = Differences(), Differences()
        examples: dict[tuple[str, str], str] = {}
        for oracle, theirs in others.items():
            for mutant, we, they in zip(mutants, ours, theirs, strict=True):
                if (we is None) != (they is None):
                    found = laxer if we is None else stricter
                    found[mutant.kind, oracle] += 1
                    examples.setdefault((mutant.kind, oracle), f"{mutant.name} ({they or we})")
        self._report(mutants, ours, others, laxer, stricter)
        for heading, found in ((LAXER, laxer), (STRICTER, stricter)):
            with self.subTest(heading):
                self._assert_listed(heading, found, examples)

    def _assert_listed(self, heading: str, found: Differences, examples: dict[tuple[str, str], str]) -> None:
        listed = differences(heading)
        new = [
            f"{kind} | {oracle} | {count} such as {examples[kind, oracle]}"
            for (kind, oracle), count in sorted(found.items())
            if not any(fnmatchcase(kind, pattern) and oracle == of for pattern, of in listed)
        ]
        gone = [
            f"{pattern} | {oracle}"
            for pattern, oracle in listed
            if not any(fnmatchcase(kind, pattern) and oracle == of for kind, of in found)
        ]
        self.assertEqual((new, gone), ([], []), "not listed in differences.md, or listed and gone")

    @staticmethod
    def _report(
        mutants: list[Mutant],
        ours: oracles.Verdicts,
        others: dict[str, oracles.Verdicts],
        laxer: Differences,
        stricter: Differences,
    ) -> None:
        def refused(verdicts: oracles.Verdicts) -> int:
            return sum(verdict is not None for verdict in verdicts)

        if "DIFFERENCES" in os.environ:
            for (kind, oracle), count in sorted(stricter.items()):
                print(f"    {oracle} admits and we refuse {count}: {kind}")
            for (kind, oracle), count in sorted(laxer.items()):
                print(f"    {oracle} refuses and we admit {count}: {kind}")
        print(
            f"{len(mutants)} mutants of {len({mutant.kind for mutant in mutants})} classes:",
            f"we refuse {refused(ours)};",
            "; ".join(
                f"{oracle} refuses {refused(theirs)}, {_of(stricter, oracle)} fewer and {_of(laxer, oracle)} others"
                for oracle, theirs in others.items()
            ),
            flush=True,
        )


def _of(found: Differences, oracle: str) -> int:
    return sum(count for (_, of), count in found.items() if of == oracle)


def differences(heading: str) -> list[tuple[str, str]]:
    """The classes and oracles in the table under this heading; every row has a reason."""
    _, found, rest = LISTED.read_text().partition(f"## {heading}\n")
    if not found:
        raise AssertionError(f"no {heading!r} in {LISTED.name}")
    listed = []
    for line in rest.partition("\n## ")[0].splitlines():
        if not line.startswith("| `"):
            continue
        kinds, names, reason = (cell.strip() for cell in line.strip("| ").split(" | "))
        if not reason:
            raise AssertionError(f"no reason: {line}")
        listed += [
            (kind.strip(" `"), name) for kind in kinds.split("`, `") for name in names.split(", ")
        ]
    return listed


