"""SM2 by libcrypto: verification, signing, and private keys as encrypted PKCS #8."""

import ctypes
from collections.abc import Callable
from ctypes import c_size_t, c_void_p
from functools import cache

from keys.algorithms import signature_value
from keys.algorithms.sm2 import libcrypto
from keys.algorithms.sm2.comb import KeptTables, affine_of
from keys.algorithms.sm2.curve import ORDER, SIZE, G, message_digest, read_point
from keys.algorithms.sm2.group import Group, Table
from keys.algorithms.sm2.libcrypto import Libcrypto, Owned
from keys.errors import AlgorithmError, CustodyError, KeysError, MalformedError

# SubjectPublicKeyInfo of a key on the SM2 curve, up to the point (GM/T 0015, GB/T 20518).
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")

_LONGEST_SIGNATURE = 72  # bytes of DER
_ITERATIONS = 600_000  # of PBKDF2 with HMAC-SHA-256, over a custody passphrase
_ANY = -1  # of PKCS8_encrypt: PBES2 with the cipher given

# GB/T 32918.5-2017 Annex A (GM/T 0003.5-2012, draft-shen-sm2-ecdsa): public key, user id, message and signature.
_KNOWN_POINT = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_KNOWN_USER_ID = b"1234567812345678"
_KNOWN_MESSAGE = b"message digest"
_KNOWN_SIGNATURE = signature_value.write(
    0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
    0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
)


_TABLES = 64  # keys whose tables are kept, about 300 kB each
USES = 64  # verifications by a key that pay for making its table


class Key:
    """A public key: its EVP_PKEY, and its point, checked. `uses` counts up to the making of its table."""

    __slots__ = ("owned", "point", "uses")

    def __init__(self, owned: Owned, point: bytes) -> None:
        self.owned = owned
        self.point = point
        self.uses = 0


