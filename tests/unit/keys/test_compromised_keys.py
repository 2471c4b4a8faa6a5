"""Keys that are declared compromised: published as such for ever, and good for nothing, whatever time is named."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.custody import key_directory, pem_file
from keys.custody.key_directory import create, declare_compromised, list_keys, load_active, load_ring, make_active
from keys.custody.pem_file import PemSigner
from keys.errors import CustodyError, KeysError, MalformedError, SignatureError
from keys.jws import sign_compact, verify_compact
from keys.key_ring import KeyRing
from keys.public_key import PublicKey

AT = 1_795_900_000
LATEST = 253_402_300_799
TYP, ALGORITHMS = "test+jws", frozenset({"ES256"})
seconds = st.integers(0, LATEST)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


# The member, and rings


@given(st.lists(st.none() | seconds, min_size=2, max_size=2))
def test_a_set_is_read_back_with_what_is_revoked(ring: KeyRing, revoked: list[int | None]) -> None:
    keys = tuple(replace(key, revoked_at=at) for key, at in zip(ring.keys, revoked, strict=True))
    written = json.dumps(KeyRing(keys=keys).jwks())
    read = KeyRing.from_jwks(json.loads(written))
    assert read.keys == keys
    assert json.dumps(read.jwks()) == written
    assert [key.kid for key in read.keys] == [key.kid for key in ring.keys]


def test_what_is_published_of_it_and_of_a_good_one(signer: PemSigner) -> None:
    jwk = signer.public.jwk()
    assert list(jwk) == ["kty", "crv", "x", "y", "use", "alg", "kid"]
    declared = signer.public.compromised(AT)
    assert declared.jwk() == {**jwk, "revoked": {"revoked_at": AT, "reason": "compromised"}}
    assert declared != signer.public
    assert declared.compromised(AT + 1) is declared


@given(st.sets(st.sampled_from([0, 1]), max_size=2), st.binary(max_size=40))
def test_every_token_by_a_compromised_key_is_refused_and_none_by_another(
    signer: PemSigner, other_signer: PemSigner, stolen: set[int], payload: bytes
) -> None:
    signers = (signer, other_signer)
    keys = (entry.public.compromised(AT) if place in stolen else entry.public for place, entry in enumerate(signers))
    ring = KeyRing(keys=tuple(keys))
    for place, entry in enumerate(signers):
        token = sign_compact(payload, entry, TYP)
        if place not in stolen:
            assert verify_compact(token, ring, TYP, ALGORITHMS).payload == payload
            continue
        # Neither is it told whether the signature is right: the thief's is.
        for given_token in (token, token[:-4] + "AAAA"):
            with pytest.raises(SignatureError, match=entry.kid) as caught:
                verify_compact(given_token, ring, TYP, ALGORITHMS)
            assert caught.value.code == "key.compromised"


@pytest.mark.parametrize(
    "revoked",
    [
        None,
        True,
        AT,
        "compromised",
        [],
        {},
        {"revoked_at": AT},
        {"reason": "compromised"},
        {"revoked_at": AT, "reason": "compromised", "more": 1},
        {"revoked_at": AT, "reason": None},
        {"revoked_at": AT, "reason": "superseded"},
        {"revoked_at": AT, "reason": ["compromised"]},
        {"revoked_at": str(AT), "reason": "compromised"},
        {"revoked_at": float(AT), "reason": "compromised"},
        {"revoked_at": True, "reason": "compromised"},
        {"revoked_at": None, "reason": "compromised"},
        {"revoked_at": -1, "reason": "compromised"},
        {"revoked_at": LATEST + 1, "reason": "compromised"},
    ],
)
def test_another_member_is_refused(signer: PemSigner, revoked: object) -> None:
    with pytest.raises(MalformedError) as caught:
        PublicKey.from_jwk({**signer.public.jwk(), "revoked": revoked})
    assert caught.value.code == "jwk.revoked_wrong"
    with pytest.raises(MalformedError, match=r"keys\[0\]") as caught:
        KeyRing.from_jwks({"keys": [{**signer.public.jwk(), "revoked": revoked}]})
    assert caught.value.code == "jwk.revoked_wrong"


@given(
    st.dictionaries(st.sampled_from(["revoked_at", "reason", "x"]), json_values | st.just("compromised")) | json_values
)
def test_any_member_is_taken_as_written_or_refused(signer: PemSigner, revoked: object) -> None:
    jwk = {**signer.public.jwk(), "revoked": revoked}
    key, code = read(jwk)
    assert code in (None, "jwk.revoked_wrong")
    assert key is None or (key.revoked_at is not None and key.jwk() == jwk)


def read(jwk: dict[str, object]) -> tuple[PublicKey | None, str | None]:
    """The key, or the code of its refusal."""
    try:
        return PublicKey.from_jwk(jwk), None
    except KeysError as error:
        return None, error.code


# Directories


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def stolen(directory: Path, passphrase: bytes) -> PemSigner:
    """A key that signed until another took over."""
    first = create(directory, "test", passphrase)
    create(directory, "test", passphrase, activate=True)
    return first


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def published(directory: Path) -> list[dict[str, object]]:
    keys: list[dict[str, object]] = json.loads((directory / "jwks.json").read_bytes())["keys"]
    return keys


def test_a_declared_key_stays_published_is_retired_and_verifies_nothing(
    directory: Path, stolen: PemSigner, passphrase: bytes
) -> None:
    before = published(directory)
    entry = declare_compromised(directory, stolen.kid, AT)
    moved = directory / f"test-{stolen.kid}.pem.retired"
    assert (entry.kid, entry.retired, entry.compromised_at, entry.file) == (stolen.kid, True, AT, moved)
    assert list_keys(directory)[0] == entry
    assert moved.is_file()
    assert published(directory) == [{**before[0], "revoked": {"revoked_at": AT, "reason": "compromised"}}, before[1]]
    with pytest.raises(SignatureError) as caught:
        load_ring(directory).find(stolen.kid)
    assert caught.value.code == "key.compromised"
    load_ring(directory).find(load_active(directory, "test", passphrase).kid)
    # It outlives whatever is published later.
    create(directory, "test", passphrase, activate=True)
    assert published(directory)[0]["revoked"] == {"revoked_at": AT, "reason": "compromised"}


def test_a_set_without_such_a_key_is_written_as_ever(directory: Path, stolen: PemSigner, passphrase: bytes) -> None:
    good = load_active(directory, "test", passphrase)
    expected = json.dumps({"keys": [stolen.public.jwk(), good.public.jwk()]}, indent=2) + "\n"
    assert (directory / "jwks.json").read_text() == expected
    assert "revoked" not in expected


def test_the_key_that_signs_is_first_rotated(directory: Path, stolen: PemSigner, passphrase: bytes) -> None:
    active = load_active(directory, "test", passphrase)
    before = content(directory)
    with pytest.raises(CustodyError, match="accord keys rotate") as caught:
        declare_compromised(directory, active.kid, AT)
    assert caught.value.code == "key.active"
    with pytest.raises(CustodyError, match="accord keys list") as caught:
        declare_compromised(directory, "../" + stolen.kid, AT)
    assert caught.value.code == "key.not_published"
    with pytest.raises(MalformedError) as malformed:
        declare_compromised(directory, stolen.kid, -1)
    assert malformed.value.code == "jwk.revoked_wrong"
    assert content(directory) == before


def test_to_declare_it_a_second_time_changes_nothing(directory: Path, stolen: PemSigner) -> None:
    entry = declare_compromised(directory, stolen.kid, AT)
    before = content(directory)
    assert declare_compromised(directory, stolen.kid, AT + 1) == entry
    assert key_directory.retire(directory, stolen.kid) == entry
    assert content(directory) == before


def test_a_key_that_was_retired_or_destroyed_is_declared_too(
    directory: Path, stolen: PemSigner, passphrase: bytes
) -> None:
    other = create(directory, "test", passphrase)
    retired = key_directory.retire(directory, stolen.kid)
    assert retired.file is not None
    assert declare_compromised(directory, stolen.kid, AT) == replace(retired, compromised_at=AT)
    (directory / f"test-{other.kid}.pem").unlink()
    gone = declare_compromised(directory, other.kid, AT)
    assert (gone.retired, gone.compromised_at, gone.file) == (True, AT, None)
    assert list_keys(directory)[2] == gone
    with pytest.raises(CustodyError) as caught:
        make_active(directory, "test", other.kid)
    assert caught.value.code == "key.compromised"


def test_a_declared_key_signs_no_more_even_when_its_file_came_back(
    directory: Path, stolen: PemSigner, passphrase: bytes
) -> None:
    path = directory / f"test-{stolen.kid}.pem"
    backup = path.read_bytes()
    declare_compromised(directory, stolen.kid, AT)
    path.with_name(f"{path.name}.retired").unlink()
    path.write_bytes(backup)
    path.chmod(0o600)
    assert [entry.retired for entry in list_keys(directory)] == [True, False]
    (directory / "active").write_text(f"{stolen.kid}\n")
    for attempt in (
        lambda: load_active(directory, "test", passphrase),
        lambda: make_active(directory, "test", stolen.kid),
    ):
        with pytest.raises(CustodyError, match="accord keys generate --activate") as caught:
            attempt()
        assert caught.value.code == "key.compromised"
    again = create(directory, "test", passphrase, activate=True)
    assert load_active(directory, "test", passphrase) == again
    # And to declare it again renames what came back.
    assert declare_compromised(directory, stolen.kid, AT + 1).file == path.with_name(f"{path.name}.retired")
    assert not path.exists()


# Runs `declare_compromised` on copies of a directory, ending the process before each step that reaches the disk.
CRASHES = """
import itertools, os, shutil, sys
from pathlib import Path
from keys.custody.key_directory import declare_compromised

