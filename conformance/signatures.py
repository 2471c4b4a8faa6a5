"""Signatures against third-party data: SM2 and SM3 vectors, real Chinese CAs and their CRL, Wycheproof."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from conformance.suite import Row
from keys import der
from keys.algorithms import sm2
from keys.algorithms.schemes import VerifyingKey, load_key, scheme_from_identifier, scheme_named, verify
from keys.algorithms.sm2 import libcrypto, openssl
from keys.algorithms.sm2.curve import sm3
from keys.certificate import Certificate, read_certificate
from keys.errors import KeysError

VECTORS = 35
OPERATING_CAS = 43

WYCHEPROOF = {
    "ecdsa_secp256r1_sha256_test": "ecdsa-sha256",
    "ed25519_test": "ed25519",
    "rsa_pss_2048_sha256_mgf1_32_test": "rsa-pss-sha256",
    "rsa_signature_2048_sha256_test": "rsa-pkcs1-sha256",
}


_WAYS: dict[str, Callable[[], sm2.Backend]] = {
    "openssl": lambda: sm2.backend("openssl"),
    "openssl by tables": lambda: openssl.OpensslBackend(libcrypto.of_python(), uses=1),
    "python": lambda: sm2.backend("python"),
}
"""Ways to verify SM2: the backends, and libcrypto with a table for every key, as those have that verify often."""

Judged = Iterable[tuple[str, str | None]]
"""Cases by name, with None where the software did as expected, else what it did."""


def run(folder: Path) -> list[Row]:
    """Runs every set."""
    rows: list[Row] = []
    for name in _WAYS:
        rows += [sm2_vectors(folder, name), sm2_operating_cas(folder, name), sm2_crl(folder, name)]
    rows += [sm3_vectors(folder), *(wycheproof(folder, name) for name in WYCHEPROOF)]
    return rows


def sm2_vectors(folder: Path, backend: str) -> Row:
    """Holds a backend against the 35 signature vectors."""
    vectors = json.loads((folder / "sm2/vectors/sm2_vectors.json").read_text(encoding="utf-8"))["vectors"]

    def judged() -> Iterator[tuple[str, str | None]]:
        by = _WAYS[backend]()
        for vector in vectors:
            yield vector["id"], _deviation(vector["valid"] and vector["der_strict"], partial(_verify, by, vector))

    return _row(f"SM2 vectors, {backend}", judged, expected=VECTORS)


def _verify(by: sm2.Backend, vector: dict[str, Any]) -> None:
    key = sm2.public_key(bytes.fromhex(vector["public_key"]), by)
    signature = bytes.fromhex(vector["sig_der"])
    if vector["digest"] is not None:
        key.verify_digest(signature, bytes.fromhex(vector["digest"]))
    else:
        key.verify(signature, bytes.fromhex(vector["msg"]), bytes.fromhex(vector["user_id"]))


def sm3_vectors(folder: Path) -> Row:
    """Holds SM3 against the vectors of the standard."""
    lines = (folder / "sm2/vectors/oscca.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" = ") for line in lines if " = " in line]
    cases = [
        (int(length), bytes.fromhex(message)[: int(length) // 8], digest)
        for (_, length), (_, message), (_, digest) in zip(pairs[::3], pairs[1::3], pairs[2::3], strict=True)
    ]

    def judged() -> Iterator[tuple[str, str | None]]:
        for length, message, digest in cases:
            found = sm3(message).hex()
            yield f"{length} bits", None if found == digest else f"gave {found}"

    return _row("SM3 vectors", judged, expected=len(cases))


def sm2_operating_cas(folder: Path, backend: str) -> Row:
    """Holds a backend against the certificates of licensed CAs, each signed by one of the national roots."""

    def judged() -> Iterator[tuple[str, str | None]]:
        by = _WAYS[backend]()
        roots = [read_certificate(path.read_bytes()) for path in sorted((folder / "sm2/roots").iterdir())]
        for path in sorted((folder / "sm2/operating-cas").iterdir()):
            if path.stem == "damaged":
                continue
            ca = read_certificate(path.read_bytes())
            above = [root for root in roots if root.subject == ca.issuer]
            yield path.name, _deviation(True, partial(_signed_by_one, by, above, ca))

    return _row(f"operating CAs under a national root, {backend}", judged, expected=OPERATING_CAS)


def _signed_by_one(by: sm2.Backend, roots: list[Certificate], ca: Certificate) -> None:
    """Raises the last root's refusal when no root signed the certificate."""
    refusal = KeysError("issuer.unknown", "no root has the issuer's name")
    for root in roots:
        try:
            _verify_signed(by, root, ca.signature_algorithm, ca.signature, ca.tbs)
        except KeysError as error:
            refusal = error
        else:
            return
    raise refusal