class OpensslBackend:
    """SM2 by a libcrypto (GB/T 32918.2 §7). Any thread may use any key.

    It verifies by the EVP functions or, for a key that verifies often, by a table and libcrypto's addition of points.
    What libcrypto itself cannot do raises AlgorithmError "sm2.libcrypto".
    """

    name = "openssl"

    def __init__(self, library: Libcrypto, uses: int = USES) -> None:
        """Takes a libcrypto, and after how many verifications a key gets its table."""
        self._c = library
        self._sm3 = library.EVP_sm3()
        generator = b"\x04" + b"".join(number.to_bytes(SIZE, "big") for number in G)
        # Reading a key's DER costs twenty times as much as giving a copy of this one another point.
        template = library.decoded("d2i_PUBKEY", library.EVP_PKEY_free, SPKI_PREFIX + generator)
        if template is None:
            raise AlgorithmError("sm2.unavailable", "libcrypto does not know the curve of SM2")
        self._template = template
        self.group = Group(library)
        self._tables = KeptTables(self.group.table, uses=uses, kept=_TABLES)

    def public_key(self, point: bytes) -> Key:
        """Takes a point that `curve.read_point` has checked."""
        owned = self._c.owned(self._c.EVP_PKEY_dup(self._template.pointer), self._c.EVP_PKEY_free)
        self._c.check(self._c.EVP_PKEY_set1_encoded_public_key(owned.pointer, point, len(point)))
        return Key(owned, point)

    def verify(self, public: Key, signature: bytes, message: bytes, user_id: bytes) -> bool:
        """Whether the key signed the message. Raises SignatureError "signature.wrong" for what is no signature."""
        table = self._tables.of(public)
        if table is not None:
            return self.verify_by_table(table, signature, message_digest(public.point, message, user_id))
        return self.verify_whole(public, signature, message, user_id)

    def verify_whole(self, public: Key, signature: bytes, message: bytes, user_id: bytes) -> bool:
        """The same by the EVP functions alone, which keep nothing from one signature to the next."""
        signature_value.read(signature, ORDER)
        c = self._c
        with c.owned(c.EVP_MD_CTX_new(), c.EVP_MD_CTX_free) as context:
            self._start(c.EVP_DigestVerifyInit, context, public.owned, user_id)
            return self._verdict(c.EVP_DigestVerify(context.pointer, signature, len(signature), message, len(message)))

    def verify_by_table(self, table: Table, signature: bytes, digest: bytes) -> bool:
        """The same by the table of a key (`Group.table`), over e = SM3(Z‖M)."""
        r, s = signature_value.read(signature, ORDER)
        t = (r + s) % ORDER
        x = self.group.x_of_sum(s, t, table) if t else None
        return x is not None and (int.from_bytes(digest, "big") + x) % ORDER == r

    def verify_digest(self, public: Key, signature: bytes, digest: bytes) -> bool:
        """The same as `verify` for e = SM3(Z‖M)."""
        table = self._tables.of(public)
        if table is not None:
            return self.verify_by_table(table, signature, digest)
        signature_value.read(signature, ORDER)
        c = self._c
        with c.owned(c.EVP_PKEY_CTX_new(public.owned.pointer, None), c.EVP_PKEY_CTX_free) as context:
            c.check(c.EVP_PKEY_verify_init(context.pointer))
            return self._verdict(c.EVP_PKEY_verify(context.pointer, signature, len(signature), digest, len(digest)))

    def sign(self, private: Owned, message: bytes, user_id: bytes) -> bytes:
        """Signs, as DER."""
        c = self._c
        signature, length = ctypes.create_string_buffer(_LONGEST_SIGNATURE), c_size_t(_LONGEST_SIGNATURE)
        with c.owned(c.EVP_MD_CTX_new(), c.EVP_MD_CTX_free) as context:
            self._start(c.EVP_DigestSignInit, context, private, user_id)
            c.check(c.EVP_DigestSign(context.pointer, signature, ctypes.byref(length), message, len(message)))
        return signature.raw[: length.value]

    def generate(self) -> Owned:
        """Makes a private key."""
        c = self._c
        with c.owned(c.EVP_PKEY_CTX_new_from_name(None, b"SM2", None), c.EVP_PKEY_CTX_free) as context:
            c.check(c.EVP_PKEY_keygen_init(context.pointer))
            key = c_void_p()
            c.check(c.EVP_PKEY_keygen(context.pointer, ctypes.byref(key)))
            return c.owned(key.value, c.EVP_PKEY_free)

    def point(self, key: Owned) -> bytes:
        """Gives the public point of a key, 65 bytes. Raises MalformedError "key.malformed" when it is none."""
        octets = c_void_p()
        length = self._c.EVP_PKEY_get1_encoded_public_key(key.pointer, ctypes.byref(octets))
        if not length:
            raise self._c.failure()
        try:
            return read_point(ctypes.string_at(octets, length))
        finally:
            self._c.CRYPTO_free(octets, None, 0)

    def encrypt(self, private: Owned, passphrase: bytes) -> bytes:
        """Gives EncryptedPrivateKeyInfo: AES-256-CBC under PBKDF2 with HMAC-SHA-256 (RFC 8018)."""
        c = self._c
        with c.owned(c.EVP_PKEY2PKCS8(private.pointer), c.PKCS8_PRIV_KEY_INFO_free) as plain:
            sealed = c.PKCS8_encrypt(
                _ANY, c.EVP_aes_256_cbc(), passphrase, len(passphrase), None, 0, _ITERATIONS, plain.pointer
            )
        with c.owned(sealed, c.X509_SIG_free) as info:
            der = ctypes.create_string_buffer(c.i2d_X509_SIG(info.pointer, None))
            c.i2d_X509_SIG(info.pointer, ctypes.byref(c_void_p(ctypes.addressof(der))))
            return der.raw

    def decrypt(self, der: bytes, passphrase: bytes) -> Owned:
        """Opens EncryptedPrivateKeyInfo. The caller answers for the cost: the file says how often to hash.

        Raises MalformedError "key.malformed", CustodyError "key.passphrase_wrong", AlgorithmError "key.kind".
        """
        c = self._c
        sealed = c.decoded("d2i_X509_SIG", c.X509_SIG_free, der)
        if sealed is None:
            raise MalformedError("key.malformed", "not the DER of an encrypted private key")
        with sealed:
            plain = c.PKCS8_decrypt(sealed.pointer, passphrase, len(passphrase))
        if not plain:
            c.ERR_clear_error()
            # The encryption does not authenticate: a wrong passphrase and damaged ciphertext look the same.
            detail = "the passphrase does not open it; give the one it was made with, or restore the file"
            raise CustodyError("key.passphrase_wrong", detail)
        return self._opened(Owned(plain, c.PKCS8_PRIV_KEY_INFO_free))

    def private_key(self, der: bytes) -> Owned:
        """Reads PrivateKeyInfo. Raises MalformedError "key.malformed", AlgorithmError "key.kind"."""
        plain = self._c.decoded("d2i_PKCS8_PRIV_KEY_INFO", self._c.PKCS8_PRIV_KEY_INFO_free, der)
        if plain is None:
            raise MalformedError("key.malformed", "not the DER of a private key")
        return self._opened(plain)

    def _opened(self, plain: Owned) -> Owned:
        """Makes a key of PrivateKeyInfo and checks it: its kind, 1 ≤ d ≤ n - 2, the point on the curve and d's own."""
        c = self._c
        with plain:
            pointer = c.EVP_PKCS82PKEY(plain.pointer)
        if not pointer:
            c.ERR_clear_error()
            raise MalformedError("key.malformed", "not a private key that libcrypto reads")
        key = Owned(pointer, c.EVP_PKEY_free)
        if c.EVP_PKEY_is_a(key.pointer, b"SM2") != 1:
            raise AlgorithmError("key.kind", "not a private key of SM2")
        with c.owned(c.EVP_PKEY_CTX_new(key.pointer, None), c.EVP_PKEY_CTX_free) as context:
            if not self._verdict(c.EVP_PKEY_check(context.pointer)):
                raise MalformedError("key.malformed", "the private key and its public point are not a pair")
        return key

    def _start(self, function: Callable[..., int], context: Owned, key: Owned, user_id: bytes) -> None:
        """Prepares a context for signing or verifying. The id that libcrypto itself would take is the empty one."""
        inner = c_void_p()  # belongs to the context
        self._c.check(function(context.pointer, ctypes.byref(inner), self._sm3, None, key.pointer))
        if user_id:
            self._c.check(self._c.EVP_PKEY_CTX_set1_id(inner, user_id, len(user_id)))

    def _verdict(self, result: int) -> bool:
        if result == 1:
            return True
        self._c.ERR_clear_error()
        return False


