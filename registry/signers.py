"""Several signatures over one document: the answer on all of them, and what is asked of who must have signed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from keys.certificate import Certificate
from keys.certificate.names import ORGANISATION
from keys.cms import BrokenSigner
from keys.revocation.names import folded
from registry.decision import Decision, Outcome
from registry.document import LegalBasis
from registry.errors import Detail
from registry.evidence import DocumentSignature
from registry.finding import NO_PARAMS, Params, Reason
from registry.holder import is_organisation, subject_of
from registry.refused_evidence import RefusedEvidence

Role = Literal["unit", "legal_representative", "unknown"]
ROLES: tuple[Role, ...] = ("unit", "legal_representative")
"""The roles that a requirement may ask for."""

MAX_SIGNERS = 16
_GRAVITY: Mapping[str, int] = {"recognized": 0, "indeterminate": 1, "not_recognized": 2}


class Requirement(Struct, frozen=True, kw_only=True):
    """How many of each role must have signed, each for a company of its own; or, one of each, for the same company."""

    counts: Mapping[Role, int]
    same_subject: bool


class Signed(Struct, frozen=True, kw_only=True):
    """One signer of a document. `decision` None: he is `broken`, or nobody gave the certificate."""

    role: Role
    decision: Decision | None
    broken: BrokenSigner | None = None

    @property
    def outcome(self) -> Outcome:
        """The decision on him alone: a broken signature counts for nothing; without a certificate none can tell."""
        if self.decision is not None:
            return self.decision.outcome
        return "indeterminate" if self.broken is None else "not_recognized"

    @property
    def undecided(self) -> tuple[str, str, Params]:
        """Code, variant and values of the reason why there is no decision on him."""
        if self.broken is None:
            return "signature.certificate_missing", "", NO_PARAMS
        return "signature.wrong", "form", {"why": Detail(code=self.broken.code, text=self.broken.detail)}


class Panel(Struct, frozen=True, kw_only=True):
    """The answer on a document. `deciding` is the place of the signer whose checks the answer shows.

    `missing`: how many of each role that is asked for have not signed in a way that counts; None without requirement.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]
    deciding: int
    missing: Mapping[Role, int] | None


class Countersigned(Struct, frozen=True, kw_only=True):
    """A signature over a signer's signature: reported, it changes no answer. `right`: the certificate's key made it."""

    certificate: Certificate | None
    right: bool
    claimed_time: datetime | None


class SignerAnswer(Struct, frozen=True, kw_only=True):
    """What is found of one signer. `certificate` None: neither the message nor the asker has it.

    `signature` None: he is broken.
    """

    signed: Signed
    certificate: Certificate | None
    signature: DocumentSignature | None
    countersigned: tuple[Countersigned, ...] = ()
    unused: tuple[RefusedEvidence, ...] = ()
    """OCSP responses that the asker brought and that told nothing, of whichever signer of the message."""


class SignatureAnswer(Struct, frozen=True, kw_only=True):
    """The answer on a document's signatures, with every signer in the order of the message, the broken ones last.

    `message` is the digest of what was handed in as signature, whole; `content` are digests of the content by kind, in
    hexadecimal; `dialect` is that of CMS, rfc5652 or gm, None for a bare signature. `by_digest`: the content itself was
    not seen.
    """

    panel: Panel
    signers: tuple[SignerAnswer, ...]
    requirement: Requirement | None
    message: str
    content: Mapping[str, str]
    dialect: str | None
    by_digest: bool = False

    @property
    def decision(self) -> Decision:
        """The decision on the signer who decides."""
        found = self.signers[self.panel.deciding].signed.decision
        if found is None:
            raise ValueError("a signer without a decision decides nothing")
        return found


