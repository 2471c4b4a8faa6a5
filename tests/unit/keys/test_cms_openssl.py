"""Signed documents by the openssl command, and what it says of them: we verify what it verifies, or are stricter."""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from keys.certificate import parse_certificate
from keys.cms import SignedData, find_certificate, parse_cms, verify_signer
from keys.content import Octets
from keys.errors import KeysError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, message
from tests.support.pki import AT
from tests.support.requirements import require
from tests.unit.keys.cms_signers import CONTENT, authority, lock

KINDS = ("rsa-2048", "p-256", "p-384")
PSS = ("-keyopt", "rsa_padding_mode:pss")

# By name: who signs, and how.
SIGNED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rsa": (("rsa-2048",), ()),
    "rsa sha512": (("rsa-2048",), ("-md", "sha512")),
    "rsa sha1": (("rsa-2048",), ("-md", "sha1")),
    # An option about a key is of the signer before it.
    "rsa pss": (("rsa-2048",), PSS),
    "rsa pss sha384, salt 10": (("rsa-2048",), (*PSS, "-keyopt", "rsa_pss_saltlen:10", "-md", "sha384")),
    "rsa pss without attributes": (("rsa-2048",), (*PSS, "-noattr")),
    "ecdsa": (("p-256",), ()),
    "ecdsa p-384 sha384": (("p-384",), ("-md", "sha384")),
    "ecdsa sha224": (("p-256",), ("-md", "sha224")),
    "several": (("rsa-2048", "p-256", "p-384"), ()),
    "several by key identifier": (("rsa-2048", "p-256"), ("-keyid",)),
    "key identifier": (("p-256",), ("-keyid",)),
    "no smime capabilities": (("rsa-2048",), ("-nosmimecap",)),
    "no attributes": (("rsa-2048",), ("-noattr",)),
    "ecdsa without attributes": (("p-256",), ("-noattr",)),
    "cades": (("p-256",), ("-cades",)),
    "cades sha1": (("rsa-2048",), ("-cades", "-md", "sha1")),
    "cades sha512": (("rsa-2048",), ("-cades", "-md", "sha512")),
    "no certificates": (("rsa-2048",), ("-nocerts",)),
}
FORMS: dict[str, tuple[str, ...]] = {
    "attached": ("-nodetach",),
    "detached": (),
    "attached stream": ("-nodetach", "-stream"),
    "indefinite": ("-indef",),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder in which the command signs and verifies."""

    folder: Path

    def run(self, *arguments: str) -> tuple[int, bytes]:
        command = shutil.which("openssl")
        require(command, "the openssl command")
        done = subprocess.run([str(command), "cms", *arguments], cwd=self.folder, capture_output=True, check=False)
        return done.returncode, done.stderr

    def write(self) -> None:
        for kind in KINDS:
            (self.folder / f"{kind}.pem").write_text(lock(kind).pem)
            (self.folder / f"{kind}.key").write_text(der.pem(lock(kind).key.private_key_info(), "PRIVATE KEY"))
        (self.folder / "anchor.pem").write_text(authority().certificate.pem)
        (self.folder / "all.pem").write_text("".join(lock(kind).pem for kind in KINDS))
        (self.folder / "content").write_bytes(CONTENT)

    def signed(self, who: tuple[str, ...], *how: str) -> bytes:
        signers: list[str] = []
        for kind in who:
            signers += ["-signer", f"{kind}.pem", "-inkey", f"{kind}.key"]
        form = ("-in", "content", "-binary", "-outform", "DER", "-out", "signed")
        code, said = self.run("-sign", *form, *signers, *how)
        assert code == 0, said
        return (self.folder / "signed").read_bytes()

    def verifies(self, data: bytes, *how: str) -> bool:
        """Whether the command verifies every signer, up to the anchor; `how` gives detached content."""
        (self.folder / "asked").write_bytes(data)
        trust = ("-CAfile", "anchor.pem", "-attime", f"{AT.timestamp():.0f}", "-purpose", "any", "-certfile", "all.pem")
        form = ("-in", "asked", "-inform", "DER", "-out", "told", "-binary")
        code, _ = self.run("-verify", *form, *trust, *how)
        return code == 0


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.write()
    return made


@cache
def known() -> tuple[bytes, ...]:
    return tuple(lock(kind).der for kind in KINDS)


def verified(data: bytes) -> SignedData:
    """Reads and verifies every signer, by certificates from inside and those that are known."""
    read = parse_cms(data)
    certificates = [*read.certificates, *map(parse_certificate, known())]
    for signer in read.signers:
        found = find_certificate(signer, certificates)
        if found is None:
            raise LookupError
        verify_signer(signer, found, Octets(CONTENT if read.content is None else read.content))
    return read


def accepted(data: bytes) -> bool:
    try:
        return verified(data).content in (CONTENT, None)
    except (KeysError, LookupError):
        return False


@pytest.mark.parametrize("name", SIGNED)
def test_what_openssl_signs_is_verified(desk: Desk, name: str) -> None:
    who, how = SIGNED[name]
    # It does not write PSS as a stream; every form with each of the others would only take longer.
    forms = ("attached", "detached") if "-keyopt" in how else ("attached stream", "detached")
    for form, options in FORMS.items():
        if form not in forms and name not in {"rsa", "several"}:
            continue
        data = desk.signed(who, *how, *options)
        read = verified(data)
        assert (read.dialect, len(read.signers)) == ("rfc5652", len(who))
        # As a stream it writes the content out even where that was to be left aside.
        assert read.content == (None if form == "detached" else CONTENT)
        for signer in read.signers:
            assert (signer.signed_attributes is None) == ("-noattr" in how)
            assert (signer.claimed_time is None) == ("-noattr" in how)
            assert (signer.key_id is not None) == ("-keyid" in how)
            assert bool(signer.certificate_hashes) == ("-cades" in how)
            assert signer.oddities == ()


def test_what_openssl_writes_as_a_stream_is_no_der(desk: Desk) -> None:
    assert desk.signed(("rsa-2048",), "-nodetach", "-stream")[1] == 0x80


def samples(data: bytes, count: int) -> Iterator[bytes]:
    chance = random.Random(len(data))
    for _ in range(count):
        damaged = bytearray(data)
        bit = chance.randrange(8 * len(data))
        damaged[bit // 8] ^= 1 << (bit % 8)
        yield bytes(damaged)


@pytest.mark.parametrize("options", [("-nodetach",), ("-nodetach", "-stream"), ("-noattr",)], ids=" ".join)
def test_what_we_accept_damaged_openssl_accepts_too(desk: Desk, options: tuple[str, ...]) -> None:
    data = desk.signed(("rsa-2048",), "-nocerts", *options)
    assert accepted(data)
    given = ("-content", "content") if parse_cms(data).content is None else ()
    assert desk.verifies(data, *given)
    refused = 0
    for damaged in samples(data, 60):
        ours = accepted(damaged)
        refused += not ours
        assert not ours or desk.verifies(damaged, *given)
    assert refused > 50


def attacks() -> dict[str, bytes]:
    signer = Signed(by=lock("rsa-2048"), at=AT)
    shown = der.tlv(0x31, b"".join(signer.signed_attributes(CONTENT, cms.DATA["rfc5652"])))
    signature = cms.signature_of(signer.info(CONTENT))
    typed = Signed(by=lock("rsa-2048")).info(CONTENT, "1.2.3.4")
    certificates = [lock("rsa-2048").der]
    twice = (cms.attribute("1.2.3", der.null()),) * 2
    return {
        "attributes as content": message(shown, Signed(by=lock("rsa-2048"), attributes=False, signature=signature)),
        "a swapped content type": message(CONTENT, typed, certificates=certificates),
        "an attribute twice": message(CONTENT, Signed(by=lock("rsa-2048"), more=twice)),
        "a weaker digest": message(CONTENT, Signed(by=lock("rsa-2048"), digest="sha1")),
        "another key": message(CONTENT, Signed(by=lock("rsa-2048"), signed_by=lock("p-256").key)),
        "another certificate": message(CONTENT, Signed(by=lock("p-384"), signed_by=lock("p-256").key)),
        "nobody": message(CONTENT, certificates=certificates),
    }


STRICTER = {
    "attributes as content": "RFC 5652 as it was written lets a signature over attributes pass for one over content",
    "a swapped content type": "RFC 5652 §11.1 has the signed content type be that of the content",
    "an attribute twice": "RFC 5652 §5.3 wants single instances of those that it names; we want it of all",
}
"""What openssl verifies and we do not, with the reason."""


@pytest.mark.parametrize("name", attacks())
def test_every_attack_is_refused_also_what_openssl_verifies(desk: Desk, name: str) -> None:
    data = attacks()[name]
    assert not accepted(data)
    assert desk.verifies(data) == (name in STRICTER)


WRITTEN: dict[str, Callable[[], bytes]] = {
    "plain": lambda: message(CONTENT, Signed(by=lock("rsa-2048"), at=AT)),
    "detached": lambda: message(None, Signed(by=lock("p-256")), over=CONTENT),
    "several": lambda: message(CONTENT, *(Signed(by=lock(kind), at=AT) for kind in KINDS)),
    "without attributes": lambda: message(CONTENT, Signed(by=lock("p-384"), attributes=False)),
    "by key identifier": lambda: message(CONTENT, Signed(by=lock("p-256"), by_key_id=True), version=3),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_our_writer_for_tests_writes_what_openssl_verifies(desk: Desk, name: str) -> None:
    data = WRITTEN[name]()
    assert accepted(data)
    assert desk.verifies(data, *(("-content", "content") if name == "detached" else ()))
