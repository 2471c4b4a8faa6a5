"""Puts timestamps of signatures into a CMS file: the unsigned attribute of RFC 3161 Appendix A, for every signer."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.softlock import encoding
from keys import der
from keys.cms import ber
from keys.der import Element
from keys.errors import MalformedError

TIMESTAMP_ATTRIBUTE = "1.2.840.113549.1.9.16.2.14"

_SIGNED_DATA = frozenset({"1.2.840.113549.1.7.2", "1.2.156.10197.6.1.4.2.2"})
_CODE = "timestamp.not_signed"
_EXPLICIT, _UNSIGNED = 0xA0, 0xA1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A SignedData as it stands: its ContentInfo, its own members, and its SignerInfos."""

    content_type: Element
    members: tuple[Element, ...]
    signers: tuple[Element, ...]


def signatures(cms: bytes) -> tuple[bytes, ...]:
    """What each signer signed: the octets that a timestamp of the signature is over (RFC 3161 Appendix A).

    Raises MalformedError "timestamp.not_signed" for what is not SignedData, in DER or BER, with a signer.
    """
    return tuple(_signature(signer).value for signer in _find(cms).signers)


def with_timestamps(cms: bytes, tokens: Sequence[bytes]) -> bytes:
    """The file with one more timestamp for every signer: a token of each of its `signatures`, in their order.

    Nothing that was signed changes; it is written in DER. Raises as `signatures` does, and ValueError for another
    number of tokens.
    """
    found = _find(cms)
    stamped = [_stamped(*each) for each in zip(found.signers, tokens, strict=True)]
    members = [member.raw for member in found.members[:-1]]
    content = encoding.sequence(*members, encoding.tlv(der.SET, b"".join(sorted(stamped))))
    return encoding.sequence(found.content_type.raw, encoding.explicit(0, content))


def _find(cms: bytes) -> _Found:
    try:
        content_type, content = _two(der.sequence(der.parse(ber.definite(cms))))
        if der.oid(content_type) not in _SIGNED_DATA or content.tag != _EXPLICIT:
            raise _unsigned("its content is not SignedData")
        members = der.sequence(der.inside(content))
        signers = der.set_of(members[-1]) if members else ()
        for signer in signers:
            _signature(signer)
    except MalformedError as error:
        raise error if error.code == _CODE else _unsigned(error.detail) from error
    if not signers:
        raise _unsigned("it has no signers")
    return _Found(content_type=content_type, members=members, signers=signers)


def _two(parts: tuple[Element, ...]) -> tuple[Element, Element]:
    if len(parts) != 2:
        raise _unsigned(f"{len(parts)} members, not 2")
    return parts[0], parts[1]


def _signature(signer: Element) -> Element:
    """The OCTET STRING of the signature: the last member, or the one before the unsigned attributes."""
    parts = der.sequence(signer)
    place = -2 if parts and parts[-1].tag == _UNSIGNED else -1
    if len(parts) < 2 or parts[place].tag != der.OCTET_STRING:
        raise _unsigned("a signer without a signature")
    return parts[place]


def _stamped(signer: Element, token: bytes) -> bytes:
    parts = [*der.sequence(signer)]
    attribute = encoding.sequence(encoding.oid(TIMESTAMP_ATTRIBUTE), encoding.tlv(der.SET, token))
    held = [attribute]
    if parts[-1].tag == _UNSIGNED:
        held += [member.raw for member in der.members(parts.pop())]
    return encoding.sequence(*(part.raw for part in parts), encoding.tlv(_UNSIGNED, b"".join(sorted(held))))


def _unsigned(why: str) -> MalformedError:
    return MalformedError(_CODE, f"not a CMS file that somebody signed: {why}")
