from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import der_writer as der
from tests.support import unsafe_sm2
from tests.support.unsafe_sm2 import DEFAULT_USER_ID, KINDS, Key, N, UnsafeSm2Key, unsafe_generate, unsafe_verify
from tests.unit.support.oracles import holds, openssl


def test_sm2_gives_the_worked_example_of_the_standard() -> None:
    """GB/T 32918.5-2017, A.2."""
    key = UnsafeSm2Key(d=0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8)
    x, y = (
        "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020",
        "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
    )
    assert key.point == bytes.fromhex("04" + x + y)
    assert unsafe_sm2.z_value(key.point, b"1234567812345678") == bytes.fromhex(
        "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"
    )
    assert unsafe_sm2.message_digest(key.point, b"message digest") == bytes.fromhex(
        "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"
    )
    nonce = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    signature = key.sign(b"message digest", nonce=nonce)
    assert unsafe_sm2.signature_raw(signature) == bytes.fromhex(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    )
    assert unsafe_verify(key.point, signature, b"message digest")


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=200), st.binary(max_size=40))
def test_sm2_verifies_what_it_signed_and_nothing_near_it(seed: bytes, message: bytes, user_id: bytes) -> None:
    key = unsafe_generate(seed)
    signature = key.sign(message, user_id)
    r, s = unsafe_sm2.signature_numbers(signature)
    assert unsafe_verify(key.point, signature, message, user_id)
    assert not unsafe_verify(key.point, signature, message + b"\0", user_id)
    assert not unsafe_verify(key.point, signature, message, user_id + b"\0")
    assert not unsafe_verify(unsafe_generate(seed + b"\0").point, signature, message, user_id)
    for wrong in [(r, N - s), (N - r, s), (r, 0), (0, s), (r, N + s), (N + r, s), (r - N, s), (r, N - r)]:
        assert not unsafe_verify(key.point, unsafe_sm2.signature_der(*wrong), message, user_id)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, N - 1), st.integers(1, N - 1))
def test_sm2_multiplication_is_a_homomorphism(first: int, second: int) -> None:
    product = unsafe_sm2.multiply(first * second % N)
    inner = unsafe_sm2.multiply(second)
    assert product is not None
    assert inner is not None
    assert unsafe_sm2.on_curve(product)
    assert unsafe_sm2.multiply(first, inner) == product
    assert unsafe_sm2.multiply(N, inner) is None


def test_sm2_refuses_a_point_that_is_not_on_its_curve() -> None:
    point = bytearray(unsafe_generate("a").point)
    assert unsafe_sm2.encode_point(unsafe_sm2.decode_point(bytes(point))) == point
    point[-1] ^= 1
    for wrong in (bytes(point), bytes(point[:-1]), b"\x02" + bytes(point[1:]), b""):
        with pytest.raises(ValueError, match="not an uncompressed point"):
            unsafe_sm2.decode_point(wrong)


@pytest.mark.parametrize("user_id", [DEFAULT_USER_ID, b"ALICE123@YAHOO.COM", b""])
def test_sm2_and_the_openssl_command_verify_each_other(tmp_path: Path, user_id: bytes) -> None:
    key, message, signature = Key("sm2", "a"), tmp_path / "message", tmp_path / "signature"
    (tmp_path / "private").write_bytes(key.private_key_info())
    (tmp_path / "public").write_bytes(key.spki)
    message.write_bytes(b"who signs here")
    how = ["-rawin", "-digest", "sm3", "-in", message, "-keyform", "DER"]
    how += ["-pkeyopt", f"distid:{user_id.decode()}"] if user_id else []

    signature.write_bytes(key.sign(b"who signs here", user_id=user_id))
    check = ["pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "public", "-sigfile", signature, *how]
    assert openssl(*check) == (0, "Signature Verified Successfully\n")
    signature.write_bytes(key.sign(b"who signs there", user_id=user_id))
    assert openssl(*check)[0] == 1

    assert openssl("pkeyutl", "-sign", "-inkey", tmp_path / "private", "-out", signature, *how)[0] == 0
    assert unsafe_verify(key.point, signature.read_bytes(), b"who signs here", user_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_signs_by_every_scheme_of_its_kind(kind: str) -> None:
    key, tried = Key(kind, "a"), 0
    for scheme in der.ALGORITHM_IDENTIFIERS:
        if scheme.split("-")[0] != key.scheme.split("-")[0]:
            with pytest.raises(ValueError, match="does not sign by"):
                key.sign(b"message", scheme)
        elif (kind, scheme) != ("rsa-1024", "rsa-pss-sha512") and not scheme.endswith("md5"):
            signature = key.sign(b"message", scheme)
            assert signature == key.sign(b"message", scheme)
            assert holds(key, scheme, signature, b"message")
            assert not holds(key, scheme, signature, b"massage")
            tried += 1
    assert tried > 0


def test_another_seed_or_kind_is_another_key() -> None:
    keys = [Key(kind, seed) for kind in KINDS if kind != "rsa-3072" for seed in ("a", "b", "")]
    assert len({key.spki for key in keys}) == len(keys)
    assert [Key(key.kind, key.seed).spki for key in keys] == [key.spki for key in keys]
