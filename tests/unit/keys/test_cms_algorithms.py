"""How signers name their algorithms, and that digest and signature must agree."""

import pytest

from keys.cms import parse_cms
from keys.errors import AlgorithmError, KeysError
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support.cms_writer import Signed, algorithm, message
from tests.unit.keys.cms_signers import CONTENT, code_of, lock, only_signer, verified

NULL = der.null()
RSA, EC, SM2_CURVE = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.2.156.10197.1.301"
PARAMETERS, KEY_KIND = "signature_algorithm.parameters", "signature_algorithm.key_kind"

# By kind of key: the scheme, how the signature is named, how the digest, and what is odd about it.
NAMED: list[tuple[str, str, bytes, bytes, tuple[str, ...]]] = [
    ("sm2", "sm2-sm3", algorithm("1.2.156.10197.1.501"), cms.digest_algorithm("sm3"), ()),
    ("sm2", "sm2-sm3", algorithm("1.2.156.10197.1.501", NULL), cms.digest_algorithm("sm3"), (PARAMETERS,)),
    ("sm2", "sm2-sm3", algorithm("1.2.156.10197.1.301.1"), algorithm(cms.DIGEST_OIDS["sm3"], NULL), ()),
    ("sm2", "sm2-sm3", algorithm("1.2.156.10197.1.301.1", NULL), cms.digest_algorithm("sm3"), (PARAMETERS,)),
    ("sm2", "sm2-sm3", algorithm(SM2_CURVE), algorithm("1.2.156.10197.1.401.1"), ()),
    ("sm2", "sm2-sm3", algorithm(EC, der.oid(SM2_CURVE)), cms.digest_algorithm("sm3"), (KEY_KIND, PARAMETERS)),
    ("sm2", "sm2-sm3", algorithm(EC), cms.digest_algorithm("sm3"), (KEY_KIND,)),
    ("p-256", "ecdsa-sha256", algorithm(EC), cms.digest_algorithm("sha256"), (KEY_KIND,)),
    ("p-384", "ecdsa-sha384", algorithm(EC, NULL), cms.digest_algorithm("sha384"), (KEY_KIND,)),
    ("p-256", "ecdsa-sha1", der.ALGORITHM_IDENTIFIERS["ecdsa-sha1"], cms.digest_algorithm("sha1"), ()),
    ("rsa-2048", "rsa-pkcs1-sha256", algorithm(RSA, NULL), algorithm(cms.DIGEST_OIDS["sha256"], NULL), ()),
    ("rsa-2048", "rsa-pkcs1-sha1", algorithm(RSA, NULL), cms.digest_algorithm("sha1"), ()),
    ("rsa-2048", "rsa-pkcs1-sha512", algorithm(RSA), cms.digest_algorithm("sha512"), ()),
    ("rsa-2048", "rsa-pss-sha256", der.ALGORITHM_IDENTIFIERS["rsa-pss-sha256"], cms.digest_algorithm("sha256"), ()),
    ("rsa-2048", "rsa-pss-sha512", der.ALGORITHM_IDENTIFIERS["rsa-pss-sha512"], cms.digest_algorithm("sha512"), ()),
    ("ed25519", "ed25519", algorithm("1.3.101.112"), cms.digest_algorithm("sha512"), ()),
]


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("named", NAMED, ids=lambda said: f"{said[1]}-{said[2][2:].hex()[:30]}")
def test_every_way_to_name_a_scheme(named: tuple[str, str, bytes, bytes, tuple[str, ...]], attributes: bool) -> None:
    kind, scheme, signature, digest, oddities = named
    signer = Signed(
        by=lock(kind), scheme=scheme, signature_algorithm=signature, digest_algorithm=digest, attributes=attributes
    )
    data = message(CONTENT, signer)
    found = only_signer(data)
    assert (found.scheme.name, found.digest) == (scheme, cms.natural_digest(scheme))
    assert found.oddities == oddities
    assert parse_cms(data).oddities == ()
    verified(data)


