"""Checks, their findings, and the reasons that follow from them: values with stable codes and no language."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from registry.document import LegalBasis, LocalText
from registry.errors import Detail
from registry.jurisdiction import Authority

CHECKS = (
    "format",
    "signature",
    "path",
    "issuer",
    "status",
    "validity",
    "scope",
    "subject",
    "agreement",
    "freshness",
)
"""The ten checks, in the order in which they are always reported."""

Result = Literal["passed", "failed", "indeterminate", "skipped"]

Param = str | int | datetime | LocalText | Detail
Params = Mapping[str, Param]
NO_PARAMS: Params = MappingProxyType({})


class Finding(Struct, frozen=True, kw_only=True):
    """What one check found. A warning is `passed` with a code of the reason families.

    `variant` chooses among wordings of one code.
    """

    check: str
    result: Result
    code: str | None = None
    variant: str = ""
    params: Params = NO_PARAMS
    legal_basis: tuple[LegalBasis, ...] = ()
    contact: Authority | None = None


SKIPPED = {check: Finding(check=check, result="skipped") for check in CHECKS if check != "agreement"}
"""What nothing was to be found out about, by check."""


class Reason(Struct, frozen=True, kw_only=True):
    """Why a decision is what it is, in law and in fact, and whom to ask."""

    code: str
    legal_basis: tuple[LegalBasis, ...]
    variant: str = ""
    params: Params = NO_PARAMS
    contact: Authority | None = None


def reason_of(finding: Finding) -> Reason:
    """The reason that repeats a finding. Raises `ValueError` for a finding without a code."""
    if finding.code is None:
        raise ValueError(f"the finding of {finding.check} has no code")
    return Reason(
        code=finding.code,
        variant=finding.variant,
        params=finding.params,
        legal_basis=finding.legal_basis,
        contact=finding.contact,
    )
