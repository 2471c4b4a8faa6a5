"""RSA signatures as X.509 and CMS have them: PKCS #1 v1.5 and PSS (RFC 8017 §8)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from keys import der
from keys.errors import AlgorithmError, MalformedError, SignatureError

# What can be read; what may be relied on is for the algorithm policy to say.
MIN_BITS = 512
MAX_BITS = 16384
_MAX_EXPONENT_BITS = 256  # a larger one only makes verification slow (CA/Browser Forum BR §6.1.6 has the same bound)


def read_public_key(octets: bytes) -> tuple[rsa.RSAPublicKey, int]:
    """Reads RSAPublicKey (RFC 8017 A.1.1): the key and the bits of its modulus.

    Raises MalformedError "key.malformed" for other bytes or numbers that are no RSA key, AlgorithmError "key.kind" for
    a size that is not supported.
    """
    try:
        modulus, exponent = (der.integer(number) for number in der.sequence(der.parse(octets)))
    except MalformedError as error:
        raise MalformedError("key.malformed", f"RSA public key: {error.detail}") from error
    except ValueError as error:
        raise MalformedError("key.malformed", "an RSA public key is a modulus and an exponent") from error
    if modulus <= 0 or exponent <= 1 or not modulus & exponent & 1 or exponent >= modulus:
        raise MalformedError("key.malformed", "the modulus and exponent are not those of an RSA key")
    bits = modulus.bit_length()
    if not MIN_BITS <= bits <= MAX_BITS:
        raise AlgorithmError("key.kind", f"an RSA key of {bits} bits; {MIN_BITS} to {MAX_BITS} are supported")
    if exponent.bit_length() > _MAX_EXPONENT_BITS:
        raise AlgorithmError("key.kind", f"an RSA exponent of more than {_MAX_EXPONENT_BITS} bits is not supported")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key(), bits


def verify(
    public: rsa.RSAPublicKey,
    signature: bytes,
    message: bytes,
    digest: hashes.HashAlgorithm,
    salt_length: int | None,
    *,
    prehashed: bool = False,
) -> None:
    """Raises SignatureError "signature.wrong" unless the key signed the message, or what it is the digest of.

    With a salt length (bytes) by PSS, the digest also that of MGF1; without one by PKCS #1 v1.5.
    """
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if salt_length is not None:
        if digest.digest_size + salt_length + 2 > (public.key_size + 6) // 8:  # RFC 8017 §9.1.2 step 3
            raise SignatureError("signature.wrong", f"a salt of {salt_length} bytes does not fit this key")
        scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=salt_length)
    try:
        public.verify(signature, message, scheme, Prehashed(digest) if prehashed else digest)
    except InvalidSignature as error:
        raise SignatureError("signature.wrong", "the signature is not by this key over these bytes") from error
