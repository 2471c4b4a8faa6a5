"""What a test needs from the machine: without it the test is skipped, but never where the whole check runs."""

import os

import pytest

from keys import algorithms
from keys.errors import AlgorithmError


def require(condition: object, what: str) -> None:
    """Go on only when the machine has what the test needs.

    ``.ci/run`` sets ``ACCORD_REQUIRE_ALL=1``: there a missing requirement is a failure, so nothing is skipped unseen.

    Args:
        condition: true when the requirement is met, e.g. ``shutil.which("chromium")``.
        what: what is needed, in words for the reader of the report.
    """
    if condition:
        return
    if os.environ.get("ACCORD_REQUIRE_ALL") == "1":
        pytest.fail(f"this machine must have everything (ACCORD_REQUIRE_ALL=1), but lacks: {what}", pytrace=False)
    pytest.skip(f"needs {what}")


def require_keys_for(alg: str) -> None:
    """Go on only where keys for an algorithm can be made: SM2 takes a libcrypto that has it."""
    try:
        algorithms.named(alg).generate()
    except AlgorithmError as error:
        require(False, f"keys for {alg} ({error})")
