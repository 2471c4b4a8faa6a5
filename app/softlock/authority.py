"""Demonstration certification authorities: a root and an authority for each province, in SM2 and in RSA.

And one of each that no store trusts, for the case of a foreign authority. Below each authority there can be one that
tells the time. Their keys are made at random for one test
store and lie in `<home>/demo-ca`, encrypted, with the passphrase beside them; whoever reads the folder can issue locks
that this store believes, and nobody else's.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from app.ports import StoreError
from app.settings import Settings
from app.softlock import certificate as writing
from app.softlock import encoding
from app.softlock.certificate import Issuer, Revoked, Subject
from app.softlock.ledger import Ledger, read_ledger
from app.store.schema import check
from keys.certificate import Certificate, read_certificate
from keys.custody import files, passphrase, software_key
from keys.custody.software_key import FAMILIES, SoftwareKey
from keys.errors import CustodyError, KeysError
from keys.revocation.crl import RevocationList, parse_crl
from registry.document import LocalText

CAS = ("CN-CQ", "CN-SC", "foreign")
"""Whose locks can be had: the authority of a province, or the one that no store trusts."""

NOT_BEFORE = datetime(2017, 12, 31, 16, tzinfo=UTC)
NOT_AFTER = datetime(2042, 12, 31, 15, 59, 59, tzinfo=UTC)
"""2018 to 2042 in Beijing, for all authorities: locks of the past can be made, as the demonstration's history needs."""

LIST_LIFETIME = timedelta(days=7)

