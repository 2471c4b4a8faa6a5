"""Soft locks: the two certificates and keys of a made-up holder in a folder, in the place of a UKey."""

import re
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.softlock import certificate as writing
from app.softlock import encoding
from app.softlock.authority import NOT_AFTER, NOT_BEFORE, AuthorityFolder, authority_id
from app.softlock.certificate import ENCRYPTION_USAGE, SIGNING_USAGE, Subject
from keys.algorithms import sm2
from keys.algorithms.schemes import load_key
from keys.certificate import Certificate, read_certificate
from keys.custody import files, passphrase, software_key
from keys.custody.software_key import SoftwareKey
from keys.errors import CustodyError, KeysError
from registry.identifiers import compact, uscc_check, uscc_well_formed

KINDS = ("unit", "legal-representative")
USES = ("signing", "encryption")
FORMATS = ("der", "raw")

MARK = "测试"
"""What the name of every holder has in it: nobody is to take a soft lock for a company's."""

_ORGANISATION_CODE = "1.2.156.10260.4.1.4"  # where a legal representative's lock has the company's code (domain.md)
_MAX_NAME = 64  # characters (X.520 ub-common-name, ub-organization-name)
_KEY_FILES = {"signing": "lock.key", "encryption": "encryption.key"}
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")


class OrderRefused(Exception):
    """A lock that is not made; `str()` says in one line why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A lock that is asked for: by one of CAS, of one of FAMILIES, for a holder, with both ends of its validity.

    Raises `OrderRefused` when it is made for what no demonstration authority issues.
    """

    ca: str
    family: str
    uscc: str
    name: str
    kind: str
    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if MARK not in self.name:
            raise OrderRefused(
                f"--name: 名称须含“{MARK}”，以免被当作真实企业的锁 / must contain {MARK}: a soft lock is nobody's"
            )
        if not self.name.isprintable() or self.name != self.name.strip() or len(self.name) > _MAX_NAME:
            raise OrderRefused(f"--name: 名称至多 {_MAX_NAME} 字，不含控制字符 / at most so many, printable")
        code = self.uscc
        if not uscc_well_formed(code):
            raise OrderRefused("--uscc: 统一社会信用代码应为 18 位 / a unified social credit code has 18 characters")
        if uscc_check(code[:17]) != code[17]:
            raise OrderRefused(
                f"--uscc: 统一社会信用代码校验位应为 {uscc_check(code[:17])} / its check character should be that"
            )
        if not NOT_BEFORE <= self.not_before < self.not_after <= NOT_AFTER:
            raise OrderRefused(
                "--valid-from, --valid-until: "
                f"有效期须在 {NOT_BEFORE:%Y-%m-%d} 至 {NOT_AFTER:%Y-%m-%d} 之间，且止晚于起"
                " / the validity must end after it begins, within that of the authority"
            )

    @property
    def subject(self) -> bytes:
        """The Name of the holder, DER."""
        said = [(encoding.COUNTRY, "CN"), (encoding.ORGANISATION, self.name)]
        if self.kind == "unit":
            said += [(encoding.COMMON_NAME, self.name), (encoding.SERIAL_NUMBER, self.uscc)]
        else:
            said += [(encoding.UNIT, "法定代表人"), (encoding.COMMON_NAME, f"{MARK}法定代表人")]
        return encoding.name(said)

    @property
    def more(self) -> tuple[bytes, ...]:
        """The extensions that only this kind of lock has. No number of a person is ever made up."""
        if self.kind == "unit":
            return ()
        return (encoding.extension(_ORGANISATION_CODE, encoding.printable(self.uscc)),)


