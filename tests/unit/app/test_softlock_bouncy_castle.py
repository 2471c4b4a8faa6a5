"""Bouncy Castle judges what the demonstration writes: documents that its locks sign, timestamps of its authorities.

Of the Chinese dialect Bouncy Castle reads the structure, SM3 and SM2; the name of signing by SM2 is translated for it.
"""

from itertools import product
from typing import Any

import pytest

from app.softlock import cms
from app.softlock import timestamp as stamps
from app.softlock.authority import AuthorityFolder
from app.softlock.lock import SoftLock
from app.softlock.timestamp import TimestampAuthority, granted, open_authority
from app.softlock.timestamp_attribute import signatures, with_timestamps
from keys.cms import parse_cms
from keys.content import Octets
from keys.timestamp import DIGEST_OIDS, parse_token, write_request
from tests.support.bouncy_castle import Answer, BouncyCastle, BouncyCastleRefused
from tests.support.softlock import NOW, made

CONTENT = "测试合同\n第一条\n".encode()
FORMS = [("sm2", "rfc5652"), ("sm2", "gm"), ("rsa", "rfc5652")]
NONCE = (1 << 64) - 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AuthorityFolder:
    return AuthorityFolder(tmp_path_factory.mktemp("authorities"))


@pytest.fixture(scope="module")
def locks(folder: AuthorityFolder) -> dict[str, tuple[SoftLock, ...]]:
    """Two locks of each family."""
    return {family: (made(folder, family=family), made(folder, family=family)) for family in ("sm2", "rsa")}


@pytest.fixture(scope="module")
def clocks(folder: AuthorityFolder) -> dict[str, TimestampAuthority]:
    return {family: open_authority(folder, "CN-CQ", family) for family in ("sm2", "rsa")}


def judged(bouncy_castle: BouncyCastle, data: bytes, locks: tuple[SoftLock, ...], content: bytes | None) -> Answer:
    known = [lock.certificates["signing"].der for lock in locks]
    return bouncy_castle.ask("cms.judge", message=data, content=content, certificate=known)


def damaged(data: bytes, part: bytes) -> bytes:
    end = data.index(part) + len(part) - 1
    return data[:end] + bytes((data[end] ^ 1,)) + data[end + 1 :]


def refused(bouncy_castle: BouncyCastle, data: bytes, locks: tuple[SoftLock, ...], content: bytes | None) -> bool:
    """Whether it finds a signature wrong, or cannot read the whole."""
    try:
        return "false" in judged(bouncy_castle, data, locks, content).texts("holds")
    except BouncyCastleRefused:
        return True


@pytest.mark.parametrize(("family", "dialect"), FORMS)
@pytest.mark.parametrize("detached", [False, True])
def test_it_verifies_what_locks_sign(
    bouncy_castle: BouncyCastle, locks: dict[str, tuple[SoftLock, ...]], family: str, dialect: str, detached: bool
) -> None:
    owners, content = locks[family], CONTENT if detached else None
    for count, attributes, certificates in product((1, 2), (True, False), (True, False)):
        said: dict[str, Any] = {"attributes": attributes, "certificates": certificates, "detached": detached}
        data = cms.sign(CONTENT, owners[:count], dialect=dialect, at=NOW, **said).der
        told = judged(bouncy_castle, data, owners, content)
        assert told.texts("holds") == ["true"] * count
        assert told.texts("certified") == ["true"] * count * attributes
        assert (told.text("type"), told.octets("inside")) == (parse_cms(data).content_type, CONTENT)
        for signature in signatures(data):
            assert refused(bouncy_castle, damaged(data, signature), owners, content)
        if detached:
            assert refused(bouncy_castle, data, owners, CONTENT + b"\n")
        else:
            assert refused(bouncy_castle, damaged(data, CONTENT), owners, None)


