"""Whose lock it is: the holder that a certificate names, found where Chinese CAs hide the code (domain.md)."""

import re
from collections.abc import Iterable

from keys.certificate import MASK, Candidate, Certificate, holder_candidates
from keys.certificate.names import Attribute
from keys.revocation.names import folded
from registry.credential import Credential, Subject
from registry.identifiers import compact, uscc_check, uscc_well_formed

UNNAMED = "—"
"""In the place of a name that is not shown."""
_COUNTRY, _STATE, _LOCALITY, _ORGANISATION, _COMMON_NAME = "2.5.4.6", "2.5.4.8", "2.5.4.7", "2.5.4.10", "2.5.4.3"
_PLACES = frozenset((_COUNTRY, _STATE, _LOCALITY))
_ID_CARD = "1.2.156.10260.4.1.1"
_DIGITS = 6  # of a code: a unified social credit code has those of its area
_LONG = re.compile(
    "(?:[^\u4e00-\u9fff]*[\u4e00-\u9fff]){6}"
)  # six Chinese characters: hardly a person's name (a middle dot aside), hardly less than an organisation's
_SHOWN = 200  # characters of an issuer that nobody vouches for
_DOTS = frozenset("·•‧・")
_KINDS = re.compile(
    "公司|企业|集团|中心|医院|学校|学院|大学|银行|协会|学会|商会|基金会|合作社|事务所|研究|经营部|工厂|厂$|店$|社$|局$|院$|所$|处$|部$|会$"
    r"|\b(?:ltd|limited|inc|llc|corp|company|co|gmbh|plc|bank|university|institute|centre|center)\b",
    re.IGNORECASE,
)


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


def is_organisation(name: str) -> bool:
    """Whether a name is an organisation's beyond doubt: by a word that only those have, or by its length in Chinese."""
    return (_LONG.match(name) is not None and _DOTS.isdisjoint(name)) or _KINDS.search(name) is not None


def subject_of(certificate: Certificate) -> Subject:
    """The holder: an organisation where a code or such a name was found and no person's number alone; else a person.

    A person's number is never read into a value; a person's name is kept as the certificate has it and never shown.
    """
    candidates = holder_candidates(certificate)
    uscc = _uscc(candidates)
    personal = _ID_CARD in certificate.extensions or any(candidate.personal for candidate in candidates)
    # A representative's lock has the person for its common name, and organisations are shown by their names.
    name = _organisation(certificate) if personal else _name(certificate)
    if uscc is None and (personal or not is_organisation(name)):
        return Subject(kind="person", name=_name(certificate), uscc=None)
    if not is_organisation(name):
        name = _organisation(certificate)
        name = name if is_organisation(name) else UNNAMED
    return Subject(kind="organisation", name=name, uscc=uscc)


def shown_subject(certificate: Certificate) -> str | None:
    """The subject for people: whole where each part is an organisation's, else its name alone; of a person nothing."""
    subject = subject_of(certificate)
    if subject.kind == "person":
        return None
    if _ID_CARD in certificate.extensions:
        return subject.name
    whole = all(_is_plain(attribute, subject.uscc) for attribute in certificate.subject_attributes)
    return certificate.subject_text if whole else subject.name


def _is_plain(attribute: Attribute, uscc: str | None) -> bool:
    if attribute.oid in _PLACES:
        return True
    if attribute.oid in (_ORGANISATION, _COMMON_NAME):
        return is_organisation(attribute.text)
    return uscc is not None and compact(attribute.text) == uscc


def issuer_of(certificate: Certificate) -> str:
    """The issuer for people. Who issued a certificate to himself may be a person, and is not named."""
    if folded(certificate.issuer) == folded(certificate.subject):
        return UNNAMED
    return certificate.issuer_text[:_SHOWN]


def _name(certificate: Certificate) -> str:
    """The holder's name: the common name, or its part that is neither a code nor a counter (`id@name@01@003`)."""
    common = certificate.common_name
    if common is None:
        return _organisation(certificate)
    if "@" not in common:
        return common
    parts = [part.strip() for part in common.split("@")]
    words = [part for part in parts if part and part != MASK and not _is_number(part)]
    if not words:
        return common
    organisations = [word for word in words if is_organisation(word)]
    return max(organisations or [word for word in words if not word.isascii()] or words, key=len)


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """The names that the holder may be known by, shown or not: an asker who knows one of them may be told so."""
    return _name(certificate), _organisation(certificate)


def _is_number(part: str) -> bool:
    text = compact(part)
    return text.isdecimal() or (text.isascii() and sum(map(str.isdecimal, text)) >= _DIGITS)


def _organisation(certificate: Certificate) -> str:
    """The organisation in the subject, where it is not that of the CA (domain.md: of some CAs' locks it is)."""
    found = certificate.organisation
    issuers = [attribute.text for attribute in certificate.issuer_attributes if attribute.oid == _ORGANISATION]
    return UNNAMED if found is None or found in issuers else found


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
