import json
import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keys.custody import key_directory, pem_file
from keys.custody.key_directory import (
    KeyEntry,
    create,
    find_active,
    list_keys,
    load_active,
    load_ring,
    make_active,
    retire,
)
from keys.custody.pem_file import PemSigner
from keys.errors import AlgorithmError, CustodyError


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def first(directory: Path, passphrase: bytes) -> PemSigner:
    """The key of a directory that has one, labelled test and active."""
    return create(directory, "test", passphrase)


def code_of(error: pytest.ExceptionInfo[CustodyError]) -> str:
    assert "\n" not in error.value.detail
    return error.value.code


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_first_key_is_published_and_active(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    assert sorted(content(directory)) == sorted([f"test-{first.kid}.pem", "active", "jwks.json"])
    assert (directory / "active").read_text() == f"{first.kid}\n"
    assert json.loads((directory / "jwks.json").read_bytes()) == {"keys": [first.public.jwk()]}
    assert load_active(directory, "test", passphrase) == first
    assert load_ring(directory).keys == (first.public,)
    file = directory / f"test-{first.kid}.pem"
    expected = KeyEntry(kid=first.kid, alg="ES256", label="test", active=True, retired=False, file=file, place=None)
    assert list_keys(directory) == (expected,)
    assert find_active(directory, "test") == expected


def test_a_key_of_another_algorithm_is_published_beside_it(
    directory: Path, first: PemSigner, passphrase: bytes
) -> None:
    second = create(directory, "log", passphrase, alg="Ed25519", activate=True)
    assert load_active(directory, "log", passphrase) == second
    assert [(entry.alg, entry.label) for entry in list_keys(directory)] == [("ES256", "test"), ("Ed25519", "log")]
    assert load_ring(directory).keys == (first.public, second.public)
    load_ring(directory).find(second.kid).verify(second.sign(b"message"), b"message")


@pytest.mark.usefixtures("first")
def test_an_unknown_algorithm_changes_nothing(directory: Path, passphrase: bytes) -> None:
    before = content(directory)
    with pytest.raises(AlgorithmError) as caught:
        create(directory, "test", passphrase, alg="EdDSA")
    assert caught.value.code == "signature.algorithm_unknown"
    assert content(directory) == before


def test_directory_and_private_files_are_private(directory: Path, first: PemSigner) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / f"test-{first.kid}.pem").stat().st_mode) == 0o600


def test_a_further_key_is_published_last_and_signs_only_when_asked(
    directory: Path, first: PemSigner, passphrase: bytes
) -> None:
    second = create(directory, "test", passphrase)
    assert load_active(directory, "test", passphrase) == first
    third = create(directory, "test", passphrase, activate=True)
    assert load_active(directory, "test", passphrase) == third
    assert [key.kid for key in load_ring(directory).keys] == [first.kid, second.kid, third.kid]
    make_active(directory, "test", second.kid)
    assert load_active(directory, "test", passphrase) == second
    assert [entry.active for entry in list_keys(directory)] == [False, True, False]


def test_a_key_whose_private_half_is_gone_still_verifies(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    create(directory, "live", passphrase, activate=True)
    (directory / f"test-{first.kid}.pem").unlink()
    assert [(entry.label, entry.active) for entry in list_keys(directory)] == [(None, False), ("live", True)]
    assert load_ring(directory).find(first.kid) == first.public
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "test", first.kid)
    assert code_of(caught) == "key.file_missing"


def test_a_retired_key_verifies_and_signs_no_more(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    second = create(directory, "test", passphrase, activate=True)
    before = (directory / f"test-{first.kid}.pem").read_bytes()
    retired = retire(directory, first.kid)
    moved = directory / f"test-{first.kid}.pem.retired"
    assert (retired.retired, retired.active, retired.file, retired.label) == (True, False, moved, "test")
    assert moved.read_bytes() == before
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600
    assert not (directory / f"test-{first.kid}.pem").exists()
    assert [(entry.kid, entry.retired) for entry in list_keys(directory)] == [(first.kid, True), (second.kid, False)]
    load_ring(directory).find(first.kid).verify(first.sign(b"message"), b"message")
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "test", first.kid)
    assert code_of(caught) == "key.retired"
    assert load_active(directory, "test", passphrase) == second


