"""Registers' files that are loaded into a store, by the statement of an issuer who may say anything about them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from app import clock
from app.importers import FileFacts, RowFault
from app.loading import Told, load_file, open_file
from app.store.reader import SqliteReader
from app.store.writer import SqliteWriter
from app.usecases.import_register import BATCH, ImportReport
from registry.document import PolicyDocument
from registry.period import format_instant
from registry.policy import PolicyHistory
from registry.statement import open_statement
from tests.support.issuing import LICENCE, TYPE, Issuing

Faults = list[tuple[int, str, str]]


def licence(place: int, **changed: Any) -> dict[str, Any]:
    """The claims of one of many licences; attributes that are told replace their like."""
    attributes = LICENCE["attributes"] | changed.pop("attributes", {})
    return LICENCE | {"number": f"JY1500103{place:07d}"} | changed | {"attributes": attributes}


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


class Office:
    """A store in which issuers have keys, and into which files are loaded.

    `batch` rows are entered together; `faults` are those of the last load.
    """

    def __init__(self, store: Path) -> None:
        self.store, self.batch, self.faults = store, BATCH, list[RowFault]()

    def enter_policies(self, *documents: PolicyDocument) -> None:
        """Enters documents of the policy."""
        writer = SqliteWriter(self.store)
        try:
            writer.enter_policies(documents)
        finally:
            writer.close()

    def policies(self) -> PolicyHistory:
        """What the store has as policy."""
        reader = SqliteReader(self.store)
        try:
            return reader.load_policies()
        finally:
            reader.close()

    def load(
        self,
        file: Path,
        issuing: Issuing,
        *,
        enter: bool = True,
        as_of: datetime | None = None,
        stated: Mapping[str, Any] | None = None,
        claimed: Mapping[str, Any] | None = None,
        rows: int | None = None,
        policies: Callable[[], PolicyHistory] | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> ImportReport:
        """Loads a file; `stated` replaces what is said of it, `claimed` the statement's claims.

        `rows` are those that the file is taken for having.
        """
        policy, now, self.faults = self.policies().latest, clock.now(), []
        opened = open_file(file, policy, TYPE, issuing.issuer)
        if rows is not None:
            opened = replace(opened, facts=FileFacts(opened.facts.digest, rows))
        facts = opened.facts
        about = {"file": facts.digest, "rows": facts.rows, "as_of": format_instant(as_of or now)} | dict(stated or {})
        token = issuing.sign(issuing.claims(now, bulk=about) | dict(claimed or {}))
        statement = open_statement(token, policy.keys)
        told = Told(refuse=self.faults.append, progress=progress)
        return load_file(self.store, opened, token, statement, told, enter=enter, batch=self.batch, policies=policies)

    def told(self) -> Faults:
        """Row, column and code of every fault of the last load."""
        return [(fault.row, fault.column, fault.code) for fault in self.faults]