@cache
def load() -> OpensslBackend:
    """Opens the libcrypto that Python uses and holds its SM2 against a known answer.

    Raises AlgorithmError "sm2.unavailable": no libcrypto of OpenSSL 3, one built without SM2, or a wrong answer.
    """
    try:
        backend = OpensslBackend(libcrypto.of_python())
        right = _answers_rightly(backend)
    except KeysError as error:
        raise AlgorithmError("sm2.unavailable", f"the libcrypto of this Python has no SM2: {error.detail}") from error
    if not right:
        raise AlgorithmError("sm2.unavailable", "the SM2 of this Python's libcrypto gives wrong answers")
    return backend


def _answers_rightly(backend: OpensslBackend) -> bool:
    public = backend.public_key(read_point(_KNOWN_POINT))
    private = backend.generate()
    signed = backend.sign(private, _KNOWN_MESSAGE, _KNOWN_USER_ID)
    table = backend.group.table(affine_of(_KNOWN_POINT))
    digest = message_digest(_KNOWN_POINT, _KNOWN_MESSAGE, _KNOWN_USER_ID)
    return (
        backend.verify(public, _KNOWN_SIGNATURE, _KNOWN_MESSAGE, _KNOWN_USER_ID)
        and not backend.verify(public, _KNOWN_SIGNATURE, _KNOWN_MESSAGE, b"")
        and not backend.verify(public, _KNOWN_SIGNATURE, _KNOWN_MESSAGE + b".", _KNOWN_USER_ID)
        and backend.verify(backend.public_key(backend.point(private)), signed, _KNOWN_MESSAGE, _KNOWN_USER_ID)
        and backend.verify_by_table(table, _KNOWN_SIGNATURE, digest)
        and not backend.verify_by_table(table, _KNOWN_SIGNATURE, digest[::-1])
    )
