"""A store that judges CA locks: authorities, anchors, accepted lists and revocation lists; and a client that asks it.

Everything in it is dated around the instant it is made at, so that nothing goes out of force with the calendar.
"""

import atexit
import base64
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from app.bootstrap import key_passphrase, seed_policy
from app.settings import Settings
from app.store import schema
from app.store.writer import SqliteWriter
from keys.certificate import parse_certificate
from keys.custody import key_directory
from keys.revocation.crl import parse_crl
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.trust import key_digest
from tests.support.der_writer import Revoked
from tests.support.pki import Authority, CertificateSpec, Issued, Lock, unit
from tests.support.unsafe_sm2 import Key, unsafe_generate

CHALLENGES, VERIFICATIONS, RECOGNITIONS = "/v1/ca/challenges", "/v1/ca/verifications", "/v1/recognitions"
PURPOSE = "bidding.login"
PLATFORM = "test-platform"
"""A relying party without a list of its own: the jurisdiction's decides."""
STRICT, SEAL = "test-strict-platform", "government.seal"
"""A relying party in CN-SC whose own list holds the RSA authority only; the purpose that no other list has there."""

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
REVOKED, HELD, COMPROMISED, COMPROMISED_SINCE = 901, 902, 903, 904
"""The numbers of the units whose Sichuan locks are on its revocation list."""