def _verify_signed(by: sm2.Backend, issuer: Certificate, algorithm: bytes, signature: bytes, signed: bytes) -> None:
    scheme, key = scheme_from_identifier(algorithm), load_key(issuer.spki)
    verify(_with_backend(key, by), scheme, signature, signed)


def _with_backend(key: VerifyingKey, by: sm2.Backend) -> VerifyingKey:
    if not isinstance(key.handle, sm2.PublicKey):
        return key
    handle = sm2.public_key(key.handle.point, by)
    return VerifyingKey(family=key.family, curve=key.curve, bits=key.bits, spki=key.spki, handle=handle)


def sm2_crl(folder: Path, backend: str) -> Row:
    """Holds a backend against the CRL of the national root, and against the same with a bit changed."""
    root = read_certificate((folder / "sm2/roots/ROOTCA.pem").read_bytes())
    signed, algorithm, value = der.sequence(der.parse((folder / "sm2/crls/ROOTCA.crl").read_bytes()))
    signature = der.bit_string(value)
    changed = signed.raw[:-1] + bytes((signed.raw[-1] ^ 1,))

    def judge(by: sm2.Backend, content: bytes) -> None:
        _verify_signed(by, root, algorithm.raw, signature, content)

    def judged() -> Iterator[tuple[str, str | None]]:
        by = _WAYS[backend]()
        yield "ROOTCA.crl", _deviation(True, partial(judge, by, signed.raw))
        yield "a bit changed", _deviation(False, partial(judge, by, changed))

    return _row(f"national CRL, {backend}", judged, expected=2)


def wycheproof(folder: Path, name: str) -> Row:
    """Runs one file of Wycheproof: nothing invalid accepted, nothing valid refused, `acceptable` either way."""
    document = json.loads((folder / "wycheproof" / f"{name}.json").read_text(encoding="utf-8"))
    scheme = scheme_named(WYCHEPROOF[name])

    def judge(spki: bytes, signature: bytes, message: bytes) -> None:
        verify(load_key(spki), scheme, signature, message)

    def judged() -> Iterator[tuple[str, str | None]]:
        for group in document["testGroups"]:
            spki = bytes.fromhex(group["publicKeyDer"])
            for test in group["tests"]:
                attempt = partial(judge, spki, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
                deviation = _deviation(test["result"] == "valid", attempt)
                yield f"tcId {test['tcId']}", None if test["result"] == "acceptable" else deviation

    return _row(f"Wycheproof {name}", judged, expected=document["numberOfTests"])


def _deviation(good: bool, attempt: Callable[[], None]) -> str | None:
    """Says how an attempt that should pass or be refused went otherwise. Only KeysError is a refusal."""
    try:
        attempt()
    except KeysError as error:
        return f"refused: {error}" if good else None
    return None if good else "accepted"


def _row(name: str, judged: Callable[[], Judged], expected: int) -> Row:
    """Counts. Fewer or more cases than there should be, or none as the backend is missing, is a deviation too."""
    cases: list[tuple[str, str | None]] = []
    deviations: list[tuple[str, str]] = []
    try:
        cases = list(judged())
    except KeysError as error:
        deviations.append(("all", f"not run: {error}"))
    if len(cases) != expected and not deviations:
        deviations.append(("all", f"{len(cases)} cases, not {expected}"))
    deviations += [(case, why) for case, why in cases if why is not None]
    return Row(
        name=name,
        passed=sum(why is None for _, why in cases),
        total=expected,
        deviations=tuple(deviations),
        goal="all",
        met=not deviations,
    )
