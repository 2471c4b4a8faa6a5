"""What fuzzing begins with: for each target a few right inputs, and some that are wrong in a known way.

Made by the writers of the tests and from the demonstration, the same each time; third-party data where they are.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.demonstration.commands import examples
from conformance.suite import data_folder
from fuzz.package import SHEET, parts, workbook
from fuzz.signed import ISSUER, NOTE_KEY, PUBLIC, note, token
from keys.algorithms import sm2
from registry.canonical import canonical_json, digest
from registry.finding import CHECKS
from registry.log.entry import policy_entry
from registry.log.tiles import bundle
from registry.policy import KINDS
from registry.receipt import RECEIPT_TYPE
from registry.statement import STATEMENT_TYPE
from registry.status_list import compress, compressed_member, pack
from tests.support import cms_writer as cms
from tests.support import der_writer as der
from tests.support import pki, timestamps
from tests.support.issuing import BASIS, LICENCE, TYPE
from tests.support.ocsp import LIES as OCSP_LIES
from tests.support.ocsp import Responder
from tests.support.ocsp import lie as ocsp_lie
from tests.support.unsafe_sm2 import KINDS as KINDS_OF_KEYS
from tests.support.unsafe_sm2 import Key
from tests.unit.app.importers.registers import CELLS, CLAIMS, HEADERS, csv_text

MAX_SEED = 20_000
"""Bytes: a longer one slows every step that is made from it."""


def third_party(*endings: str) -> Iterator[bytes]:
    """Files of the conformance data that end like this, where the data are."""
    folder = data_folder()
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if file.suffix in endings and file.stat().st_size <= MAX_SEED:
            yield file.read_bytes()


def certificates() -> Iterator[bytes]:
    """Units' locks of every kind of key, right and odd, their authorities, and one in PEM."""
    for kind in KINDS_OF_KEYS:
        yield pki.case(kinds=(kind, kind, kind)).leaf.der
    for name in pki.ODDITIES:
        yield pki.case(name).leaf.der
    yield from pki.case().authority.chain
    yield pki.case().leaf.pem.encode()
    yield from third_party(".cer", ".crt", ".pem")


def crls() -> Iterator[bytes]:
    """Lists as an authority writes them, honest and not, and one in PEM."""
    for name, lie in pki.LIES.items():
        if lie.about == "crl":
            yield from pki.case(name).crls
    yield pki.case().root_crl
    yield der.pem(pki.case().root_crl, "X509 CRL").encode()
    yield from third_party(".crl")


def messages() -> Iterator[bytes]:
    """Signed data by every kind of key, without attributes, detached, and in BER."""
    for kind in KINDS_OF_KEYS:
        case = pki.case(kinds=(kind, kind, kind))
        yield cms.message(b"content", cms.Signed(by=case.leaf))
    signer = cms.Signed(by=pki.case().leaf)
    yield cms.message(b"content", cms.Signed(by=pki.case().leaf, attributes=False))
    yield cms.message(None, signer, over=b"content")
    yield cms.in_ber(cms.message(b"content", signer), lambda: 3)


def ocsp_responses() -> Iterator[bytes]:
    """What a responder says, honest and not."""
    case = pki.case()
    yield Responder.direct(case.authority).reply(case.leaf)
    yield from (ocsp_lie(name, case.authority, case.leaf) for name in OCSP_LIES)


def tokens_of_time() -> Iterator[bytes]:
    """Timestamp tokens by clocks of several kinds, and the response that one comes in."""
    for kind in ("sm2", "p-256", "rsa-2048"):
        yield timestamps.clock(kind).of(b"message")
    yield timestamps.response(timestamps.clock().of(b"message"))


def values() -> Iterator[bytes]:
    """A value of each type, and a certificate, which has most of them."""
    yield from (der.integer(-129), der.boolean(True), der.null(), der.oid("2.999.1"), der.bit_string(b"\xa0", 5))
    yield from (der.named_bits((0, 6)), der.octet_string(b"x"), der.set_of(der.integer(1), der.integer(2)))
    yield from (der.utc_time(pki.AT), der.generalized_time(pki.AT), der.enumerated(4))
    yield pki.case().leaf.der


def names() -> Iterator[bytes]:
    """Names, general names, and distribution points."""
    name = pki.case().leaf.spec.subject.der
    yield name
    yield pki.case("gb18030-in-t61").leaf.spec.subject.der
    yield der.sequence(der.uri_name("http://ca.test/1.crl"), der.dns_name("ca.test"), der.directory_name(name))
    yield der.sequence(der.distribution_point(["http://ca.test/1.crl"], name))


def tokens() -> Iterator[bytes]:
    """A token, and a payload."""
    yield token(b"{}", "fuzz+jwt").encode()
    yield b"{}"


def notes() -> Iterator[bytes]:
    """A checkpoint that is signed, its text, and a verifier key."""
    text = f"log.test/fuzz\n17\n{base64.b64encode(bytes(32)).decode()}\n"
    yield note(text)
    yield text.encode()
    yield NOTE_KEY.text().encode()


def objects() -> Iterator[bytes]:
    """JSON objects."""
    yield b"{}"
    yield json.dumps({"a": [1, -2.5e3, "\u4e2d", None, True, {"b": {}}]}).encode()


