"""The certificate itself (RFC 5280 §4.1): an immutable view, made once from DER."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct

from keys import der
from keys.certificate import extensions as known
from keys.certificate import holder, names
from keys.certificate.extensions import DistributionPoint, Extension, Understood
from keys.certificate.names import Attribute
from keys.der import Element
from keys.errors import MalformedError

MAX_LENGTH = 64 * 1024  # bytes of one certificate

FATAL_ODDITIES = frozenset(
    {
        "extension.duplicate",  # RFC 5280 §4.2: at most one of each
        "issuer.empty",  # §4.1.2.4
        "subject.empty_of_ca",  # §4.1.2.6
        "key_usage.cert_sign_without_ca",  # §4.2.1.3 and §4.2.1.9
    }
)
"""The oddities with which no certificate may stand on a path. The others change nothing that trust rests on."""

_SM2_CURVE = bytes.fromhex("06082a811ccf5501822d")
_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})
_ENCIPHERING = frozenset({"keyEncipherment", "dataEncipherment", "keyAgreement"})
_AUTHORITY = frozenset({"keyCertSign", "cRLSign"})
_CRITICAL = bytes.fromhex("0101ff")
_CACHED = 64  # bytes of an AlgorithmIdentifier that is remembered
_SERIAL_OCTETS = 20  # RFC 5280 §4.1.2.2
_GENERALIZED_FROM = datetime(2050, 1, 1, tzinfo=UTC)  # RFC 5280 §4.1.2.5


class Certificate(Struct, frozen=True, kw_only=True, eq=False):
    """A parsed certificate. Nothing of it has been verified. Two are equal when their DER is.

    `tbs` is what `signature` is over, both as they stand in the DER; `signature_algorithm` is an AlgorithmIdentifier,
    `issuer` and `subject` are Names, `spki` is a SubjectPublicKeyInfo, all in DER. `version` is 1 to 3. The certificate
    is valid from `not_before` to `not_after`, both included, in UTC. `extensions` are by object identifier, of two with
    the same one the first. `oddities` are stable codes; see `FATAL_ODDITIES`.

    `repr` shows neither names nor numbers: a certificate may be a person's.
    """

    der: bytes
    fingerprint: str
    """SHA-256 of the DER: "sha256:" and 64 hexadecimal digits."""
    tbs: bytes
    signature_algorithm: bytes
    signature: bytes
    version: int
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Mapping[str, Extension]
    oddities: tuple[str, ...]
    issuer_attributes: tuple[Attribute, ...]
    subject_attributes: tuple[Attribute, ...]
    _understood: Understood

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __ne__(self, other: object) -> bool:
        # msgspec's own is not the contrary of the method above.
        return not self == other

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"Certificate(not_before={self.not_before!r}, not_after={self.not_after!r}, oddities={self.oddities!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # msgspec's own would show every field.
        return [("not_before", self.not_before), ("not_after", self.not_after), ("oddities", self.oddities)]

    @property
    def issued_at(self) -> datetime:
        """When it was issued, as far as it says itself: the start of its validity."""
        return self.not_before

    @property
    def key_usage(self) -> frozenset[str] | None:
        """The usages by their names in RFC 5280 §4.2.1.3; None where the extension is absent, never empty bits."""
        return self._understood.key_usage

    @property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        """Object identifiers of purposes (RFC 5280 §4.2.1.12); None where the extension is absent."""
        return self._understood.extended_key_usage

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says so."""
        return self._understood.is_ca

    @property
    def path_length(self) -> int | None:
        """How many intermediates may follow; None where a CA has no limit, and of all that are no CA."""
        return self._understood.path_length

    @property
    def subject_key_id(self) -> bytes | None:
        """The key identifier that this certificate gives its own key."""
        return self._understood.subject_key_id

    @property
    def authority_key_id(self) -> bytes | None:
        """The key identifier of the issuer's key."""
        return self._understood.authority_key_id

    @property
    def authority_issuer(self) -> bytes | None:
        """The issuer of the issuer's certificate, a Name in DER, with `authority_serial`."""
        return self._understood.authority_issuer

    @property
    def authority_serial(self) -> int | None:
        """The serial number of the issuer's certificate, with `authority_issuer`."""
        return self._understood.authority_serial

    @property
    def distribution_points(self) -> tuple[DistributionPoint, ...]:
        """Where its CRLs are to be had."""
        return self._understood.distribution_points

    @property
    def freshest_crl(self) -> tuple[DistributionPoint, ...]:
        """Where the delta CRLs are to be had (RFC 5280 §4.2.1.15)."""
        return self._understood.freshest_crl

    @property
    def certificate_policies(self) -> bytes | None:
        """CertificatePolicies in DER, unread."""
        return self._raw(known.CERTIFICATE_POLICIES)

    @property
    def name_constraints(self) -> bytes | None:
        """NameConstraints in DER, unread."""
        return self._raw(known.NAME_CONSTRAINTS)

    @property
    def subject_text(self) -> str:
        """The subject for people: safe to show, and without any person's number."""
        return names.name_text(self.subject_attributes, self._secrets())

    @property
    def issuer_text(self) -> str:
        """The issuer for people, as safe as `subject_text`."""
        return names.name_text(self.issuer_attributes, self._secrets())

    @property
    def common_name(self) -> str | None:
        """The last common name of the subject, as safe as `subject_text`."""
        return self._shown(names.COMMON_NAME)

    @property
    def organisation(self) -> str | None:
        """The last organisation of the subject, as safe as `subject_text`. Of some CAs' locks it is the CA."""
        return self._shown(names.ORGANISATION)

    @property
    def use(self) -> str:
        """What the certificate is for: "signing", "encryption", "both" or "ca".

        "ca" by basicConstraints, or where it may only sign certificates or CRLs. "both" also where keyUsage is absent.
        What may not sign is "encryption".
        """
        usage = self.key_usage
        if self.is_ca:
            return "ca"
        if usage is None:
            return "both"
        signs, enciphers = bool(usage & _SIGNING), bool(usage & _ENCIPHERING)
        if signs:
            return "both" if enciphers else "signing"
        return "ca" if usage & _AUTHORITY and not enciphers else "encryption"

    def _raw(self, oid: str) -> bytes | None:
        extension = self.extensions.get(oid)
        return None if extension is None else extension.value

    def _shown(self, oid: str) -> str | None:
        text = names.last(self.subject_attributes, oid)
        return None if text is None else names.shown(text, self._secrets())

    def _secrets(self) -> tuple[str, ...]:
        return holder.card_texts(self.extensions)


