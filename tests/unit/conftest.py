"""What the tests of all rooms share: a second implementation that is started once."""

from collections.abc import Iterator

import pytest

from tests.support.bouncy_castle import BouncyCastle, started


@pytest.fixture(scope="session")
def bouncy_castle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BouncyCastle]:
    with started(tmp_path_factory.mktemp("bouncy-castle")) as process:
        yield process
