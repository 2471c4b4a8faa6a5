"""Signed documents and Bouncy Castle, SM2 above all: what it writes we verify, what we write for tests it verifies.

Of the Chinese dialect it knows no more than the structure: the three identifiers in `GM` it is given from here, and how
GM/T 0010 names signing by SM2 is translated for it when it verifies. The structure, SM3 and SM2 are its own.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import schemes, sm2
from keys.certificate import Certificate, parse_certificate
from keys.cms import SignedData, find_certificate, parse_cms, verify_countersignature, verify_signer
from keys.content import Octets
from keys.errors import KeysError, SignatureError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.bouncy_castle import SCHEMES, Answer, BouncyCastle, BouncyCastleRefused, signing
from tests.support.cms_writer import Signed, in_ber, message
from tests.support.pki import AT, NOT_AFTER, NOT_BEFORE
from tests.support.unsafe_sm2 import DEFAULT_USER_ID, KINDS
from tests.unit.keys.cms_signers import CONTENT, lock
from tests.unit.keys.test_cms_openssl import samples

GM = {"type": cms.DATA["gm"], "outer": cms.SIGNED["gm"], "named": "1.2.156.10197.1.301.1"}
SM2, OTHER = ("sm2", 1), ("sm2", 2)
RSA, P256, P384, ED25519 = ("rsa-2048", 1), ("p-256", 1), ("p-384", 1), ("ed25519", 1)
SHA256_ID, RSA_ID = cms.digest_algorithm("sha256"), der.ALGORITHM_IDENTIFIERS["rsa-pkcs1-sha256"]
SECONDS = int(AT.timestamp())
SHA256, SM3 = cms.DIGEST_OIDS["sha256"], cms.DIGEST_OIDS["sm3"]

# By name: who signs, and how.
SIGNED: dict[str, tuple[tuple[tuple[str, int], ...], dict[str, Any]]] = {
    "attached": ((SM2,), {}),
    "attached, of definite lengths": ((SM2,), {"definite": True}),
    "detached": ((SM2,), {"detached": True}),
    "without attributes": ((SM2,), {"direct": True}),
    "without attributes, detached": ((SM2,), {"direct": True, "detached": True}),
    "stream": ((SM2,), {"stream": True}),
    "stream, detached": ((SM2,), {"stream": True, "detached": True}),
    "stream without attributes": ((SM2,), {"stream": True, "direct": True}),
    "two": ((SM2, OTHER), {}),
    "beside RSA": ((SM2, RSA), {}),
    "beside ECDSA, as a stream": ((P256, SM2, P384), {"stream": True}),
    "beside RSA without attributes": ((RSA, SM2), {"direct": True}),
    "beside Ed25519": ((SM2, ED25519), {}),
    "beside Ed25519 without attributes": ((ED25519, SM2), {"direct": True}),
    "key identifier": ((SM2, P256), {"keyid": True}),
    "cades sha256": ((SM2,), {"cades": SHA256}),
    "cades sm3, two": ((SM2, OTHER), {"cades": SM3}),
    "cades sm3, detached stream": ((SM2,), {"cades": SM3, "stream": True, "detached": True}),
    "countersigned": ((SM2, OTHER), {"counter": 1}),
    "countersigned twice": ((SM2, OTHER, RSA), {"counter": 2}),
    "countersigned RSA": ((RSA, SM2), {"counter": 1, "cades": SHA256}),
    "gm": ((SM2,), GM),
    "gm, two, cades sm3": ((SM2, OTHER), {**GM, "cades": SM3}),
    "gm detached, of definite lengths": ((SM2,), {**GM, "detached": True, "definite": True}),
    "gm without attributes": ((SM2,), {**GM, "direct": True}),
    "gm as a stream": ((SM2,), {**GM, "stream": True}),
    "gm under the name of RFC 8998": ((SM2,), {**GM, "named": None}),
}


def signed(bouncy_castle: BouncyCastle, name: str, **changes: Any) -> bytes:
    who, how = SIGNED[name]
    fields = signing(*(lock(kind, number) for kind, number in who))
    return bouncy_castle.ask("cms.write", content=CONTENT, at=SECONDS, **fields, **(how | changes)).octets("message")


def everybody() -> list[bytes]:
    return [lock(*each).der for each in (SM2, OTHER, RSA, P256, P384, ED25519)]


def judged(bouncy_castle: BouncyCastle, data: bytes, *, detached: bool = False, content: bytes = CONTENT) -> Answer:
    """What it says of a message; the certificates of all who sign here are given as well."""
    beside = content if detached else None
    return bouncy_castle.ask("cms.judge", message=data, content=beside, certificate=everybody())


def holds(bouncy_castle: BouncyCastle, data: bytes, **how: Any) -> bool:
    """Whether it verifies every signature and countersignature."""
    try:
        told = judged(bouncy_castle, data, **how)
    except BouncyCastleRefused:
        return False
    found = told.texts("holds") + told.texts("countersigned") + told.texts("certified")
    return bool(told.texts("holds")) and set(found) == {"true"}


def verified(data: bytes, content: bytes = CONTENT, *more: Certificate) -> SignedData:
    """Reads a message and verifies every signature and countersignature."""
    read = parse_cms(data)
    known = [*read.certificates, *more]
    for signer in read.signers:
        found = find_certificate(signer, known)
        assert found is not None
        verify_signer(signer, found, Octets(content if read.content is None else read.content))
        for counter in signer.countersignatures:
            found = find_certificate(counter, known)
            assert found is not None
            verify_countersignature(counter, signer.signature, found)
    return read


def flipped(data: bytes, *parts: bytes) -> list[bytes]:
    """The data with one bit of each part turned over, wherever the part is."""
    damaged = []
    for part in parts:
        assert data.count(part) == 1
        place = data.index(part) + len(part) - 1
        damaged.append(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])
    return damaged


def test_the_identity_of_sm2_is_the_same_by_default(bouncy_castle: BouncyCastle) -> None:
    own, spki = lock("sm2"), lock("sm2").key.spki
    key, scheme = schemes.load_key(spki), schemes.SCHEMES["sm2-sm3"]
    assert DEFAULT_USER_ID == b"1234567812345678"
    for identity in (None, DEFAULT_USER_ID):
        asked = {"key": own.key.private_key_info(), "message": CONTENT, "identity": identity}
        signature = bouncy_castle.ask("sign", **asked).octets("signature")
        schemes.verify(key, scheme, signature, CONTENT)
        by_us = own.key.sign(CONTENT)
        told = bouncy_castle.ask("verify", spki=spki, message=CONTENT, signature=by_us, identity=identity)
        assert told.text("holds") == "true"
    for identity in (b"", b"12345678", b"1234567812345679"):
        signature = bouncy_castle.ask("sign", **asked | {"identity": identity}).octets("signature")
        with pytest.raises(SignatureError):
            schemes.verify(key, scheme, signature, CONTENT)
        assert bouncy_castle.ask("verify", spki=spki, message=CONTENT, signature=signature).text("holds") == "false"


def test_a_key_and_a_certificate_that_it_made_itself(bouncy_castle: BouncyCastle) -> None:
    dates = {"start": int(NOT_BEFORE.timestamp()), "end": int(NOT_AFTER.timestamp())}
    party = bouncy_castle.ask("party", name="CN=测试签名人,O=测试有限公司,C=CN", **dates)
    own = parse_certificate(party.octets("certificate"))
    scheme = schemes.scheme_from_identifier(own.signature_algorithm)
    schemes.verify(schemes.load_key(own.spki), scheme, own.signature, own.tbs)
    assert (scheme.name, own.common_name, own.oddities) == ("sm2-sm3", "测试签名人", ())
    assert (own.not_before, own.not_after) == (NOT_BEFORE, NOT_AFTER)
    fields = {"key": party.octets("key"), "certificate": own.der, "scheme": SCHEMES["sm2"], "at": SECONDS}
    read = verified(bouncy_castle.ask("cms.write", content=CONTENT, **fields).octets("message"))
    assert read.certificates == (own,)


@pytest.mark.parametrize("name", SIGNED)
def test_what_it_signs_is_verified(bouncy_castle: BouncyCastle, name: str) -> None:
    who, how = SIGNED[name]
    data = signed(bouncy_castle, name)
    detached, dialect = "detached" in how, "gm" if "outer" in how else "rfc5652"
    # It writes in BER, of indefinite lengths, unless it is told otherwise.
    assert (data[1] == 0x80) == ("definite" not in how)
    read = verified(data)
    assert (read.dialect, read.content_type, read.oddities) == (dialect, cms.DATA[dialect], ())
    assert read.content == (None if detached else CONTENT)
    assert {certificate.der for certificate in read.certificates} == {lock(*each).der for each in who}
    signers = who[: len(who) - how.get("counter", 0)]
    assert sorted(signer.scheme.name for signer in read.signers) == sorted(KINDS[kind] for kind, _ in signers)
    for signer in read.signers:
        assert signer.claimed_time == (None if "direct" in how else AT)
        assert (signer.signed_attributes is None) == ("direct" in how)
        assert (signer.key_id is not None) == ("keyid" in how)
        digests = {SHA256: ["sha256"], SM3: ["sm3"]}.get(how.get("cades", ""), [])
        assert [digest for digest, _ in signer.certificate_hashes] == digests
        assert (signer.oddities, len(signer.countersignatures)) == ((), how.get("counter", 0))
        for counter in signer.countersignatures:
            assert (counter.oddities, counter.content_type) == ((), None)
    assert holds(bouncy_castle, data, detached=detached)


@pytest.mark.parametrize("name", SIGNED)
def test_neither_of_us_verifies_it_damaged_or_of_other_content(bouncy_castle: BouncyCastle, name: str) -> None:
    data = signed(bouncy_castle, name)
    read = parse_cms(data)
    detached = read.content is None
    parts = [] if detached else [CONTENT[:8]]
    for signer in read.signers:
        parts.append(signer.signature)
        parts += [counter.signature for counter in signer.countersignatures]
    for damaged in flipped(data, *parts):
        with pytest.raises(SignatureError):
            verified(damaged)
        assert not holds(bouncy_castle, damaged, detached=detached)
    if detached:
        with pytest.raises(SignatureError):
            verified(data, CONTENT + b"\n")
        assert not holds(bouncy_castle, data, detached=True, content=CONTENT + b"\n")


WAYS = ("direct", "detached", "definite", "stream", "keyid", "bare")


@given(
    content=st.binary(max_size=3000),
    who=st.lists(st.sampled_from((SM2, OTHER, P256, ED25519)), min_size=1, max_size=3, unique=True),
    ways=st.sets(st.sampled_from(WAYS)),
    cades=st.sampled_from((None, SHA256, SM3)),
    dialect=st.sampled_from(({}, GM)),
)
def test_any_content_signed_in_any_way_is_verified(
    bouncy_castle: BouncyCastle,
    content: bytes,
    who: list[tuple[str, int]],
    ways: set[str],
    cades: str | None,
    dialect: dict[str, str],
) -> None:
    who = [each for each in who if each[0] == "sm2" or not dialect] or [SM2]
    owners = [lock(*each) for each in who]
    how = {**dialect, **dict.fromkeys(ways, True), "cades": cades, "at": SECONDS}
    data = bouncy_castle.ask("cms.write", content=content, **signing(*owners), **how).octets("message")
    known = [parse_certificate(owner.der) for owner in owners]
    read = verified(data, content, *known)
    assert len(read.signers) == len(who)
    assert read.content == (None if "detached" in ways else content)
    assert bool(read.certificates) != ("bare" in ways)
    assert holds(bouncy_castle, data, detached="detached" in ways, content=content)
    for signer in read.signers:
        found = find_certificate(signer, known)
        assert found is not None
        with pytest.raises(SignatureError):
            verify_signer(signer, found, Octets(content + b"\n"))


def accepted(data: bytes) -> bool:
    try:
        known = [parse_certificate(lock(*each).der) for each in (SM2, OTHER, P256)]
        read = verified(data, CONTENT, *known)
    except (KeysError, AssertionError):
        return False
    return read.content in (CONTENT, None)


DAMAGED = ("attached", "stream", "stream, detached", "without attributes", "cades sm3, two", "key identifier", "gm")


@pytest.mark.parametrize("name", DAMAGED)
def test_what_we_accept_damaged_it_accepts_too(bouncy_castle: BouncyCastle, name: str) -> None:
    data = signed(bouncy_castle, name, bare=True)
    detached = parse_cms(data).content is None
    assert accepted(data)
    refused = 0
    for damaged in samples(data, 100):
        ours = accepted(damaged)
        refused += not ours
        assert not ours or holds(bouncy_castle, damaged, detached=detached), damaged.hex()
    assert refused > 80


def by(number: int = 1, **how: Any) -> Signed:
    return Signed(by=lock("sm2", number), **how)


def chinese(number: int = 1, **how: Any) -> Signed:
    """One who signs as GM/T 0010 has it."""
    return by(number, signature_algorithm=cms.algorithm(GM["named"]), **how)


def certified(number: int = 1, digest: str = "sm3", **how: Any) -> Signed:
    return by(number, more=(cms.signing_certificate(lock("sm2", number).der, digest=digest),), **how)


def countersigned() -> Signed:
    """A signer with two countersignatures, one of them of RSA."""
    signature = cms.signature_of(by().info(CONTENT))
    counters = [Signed(by=lock(*each)).info(signature, None) for each in (OTHER, RSA)]
    return by(signature=signature, unsigned=(cms.attribute(cms.COUNTERSIGNATURE, *counters),))


PROTECTION = cms.protection(cms.digest_algorithm("sm3"), der.ALGORITHM_IDENTIFIERS["sm2-sm3"])
WRITTEN: dict[str, Callable[[], bytes]] = {
    "plain": lambda: message(CONTENT, by(at=AT)),
    "detached": lambda: message(None, by(at=AT), over=CONTENT),
    "without attributes": lambda: message(CONTENT, by(attributes=False)),
    "without attributes, detached": lambda: message(None, by(attributes=False), over=CONTENT),
    "several": lambda: message(CONTENT, by(at=AT), by(2), *(Signed(by=lock(*each)) for each in (RSA, P384, ED25519))),
    "by key identifier": lambda: message(CONTENT, by(by_key_id=True), version=3),
    "with NULL for parameters": lambda: message(CONTENT, by(signature_algorithm=der.SM2_SM3_WITH_NULL)),
    "cades sm3": lambda: message(CONTENT, certified(at=AT)),
    "cades sha256, two": lambda: message(CONTENT, certified(digest="sha256"), certified(2, digest="sha256")),
    "algorithms protected": lambda: message(CONTENT, by(more=(PROTECTION,))),
    "countersigned": lambda: message(CONTENT, countersigned(), certificates=everybody()),
    "gm": lambda: message(CONTENT, chinese(at=AT), dialect="gm"),
    "gm, two": lambda: message(CONTENT, chinese(at=AT), chinese(2), dialect="gm"),
    "gm, detached": lambda: message(None, chinese(), over=CONTENT, dialect="gm"),
    "gm without attributes": lambda: message(CONTENT, chinese(attributes=False), dialect="gm"),
    "gm under the name of RFC 8998": lambda: message(CONTENT, by(), dialect="gm"),
    "ber of indefinite lengths": lambda: in_ber(message(CONTENT, certified(at=AT), by(2)), lambda: 0),
    "ber of long lengths": lambda: in_ber(message(CONTENT, certified(at=AT), by(2)), lambda: 2),
    "ber in pieces": lambda: in_ber(message(CONTENT, certified(at=AT), by(2)), lambda: 3),
}
"""By our writer for tests, which shares no code with what reads."""


@pytest.mark.parametrize("name", WRITTEN)
def test_our_writer_for_tests_writes_what_it_verifies(bouncy_castle: BouncyCastle, name: str) -> None:
    data, detached = WRITTEN[name](), "detached" in name
    read = verified(data)
    told = judged(bouncy_castle, data, detached=detached)
    assert set(told.texts("holds")) == {"true"}
    assert len(told.texts("holds")) == len(read.signers)
    assert told.text("type") == read.content_type
    assert told.octets("inside") == CONTENT
    assert told.texts("certified") == ["true"] * sum(bool(signer.certificate_hashes) for signer in read.signers)
    assert told.texts("countersigned") == ["true"] * sum(len(signer.countersignatures) for signer in read.signers)
    for damaged in flipped(data, *(signer.signature for signer in read.signers if "ber" not in name)):
        assert not holds(bouncy_castle, damaged, detached=detached)


def attacks() -> dict[str, bytes]:
    honest = by(at=AT)
    shown = der.tlv(0x31, b"".join(honest.signed_attributes(CONTENT, cms.DATA["rfc5652"])))
    signature, own = cms.signature_of(honest.info(CONTENT)), [lock("sm2").der]
    other_name = lock("sm2").key.sign(CONTENT, user_id=b"another name")
    twice = (cms.attribute("1.2.3", der.null()),) * 2
    return {
        "another identity": message(CONTENT, by(attributes=False, signature=other_name)),
        "attributes as content": message(shown, by(attributes=False, signature=signature)),
        "a swapped content type": message(CONTENT, by().info(CONTENT, "1.2.3.4"), certificates=own),
        "an attribute twice": message(CONTENT, by(more=twice)),
        "no content type": message(CONTENT, by(only=(cms.message_digest(cms.digest_of("sm3", CONTENT)),))),
        "no digest": message(CONTENT, by(only=(cms.content_type(),))),
        "another digest than that of the scheme": message(CONTENT, by(digest="sha256")),
        "another key": message(CONTENT, by(signed_by=lock("sm2", 2).key)),
        "another certificate": message(CONTENT, by(2, signed_by=lock("sm2").key)),
        "another's hash": message(CONTENT, by(more=(cms.signing_certificate(lock("sm2", 2).der),))),
        "other algorithms protected": message(CONTENT, by(more=(cms.protection(SHA256_ID, RSA_ID),))),
        "a signature of ECDSA": message(CONTENT, by(signed_by=lock("p-256").key, scheme="ecdsa-sha256")),
        "nobody": message(CONTENT, certificates=own),
    }


STRICTER = {
    "attributes as content": "RFC 5652 as it was written lets a signature over attributes pass for one over content",
    "an attribute twice": "RFC 5652 §5.3 wants single instances of those that it names; we want it of all",
    "another digest than that of the scheme": "SM2 with SM3 says how it digests; beside it we take no other",
}
"""What Bouncy Castle verifies and we do not, with the reason."""


@pytest.mark.parametrize("name", attacks())
def test_every_attack_is_refused_also_what_it_verifies(bouncy_castle: BouncyCastle, name: str) -> None:
    data = attacks()[name]
    assert not accepted(data)
    assert holds(bouncy_castle, data) == (name in STRICTER)


def test_only_we_verify_r_and_s_as_devices_give_them(bouncy_castle: BouncyCastle) -> None:
    """GM/T 0018 has them side by side; in a message DER belongs (GM/T 0009)."""
    data = message(CONTENT, by(alter=sm2.signature_to_raw))
    assert accepted(data)
    assert not holds(bouncy_castle, data)
