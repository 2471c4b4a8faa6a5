"""What a demonstration authority has revoked, and the number of its last list: a JSON file beside its key."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from app.softlock.certificate import REASONS, Revoked
from keys.errors import CustodyError
from registry.period import format_instant, parse_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The number of the last list and everything on it, in the order in which it was revoked."""

    number: int = 0
    revoked: tuple[Revoked, ...] = ()

    def continued(self, entries: Iterable[Revoked]) -> "Ledger":
        """The ledger of the next list, with new lines; a certificate that is revoked again keeps its new line only."""
        fresh = tuple(entries)
        again = {entry.serial for entry in fresh}
        kept = (entry for entry in self.revoked if entry.serial not in again)
        return Ledger(number=self.number + 1, revoked=(*kept, *fresh))

    def written(self) -> bytes:
        """The file's content."""
        lines = [
            {"serial": f"{entry.serial:x}", "at": format_instant(entry.at), "reason": entry.reason}
            for entry in self.revoked
        ]
        return orjson.dumps({"number": self.number, "revoked": lines}, option=orjson.OPT_INDENT_2)


def read_ledger(path: Path, content: bytes | None) -> Ledger:
    """The ledger in a file; an empty one where there is none. Raises CustodyError "key.damaged"."""
    if content is None:
        return Ledger()
    try:
        table = orjson.loads(content)
        revoked = tuple(
            Revoked(serial=int(line["serial"], 16), at=parse_instant(line["at"]), reason=line["reason"])
            for line in table["revoked"]
        )
        if not all(entry.reason in REASONS for entry in revoked):
            raise ValueError("a reason that there is not")
        return Ledger(number=int(table["number"]), revoked=revoked)
    except (ValueError, KeyError, TypeError) as error:
        raise CustodyError("key.damaged", f"{path}: is no ledger of revocations ({error}); restore it") from error