_PURPOSES = ["bidding.login", "bidding.sign", "bidding.encrypt", "bidding.decrypt"]
_BEGINS = 300 * DAY  # so long before it is made does the store know its policy
_NAMES = {
    "sichuan": "四川测试CA",
    "chongqing": "重庆测试CA",
    "left": "退出测试CA",
    "coming": "将入测试CA",
    "silent": "无列表测试CA",
    "stale": "旧列表测试CA",
    "rsa": "测试RSA的CA",
    "weak": "测试旧算法CA",
    "foreign": "外来测试CA",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWorld:
    """A home with a store in test mode, and the authorities that it has heard of, or not."""

    home: Path
    now: datetime
    """When it was made, in whole seconds."""
    roots: Mapping[str, Authority]
    authorities: Mapping[str, Authority]
    """Operating authorities, by the keys of `_NAMES`. Nobody trusts `foreign`."""

    @property
    def settings(self) -> Settings:
        """The settings of a node at this home, blind to the environment of the test run."""
        blank = dict.fromkeys(("store", "keys", "policy", "key_passphrase", "key_passphrase_file", "issuer"))
        return Settings(home=self.home, **blank)  # type: ignore[arg-type]

    def spec(self, spec: CertificateSpec) -> CertificateSpec:
        """The spec with a period around now."""
        return replace(spec, not_before=self.now - 365 * DAY, not_after=self.now + 365 * DAY)

    def lock(self, authority: str = "sichuan", number: int = 1, kind: str = "sm2", **changes: Any) -> Lock:
        """A unit's lock, in force now unless changed; the number names the unit."""
        spec = replace(self.spec(unit(kind, number=number)), **changes)
        return self.authorities[authority].pair(spec)

    def issue(self, spec: CertificateSpec, authority: str = "sichuan", **changes: Any) -> Issued:
        """A certificate of any holder, in force now unless changed."""
        return self.authorities[authority].issue(self.spec(spec), **changes)

    def crl(self, name: str, entries: tuple[Revoked, ...] = (), **changes: Any) -> bytes:
        """A revocation list of a root or an authority, issued an hour ago unless changed."""
        issuer = self.roots.get(name) or self.authorities[name]
        dates: dict[str, Any] = {"this_update": self.now - HOUR, "next_update": self.now + 7 * DAY}
        return issuer.crl(entries, **(dates | changes))

    def publish(self, name: str, crl: bytes, known_from: datetime | None = None) -> None:
        """Enters a revocation list as one that was fetched and found genuine, known from then on."""
        issuer = self.roots.get(name) or self.authorities[name]
        with _writing(self.settings) as writer:
            assert writer.add_revocation_list(parse_crl(crl), _key_of(issuer), known_from), "it is there already"

    def listed(self) -> tuple[Revoked, ...]:
        """The entries of the Sichuan authority's list."""
        month = self.now - 30 * DAY
        held = {"reason": "certificateHold"}
        taken = {"reason": "keyCompromise"}
        return (
            self.lock(number=REVOKED).signing.revoked(month),
            self.lock(number=HELD).signing.revoked(month, **held),
            self.lock(number=COMPROMISED).signing.revoked(month, **taken),
            self.lock(number=COMPROMISED_SINCE).signing.revoked(month, invalidity=self.now - 50 * DAY, **taken),
        )


def build_lock_world(home: Path) -> LockWorld:
    """A lock world at a home that does not exist yet: a copy of the one that is made for a process of the test run."""
    shutil.copytree(_made_once().home, home)
    return replace(_made_once(), home=home)


@cache
def _made_once() -> LockWorld:
    """Nothing writes to it."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return new_lock_world(Path(folder.name) / "home")


def new_lock_world(home: Path) -> LockWorld:
    """A lock world of its own: no other has its store's secret and its signing key."""
    now = datetime.now(UTC).replace(microsecond=0)
    world = LockWorld(home=home, now=now, **_hierarchies())
    settings = world.settings
    schema.migrate(settings.store_path, "test", now)
    _make_keys(settings)
    with _writing(settings) as writer:
        writer.enter_policies((*seed_policy(), *_anchors(world), *_lists(now)), known_from=now - _BEGINS)
    for name in _NAMES:
        if name not in ("sichuan", "silent", "stale", "foreign"):
            world.publish(name, world.crl(name), now - HOUR)
    week = {"this_update": now - 15 * DAY, "next_update": now - 8 * DAY}
    world.publish("stale", world.crl("stale", **week), now - 15 * DAY)
    world.publish("sichuan", world.crl("sichuan", **week), now - 15 * DAY)
    world.publish("sichuan", world.crl("sichuan", world.listed()), now - HOUR)
    # The root's list has to be renewed before those of the authorities under it.
    for name in ("root", "rsa-root"):
        world.publish(name, world.crl(name, next_update=now + 2 * DAY), now - HOUR)
    return world


def _hierarchies() -> dict[str, dict[str, Authority]]:
    root, rsa_root = Authority.root("sm2"), Authority.root("rsa-2048", "测试RSA根CA")
    above = {"rsa": rsa_root, "foreign": Authority.root("sm2", "外来根CA", seed="foreign")}
    made = {name: above.get(name, root).subordinate(title) for name, title in _NAMES.items() if name != "weak"}
    # Of the first generation: it signs by SHA-1.
    made["weak"] = replace(rsa_root.subordinate(_NAMES["weak"], seed="weak"), scheme="rsa-pkcs1-sha1")
    return {"roots": {"root": root, "rsa-root": rsa_root}, "authorities": made}


def _anchors(world: LockWorld) -> Iterator[PolicyDocument]:
    for name, root in world.roots.items():
        qualifiers = ["bidding", "government-seal" if name == "rsa-root" else "timestamp"]
        yield _document("trust-anchor", f"test-{name}", _certificate(root), qualifiers=qualifiers)
    for name, authority in world.authorities.items():
        if name != "foreign":
            yield _document("trust-anchor", f"test-{name}", _certificate(authority), role="intermediate")


def _certificate(authority: Authority) -> dict[str, Any]:
    common = str(authority.subject.common_name)
    return {"name": {"zh": common, "en": f"Test authority {common}"}, "certificate": text_of(authority.certificate)}


def _lists(now: datetime) -> Iterator[PolicyDocument]:
    everywhere = [{"ca": f"test-{name}"} for name in ("chongqing", "silent", "stale", "rsa", "weak")]
    there = [
        *everywhere,
        {"ca": "test-sichuan"},
        {"ca": "test-left", "until": (now - 30 * DAY).isoformat()},
        {"ca": "test-coming", "from": (now + 30 * DAY).isoformat()},
    ]
    basis = {"legal_basis": [{"instrument": "测试规则"}], "purposes": _PURPOSES}
    for area, entries in (("SC", there), ("CQ", everywhere)):
        name = {"zh": f"{area}测试名单", "en": f"{area} test list"}
        content = {"name": name, "jurisdiction": f"CN-{area}", "entries": entries, **basis}
        yield _document("accepted-list", f"test-list-{area.lower()}", content)
    own = {"name": {"zh": "平台自有名单", "en": "The platform's own list"}, "jurisdiction": "CN-SC", **basis}
    own |= {"relying_party": STRICT, "entries": [{"ca": "test-rsa"}], "purposes": [*_PURPOSES, SEAL]}
    yield _document("accepted-list", "test-list-strict", own)


def _document(kind: str, identity: str, content: Mapping[str, Any], **more: Any) -> PolicyDocument:
    whole = {"id": identity, "version": 1, **content, **more}
    return PolicyDocument(
        kind=kind, id=identity, version=1, digest=digest(canonical_json(whole)), source=identity, content=whole
    )


def _make_keys(settings: Settings) -> None:
    settings.keys_path.mkdir(mode=0o700)
    file = os.open(settings.keys_path / "passphrase", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write("a passphrase for tests only\n")
    key_directory.create(settings.keys_path, "test", key_passphrase(settings))


@contextmanager
def _writing(settings: Settings) -> Iterator[SqliteWriter]:
    writer = SqliteWriter(settings.store_path)
    try:
        yield writer
    finally:
        writer.close()


def _key_of(authority: Authority) -> str:
    return key_digest(parse_certificate(authority.certificate.der))


# Asking


def text_of(shown: Issued | bytes) -> str:
    """A certificate, or any bytes, as base64."""
    return base64.b64encode(shown if isinstance(shown, bytes) else shown.der).decode()


def written(content: Any) -> bytes:
    """A request as its bytes. Lone surrogates are written as escapes."""
    return json.dumps(content).encode()


def codes(answer: httpx.Response) -> tuple[str, ...]:
    """The decision and the reason codes of an answer, which has status 200."""
    assert answer.status_code == 200, answer.text
    document = answer.json()
    return (document["decision"], *(reason["code"] for reason in document["reasons"]))


def claims_of(receipt: str) -> dict[str, Any]:
    """What a receipt says, unverified."""
    part = receipt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def another_signature(key: Key, message: bytes, number: int) -> bytes:
    """One of the many right signatures of an SM2 key over a message, another for each number."""
    assert key.kind == "sm2", "an SM2 key"
    return unsafe_generate(f"{key.kind}/{key.seed}".encode()).sign(message, nonce=1_000_003 + number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A challenge as it was given out."""

    id: str
    to_be_signed: bytes
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockClient:
    """A platform: it fetches a challenge, has the lock sign it, and asks what the answer is worth."""

    post: Callable[..., httpx.Response]
    """Posts bytes to an address, in a language or none."""
    relying_party: str = PLATFORM
    purpose: str = PURPOSE
    jurisdiction: str = "CN-SC"

    def challenge(self, **members: Any) -> Given:
        """A fresh challenge."""
        asked = {"purpose": self.purpose, "relying_party": self.relying_party} | members
        response = self.post(CHALLENGES, written(asked), None)
        assert response.status_code == 200, response.text
        given = response.json()
        assert set(given) == {"challenge_id", "to_be_signed", "expires_at"}
        return Given(
            id=given["challenge_id"],
            to_be_signed=base64.b64decode(given["to_be_signed"], validate=True),
            expires_at=given["expires_at"],
        )

    def answered(self, given: Given, shown: Issued, **members: Any) -> dict[str, Any]:
        """The request that a lock's honest answer to a challenge makes; members in the place of its own."""
        return {
            "challenge_id": given.id,
            "certificate": text_of(shown),
            "signature_format": "raw",
            "jurisdiction": self.jurisdiction,
            "purpose": self.purpose,
            "relying_party": self.relying_party,
            # SM2 in Python takes its time, and tests of many answers have their own.
            **({} if "signature" in members else {"signature": text_of(shown.key.sign(given.to_be_signed))}),
        } | members

    def verify(self, request: Any, language: str | None = None) -> httpx.Response:
        """Sends an answer to a challenge; bytes are sent as they are."""
        return self.post(VERIFICATIONS, request if isinstance(request, bytes) else written(request), language)

    def try_lock(self, shown: Issued, language: str | None = None, **members: Any) -> httpx.Response:
        """Challenge, signature and verification in one."""
        return self.verify(self.answered(self.challenge(), shown, **members), language)
