"""Certification paths judged whole: built within bounds, held against the profile and against RFC 5280 §6."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from keys.certificate import Certificate, parse_certificate
from keys.errors import MalformedError
from keys.path_validation import names
from keys.path_validation.building import MAX_BYTES, MAX_OFFERED, Builder, Candidate
from keys.path_validation.errors import PathError
from keys.path_validation.path import NO_RULES, Path, Rules, has_room, path_of
from keys.path_validation.precheck import Role, check_form, check_purpose
from keys.path_validation.signatures import Signatures, Usable

if TYPE_CHECKING:
    from keys.path_validation.rfc5280 import Question

Source = Certificate | bytes
"""A certificate, or its DER."""


def validate_path(
    leaf: Source,
    intermediates: Sequence[Source],
    anchors: Sequence[Source],
    instant: datetime,
    *,
    rules: Rules = NO_RULES,
    purpose: str | None = None,
    usable: Usable | None = None,
    crls: Sequence[bytes] | None = None,
) -> Path:
    """Finds a path from an anchor to a certificate that holds at the instant, by RFC 5280 §6.

    The last certificate may be a holder's or a CA's: see `Path.may_issue`. `purpose` is an OID that its extended key
    usage must not leave out. `usable` gives the reason why a signature scheme with a key may not be relied on, None
    when it may; without it the caller judges the algorithms of the path it gets. With `crls` (DER, complete, delta or
    indirect, in force at the instant) each certificate below the anchor must be shown not to have been revoked before
    it; without, revocation is not judged here.

    Raises PathError: of the paths that could be built, the one that was likeliest says why.
    """
    return next(
        valid_paths(leaf, intermediates, anchors, instant, rules=rules, purpose=purpose, usable=usable, crls=crls)
    )


def valid_paths(
    leaf: Source,
    intermediates: Sequence[Source],
    anchors: Sequence[Source],
    instant: datetime,
    *,
    rules: Rules = NO_RULES,
    purpose: str | None = None,
    usable: Usable | None = None,
    crls: Sequence[bytes] | None = None,
) -> Iterator[Path]:
    """Gives every path for which `validate_path` gives the first, never none. The arguments are the same.

    Raises PathError likewise, "too_complex" also after some: then there may be paths that were not looked at.
    """
    last, offered = _read(leaf, "the certificate"), _read_offered(intermediates)
    trusted = [_read(one, f"anchor {index}") for index, one in enumerate(anchors)]
    signatures = Signatures(usable)
    from keys.path_validation import rfc5280  # loads certvalidator, which a start without paths need not pay

    question = rfc5280.Question(
        instant=instant,
        rules=rules,
        crls=None if crls is None else tuple(crls),
        others=() if crls is None else _well_formed(offered),
    )
    refusal: PathError | None = None
    found = False
    for candidate in Builder(offered, trusted, rfc5280.name_key).candidates(last):
        try:
            yield judge(candidate, question, signatures, purpose=purpose)
            found = True
        except PathError as error:
            if error.step == "too_complex":
                raise
            refusal = refusal or error
    if not found:
        raise refusal or PathError("no_anchor", "no certificate given issued this one, up to an anchor")


def judge(candidate: Candidate, question: "Question", signatures: Signatures, *, purpose: str | None = None) -> Path:
    """Judges one path, leaf first and anchor last. Raises PathError."""
    from keys.path_validation import rfc5280

    *below, anchor = candidate
    check_form(anchor, Role.ANCHOR)
    for certificate in reversed(below[1:]):
        check_form(certificate, Role.CA)
    check_form(candidate[0], Role.LEAF)
    names.check_number(candidate)
    self_issued = [rfc5280.name_key(one.subject) == rfc5280.name_key(one.issuer) for one in candidate]
    policies = rfc5280.validate(candidate, question, signatures)
    names.check_addresses(candidate, self_issued)
    if purpose is not None:
        check_purpose(candidate[0], purpose)
    rules = question.rules
    may_issue = candidate[0].is_ca and has_room(candidate, self_issued, rules)
    return path_of(candidate, rules=rules, policies=policies, may_issue=may_issue)


def _read_offered(sources: Sequence[Source]) -> list[Certificate]:
    if len(sources) > MAX_OFFERED:
        raise PathError("too_complex", f"{len(sources)} certificates, of at most {MAX_OFFERED}")
    offered = [_read(one, f"certificate {index} of the chain") for index, one in enumerate(sources)]
    size = sum(len(one.der) for one in offered)
    if size > MAX_BYTES:
        raise PathError("too_complex", f"{size} bytes of certificates, of at most {MAX_BYTES}")
    return offered


def _read(source: Source, what: str) -> Certificate:
    if isinstance(source, Certificate):
        return source
    try:
        return parse_certificate(source)
    except MalformedError as error:
        raise PathError("malformed", f"{what}: {error.detail}") from error


def _well_formed(offered: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """Gives those of the certificates that may sign CRLs as far as their form goes."""
    found = []
    for certificate in offered:
        try:
            check_form(certificate, Role.LEAF)
        except PathError:
            continue
        found.append(certificate)
    return tuple(found)
