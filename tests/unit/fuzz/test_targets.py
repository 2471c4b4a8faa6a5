"""Every fuzzing target without its fuzzer: over its seeds and some mutations, and only refusals come out."""

import random

import pytest

from fuzz.seeds import MAX_SEED
from fuzz.targets import TARGETS, Target
from keys.errors import MalformedError

MUTATIONS = 40


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The seed with some bytes changed, taken out or put in."""
    content = bytearray(seed)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(content) + 1)
        content[place : place + chance.choice((0, 1, 1, 4))] = chance.randbytes(chance.choice((0, 1, 1, 2)))
    return bytes(content)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_is_right_and_refuses_what_is_not(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    assert max(map(len, seeds)) <= MAX_SEED
    taken = [target.takes(seed) for seed in seeds]
    assert any(taken)
    chance = random.Random(name)
    inputs = [mutated(chance.choice(seeds), chance) for _ in range(MUTATIONS)]
    taken = [target.takes(content) for content in (*inputs, b"", b"\xff" * 9)]
    assert not all(taken)


def test_seeds_are_the_same_each_time() -> None:
    for name in ("crl", "jws", "statement", "note"):
        assert list(TARGETS[name].seeds()) == list(TARGETS[name].seeds())


def test_what_is_no_refusal_comes_out() -> None:
    def read(data: bytes) -> None:
        raise MalformedError("x", "refused") if data else IndexError("a fault")

    target = Target("x", read, lambda: iter([b""]))
    assert not target.takes(b"x")
    with pytest.raises(IndexError):
        target.takes(b"")
