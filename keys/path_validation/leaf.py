"""The holder's own step on top of a CA's path that is known to hold: what RFC 5280 §6.1.3 and §6.1.5 ask of it.

Where nothing above constrains names or policies, the last step looks at the last certificate and its issuer alone.
Everything else goes through the whole validation again.
"""

from datetime import datetime

from keys.certificate import Certificate
from keys.path_validation import signatures
from keys.path_validation.errors import PathError
from keys.path_validation.path import Path
from keys.path_validation.precheck import CONSTRAINING, Role, check_form, check_link, check_purpose, check_validity
from keys.path_validation.signatures import Signatures, Usable


def leaf_step(
    leaf: Certificate,
    ca_path: Path,
    instant: datetime,
    *,
    purpose: str | None = None,
    usable: Usable | None = None,
    signed: bool = False,
) -> Path:
    """Gives the path of a holder's certificate that the CA of a valid path issued, valid at the instant.

    The CA's path may have been judged at any instant: its own validity is held against this one. `purpose` and `usable`
    as for `validate_path`, with the same verdict in all but one thing: certvalidator also refuses what is not well
    formed in extensions that are not critical and decide nothing. `signed`: the caller has verified the CA's signature.
    Revocation is not judged, of the leaf or of the CA.

    Raises PathError, never with the step "no_anchor".
    """
    ca = ca_path.certificates[0]
    if not ca.is_ca:
        raise PathError("basic_constraints", "the issuer is no CA")
    if not ca_path.may_issue:
        raise PathError("path_length", "no certificate fits below this CA")
    if leaf.is_ca:
        raise PathError("basic_constraints", "a CA's certificate where a holder's belongs")
    if ca_path.constrained or not leaf.extensions.keys().isdisjoint(CONSTRAINING):
        # RFC 5280 §6.1.5 (b): the last certificate, too, can ask for a policy.
        return _whole(leaf, ca_path, instant, purpose, usable)
    check_form(leaf, Role.LEAF)
    if leaf.issuer != ca.subject and not _same_name(leaf.issuer, ca.subject):
        raise PathError("issuer_name", "the issuer's name is not the name of this CA")
    if not check_link(ca, leaf):
        raise PathError("key_identifier", "issued with another key than this CA's")
    if not signed:
        signatures.verify(ca.spki, leaf.signature_algorithm, leaf.signature, leaf.tbs, usable)
    check_validity(leaf, instant)
    if not ca_path.not_before <= instant <= ca_path.not_after:
        raise PathError("validity", "the path of the CA does not hold at that instant")
    if purpose is not None:
        check_purpose(leaf, purpose)
    return Path(
        certificates=(leaf, *ca_path.certificates),
        constrained=False,
        may_issue=False,
        policies=None,
        not_before=max(leaf.not_before, ca_path.not_before),
        not_after=min(leaf.not_after, ca_path.not_after),
        rules=ca_path.rules,
    )


def _same_name(left: bytes, right: bytes) -> bool:
    from keys.path_validation import rfc5280  # seldom needed, and slow to load

    return rfc5280.name_key(left) == rfc5280.name_key(right)


def _whole(leaf: Certificate, ca_path: Path, instant: datetime, purpose: str | None, usable: Usable | None) -> Path:
    from keys.path_validation import full, rfc5280

    candidate = (leaf, *ca_path.certificates)
    if not _same_name(leaf.issuer, candidate[1].subject):
        raise PathError("issuer_name", "the issuer's name is not the name of this CA")
    if not check_link(candidate[1], leaf):
        raise PathError("key_identifier", "issued with another key than this CA's")
    question = rfc5280.Question(instant=instant, rules=ca_path.rules, crls=None, others=())
    return full.judge(candidate, question, Signatures(usable), purpose=purpose)