start, results, kid, at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
for step in itertools.count():
    shutil.copytree(start, results / str(step))
    child = os.fork()
    if child == 0:
        steps = itertools.count()
        def counted(call):
            return lambda *args, **kwargs: os._exit(9) if next(steps) == step else call(*args, **kwargs)
        for name in ("open", "fsync", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        declare_compromised(results / str(step), kid, at)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 9:
        sys.exit(status)
"""


def test_a_crash_at_any_step_leaves_it_declared_or_as_it_was(
    directory: Path, stolen: PemSigner, passphrase: bytes, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    command = [sys.executable, "-c", CRASHES, str(directory), str(results), stolen.kid, str(AT)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    path = directory / f"test-{stolen.kid}.pem"
    seen = []
    for left in sorted(results.iterdir(), key=lambda folder: int(folder.name)):
        entry = list_keys(left)[0]
        named = (left / f"{path.name}.retired").exists()
        seen.append((entry.compromised_at, entry.retired, named))
        assert load_active(left, "test", passphrase).kid != stolen.kid
        done = declare_compromised(left, stolen.kid, AT)
        assert (done.compromised_at, done.retired) == (AT, True)
        assert done == list_keys(left)[0]
        assert pem_file.load(left / f"{path.name}.retired", passphrase) == stolen
    # A renamed file alone would say that what it signed is good.
    assert set(seen) == {(None, False, False), (AT, True, False), (AT, True, True)}
    assert seen == sorted(seen, key=lambda state: (state[1], state[2]))
    shutil.rmtree(results)
