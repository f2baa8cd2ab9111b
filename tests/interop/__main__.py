"""Runs the tests beside this file and says how many passed."""

import signal
import sys
import unittest
from pathlib import Path


def main() -> int:
    # As Ctrl-C: unittest stops, and on the way out the child processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    here = str(Path(__file__).parent)
    loader = unittest.defaultTestLoader
    chosen = sys.argv[1:]
    tests = loader.loadTestsFromNames(chosen) if chosen else loader.discover(here)
    result = unittest.TextTestRunner(verbosity=2).run(tests)

    # A test whose subtests fail is one failed test; a class that cannot be set up is one too.
    bad = {_test_of(test) for test, _ in result.failures + result.errors}
    bad.update(_test_of(test) for test in result.unexpectedSuccesses)
    failed = len(bad)
    never_ran = sum(not isinstance(test, unittest.TestCase) for test in bad)
    passed = result.testsRun - (failed - never_ran) - len(result.skipped)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and passed > 0 else 1


def _test_of(test: unittest.TestCase) -> unittest.TestCase:
    """The test that a subtest belongs to."""
    return getattr(test, "test_case", test)


if __name__ == "__main__":
    sys.exit(main())
