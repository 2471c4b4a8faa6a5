"""Keys for the tests of `keys`, made anew in every run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.custody import pem_file
from keys.custody import token as tokens
from keys.custody.pem_file import PemSigner
from keys.custody.token import Token
from keys.key_ring import KeyRing
from tests.support import softhsm
from tests.support.softhsm import SoftHsm

PASSPHRASE = b"only for tests"


@pytest.fixture(scope="session")
def passphrase() -> bytes:
    return PASSPHRASE


@pytest.fixture(scope="session")
def pem_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound key file. Not to be changed: copy it."""
    path = tmp_path_factory.mktemp("key") / "key.pem"
    pem_file.generate(path, PASSPHRASE)
    return path


@pytest.fixture(scope="session")
def signer(pem_path: Path) -> PemSigner:
    return pem_file.load(pem_path, PASSPHRASE)


@pytest.fixture(scope="session")
def other_signer(tmp_path_factory: pytest.TempPathFactory) -> PemSigner:
    return pem_file.generate(tmp_path_factory.mktemp("other") / "key.pem", PASSPHRASE)


@pytest.fixture(scope="session")
def ring(signer: PemSigner, other_signer: PemSigner) -> KeyRing:
    return KeyRing(keys=(signer.public, other_signer.public))


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHsm]:
    """A folder of tokens that this process uses until the test is over."""
    module = softhsm.module()
    made = SoftHsm(tmp_path / "hsm")
    made.prepare()
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    # A module that an earlier test initialized has read that test's settings.
    tokens._restart(module)
    yield made
    tokens._restart(module)
    tokens._refused.clear()


@pytest.fixture
def token(hsm: SoftHsm) -> Token:
    return hsm.add("accord")