def jwks() -> Iterator[bytes]:
    """Keys that JWK can say, one by one and as a set."""
    named = [PUBLIC.jwk()]
    point = base64.urlsafe_b64encode
    for kind, curve in (("p-256", "P-256"), ("sm2", "SM2")):
        octets = Key(kind, "fuzz").point
        x, y = (point(half).decode().rstrip("=") for half in (octets[1:33], octets[33:]))
        named.append({"kty": "EC", "crv": curve, "x": x, "y": y})
    yield from (json.dumps(jwk).encode() for jwk in named)
    yield json.dumps({"keys": named[:1]}).encode()
    yield json.dumps(PUBLIC.compromised(1).jwk()).encode()


def algorithms() -> Iterator[bytes]:
    """Public keys, and identifiers of algorithms."""
    for kind in KINDS_OF_KEYS:
        yield Key(kind, "fuzz").spki
    yield from der.ALGORITHM_IDENTIFIERS.values()


def sm2_signatures() -> Iterator[bytes]:
    """A right signature in both forms."""
    signature = Key("sm2", "fuzz").sign(b"message")
    yield signature
    yield sm2.signature_to_raw(signature)


def signatures() -> Iterator[bytes]:
    """Right signatures by a key of every kind."""
    for kind in KINDS_OF_KEYS:
        yield Key(kind, "fuzz").sign(b"message")


def statements() -> Iterator[bytes]:
    """What an issuer can state, signed and not."""
    said = {"iss": ISSUER, "jti": "fuzz-0001", "iat": 1_790_000_000, "profile": {"type": TYPE, "version": 1}}
    event = {"event": "revoked", "effective_at": "2026-01-01T00:00:00Z", "reason_code": "test", "legal_basis": BASIS}
    subjects: list[dict[str, Any]] = [
        {"credential": LICENCE},
        {"credential_id": "cr_" + "A" * 43, "event": event},
        {"register": {"as_of": "2026-01-01T00:00:00Z"}},
        {"bulk": {"rows": 1}},
    ]
    for about in subjects:
        yield canonical_json(said | about)
    yield token(canonical_json(said | subjects[0]), STATEMENT_TYPE).encode()


def status_tokens() -> Iterator[bytes]:
    """The claims of status lists."""
    for bits in (1, 2, 4, 8):
        member = compressed_member(compress(pack([0, 1, 0, 1] * 8, bits)), bits)
        yield json.dumps({"sub": "https://x.test/1", "iat": 1, "exp": 2, "status_list": member}).encode()


def receipts() -> Iterator[bytes]:
    """The claims of a receipt, signed and not."""
    query = {"type": "x"}
    texts = ("iss", "jti", "software", "valid_at", "known_at", "time_source", "evaluated_at")
    claims = dict.fromkeys(texts, "2026-01-01T00:00:00Z") | {
        "query": query,
        "query_hash": digest(canonical_json(query)),
        "decision": "recognized",
        "livemode": False,
        "iat": 1_790_000_000,
        "checks": {check: {} for check in CHECKS},
        "reasons": ["agreement.in_force"],
    }
    yield canonical_json(claims)
    yield token(canonical_json(claims), RECEIPT_TYPE).encode()


def logs() -> Iterator[bytes]:
    """A bundle of entries, a full tile, and the names of tiles."""
    entry = policy_entry("profile", "x", 1, digest(b""), pki.AT)
    yield bundle([entry, entry])
    yield bytes(range(256)) * 32
    yield from (b"0/x001/234", b"entries/000.p/17")


def questions() -> Iterator[bytes]:
    """The questions of the demonstration, and one about a certificate."""
    for example in examples():
        yield json.dumps(example["query"], default=str, ensure_ascii=False).encode()
    case = pki.case()
    lock = {"certificate": base64.b64encode(case.leaf.der).decode(), "chain": [case.authority.certificate.pem]}
    yield json.dumps({"credential": lock, "jurisdiction": "CN-SC", "purpose": "bidding.sign"}).encode()


def policies() -> Iterator[bytes]:
    """The policy files that come with the software, each behind the byte of its kind."""
    root = Path(__file__).resolve().parents[1] / "registry"
    for number, kind in enumerate(KINDS):
        for file in sorted((root / f"{kind}s").glob("*.toml")):
            content = file.read_bytes()
            if len(content) <= MAX_SEED:
                yield bytes((number,)) + content


def tables() -> Iterator[bytes]:
    """A register in CSV, in both encodings."""
    text = csv_text(CELLS)
    yield from (text.encode(), text.encode("utf-8-sig"), text.encode("gb18030"))


def lines() -> Iterator[bytes]:
    """A register in JSON lines."""
    yield json.dumps(CLAIMS, ensure_ascii=False).encode() + b"\n"


def sheets() -> Iterator[bytes]:
    """A workbook, its sheet, and one with a formula, a date and a shared text in it."""
    yield workbook()
    yield parts()[SHEET]
    head = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in HEADERS)
    cells = (
        '<c t="s"><v>0</v></c><c><f>A1</f></c><c t="d"><v>2026-01-10</v></c><c t="b"><v>1</v></c><c><v>46032</v></c>'
    )
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rows = f'<row r="1">{head}</row><row r="2">{cells}</row>'
    yield f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()