def parse_certificate(data: bytes) -> Certificate:
    """Reads one certificate in DER. Raises MalformedError "certificate.malformed", "certificate.too_large"."""
    if len(data) > MAX_LENGTH:
        raise MalformedError("certificate.too_large", f"{len(data)} bytes, of at most {MAX_LENGTH}")
    reader = _Reader()
    try:
        return reader.certificate(data)
    except MalformedError as error:
        raise MalformedError("certificate.malformed", f"{reader.part}: {error.detail}") from error


class _Reader:
    """Reads one certificate, and remembers which part it is at and what oddities it met."""

    def __init__(self) -> None:
        self.part = "certificate"
        self.oddities: list[str] = []

    def certificate(self, data: bytes) -> Certificate:
        """Reads Certificate. Raises MalformedError "der.malformed"."""
        parts = der.sequence(der.parse(data))
        if len(parts) != 3:
            raise _malformed(f"a certificate has 3 parts, not {len(parts)}")
        tbs, algorithm, signature_bits = parts
        self.part = "signatureAlgorithm"
        _algorithm(algorithm)
        self.part = "signature"
        signature = der.bit_string(signature_bits)
        self.part = "tbsCertificate"
        fields = list(der.sequence(tbs))
        version = self._version(fields)
        if len(fields) < 6:
            raise _malformed("parts are missing")
        serial, inner_algorithm, issuer, validity, subject, spki = fields[:6]
        self.part = "signatureAlgorithm"
        identifier, issuer_name, subject_name = algorithm.raw, issuer.raw, subject.raw
        if inner_algorithm.raw != identifier:
            raise _malformed("not the one that is signed, in tbsCertificate")  # RFC 5280 §4.1.1.2
        self.part = "serialNumber"
        number = self._serial(serial)
        self.part = "issuer"
        # Whoever is their own issuer may be a person, who is not to be remembered.
        read_issuer = names.read_name if issuer_name == subject_name else names.read_issuer
        issuer_attributes, oddities = read_issuer(issuer)
        self.oddities += oddities
        self.part = "validity"
        not_before, not_after = self._validity(validity)
        self.part = "subject"
        subject_attributes, oddities = names.read_name(subject)
        self.oddities += oddities
        self.part = "subjectPublicKeyInfo"
        self._spki(spki)
        self.part = "extensions"
        extensions, understood = self._extensions(fields[6:], version)
        self._whole(issuer_attributes, subject_attributes, understood)
        return Certificate(
            der=data,
            fingerprint=f"sha256:{hashlib.sha256(data).hexdigest()}",
            tbs=tbs.raw,
            signature_algorithm=identifier,
            signature=signature,
            version=version,
            serial=number,
            issuer=issuer_name,
            subject=subject_name,
            not_before=not_before,
            not_after=not_after,
            spki=spki.raw,
            extensions=extensions,
            oddities=tuple(dict.fromkeys(self.oddities)),
            issuer_attributes=issuer_attributes,
            subject_attributes=subject_attributes,
            _understood=understood,
        )

    def _version(self, fields: list[Element]) -> int:
        if not fields or fields[0].tag != 0xA0:
            return 1
        number = der.integer(der.inside(fields.pop(0)))
        if number not in (0, 1, 2):
            raise _malformed("the version is not 1, 2 or 3")
        if number == 0:
            self.oddities.append("version.default_encoded")  # X.690 §11.5
        return number + 1

    def _serial(self, element: Element) -> int:
        number = known.read_serial(element)
        if number < 0:
            self.oddities.append("serial.negative")
        elif number == 0:
            self.oddities.append("serial.zero")
        if element.end - element.content > _SERIAL_OCTETS:
            self.oddities.append("serial.too_long")
        return number

    def _validity(self, element: Element) -> tuple[datetime, datetime]:
        times = der.sequence(element)
        if len(times) != 2:
            raise _malformed(f"it has 2 times, not {len(times)}")
        not_before, not_after = map(self._time, times)
        if not_after < not_before:
            self.oddities.append("validity.reversed")
        return not_before, not_after

    def _time(self, element: Element) -> datetime:
        instant, usual = der.any_time(element)
        if element.tag == der.UTC_TIME:
            if not usual:
                self.oddities.append("time.utctime_variant")
        elif not usual:
            self.oddities.append("time.generalized_variant")
        elif instant < _GENERALIZED_FROM:
            self.oddities.append("time.generalized_before_2050")
        return instant

    def _spki(self, element: Element) -> None:
        parts = der.sequence(element)
        if len(parts) != 2:
            raise _malformed(f"it has 2 parts, not {len(parts)}")
        _algorithm(parts[0])
        der.bit_string(parts[1])
        if element.data.startswith(_SM2_CURVE, parts[0].content):
            self.oddities.append("spki.sm2_curve_as_algorithm")

    def _extensions(self, fields: list[Element], version: int) -> tuple[Mapping[str, Extension], Understood]:
        before = 0
        found: dict[str, tuple[bool, Element]] = {}
        for part in fields:
            tag = part.tag & 0x1F
            if part.tag not in (0x81, 0x82, 0xA3) or tag <= before:
                raise _malformed(f"tag 0x{part.tag:02x} out of place (at byte {part.start})")
            # RFC 5280 §4.1.2.8, §4.1.2.9.
            if version < (3 if tag == 3 else 2):
                raise _malformed(f"a certificate of version {version} has none of tag [{tag}]")
            if tag == 3:
                found = self._read_extensions(der.inside(part))
            else:
                der.bits(der.retagged(part, der.BIT_STRING))
            before = tag
        understood = known.understand(found, self.oddities)
        values = {oid: Extension(critical, octets.value) for oid, (critical, octets) in found.items()}
        return MappingProxyType(values), understood

    def _read_extensions(self, element: Element) -> dict[str, tuple[bool, Element]]:
        found: dict[str, tuple[bool, Element]] = {}
        for extension in der.sequence(element):
            oid, critical, octets = _plain_extension(extension) or self._odd_extension(extension)
            if oid in found:
                self.oddities.append("extension.duplicate")
            else:
                found[oid] = critical, octets
        if not found:
            self.oddities.append("extension.none")
        return found

    def _odd_extension(self, extension: Element) -> tuple[str, bool, Element]:
        parts = der.sequence(extension)
        if len(parts) not in (2, 3):
            raise _malformed(f"an extension has 2 or 3 parts, not {len(parts)} (at byte {extension.start})")
        critical = len(parts) == 3 and der.boolean(parts[1])
        if len(parts) == 3 and not critical:
            self.oddities.append("extension.default_encoded")  # X.690 §11.5
        if parts[-1].tag != der.OCTET_STRING:
            der.octet_string(parts[-1])
        return der.oid(parts[0]), critical, parts[-1]

    def _whole(self, issuer: tuple[Attribute, ...], subject: tuple[Attribute, ...], understood: Understood) -> None:
        """Tells what only shows when the parts are seen together."""
        if not issuer:
            self.oddities.append("issuer.empty")
        if not subject and understood.is_ca:
            self.oddities.append("subject.empty_of_ca")
        if not understood.is_ca and "keyCertSign" in (understood.key_usage or ()):
            self.oddities.append("key_usage.cert_sign_without_ca")


