"""A certification path that holds, and what was asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from keys.certificate import Certificate
from keys.path_validation.precheck import CONSTRAINING

ANY_POLICY = "2.5.29.32.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The inputs of RFC 5280 §6.1.1 (c) to (g), and how many CAs may follow the anchor at most (None: any number).

    Policies are OIDs in dotted form. As in the RFC, self-issued CAs are not counted.
    """

    initial_policies: frozenset[str] = frozenset({ANY_POLICY})
    explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False
    max_path_length: int | None = None


NO_RULES = Rules()


class Path(Struct, frozen=True, kw_only=True):
    """A valid path: its certificates from the one asked about to the anchor.

    All of them are in their validity from `not_before` to `not_after`, both included. `constrained`: one of them
    constrains names or policies, or the rules ask for a policy. `may_issue`: the first one is a CA below which one more
    fits. `policies`: those the path is valid for, in dotted form; None where they were not worked out.
    """

    certificates: tuple[Certificate, ...]
    constrained: bool
    may_issue: bool
    policies: frozenset[str] | None
    not_before: datetime
    not_after: datetime
    rules: Rules


def path_of(
    certificates: tuple[Certificate, ...],
    *,
    rules: Rules,
    policies: frozenset[str] | None,
    may_issue: bool,
) -> Path:
    """Describes a path that was found valid."""
    constrains = any(oid in certificate.extensions for certificate in certificates for oid in CONSTRAINING)
    return Path(
        certificates=certificates,
        constrained=constrains or rules.explicit_policy,
        may_issue=may_issue,
        policies=policies,
        not_before=max(certificate.not_before for certificate in certificates),
        not_after=min(certificate.not_after for certificate in certificates),
        rules=rules,
    )


def has_room(certificates: Sequence[Certificate], self_issued: Sequence[bool], rules: Rules) -> bool:
    """Whether the path lengths let the first certificate of a path issue (RFC 5280 §6.1.4 (l), (m))."""
    *below, anchor = certificates
    limits = [limit for limit in (anchor.path_length, rules.max_path_length) if limit is not None]
    left = min(limits, default=len(certificates))
    for certificate, same in zip(reversed(below), reversed(self_issued[: len(below)]), strict=True):
        if not same:
            if left == 0:
                return False
            left -= 1
        if certificate.path_length is not None:
            left = min(left, certificate.path_length)
    return True