def test_the_active_key_is_not_retired(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    before = content(directory)
    with pytest.raises(CustodyError, match="accord keys rotate") as caught:
        retire(directory, first.kid)
    assert code_of(caught) == "key.active"
    assert content(directory) == before
    assert load_active(directory, "test", passphrase) == first


def test_to_retire_a_second_time_changes_nothing(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    create(directory, "test", passphrase, activate=True)
    entry = retire(directory, first.kid)
    before = content(directory)
    assert retire(directory, first.kid) == entry
    assert content(directory) == before


def test_a_retired_key_that_was_restored_is_still_retired(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    create(directory, "test", passphrase, activate=True)
    retire(directory, first.kid)
    shutil.copy2(directory / f"test-{first.kid}.pem.retired", directory / f"test-{first.kid}.pem")
    assert [entry.retired for entry in list_keys(directory)] == [True, False]
    (directory / "active").write_text(f"{first.kid}\n")
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "test", passphrase)
    assert code_of(caught) == "key.retired"


def test_only_a_published_key_that_is_here_is_retired(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    create(directory, "test", passphrase, activate=True)
    with pytest.raises(CustodyError, match="accord keys list") as caught:
        retire(directory, "../" + first.kid)
    assert code_of(caught) == "key.not_published"
    (directory / f"test-{first.kid}.pem").unlink()
    with pytest.raises(CustodyError) as caught:
        retire(directory, first.kid)
    assert code_of(caught) == "key.file_missing"


def test_an_empty_directory_has_no_keys(tmp_path: Path, passphrase: bytes) -> None:
    assert list_keys(tmp_path) == ()
    with pytest.raises(CustodyError) as caught:
        load_ring(tmp_path)
    assert code_of(caught) == "key.none_published"
    with pytest.raises(CustodyError) as caught:
        load_active(tmp_path, "test", passphrase)
    assert code_of(caught) == "key.none_active"


def test_a_missing_directory_is_no_empty_one(directory: Path) -> None:
    with pytest.raises(CustodyError) as caught:
        list_keys(directory)
    assert code_of(caught) == "key.directory_unreadable"


def test_another_label_is_refused(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "live", passphrase)
    assert code_of(caught) == "key.label_wrong"
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "live", first.kid)
    assert code_of(caught) == "key.label_wrong"


def test_a_key_under_two_labels_is_refused(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    shutil.copy2(directory / f"test-{first.kid}.pem", directory / f"live-{first.kid}.pem")
    for label in ("test", "live"):
        with pytest.raises(CustodyError) as caught:
            load_active(directory, label, passphrase)
        assert code_of(caught) == "key.label_wrong"


@pytest.mark.parametrize("label", ["", "Test", "a-b", "../a", "test\n", "tést", "a" * 1000 + "\n"])
def test_a_label_is_small_letters(directory: Path, passphrase: bytes, label: str) -> None:
    for attempt in (
        lambda: create(directory, label, passphrase),
        lambda: load_active(directory, label, passphrase),
        lambda: make_active(directory, label, "kid"),
    ):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert code_of(caught) == "key.label_malformed"
    assert not directory.exists()


def test_an_unpublished_key_does_not_sign(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    (directory / "jwks.json").unlink()
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "test", passphrase)
    assert code_of(caught) == "key.not_published"
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "test", first.kid)
    assert code_of(caught) == "key.not_published"


def test_a_file_that_holds_another_key_is_refused(directory: Path, first: PemSigner, passphrase: bytes) -> None:
    path = directory / f"test-{first.kid}.pem"
    path.unlink()
    pem_file.generate(path, passphrase)
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "test", passphrase)
    assert code_of(caught) == "key.name_wrong"


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("active", [b"", b"\n", b"kid\n", b"../../etc\n", b"\xff" * 43, b"A" * 43 + b"\n" + b"B" * 43])
def test_a_damaged_active_is_refused(directory: Path, passphrase: bytes, active: bytes) -> None:
    (directory / "active").write_bytes(active)
    before = content(directory)
    for attempt in (
        lambda: load_active(directory, "test", passphrase),
        lambda: list_keys(directory),
        lambda: create(directory, "test", passphrase),
    ):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert code_of(caught) == "key.active_damaged"
    assert content(directory) == before


@pytest.mark.parametrize("jwks", [b"", b"[]", b'{"keys":[]}', b'{"keys":[],"keys":[]}', b'{"keys":[{"kty":"RSA"}]}'])
def test_a_damaged_jwks_is_refused_and_kept(directory: Path, first: PemSigner, passphrase: bytes, jwks: bytes) -> None:
    (directory / "jwks.json").write_bytes(jwks)
    before = content(directory)
    for attempt in (
        lambda: load_active(directory, "test", passphrase),
        lambda: load_ring(directory),
        lambda: list_keys(directory),
        lambda: create(directory, "test", passphrase),
        lambda: make_active(directory, "test", first.kid),
    ):
        with pytest.raises(CustodyError) as caught:
            attempt()
        assert code_of(caught) == "key.jwks_damaged"
    assert content(directory) == before


@pytest.mark.usefixtures("first")
def test_a_wrong_passphrase_or_mode_is_refused_as_with_any_key_file(directory: Path, passphrase: bytes) -> None:
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "test", b"wrong")
    assert code_of(caught) == "key.passphrase_wrong"
    next(directory.glob("*.pem")).chmod(0o644)
    with pytest.raises(CustodyError) as caught:
        load_active(directory, "test", passphrase)
    assert code_of(caught) == "key.file_mode"