def role_of(certificate: Certificate, words: Mapping[str, tuple[str, ...]]) -> Role:
    """Whose certificate it is in a company, by the words that the profile has for a role."""
    subject = subject_of(certificate)
    # The company is the common name itself: a person's lock may name the company beside the person.
    common = certificate.common_name or ""
    unit = subject.kind == "organisation" and is_organisation(common)
    # A word in the name of the company says nothing of who signs for it.
    texts = [
        attribute.text.casefold()
        for attribute in certificate.subject_attributes
        if attribute.oid != ORGANISATION and not (unit and attribute.text == certificate.organisation)
    ]

    def has(role: str) -> bool:
        return any(word.casefold() in text for word in words.get(role, ()) for text in texts)

    if has("unknown"):
        return "unknown"
    if has("legal_representative"):
        return "legal_representative"
    return "unit" if unit else "unknown"


def judge_signers(signers: Sequence[Signed], requirement: Requirement | None) -> Panel:
    """The answer on all signers of a document, of whom at least one has a decision.

    Without a requirement all must count, and the gravest decides. With one, enough of each role must count; what else
    was signed, well or badly, changes nothing. Raises ValueError without a decision.
    """
    if all(signer.decision is None for signer in signers):
        raise ValueError("signers of whom none can be judged")
    gravest = max(range(len(signers)), key=lambda place: (_grave(signers[place]), -place))
    if requirement is not None:
        return _required(signers, requirement, gravest)
    outcome = signers[gravest].outcome
    shown = gravest if signers[gravest].decision is not None else _judged(signers)
    if outcome == "recognized":
        return Panel(outcome=outcome, reasons=_reasons(signers, outcome), deciding=shown, missing=None)
    reasons = tuple(reason for worse in ("not_recognized", "indeterminate") for reason in _reasons(signers, worse))
    return Panel(outcome=outcome, reasons=reasons, deciding=shown, missing=None)


def _required(signers: Sequence[Signed], requirement: Requirement, gravest: int) -> Panel:
    good = _surely_distinct([signer for signer in _distinct(signers) if signer.outcome == "recognized"])
    possible = [signer for signer in _distinct(signers) if signer.outcome != "not_recognized"]
    missing = _missing(good, requirement)
    if not any(missing.values()):
        meeting = _meeting(good, requirement)
        chosen = next(
            place for place, signer in enumerate(signers) if signer in meeting and signer.role in requirement.counts
        )
        reasons = _unique((_reason(signers, "signers.complete", {}), *_reasons(signers, "recognized")))
        return Panel(outcome="recognized", reasons=reasons, deciding=chosen, missing=missing)
    alone = Requirement(counts=requirement.counts, same_subject=False)
    if requirement.same_subject and not any(_missing(good, alone).values()):
        said = _reason(signers, "signers.other_subject", {"subjects": ", ".join(_uscc(one) or "—" for one in good)})
    else:
        said = _reason(signers, "signers.missing", {role: missing.get(role, 0) for role in ROLES})
    outcome: Outcome = "indeterminate" if _could_fit(possible, requirement) else "not_recognized"
    if said.code == "signers.missing":
        said = replace(said, variant=_variant(missing, undecided=outcome == "indeterminate"))
    others = tuple(reason for worse in ("not_recognized", "indeterminate") for reason in _reasons(signers, worse))
    shown = gravest if signers[gravest].decision is not None else _judged(signers)
    return Panel(outcome=outcome, reasons=_unique((said, *others)), deciding=shown, missing=missing)


def _variant(missing: Mapping[Role, int], *, undecided: bool) -> str:
    """How the sentence goes: which roles it counts, where it is not both, and whether evidence may still settle it."""
    lacking = [role for role in ROLES if missing.get(role)]
    return "_".join((*(["undecided"] if undecided else []), *(lacking if len(lacking) == 1 else [])))


def _missing(signers: Sequence[Signed], requirement: Requirement) -> dict[Role, int]:
    """How many of each role are missing; for the same subject, of the one that has the most."""
    return _lacking(_meeting(signers, requirement), requirement)


