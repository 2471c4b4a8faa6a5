"""OCSP: the responses that OpenSSL tests with, on paths that are validated; and answers by SM2 and SM3, of our own.

The rows come from github.com/openssl/openssl, test/ocsp-tests (Apache-2.0), with what is expected of each. For SM2
there is no public data: `tests.support.ocsp` answers, and the expectation is by RFC 6960.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from conformance.suite import Row
from keys.certificate import Certificate, parse_certificate, read_certificate
from keys.errors import KeysError
from keys.path_validation import PathError, validate_path
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import KnownOcsp, RevocationPolicy, judge
from keys.revocation.ocsp import parse_ocsp
from tests.support.ocsp import Responder, Said, lie
from tests.support.pki import AT, Authority, Issued, unit

CASES, SM2_CASES = 29, 14

_POLICY = RevocationPolicy(max_age=timedelta(0))

_END = "-----END CERTIFICATE-----"

_GOOD = "revocation.not_listed"

# What is wrong in a row, by the end of its name, and what we must find wrong.
_EXPECTED = {
    "success": (_GOOD,),
    "response_signature": ("signature.wrong",),
    "wrong_responder_id": ("ocsp.responder_unknown",),
    "wrong_issuer_name_hash": ("ocsp.about_others",),
    "wrong_issuer_key_hash": ("ocsp.about_others",),
    # Named by its key, a responder of another key is not the one; named otherwise, it is not whom the CA signed.
    "wrong_key_in_signing_cert": ("ocsp.responder_unknown", "ocsp.responder_not_authorised"),
    "signature_on_signing_cert": ("ocsp.responder_not_authorised",),
    "stale_otherwise_ok": ("revocation.stale",),
}


def status(certificate: Certificate, issuer: Certificate, responses: Sequence[bytes], moment: datetime) -> str:
    """The code of the verdict on a certificate by responses; where it is "missing", why they say nothing."""
    known: list[KnownOcsp] = []
    why = "revocation.missing"
    for data in responses:
        try:
            found = known_answer(data, certificate.serial, certificate.issuer, issuer, instant=moment)
        except KeysError as error:
            why = error.code
            continue
        if found is None:
            why = "ocsp.about_others"
        else:
            # The rows have no lists by which to judge a responder without id-pkix-ocsp-nocheck; OpenSSL judges none.
            known.append(replace(found, unchecked=None))
    verdict = judge(
        certificate.serial,
        certificate.issuer,
        (),
        valid_at=moment,
        known_at=moment,
        certificate_end=certificate.not_after,
        policy=_POLICY,
        answers=known,
    )
    return why if verdict.state == "missing" else verdict.reason


def _judged(case: dict[str, Any], folder: Path) -> str:
    """The verdict on the certificates of a path: that of the first one which is not shown to be good.

    As in OpenSSL's own test, a certificate whose serial number no response of the row has is not asked about; that is
    the authority's where there is a response about the holder alone. The holder's certificate always is.
    """

    def read(name: str) -> Certificate:
        text, end, _ = (folder / name).read_text().partition(_END)
        return read_certificate(text + end)  # OpenSSL reads the first of several

    moment = datetime.fromisoformat(case["moment"])
    others = [read(name) for name in case.get("other_certs", ())]
    try:
        path = validate_path(read(case["cert"]), others, [read(case["root"])], moment)
    except PathError as error:
        return f"{error.step}: {error.detail}"
    if len(path.certificates) != case["path_len"]:
        return f"a path of {len(path.certificates)}"
    responses = [base64.b64decode((folder / name).read_bytes()) for name in case["ocsps"]]
    for index, (subject, issuer) in enumerate(pairwise(path.certificates)):
        own = [data for data in responses if any(each.serial == subject.serial for each in parse_ocsp(data).answers)]
        code = status(subject, issuer, own, moment) if own or not index else _GOOD
        if code != _GOOD:
            return code
    return _GOOD


def _openssl(folder: Path) -> Row:
    cases = json.loads((folder / "openssl-ocsp.json").read_text())
    deviations = []
    for case in cases:
        name = case["name"].removesuffix("_ee").removesuffix("_intermediate")
        (expected,) = (code for end, code in _EXPECTED.items() if name.endswith(end))
        found = _judged(case, folder)
        if found not in expected or ("error" in case) == (found == _GOOD):
            deviations.append((case["name"], f"{found}, not {' or '.join(expected)}"))
    return Row(
        name="OpenSSL's OCSP responses, on validated paths, each refused for its own fault",
        passed=len(cases) - len(deviations),
        total=len(cases),
        deviations=tuple(deviations),
        goal="all",
        met=len(cases) == CASES and not deviations,
    )


def _sm2_cases(authority: Authority, leaf: Issued) -> Iterator[tuple[str, bytes, str]]:
    """What a responder by SM2 and SM3 answers about a lock, truly and falsely, and what it has to come to."""
    responders = {"direct": Responder.direct(authority), "delegated": Responder.delegated(authority)}
    for how, responder in responders.items():
        yield f"{how}, good", responder.reply(leaf, digest="sm3"), _GOOD
        yield f"{how}, revoked", responder.reply(leaf, digest="sm3", status="revoked"), "status.revoked"
        held = responder.reply(leaf, digest="sm3", status="revoked", reason="certificateHold")
        yield f"{how}, on hold", held, "status.suspended"
        yield f"{how}, unknown", responder.reply(leaf, digest="sm3", status="unknown"), "revocation.missing"
    no_id = Responder.direct(authority).reply(leaf, Said(user_id=b""), digest="sm3")
    yield "signed under an empty user id", no_id, "signature.wrong"
    for name, code in (
        ("wrong-signer", "signature.wrong"),
        ("other-cas-responder", "ocsp.responder_not_authorised"),
        ("wrong-issuer-key", "ocsp.about_others"),
        ("stale", "revocation.stale"),
        ("future", "ocsp.future"),
    ):
        yield name, lie(name, authority, leaf, digest="sm3"), code


def _sm2() -> Row:
    authority = Authority.root("sm2").subordinate()
    leaf = authority.issue(unit("sm2"))
    certificate, issuer = parse_certificate(leaf.der), parse_certificate(authority.certificate.der)
    cases = list(_sm2_cases(authority, leaf))
    found = [(name, status(certificate, issuer, (data,), AT), expected) for name, data, expected in cases]
    deviations = tuple((name, f"{code}, not {expected}") for name, code, expected in found if code != expected)
    return Row(
        name="OCSP by SM2 with CertIDs by SM3, from our simulator",
        passed=len(cases) - len(deviations),
        total=len(cases),
        deviations=deviations,
        goal="all",
        met=len(cases) == SM2_CASES and not deviations,
    )


def rows(folder: Path) -> Iterator[Row]:
    """OpenSSL's 29 rows, and the answers by SM2."""
    yield _openssl(folder / "ocsp" / "openssl-ocsp")
    yield _sm2()
