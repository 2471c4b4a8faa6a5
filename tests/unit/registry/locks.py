"""A little world of CA locks for the tests of `registry`: two roots, their CAs, the lists that accept them, and CRLs.

Everything is real but the shelf of revocation lists, which is a dict. Instants stand around `AT`.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from keys.certificate import Certificate, parse_certificate
from keys.errors import AlgorithmError
from keys.path_validation.finder import PathFinder
from keys.revocation.crl import parse_crl, verify_crl
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import KnownCrl, KnownOcsp
from registry.decision import Decision, decide
from registry.document import PolicyDocument
from registry.dossier import Dossier, HeldCredential
from registry.evidence import LockEvidence, Possession
from registry.finding import Finding
from registry.policy import Policy, build_policy
from registry.query import RecognitionQuery, bind, read_question
from registry.stapled import Stapled
from registry.trust import key_digest
from registry.verification import verify
from tests.support.der_writer import Revoked
from tests.support.pki import AT, Authority, Issued, unit
from tests.unit.registry.specimens import Content, both, documents, lock_profile, replaced

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)
KIND = "p-256"
"""The fastest kind of key to sign by; the laws are the same for the others."""
MESSAGE = b"accord-challenge-v1\n{}"
SIGNS = ["digitalSignature", "nonRepudiation"]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def day(text: str) -> datetime:
    """An instant such as `2026-01-01` or `2026-01-01T08:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def text_of(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


# Policy files


def profile() -> Content:
    purposes: Content = {
        "sign": {"label": both("签署"), "key_usage": SIGNS, "qualifier": "bidding"},
        "encrypt": {"label": both("加密"), "key_usage": ["keyEncipherment", "keyAgreement"], "qualifier": "bidding"},
        "seal": {"label": both("印章"), "key_usage": SIGNS, "qualifier": "government-seal"},
        "any": {"label": both("其他"), "qualifier": "bidding"},
        "none": {"label": both("无"), "key_usage": SIGNS},
    }
    return {**lock_profile(), "purposes": purposes}


def anchor(identity: str, certificate: bytes, **more: Any) -> Content:
    made = {
        "id": identity,
        "version": 1,
        "name": both(identity),
        "certificate": base64_of(certificate),
        "qualifiers": ["bidding"],
    }
    return {**made, **more}


def intermediate(identity: str, certificate: bytes, **more: Any) -> Content:
    made = anchor(identity, certificate, role="intermediate", **more)
    del made["qualifiers"]
    return made


def accepted(identity: str, *cas: str | Content, **more: Any) -> Content:
    """A list of BB for signing and encrypting."""
    made = {
        "id": identity,
        "version": 1,
        "name": both(identity),
        "jurisdiction": "BB",
        "purposes": ["sign", "encrypt", "any", "none"],
        "entries": [{"ca": entry} if isinstance(entry, str) else entry for entry in cas],
        "legal_basis": [{"instrument": "名单"}],
    }
    return {**made, **more}


# Authorities


@cache
def root(name: str = "测试根CA", kind: str = KIND) -> Authority:
    return Authority.root(kind, name)


@cache
def ca(name: str = "重庆测试CA", kind: str = KIND) -> Authority:
    return root(kind=kind).subordinate(name)


@cache
def foreign() -> Authority:
    """A CA below a root that nobody trusts."""
    return root("别家根CA").subordinate("别家测试CA")


@cache
def honest_lock(number: int = 1) -> Issued:
    return ca().issue(unit(KIND, number))


def certificate_of(issued: Issued | Authority) -> Certificate:
    return parse_certificate(issued.certificate.der if isinstance(issued, Authority) else issued.der)


def standing_files() -> list[tuple[str, Content]]:
    """The root and the CA are known; BB accepts the CA."""
    return [
        ("trust-anchor", anchor("t-root", root().certificate.der)),
        ("trust-anchor", intermediate("t-ca", ca().certificate.der)),
        ("accepted-list", accepted("l-bb", "t-ca")),
    ]


def world(*files: tuple[str, Content], without: Iterable[str] = ()) -> Policy:
    """The standing files with these in the place of those of the same kind and id, or besides them."""
    return build_policy(policy_documents(*files, without=without))


def policy_documents(*files: tuple[str, Content], without: Iterable[str] = ()) -> list[PolicyDocument]:
    made = replaced(documents(), "profile", profile())
    for kind, content in (*standing_files(), *files):
        made = replaced(made, kind, content)
    return [entry for entry in made if entry.id not in set(without)]


# Revocation lists


@dataclass
class Shelf:
    """Implements `registry.lock.RevocationEvidence` as a dict by the issuer's key, with the instants of knowledge."""

    lists: dict[str, list[KnownCrl]] = field(default_factory=dict)
    answers: list[tuple[bytes, datetime]] = field(default_factory=list)
    """OCSP responses, and since when each is known."""

    def add(self, issuer: Authority, crl: bytes, known_from: datetime = LONG_AGO) -> "Shelf":
        """Takes a list in as a store does: only when the authority may and did sign it. Raises KeysError."""
        taken, by = parse_crl(crl), certificate_of(issuer)
        if "cRLSign" not in (by.key_usage or ("cRLSign",)):
            raise AlgorithmError("key.kind", "the authority must not sign revocation lists")
        verify_crl(taken, by.spki)
        self.lists.setdefault(key_digest(by), []).append(KnownCrl(crl=taken, known_from=known_from))
        return self

    def lists_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> list[KnownCrl]:
        return [known for known in self.lists.get(key_digest(issuer), ()) if known.known_from <= known_at]

    def answers_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> list[KnownOcsp]:
        found = [
            known_answer(data, about.serial, about.issuer, issuer, instant=AT + 999 * DAY, known_from=known_from)
            for data, known_from in self.answers
        ]
        return [known for known in found if known is not None and known.known_from <= known_at]


def shelf(*entries: Revoked, by: Authority | None = None, **changes: Any) -> Shelf:
    """An empty list of the root's and one of the CA's with these entries, both from six hours before `AT` on."""
    issuer = by or ca()
    made = Shelf().add(issuer.above or issuer, (issuer.above or issuer).crl())
    return made.add(issuer, issuer.crl(entries, **changes))


def long_shelf(*entries: Revoked, until: datetime) -> Shelf:
    """Lists that are issued at an instant and in force for a week."""
    dated = {"this_update": until, "next_update": until + 7 * DAY}
    return Shelf().add(root(), root().crl(**dated)).add(ca(), ca().crl(entries, **dated))


# Questions and answers


def possession_of(lock: Issued, message: bytes = MESSAGE, **more: Any) -> Possession:
    return Possession(message=message, signature=lock.key.sign(message), **more)


def ask(lock: Issued | bytes, policy: Policy, now: datetime = AT, **members: Any) -> RecognitionQuery:
    """A question about a lock in BB for signing, now. Members that are instants may be given as such."""
    der = lock if isinstance(lock, bytes) else lock.der
    chain = [base64_of(entry) for entry in members.pop("chain", ())]
    credential = {"type": "lock", "certificate": base64_of(der), "chain": chain}
    given = {name: text_of(value) if isinstance(value, datetime) else value for name, value in members.items()}
    question = read_question({"credential": credential, "jurisdiction": "BB", "purpose": "sign", **given}, now)
    return bind(question, policy.profiles["lock"])


STANDING = world()


def judge(
    lock: Issued | bytes,
    lists: Shelf | None = None,
    policy: Policy = STANDING,
    possession: Possession | str | None = "",
    finder: PathFinder | None = None,
    registered: tuple[HeldCredential, ...] = (),
    stapled: tuple[bytes, ...] = (),
    **members: Any,
) -> Decision:
    """The decision on a lock that signed a challenge, unless told otherwise."""
    if isinstance(possession, str):
        possession = possession_of(lock) if isinstance(lock, Issued) else None
    query = ask(lock, policy, **members)
    evidence = LockEvidence(
        shown=possession,
        paths=finder or PathFinder(),
        revocation=shelf() if lists is None else lists,
        stapled=Stapled(stapled),
    )
    profile = policy.profiles["lock"]
    dossier = Dossier(query=query, profile=profile, policy=policy, held=registered, registers=(), lock=evidence)
    return decide(query, verify(dossier), policy.agreements_for(query.jurisdiction, query.purpose, query.type))


def check(decision: Decision, name: str) -> Finding:
    (found,) = (entry for entry in decision.checks if entry.check == name)
    return found


def told(decision: Decision, name: str) -> tuple[str, str | None, str]:
    """Result, code and variant of a check."""
    found = check(decision, name)
    return found.result, found.code, found.variant


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def not_passed(decision: Decision) -> dict[str, str]:
    """The codes of the checks that failed or are unclear."""
    return {entry.check: entry.code or "" for entry in decision.checks if entry.result in ("failed", "indeterminate")}


def reissued(authority: Authority, signer: Authority, **changes: Any) -> Authority:
    """The authority with another certificate of the same key: renewed, or from another issuer."""
    spec = replace(authority.certificate.spec, **changes)
    return replace(authority, certificate=signer.issue(spec), above=signer)


def impostors(number: int, **changes: Any) -> list[bytes]:
    """CAs of the right name and another key."""
    name = ca().subject.common_name
    return [
        Authority.root(KIND, str(name), seed=f"impostor {i}", serial=i, **changes).certificate.der
        for i in range(1, number + 1)
    ]
