"""The steps of a credential's life, and which may follow which: a table per profile."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.document import Table

EVENTS = ("amended", "suspended", "reinstated", "revoked", "cancelled", "superseded")
FINAL = ("revoked", "cancelled", "superseded")
"""The steps that end a credential, gravest first."""
STANDINGS = ("valid", "suspended", *FINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """By what a credential is, the steps that it may take next. One that is not named takes none."""

    steps: Mapping[str, frozenset[str]]

    def allows(self, standing: str, event: str) -> bool:
        """Whether the step may follow."""
        return event in self.steps[standing]


def read_lifecycle(table: Table) -> Lifecycle:
    """The table of a profile. Raises `PolicyError`: a revoked credential takes no step, whatever a file says."""
    steps: dict[str, frozenset[str]] = {}
    for standing in STANDINGS:
        names = table.texts(standing, default=(), allow_empty=True)
        for name in names:
            if name not in EVENTS:
                raise table.refuse(standing, f"{name!r} is no event; events: {', '.join(EVENTS)}")
        if standing == "revoked" and names:
            raise table.refuse(standing, "revoked is final: nothing follows")
        if standing == "valid" and not names:
            raise table.refuse(standing, "must name the steps that a credential in force may take")
        steps[standing] = frozenset(names)
    table.done()
    return Lifecycle(steps=steps)