@pytest.mark.usefixtures("first")
def test_without_a_passphrase_nothing_changes(directory: Path) -> None:
    before = content(directory)
    with pytest.raises(CustodyError) as caught:
        create(directory, "test", b"")
    assert code_of(caught) == "key.passphrase_missing"
    assert content(directory) == before


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CustodyError) as caught:
        create(tmp_path / "file", "test", passphrase)
    assert code_of(caught) == "key.file_exists"
    with pytest.raises(CustodyError) as caught:
        make_active(tmp_path / "none", "test", "kid")
    assert code_of(caught) == "key.file_unwritable"


def test_keys_made_at_the_same_time_are_all_published(directory: Path, passphrase: bytes) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create(directory, "test", passphrase), range(16)))
    assert {key.kid for key in load_ring(directory).keys} == {signer.kid for signer in made}


def test_a_directory_works_where_there_are_no_posix_users(
    directory: Path, passphrase: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "geteuid")
    made = create(directory, "test", passphrase)
    assert load_active(directory, "test", passphrase) == made


# Runs `create` on copies of a directory, ending the process before the first step that reaches the disk, then before
# the second, and so on until it comes to its end. It has its own process, because it forks.
CRASHES = """
import itertools, os, shutil, sys
from pathlib import Path
from keys.custody.key_directory import create

start, results, activate, passphrase = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True", sys.argv[4].encode()

def crash_at(step):
    steps = itertools.count()
    def counted(call):
        def wrapped(*args, **kwargs):
            if next(steps) == step:
                os._exit(9)
            return call(*args, **kwargs)
        return wrapped
    for name in ("mkdir", "open", "fsync", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))

for step in itertools.count():
    directory = results / str(step)
    if start.exists():
        shutil.copytree(start, directory)
    child = os.fork()
    if child == 0:
        crash_at(step)
        create(directory, "test", passphrase, activate=activate)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 9:
        sys.exit(status)
"""


def crashed(start: Path, results: Path, passphrase: bytes, *, activate: bool) -> list[Path]:
    """Gives the directories that a crash at each step left, in the order of the steps; the last had no crash."""
    results.mkdir()
    command = [sys.executable, "-c", CRASHES, str(start), str(results), str(activate), passphrase.decode()]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    return sorted(results.iterdir(), key=lambda path: int(path.name))


@pytest.mark.parametrize("activate", [False, True])
def test_a_crash_at_any_step_leaves_the_keys_there_were(
    directory: Path, first: PemSigner, passphrase: bytes, tmp_path: Path, activate: bool
) -> None:
    outcomes = []
    for left in crashed(directory, tmp_path / "results", passphrase, activate=activate):
        published = load_ring(left).keys
        assert published[0] == first.public
        active = load_active(left, "test", passphrase)
        outcomes.append((len(published), active == first))
        # Every published key is here and opens.
        for entry in list_keys(left):
            assert entry.label == "test"
            assert pem_file.load(left / f"test-{entry.kid}.pem", passphrase).kid == entry.kid
        # And a new attempt comes to its end and leaves nothing half done.
        again = create(left, "test", passphrase, activate=True)
        assert load_active(left, "test", passphrase) == again
        assert not list(left.glob(".*"))
    assert len(outcomes) > 10
    expected = {(1, True), (2, True), (2, False)} if activate else {(1, True), (2, True)}
    assert set(outcomes) == expected
    assert outcomes == sorted(outcomes, key=lambda outcome: (outcome[0], not outcome[1]))


def test_a_crash_at_any_step_of_the_first_key_leaves_a_usable_directory(
    directory: Path, passphrase: bytes, tmp_path: Path
) -> None:
    left_over = crashed(directory, tmp_path / "results", passphrase, activate=False)
    for left in left_over:
        published = key_directory.list_keys(left)
        if any(entry.active for entry in published):
            assert load_active(left, "test", passphrase).kid == published[0].kid
            continue
        with pytest.raises(CustodyError) as caught:
            load_active(left, "test", passphrase)
        assert code_of(caught) == "key.none_active"
        made = create(left, "test", passphrase)
        assert load_active(left, "test", passphrase) == made
        assert load_ring(left).keys[-1] == made.public
        assert not list(left.glob(".*"))
    assert load_active(left_over[-1], "test", passphrase)
