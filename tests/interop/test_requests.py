"""Our requests beside those of MSAL for Python and for Node for the same questions.

Each difference is listed in `differences.md` with its reason. A new difference fails, and so does one that is
gone.
"""

import unittest
from typing import ClassVar

from entra import Entra
from exchanges import GROUPS, QUESTIONS, Facts, Msal, Ours, differing
from libraries import Node, Python
from test_mutants import LISTED

ONLY_THEIRS = "What MSAL sends and we do not"
ONLY_OURS = "What we send and MSAL does not"
OTHERWISE = "What MSAL sends otherwise"

Row = tuple[str, ...]
"""What differs, whose request, in which request; their value and ours where both have one."""


class Requests(unittest.TestCase):
    found: ClassVar[dict[str, set[Row]]]
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.found = {heading: set() for heading in (ONLY_THEIRS, ONLY_OURS, OTHERWISE)}
        with Entra() as entra, Ours(entra) as ours, Python(entra) as python, Node(entra) as node:
            askers = {"Python": Msal(entra, python), "Node": Msal(entra, node)}
            for where, question in QUESTIONS.items():
                ours_has = ours.facts(question)
                for who, asker in askers.items():
                    cls._compare(where, who, ours_has, asker.facts(question))

    @classmethod
    def _compare(cls, where: str, who: str, ours: Facts, theirs: Facts) -> None:
        for what, they, we in differing(ours, theirs):
            if they is None:
                cls.found[ONLY_OURS].add((what, who, where))
            elif we is None:
                cls.found[ONLY_THEIRS].add((what, who, where))
            else:
                cls.found[OTHERWISE].add((what, who, where, they, we))

    def test_every_difference_to_the_requests_of_msal_is_listed_and_has_a_reason(self) -> None:
        for heading, found in self.found.items():
            with self.subTest(heading):
                listed = _listed(heading)
                new, gone = sorted(found - listed), sorted(listed - found)
                message = "not listed in differences.md, or listed and gone"
                self.assertEqual((new, gone), ([], []), message)


def _listed(heading: str) -> set[Row]:
    """The rows of the table under this heading, each for one difference of one request; each has a reason."""
    _, found, rest = LISTED.read_text().partition(f"## {heading}\n")
    if not found:
        raise AssertionError(f"no {heading!r} in {LISTED.name}")
    rows: set[Row] = set()
    for line in rest.partition("\n## ")[0].splitlines():
        if not line.startswith("| `"):
            continue
        names, who, where, *values, reason = (cell.strip() for cell in line.strip("| ").split(" | "))
        if not reason:
            raise AssertionError(f"no reason: {line}")
        for name in names.strip("`").split("`, `"):
            for library in who.split(", "):
                for place in GROUPS.get(where) or where.split(", "):
                    rows.add((name, library, place, *(value.strip("`") for value in values)))
    return rows
