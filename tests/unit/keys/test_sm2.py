"""SM2 behind its one interface: both backends must give the same verdict on everything, and an outside one too."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import sm2
from keys.algorithms.sm2 import libcrypto, openssl
from keys.algorithms.sm2.curve import message_digest
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from tests.support import der_writer, unsafe_sm2
from tests.support.requirements import require
from tests.support.unsafe_sm2 import N, P, UnsafeSm2Key, unsafe_generate, unsafe_verify, unsafe_verify_digest

# GB/T 32918.5-2017 Annex A, also GM/T 0003.5-2012 and draft-shen-sm2-ecdsa-02 Annex A.
POINT = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
MESSAGE = b"message digest"
DIGEST = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
SIGNATURE = unsafe_sm2.signature_der(R, S)

# The base point of P-256 (SEC 2 §2.4.2).
P256_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


WAYS = (*sm2.BACKENDS, "tables")
"""The backends, and libcrypto with a table for every key, as those have that verify often."""


@pytest.fixture(params=WAYS)
def by(request: pytest.FixtureRequest) -> sm2.Backend:
    return backend(request.param)


def backend(name: str) -> sm2.Backend:
    try:
        return _tables() if name == "tables" else sm2.backend(name)
    except AlgorithmError as error:
        require(False, f"SM2 in the libcrypto of this Python ({error})")
        raise


@cache
def _tables() -> sm2.Backend:
    return openssl.OpensslBackend(libcrypto.of_python(), uses=1)


def verdict(by: sm2.Backend, point: bytes, signature: bytes, message: bytes, user_id: bytes) -> str:
    """Says "right", or the code of the refusal. Whatever else is raised fails the test."""
    try:
        sm2.public_key(point, by).verify(signature, message, user_id)
    except KeysError as error:
        return error.code
    return "right"


def digest_verdict(by: sm2.Backend, point: bytes, signature: bytes, digest: bytes) -> str:
    try:
        sm2.public_key(point, by).verify_digest(signature, digest)
    except KeysError as error:
        return error.code
    return "right"


def flipped(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8 % len(octets)] ^= 1 << bit % 8
    return bytes(changed)


def test_the_sample_of_the_standard(by: sm2.Backend) -> None:
    assert message_digest(POINT, MESSAGE, sm2.DEFAULT_USER_ID) == DIGEST
    key = sm2.public_key(POINT, by)
    key.verify(SIGNATURE, MESSAGE)
    key.verify_digest(SIGNATURE, DIGEST)
    with pytest.raises(SignatureError) as caught:
        key.verify(SIGNATURE, MESSAGE + b".")
    assert caught.value.code == "signature.wrong"
    with pytest.raises(SignatureError):
        key.verify(SIGNATURE, MESSAGE, b"ALICE123@YAHOO.COM")
    with pytest.raises(SignatureError):
        key.verify(SIGNATURE, MESSAGE, b"")
    with pytest.raises(SignatureError):
        key.verify_digest(SIGNATURE, flipped(DIGEST, 0))


def test_the_short_forms_verify_by_the_backend_of_the_process() -> None:
    sm2.verify(POINT, SIGNATURE, MESSAGE)
    sm2.verify_digest(POINT, SIGNATURE, DIGEST)
    with pytest.raises(SignatureError):
        sm2.verify(POINT, SIGNATURE, b"")
    with pytest.raises(SignatureError):
        sm2.verify_digest(POINT, SIGNATURE, bytes(32))


NOT_SIGNATURES = {
    "empty": b"",
    "one byte": b"\x30",
    "empty sequence": b"\x30\x00",
    "one integer": der_writer.sequence(der_writer.integer(R)),
    "three integers": der_writer.sequence(*(der_writer.integer(n) for n in (R, S, 1))),
    "trailing byte": SIGNATURE + b"\0",
    "trailing byte inside": der_writer.sequence(der_writer.integer(R), der_writer.integer(S), b"\0"),
    "cut off": SIGNATURE[:-1],
    "long length": der_writer.tlv(0x30, der_writer.contents_of(SIGNATURE), length_octets=1),
    "longer length": der_writer.tlv(0x30, der_writer.contents_of(SIGNATURE), length_octets=2),
    "indefinite length": b"\x30\x80" + der_writer.contents_of(SIGNATURE) + b"\0\0",
    "set": b"\x31" + SIGNATURE[1:],
    "zeros before r": der_writer.sequence(der_writer.integer(b"\0\0" + R.to_bytes(32, "big")), der_writer.integer(S)),
    "negative r": der_writer.sequence(der_writer.integer(R.to_bytes(32, "big")), der_writer.integer(S)),
    "empty s": der_writer.sequence(der_writer.integer(R), der_writer.integer(b"")),
    "octet strings": SIGNATURE.replace(b"\x02\x21", b"\x04\x21"),
    "raw": R.to_bytes(32, "big") + S.to_bytes(32, "big"),
    "r = 0": unsafe_sm2.signature_der(0, S),
    "s = 0": unsafe_sm2.signature_der(R, 0),
    "r = n": unsafe_sm2.signature_der(N, S),
    "s = n": unsafe_sm2.signature_der(R, N),
    "r + n": unsafe_sm2.signature_der(R + N, S),
    "s + n": unsafe_sm2.signature_der(R, S + N),
    "-s": unsafe_sm2.signature_der(R, -S),
    "n - s": unsafe_sm2.signature_der(R, N - S),
    "t = 0": unsafe_sm2.signature_der(R, N - R),
    "exchanged": unsafe_sm2.signature_der(S, R),
    "huge": unsafe_sm2.signature_der(1 << 900, S),
    "huge length": b"\x30\x84\xff\xff\xff\xff" + SIGNATURE,
}


@pytest.mark.parametrize("signature", NOT_SIGNATURES.values(), ids=NOT_SIGNATURES)
def test_what_is_not_the_signature_is_refused(by: sm2.Backend, signature: bytes) -> None:
    assert verdict(by, POINT, signature, MESSAGE, sm2.DEFAULT_USER_ID) == "signature.wrong"
    assert digest_verdict(by, POINT, signature, DIGEST) == "signature.wrong"


def test_no_bit_of_a_signature_can_change(by: sm2.Backend) -> None:
    for bit in range(8 * len(SIGNATURE)):
        assert verdict(by, POINT, flipped(SIGNATURE, bit), MESSAGE, sm2.DEFAULT_USER_ID) == "signature.wrong"


NOT_POINTS = {
    "empty": b"",
    "infinity": b"\0",
    "infinity at length": bytes(65),
    "off the curve": flipped(POINT, 8 * 64),
    "of another curve": P256_POINT,
    "hybrid": bytes((6 + (POINT[64] & 1),)) + POINT[1:],
    "x alone": POINT[1:33],
    "cut off": POINT[:-1],
    "too long": POINT + b"\0",
    "uncompressed by name, compressed by length": POINT[:33],
    "compressed by name, uncompressed by length": b"\x02" + POINT[1:],
    "origin": b"\x04" + bytes(64),
    "x = p": b"\x04" + P.to_bytes(32, "big") + POINT[33:],
    "compressed x = p": b"\x02" + P.to_bytes(32, "big"),
    "compressed x too large": b"\x03" + b"\xff" * 32,
}


@pytest.mark.parametrize("point", NOT_POINTS.values(), ids=NOT_POINTS)
def test_what_is_not_a_point_of_the_curve_is_refused(by: sm2.Backend, point: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        sm2.public_key(point, by)
    assert caught.value.code == "key.malformed"


def test_a_coordinate_has_one_form(by: sm2.Backend) -> None:
    # x and x + p are the same number modulo p, and x + p fits 32 bytes where x is small.
    x = 1
    while not unsafe_sm2.on_curve((x, y := pow(x**3 - 3 * x + unsafe_sm2.B, (P + 1) // 4, P))):
        x += 1
    sm2.public_key(unsafe_sm2.encode_point((x, y)), by)
    with pytest.raises(MalformedError):
        sm2.public_key(unsafe_sm2.encode_point((x + P, y)), by)


@given(st.binary(min_size=1, max_size=8))
def test_a_compressed_point_is_the_point(seed: bytes) -> None:
    point = unsafe_generate(seed).point
    compressed = bytes((2 + (point[64] & 1),)) + point[1:33]
    assert sm2.public_key(compressed) == sm2.public_key(point)
    assert sm2.public_key(compressed).point == point
    other = bytes((3 - (point[64] & 1),)) + point[1:33]
    assert sm2.public_key(other).point == unsafe_sm2.encode_point(
        (int.from_bytes(point[1:33], "big"), P - int.from_bytes(point[33:], "big"))
    )


SEEDS = st.integers(0, 7).map(lambda number: f"differential {number}")
USER_IDS = st.sampled_from([sm2.DEFAULT_USER_ID, b"", b"\0", b"ALICE123@YAHOO.COM", bytes(8190)]) | st.binary(
    max_size=40
)


@given(SEEDS, st.binary(max_size=200), USER_IDS, st.data())
def test_three_implementations_agree_on_every_signature(
    seed: str, message: bytes, user_id: bytes, data: st.DataObject
) -> None:
    key = unsafe_generate(seed)
    signature, point = key.sign(message, user_id), key.point
    change = data.draw(st.sampled_from(["nothing", "signature", "point", "message", "id", "key", "numbers"]))
    bit = data.draw(st.integers(0, 1000))
    if change == "signature":
        signature = flipped(signature, bit)
    elif change == "point":
        point = flipped(point, bit)
    elif change == "message":
        message += b"."
    elif change == "id":
        user_id = user_id[1:] or b"another"
    elif change == "key":
        point = unsafe_generate("another").point
    elif change == "numbers":
        number = st.sampled_from([1, 2, N - 1, N, N + 1, P, 0]) | st.integers(1, (1 << 256) - 1)
        signature = unsafe_sm2.signature_der(data.draw(number), data.draw(number))
    verdicts = {name: verdict(backend(name), point, signature, message, user_id) for name in WAYS}
    assert verdicts["openssl"] == verdicts["python"]
    if verdicts["python"] != "key.malformed":
        # The outside one is loose about DER, so what it refuses is refused, and the right thing is right.
        loose = change != "signature" and unsafe_verify(point, signature, message, user_id)
        assert (verdicts["python"] == "right") == loose == (change == "nothing")


@given(st.integers(1, N - 2), st.binary(min_size=32, max_size=32), st.booleans())
def test_three_implementations_agree_on_every_digest(d: int, digest: bytes, right: bool) -> None:
    key = UnsafeSm2Key(d=d)
    signature = key.sign_digest(digest)
    digest = digest if right else flipped(digest, 77)
    verdicts = {digest_verdict(backend(name), key.point, signature, digest) for name in WAYS}
    assert verdicts == {"right" if right else "signature.wrong"}
    assert unsafe_verify_digest(key.point, signature, digest) is right


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_refused_in_our_own_words(point: bytes, signature: bytes) -> None:
    for name in WAYS:
        assert verdict(backend(name), point, b"", b"", b"") == "key.malformed"
        assert verdict(backend(name), POINT, signature, b"", b"") == "signature.wrong"


@pytest.mark.parametrize("d", [1, 2, 3, N - 2, N - 1])
def test_keys_close_to_the_generator(by: sm2.Backend, d: int) -> None:
    point = unsafe_sm2.multiply(d)
    assert point is not None
    octets = unsafe_sm2.encode_point(point)
    signature = UnsafeSm2Key(d=d % (N - 1)).sign_digest(DIGEST) if d < N - 1 else SIGNATURE
    expected = "right" if d < N - 1 else "signature.wrong"
    assert digest_verdict(by, octets, signature, DIGEST) == expected


@pytest.mark.parametrize("uses", [1, 6])
def test_sums_that_are_a_doubling_or_infinity(by: sm2.Backend, uses: int) -> None:
    # With the key 2G, s·G + t·P is a doubling where s = 2t and infinity where s = -2t.
    point = unsafe_sm2.multiply(2)
    assert point is not None
    t = 0x1234567
    for _ in range(uses):
        found = unsafe_sm2.multiply(4 * t)
        assert found is not None
        r, s = (t - 2 * t) % N, 2 * t
        octets, digest = unsafe_sm2.encode_point(point), ((r - found[0]) % N).to_bytes(32, "big")
        assert digest_verdict(by, octets, unsafe_sm2.signature_der(r, s), digest) == "right"
        r, s = (t + 2 * t) % N, -2 * t % N
        for digest in (r.to_bytes(32, "big"), bytes(32), ((r - 1) % N).to_bytes(32, "big")):
            assert digest_verdict(by, octets, unsafe_sm2.signature_der(r, s), digest) == "signature.wrong"


def test_a_sum_whose_x_is_at_least_the_order(by: sm2.Backend) -> None:
    # x is compared modulo n, and may be n or more, by chance once in 2^32: so the key is made to fit such a point.
    x = N
    while not unsafe_sm2.on_curve((x, y := pow(x**3 - 3 * x + unsafe_sm2.B, (P + 1) // 4, P))):
        x += 1
    assert N <= x < P
    s, t = 7, 11
    r = (t - s) % N
    # P = (R - s·G)/t
    part = unsafe_sm2.multiply(-s % N)
    assert part is not None
    total = unsafe_sm2._affine(unsafe_sm2._add_affine((x, y, 1), part))
    assert total is not None
    key = unsafe_sm2.multiply(pow(t, -1, N), total)
    assert key is not None
    digest = ((r - x) % N).to_bytes(32, "big")
    octets, signature = unsafe_sm2.encode_point(key), unsafe_sm2.signature_der(r, s)
    assert digest_verdict(by, octets, signature, digest) == "right"
    assert digest_verdict(by, octets, signature, flipped(digest, 0)) == "signature.wrong"


def test_a_user_id_has_a_longest_length(by: sm2.Backend) -> None:
    key, longest = unsafe_generate("long id"), b"i" * 8190
    assert verdict(by, key.point, key.sign(MESSAGE, longest), MESSAGE, longest) == "right"
    assert verdict(by, key.point, SIGNATURE, MESSAGE, longest + b"i") == "sm2.user_id"
    with pytest.raises(MalformedError) as caught:
        sm2.sign(sm2.generate(), MESSAGE, longest + b"i")
    assert caught.value.code == "sm2.user_id"


@pytest.mark.parametrize("digest", [b"", DIGEST[:-1], DIGEST + b"\0"])
def test_a_digest_has_one_length(by: sm2.Backend, digest: bytes) -> None:
    assert digest_verdict(by, POINT, SIGNATURE, digest) == "sm2.digest"


def test_many_threads_get_right_answers(by: sm2.Backend) -> None:
    keys = [unsafe_generate(f"thread {number}") for number in range(4)]
    cases = [(key.point, key.sign(MESSAGE), good) for key in keys for good in (True, False)] * 25

    def judged(case: tuple[bytes, bytes, bool]) -> bool:
        point, signature, good = case
        found = verdict(by, point, signature, MESSAGE if good else b"another", sm2.DEFAULT_USER_ID)
        return found == ("right" if good else "signature.wrong")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(judged, cases)) == [True] * len(cases)


@given(st.binary(max_size=100), USER_IDS)
def test_what_is_signed_here_is_verified_by_all(message: bytes, user_id: bytes) -> None:
    private = sm2.generate()
    signature = sm2.sign(private, message, user_id)
    for name in WAYS:
        assert verdict(backend(name), private.point, signature, message, user_id) == "right"
        assert verdict(backend(name), private.point, signature, message + b".", user_id) == "signature.wrong"
    assert unsafe_verify(private.point, signature, message, user_id)


def test_signing_the_same_twice_gives_two_signatures() -> None:
    private = sm2.generate()
    assert len({sm2.sign(private, MESSAGE) for _ in range(20)}) == 20


@given(st.integers(1, N - 1), st.integers(1, N - 1))
def test_raw_and_der_are_two_forms_of_one_signature(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert sm2.signature_from_raw(raw) == unsafe_sm2.signature_der(r, s)
    assert sm2.signature_to_raw(sm2.signature_from_raw(raw)) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(63),
        bytes(64),
        b"\1" * 63,
        b"\1" * 65,
        bytes(32) + b"\1" * 32,
        b"\1" * 32 + bytes(32),
        b"\xff" * 64,
        N.to_bytes(32, "big") + b"\1" * 32,
        b"\1" * 32 + N.to_bytes(32, "big"),
    ],
    ids=range(10),
)
def test_what_is_no_raw_signature_is_refused(raw: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        sm2.signature_from_raw(raw)
    assert caught.value.code == "signature.wrong"


@pytest.mark.parametrize("signature", [b"", SIGNATURE + b"\0", NOT_SIGNATURES["r = 0"]])
def test_what_is_no_der_signature_has_no_raw_form(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        sm2.signature_to_raw(signature)


def test_a_public_key_shows_and_compares_by_its_point_only(by: sm2.Backend) -> None:
    key = sm2.public_key(POINT, by)
    assert repr(key) == f"PublicKey(point={POINT!r})"
    assert key == sm2.public_key(POINT)
    assert key != sm2.public_key(unsafe_generate("a").point, by)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("openssl", "openssl"),
        ("python", "python"),
        ("gmssl", "AlgorithmError: sm2.backend_unknown: ACCORD_SM2_BACKEND is 'gmssl', not one of openssl, python"),
    ],
)
def test_the_environment_chooses_the_backend(wanted: str, expected: str) -> None:
    program = (
        "from keys.algorithms import sm2\n"
        "try: print(sm2.backend().name)\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')"
    )
    environment = {**os.environ, "ACCORD_SM2_BACKEND": wanted}
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == expected


def test_without_sm2_in_libcrypto_python_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> openssl.OpensslBackend:
        raise AlgorithmError("sm2.unavailable", "none here")

    monkeypatch.setattr(openssl, "load", unavailable)
    choose = sm2.backend.__wrapped__
    found = choose("")
    assert found.name == "python"
    sm2.public_key(POINT, found).verify(SIGNATURE, MESSAGE)
    with pytest.raises(AlgorithmError) as caught:
        choose("openssl")
    assert caught.value.code == "sm2.unavailable"
    with pytest.raises(AlgorithmError) as caught:
        sm2.generate()
    assert caught.value.code == "sm2.unavailable"


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(AlgorithmError) as caught:
        sm2.backend("gmssl")
    assert caught.value.code == "sm2.backend_unknown"


def test_with_sm2_in_libcrypto_that_verifies() -> None:
    assert backend("openssl").name == "openssl"
    assert sm2.backend.__wrapped__("").name == "openssl"


def test_the_openssl_command_agrees_both_ways(tmp_path: Path) -> None:
    command = shutil.which("openssl")
    require(command, "the openssl command")
    unsafe = UnsafeSm2Key(d=PRIVATE)
    (tmp_path / "key.der").write_bytes(unsafe.private_key_info())
    (tmp_path / "public.der").write_bytes(sm2.spki(POINT))
    (tmp_path / "message").write_bytes(MESSAGE)
    private = sm2.PrivateKey.from_pkcs8(unsafe.private_key_info())
    user_id = "一二三".encode()
    (tmp_path / "ours").write_bytes(sm2.sign(private, MESSAGE, user_id))

    def openssl_command(*arguments: str) -> str:
        head = [str(command), "pkeyutl", "-rawin", "-digest", "sm3", "-pkeyopt", f"hexdistid:{user_id.hex()}"]
        run = subprocess.run([*head, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout

    public = ("-pubin", "-inkey", "public.der", "-keyform", "DER")
    said = openssl_command("-verify", *public, "-in", "message", "-sigfile", "ours")
    assert "Verified Successfully" in said
    key = ("-inkey", "key.der", "-keyform", "DER")
    openssl_command("-sign", *key, "-in", "message", "-out", "theirs")
    for name in WAYS:
        theirs = (tmp_path / "theirs").read_bytes()
        assert verdict(backend(name), POINT, theirs, MESSAGE, user_id) == "right"
        assert verdict(backend(name), POINT, theirs, MESSAGE, sm2.DEFAULT_USER_ID) == "signature.wrong"