def _plain_extension(extension: Element) -> tuple[str, bool, Element] | None:
    """Reads what nearly all are, of short lengths, in one step; None for all else, well formed or not."""
    data, at, end = extension.data, extension.content, extension.end
    if extension.tag != der.SEQUENCE or not 4 <= end - at < 0x80 or data[at] != der.OID:
        return None
    octets = at + 2 + data[at + 1]
    critical = data.startswith(_CRITICAL, octets)
    name, octets = data[at + 2 : octets], octets + 3 if critical else octets
    if octets + 2 > end or data[octets] != der.OCTET_STRING or data[octets + 1] != end - octets - 2:
        return None
    oid = der.dotted(name)
    return (
        None
        if oid is None
        else (oid, critical, Element(data, der.OCTET_STRING, octets, octets + 2, end, extension.depth + 1))
    )


def _algorithm(element: Element) -> None:
    """Checks an AlgorithmIdentifier, of which there are few."""
    if element.end - element.start > _CACHED or not _usual_algorithm(element.raw):
        _read_algorithm(element)


@lru_cache(maxsize=256)
def _usual_algorithm(raw: bytes) -> bool:
    try:
        _read_algorithm(der.parse(raw))
    except MalformedError:
        return False  # where it stands, the fault can be told with its place
    return True


def _read_algorithm(element: Element) -> None:
    """Reads an object identifier, then at most one parameter."""
    parts = der.sequence(element)
    if not 1 <= len(parts) <= 2:
        raise _malformed(f"an AlgorithmIdentifier has 1 or 2 parts, not {len(parts)}")
    der.oid(parts[0])


def _malformed(what: str) -> MalformedError:
    return MalformedError("der.malformed", what)
