import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from keys.custody import files
from keys.errors import CustodyError


def fail(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(CustodyError) as caught:
            files.create(tmp_path / "file", b"data")
    assert caught.value.code == "key.file_unwritable"
    assert "No space left" in caught.value.detail
    assert list(tmp_path.iterdir()) == []


def test_a_failed_replacement_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.replace(path, b"former")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(CustodyError):
            files.replace(path, b"latter")
    assert path.read_bytes() == b"former"
    files.replace(path, b"latter")
    assert path.read_bytes() == b"latter"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        files.create(tmp_path / "file", b"data")
        files.make_directory(tmp_path / "a" / "directory")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / "directory").stat().st_mode) == 0o700


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "file", tmp_path / "a\0b"):
        with pytest.raises(CustodyError) as caught:
            files.create(path, b"data")
        assert caught.value.code == "key.file_unwritable"
    (tmp_path / "file").touch()
    with pytest.raises(CustodyError) as caught:
        files.make_directory(tmp_path / "file")
    assert caught.value.code == "key.file_exists"


def test_a_failed_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.create(tmp_path / "file", b"data")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)
        with pytest.raises(CustodyError) as caught:
            files.read_public(tmp_path / "file")
    assert caught.value.code == "key.file_unreadable"


def test_a_public_file_may_be_absent_or_open_but_not_huge(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert files.read_public(path) is None
    path.write_bytes(bytes(files.MAX_PUBLIC))
    path.chmod(0o644)
    assert files.read_public(path) == bytes(files.MAX_PUBLIC)
    path.write_bytes(bytes(files.MAX_PUBLIC + 1))
    with pytest.raises(CustodyError) as caught:
        files.read_public(path)
    assert caught.value.code == "key.file_too_large"


def test_a_refusal_leaves_no_descriptor_open(tmp_path: Path) -> None:
    files.create(tmp_path / "file", b"data")
    (tmp_path / "file").chmod(0o644)
    before = os.dup(0)
    os.close(before)
    for path in (tmp_path / "file", tmp_path, tmp_path / "none"):
        with pytest.raises(CustodyError):
            files.read_secret(path)
    after = os.dup(0)
    os.close(after)
    assert before == after
