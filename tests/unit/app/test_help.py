"""Help on the command line can be read whole at eighty columns."""

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from app.cli.application import application
from app.cli.help import cells, folded, said_of, short_help

COLUMNS = 80
RUNNER = CliRunner(env={"COLUMNS": str(COLUMNS)})


def _commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from _commands(part, *path, name)


COMMANDS = dict(_commands(get_command(application)))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "accord")
def test_every_help_is_read_whole(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    outcome = RUNNER.invoke(application, [*path, "--help"])
    assert outcome.exit_code == 0
    assert "…" not in outcome.output
    assert max(cells(line) for line in outcome.output.splitlines()) <= COLUMNS
    told = [command.help, *(said_of(parameter) for parameter in command.params)]
    told += [short_help(part) for part in getattr(command, "commands", {}).values()]
    whole, words = "".join(outcome.output.split()), outcome.output.split()
    for text in told:
        assert text
        assert "".join(text.split()) in whole
        # English words are whole, each on its line; Chinese is cut between any two characters.
        assert {word for word in text.split() if word.isascii()} <= set(words)


def test_there_is_a_help_for_every_command() -> None:
    assert len(COMMANDS) > 30
    assert {("recognize",), ("lock", "cms"), ("keys", "compromised")} <= set(COMMANDS)


def test_a_group_without_a_command_shows_its_help() -> None:
    outcome = RUNNER.invoke(application, ["lock"])
    assert outcome.exit_code == 2
    assert "吊销列表" in outcome.output


@given(st.text(alphabet="ab测试，。“”（）[] /…", max_size=120), st.integers(min_value=2, max_value=60))
def test_folding_loses_nothing_and_keeps_within_the_width(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cells(line) <= width for line in lines)


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=20), max_size=20))
def test_folding_keeps_words_whole(words: list[str]) -> None:
    lines = folded(" ".join(words), 20)
    assert " ".join(lines).split() == words


def test_no_line_begins_with_what_closes() -> None:
    for width in range(8, 40):
        lines = folded("颁发机构；foreign 为任何库都不信任的外地机构（仅限测试库），默认当前。", width)
        assert not any(line.startswith(tuple("，。；）")) for line in lines)


def test_certificates_are_revoked_in_the_words_of_the_trade() -> None:
    """吊销 is said of certificates; 撤销 is what the law does to a licence."""
    words = tomllib.loads(resources.files("app.messages").joinpath("zh-CN.toml").read_text(encoding="utf-8"))
    of_locks = {path: short_help(command) for path, command in COMMANDS.items() if path[:1] in {("lock",), ("jobs",)}}
    of_locks |= {
        (*path, parameter.name): said_of(parameter) for path in of_locks.copy() for parameter in COMMANDS[path].params
    }
    spoken = {key: text for table in words.values() for key, text in table.items()}
    of_certificates = {
        key: text
        for key, text in spoken.items()
        if key.startswith(("crl.", "ocsp", "revocation", "challenge.")) or "#certificate" in key or "of_lock" in key
    }
    assert len(of_certificates) > 40
    assert any("吊销" in text for text in of_locks.values())
    for place, text in {**of_locks, **of_certificates}.items():
        assert "撤销" not in text, place
    for text in (*of_locks.values(), *spoken.values()):
        assert "挑战" not in text
