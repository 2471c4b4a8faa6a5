"""What signatures of documents are over: the content, a stream of it, or somebody's digest of it."""

import hashlib
import io
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import sm2
from keys.algorithms.schemes import SCHEMES, load_key, verify_content
from keys.algorithms.sm2.curve import message_digest
from keys.content import DIGESTS, KINDS, Content, Octets, Stream, digested
from keys.errors import AlgorithmError, KeysError, SignatureError

DOCUMENT = "测试投标文件".encode() * 1000
Case = tuple[str, bytes, bytes]


def spki(key: Any) -> bytes:
    made: bytes = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made


@pytest.fixture(scope="module")
def signed() -> dict[str, Case]:
    """By scheme: its name, the public key and a signature over the document."""
    lock, curve = sm2.generate(), ec.generate_private_key(ec.SECP384R1())
    modulus, edwards = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return {
        "sm2": ("sm2-sm3", sm2.spki(lock.point), sm2.sign(lock, DOCUMENT)),
        "ec": ("ecdsa-sha384", spki(curve), curve.sign(DOCUMENT, ec.ECDSA(hashes.SHA384()))),
        "rsa": ("rsa-pkcs1-sha256", spki(modulus), modulus.sign(DOCUMENT, padding.PKCS1v15(), hashes.SHA256())),
        "pss": ("rsa-pss-sha256", spki(modulus), modulus.sign(DOCUMENT, pss, hashes.SHA256())),
        "ed25519": ("ed25519", spki(edwards), edwards.sign(DOCUMENT)),
    }


def stream(content: bytes) -> Stream:
    return Stream(lambda: io.BytesIO(content))


def whole(content: bytes) -> Octets:
    return Octets(content)


def verified(case: Case, content: Content) -> None:
    name, key, signature = case
    verify_content(load_key(key), SCHEMES[name], signature, content)


@pytest.mark.parametrize("form", [whole, stream])
@pytest.mark.parametrize("kind", ["sm2", "ec", "rsa", "pss"])
def test_a_document_is_verified_whole_and_as_a_stream(
    signed: dict[str, Case], kind: str, form: Callable[[bytes], Content]
) -> None:
    verified(signed[kind], form(DOCUMENT))
    with pytest.raises(SignatureError, match=r"signature\.wrong"):
        verified(signed[kind], form(DOCUMENT + b"\n"))


def test_a_digest_serves_for_the_content_where_the_scheme_signs_one(signed: dict[str, Case]) -> None:
    verified(signed["rsa"], digested("sha256", hashlib.sha256(DOCUMENT).digest()))
    verified(signed["ec"], digested("sha384", hashlib.sha384(DOCUMENT).digest()))
    point = load_key(signed["sm2"][1]).handle.point  # type: ignore[attr-defined]
    verified(signed["sm2"], digested("sm2-e", message_digest(point, DOCUMENT, sm2.DEFAULT_USER_ID)))
    with pytest.raises(SignatureError):
        verified(signed["rsa"], digested("sha256", hashlib.sha256(b"").digest()))


@pytest.mark.parametrize(
    ("kind", "digest"), [("sm2", "sm3"), ("rsa", "sm3"), ("rsa", "sm2-e"), ("ec", "sha256"), ("ed25519", "sha512")]
)
def test_a_digest_that_the_signature_is_not_over_is_not_enough(signed: dict[str, Case], kind: str, digest: str) -> None:
    size = 64 if digest == "sha512" else 32
    with pytest.raises(KeysError) as refusal:
        verified(signed[kind], digested(digest, bytes(size)))
    assert refusal.value.code == "digest.insufficient"


def test_ed25519_needs_the_content_itself(signed: dict[str, Case]) -> None:
    verified(signed["ed25519"], Octets(DOCUMENT))
    with pytest.raises(KeysError, match=r"digest\.insufficient"):
        verified(signed["ed25519"], stream(DOCUMENT))


def test_scheme_and_key_go_together(signed: dict[str, Case]) -> None:
    with pytest.raises(AlgorithmError, match=r"key\.kind"):
        verify_content(load_key(signed["ec"][1]), SCHEMES["sm2-sm3"], signed["ec"][2], Octets(DOCUMENT))


@pytest.mark.parametrize(("kind", "size"), [("md5", 16), ("SHA256", 32), ("sha256", 31), ("sm2-e", 33), ("", 0)])
def test_what_is_no_digest_is_refused(kind: str, size: int) -> None:
    with pytest.raises(KeysError, match=r"digest\.malformed"):
        digested(kind, bytes(size))


@given(st.binary(max_size=300))
def test_streams_and_octets_have_the_same_digests(content: bytes) -> None:
    point = sm2.public_key(bytes.fromhex("02") + POINT_X).point
    for name in DIGESTS:
        assert Octets(content).digest(name) == stream(content).digest(name)
        assert digested(name, Octets(content).digest(name)).digest(name) == stream(content).digest(name)
    assert Octets(content).sm2_digest(point) == stream(content).sm2_digest(point)
    assert Octets(content).sm2_digest(point) == message_digest(point, content, sm2.DEFAULT_USER_ID)
    assert Octets(content).octets() == content
    assert set(KINDS) - set(DIGESTS) == {"sm2-e"}


def test_a_digest_of_octets_is_taken_once_and_changes_nothing() -> None:
    asked = Octets(DOCUMENT)
    assert asked.digest("sm3") is asked.digest("sm3")
    assert asked.digest("sha256") != asked.digest("sm3")
    assert (asked, hash(asked)) == (Octets(DOCUMENT), hash(Octets(DOCUMENT)))


POINT_X = bytes.fromhex("09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020")


def test_a_stream_is_read_once_for_each_digest() -> None:
    opened: list[BinaryIO] = []

    def again() -> BinaryIO:
        opened.append(io.BytesIO(DOCUMENT))
        return opened[-1]

    content = Stream(again)
    assert [content.digest("sha256") for _ in range(3)] == [hashlib.sha256(DOCUMENT).digest()] * 3
    assert content.digest("sm3") != content.digest("sha256")
    assert len(opened) == 2


class Endless(io.RawIOBase):
    """So many bytes of zero, of which no more than was asked for is ever in memory."""

    def __init__(self, size: int) -> None:
        self.left, self.largest = size, 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, size)
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)


def test_a_stream_is_read_in_pieces() -> None:
    source: Any = Endless(50_000_000)

    def opened() -> BinaryIO:
        found: BinaryIO = source
        return found

    digest = hashlib.sha256()
    for _ in range(50):
        digest.update(bytes(1_000_000))
    assert Stream(opened).digest("sha256") == digest.digest()
    assert 0 < source.largest <= 1 << 20