_FOLDER = "demo-ca"
_PASSPHRASE = "passphrase"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An authority that is to be there. `above` is the id of the one that it stands under; None for a root.

    One that tells the time issues nothing, so nobody has to be told that it is trusted.
    """

    id: str
    name: LocalText
    family: str
    above: str | None
    trusted: bool
    tells_time: bool = False

    @property
    def crl_uri(self) -> str:
        """Where its lists would be published: an address that can never be reached (RFC 6761)."""
        return f"http://crl.demo.invalid/{self.id}.crl"

    @property
    def subject(self) -> bytes:
        """Its Name, DER. The unit tells the two hierarchies apart."""
        said = (
            (encoding.COUNTRY, "CN"),
            (encoding.ORGANISATION, "川渝互认演示（测试用，无效力）"),
            (encoding.UNIT, self.family.upper()),
            (encoding.COMMON_NAME, self.name.zh),
        )
        return encoding.name(said)


def _plans() -> Mapping[str, Plan]:
    roots = (
        ("demo-root", LocalText(zh="川渝测试根CA", en="Test root CA"), True),
        ("demo-root-foreign", LocalText(zh="外地测试根CA", en="Foreign test root CA"), False),
    )
    below = (
        ("demo-ca-cq", LocalText(zh="重庆测试CA", en="Chongqing test CA"), "demo-root"),
        ("demo-ca-sc", LocalText(zh="四川测试CA", en="Sichuan test CA"), "demo-root"),
        ("demo-ca-foreign", LocalText(zh="外地测试CA", en="Foreign test CA"), "demo-root-foreign"),
    )
    made = [
        Plan(id=f"{identity}-{family}", name=name, family=family, above=None, trusted=trusted)
        for identity, name, trusted in roots
        for family in FAMILIES
    ]
    made += [
        Plan(id=f"{identity}-{family}", name=name, family=family, above=f"{root}-{family}", trusted=root == "demo-root")
        for identity, name, root in below
        for family in FAMILIES
    ]
    made += [
        Plan(
            id=plan.id.replace("demo-ca-", "demo-tsa-"),
            name=LocalText(zh=f"{plan.name.zh}时间戳", en=f"{plan.name.en}, timestamps"),
            family=plan.family,
            above=plan.id,
            trusted=plan.trusted,
            tells_time=True,
        )
        for plan in made
        if plan.above is not None
    ]
    return {plan.id: plan for plan in made}


PLANS = _plans()
"""Every demonstration authority by id, each after the one that it stands under."""


def authority_id(ca: str, family: str) -> str:
    """The id of the authority that issues locks of a family for one of CAS."""
    return f"demo-ca-{ca.removeprefix('CN-').lower()}-{family}"


def timestamp_authority_id(ca: str, family: str) -> str:
    """The id of the one that tells the time below it."""
    return authority_id(ca, family).replace("demo-ca-", "demo-tsa-")


def trusted_ids() -> tuple[str, ...]:
    """The authorities that a test store trusts: of the families that this Python can make keys of."""
    families = [family for family in FAMILIES if software_key.available(family)]
    return tuple(plan.id for plan in PLANS.values() if plan.trusted and not plan.tells_time and plan.family in families)


class AuthorityFolder:
    """The authorities of one test store: made where they are missing, and asked to issue."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._certificates: dict[str, Certificate] = {}
        self._keys: dict[str, SoftwareKey] = {}

    @classmethod
    def of_store(cls, settings: Settings) -> "AuthorityFolder":
        """The folder of a node's store. Raises `StoreError` for a store that is live: it must never believe them."""
        state = check(settings.store_path)
        if state.mode != "test":
            raise StoreError(
                f"store {state.path} is live: demonstration certification authorities belong to test stores only"
            )
        return cls(settings.home / _FOLDER)

    def has(self, identities: Iterable[str]) -> bool:
        """Whether all these authorities are there."""
        return all(self._file(identity, "pem").is_file() for identity in identities)

    def make(self, identities: Iterable[str]) -> None:
        """Makes the authorities that are not there yet, and those that they stand under. Raises `CustodyError`."""
        wanted = {above for identity in identities for above in _upwards(identity)}
        if self.has(wanted):
            return
        files.make_directory(self.path)
        with files.exclusive(self.path):
            missing, orphaned = self._missing(wanted)
            for identity in orphaned:
                files.discard(self._file(identity, "pem"))
                self._certificates.pop(identity, None)
                self._keys.pop(identity, None)
            opener = self._opener(make=True)
            plans = [plan for plan in PLANS.values() if plan.id in missing]
            for plan, (key, sealed) in zip(plans, _at_once(lambda plan: _new_key(plan, opener), plans), strict=True):
                self._enter(plan, key, sealed)

    def _missing(self, wanted: set[str]) -> tuple[set[str], set[str]]:
        """Those that are to be made, and those that nobody asked for and that lose the one they stand under.

        What stands under one that is made anew has lost its issuer.
        """
        missing, orphaned = set[str](), set[str]()
        for identity, plan in PLANS.items():
            if plan.above in missing | orphaned or not self._file(identity, "pem").is_file():
                (missing if identity in wanted else orphaned).add(identity)
        return missing, orphaned

    def certificate(self, identity: str) -> Certificate:
        """An authority's certificate. Raises `CustodyError` where it is missing or damaged."""
        found = self._certificates.get(identity)
        if found is None:
            path = self._file(identity, "pem")
            content = files.read_public(path)
            if content is None:
                raise CustodyError("key.file_missing", f"{path}: there is no such file; prepare the test store")
            try:
                found = read_certificate(content)
            except KeysError as error:
                raise CustodyError("key.damaged", f"{path}: {error.detail}; move the folder away") from error
            self._certificates[identity] = found
        return found

    def chain(self, identity: str) -> tuple[Certificate, ...]:
        """An authority's certificate and its root's."""
        above = PLANS[identity].above
        return (self.certificate(identity), *(self.chain(above) if above is not None else ()))

    def issuer(self, identity: str) -> Issuer:
        """An authority with its key, to issue. Raises `CustodyError`."""
        return Issuer(name=PLANS[identity].subject, key=self._key(identity), crl_uri=PLANS[identity].crl_uri)

    def new_list(
        self,
        identity: str,
        this_update: datetime,
        next_update: datetime | None = None,
        revoked: Iterable[Revoked] = (),
    ) -> RevocationList:
        """A new revocation list: everything that was ever revoked and these lines. Raises `CustodyError`.

        The lines are kept before the list is given out, so that no later list forgets them.
        """
        issuer = self.issuer(identity)
        with files.exclusive(self.path):
            ledger = self._ledger(identity).continued(revoked)
            content = writing.revocation_list(
                issuer,
                ledger.revoked,
                number=ledger.number,
                this_update=this_update,
                next_update=next_update or this_update + LIST_LIFETIME,
            )
            files.replace(self._file(identity, "revoked.json"), ledger.written())
            files.replace(self._file(identity, "crl"), content)
        return parse_crl(content)

    def open_keys(self, identities: Iterable[str]) -> None:
        """Opens keys side by side: each takes a quarter of a second."""
        _at_once(self._key, [*identities])

    def _ledger(self, identity: str) -> Ledger:
        path = self._file(identity, "revoked.json")
        return read_ledger(path, files.read_public(path))

    def _key(self, identity: str) -> SoftwareKey:
        found = self._keys.get(identity)
        if found is None:
            path = self._file(identity, "key")
            content, opener = files.read_secret(path), self._opener()
            try:
                found = software_key.load(content, opener, PLANS[identity].family)
            except CustodyError as error:
                raise CustodyError(error.code, f"{path}: {error.detail}") from error
            if found.spki != self.certificate(identity).spki:
                raise CustodyError("key.name_wrong", f"{path}: is not the key of the certificate beside it; restore it")
            self._keys[identity] = found
        return found

    def _opener(self, *, make: bool = False) -> bytes:
        """The passphrase of all keys here."""
        path = self.path / _PASSPHRASE
        if make and not path.exists():
            files.create(path, secrets.token_urlsafe(32).encode("ascii") + b"\n")
        return passphrase.from_sources(path, None)

    def _enter(self, plan: Plan, key: SoftwareKey, sealed: bytes) -> None:
        """Puts an authority on disk; its certificate last, as what is half made is made again."""
        self._keys[plan.id] = key
        subject = Subject(name=plan.subject, spki=key.spki, not_before=NOT_BEFORE, not_after=NOT_AFTER)
        if plan.above is None:
            content = writing.root_certificate(subject, key)
        elif plan.tells_time:
            content = writing.timestamp_certificate(subject, self.issuer(plan.above))
        else:
            content = writing.authority_certificate(subject, self.issuer(plan.above))
        # A new key has revoked nothing and signed no list.
        files.discard(self._file(plan.id, "revoked.json"))
        files.replace(self._file(plan.id, "key"), sealed)
        files.replace(self._file(plan.id, "pem"), encoding.pem(content, "CERTIFICATE"))
        self._certificates[plan.id] = read_certificate(content)

    def _file(self, identity: str, ending: str) -> Path:
        return self.path / f"{identity}.{ending}"


def _upwards(identity: str) -> tuple[str, ...]:
    """An authority, the one that it stands under, and so on up to its root."""
    above = PLANS[identity].above
    return (identity, *(_upwards(above) if above is not None else ()))


def _new_key(plan: Plan, opener: bytes) -> tuple[SoftwareKey, bytes]:
    key = software_key.generate(plan.family)
    return key, key.pem(opener)


def _at_once(work: Callable[[T], R], entries: Iterable[T]) -> list[R]:
    """Does the same for each side by side: libcrypto lets the interpreter go on."""
    with ThreadPoolExecutor() as workers:
        return list(workers.map(work, entries))
