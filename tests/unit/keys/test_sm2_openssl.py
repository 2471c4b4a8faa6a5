"""SM2 by libcrypto: that it is opened carefully, gives back what it takes, and keeps private keys as PKCS #8."""

import _ctypes
import _hashlib
import base64
import ctypes
import gc
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import sm2
from keys.algorithms.sm2 import libcrypto, openssl
from keys.algorithms.sm2.comb import affine_of
from keys.algorithms.sm2.curve import G, message_digest
from keys.algorithms.sm2.group import Table
from keys.algorithms.sm2.openssl import OpensslBackend
from keys.errors import AlgorithmError, CustodyError, KeysError, MalformedError, SignatureError
from tests.support import der_writer, unsafe_sm2
from tests.support.requirements import require
from tests.support.unsafe_sm2 import N, UnsafeSm2Key, unsafe_generate

CURVE_OID = "1.2.156.10197.1.301"
PASSPHRASE = "only for tests, 口令".encode()
KEY = unsafe_generate("openssl")


@pytest.fixture(scope="module")
def backend() -> OpensslBackend:
    try:
        return openssl.load()
    except AlgorithmError as error:
        require(False, f"SM2 in the libcrypto of this Python ({error})")
        raise


@pytest.fixture(scope="module")
def private(backend: OpensslBackend) -> sm2.PrivateKey:
    return sm2.generate()


@pytest.fixture(scope="module")
def pem(private: sm2.PrivateKey) -> bytes:
    return private.pem(PASSPHRASE)


def pkcs8(private: bytes, algorithm: str = CURVE_OID, point: bytes | None = None) -> bytes:
    """Writes PrivateKeyInfo, right or wrong."""
    public = b"" if point is None else der_writer.explicit(1, der_writer.bit_string(point))
    inner = der_writer.sequence(der_writer.integer(1), der_writer.octet_string(private), public)
    named = der_writer.sequence(der_writer.oid("1.2.840.10045.2.1"), der_writer.oid(algorithm))
    return der_writer.sequence(der_writer.integer(0), named, der_writer.octet_string(inner))


@pytest.mark.parametrize("path", ["/nowhere/libcrypto.so", _ctypes.__file__], ids=["no file", "another library"])
def test_what_is_not_libcrypto_is_refused(path: str) -> None:
    with pytest.raises(AlgorithmError) as caught:
        libcrypto.Libcrypto(path)
    assert caught.value.code == "sm2.unavailable"


def test_a_function_that_is_not_in_the_table_is_no_attribute() -> None:
    with pytest.raises(AttributeError):
        libcrypto.of_python().EVP_md5  # noqa: B018


def test_it_is_the_libcrypto_of_hashlib() -> None:
    ssl = pytest.importorskip("ssl")
    assert libcrypto.of_python().OpenSSL_version(0).decode() == ssl.OPENSSL_VERSION


def test_a_libcrypto_without_the_curve_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssl, "SPKI_PREFIX", openssl.SPKI_PREFIX.replace(b"\x82\x2d", b"\x82\x2c"))
    with pytest.raises(AlgorithmError) as caught:
        openssl.load.__wrapped__()
    assert caught.value.code == "sm2.unavailable"


