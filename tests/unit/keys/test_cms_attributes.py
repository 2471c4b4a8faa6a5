"""What signed attributes must say, and what those try who shuffle them (RFC 5652 §5.3, §5.4; RFC 5035; RFC 6211)."""

import io

import pytest

from keys.cms import find_certificate, parse_cms, verify_countersignature, verify_signer
from keys.cms.attributes import MAX_ATTRIBUTES, MAX_SIGNED
from keys.content import DIGESTS, Octets, Stream, digested
from keys.errors import KeysError, MalformedError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, message
from tests.support.pki import AT, Authority, unit
from tests.unit.keys.cms_signers import CONTENT, authority, certificate, code_of, lock, only_signer, verified

NULL = der.null()
TYPE, DIGEST = cms.content_type(), cms.message_digest(cms.digest_of("sha256", CONTENT))
TSTINFO = "1.2.840.113549.1.9.16.1.4"
OTHER = cms.attribute("1.2.3", NULL)


def refused_by_attributes(*only: bytes, **changes: bytes | str) -> str:
    return code_of(message(CONTENT, Signed(by=lock(), only=only), **changes))


def test_two_attributes_are_enough() -> None:
    assert refused_by_attributes(TYPE, DIGEST) == ""


SET_OF_TWO = der.sequence(der.oid(cms.CONTENT_TYPE), der.set_of(der.oid("1.2.3"), der.oid(cms.DATA["rfc5652"])))
ATTRIBUTES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "no content type": ("cms.content_type_wrong", (DIGEST,)),
    "another content type": ("cms.content_type_wrong", (cms.content_type(TSTINFO), DIGEST)),
    "the data of the other dialect": ("cms.content_type_wrong", (cms.content_type(cms.DATA["gm"]), DIGEST)),
    "two content types": ("cms.attribute_duplicate", (TYPE, cms.content_type(TSTINFO), DIGEST)),
    "a content type twice": ("cms.attribute_duplicate", (TYPE, TYPE, DIGEST)),
    "a content type of two values": ("cms.attribute_duplicate", (SET_OF_TWO, DIGEST)),
    "a content type of no value": ("cms.attribute_duplicate", (cms.attribute(cms.CONTENT_TYPE), DIGEST)),
    "no digest": ("cms.attributes_missing", (TYPE,)),
    "no attribute at all": ("cms.attributes_missing", ()),
    "two digests": ("cms.attribute_duplicate", (TYPE, DIGEST, cms.message_digest(bytes(32)))),
    "a digest of two values": (
        "cms.attribute_duplicate",
        (
            TYPE,
            cms.attribute(
                cms.MESSAGE_DIGEST,
                der.octet_string(bytes(32)),
                der.octet_string(cms.digest_of("sha256", CONTENT)),
            ),
        ),
    ),
    "two times": ("cms.attribute_duplicate", (TYPE, DIGEST, cms.signing_time(AT), cms.signing_time(AT))),
    "anything else twice": ("cms.attribute_duplicate", (TYPE, DIGEST, OTHER, OTHER)),
    "a digest of other content": ("signature.wrong", (TYPE, cms.message_digest(bytes(32)))),
    "a digest that is too short": ("signature.wrong", (TYPE, cms.message_digest(b""))),
    "a digest that is a NULL": ("cms.malformed", (TYPE, cms.attribute(cms.MESSAGE_DIGEST, NULL))),
    "an attribute that is none": ("cms.malformed", (TYPE, DIGEST, NULL)),
    "an attribute without values": ("cms.malformed", (TYPE, DIGEST, der.sequence(der.oid("1.2.3")))),
    "an attribute with a list of values": (
        "cms.malformed",
        (TYPE, DIGEST, der.sequence(der.oid("1.2.3"), der.sequence())),
    ),
    "too many": ("cms.too_large", (TYPE, DIGEST, *[OTHER] * (MAX_ATTRIBUTES - 1))),
    "too long": ("cms.too_large", (TYPE, DIGEST, cms.attribute("1.2.3", der.octet_string(bytes(MAX_SIGNED))))),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_that_are_refused(name: str) -> None:
    code, only = ATTRIBUTES[name]
    assert refused_by_attributes(*only) == code


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_signer_that_breaks_a_rule_takes_nothing_from_another(name: str) -> None:
    code, only = ATTRIBUTES[name]
    data = message(CONTENT, Signed(by=lock("sm2")), Signed(by=lock("rsa-2048"), only=only))
    if code in {"cms.malformed", "cms.too_large"}:
        assert code_of(data) == code
        return
    read = parse_cms(data, tolerant=True)
    (good,) = [signer for signer in read.signers if signer.scheme.family == "sm2"]
    verify_signer(good, certificate(lock("sm2")), Octets(CONTENT))
    broken = [entry.code for entry in read.broken]
    assert broken == ([] if code == "signature.wrong" else [code])
    if broken:
        with pytest.raises(KeysError, match=code):
            parse_cms(data)


