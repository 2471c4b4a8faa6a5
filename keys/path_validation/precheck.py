"""What a certificate must be before its place in a path is looked at: the profile of RFC 5280 §4.

certvalidator judges paths by RFC 5280 §6.1, which takes the profile for granted: it accepts, for instance, the same
extension twice, keyCertSign on a holder's certificate, or two algorithms of which only one is signed.
"""

from datetime import datetime
from enum import Enum
from functools import lru_cache

from keys import der
from keys.certificate import FATAL_ODDITIES, Certificate
from keys.errors import MalformedError
from keys.path_validation import names
from keys.path_validation.errors import PathError

POLICY_MAPPINGS = "2.5.29.33"
POLICY_CONSTRAINTS = "2.5.29.36"
INHIBIT_ANY_POLICY = "2.5.29.54"

CONSTRAINING = (names.NAME_CONSTRAINTS, POLICY_MAPPINGS, POLICY_CONSTRAINTS, INHIBIT_ANY_POLICY)

# Handled here or by certvalidator, so that "critical" is honoured (RFC 5280 §4.2).
_PROCESSED = frozenset(
    {
        "2.5.29.15",  # keyUsage
        "2.5.29.17",  # subjectAltName
        "2.5.29.19",  # basicConstraints
        "2.5.29.30",  # nameConstraints
        "2.5.29.31",  # cRLDistributionPoints
        "2.5.29.32",  # certificatePolicies
        "2.5.29.33",  # policyMappings
        "2.5.29.36",  # policyConstraints
        "2.5.29.37",  # extKeyUsage
        "2.5.29.54",  # inhibitAnyPolicy
    }
)

# RFC 5280 §4.2.1.1, §4.2.1.2, §4.2.1.8, §4.2.1.15, §4.2.2: "MUST mark this extension as non-critical".
_NEVER_CRITICAL = {
    "2.5.29.35": "authorityKeyIdentifier",
    "2.5.29.14": "subjectKeyIdentifier",
    "2.5.29.9": "subjectDirectoryAttributes",
    "2.5.29.46": "freshestCRL",
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
    "1.3.6.1.5.5.7.1.11": "subjectInfoAccess",
}

_ANY_PURPOSE = "2.5.29.37.0"
_CACHED = 512  # bytes of policies that are remembered
_EMPTY_NAME = b"\x30\x00"
_SERIAL = frozenset({"serial.negative", "serial.zero", "serial.too_long"})
_REFUSED = FATAL_ODDITIES | {"basic_constraints.path_length_without_ca"}

# Which step an oddity belongs to; of the others it is "profile".
_STEPS = {
    "extension.duplicate": "malformed",
    "key_usage.cert_sign_without_ca": "basic_constraints",
    "basic_constraints.path_length_without_ca": "basic_constraints",
}


class Role(Enum):
    """Where a certificate stands in a path."""

    ANCHOR = "the anchor"
    CA = "an intermediate CA"
    LEAF = "the last certificate"


def check_form(certificate: Certificate, role: Role) -> None:
    """Holds a certificate against the profile, as far as readers would come to different paths without it.

    Raises PathError "malformed", "profile", "unknown_critical_extension", "basic_constraints", "key_usage",
    "key_identifier".
    """
    try:
        _check_oddities(certificate, role)
        if certificate.is_ca or role is not Role.LEAF:
            _check_ca(certificate, role)
        elif names.NAME_CONSTRAINTS in certificate.extensions:
            raise PathError("profile", f"{role.value}: nameConstraints, and no CA")
        _check_critical(certificate)
        _check_names(certificate)
        _check_policies(certificate)
    except MalformedError as error:
        raise PathError("malformed", f"{role.value}: {error.detail}") from error


def check_link(issuer: Certificate, subject: Certificate) -> bool:
    """Whether the authority key identifier, where it says something, means this issuer (RFC 5280 §4.2.1.1).

    The key identifier decides where both sides have one; else the serial number, where it is given.
    """
    wanted, has = subject.authority_key_id, issuer.subject_key_id
    if wanted is not None and has is not None:
        return wanted == has
    return subject.authority_serial is None or subject.authority_serial == issuer.serial