def _meeting(signers: Sequence[Signed], requirement: Requirement) -> Sequence[Signed]:
    """Those who meet the requirement, or come nearest: all, or those of the one subject that has the most."""
    if not requirement.same_subject:
        return signers
    subjects = {uscc for signer in signers if (uscc := _uscc(signer)) is not None}
    found = [[signer for signer in signers if _uscc(signer) == uscc] for uscc in sorted(subjects)]
    return min(found, key=lambda group: sum(_lacking(group, requirement).values()), default=())


def _lacking(signers: Iterable[Signed], requirement: Requirement) -> dict[Role, int]:
    there = [signer.role for signer in signers]
    return {role: max(0, count - there.count(role)) for role, count in requirement.counts.items()}


def _could_fit(signers: Sequence[Signed], requirement: Requirement) -> bool:
    """Whether more evidence about those who did not fail could meet the requirement.

    Who is of an unknown role or subject may be of any.
    """
    subjects = {_uscc(signer) for signer in signers} if requirement.same_subject else {None}
    for uscc in subjects:
        same = [signer for signer in signers if uscc is None or _uscc(signer) in (uscc, None)]
        unknown = sum(signer.role == "unknown" for signer in same)
        if sum(_lacking(same, requirement).values()) <= unknown:
            return True
    return False


def _distinct(signers: Sequence[Signed]) -> list[Signed]:
    """Each holder once in a role: who signs twice, with a renewed lock perhaps, counts once, by the better of both."""
    best: dict[tuple[Role, str | bytes], Signed] = {}
    for place, signer in enumerate(signers):
        name = signer.role, _holder(signer) or str(place)
        if name not in best or _grave(signer) < _grave(best[name]):
            best[name] = signer
    return list(best.values())


def _surely_distinct(signers: Sequence[Signed]) -> list[Signed]:
    """Without those who may be the company of another in their role: a company without a code may be any."""
    coded = [signer for signer in signers if signer.role == "unknown" or _uscc(signer) is not None]
    kept = {signer.role for signer in coded}
    for signer in signers:
        if signer.role not in kept:
            kept.add(signer.role)
            coded.append(signer)
    return coded


def _holder(signer: Signed) -> str | bytes | None:
    """Whose lock it is: the company by its code, else the subject as the certificate names it.

    Of an unknown role it may be a second person of the company: there each certificate is a holder of its own.
    """
    lock = None if signer.decision is None else signer.decision.lock
    if lock is None or signer.role == "unknown":
        return None if lock is None else lock.certificate.fingerprint
    return _uscc(signer) or folded(lock.certificate.subject)


def _grave(signer: Signed) -> int:
    return _GRAVITY.get(signer.outcome, max(_GRAVITY.values()))


def _judged(signers: Sequence[Signed]) -> int:
    return next(place for place, signer in enumerate(signers) if signer.decision is not None)


def _uscc(signer: Signed) -> str | None:
    lock = None if signer.decision is None else signer.decision.lock
    return None if lock is None else lock.credential.subject.uscc


def _reasons(signers: Sequence[Signed], outcome: str) -> tuple[Reason, ...]:
    """The reasons of all signers of an outcome, each once."""
    found: list[Reason] = []
    for signer in signers:
        if signer.outcome != outcome:
            continue
        if signer.decision is None:
            code, variant, params = signer.undecided
            found.append(Reason(code=code, variant=variant, params=params, legal_basis=_basis(signers)))
        else:
            found.extend(signer.decision.reasons)
    return _unique(found)


def _unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    kept: list[Reason] = []
    for reason in reasons:
        if reason not in kept:
            kept.append(reason)
    return tuple(kept)


def _reason(signers: Sequence[Signed], code: str, params: Params) -> Reason:
    return Reason(code=code, params=params, legal_basis=_basis(signers))


def _basis(signers: Sequence[Signed]) -> tuple[LegalBasis, ...]:
    decision = signers[_judged(signers)].decision
    return () if decision is None else decision.profile.bases["signature"]