@pytest.mark.parametrize(
    ("kind", "scheme", "digest"),
    [
        ("sm2", "sm2-sm3", "sha256"),
        ("rsa-2048", "rsa-pkcs1-sha256", "sha1"),
        ("rsa-2048", "rsa-pss-sha256", "sha512"),
        ("p-256", "ecdsa-sha256", "sha1"),
        ("p-256", "ecdsa-sha256", "sm3"),
        ("ed25519", "ed25519", "sha256"),
    ],
)
@pytest.mark.parametrize("attributes", [True, False])
def test_a_digest_that_is_not_the_schemes_is_refused(kind: str, scheme: str, digest: str, attributes: bool) -> None:
    # RFC 5754, RFC 6211: a stronger signature over a digest that somebody can forge is no stronger.
    signer = Signed(by=lock(kind), scheme=scheme, digest=digest, attributes=attributes)
    assert code_of(message(CONTENT, signer)) == "cms.algorithm_mismatch"


@pytest.mark.parametrize("oid", ["1.2.156.10197.1.301", "1.2.156.10197.1.301.1", "1.2.156.10197.1.501"])
def test_sm2_goes_with_sm3_only(oid: str) -> None:
    signer = Signed(by=lock("sm2"), digest="sha256", signature_algorithm=algorithm(oid))
    assert code_of(message(CONTENT, signer)) == "cms.algorithm_mismatch"


def test_digests_are_announced() -> None:
    for digests in ([], [cms.digest_algorithm("sha512")], [cms.digest_algorithm("md5")]):
        assert code_of(message(CONTENT, Signed(by=lock()), digests=digests)) == "cms.algorithm_mismatch"
    more = [cms.digest_algorithm(name) for name in ("md5", "sha256", "sm3")]
    assert code_of(message(CONTENT, Signed(by=lock()), digests=more)) == ""


UNKNOWN: dict[str, Signed] = {
    "a digest": Signed(by=lock(), digest="md5"),
    "a digest nobody knows": Signed(by=lock(), digest_algorithm=algorithm("1.2.3")),
    "a signature": Signed(by=lock(), signature_algorithm=algorithm("1.2.840.10040.4.3")),
    "RSA with SM3": Signed(
        by=lock("rsa-2048"), digest_algorithm=cms.digest_algorithm("sm3"), signature_algorithm=algorithm(RSA, NULL)
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_said_to_be(name: str) -> None:
    with pytest.raises(AlgorithmError) as refusal:
        parse_cms(message(CONTENT, UNKNOWN[name]))
    assert refusal.value.code == "signature.algorithm_unknown"


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        (algorithm(RSA, der.integer(1)), "cms.malformed"),
        (der.ALGORITHM_IDENTIFIERS["ecdsa-sha256"], ""),
        (algorithm("1.2.840.10045.4.3.2", NULL), "signature.algorithm_malformed"),
        (algorithm("1.2.840.113549.1.1.10"), "signature.algorithm_malformed"),
    ],
)
def test_parameters_that_an_algorithm_does_not_have(identifier: bytes, code: str) -> None:
    assert code_of(message(CONTENT, Signed(by=lock(), signature_algorithm=identifier))) == code


def test_a_key_of_another_kind_is_refused() -> None:
    for attributes in (True, False):
        signer = Signed(by=lock("p-256"), signed_by=lock("rsa-2048").key, attributes=attributes)
        with pytest.raises(KeysError) as refusal:
            verified(message(CONTENT, signer))
        assert refusal.value.code == "key.kind"


@pytest.mark.parametrize("attributes", [True, False])
@pytest.mark.parametrize("kind", ["sm2", "p-256", "p-384"])
def test_a_bare_pair_of_numbers_is_understood(kind: str, attributes: bool) -> None:
    def bare(signature: bytes) -> bytes:
        size = 48 if kind == "p-384" else 32
        return b"".join(
            int.from_bytes(der.contents_of(part), "big").to_bytes(size, "big") for part in der.members_of(signature)
        )

    verified(message(CONTENT, Signed(by=lock(kind), attributes=attributes, alter=bare)))
    zeros = Signed(by=lock(kind), attributes=attributes, alter=lambda signature: bytes(len(bare(signature))))
    assert code_of(message(CONTENT, zeros)) == "signature.wrong"