def test_as_many_attributes_as_are_read() -> None:
    more = [cms.attribute(f"1.2.3.{number}", NULL) for number in range(MAX_ATTRIBUTES - 2)]
    assert refused_by_attributes(TYPE, DIGEST, *more) == ""


def test_unsigned_attributes_are_bounded() -> None:
    for count, code in ((MAX_ATTRIBUTES, ""), (MAX_ATTRIBUTES + 1, "cms.too_large")):
        assert code_of(message(CONTENT, Signed(by=lock(), unsigned=(OTHER,) * count))) == code
    assert code_of(message(CONTENT, Signed(by=lock(), unsigned=(NULL,)))) == "cms.malformed"


def test_content_of_a_type_needs_attributes() -> None:
    assert code_of(message(CONTENT, Signed(by=lock()), kind=TSTINFO)) == ""
    assert code_of(message(CONTENT, Signed(by=lock(), attributes=False), kind=TSTINFO)) == "cms.attributes_missing"


def test_a_swapped_content_type_is_refused() -> None:
    info = Signed(by=lock()).info(CONTENT, TSTINFO)
    assert code_of(message(CONTENT, info, certificates=[lock().der], kind=TSTINFO)) == ""
    assert code_of(message(CONTENT, info, certificates=[lock().der])) == "cms.content_type_wrong"


