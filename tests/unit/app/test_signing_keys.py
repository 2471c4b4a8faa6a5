"""The keys of a running node: whatever is done to its key directory, it knows what one that starts now does."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import clock
from app.signing_keys import LOOK_SECONDS, SigningKeys
from keys.custody import Signer, key_directory
from keys.errors import CustodyError

PASSPHRASE = b"a test's own"


def create(folder: Path, active: bool) -> None:
    key_directory.create(folder, "test", PASSPHRASE, activate=active)


def declare(folder: Path, which: int) -> None:
    entries = [entry for entry in key_directory.list_keys(folder) if not entry.active]
    if entries:
        key_directory.declare_compromised(folder, entries[which % len(entries)].kid, 1)


def retire(folder: Path, which: int) -> None:
    entries = [entry for entry in key_directory.list_keys(folder) if not entry.active and not entry.retired]
    if entries:
        key_directory.retire(folder, entries[which % len(entries)].kid)


def activate(folder: Path, which: int) -> None:
    entries = [entry for entry in key_directory.list_keys(folder) if not entry.retired]
    if entries:  # there may be none left that could sign
        key_directory.make_active(folder, "test", entries[which % len(entries)].kid)


def name_another(folder: Path, which: int) -> None:
    """By hand, as no command does: of a key that is retired, compromised, or not there at all."""
    entries = key_directory.list_keys(folder)
    kid = entries[which % len(entries)].kid if which % 3 else "A" * 43
    (folder / "active").write_text(f"{kid}\n")


STEPS = st.one_of(
    st.tuples(st.just(create), st.booleans()),
    st.tuples(st.sampled_from([declare, retire, activate, name_another]), st.integers(0, 9)),
)


def load(folder: Path) -> Callable[[], Signer]:
    return lambda: key_directory.load_active(folder, "test", PASSPHRASE)


def signing(keys: Callable[[], SigningKeys]) -> str:
    """The key that signs, or why none does."""
    try:
        return keys().signer.kid
    except CustodyError as error:
        return error.code


@settings(max_examples=15)
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_a_running_node_knows_what_one_that_starts_now_does(steps: list[tuple[Callable[..., None], object]]) -> None:
    with tempfile.TemporaryDirectory() as name, mock.patch.object(clock, "monotonic") as monotonic:
        folder, monotonic.return_value = Path(name), 0.0
        create(folder, True)
        running = SigningKeys(folder, "test", load(folder))
        for step, value in steps:
            step(folder, value)
            monotonic.return_value += LOOK_SECONDS
            assert running.ring == key_directory.load_ring(folder)
            told = signing(lambda: running)
            assert told == signing(lambda: SigningKeys(folder, "test", load(folder)))
            if not told.startswith("key."):
                # By what it names, and no key that was declared.
                running.ring.find(told).verify(running.signer.sign(told.encode()), told.encode())


def test_a_key_that_was_declared_between_two_readings_does_not_sign(tmp_path: Path) -> None:
    """The set is read after the active key, and may say more."""
    create(tmp_path, True)
    former = key_directory.load_active(tmp_path, "test", PASSPHRASE)

    def overtaken() -> Signer:
        create(tmp_path, True)
        key_directory.declare_compromised(tmp_path, former.kid, 1)
        return former

    with mock.patch.object(clock, "monotonic", return_value=0.0) as monotonic:
        with pytest.raises(CustodyError) as caught:
            SigningKeys(tmp_path, "test", overtaken)
        assert caught.value.code == "key.compromised"
        # Under a running node the next look has the new key.
        second = key_directory.find_active(tmp_path, "test").kid
        loads = [load(tmp_path), lambda: overtaken_by(tmp_path, second), load(tmp_path)]
        running = SigningKeys(tmp_path, "test", lambda: loads.pop(0)())
        create(tmp_path, True)
        monotonic.return_value += LOOK_SECONDS
        assert signing(lambda: running) == "key.compromised"
        monotonic.return_value += LOOK_SECONDS
        assert running.signer.kid == key_directory.find_active(tmp_path, "test").kid


def overtaken_by(folder: Path, kid: str) -> Signer:
    """Gives a key that is declared compromised the moment that it was opened."""
    key_directory.make_active(folder, "test", kid)
    signer = key_directory.load_active(folder, "test", PASSPHRASE)
    create(folder, True)
    key_directory.declare_compromised(folder, kid, 1)
    return signer