@pytest.mark.parametrize("answer", [True, False])
def test_a_libcrypto_that_always_says_the_same_is_not_used(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(OpensslBackend, "verify", lambda *_: answer)
    with pytest.raises(AlgorithmError) as caught:
        openssl.load.__wrapped__()
    assert caught.value.code == "sm2.unavailable"
    assert "wrong answers" in caught.value.detail


def test_a_libcrypto_that_forgets_the_user_id_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    verify = OpensslBackend.verify
    monkeypatch.setattr(
        OpensslBackend, "verify", lambda self, key, signature, message, _: verify(self, key, signature, message, b"")
    )
    with pytest.raises(AlgorithmError):
        openssl.load.__wrapped__()


def test_an_error_of_libcrypto_is_told_and_not_left_behind(backend: OpensslBackend) -> None:
    with pytest.raises(AlgorithmError) as caught:
        backend.public_key(b"\x04" + bytes(64))
    assert caught.value.code == "sm2.libcrypto"
    assert "point is not on curve" in caught.value.detail
    assert backend._c.ERR_peek_last_error() == 0


def test_a_failed_allocation_is_an_error(backend: OpensslBackend) -> None:
    with pytest.raises(AlgorithmError) as caught:
        backend._c.owned(None, backend._c.EVP_PKEY_free)
    assert caught.value.code == "sm2.libcrypto"


def test_a_key_without_a_point_is_an_error(backend: OpensslBackend) -> None:
    make = ctypes.PyDLL(_hashlib.__file__).EVP_PKEY_new
    make.restype = ctypes.c_void_p
    empty = backend._c.owned(make(), backend._c.EVP_PKEY_free)
    with pytest.raises(AlgorithmError) as caught:
        backend.point(empty)
    assert caught.value.code == "sm2.libcrypto"


def test_a_refusal_leaves_no_error_behind(backend: OpensslBackend, private: sm2.PrivateKey, pem: bytes) -> None:
    key = sm2.public_key(private.point, backend)
    signature = sm2.sign(private, b"message")
    attempts: list[Callable[[], object]] = [
        lambda: key.verify(signature, b"another"),
        lambda: key.verify_digest(signature, bytes(32)),
        lambda: sm2.PrivateKey.from_pem(pem, b"wrong"),
        lambda: sm2.PrivateKey.from_pkcs8(b"\x30\x00"),
        lambda: sm2.PrivateKey.from_pkcs8(pkcs8(bytes(32))),
    ]
    for attempt in attempts:
        with pytest.raises(KeysError):
            attempt()
        assert backend._c.ERR_peek_last_error() == 0


def use_and_misuse(backend: OpensslBackend) -> None:
    key = sm2.generate()
    sealed = key.pem(PASSPHRASE)
    assert sm2.PrivateKey.from_pem(sealed, PASSPHRASE) == key
    public = sm2.public_key(key.point, backend)
    signature = sm2.sign(key, b"message")
    for _ in range(openssl.USES):
        public.verify(signature, b"message")
    plain = KEY.private_key_info()
    assert sm2.PrivateKey.from_pkcs8(plain).point == KEY.point
    refused: list[Callable[[], object]] = [
        lambda: public.verify(signature, b"another"),
        lambda: public.verify_digest(signature, bytes(32)),
        lambda: backend.public_key(b"\x04" + bytes(64)),
        lambda: backend.group.table((1, 1)),
        lambda: backend.private_key(plain + b"\0"),
        lambda: backend.private_key(pkcs8(bytes(32))),
        lambda: backend.private_key(pkcs8(b"\1" * 32, "1.2.840.10045.3.1.7")),
        lambda: sm2.PrivateKey.from_pem(sealed, b"wrong"),
    ]
    for attempt in refused:
        with pytest.raises(KeysError):
            attempt()


def test_everything_that_was_made_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[str] = Counter()
    library = libcrypto.of_python()
    makers = {
        "BN_CTX_new": "BN_CTX_free",
        "EC_GROUP_new_by_curve_name": "EC_GROUP_free",
        "EC_POINT_new": "EC_POINT_free",
        "EVP_MD_CTX_new": "EVP_MD_CTX_free",
        "EVP_PKEY_CTX_new": "EVP_PKEY_CTX_free",
        "EVP_PKEY_CTX_new_from_name": "EVP_PKEY_CTX_free",
        "EVP_PKEY_dup": "EVP_PKEY_free",
        "EVP_PKEY_keygen": "EVP_PKEY_free",
        "EVP_PKCS82PKEY": "EVP_PKEY_free",
        "EVP_PKEY2PKCS8": "PKCS8_PRIV_KEY_INFO_free",
        "PKCS8_decrypt": "PKCS8_PRIV_KEY_INFO_free",
        "PKCS8_encrypt": "X509_SIG_free",
        "d2i_PKCS8_PRIV_KEY_INFO": "PKCS8_PRIV_KEY_INFO_free",
        "d2i_PUBKEY": "EVP_PKEY_free",
        "d2i_X509_SIG": "X509_SIG_free",
        "EVP_PKEY_get1_encoded_public_key": "CRYPTO_free",
    }

    def counted(function: Callable[..., object], kind: str, step: int) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            result = function(*arguments)
            made[kind] += step if result or step < 0 else 0
            return result

        return call

    for maker, free in makers.items():
        setattr(library, maker, counted(getattr(library, maker), free, 1))
    for free in set(makers.values()):
        setattr(library, free, counted(getattr(library, free), free, -1))
    used = [OpensslBackend(library)]
    monkeypatch.setattr(openssl, "load", lambda: used[0])
    use_and_misuse(used[0])
    # The key that others are copies of and one that has a table, the group, 255 points of each of two tables' combs.
    assert +made == {"EVP_PKEY_free": 2, "EC_GROUP_free": 1, "EC_POINT_free": 2 * 4 * 255}
    used.clear()
    gc.collect()
    assert set(made.values()) == {0}


def test_a_private_key_is_written_only_under_a_passphrase(private: sm2.PrivateKey) -> None:
    with pytest.raises(CustodyError) as caught:
        private.pem(b"")
    assert caught.value.code == "key.passphrase_missing"


def test_a_private_key_comes_back_from_its_file(private: sm2.PrivateKey, pem: bytes) -> None:
    found = sm2.PrivateKey.from_pem(pem, PASSPHRASE)
    assert found == private
    sm2.public_key(private.point).verify(sm2.sign(found, b"message"), b"message")
    assert sm2.PrivateKey.from_pem(pem.replace(b"\n", b"\r\n"), PASSPHRASE) == private


def test_a_private_key_does_not_show_itself(private: sm2.PrivateKey) -> None:
    assert repr(private) == f"PrivateKey(point={private.point!r})"


def test_a_wrong_passphrase_is_told(pem: bytes) -> None:
    for wrong in (b"", PASSPHRASE + b".", PASSPHRASE[:-1]):
        with pytest.raises(CustodyError) as caught:
            sm2.PrivateKey.from_pem(pem, wrong)
        assert caught.value.code == "key.passphrase_wrong"


def test_a_passphrase_may_hold_any_bytes(private: sm2.PrivateKey) -> None:
    passphrase = bytes(range(256))
    assert sm2.PrivateKey.from_pem(private.pem(passphrase), passphrase) == private
    with pytest.raises(CustodyError):
        sm2.PrivateKey.from_pem(private.pem(passphrase), passphrase[:1])


def test_what_is_not_one_block_of_pem_is_refused(pem: bytes) -> None:
    lines = pem.splitlines()
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    )
    cases = {
        b"": "key.malformed",
        b"\n".join(lines[:-1]): "key.malformed",
        pem + pem: "key.malformed",
        pem.replace(b"ENCRYPTED ", b""): "key.malformed",
        b"\n".join((lines[0], b"A", lines[-1])): "key.malformed",
        b"\n".join((lines[0], b"AAAA", lines[-1])): "key.malformed",
        b"\n".join((lines[0], *lines[1:-2], lines[-1])): "key.malformed",
        other: "key.kind",
    }
    for wrong, code in cases.items():
        with pytest.raises(KeysError) as caught:
            sm2.PrivateKey.from_pem(wrong, PASSPHRASE)
        assert caught.value.code == code