class Trickle(io.BytesIO):
    """A source that gives a byte at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(1, size or 0))


def test_signed_attributes_are_no_document() -> None:
    """Whoever has a message can show the attributes in it as content, with a signature that is right over them."""
    signer = Signed(by=lock(), at=AT)
    shown = der.tlv(0x31, b"".join(signer.signed_attributes(CONTENT, cms.DATA["rfc5652"])))
    signature = only_signer(message(CONTENT, signer)).signature
    bare = Signed(by=lock(), attributes=False, signature=signature)
    assert code_of(message(shown, bare)) == "cms.content_is_attributes"
    # So it is with what a countersigner signed, which has no contentType.
    counter = der.set_of(DIGEST)
    assert code_of(message(counter, Signed(by=lock(), attributes=False))) == "cms.content_is_attributes"
    detached = message(None, bare)
    for content in (Octets(shown), Stream(lambda: io.BytesIO(shown)), Stream(lambda: Trickle(shown))):
        assert code_of(detached, content) == "cms.content_is_attributes"
    # With attributes of its own the same content is a document like any other.
    assert code_of(message(shown, Signed(by=lock()))) == ""


ALMOST = {
    "one byte": b"\x31",
    "text": "1号文件".encode(),
    "a set that is empty": der.set_of(),
    "a set of something else": der.set_of(NULL),
    "a type alone": der.set_of(TYPE),
    "something after it": der.set_of(TYPE, DIGEST) + b"\0",
    "longer than attributes are": der.set_of(TYPE, DIGEST, der.octet_string(bytes(MAX_SIGNED))),
}


@pytest.mark.parametrize("name", ALMOST)
def test_what_only_begins_like_attributes_is_a_document(name: str) -> None:
    bare, content = Signed(by=lock(), attributes=False), ALMOST[name]
    assert code_of(message(content, bare)) == ""
    assert code_of(message(None, bare, over=content), Stream(lambda: io.BytesIO(content))) == ""


# Algorithms that the signer signed


def protected(digest: bytes, signature: bytes, **changes: object) -> str:
    more = (cms.protection(digest, signature),)
    return code_of(message(CONTENT, Signed(**{"by": lock("rsa-2048"), "more": more} | changes)))  # type: ignore[arg-type]


def test_algorithms_are_what_the_signer_signed() -> None:
    digest, signature = cms.digest_algorithm("sha256"), der.ALGORITHM_IDENTIFIERS["rsa-pkcs1-sha256"]
    with_null = cms.algorithm(cms.DIGEST_OIDS["sha256"], NULL)
    assert protected(digest, signature) == protected(with_null, signature) == ""
    other = der.ALGORITHM_IDENTIFIERS["rsa-pss-sha256"]
    assert protected(cms.digest_algorithm("sha512"), signature) == "cms.algorithm_mismatch"
    assert protected(digest, other) == "cms.algorithm_mismatch"
    named = cms.algorithm("1.2.840.113549.1.1.1", NULL)
    assert protected(digest, named) == "cms.algorithm_mismatch"
    assert protected(digest, named, signature_algorithm=named) == ""


def test_a_protection_of_something_else_is_refused() -> None:
    digest = cms.digest_algorithm("sha256")
    mac = der.implicit(2, cms.algorithm("1.2.840.113549.2.9"))
    signature = der.implicit(1, der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"])
    for said, code in {
        der.sequence(digest, mac): "cms.algorithm_mismatch",
        der.sequence(digest, signature, mac): "cms.algorithm_mismatch",
        der.sequence(digest): "cms.malformed",
        der.sequence(digest, signature, mac, NULL): "cms.malformed",
        der.sequence(digest, der.implicit(1, der.sequence())): "cms.malformed",
        NULL: "cms.malformed",
    }.items():
        more = (cms.attribute(cms.PROTECTION, said),)
        assert code_of(message(CONTENT, Signed(by=lock(), more=more))) == code
    twice = cms.protection(digest, der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"])
    assert code_of(message(CONTENT, Signed(by=lock(), more=(twice, twice)))) == "cms.attribute_duplicate"


# Certificates that the signer signed


@pytest.mark.parametrize("digest", DIGESTS)
def test_the_hash_of_the_certificate_is_held_against_it(digest: str) -> None:
    own, other = lock().der, lock("rsa-2048").der
    right = message(CONTENT, Signed(by=lock(), more=(cms.signing_certificate(own, other, digest=digest),)))
    assert only_signer(right).certificate_hashes == ((digest, cms.digest_of(digest, own)),)
    verified(right)
    # RFC 5035 §5.4: the first is the signer's, whatever follows.
    wrong = message(CONTENT, Signed(by=lock(), more=(cms.signing_certificate(other, own, digest=digest),)))
    assert code_of(wrong) == "cms.certificate_other"


def test_both_versions_count() -> None:
    first, second = cms.signing_certificate(lock().der, digest="sha1"), cms.signing_certificate(lock().der)
    data = message(CONTENT, Signed(by=lock(), more=(first, second)))
    assert sorted(name for name, _ in only_signer(data).certificate_hashes) == ["sha1", "sha256"]
    verified(data)
    for lie in (cms.signing_certificate(b"other", digest="sha1"), cms.signing_certificate(b"other")):
        other = second if der.oid(cms.CERTIFICATE_V1) in lie else first
        assert code_of(message(CONTENT, Signed(by=lock(), more=(other, lie)))) == "cms.certificate_other"


def test_identifiers_of_certificates_that_are_refused() -> None:
    value = der.octet_string(bytes(32))
    for said, code in {
        der.sequence(der.sequence()): "cms.malformed",
        der.sequence(): "cms.malformed",
        der.sequence(der.sequence(der.sequence())): "cms.malformed",
        der.sequence(der.sequence(der.sequence(cms.digest_algorithm("sha256")))): "cms.malformed",
        der.sequence(der.sequence(der.sequence(NULL))): "cms.malformed",
        der.sequence(der.sequence(der.sequence(cms.digest_algorithm("md5"), value))): "signature.algorithm_unknown",
        der.sequence(der.sequence(*[der.sequence(value)] * 17)): "cms.too_large",
    }.items():
        more = (cms.attribute(cms.CERTIFICATE_V2, said),)
        assert code_of(message(CONTENT, Signed(by=lock(), more=more))) == code
    assert code_of(message(CONTENT, Signed(by=lock(), more=(cms.attribute(cms.CERTIFICATE_V1, NULL),)))) == (
        "cms.malformed"
    )


# Whose certificate


def test_a_certificate_that_the_signer_does_not_name_is_refused() -> None:
    other, same_key = lock("p-256", 2), authority().issue(unit("p-256"), serial=5)
    stranger = Authority.root("p-256", "别家测试CA").issue(unit("p-256"), serial=lock().serial)
    signer = only_signer(message(CONTENT, Signed(by=lock())))
    for issued in (other, same_key, stranger):
        assert find_certificate(signer, [certificate(issued)]) is None
        with pytest.raises(MalformedError) as refusal:
            verify_signer(signer, certificate(issued), Octets(CONTENT))
        assert refusal.value.code == "cms.certificate_other"
    # Who points to somebody else's certificate has not signed with its key.
    lie = Signed(by=other, signed_by=lock().key)
    assert code_of(message(CONTENT, lie)) == "signature.wrong"


def test_a_key_identifier_that_the_certificate_does_not_have() -> None:
    signer = only_signer(message(CONTENT, Signed(by=lock(), by_key_id=True)))
    assert find_certificate(signer, [certificate(authority().issue(unit(), key_ids=False))]) is None
    assert find_certificate(signer, [certificate(lock("p-256", 2)), certificate(lock())]) == certificate(lock())


def test_the_issuer_is_found_however_its_name_is_written() -> None:
    shouting = authority().issue(unit("p-256"), issuer=der.name([("2.5.4.3", "TEST  ca")]))
    quiet = der.sequence(der.name([("2.5.4.3", "Test CA")]), der.integer(shouting.serial))
    verified(message(CONTENT, Signed(by=shouting, identifier=quiet)))


def test_of_renewed_certificates_of_one_key_the_one_that_was_meant_is_found() -> None:
    old, new = (authority().issue(unit("p-256"), serial=number) for number in (1001, 1002))
    both = [certificate(old), certificate(new)]
    for meant in (old, new):
        signer = only_signer(
            message(CONTENT, Signed(by=meant, by_key_id=True, more=(cms.signing_certificate(meant.der),)))
        )
        assert find_certificate(signer, both) == find_certificate(signer, both[::-1]) == certificate(meant)
        verify_signer(signer, certificate(meant), Octets(CONTENT))
    hashed = only_signer(message(CONTENT, Signed(by=old, by_key_id=True, more=(cms.signing_certificate(b"none"),))))
    found = find_certificate(hashed, both)
    assert found == certificate(old)
    with pytest.raises(MalformedError):
        verify_signer(hashed, certificate(old), Octets(CONTENT))


# Content in other forms


def test_content_may_be_a_stream_or_a_digest() -> None:
    for kind in ("sm2", "rsa-2048", "p-256"):
        digest = cms.natural_digest(lock(kind).key.scheme)
        for attributes in (True, False):
            data = message(None, Signed(by=lock(kind), attributes=attributes), over=CONTENT)
            verified(data, Stream(lambda: io.BytesIO(CONTENT)))
            taken = digested(digest, cms.digest_of(digest, CONTENT))
            # SM2 without attributes signs more than a digest of the content tells.
            expected = "digest.insufficient" if kind == "sm2" and not attributes else ""
            assert code_of(data, taken) == expected
        assert code_of(data, digested("sha1", bytes(20))) == "digest.insufficient"
        assert code_of(message(None, Signed(by=lock(kind)), over=CONTENT), digested(digest, bytes(32))) == (
            "signature.wrong"
        )


def test_a_stream_is_enough_for_ed25519_with_attributes_only() -> None:
    for attributes, code in ((True, ""), (False, "digest.insufficient")):
        data = message(None, Signed(by=lock("ed25519"), attributes=attributes), over=CONTENT)
        assert code_of(data, Stream(lambda: io.BytesIO(CONTENT))) == code


# Countersignatures


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("kind", ["sm2", "rsa-2048"])
def test_a_countersignature_is_over_the_signature(kind: str, attributes: bool) -> None:
    outer = Signed(by=lock()).info(CONTENT)
    inner = Signed(by=lock(kind), attributes=attributes).info(cms.signature_of(outer), None)
    unsigned = (cms.attribute(cms.COUNTERSIGNATURE, inner),)
    read = parse_cms(message(CONTENT, Signed(by=lock(), signature=cms.signature_of(outer), unsigned=unsigned)))
    (signer,) = read.signers
    (countersigner,) = signer.countersignatures
    verify_countersignature(countersigner, signer.signature, certificate(lock(kind)))
    for other, shown in ((signer.signature[:-1], lock(kind)), (signer.signature, lock("p-384"))):
        with pytest.raises(KeysError) as refusal:
            verify_countersignature(countersigner, other, certificate(shown))
        assert refusal.value.code in {"signature.wrong", "cms.certificate_other"}


def test_a_countersignature_is_no_signature() -> None:
    inner = Signed(by=lock()).info(CONTENT, None)
    assert code_of(message(CONTENT, inner, certificates=[lock().der])) == "cms.content_type_wrong"


def test_damage_anywhere_in_the_signature_or_the_attributes() -> None:
    data = message(CONTENT, Signed(by=lock("rsa-2048"), at=AT))
    signer = only_signer(data)
    assert signer.signed_attributes is not None
    for part in (signer.signed_attributes[2:], signer.signature):
        start = data.rindex(part)
        for at in range(start, start + len(part), 7):
            damaged = bytearray(data)
            damaged[at] ^= 1
            assert code_of(bytes(damaged)) != ""
