"""The exported file has its name only when it is whole, and takes nobody's place unasked."""

import errno
import os
import stat
from pathlib import Path

import pytest
import typer

from app.cli.export import _target


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "register.csv"


def no_links(*given: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no links":
        monkeypatch.setattr("os.link", no_links)


def alone(path: Path, content: bytes) -> bool:
    return path.read_bytes() == content and [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.usefixtures("file_system")
def test_a_file_appears_whole_and_private(path: Path) -> None:
    with _target(path, force=False) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        (beside,) = path.parent.iterdir()
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
        file.write(b" and half")
    assert alone(path, b"half and half")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("file_system")
def test_what_fails_leaves_nothing_behind(path: Path) -> None:
    def fail(force: bool) -> None:
        with _target(path, force) as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="space"):
        fail(force=False)
    assert list(path.parent.iterdir()) == []
    path.write_bytes(b"former")
    with pytest.raises(OSError, match="space"):
        fail(force=True)
    assert alone(path, b"former")


@pytest.mark.usefixtures("file_system")
def test_a_file_that_came_meanwhile_is_kept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def race() -> None:
        with _target(path, force=False) as file:
            file.write(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(typer.Exit) as left:
        race()
    assert left.value.exit_code == 2
    assert "--force" in capsys.readouterr().err
    assert alone(path, b"theirs")


@pytest.mark.usefixtures("file_system")
def test_a_file_is_replaced_where_that_is_asked_for(path: Path) -> None:
    path.write_bytes(b"former")
    path.chmod(0o644)
    with _target(path, force=True) as file:
        file.write(b"new")
    assert alone(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
