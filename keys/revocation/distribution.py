"""Scopes: which part of a CA's certificates and reasons a list speaks of (RFC 5280 §4.2.1.13, §5.2.5)."""

from dataclasses import dataclass
from functools import lru_cache

from keys import der
from keys.certificate.extensions import DistributionPoint, read_general_names, read_reasons
from keys.der import Element
from keys.errors import MalformedError
from keys.revocation import names

# RFC 5280 §4.2.1.13, ReasonFlags. "unspecified" is none of them: it is in every list.
ALL_REASONS = frozenset(
    {
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "certificateHold",
        "privilegeWithdrawn",
        "aACompromise",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the extension issuingDistributionPoint confines a list to.

    `names` are the points it is bound to, to be compared only; None: to none. `only_reasons` None: all.
    """

    names: frozenset[bytes] | None
    only_user: bool
    only_ca: bool
    only_attribute: bool
    only_reasons: frozenset[str] | None
    indirect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A distribution point of a certificate in the form in which lists are compared with it.

    `crl_issuers` are folded Names; none: the certificate's issuer.
    """

    names: frozenset[bytes]
    reasons: frozenset[str]
    crl_issuers: frozenset[bytes]


@lru_cache(maxsize=1024)
def place_of(point: DistributionPoint, issuer: bytes) -> Place:
    """Prepares a distribution point of a certificate by an issuer (Name DER)."""
    directory_names = list(point.names)
    if point.relative_name is not None:
        # RFC 5280 §4.2.1.13: relative to the CRL's issuer, who is then named once.
        directory_names.append(names.joined((*point.crl_issuers, issuer)[0], point.relative_name))
    if not (directory_names or point.uris):
        # RFC 5280 §6.3.3 (b)(2)(i): a point without a name goes by its CRL issuers' names.
        directory_names.extend(point.crl_issuers)
    return Place(
        names=_comparable(point.uris, tuple(directory_names)),
        reasons=ALL_REASONS if point.reasons is None else ALL_REASONS & point.reasons,
        crl_issuers=frozenset(map(names.folded, point.crl_issuers)),
    )


@lru_cache(maxsize=1024)
def implied_place(issuer: bytes) -> Place:
    """The place of lists that no distribution point of the certificate names (RFC 5280 §6.3.3, last paragraph)."""
    return Place(names=_comparable((), (issuer,)), reasons=ALL_REASONS, crl_issuers=frozenset())


def _comparable(uris: tuple[str, ...], directory_names: tuple[bytes, ...]) -> frozenset[bytes]:
    return frozenset((*(b"uri" + uri.encode() for uri in uris), *map(names.folded, directory_names)))


def read_scope(element: Element, issuer: bytes) -> Scope:
    """Reads the extension issuingDistributionPoint of a list by an issuer. Raises MalformedError "der.malformed"."""
    fields = tagged(der.sequence(element), (0xA0, 0x81, 0x82, 0x83, 0x84, 0x85))
    return Scope(
        names=_point_name(der.inside(fields[0xA0]), issuer) if 0xA0 in fields else None,
        only_user=_flag(fields.get(0x81)),
        only_ca=_flag(fields.get(0x82)),
        only_attribute=_flag(fields.get(0x85)),
        only_reasons=ALL_REASONS & read_reasons(fields[0x83]) if 0x83 in fields else None,
        indirect=_flag(fields.get(0x84)),
    )


def tagged(members: tuple[Element, ...], order: tuple[int, ...]) -> dict[int, Element]:
    """Gives the OPTIONAL members of a SEQUENCE by tag.

    Raises MalformedError "der.malformed" for one that has another tag, comes twice or stands out of order.
    """
    found: dict[int, Element] = {}
    position = 0
    for member in members:
        if member.tag not in order[position:]:
            detail = f"tag 0x{member.tag:02x} does not belong here (at byte {member.start})"
            raise MalformedError("der.malformed", detail)
        position = order.index(member.tag) + 1
        found[member.tag] = member
    return found


def _point_name(choice: Element, issuer: bytes) -> frozenset[bytes]:
    if choice.tag == 0xA0:
        return _comparable(*read_general_names(choice, []))
    if choice.tag == 0xA1:
        der.members(choice)
        return _comparable((), (names.joined(issuer, names.wrapped(der.SET, choice.value)),))
    raise MalformedError("der.malformed", f"tag 0x{choice.tag:02x} is no name of a point (at byte {choice.start})")


def _flag(element: Element | None) -> bool:
    return element is not None and der.boolean(der.retagged(element, der.BOOLEAN))
