"""Whose lock it is: the holder that a certificate names, found where Chinese CAs hide the code (domain.md)."""

from collections.abc import Iterable

from keys.certificate import MASK, Candidate, Certificate, holder_candidates
from registry.credential import Credential, Subject
from registry.identifiers import compact, uscc_check, uscc_well_formed

_UNNAMED = "—"
_ORGANISATION = "2.5.4.10"
_DIGITS = 6  # of a code: a unified social credit code has those of its area


def uscc_of(certificate: Certificate) -> str | None:
    """The one unified social credit code in the certificate whose check character is right; None if not exactly one."""
    return _uscc(holder_candidates(certificate))


def _uscc(candidates: Iterable[Candidate]) -> str | None:
    found = {
        text
        for candidate in candidates
        if not candidate.personal
        and uscc_well_formed(text := compact(candidate.text))
        and uscc_check(text[:17]) == text[17]
    }
    return found.pop() if len(found) == 1 else None


def subject_of(certificate: Certificate) -> Subject:
    """The holder: an organisation where a code was found, a person where only an identity number was.

    A person's number is never read into a value; a person's name is kept as the certificate has it and never shown.
    """
    candidates = holder_candidates(certificate)
    uscc = _uscc(candidates)
    personal = any(candidate.personal for candidate in candidates)
    if personal and uscc is None:
        return Subject(kind="person", name=_name(certificate), uscc=None)
    # A representative's lock has the person for its common name, and organisations are shown by their names.
    name = _organisation(certificate) if personal else _name(certificate)
    return Subject(kind="organisation", name=name, uscc=uscc)


def shown_subject(certificate: Certificate) -> str | None:
    """The subject for people. Beside a person's number only the organisation's name is shown, of a person nothing."""
    if not any(candidate.personal for candidate in holder_candidates(certificate)):
        return certificate.subject_text
    subject = subject_of(certificate)
    return None if subject.kind == "person" else subject.name


def issuer_of(certificate: Certificate) -> str:
    """The issuer for people. Who issued a certificate to himself may be a person, and is not named."""
    return _UNNAMED if certificate.issuer == certificate.subject else certificate.issuer_text


def _name(certificate: Certificate) -> str:
    """The holder's name: the common name, or its part that is neither a code nor a counter (`id@name@01@003`)."""
    common = certificate.common_name
    if common is None:
        return _organisation(certificate)
    parts = [part.strip() for part in common.split("@")]
    words = [part for part in parts if part and part != MASK and not _is_number(part)]
    if len(parts) == 1 or not words:
        return common
    return max((word for word in words if not word.isascii()), key=len, default=max(words, key=len))


def _is_number(part: str) -> bool:
    text = compact(part)
    return text.isdecimal() or (text.isascii() and sum(map(str.isdecimal, text)) >= _DIGITS)


def _organisation(certificate: Certificate) -> str:
    """The organisation in the subject, where it is not that of the CA (domain.md: of some CAs' locks it is)."""
    issuers = {attribute.text for attribute in certificate.issuer_attributes if attribute.oid == _ORGANISATION}
    found = certificate.organisation
    return _UNNAMED if found is None or found in issuers else found


def credential_of(certificate: Certificate, type_id: str, issuer: str, attributes: dict[str, str]) -> Credential:
    """The certificate as a credential, for what the answer tells about it."""
    return Credential(
        type=type_id,
        number=serial_text(certificate.serial),
        issuer=issuer,
        subject=subject_of(certificate),
        issued_at=certificate.not_before,
        valid_from=certificate.not_before,
        valid_until=certificate.not_after,
        attributes=attributes,
        recorded_at=certificate.not_before,
        predecessor=None,
        events=(),
    )


def serial_text(serial: int) -> str:
    """A serial number as registers write it: capital hexadecimal digits, an even number of them."""
    digits = f"{abs(serial):X}"
    return f"{'-' if serial < 0 else ''}{'0' if len(digits) % 2 else ''}{digits}"
