"""The algorithm policy as a policy document: what was known then is found again."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from keys import algorithm_policy
from registry.algorithms import KIND, read_algorithms, seed_algorithms
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.errors import PolicyError
from registry.policy import KnownDocument, PolicyHistory, build_policy
from tests.unit.registry.specimens import documents

SEED = seed_algorithms()


def changed(**members: Any) -> PolicyDocument:
    content = {**SEED.content, **members}
    return dataclasses.replace(
        SEED, id=content["id"], version=content["version"], digest=digest(canonical_json(content)), content=content
    )


def test_the_policy_of_the_software_is_kept_whole() -> None:
    read = read_algorithms([SEED])
    assert read.rules == algorithm_policy.load_default()
    assert read.digest == SEED.digest == digest(canonical_json(dict(SEED.content)))
    assert SEED.content["toml"] == algorithm_policy.DEFAULT_PATH.read_text(encoding="utf-8")


def test_a_policy_without_one_has_that_of_the_software() -> None:
    assert read_algorithms([]) == read_algorithms([SEED])
    assert build_policy(documents()).algorithms == read_algorithms([SEED])


def test_an_earlier_version_answers_for_the_past() -> None:
    text = str(SEED.content["toml"])
    later = changed(version=2, toml=text.replace("version = 1", "version = 2", 1))
    then, now = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    known = [KnownDocument(document=document, known_from=then) for document in (*documents(), SEED)]
    history = PolicyHistory([*known, KnownDocument(document=later, known_from=now)], 1)
    for instant, expected in ((then, SEED), (now, later)):
        policy = history.at(instant)
        assert policy is not None
        assert policy.algorithms.digest == expected.digest
        assert policy.algorithms.rules.version == expected.version


@pytest.mark.parametrize(
    ("held", "key", "problem"),
    [
        ([SEED, changed(id="other")], "id", "there is one algorithm policy, and 'default' is it"),
        ([changed(toml="id = 1")], "toml", "id"),
        ([changed(toml="")], "toml", "must be a text that is not empty"),
        ([changed(hint=1)], "hint", "unknown key; known: id, toml, version"),
    ],
)
def test_what_is_no_policy_is_refused(held: list[PolicyDocument], key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_algorithms(held)
    assert (caught.value.source, caught.value.key) == (SEED.source, key)
    assert problem in caught.value.problem
    assert SEED.kind == KIND
