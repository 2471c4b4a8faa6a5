"""SM2 in pure Python for tests: keys from a seed, signing with a nonce from the message, verification.

Written from GB/T 32918.2/.5-2016 and draft-shen-sm2-ecdsa-02, and not constant in time: never for a key that matters.
It is a second opinion on `keys.algorithms.sm2`, so it shares nothing with it; SM3 comes from `cryptography`.
`Key` is a key from a seed of any kind that the simulated authorities use: SM2 by this module, others by `cryptography`.
"""

import hmac
from dataclasses import dataclass
from functools import cache
from hashlib import new as new_hash
from hashlib import sha256, shake_256
from math import gcd

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.support import der_writer as der

# GB/T 32918.5-2017: the recommended curve.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
DEFAULT_USER_ID = b"1234567812345678"

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]
_INFINITY: Jacobian = (1, 1, 0)


def sm3(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def on_curve(point: Affine) -> bool:
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def _double(point: Jacobian) -> Jacobian:
    x, y, z = point
    if not z or not y:
        return _INFINITY
    squared = z * z % P
    slope = 3 * (x - squared) * (x + squared) % P  # a = -3
    y2 = y * y % P
    s = 4 * x * y2 % P
    x3 = (slope * slope - 2 * s) % P
    return x3, (slope * (s - x3) - 8 * y2 * y2) % P, 2 * y * z % P


def _add_affine(point: Jacobian, other: Affine) -> Jacobian:
    x1, y1, z1 = point
    x2, y2 = other
    if not z1:
        return x2, y2, 1
    z1z1 = z1 * z1 % P
    h = (x2 * z1z1 - x1) % P
    r = (y2 * z1 * z1z1 - y1) % P
    if not h:
        return _INFINITY if r else _double(point)
    h2 = h * h % P
    h3 = h * h2 % P
    v = x1 * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return x3, (r * (v - x3) - y1 * h3) % P, z1 * h % P


def _affine(point: Jacobian) -> Affine | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    squared = inverse * inverse % P
    return x * squared % P, y * squared * inverse % P


@cache
def _powers_of_g() -> tuple[Affine, ...]:
    """2^i·G for each bit: a multiplication of G is then additions only."""
    powers, point = [], (*G, 1)
    for _ in range(256):
        plain = _affine(point)
        assert plain is not None
        powers.append(plain)
        point = _double((*plain, 1))
    return tuple(powers)


def _times_g(scalar: int) -> Jacobian:
    total = _INFINITY
    for position, power in enumerate(_powers_of_g()):
        if scalar >> position & 1:
            total = _add_affine(total, power)
    return total


def multiply(scalar: int, point: Affine = G) -> Affine | None:
    """scalar·point, None for infinity. The scalar is not reduced, so that points off the curve can be tried."""
    if point == G and 0 <= scalar < 1 << 256:
        return _affine(_times_g(scalar))
    total = _INFINITY
    for bit in bin(scalar)[2:]:
        total = _double(total)
        if bit == "1":
            total = _add_affine(total, point)
    return _affine(total)


def encode_point(point: Affine) -> bytes:
    """Uncompressed: 04 ‖ x ‖ y, 65 bytes."""
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def decode_point(octets: bytes) -> Affine:
    """Raises ValueError for anything but 65 bytes of a point on the curve."""
    point = int.from_bytes(octets[1:33], "big"), int.from_bytes(octets[33:], "big")
    if len(octets) != 65 or octets[0] != 4 or not on_curve(point):
        raise ValueError("not an uncompressed point of the SM2 curve")
    return point


def z_value(point: bytes, user_id: bytes = DEFAULT_USER_ID) -> bytes:
    """Z_A of GB/T 32918.2 5.5 for an encoded point, on the curve or not."""
    domain = b"".join(value.to_bytes(32, "big") for value in (A, B, *G))
    return sm3((8 * len(user_id)).to_bytes(2, "big"), user_id, domain, point[1:])


def message_digest(point: bytes, message: bytes, user_id: bytes = DEFAULT_USER_ID) -> bytes:
    """The 32 bytes e = SM3(Z ‖ M) that SM2 signs."""
    return sm3(z_value(point, user_id), message)


def signature_der(r: int, s: int) -> bytes:
    return der.sequence(der.integer(r), der.integer(s))


def signature_numbers(signature: bytes) -> tuple[int, int]:
    """The numbers r and s of the DER form, whatever they are."""
    r, s = (int.from_bytes(der.contents_of(part), "big", signed=True) for part in der.members_of(signature))
    return r, s


def signature_raw(signature: bytes) -> bytes:
    """The 64 bytes r ‖ s from the DER form."""
    return b"".join(number.to_bytes(32, "big") for number in signature_numbers(signature))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsafeSm2Key:
    """A private key that may be seen by anyone. Made by `unsafe_generate` or from its number d in [1, n-2]."""

    d: int

    @property
    def point(self) -> bytes:
        return _encoded_public(self.d)

    def sign_digest(self, digest: bytes, nonce: int | None = None) -> bytes:
        """Signs e (32 bytes) as DER. The nonce comes from key and e as in RFC 6979, with HMAC-SHA-256 for the hash."""
        e = int.from_bytes(digest, "big")
        for attempt in range(1 << 16):
            k = nonce or _number(self.d.to_bytes(32, "big"), digest + attempt.to_bytes(2, "big"), N - 1)
            point = multiply(k)
            assert point is not None
            r = (e + point[0]) % N
            s = pow(1 + self.d, -1, N) * (k - r * self.d) % N
            if r and r + k != N and s:
                return signature_der(r, s)
            assert nonce is None, "this nonce gives no signature"
        raise AssertionError("unreachable")

    def sign(self, message: bytes, user_id: bytes = DEFAULT_USER_ID, nonce: int | None = None) -> bytes:
        """Signs a message for a user id as DER. A nonce of one's own is for the standard's worked examples."""
        return self.sign_digest(message_digest(self.point, message, user_id), nonce)

    def private_key_info(self) -> bytes:
        """PKCS #8 PrivateKeyInfo, for the `openssl` command in a test's own folder."""
        private = der.sequence(
            der.integer(1),
            der.octet_string(self.d.to_bytes(32, "big")),
            der.explicit(0, der.oid(der.SM2_CURVE_OID)),
            der.explicit(1, der.bit_string(self.point)),
        )
        algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid(der.SM2_CURVE_OID))
        return der.sequence(der.integer(0), algorithm, der.octet_string(private))


