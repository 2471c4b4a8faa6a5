"""Loads the demonstration into a test store, with a history that reaches back to 2020."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import orjson

from app.bootstrap import policy_documents
from app.ports import RegisterReport, StoreError
from app.settings import Settings
from app.store.reader import SqliteReader
from app.store.schema import check
from app.usecases.load_policy import read_policy_folder
from app.usecases.load_register import version_rows
from registry.policy import Policy

EPOCH = datetime(2019, 12, 31, 16, tzinfo=UTC)
"""2020-01-01 in Beijing: from when a demonstration store knows its policy and its first entries."""

_WEEK, _MONTH = timedelta(days=7), timedelta(days=28)
_WEEKLY_FROM = datetime(2023, 12, 31, 16, tzinfo=UTC)


def demonstration_documents() -> list[dict[str, Any]]:
    """Every credential document of the demonstration, in a stable order."""
    documents: list[dict[str, Any]] = []
    folder = resources.files(__package__).joinpath("registers")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".jsonl"):
            documents.extend(orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip())
    return documents


def stale_registers() -> dict[tuple[str, str], datetime]:
    """The registers that are stale on purpose: (issuer, type) and how far they reach."""
    text = resources.files(__package__).joinpath("registers.toml").read_text(encoding="utf-8")
    return {(entry["issuer"], entry["type"]): entry["as_of"].astimezone(UTC) for entry in tomllib.loads(text)["stale"]}


def _reports(policy: Policy, now: datetime) -> Iterator[RegisterReport]:
    """Each register's past reports (monthly, from 2024 on weekly), known when they were made."""
    stale = stale_registers()
    for profile in policy.profiles.values():
        for authority in policy.issuers[profile.id]:
            end = stale.get((authority.id, profile.id), now)
            instant = EPOCH
            while instant < min(end, now):
                yield RegisterReport(issuer=authority.id, type=profile.id, as_of=instant, known_from=instant)
                instant += _WEEK if instant >= _WEEKLY_FROM else _MONTH
            if end < now:
                yield RegisterReport(issuer=authority.id, type=profile.id, as_of=end, known_from=end)


def _unlisted(policy: Policy, rows_issuers: set[tuple[str, str]], now: datetime) -> Iterator[RegisterReport]:
    """Registers of issuers that no policy file lists report too: their entries are held, only not trusted."""
    for issuer, type_id in sorted(rows_issuers):
        if issuer not in policy.authorities:
            yield RegisterReport(issuer=issuer, type=type_id, as_of=EPOCH, known_from=EPOCH)
            yield RegisterReport(issuer=issuer, type=type_id, as_of=now)


def _current(policy: Policy, now: datetime) -> Iterator[RegisterReport]:
    stale = stale_registers()
    for profile in policy.profiles.values():
        for authority in policy.issuers[profile.id]:
            if (authority.id, profile.id) not in stale:
                yield RegisterReport(issuer=authority.id, type=profile.id, as_of=now)


def load_demonstration(settings: Settings, now: datetime) -> int:
    """Enters the demonstration's policy and registers, reports the registers as current, and counts new versions.

    Doing it again adds only the fresh reports. Raises `StoreError` for a store in live mode.
    """
    from app.store.writer import SqliteWriter

    state = check(settings.store_path)
    if state.mode != "test":
        raise StoreError(f"store {settings.store_path} is live: demonstration data is refused there")
    documents = (*policy_documents(settings), *read_policy_folder(resources.files(__package__)))
    writer = SqliteWriter(settings.store_path)
    reader = SqliteReader(settings.store_path)
    try:
        first = not reader.document_digests()
        writer.enter_policies(documents, known_from=EPOCH if first else None)
        policy = reader.load_policies().latest
        rows, problems = version_rows(demonstration_documents(), policy, reader.secret())
        if problems:
            raise StoreError(f"demonstration row {problems[0].row}: {problems[0].problem}")
        issuers = {(row.issuer, row.type) for row in rows}
        if not first:
            return writer.append(rows, tuple(_current(policy, now)))
        past = (*_reports(policy, now), *_unlisted(policy, issuers, now), *_current(policy, now))
        return writer.append(rows, past)
    finally:
        reader.close()
        writer.close()
