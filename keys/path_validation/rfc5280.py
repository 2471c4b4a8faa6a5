"""The algorithm of RFC 5280 §6 as certvalidator runs it: the one call site of that library and of asn1crypto's names.

Nothing is fetched, so its coroutines never wait for anything and end at their first step, without an event loop.
This module is imported when a path is first judged, as the library takes 0.2 s to load.
"""

import logging
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from asn1crypto import algos, crl, keys, x509  # type: ignore[import-untyped]
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator import errors
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.name_trees import PKIXSubtrees, process_general_subtrees
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    PKIXValidationParams,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    SignatureValidationContext,
    SignatureValidator,
)
from pyhanko_certvalidator.validate import async_validate_path

from keys import der
from keys.certificate import Certificate
from keys.path_validation.errors import PathError
from keys.path_validation.path import ANY_POLICY, Rules
from keys.path_validation.signatures import Signatures

MAX_CRL_BYTES = 512 * 1024  # of all CRLs of a question: asn1crypto takes 6 kB of memory and 60 µs for an entry
MAX_NAME_BYTES = 1024  # compared otherwise than byte by byte
MAX_POLICY_NODES = 128  # of the policy graph, whose edges grow with the square

_UNLIMITED = 1_000_000  # certificates in a path

# Its refusals come back as PathError; in its own log they would show foreign names.
logging.getLogger("pyhanko_certvalidator").addHandler(logging.NullHandler())
logging.getLogger("pyhanko_certvalidator").propagate = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a candidate path."""

    instant: datetime
    rules: Rules
    crls: tuple[bytes, ...] | None
    others: tuple[Certificate, ...]  # among which the signers of CRLs may be


class _View(x509.Certificate):  # type: ignore[misc]
    """A certificate as certvalidator sees it.

    Constraints on addresses are hidden: they are judged in `names`, and certvalidator refuses every address under one.
    """

    @property
    def name_constraints_value(self) -> Any:
        constraints = super().name_constraints_value
        if constraints is None:
            return None
        kept = {}
        for field in ("permitted_subtrees", "excluded_subtrees"):
            subtrees = constraints[field]
            if isinstance(subtrees, x509.GeneralSubtrees):
                others = [one for one in subtrees if one["base"].name != "ip_address"]
                if others:
                    kept[field] = others
        return x509.NameConstraints(kept) if kept else None


class _Hook(SignatureValidator):
    """Sends every signature of a path and of its CRLs to our own schemes."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures
        self._complete: dict[bytes, keys.PublicKeyInfo] = {}

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        key = self._with_parameters(public_key_info)
        try:
            self._signatures.verify(key.dump(), signature_algorithm.dump(), signature, signed_data)
        except PathError as error:
            if error.step == "too_complex":
                raise
            raise InvalidSignature(error.detail) from error

    def _with_parameters(self, key: keys.PublicKeyInfo) -> keys.PublicKeyInfo:
        """Gives a DSA key the parameters that it inherited when it verified a certificate of this path.

        certvalidator carries them on to certificates (RFC 5280 §6.1.4 (f)), but not to CRLs.
        """
        if key.algorithm != "dsa":
            return key
        if key["algorithm"]["parameters"].native is None:
            return self._complete.get(key["public_key"].dump(), key)
        self._complete[key["public_key"].dump()] = key
        return key


@lru_cache(maxsize=4096)
def name_key(name: bytes) -> str | bytes:
    """Gives what is the same for Names in DER that are the same by RFC 5280 §7.1.

    For one that asn1crypto cannot compare so, as one in GB18030, and for very long ones, these are its bytes.
    """
    if len(name) > MAX_NAME_BYTES:
        return name
    try:
        return str(x509.Name.load(name, strict=True).hashable)
    except (ValueError, TypeError, KeyError):
        return name


def validate(candidate: Sequence[Certificate], question: Question, signatures: Signatures) -> frozenset[str]:
    """Judges one path, leaf first and anchor last: gives the policies it is valid for, in dotted form.

    Raises PathError, of any step but "no_anchor".
    """
    try:
        return _validate(candidate, question, signatures)
    except PathError:
        raise
    except errors.PathValidationError as error:
        raise _refusal(error) from error
    except Exception as error:
        # The library is given foreign bytes, and lets out whatever its parser and its own slips raise.
        raise PathError("malformed", f"the path cannot be read ({type(error).__name__})") from error


def _validate(candidate: Sequence[Certificate], question: Question, signatures: Signatures) -> frozenset[str]:
    anchor, *rest = (_View.load(certificate.der, strict=True) for certificate in reversed(candidate))
    qualifiers = _qualifiers(anchor, question.rules)
    path = ValidationPath(CertTrustAnchor(anchor, qualifiers), rest[:-1], rest[-1] if rest else None)
    context = ValidationContext(
        trust_roots=[anchor],
        other_certs=list(_crl_signers(rest, question)),
        moment=question.instant,
        allow_fetching=False,
        crls=_crls(question.crls),
        revinfo_policy=_revocation_policy(question.crls),
        time_tolerance=timedelta(0),
        algorithm_usage_policy=AcceptAllAlgorithms(),
        signature_validator=_Hook(signatures),
    )
    parameters = _parameters(question.rules)
    _run(async_validate_path(context, path, parameters))
    policies = path.qualified_policies() or frozenset()
    return frozenset(
        ANY_POLICY if one.user_domain_policy_id == "any_policy" else one.user_domain_policy_id for one in policies
    )