@cache
def _encoded_public(d: int) -> bytes:
    point = multiply(d)
    assert point is not None
    return encode_point(point)


def _number(key: bytes, text: bytes, upper: int) -> int:
    """A number in [1, upper] from a key and a text."""
    octets = hmac.digest(key, text, "sha512")
    return int.from_bytes(octets, "big") % upper + 1


def unsafe_generate(seed: str | bytes) -> UnsafeSm2Key:
    """The same key for the same seed, on every machine."""
    octets = seed.encode() if isinstance(seed, str) else seed
    return UnsafeSm2Key(d=_number(b"unsafe sm2 key for tests", sha256(octets).digest(), N - 2))


def unsafe_verify(point: bytes, signature: bytes, message: bytes, user_id: bytes = DEFAULT_USER_ID) -> bool:
    """Whether a DER signature is right; the DER itself is not held to be strict."""
    return unsafe_verify_digest(point, signature, message_digest(point, message, user_id))


def unsafe_verify_digest(point: bytes, signature: bytes, digest: bytes) -> bool:
    """The same over e = SM3(Z ‖ M)."""
    public = decode_point(point)
    r, s = signature_numbers(signature)
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    part = multiply(t, public)
    total = _times_g(s) if part is None else _add_affine(_times_g(s), part)
    found = _affine(total)
    return found is not None and (int.from_bytes(digest, "big") + found[0]) % N == r


# Keys of every kind, so that whoever writes certificates need not know which it holds

