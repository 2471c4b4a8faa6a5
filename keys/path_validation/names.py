"""Names of certificates for path validation: their form, and address constraints (RFC 5280 §4.2.1.6, §4.2.1.10).

certvalidator judges constraints on directory names, mail addresses, host names and URIs. It knows no addresses of
networks, and takes names and constraints that are not well-formed: both are done here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from keys import der
from keys.certificate import Certificate
from keys.der import Element
from keys.errors import MalformedError
from keys.path_validation.errors import PathError

SUBJECT_ALT_NAME = "2.5.29.17"
NAME_CONSTRAINTS = "2.5.29.30"

MAX_COMPARISONS = 2048  # names × constraints of a path

# The choices of GeneralName by their tags.
_MAIL, _HOST, _DIRECTORY, _URI, _ADDRESS = 0x81, 0x82, 0xA4, 0x86, 0x87
_GENERAL_NAMES = frozenset({0xA0, _MAIL, _HOST, 0xA3, _DIRECTORY, 0xA5, _URI, _ADDRESS, 0x88})
_PERMITTED, _EXCLUDED = 0xA0, 0xA1
_CONSTRUCTED = 0x20

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?")
_HOST_BASE = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """The constraints that one CA certificate sets: the bases, and which networks it permits (None: any) and excludes.

    A network is address and mask, 8 or 32 bytes.
    """

    count: int
    permitted: tuple[bytes, ...] | None
    excluded: tuple[bytes, ...]


def alternative_names(certificate: Certificate) -> tuple[Element, ...]:
    """Gives the entries of subjectAltName. Raises MalformedError when the extension or a name is not well-formed."""
    extension = certificate.extensions.get(SUBJECT_ALT_NAME)
    if extension is None:
        return ()
    names = der.sequence(der.parse(extension.value))
    if not names:
        raise MalformedError("der.malformed", "subjectAltName without a name")
    for name in names:
        _check_name(name)
    return names


def constraints(certificate: Certificate) -> Constraints | None:
    """Gives what nameConstraints says. Raises MalformedError when it or a base is not well-formed."""
    extension = certificate.extensions.get(NAME_CONSTRAINTS)
    if extension is None:
        return None
    groups = der.sequence(der.parse(extension.value))
    tags = [group.tag for group in groups]
    if not tags or tags != sorted(set(tags)) or not {_PERMITTED, _EXCLUDED}.issuperset(tags):
        raise MalformedError("der.malformed", "nameConstraints without permitted or excluded subtrees")
    count, networks = 0, {_PERMITTED: list[bytes](), _EXCLUDED: list[bytes]()}
    for group in groups:
        bases = tuple(_bases(group))
        count += len(bases)
        networks[group.tag] = [base.value for base in bases if base.tag == _ADDRESS]
    permitted = networks[_PERMITTED]
    return Constraints(
        count=count, permitted=tuple(permitted) if permitted else None, excluded=tuple(networks[_EXCLUDED])
    )


def check_number(path: Sequence[Certificate]) -> None:
    """Raises PathError "too_complex" where more names and constraints meet than a real path has."""
    bases = sum(one.count for one in map(constraints, path) if one is not None)
    named = len(path) + sum(len(alternative_names(certificate)) for certificate in path)
    if bases * named > MAX_COMPARISONS:
        raise PathError("too_complex", f"{bases} name constraints on {named} names")


def check_addresses(path: Sequence[Certificate], self_issued: Iterable[bool]) -> None:
    """Holds the addresses of a path, leaf first and anchor last, against the networks that its CAs permit and exclude.

    Raises PathError "name_constraints".
    """
    set_by = [constraints(certificate) for certificate in path]
    for index, (certificate, same) in enumerate(zip(path, self_issued, strict=True)):
        # RFC 5280 §6.1.3 (b): not on a self-issued certificate, except the last one.
        if same and index > 0:
            continue
        applying = [one for one in set_by[index + 1 :] if one is not None]
        for name in alternative_names(certificate):
            if name.tag == _ADDRESS and not _allowed(name.value, applying):
                raise PathError("name_constraints", "an address that a CA above it must not certify")


def _allowed(address: bytes, applying: Iterable[Constraints]) -> bool:
    for one in applying:
        if one.permitted is not None and not any(_contains(network, address) for network in one.permitted):
            return False
        if any(_contains(network, address) for network in one.excluded):
            return False
    return True


def _contains(network: bytes, address: bytes) -> bool:
    size = len(address)
    if len(network) != 2 * size:
        return False
    mask = network[size:]
    return all(base & bit == byte & bit for base, bit, byte in zip(network[:size], mask, address, strict=True))


def _bases(group: Element) -> Iterator[Element]:
    """Gives the bases of GeneralSubtrees. RFC 5280 §4.2.1.10: minimum is 0, which DER leaves out, and no maximum."""
    subtrees = der.members(group)
    if not subtrees:
        raise MalformedError("der.malformed", "nameConstraints with an empty list of subtrees")
    for subtree in subtrees:
        parts = der.sequence(subtree)
        if len(parts) != 1:
            raise MalformedError("der.malformed", "a name constraint with a minimum or a maximum")
        base = parts[0]
        _check_base(base)
        yield base


def _check_name(name: Element) -> None:
    _check_choice(name)
    value = name.value
    if name.tag == _ADDRESS:
        # RFC 5280 §4.2.1.6.
        if len(value) not in (4, 16):
            raise MalformedError("der.malformed", f"an address of {len(value)} bytes in subjectAltName")
    elif name.tag == _HOST and _HOST_NAME.fullmatch(_ascii(name)) is None:
        raise MalformedError("der.malformed", "a dNSName in subjectAltName that is not a host name")


def _check_base(base: Element) -> None:
    _check_choice(base)
    value = base.value
    if base.tag == _ADDRESS:
        if len(value) not in (8, 32) or not _is_mask(value[len(value) // 2 :]):
            raise MalformedError("der.malformed", "an address constraint that is not an address and a mask")
    # A base with a leading dot has no meaning for a dNSName, and readers differ in the one they give it.
    elif base.tag == _HOST and _HOST_BASE.fullmatch(_ascii(base)) is None:
        raise MalformedError("der.malformed", "a dNSName constraint that is not a host name")


def _check_choice(name: Element) -> None:
    if name.tag not in _GENERAL_NAMES:
        raise MalformedError("der.malformed", f"tag 0x{name.tag:02x} where a GeneralName belongs")
    if name.tag in (_MAIL, _URI):
        _ascii(name)
    elif name.tag == _DIRECTORY:
        der.sequence(der.inside(name))
    elif name.tag & _CONSTRUCTED:
        der.members(name)


def _ascii(name: Element) -> str:
    try:
        return name.value.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("der.malformed", "a name that must be an IA5String is not") from error


def _is_mask(mask: bytes) -> bool:
    """Whether all ones come before all zeros (RFC 4632)."""
    inverted = ~int.from_bytes(mask, "big") & ((1 << 8 * len(mask)) - 1)
    return inverted & (inverted + 1) == 0
