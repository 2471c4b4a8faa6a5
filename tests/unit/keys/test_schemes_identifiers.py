"""The table of signature schemes, and algorithm identifiers: which scheme they name, and which are refused."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import schemes
from keys.algorithms.schemes import SCHEMES, load_key, scheme_from_identifier, scheme_named, verify
from keys.errors import AlgorithmError, KeysError, MalformedError, SignatureError
from tests.support import der_writer as der

MESSAGE = b"what is signed"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
HASH_OIDS = {
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
PSS, MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
SM2_CURVE, SM2_WITH_SM3 = "1.2.156.10197.1.301", "1.2.156.10197.1.501"


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def identifier(oid: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(oid), *parameters)


def pss(*fields: bytes) -> bytes:
    return identifier(PSS, der.sequence(*fields))


def pss_fields(digest: str, mask: str, salt_length: int) -> list[bytes]:
    return [
        der.explicit(0, identifier(HASH_OIDS[digest], der.null())),
        der.explicit(1, identifier(MGF1, identifier(HASH_OIDS[mask], der.null()))),
        der.explicit(2, der.integer(salt_length)),
    ]


GOOD = pss_fields("sha256", "sha256", 32)
MALFORMED, UNKNOWN = "signature.algorithm_malformed", "signature.algorithm_unknown"


def refusal(attempt: Callable[[], object]) -> KeysError:
    with pytest.raises(KeysError) as caught:
        attempt()
    return caught.value


def flipped(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8 % len(octets)] ^= 1 << bit % 8
    return bytes(changed)


def outcome(attempt: Callable[[], object]) -> str:
    """Whatever else than KeysError is raised fails the test."""
    try:
        attempt()
    except KeysError as error:
        return error.code
    return "done"


def test_the_identifiers_are_those_that_asn1crypto_knows() -> None:
    known = {
        "sm2-sm3": None,
        "ed25519": "ed25519",
        **{f"rsa-pkcs1-{digest}": f"{digest}_rsa" for digest in HASHES},
        **{f"rsa-pss-{digest}": "rsassa_pss" for digest in HASHES},
        **{f"ecdsa-{digest}": f"{digest}_ecdsa" for digest in HASHES},
    }
    assert known.keys() == SCHEMES.keys()
    for name, theirs in known.items():
        if theirs is not None:
            assert algos.SignedDigestAlgorithmId(theirs).dotted == SCHEMES[name].oid
    assert SCHEMES["sm2-sm3"].oid == SM2_WITH_SM3


def test_a_scheme_is_found_by_either_name() -> None:
    jose = {
        "SM2": "sm2-sm3",
        "Ed25519": "ed25519",
        "RS256": "rsa-pkcs1-sha256",
        "RS384": "rsa-pkcs1-sha384",
        "RS512": "rsa-pkcs1-sha512",
        "PS256": "rsa-pss-sha256",
        "PS384": "rsa-pss-sha384",
        "PS512": "rsa-pss-sha512",
        "ES256": "ecdsa-sha256",
        "ES384": "ecdsa-sha384",
        "ES512": "ecdsa-sha512",
    }
    assert {scheme.jose: scheme.name for scheme in SCHEMES.values() if scheme.jose} == jose
    for theirs, ours in jose.items():
        assert scheme_named(theirs) is scheme_named(ours) is SCHEMES[ours]
    for unknown in ("none", "HS256", "", "es256", "rsa-pkcs1-md5"):
        assert refusal(lambda name=unknown: scheme_named(name)).code == "signature.algorithm_unknown"


@pytest.mark.parametrize("scheme", [s for s in SCHEMES.values() if s.oid != PSS], ids=lambda s: s.name)
def test_parameters_are_nothing_or_null_where_the_scheme_has_it(scheme: schemes.SignatureScheme) -> None:
    assert scheme_from_identifier(identifier(scheme.oid)) is scheme
    null = identifier(scheme.oid, der.null())
    if scheme.family in ("rsa", "sm2"):
        assert scheme_from_identifier(null) is scheme
    else:
        assert refusal(lambda: scheme_from_identifier(null)).code == "signature.algorithm_malformed"
    for wrong in (der.integer(0), der.sequence(), b"\x05\x01\0", der.oid(SM2_CURVE)):
        found = refusal(lambda wrong=wrong: scheme_from_identifier(identifier(scheme.oid, wrong)))
        assert found.code == "signature.algorithm_malformed"


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\0",
        der.sequence(),
        der.sequence(der.null()),
        identifier(SM2_WITH_SM3) + b"\0",
        identifier(SM2_WITH_SM3)[:-1],
        identifier(SM2_WITH_SM3, der.null(), der.null()),
        der.tlv(0x30, der.oid(SM2_WITH_SM3), length_octets=1),
        der.set_of(der.oid(SM2_WITH_SM3)),
        der.oid(SM2_WITH_SM3),
        identifier("1.2.3.4") * 200,
        identifier("1.2.3.4", bytes(2000)),
        identifier(PSS),
        identifier(PSS, der.null()),
    ],
    ids=range(14),
)
def test_what_is_no_algorithm_identifier_is_refused(wrong: bytes) -> None:
    found = refusal(lambda: scheme_from_identifier(wrong))
    assert isinstance(found, MalformedError)
    assert found.code == "signature.algorithm_malformed"


@pytest.mark.parametrize(
    "oid",
    [
        "1.2.840.10040.4.3",  # dsa-with-sha1
        "2.16.840.1.101.3.4.3.2",  # dsa-with-sha256
        "1.2.840.113549.1.1.4",  # md5WithRSAEncryption
        "1.2.840.113549.1.1.1",  # rsaEncryption
        "1.2.156.10197.1.301",  # a curve
        "1.2.156.10197.1.504",  # RSA with SM3
        "1.3.101.113",  # Ed448
        "1.2.3.4",
    ],
)
def test_an_algorithm_out_of_the_table_is_named(oid: str) -> None:
    for parameters in ((), (der.null(),), (der.sequence(der.integer(1)),)):
        found = refusal(lambda parameters=parameters: scheme_from_identifier(identifier(oid, *parameters)))
        assert isinstance(found, AlgorithmError)
        assert found.code == "signature.algorithm_unknown"
        assert oid in found.detail


@pytest.mark.parametrize("digest", HASHES)
@pytest.mark.parametrize("salt_length", [0, 1, 32, 64, 222])
def test_pss_has_a_digest_and_a_salt_length(digest: str, salt_length: int) -> None:
    fields = pss_fields(digest, digest, salt_length)
    if digest == "sha1":
        fields = fields[2:]
    scheme = scheme_from_identifier(pss(*fields))
    assert (scheme.name, scheme.family, scheme.digest, scheme.salt_length) == (
        f"rsa-pss-{digest}",
        "rsa",
        digest,
        salt_length,
    )
    usual = salt_length == HASHES[digest].digest_size
    assert (scheme is SCHEMES[f"rsa-pss-{digest}"]) is usual
    assert scheme.jose is None or usual


def test_pss_without_fields_is_all_defaults() -> None:
    assert scheme_from_identifier(pss()) is SCHEMES["rsa-pss-sha1"]
    without_null = [
        der.explicit(0, identifier(HASH_OIDS["sha256"])),
        der.explicit(1, identifier(MGF1, identifier(HASH_OIDS["sha256"]))),
        der.explicit(2, der.integer(32)),
    ]
    assert scheme_from_identifier(pss(*without_null)) is SCHEMES["rsa-pss-sha256"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (pss_fields("sha256", "sha1", 32), UNKNOWN),
        (pss_fields("sha256", "sha512", 32), UNKNOWN),
        (GOOD[:1], UNKNOWN),  # the mask is by SHA-1 then
        (GOOD[1:], UNKNOWN),
        ([der.explicit(0, identifier("1.2.840.113549.2.5", der.null())), *GOOD[1:]], UNKNOWN),
        ([GOOD[0], der.explicit(1, identifier("1.2.3", identifier(HASH_OIDS["sha256"])))], UNKNOWN),
        ([GOOD[0], der.explicit(1, identifier(MGF1))], UNKNOWN),
        ([GOOD[1], GOOD[0], GOOD[2]], MALFORMED),
        ([*GOOD, GOOD[2]], MALFORMED),
        ([*GOOD, der.explicit(4, der.integer(1))], MALFORMED),
        ([*GOOD, der.explicit(3, der.integer(1))], MALFORMED),
        ([*GOOD, der.explicit(3, der.integer(2))], MALFORMED),
        ([*GOOD, der.explicit(3, der.null())], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.integer(-1))], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.integer(20))], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.integer(1 << 40))], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.integer(b"\0\x20"))], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.octet_string(b"\x20"))], MALFORMED),
        ([*GOOD[:2], der.integer(32)], MALFORMED),
        ([*GOOD[:2], der.explicit(2, der.integer(32) + der.integer(32))], MALFORMED),
        ([*GOOD[:2], der.explicit(2, b"")], MALFORMED),
        ([der.explicit(0, identifier(HASH_OIDS["sha256"], der.integer(0))), *GOOD[1:]], MALFORMED),
        ([der.explicit(0, der.oid(HASH_OIDS["sha256"])), *GOOD[1:]], MALFORMED),
    ],
    ids=range(23),
)
def test_other_parameters_of_pss_are_refused(fields: list[bytes], code: str) -> None:
    assert scheme_from_identifier(pss(*GOOD)) is SCHEMES["rsa-pss-sha256"]
    assert refusal(lambda: scheme_from_identifier(pss(*fields))).code == code


@pytest.mark.parametrize("salt_length", [0, 20, 32, 100])
@pytest.mark.parametrize("digest", ["sha224", "sha256", "sha384", "sha512"])
def test_a_certificate_by_pss_as_cryptography_makes_it(
    rsa_key: rsa.RSAPrivateKey, digest: str, salt_length: int
) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "PSS")])
    algorithm = HASHES[digest]
    certificate = (
        x509.CertificateBuilder(name, name, rsa_key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(rsa_key, algorithm, rsa_padding=padding.PSS(padding.MGF1(algorithm), salt_length))  # type: ignore[arg-type]
    )
    signed = der.members_of(certificate.public_bytes(Encoding.DER))
    key = load_key(rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    scheme = scheme_from_identifier(signed[1])
    assert (scheme.digest, scheme.salt_length) == (digest, salt_length)
    verify(key, scheme, certificate.signature, certificate.tbs_certificate_bytes)
    with pytest.raises(SignatureError):
        verify(key, SCHEMES[f"rsa-pkcs1-{digest}"], certificate.signature, certificate.tbs_certificate_bytes)


def test_the_salt_is_as_long_as_it_is_said_to_be(rsa_key: rsa.RSAPrivateKey) -> None:
    key = load_key(rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    signature = rsa_key.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 31), hashes.SHA256())
    verify(key, scheme_from_identifier(pss(*pss_fields("sha256", "sha256", 31))), signature, MESSAGE)
    for salt_length in (0, 30, 32, 222, 223, 2048):
        scheme = scheme_from_identifier(pss(*pss_fields("sha256", "sha256", salt_length)))
        with pytest.raises(SignatureError):
            verify(key, scheme, signature, MESSAGE)


IDENTIFIERS = st.sampled_from([pss(*GOOD), identifier(SM2_WITH_SM3, der.null()), identifier("1.2.840.10045.4.3.2")])


@given(st.binary(max_size=100) | st.tuples(IDENTIFIERS, st.integers(0, 800)))
def test_any_identifier_is_read_or_refused_in_our_own_words(wrong: bytes | tuple[bytes, int]) -> None:
    octets = wrong if isinstance(wrong, bytes) else flipped(*wrong)
    found = outcome(lambda: scheme_from_identifier(octets))
    assert found in {"done", "signature.algorithm_malformed", "signature.algorithm_unknown"}
