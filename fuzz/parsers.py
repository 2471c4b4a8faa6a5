"""What each target does with its bytes. Each raises what its parser documents, and nothing else may come out.

Where a parser only starts the work (names of a certificate are read when they are asked for), the rest is asked for.
"""

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from app.bootstrap import seed_policy
from app.importers import open_rows
from app.usecases.verify_receipt import verify_receipt
from fuzz.package import SHEET, repacked
from fuzz.signed import ALGORITHMS, KEYS, NOTE_KEY, RING, token
from keys import der, strict_json
from keys.algorithms import raw, schemes, signature_value, sm2
from keys.certificate import holder_candidates, read_certificate
from keys.certificate.extensions import read_distribution_points, read_general_names
from keys.certificate.names import name_text, read_name
from keys.cms import find_certificate, parse_cms, verify_signer
from keys.content import Octets
from keys.errors import KeysError, MalformedError
from keys.jws import verify_compact
from keys.key_ring import KeyRing
from keys.note import NoteKey, cosigned_at, open_note
from keys.path_validation.names import alternative_names, constraints
from keys.path_validation.precheck import Role, check_form
from keys.public_key import PublicKey
from keys.revocation.crl import read_crl
from keys.revocation.names import folded
from keys.revocation.ocsp import parse_ocsp
from keys.timestamp import parse_token, verify_token
from keys.timestamp.exchange import read_response
from registry.agreement import read_agreement
from registry.algorithms import read_algorithms
from registry.authorisation import read_authorisations
from registry.catalogue import read_catalogue
from registry.document import PolicyDocument, parse_document
from registry.errors import StatementRefused
from registry.issuer import read_issuer_keys
from registry.jurisdiction import read_jurisdiction
from registry.log.checkpoint import read_checkpoint
from registry.log.tiles import node_reader, read_bundle, read_tile_path
from registry.policy import KINDS, Policy, build_policy
from registry.profile import read_profile
from registry.query import bind, profile_for, read_question
from registry.receipt import RECEIPT_TYPE
from registry.statement import STATEMENT_TYPE, open_statement
from registry.status_token import read_claims, status_in
from registry.trust import read_accepted_list, read_trust_anchor
from tests.support.unsafe_sm2 import KINDS as KINDS_OF_KEYS
from tests.support.unsafe_sm2 import Key

NOW = datetime(2026, 11, 28, tzinfo=UTC)
_SM2 = Key("sm2", "fuzz")
_MESSAGE = b"message"
_READERS: dict[str, Callable[[PolicyDocument], object]] = {
    "jurisdiction": read_jurisdiction,
    "catalogue": read_catalogue,
    "profile": read_profile,
    "authorisation": read_authorisations,
    "agreement": read_agreement,
    "trust-anchor": read_trust_anchor,
    "accepted-list": read_accepted_list,
    "algorithm-policy": lambda document: read_algorithms([document]),
    "issuer-key-set": read_issuer_keys,
}


@cache
def policy() -> Policy:
    """The policy that comes with the software."""
    return build_policy(seed_policy())


def read_any_certificate(data: bytes) -> None:
    """A certificate as somebody sends it, and everything that is read of it later."""
    certificate = read_certificate(data)
    _ = certificate.subject_text, certificate.issuer_text, certificate.common_name, certificate.organisation
    _ = certificate.use, certificate.is_ca, certificate.distribution_points, certificate.freshest_crl
    _ = repr(certificate), hash(certificate), holder_candidates(certificate)
    _each(
        lambda: check_form(certificate, Role.LEAF),
        lambda: alternative_names(certificate),
        lambda: constraints(certificate),
        lambda: schemes.load_key(certificate.spki),
        lambda: schemes.scheme_from_identifier(certificate.signature_algorithm),
    )


def _each(*steps: Callable[[], object]) -> None:
    """Every step, though one before it refuses."""
    for step in steps:
        try:
            step()
        except KeysError:
            continue


