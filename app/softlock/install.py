"""Has a test store trust its demonstration authorities: anchors, accepted lists and revocation lists."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.settings import Settings
from app.softlock import encoding
from app.softlock.authority import PLANS, AuthorityFolder, Plan, trusted_ids
from app.store.reader import SqliteReader
from app.store.revocations import SERVING, RevocationShelf
from app.store.writer import SqliteWriter
from keys.certificate import Certificate
from keys.revocation.crl import RevocationList
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.trust import key_digest

HeldDigests = Mapping[tuple[str, str, int], str]

_JURISDICTIONS = {
    "CN-CQ": ("重庆接受的数字证书认证机构（测试）", "Certification authorities accepted in Chongqing (test)"),
    "CN-SC": ("四川接受的数字证书认证机构（测试）", "Certification authorities accepted in Sichuan (test)"),
}
_PURPOSES = ["bidding.login", "bidding.sign", "bidding.encrypt", "bidding.decrypt"]
_PLAN = {
    "instrument": "推动成渝地区双城经济圈市场一体化建设行动方案",
    "number": "渝府办发〔2023〕15号",
    "article": "（五）",
}
_SOURCE = "演示用，由本机随机生成，无任何效力 / made at random on this machine for the demonstration, without any force"

_RENEWED_AHEAD = timedelta(days=6)
"""A list is renewed when it ends so soon: with a life of seven days, once a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """How many policy documents and revocation lists were new to the store."""

    documents: int
    lists: int


def install(settings: Settings, held: HeldDigests | None = None) -> tuple[PolicyDocument, ...]:
    """The trust anchors and accepted lists of the demonstration; makes the authorities that are not there yet.

    `held` are the digests of a store's documents (`SqliteReader.document_digests`): authorities that were made anew
    become a higher version of their file. Raises `StoreError` for a live store, `CustodyError`.
    """
    folder = AuthorityFolder.of_store(settings)
    folder.make(trusted_ids())
    return documents_of(folder, held or {})


def documents_of(folder: AuthorityFolder, held: HeldDigests) -> tuple[PolicyDocument, ...]:
    """The same for authorities that are there. Raises `CustodyError`."""
    plans = [PLANS[identity] for identity in trusted_ids()]
    anchors = [_document("trust-anchor", _anchor(plan, folder.certificate(plan.id)), held) for plan in plans]
    issuing = [plan.id for plan in plans if plan.above is not None]
    lists = [_document("accepted-list", _accepted(code, issuing), held) for code in _JURISDICTIONS]
    return (*anchors, *lists)


def enter(settings: Settings, writer: SqliteWriter, now: datetime, known_from: datetime | None = None) -> Entered:
    """Has the store of a writer trust the demonstration authorities, from `known_from` on, and hold their lists.

    Doing it again enters what is missing, and new revocation lists once a day. The store must hold the jurisdictions
    and profiles already. Raises `StoreError` for a live store, `PolicyError`, `CustodyError`.
    """
    folder = AuthorityFolder.of_store(settings)
    folder.make(trusted_ids())
    held = _held(settings)
    fresh = _unheld(documents_of(folder, held), held)
    due = _due(settings, folder, now)
    folder.open_keys(due)
    lists = [folder.new_list(identity, now) for identity in due]
    with ThreadPoolExecutor() as workers:
        entering = workers.submit(writer.enter_policies, fresh, known_from) if fresh else None
        taken = enter_lists(writer, folder, zip(due, lists, strict=True))
        return Entered(documents=entering.result() if entering is not None else 0, lists=taken)


def is_entered(settings: Settings) -> bool:
    """Whether the store trusts the authorities of its folder as they are. Raises `StoreError`, `CustodyError`."""
    held = _held(settings)
    folder = AuthorityFolder.of_store(settings)
    return folder.has(trusted_ids()) and not _unheld(documents_of(folder, held), held)


def enter_lists(writer: SqliteWriter, folder: AuthorityFolder, lists: Iterable[tuple[str, RevocationList]]) -> int:
    """Enters lists, each with the id of its authority, and returns how many were new. Raises `StoreError`.

    Every write waits until it is known (docs/adr/0002); done side by side, they wait together.
    """
    with ThreadPoolExecutor() as workers:
        keep = workers.map(
            lambda entry: writer.add_revocation_list(entry[1], key_digest(folder.certificate(entry[0]))), lists
        )
        return sum(keep)


def ended_lists(folder: AuthorityFolder, identity: str, now: datetime) -> tuple[RevocationList, ...]:
    """Lists that have ended the moment they were issued: as many as a node asks, so that no older one serves."""
    return tuple(folder.new_list(identity, now, now) for _ in range(SERVING))


def _held(settings: Settings) -> HeldDigests:
    reader = SqliteReader(settings.store_path)
    try:
        return reader.document_digests()
    finally:
        reader.close()


def _unheld(documents: Iterable[PolicyDocument], held: HeldDigests) -> list[PolicyDocument]:
    return [entry for entry in documents if held.get((entry.kind, entry.id, entry.version)) != entry.digest]


def _anchor(plan: Plan, certificate: Certificate) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": plan.id,
        "name": {
            "zh": f"{plan.name.zh}（{plan.family.upper()}，测试）",
            "en": f"{plan.name.en} ({plan.family.upper()}, test)",
        },
        "role": "intermediate",
        "certificate": encoding.pem(certificate.der, "CERTIFICATE").decode("ascii"),
        "confidence": "G",
        "sources": [_SOURCE],
    }
    return content if plan.above is not None else content | {"role": "anchor", "qualifiers": ["bidding", "timestamp"]}


def _accepted(jurisdiction: str, authorities: Iterable[str]) -> dict[str, Any]:
    zh, en = _JURISDICTIONS[jurisdiction]
    return {
        "id": f"demo-accepted-{jurisdiction.lower()}",
        "name": {"zh": zh, "en": en},
        "jurisdiction": jurisdiction,
        "purposes": _PURPOSES,
        "entries": [{"ca": identity} for identity in authorities],
        "legal_basis": [_PLAN],
        "confidence": "G",
    }


def _document(kind: str, content: dict[str, Any], held: HeldDigests) -> PolicyDocument:
    """The document in the version that the store holds it in, or in the next one where that says otherwise."""
    identity = content["id"]
    latest = max((version for of, name, version in held if (of, name) == (kind, identity)), default=0)
    for version in (latest, latest + 1):
        versioned = content | {"version": version}
        named = digest(canonical_json(versioned))
        if held.get((kind, identity, version)) == named:
            break
    return PolicyDocument(
        kind=kind,
        id=identity,
        version=version,
        digest=named,
        source=f"{kind} {identity} (demonstration)",
        content=versioned,
    )


def _due(settings: Settings, folder: AuthorityFolder, now: datetime) -> list[str]:
    """The authorities whose newest list in the store ends soon, or that have none there."""
    shelf = RevocationShelf(settings.store_path)
    try:
        newest = {
            identity: max(
                (known.crl.next_update or now for known in shelf.lists_of(folder.certificate(identity), now)),
                default=now,
            )
            for identity in trusted_ids()
        }
    finally:
        shelf.close()
    return [identity for identity, until in newest.items() if until < now + _RENEWED_AHEAD]
