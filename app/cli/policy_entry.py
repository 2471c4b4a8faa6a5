"""What commands that change policy have in common: read the newest, enter one document, say what happened."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from app.cli.outcome import USAGE, fail, failing_clearly
from registry.errors import PolicyError
from registry.period import InstantError, Period, parse_instant

_TRIES = 3

if TYPE_CHECKING:
    from app.messages import Messages
    from app.settings import Settings
    from registry.document import PolicyDocument
    from registry.policy import Policy


def instant(option: str, text: str) -> datetime:
    """The instant of an option, or one line and exit code 2."""
    try:
        return parse_instant(text)
    except InstantError as error:
        fail(f"{option} {text!r}: 应写作 / write 2026-10-01T00:00:00+08:00 ({error.code})", USAGE)


def period(start: str | None, end: str | None) -> Period:
    """The period of `--from` and `--until`."""
    first = None if start is None else instant("--from", start)
    last = None if end is None else instant("--until", end)
    if first is not None and last is not None and last <= first:
        fail("--until: 应晚于 --from / must be after --from", USAGE)
    return Period(start=first, end=last)


def newest_policy(settings: "Settings") -> "Policy":
    """The newest policy of the store, with the policy files of the node entered."""
    from app.bootstrap import enter_policies
    from app.store.reader import SqliteReader
    from app.store.schema import check

    with failing_clearly():
        check(settings.store_path)
        enter_policies(settings)
        reader = SqliteReader(settings.store_path)
        try:
            return reader.load_policies().latest
        finally:
            reader.close()


@contextmanager
def refusing_mistakes() -> Iterator[None]:
    """A document that cannot be entered is a mistake in the command: one line and exit code 2."""
    try:
        yield
    except PolicyError as error:
        fail(str(error), USAGE)


def enter(settings: "Settings", document: "PolicyDocument") -> None:
    """Enters one document. Raises `PolicyError` where it cannot be."""
    from app.ports import StoreError
    from app.store.writer import SqliteWriter

    try:
        writer = SqliteWriter(settings.store_path)
        try:
            writer.enter_policies((document,))
        finally:
            writer.close()
    except StoreError as error:
        fail(f"存储 / store: {error}")


def change(
    make: "Callable[[Policy], PolicyDocument | None]",
    show: "Callable[[Policy], tuple[str, dict[str, Any]]]",
    catalogue: "Messages",
    *,
    json: bool,
) -> None:
    """Makes a document from the newest policy, enters it, and shows what the policy then says, as a line or JSON."""
    from app.settings import Settings

    settings = Settings()
    for attempt in range(_TRIES):
        policy = newest_policy(settings)
        with refusing_mistakes():
            document = make(policy)
        if document is None:
            break
        try:
            enter(settings, document)
        except PolicyError as error:
            # Somebody else may have entered this very version meanwhile; a distrust must not be lost for that.
            if attempt == _TRIES - 1:
                fail(str(error), USAGE)
            continue
        policy = newest_policy(settings)
        break
    line, view = show(policy)
    if json:
        from app.presentation import to_json

        typer.echo(to_json({**view, "changed": document is not None}).decode())
        return
    typer.echo(line if document is not None else catalogue.word("policy.unchanged", what=line))