def check_validity(certificate: Certificate, instant: datetime) -> None:
    """Raises PathError "validity" unless not_before ≤ instant ≤ not_after (RFC 5280 §4.1.2.5)."""
    if instant < certificate.not_before:
        raise PathError("validity", f"not valid before {certificate.not_before.isoformat()}")
    if instant > certificate.not_after:
        raise PathError("validity", f"expired on {certificate.not_after.isoformat()}")


def check_purpose(certificate: Certificate, purpose: str) -> None:
    """Raises PathError "purpose" where extKeyUsage is present and does not have the OID (RFC 5280 §4.2.1.12)."""
    allowed = certificate.extended_key_usage
    if allowed is not None and purpose not in allowed and _ANY_PURPOSE not in allowed:
        raise PathError("purpose", f"the extended key usage does not have {purpose}")


def _check_oddities(certificate: Certificate, role: Role) -> None:
    for oddity in certificate.oddities:
        # RFC 5280 §4.1.2.2 asks readers to be prepared for such numbers. A holder did not choose its own; a CA that we
        # did not choose either has no excuse. An anchor's serial number names it to nobody.
        odd_serial = oddity in _SERIAL and certificate.is_ca and role is not Role.ANCHOR
        if oddity in _REFUSED or odd_serial:
            raise PathError(_STEPS.get(oddity, "profile"), f"{role.value}: {oddity}")


def _check_critical(certificate: Certificate) -> None:
    for oid, extension in certificate.extensions.items():
        if not extension.critical or oid in _PROCESSED:
            continue
        if oid in _NEVER_CRITICAL:
            raise PathError("profile", f"{_NEVER_CRITICAL[oid]} is marked critical")
        raise PathError("unknown_critical_extension", f"extension {oid} is critical and not known here")


def _check_ca(certificate: Certificate, role: Role) -> None:
    # RFC 5280 §6.1.4 (k), (n).
    if not certificate.is_ca:
        raise PathError("basic_constraints", f"{role.value} is no CA")
    usage = certificate.key_usage
    if usage is not None and "keyCertSign" not in usage:
        raise PathError("key_usage", f"{role.value} must not sign certificates")
    constraints = certificate.extensions.get(names.NAME_CONSTRAINTS)
    if constraints is not None and not constraints.critical:
        raise PathError("profile", f"{role.value}: nameConstraints is not critical")
    if certificate.subject_key_id is None:
        raise PathError("key_identifier", f"{role.value} has no subject key identifier")
    # RFC 5280 §4.2.1.1 excepts the self-signed, which an issuer with the subject's own name may be.
    if certificate.authority_key_id is None and certificate.issuer != certificate.subject:
        raise PathError("key_identifier", f"{role.value} has no authority key identifier")


def _check_names(certificate: Certificate) -> None:
    names.constraints(certificate)
    alternatives = names.alternative_names(certificate)
    if certificate.subject != _EMPTY_NAME:
        return
    # RFC 5280 §4.1.2.6.
    if not alternatives or not certificate.extensions[names.SUBJECT_ALT_NAME].critical:
        raise PathError("profile", "a certificate without a name in its subject or in a critical subjectAltName")


def _check_policies(certificate: Certificate) -> None:
    policies = certificate.certificate_policies
    if policies is None or (len(policies) <= _CACHED and _usual_policies(policies)):
        return
    _read_policies(policies)


@lru_cache(maxsize=256)
def _usual_policies(policies: bytes) -> bool:
    """Whether they are well formed: an authority writes the same into all its certificates."""
    try:
        _read_policies(policies)
    except MalformedError:
        return False
    return True


def _read_policies(policies: bytes) -> None:
    said = [der.oid(parts[0]) if (parts := der.sequence(one)) else "" for one in der.sequence(der.parse(policies))]
    # RFC 5280 §4.2.1.4: one or more, each once.
    if not all(said) or len(set(said)) != len(said) or not said:
        raise MalformedError("der.malformed", "certificatePolicies without a policy, or with one twice")