def test_locks_of_both_families_sign_one_document(
    bouncy_castle: BouncyCastle, locks: dict[str, tuple[SoftLock, ...]]
) -> None:
    owners = (locks["rsa"][0], locks["sm2"][0])
    told = judged(bouncy_castle, cms.sign(CONTENT, owners, at=NOW).der, owners, None)
    assert (told.texts("holds"), told.texts("certified")) == (["true"] * 2, ["true"] * 2)
    assert set(told.texts("digest")) == {DIGEST_OIDS["sm3"], DIGEST_OIDS["sha256"]}


@pytest.mark.parametrize(("family", "dialect"), FORMS)
@pytest.mark.parametrize("digest", ["sm3", "sha256"])
def test_it_believes_what_an_authority_answers(
    bouncy_castle: BouncyCastle, clocks: dict[str, TimestampAuthority], family: str, dialect: str, digest: str
) -> None:
    clock, at = clocks[family], NOW.replace(microsecond=120_000)
    imprint = Octets(CONTENT).digest(digest)
    asked = {"content": CONTENT, "digest": DIGEST_OIDS[digest], "nonce": NONCE}
    by_it = bouncy_castle.ask("timestamp.ask", **asked).octets("request")
    token = stamps.token(clock, digest, imprint, at, nonce=NONCE, dialect=dialect)

    def judge(answer: bytes, request: bytes) -> Answer:
        fields = {"response": answer, "request": request, "certificate": clock.certificate.der}
        return bouncy_castle.ask("timestamp.judge", **fields)

    for request in (by_it, write_request(digest, imprint, NONCE)):
        told = judge(granted(token), request)
        assert (told.text("policy"), int(told.text("nonce"))) == (stamps.POLICY, NONCE)
        assert int(told.text("serial")) == parse_token(token).info.serial
        assert int(told.text("milliseconds")) == int(NOW.timestamp()) * 1000 + 120
    read = parse_token(token)
    for wrong in (damaged(token, read.content), damaged(token, read.signer.signature)):
        with pytest.raises(BouncyCastleRefused):
            judge(granted(wrong), by_it)
    with pytest.raises(BouncyCastleRefused, match="nonce"):
        judge(granted(token), write_request(digest, imprint, NONCE - 1))


@pytest.mark.parametrize(("family", "dialect"), FORMS)
def test_it_verifies_a_stamped_document(
    bouncy_castle: BouncyCastle,
    locks: dict[str, tuple[SoftLock, ...]],
    clocks: dict[str, TimestampAuthority],
    family: str,
    dialect: str,
) -> None:
    owners = locks[family]
    data = cms.sign(CONTENT, owners, dialect=dialect, at=NOW).der
    tokens = [
        stamps.token(clocks[family], "sm3", Octets(each).digest("sm3"), NOW, dialect=dialect)
        for each in signatures(data)
    ]
    told = judged(bouncy_castle, with_timestamps(data, tokens), owners, None)
    assert (told.texts("holds"), told.texts("stamped")) == (["true"] * 2, ["true"] * 2)
    swapped = judged(bouncy_castle, with_timestamps(data, tokens[::-1]), owners, None)
    assert (swapped.texts("holds"), swapped.texts("stamped")) == (["true"] * 2, ["false"] * 2)


def test_it_verifies_a_document_stamped_as_it_was_signed(
    bouncy_castle: BouncyCastle, locks: dict[str, tuple[SoftLock, ...]], clocks: dict[str, TimestampAuthority]
) -> None:
    document = cms.sign(CONTENT, locks["sm2"], at=NOW)
    for place, signer in enumerate(document.signers):
        digest = Octets(signer.signature).digest("sha256")
        document = document.stamped(place, stamps.token(clocks["rsa"], "sha256", digest, NOW))
    told = judged(bouncy_castle, document.der, locks["sm2"], None)
    assert (told.texts("holds"), told.texts("stamped")) == (["true"] * 2, ["true"] * 2)