KINDS = {
    "sm2": "sm2-sm3",
    "rsa-1024": "rsa-pkcs1-sha256",
    "rsa-2048": "rsa-pkcs1-sha256",
    "rsa-3072": "rsa-pkcs1-sha256",
    "p-256": "ecdsa-sha256",
    "p-384": "ecdsa-sha384",
    "ed25519": "ed25519",
}
"""The kinds of key, each with the scheme it signs by when nothing else is asked for."""

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1()}
_SMALL_PRIMES = [n for n in range(3, 1 << 13, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


@dataclass(frozen=True, slots=True)
class Key:
    """A private key of a kind (`KINDS`) from a seed: for tests only, as anyone can make it."""

    kind: str
    seed: str

    @property
    def scheme(self) -> str:
        return KINDS[self.kind]

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return _public(self)

    @property
    def point(self) -> bytes:
        """The encoded point of an elliptic key, else the whole subjectPublicKey."""
        return der.contents_of(der.members_of(self.spki)[1])[1:]

    def sign(self, message: bytes, scheme: str | None = None, user_id: bytes = DEFAULT_USER_ID) -> bytes:
        """Signs as a scheme of this kind of key says (default `KINDS`); the user id matters for SM2 only."""
        scheme = scheme or self.scheme
        private, digest = _private(self), _DIGESTS.get(scheme.rpartition("-")[2], hashes.SHA256())
        if isinstance(private, UnsafeSm2Key) and scheme == "sm2-sm3":
            return private.sign(message, user_id)
        if isinstance(private, ec.EllipticCurvePrivateKey) and scheme.startswith("ecdsa-"):
            return private.sign(message, ec.ECDSA(digest, deterministic_signing=True))
        if isinstance(private, ed25519.Ed25519PrivateKey) and scheme == "ed25519":
            return private.sign(message)
        if isinstance(private, rsa.RSAPrivateKey) and scheme.startswith("rsa-pkcs1-"):
            return private.sign(message, padding.PKCS1v15(), digest)
        if isinstance(private, rsa.RSAPrivateKey) and scheme.startswith("rsa-pss-"):
            return _sign_pss(private, message, digest.name)
        raise ValueError(f"a key of kind {self.kind} does not sign by {scheme}")

    def private_key_info(self) -> bytes:
        """PKCS #8, unencrypted, for the `openssl` command in a test's own folder."""
        private = _private(self)
        if isinstance(private, UnsafeSm2Key):
            return private.private_key_info()
        form = serialization.PrivateFormat.PKCS8
        return private.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


PrivateKey = UnsafeSm2Key | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@cache
def _private(key: Key) -> PrivateKey:
    seed = f"{key.kind}/{key.seed}".encode()
    if key.kind == "sm2":
        return unsafe_generate(seed)
    if key.kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())
    if key.kind in _CURVES:
        # Two hundred bits are below every order.
        return ec.derive_private_key(int.from_bytes(sha256(seed).digest()[:25], "big") + 1, _CURVES[key.kind])
    bits = int(key.kind.removeprefix("rsa-"))
    p, q = _prime(seed + b"/p", bits // 2), _prime(seed + b"/q", bits // 2)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key(unsafe_skip_rsa_key_validation=True)


@cache
def _public(key: Key) -> bytes:
    private = _private(key)
    if isinstance(private, UnsafeSm2Key):
        return der.elliptic_public_key(private.point)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.DER, form)


def _prime(seed: bytes, bits: int) -> int:
    """The first probable prime after a number from the seed, its two highest bits set and p-1 prime to 65537."""
    start = int.from_bytes(shake_256(seed).digest(bits // 8), "big") | 3 << (bits - 2) | 1
    sieve = bytearray(1 << 13)
    for prime in _SMALL_PRIMES:
        first = -start * pow(2, -1, prime) % prime
        sieve[first::prime] = b"\1" * len(range(first, len(sieve), prime))
    survivors = (start + 2 * offset for offset, struck in enumerate(sieve) if not struck)
    return next(n for n in survivors if gcd(n - 1, 65537) == 1 and all(pow(b, n - 1, n) == 1 for b in (2, 3, 5)))


def _sign_pss(private: rsa.RSAPrivateKey, message: bytes, digest: str) -> bytes:
    """RSASSA-PSS (RFC 8017 9.1.1) with a salt from the message, as `cryptography` gives only a random one."""
    numbers = private.private_numbers()
    modulus = numbers.public_numbers.n
    hashed = new_hash(digest, message).digest()
    size, room = len(hashed), (modulus.bit_length() + 6) // 8
    salt = shake_256(b"salt" + hashed).digest(size)
    h = new_hash(digest, bytes(8) + hashed + salt).digest()
    block = bytes(room - 2 * size - 2) + b"\1" + salt
    mask = b"".join(new_hash(digest, h + n.to_bytes(4, "big")).digest() for n in range(len(block) // size + 1))
    masked = int.from_bytes(block, "big") ^ int.from_bytes(mask[: len(block)], "big")
    masked &= (1 << (8 * len(block) - (8 * room - modulus.bit_length() + 1))) - 1
    encoded = masked.to_bytes(len(block), "big") + h + b"\xbc"
    return pow(int.from_bytes(encoded, "big"), numbers.d, modulus).to_bytes(private.key_size // 8, "big")