def test_a_private_key_without_its_point_gets_it(backend: OpensslBackend) -> None:
    assert sm2.PrivateKey.from_pkcs8(pkcs8(KEY.d.to_bytes(32, "big"))).point == KEY.point


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\x30\x00",
        KEY.private_key_info() + b"\0",
        KEY.private_key_info()[:-1],
        pkcs8(bytes(32), point=KEY.point),
        pkcs8((N - 1).to_bytes(32, "big"), point=KEY.point),
        pkcs8(N.to_bytes(32, "big"), point=KEY.point),
        pkcs8((KEY.d + 1).to_bytes(32, "big"), point=KEY.point),
        pkcs8(KEY.d.to_bytes(32, "big"), point=KEY.point[:-1] + b"\0"),
        pkcs8(b"", point=KEY.point),
        pkcs8(KEY.d.to_bytes(32, "big"), "1.2.3.4"),
    ],
    ids=range(11),
)
def test_what_is_no_private_key_is_refused(backend: OpensslBackend, wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        sm2.PrivateKey.from_pkcs8(wrong)
    assert caught.value.code == "key.malformed"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_a_private_key_of_another_kind_is_refused(backend: OpensslBackend, curve: ec.EllipticCurve) -> None:
    der = ec.generate_private_key(curve).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(AlgorithmError) as caught:
        sm2.PrivateKey.from_pkcs8(der)
    assert caught.value.code == "key.kind"


@given(st.binary(max_size=200) | st.tuples(st.integers(0, 149), st.integers(1, 255)))
def test_any_private_key_is_read_or_refused_in_our_own_words(wrong: bytes | tuple[int, int]) -> None:
    if isinstance(wrong, tuple):
        changed = bytearray(KEY.private_key_info())
        changed[wrong[0] % len(changed)] ^= wrong[1]
        wrong = bytes(changed)
    found, code = None, "read"
    try:
        found = sm2.PrivateKey.from_pkcs8(wrong)
    except KeysError as error:
        code = error.code
    assert code in {"read", "key.malformed", "key.kind"}
    if found is not None:
        sm2.public_key(found.point).verify(sm2.sign(found, b"message"), b"message")


def test_the_openssl_command_reads_our_file_and_we_read_its(
    tmp_path: Path, private: sm2.PrivateKey, pem: bytes
) -> None:
    command = shutil.which("openssl")
    require(command, "the openssl command")

    def run(*arguments: str) -> bytes:
        return subprocess.run([str(command), *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    (tmp_path / "ours").write_bytes(pem)
    public = run("pkey", "-in", "ours", "-passin", "file:passphrase", "-pubout", "-outform", "DER")
    assert public == sm2.spki(private.point)
    (tmp_path / "plain").write_bytes(KEY.private_key_info())
    arguments = ("-topk8", "-v2", "aes-128-cbc", "-iter", "1000", "-inform", "DER", "-passout", "file:passphrase")
    theirs = run("pkcs8", *arguments, "-in", "plain")
    assert sm2.PrivateKey.from_pem(theirs, PASSPHRASE).point == KEY.point


def test_the_file_costs_a_guesser_600000_rounds(pem: bytes) -> None:
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    assert der_writer.integer(600_000) in der
    assert der_writer.oid("1.2.840.113549.2.9") in der  # hmacWithSHA256


def test_a_signature_by_a_foreign_handle_is_no_signature(backend: OpensslBackend) -> None:
    other = UnsafeSm2Key(d=3)
    with pytest.raises(SignatureError):
        sm2.public_key(KEY.point, backend).verify(other.sign(b"message"), b"message")


SCALARS = st.integers(0, (1 << 256) - 1) | st.integers(0, 300) | st.integers(N - 300, N + 300)


@pytest.fixture(scope="module")
def table(backend: OpensslBackend) -> Table:
    return backend.group.table(affine_of(KEY.point))


@given(s=SCALARS, t=SCALARS)
def test_tables_multiply_and_add(backend: OpensslBackend, table: Table, s: int, t: int) -> None:
    total = unsafe_sm2.multiply((s + t * KEY.d) % N)
    assert backend.group.x_of_sum(s, t, table) == (None if total is None else total[0])


def test_a_table_of_the_generator_meets_equal_and_opposite_points(backend: OpensslBackend) -> None:
    """Every addition is then one of a point to a multiple of it: to itself, to its opposite, to infinity."""
    table = backend.group.table(G)
    for s, t in ((1, 1), (1, N - 1), (N - 1, 1), (0, 0), (1 << 255, 1 << 255), (N, N), (5, 0), (0, 5)):
        total = unsafe_sm2.multiply((s + t) % N)
        assert backend.group.x_of_sum(s, t, table) == (None if total is None else total[0])


@given(st.binary(max_size=100), st.binary(max_size=20), st.integers(0, 71), st.integers(1, 255))
def test_a_table_verifies_as_libcrypto_does(
    backend: OpensslBackend, table: Table, message: bytes, user_id: bytes, place: int, change: int
) -> None:
    signature = bytearray(KEY.sign(message, user_id=user_id))
    digest = message_digest(KEY.point, message, user_id)
    assert backend.verify_by_table(table, bytes(signature), digest)
    signature[place % len(signature)] ^= change
    with pytest.raises(SignatureError):
        sm2.public_key(KEY.point, backend).verify(bytes(signature), message, user_id)
    with suppress(SignatureError):
        assert not backend.verify_by_table(table, bytes(signature), digest)


def test_a_signature_whose_r_and_s_cancel_is_wrong(backend: OpensslBackend, table: Table) -> None:
    signature = sm2.signature_from_raw((5).to_bytes(32, "big") + (N - 5).to_bytes(32, "big"))
    assert not backend.verify_by_table(table, signature, bytes(32))


def test_a_key_that_verifies_often_gets_a_table(backend: OpensslBackend) -> None:
    own = OpensslBackend(backend._c)
    key = sm2.public_key(KEY.point, own)
    signature = KEY.sign(b"message")
    digest = message_digest(KEY.point, b"message", sm2.DEFAULT_USER_ID)
    for turn in range(1, openssl.USES + 5):
        key.verify(signature, b"message")
        assert len(own._tables) == (turn >= openssl.USES)
    key.verify_digest(signature, digest)
    for attempt in (lambda: key.verify(signature, b"another"), lambda: key.verify_digest(signature, bytes(32))):
        with pytest.raises(SignatureError):
            attempt()
    # Another handle of the same key finds it, another key does not.
    sm2.public_key(KEY.point, own).verify(signature, b"message")
    with pytest.raises(SignatureError):
        sm2.public_key(UnsafeSm2Key(d=3).point, own).verify(signature, b"message")


def test_many_threads_verify_by_one_table(backend: OpensslBackend) -> None:
    key = sm2.public_key(KEY.point, OpensslBackend(backend._c))
    signatures = {number: KEY.sign(b"%d" % number) for number in range(40)}

    def verdicts(_: int) -> list[bool]:
        found = []
        for number in range(40):
            for message in (number, number + 1):
                try:
                    key.verify(signatures[number], b"%d" % message)
                    found.append(message == number)
                except SignatureError:
                    found.append(message != number)
        return found

    with ThreadPoolExecutor(8) as pool:
        assert all(all(found) for found in pool.map(verdicts, range(8)))
