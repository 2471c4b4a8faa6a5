"""The worlds that scenarios are asked of: each a store of its own in test mode, with keys, opened as a node.

The world "demonstration" is what `accord demo` sets up. Every other world is a folder of policy files (one folder per
kind), `registers/*.jsonl` and a `world.toml` that says what was known from when.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from app import clock
from app.api.application import build_application
from app.bootstrap import Node, assemble, key_passphrase, open_node
from app.cli.demo import prepare
from app.ports import RegisterReport
from app.settings import Settings
from app.store import schema
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.load_policy import read_policy_folder
from app.usecases.load_register import version_rows
from keys.custody import key_directory
from registry.document import PolicyDocument

DEMONSTRATION = "demonstration"
SETTINGS = tuple(f"ACCORD_{name.upper()}" for name in Settings.model_fields)
"""The environment variables that a node reads; a test sets every one of them or takes it away."""


class WorldError(Exception):
    """A world's own files are not in order."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A store that is ready to be asked, and the node that answers from it."""

    name: str
    home: Path
    node: Node

    @cached_property
    def application(self) -> ASGIApp:
        """The service over this world's node."""
        return build_application(self.node, access_log=False)

    @property
    def environment(self) -> dict[str, str | None]:
        """What a shell command must find in its environment; None is to be taken away."""
        return {**dict.fromkeys((*SETTINGS, "ACCORD_LANG")), "ACCORD_HOME": str(self.home)}

    def close(self) -> None:
        """Lets the store go."""
        self.node.reader.close()


def exactly(table: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """The table, when it has every required key and none but the optional ones beside them. Raises `WorldError`."""
    if not isinstance(table, dict):
        raise WorldError(f"{where}: must be a table")
    missing = [key for key in required if key not in table]
    unknown = [key for key in table if key not in {*required, *optional}]
    if missing or unknown:
        raise WorldError(f"{where}: missing {missing}, unknown {unknown}")
    return table


def settings_at(home: Path) -> Settings:
    """The settings of a node at home there, blind to the environment of the test run."""
    return Settings(
        home=home, store=None, keys=None, policy=None, key_passphrase=None, key_passphrase_file=None, issuer=None
    )


def build_world(name: str, home: Path, folders: Path) -> World:
    """Builds a world at an empty home. `folders` holds the folders of all worlds but the demonstration."""
    settings = settings_at(home)
    if name == DEMONSTRATION:
        prepare(settings)
        return World(name=name, home=home, node=open_node(settings))
    folder = folders / name
    if not folder.is_dir():
        raise WorldError(f"there is no world {name!r}")
    state = schema.migrate(settings.store_path, "test", clock.now())
    _make_keys(settings)
    _enter(settings, folder)
    # `open_node` would enter the policy that comes with the software.
    node = assemble(settings, state)
    return World(name=name, home=home, node=node)


def _make_keys(settings: Settings) -> None:
    """A signing key with its passphrase beside it, as `accord demo` leaves them."""
    settings.keys_path.mkdir(mode=0o700)
    file = os.open(settings.keys_path / "passphrase", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write("a passphrase for scenarios only\n")
    key_directory.create(settings.keys_path, "test", key_passphrase(settings))


def _enter(settings: Settings, folder: Path) -> None:
    """Enters policy, register entries and reports, each known from when the world says."""
    told = exactly(
        tomllib.loads((folder / "world.toml").read_text(encoding="utf-8")),
        "world.toml",
        ("begins",),
        ("later", "reports"),
    )
    writer = SqliteWriter(settings.store_path)
    reader = SqliteReader(settings.store_path)
    try:
        for known_from, documents in _steps(folder, told):
            writer.enter_policies(documents, known_from=known_from)
        rows, problems = version_rows(_entries(folder), reader.load_policies().latest, reader.secret())
        if problems:
            raise WorldError(f"{folder.name}: register entry {problems[0].row}: {problems[0].problem}")
        writer.append(rows, tuple(_reports(told)))
    finally:
        reader.close()
        writer.close()


def _steps(folder: Path, told: Mapping[str, Any]) -> Iterator[tuple[datetime, list[PolicyDocument]]]:
    """The policy documents by the instant from which they are known, the earliest first."""
    documents = {document.source: document for document in read_policy_folder(folder)}
    later: list[tuple[datetime, list[PolicyDocument]]] = []
    for number, entry in enumerate(told.get("later", [])):
        where = f"world.toml: later[{number}]"
        exactly(entry, where, ("known_from", "files"))
        unknown = [file for file in entry["files"] if file not in documents]
        if unknown:
            raise WorldError(f"{where}: no such policy file, or named twice: {unknown}")
        later.append((_utc(entry["known_from"]), [documents.pop(file) for file in entry["files"]]))
    yield _utc(told["begins"]), list(documents.values())
    yield from sorted(later, key=lambda step: step[0])


def _entries(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "registers").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def _reports(told: Mapping[str, Any]) -> Iterator[RegisterReport]:
    """Each register's regular reports, known when they were made."""
    for number, entry in enumerate(told.get("reports", [])):
        exactly(entry, f"world.toml: reports[{number}]", ("type", "issuers", "from", "until", "every_days"))
        instant = _utc(entry["from"])
        while instant <= _utc(entry["until"]):
            for issuer in entry["issuers"]:
                yield RegisterReport(issuer=issuer, type=entry["type"], as_of=instant, known_from=instant)
            instant += timedelta(days=entry["every_days"])


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise WorldError(f"world.toml: {instant} has no offset")
    return instant.astimezone(UTC)