def normalised_uscc(text: str) -> str:
    """A unified social credit code as it was typed, in its one writing."""
    return compact(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftLock:
    """A lock: what it shows, by use, and the certificates above it, its own authority's first."""

    certificates: dict[str, Certificate]
    keys: dict[str, SoftwareKey]
    chain: tuple[Certificate, ...]

    def sign(self, message: bytes, use: str = "signing", form: str = "der") -> bytes:
        """Signs with the key of one of USES. `raw` is r‖s of SM2; what RSA signs has one form only."""
        key = self.keys[use]
        signature = key.sign(message)
        return sm2.signature_to_raw(signature) if form == "raw" and key.family == "sm2" else signature


def make(folder: AuthorityFolder, order: Order) -> SoftLock:
    """Issues both certificates of a lock; makes the authority where it is missing. Raises `CustodyError`."""
    identity = authority_id(order.ca, order.family)
    folder.make([identity])
    issuer = folder.issuer(identity)
    keys = {use: software_key.generate(order.family) for use in USES}
    certificates = {}
    for use, usages in zip(USES, (SIGNING_USAGE, ENCRYPTION_USAGE), strict=True):
        subject = Subject(
            name=order.subject, spki=keys[use].spki, not_before=order.not_before, not_after=order.not_after
        )
        certificates[use] = read_certificate(writing.holder_certificate(subject, issuer, usages, order.more))
    return SoftLock(certificates=certificates, keys=keys, chain=folder.chain(identity))


def refuse_occupied(directory: Path) -> None:
    """Raises CustodyError "key.file_exists" where a lock is already."""
    for name in ("passphrase", "chain.pem", *_KEY_FILES.values(), *(f"{use}.pem" for use in USES)):
        path = directory / name
        if path.exists():
            raise CustodyError("key.file_exists", f"{path}: exists and is not overwritten; give another folder")


def write(lock: SoftLock, directory: Path) -> None:
    """Puts a lock into a folder, for the owner's eyes only. Overwrites nothing. Raises `CustodyError`."""
    refuse_occupied(directory)
    files.make_directory(directory)
    opener = secrets.token_urlsafe(32).encode("ascii")
    with ThreadPoolExecutor() as workers:
        sealed = list(workers.map(lambda use: lock.keys[use].pem(opener), USES))
    files.create(directory / "passphrase", opener + b"\n")
    for use, content in zip(USES, sealed, strict=True):
        files.create(directory / _KEY_FILES[use], content)
    files.create(directory / "chain.pem", _pem(lock.chain))
    for use in USES:
        files.create(directory / f"{use}.pem", _pem([lock.certificates[use]]))


def read_certificates(directory: Path) -> dict[str, Certificate]:
    """The certificates of a lock by use. Opens no key. Raises `CustodyError`."""
    return {use: _certificate(directory / f"{use}.pem", _public(directory / f"{use}.pem")) for use in USES}


def read(directory: Path, uses: Sequence[str] = USES) -> SoftLock:
    """A lock with the keys of some uses opened. Raises `CustodyError`."""
    certificates = read_certificates(directory)
    opener = passphrase.from_sources(directory / "passphrase", None)
    keys = {}
    for use in uses:
        path = directory / _KEY_FILES[use]
        keys[use] = _key(path, opener, certificates[use])
        if keys[use].spki != certificates[use].spki:
            raise CustodyError("key.name_wrong", f"{path}: is not the key of {use}.pem; restore it")
    path = directory / "chain.pem"
    chain = tuple(_certificate(path, block) for block in _CERTIFICATE.findall(_public(path)))
    return SoftLock(certificates=certificates, keys=keys, chain=chain)


def pem_blocks(certificates: Sequence[Certificate]) -> list[str]:
    """Certificates as PEM texts."""
    return [_pem([certificate]).decode("ascii") for certificate in certificates]


def _pem(certificates: Sequence[Certificate]) -> bytes:
    return b"".join(encoding.pem(certificate.der, "CERTIFICATE") for certificate in certificates)


def _public(path: Path) -> bytes:
    content = files.read_public(path)
    if content is None:
        raise CustodyError("key.file_missing", f"{path}: there is no such file; give the folder of a lock")
    return content


def _key(path: Path, opener: bytes, certificate: Certificate) -> SoftwareKey:
    content = files.read_secret(path)
    try:
        return software_key.load(content, opener, load_key(certificate.spki).family)
    except KeysError as error:
        raise CustodyError(error.code, f"{path}: {error.detail}") from error


def _certificate(path: Path, content: bytes) -> Certificate:
    try:
        return read_certificate(content)
    except KeysError as error:
        raise CustodyError("key.damaged", f"{path}: {error.detail}; make a new lock") from error
