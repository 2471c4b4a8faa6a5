"""Signed documents of the Chinese dialect by other software: those that are signed verify, the others are named."""

from collections.abc import Iterator
from pathlib import Path

from conformance.suite import Row
from keys.certificate import Certificate
from keys.cms import SignedData, find_certificate, parse_cms, verify_signer
from keys.content import Octets
from keys.errors import KeysError

_CONTENT = b"Hello Secret World!"
"""What both signed messages are over; the detached one does not carry it."""

# By name: how each is refused, None where it is signed, with a word that the refusal has.
_EXPECTED: dict[str, tuple[str, str] | None] = {
    "cms_193a5b369d25": None,
    "cms_6996d6715490": None,
    "cms_3c310a08f16f": ("cms.not_signed", "signedAndEnveloped (GM)"),
    "cms_72966d6d9cae": ("cms.not_signed", "enveloped (GM)"),
    "cms_dca2440058ba": ("cms.not_signed", "enveloped (GM)"),
    "cms_7d1f8215e7e5": ("cms.no_signer", "certificates"),
}


def rows(folder: Path) -> list[Row]:
    """Runs the one set there is."""
    cases = list(_judged(folder))
    deviations = [(case, why) for case, why in cases if why is not None]
    if len(cases) != len(_EXPECTED):
        deviations.append(("all", f"{len(cases)} cases, not {len(_EXPECTED)}"))
    return [
        Row(
            name="CMS of the Chinese dialect: signed, enveloped, certificates only",
            passed=sum(why is None for _, why in cases),
            total=len(_EXPECTED),
            deviations=tuple(deviations),
            goal="all",
            met=not deviations,
        )
    ]


def _judged(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Gives every case, and None where it went as expected, else what happened."""
    for path in sorted((folder / "cms/gm").glob("*.p7.der")):
        name = path.name.removesuffix(".p7.der")
        data = path.read_bytes()
        if name not in _EXPECTED:
            yield name, "not expected"
        elif (refusal := _EXPECTED[name]) is None:
            yield name, _not_verified(data)
        else:
            yield name, _not_refused(data, *refusal)


def _not_refused(data: bytes, code: str, named: str) -> str | None:
    try:
        parse_cms(data)
    except KeysError as error:
        return None if error.code == code and named in error.detail else f"refused otherwise: {error}"
    return "accepted"


def _not_verified(data: bytes) -> str | None:
    """Verifies every signer over the content, and none over other content."""
    try:
        read = parse_cms(data)
        shown = _shown(read)
        _verify(read, shown, read.content or _CONTENT)
    except KeysError as error:
        return f"refused: {error}"
    try:
        _verify(read, shown, _CONTENT[:-1])
    except KeysError:
        return None
    return "accepted over other content"


def _shown(read: SignedData) -> list[Certificate]:
    found = [find_certificate(signer, read.certificates) for signer in read.signers]
    return [certificate for certificate in found if certificate is not None]


def _verify(read: SignedData, shown: list[Certificate], content: bytes) -> None:
    if len(shown) != len(read.signers):
        raise KeysError("cms.certificate_other", "a signer's certificate is not inside")
    for signer, certificate in zip(read.signers, shown, strict=True):
        verify_signer(signer, certificate, Octets(content))