def read_revocation_list(data: bytes) -> None:
    """A revocation list and all of its entries."""
    crl = read_crl(data)
    for number, entry in enumerate(crl):
        _ = repr(entry)
        # The finder must know what the walk has seen.
        if number < 8 and entry.certificate_issuer is None and crl.find(entry.serial) is None:
            raise AssertionError(f"entry {number} is not found")
    _ = repr(crl), crl.count


def read_message(data: bytes) -> None:
    """Signed data (CMS), every signer of it verified by the certificate that is inside."""
    message = parse_cms(data, tolerant=True)
    if message.broken:
        with suppress(KeysError):
            parse_cms(data)
            raise AssertionError("a message is taken though somebody in it breaks a rule")
    content = Octets(message.content or b"")
    _ = repr(message)
    for signer in message.signers:
        certificate = find_certificate(signer, message.certificates)
        if certificate is not None:
            _each(lambda one=signer, by=certificate: verify_signer(one, by, content))


def read_ocsp(data: bytes) -> None:
    """An OCSP response and its answers."""
    _ = [repr(answer) for answer in parse_ocsp(data).answers]


def read_timestamp(data: bytes) -> None:
    """A token, or the response that it comes in, verified by the certificates that are inside."""
    try:
        token_inside = read_response(data)
    except KeysError:
        token_inside = data
    read = parse_token(token_inside)
    for certificate in read.certificates:
        _each(lambda by=certificate: verify_token(read, Octets(b"message"), by))


def read_der(data: bytes) -> None:
    """DER, each value read as everything that it could be."""
    waiting = [der.parse(data)]
    while waiting:
        element = waiting.pop()
        _ = repr(element), element.value, element.raw
        for reader in (der.integer, der.boolean, der.null, der.octet_string, der.bit_string, der.named_bits):
            _each(lambda read=reader, of=element: read(of))
        for other in (der.oid, der.time, der.any_time, der.set_of):
            _each(lambda read=other, of=element: read(of))
        if element.tag & 0x20:
            waiting.extend(der.members(element))


def read_names(data: bytes) -> None:
    """A Name, GeneralNames or distribution points, whatever it turns out to be."""
    element = der.parse(data)
    oddities: list[str] = []
    _each(
        lambda: name_text(read_name(element)[0]),
        lambda: folded(data),
        lambda: read_general_names(element, oddities),
        lambda: read_distribution_points(element, oddities),
    )


def read_jws(data: bytes) -> None:
    """A token as it was sent, and one of ours around the bytes."""
    verify_compact(token(data, "fuzz+jwt"), RING, "fuzz+jwt", ALGORITHMS)
    verify_compact(data.decode("latin-1"), RING, "fuzz+jwt", ALGORITHMS)


def read_note(data: bytes) -> None:
    """A checkpoint: the note, its cosignature, its text, and the key in a text."""
    _each(
        lambda: read_checkpoint(open_note(data, [NOTE_KEY])),
        lambda: cosigned_at(data, NOTE_KEY),
        lambda: read_checkpoint(data.decode("utf-8", "replace")),
    )
    NoteKey.read(data.decode("utf-8", "replace"))


def read_jwk(data: bytes) -> None:
    """A public key, or a set of them."""
    content = strict_json.decode_object(data)
    if "keys" in content:
        KeyRing.from_jwks(content)
    else:
        key = PublicKey.from_jwk(content)
        if PublicKey.from_jwk(key.jwk()) != key:
            raise AssertionError("a key is not the one that it is published as")


def read_algorithm(data: bytes) -> None:
    """AlgorithmIdentifier, and SubjectPublicKeyInfo."""
    _each(lambda: schemes.scheme_from_identifier(data))
    schemes.load_key(data)


