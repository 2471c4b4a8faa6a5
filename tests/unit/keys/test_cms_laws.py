"""Whatever comes as a signed document is read or refused by a `KeysError`, and nothing that was changed is verified."""

from hypothesis import given
from hypothesis import strategies as st

from keys.cms import SignedData, find_certificate, parse_cms, verify_countersignature, verify_signer
from keys.content import Octets
from keys.errors import KeysError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, in_ber, message
from tests.support.pki import AT
from tests.unit.keys.cms_signers import CONTENT, lock


def good() -> list[bytes]:
    inner = Signed(by=lock("sm2"), at=AT)
    plain = Signed(by=lock(), at=AT, more=(cms.signing_certificate(lock().der),))
    signature = cms.signature_of(plain.info(CONTENT))
    unsigned = (
        cms.attribute(cms.COUNTERSIGNATURE, inner.info(signature, None)),
        cms.attribute(cms.TIMESTAMP, der.sequence(der.oid(cms.SIGNED["rfc5652"]))),
        cms.attribute("1.2.3", der.null()),
    )
    protected = cms.protection(cms.digest_algorithm("sha256"), der.ALGORITHM_IDENTIFIERS["rsa-pss-sha256"])
    found = [
        message(CONTENT, Signed(by=lock(), at=AT, more=plain.more, unsigned=unsigned)),
        message(CONTENT, Signed(by=lock("rsa-2048"), scheme="rsa-pss-sha256", more=(protected,)), Signed(by=lock())),
        message(CONTENT, Signed(by=lock("sm2"), attributes=False, by_key_id=True), dialect="gm"),
    ]
    return [*found, *(in_ber(data, lambda: 3) for data in found)]


GOOD = good()


def judged(data: bytes) -> SignedData | None:
    """Reads and verifies all that can be; None where that was refused. Anything but a KeysError is a fault of ours."""
    try:
        read = parse_cms(data)
        for signer in read.signers:
            found = find_certificate(signer, read.certificates)
            if found is None or read.content is None:
                return None
            verify_signer(signer, found, Octets(read.content))
            for inner in signer.countersignatures:
                shown = find_certificate(inner, [found, *read.certificates])
                if shown is not None:
                    verify_countersignature(inner, signer.signature, shown)
    except KeysError:
        return None
    return read


def test_what_is_good_is_verified() -> None:
    for data in GOOD:
        read = judged(data)
        assert read is not None
        assert read.content == CONTENT


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(data: bytes, tagged: bool) -> None:
    known = der.oid(cms.SIGNED["gm"]) + der.explicit(0, der.tlv(0x30, data))
    assert judged(der.tlv(0x30, known) if tagged else data) is None


@given(st.sampled_from(GOOD), st.data())
def test_any_change(data: bytes, drawn: st.DataObject) -> None:
    at = drawn.draw(st.integers(0, len(data) - 1))
    removed = drawn.draw(st.integers(0, 3))
    put = drawn.draw(st.binary(max_size=4))
    changed = data[:at] + put + data[at + removed :]
    read = judged(changed)
    # What is verified after a change is the same document: what was changed then is not signed.
    assert read is None or read.content == CONTENT


@given(st.sampled_from(GOOD), st.data())
def test_any_flipped_bit_of_what_is_signed(data: bytes, drawn: st.DataObject) -> None:
    bit = drawn.draw(st.integers(0, 8 * len(data) - 1))
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    before, after = parse_cms(data), judged(bytes(changed))
    if after is not None:
        assert after.content == CONTENT
        for signer, other in zip(before.signers, after.signers, strict=True):
            assert other.message_digest == signer.message_digest
            assert other.signed_attributes == signer.signed_attributes


@given(st.sampled_from(GOOD), st.sampled_from(GOOD), st.data())
def test_pieces_of_two_messages(one: bytes, other: bytes, drawn: st.DataObject) -> None:
    cut, again = drawn.draw(st.integers(0, len(one))), drawn.draw(st.integers(0, len(other)))
    read = judged(one[:cut] + other[again:])
    assert read is None or read.content == CONTENT