def _crl_signers(path: Sequence[_View], question: Question) -> Iterator[_View]:
    """Gives the certificates among which the signer of a CRL is looked for, by name."""
    if question.crls is None:
        return
    for one in (*path, *(_View.load(certificate.der) for certificate in question.others)):
        try:
            one.subject.hashable  # noqa: B018 - what certvalidator will ask for
        except ValueError:
            continue
        yield one


def _run(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    finally:
        coroutine.close()
    raise RuntimeError("certvalidator waits for something, though it may fetch nothing")


def _parameters(
    rules: Rules, permitted: PKIXSubtrees | None = None, excluded: PKIXSubtrees | None = None
) -> PKIXValidationParams:
    return PKIXValidationParams(
        user_initial_policy_set=frozenset(
            "any_policy" if policy == ANY_POLICY else policy for policy in rules.initial_policies
        ),
        initial_policy_mapping_inhibit=rules.inhibit_policy_mapping,
        initial_explicit_policy=rules.explicit_policy,
        initial_any_policy_inhibit=rules.inhibit_any_policy,
        initial_permitted_subtrees=permitted,
        initial_excluded_subtrees=excluded,
        max_policy_graph_nodes=MAX_POLICY_NODES,
    )


def _qualifiers(anchor: _View, rules: Rules) -> TrustQualifiers:
    """The anchor's own limits, which RFC 5280 leaves to those who trust it: here they bind, as in RFC 5937 §3.

    Its policies do not: policies that must be there are given with the question. The rules stand here once more, as
    certvalidator takes an anchor's "any policy" for the intersection of both.
    """
    constraints = anchor.name_constraints_value
    subtrees: dict[str, PKIXSubtrees | None] = {"permitted_subtrees": None, "excluded_subtrees": None}
    for field in subtrees:
        if constraints is not None and isinstance(constraints[field], x509.GeneralSubtrees):
            subtrees[field] = process_general_subtrees(constraints[field])
    limits = [limit for limit in (anchor.max_path_length, rules.max_path_length) if limit is not None]
    return TrustQualifiers(
        standard_parameters=_parameters(rules, subtrees["permitted_subtrees"], subtrees["excluded_subtrees"]),
        max_path_length=min(limits, default=None),
        # Counted down whenever the other one is given, so it must be a number.
        max_aa_path_length=_UNLIMITED,
        valid_from=anchor.not_valid_before,
        valid_until=anchor.not_valid_after,
    )


def _crls(given: tuple[bytes, ...] | None) -> list[crl.CertificateList]:
    size = sum(map(len, given or ()))
    if size > MAX_CRL_BYTES:
        raise PathError("too_complex", f"{size} bytes of CRLs for a path, of at most {MAX_CRL_BYTES}")
    for data in given or ():
        # asn1crypto reads past bits that a signature leaves unused: the same list would be met in several encodings.
        *_, signature = der.sequence(der.parse(data))
        der.bit_string(signature)
    return [crl.CertificateList.load(data, strict=True) for data in given or ()]


def _revocation_policy(given: tuple[bytes, ...] | None) -> CertRevTrustPolicy:
    rule = RevocationCheckingRule.NO_CHECK if given is None else RevocationCheckingRule.CRL_REQUIRED
    return CertRevTrustPolicy(RevocationCheckingPolicy(ee_certificate_rule=rule, intermediate_ca_cert_rule=rule))


_BY_TYPE = (
    (errors.ExpiredError, "validity", "has expired"),
    (errors.NotYetValidError, "validity", "is not valid yet"),
    (errors.RevokedError, "revoked", "is revoked"),
    (errors.InsufficientRevinfoError, "revocation", "is not shown by the CRLs given to be unrevoked"),
)

# The library tells the other steps apart by its messages alone.
_BY_MESSAGE = (
    ("issuer name could not be matched", "issuer_name", "has another issuer than the CA above it"),
    ("permitted namespace", "name_constraints", "has a name that a CA above it is not permitted to certify"),
    ("are excluded from", "name_constraints", "has a name that a CA above it is excluded from certifying"),
    ("polic", "policy", "is valid for no policy that is asked for"),
    ("maximum path length", "path_length", "is one CA more than a path length above it allows"),
)


def _refusal(error: errors.PathValidationError) -> PathError:
    signature = error.__context__
    if isinstance(signature, InvalidSignature) and isinstance(signature.__cause__, PathError):
        return signature.__cause__
    which = "the last certificate" if error.is_ee_cert else "a CA of the path"
    for kind, step, what in _BY_TYPE:
        if isinstance(error, kind):
            return PathError(step, f"{which} {what}")
    for text, step, what in _BY_MESSAGE:
        if text in error.failure_msg:
            return PathError(step, f"{which} {what}")
    return PathError("other", f"{which} is refused by RFC 5280 section 6")