def read_sm2_signature(data: bytes) -> None:
    """An SM2 signature in both forms, verified by libcrypto and in Python: they must agree."""
    signature = sm2.signature_from_raw(data) if len(data) == 64 else data
    raw_form = sm2.signature_to_raw(signature)
    if sm2.signature_from_raw(raw_form) != signature:
        raise AssertionError("the raw form is of another signature")
    said = [_verdict(lambda by=by: sm2.public_key(_SM2.point, by).verify(signature, _MESSAGE)) for by in _backends()]
    if len(set(said)) > 1:
        raise AssertionError(f"libcrypto and Python differ: {said}")


@cache
def _backends() -> tuple[sm2.Backend, ...]:
    return sm2.backend(), sm2.backend("python")


def _verdict(verify: Callable[[], object]) -> str | None:
    try:
        verify()
    except KeysError as error:
        return error.code
    return None


@cache
def _keys() -> tuple[schemes.VerifyingKey, ...]:
    return tuple(schemes.load_key(Key(kind, "fuzz").spki) for kind in KINDS_OF_KEYS)


def read_signature(data: bytes) -> None:
    """A signature by a key of every kind, in DER and raw."""
    for key in _keys():
        scheme = raw.default_scheme(key)
        _each(
            lambda key=key, scheme=scheme: schemes.verify(key, scheme, data, _MESSAGE),
            lambda key=key, scheme=scheme: schemes.verify(key, scheme, raw.as_der(key, data), _MESSAGE),
        )
    r, s = signature_value.read(data, 1 << 256)
    if signature_value.write(r, s) != data:
        raise AssertionError("there are two ways to write a signature")


def read_statement(data: bytes) -> None:
    """A statement as it was sent, and one of an issuer's around the bytes."""
    try:
        open_statement(data.decode("latin-1"), KEYS)
    except StatementRefused:
        open_statement(token(data, STATEMENT_TYPE), KEYS)


def read_status_token(data: bytes) -> None:
    """The claims of a status list, and some statuses in it."""
    claims = read_claims(data)
    for index in (0, 1, 1000, 1 << 40):
        _each(lambda index=index: status_in(claims, index, claims.iat))


def read_receipt(data: bytes) -> None:
    """A receipt as it was sent, and one of ours around the bytes: judged, never refused by an exception."""
    verify_receipt(data.decode("latin-1"), RING)
    if not verify_receipt(token(data, RECEIPT_TYPE), RING).genuine:
        raise MalformedError("receipt.claims", "not the claims of a receipt")


def read_log(data: bytes) -> None:
    """An entry bundle, a tile and its name."""
    node = node_reader(lambda level, number: data)
    _each(
        *(lambda place=place: node(*place) for place in ((0, 0), (0, 255), (3, 7), (8, 1), (9, 2))),
        lambda: read_tile_path(*data.decode("latin-1").partition("/")[::2]),
    )
    entries = read_bundle(data)
    if sum(len(entry) + 2 for entry in entries) != len(data):
        raise AssertionError("entries were lost")


def read_any_question(data: bytes) -> None:
    """A question from JSON, bound to the policy."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedError("json.malformed", "not JSON") from None
    question = read_question(content, NOW)
    profile = profile_for(question, policy())
    if profile is not None:
        bind(question, profile)


def read_policy(data: bytes) -> None:
    """A policy document; the first byte says of which kind."""
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    _READERS[kind](parse_document(kind, "fuzz.toml", data[1:]))


def read_register(data: bytes) -> None:
    """A register's file, to its last row."""
    place = _place()
    place.write_bytes(data)
    for row in open_rows(place, policy().profiles["food-operation-licence"]).rows():
        if (row.claims is None) != bool(row.faults):
            raise AssertionError(f"row {row.row} has neither claims nor faults, or both")


@cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(prefix="accord-fuzz-")) / "register"


def read_workbook(data: bytes) -> None:
    """A workbook as it is, or one with the bytes as its sheet."""
    read_register(data if data.startswith(b"PK") else repacked({SHEET: data}))
