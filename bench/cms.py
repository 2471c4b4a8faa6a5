"""CPU of judging a signed document, from the bytes of the message to the verdict, against two raw SM2 verifications.

A message is in the Chinese dialect, by one signer: signed attributes with the time and the hash of his certificate, the
certificate and a small document inside. `keys` reads it and shows that the certificate's key signed the document and
that its path leads to an anchor. `judgement` adds what `registry` does: revocation, proven times, accepted list, all
checks, the signer's role, the decision. `request` is that as a node answers it, with the store's snapshot; `receipt`
adds the signed receipt.

Every message is by another lock, so nothing of a lock can be remembered; the rest is as in `bench.locks`.
"""

import argparse
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import clock
from app.bootstrap import Node, lock_material, settle
from app.usecases.issue_receipt import issue_receipt
from app.usecases.signature_request import TYPE, read_request
from bench.locks import ASKED, POINT, WARM, compare, finish, prepare_node, recognized
from keys.algorithms import sm2
from keys.algorithms.sm2 import DEFAULT_USER_ID, openssl
from keys.algorithms.sm2.curve import read_point
from keys.certificate import Certificate, parse_certificate
from keys.cms import Signer, find_certificate, parse_cms, verify_signer
from keys.content import Octets
from registry.decision import decide
from registry.dossier import Dossier
from registry.establish import established
from registry.evidence import Brought, DocumentSignature
from registry.query import RecognitionQuery
from registry.signers import SignatureAnswer, Signed, judge_signers, role_of
from registry.verification import verify as verify_dossier
from tests.support import cms_writer
from tests.support.cms_writer import signing_certificate
from tests.support.pki import Authority, unit

_DOCUMENT = "测试投标文件：报价一百万元整。\n".encode() * 20  # about a thousand bytes
_JURISDICTION = "CN-SC"


def _messages(ca: Authority, count: int) -> list[bytes]:
    """Messages by so many locks, each over the document with a number of its own."""
    made = []
    for number in range(count):
        lock = ca.issue(unit("sm2", number=number + 1))
        who = cms_writer.Signed(by=lock, at=clock.now(), more=(signing_certificate(lock.der),))
        made.append(cms_writer.message(_DOCUMENT + str(number).encode(), who, dialect="gm"))
    return made


def _measure(node: Node, ca: Authority, messages: list[bytes], block: int) -> dict[str, float]:
    """Median CPU microseconds of each kind, and the median ratio of the limit to each, block by block."""
    issuer, library = parse_certificate(ca.certificate.der).spki, openssl.load()
    of_issuer = library.public_key(issuer[-POINT:])
    limits = []
    for octets in messages:
        signer, certificate, _ = _read(octets)
        limits.append((certificate, certificate.spki[-POINT:], signer.signature, signer.signed_attributes or b""))
    material, policy = lock_material(node.state.path), node.recognizer.policies.latest
    profile = policy.profiles[TYPE]
    nothing = dict.fromkeys(("id", "number", "issuer", "expected_subject"))
    asked: dict[str, Any] = {**nothing, "type": TYPE, "jurisdiction": _JURISDICTION, "facts": {}, **ASKED}

    def raw(place: int) -> None:
        certificate, point, signature, signed = limits[place]
        of_holder = library.public_key(read_point(point))
        library.verify_whole(of_issuer, certificate.signature, certificate.tbs, DEFAULT_USER_ID)
        library.verify_whole(of_holder, signature, signed, DEFAULT_USER_ID)

    def keys(place: int) -> None:
        signer, certificate, content = _read(messages[place])
        now = clock.now()
        serving = policy.trust.serving(profile.purposes[ASKED["purpose"]].qualifier or "", _JURISDICTION, now)
        anchors = [anchor.certificate for anchor in serving]
        material.evidence(Brought()).paths.find_all(certificate, (), anchors, now, policy.trust.certificates)
        verify_signer(signer, certificate, content)

    def judgement(place: int) -> None:
        octets, now = messages[place], clock.now()
        signer, certificate, content = _read(octets)
        query = RecognitionQuery(certificate=certificate, valid_at=now, known_at=now, **asked)
        name = f"sha256:{hashlib.sha256(signer.signature).hexdigest()}"
        message = Octets(octets)
        shown = DocumentSignature(signer=signer, value=signer.signature, name=name, message=message, content=content)
        query, lock = established(query, profile, policy, material.evidence(Brought(shown=shown)), dated=False)
        dossier = Dossier(query=query, profile=profile, policy=policy, held=(), registers=(), lock=lock)
        decision = decide(query, verify_dossier(dossier), ())
        judge_signers([Signed(role=role_of(certificate, profile.role_words), decision=decision)], None)
        recognized(decision)

    def request(place: int) -> SignatureAnswer:
        asked = {"jurisdiction": _JURISDICTION, **ASKED, "signature": messages[place], "signature_format": "cms"}
        return _accepted(finish(node.signatures.verify(read_request(asked, clock.now()))))

    def receipt(place: int) -> None:
        answer = request(place)
        issue_receipt(answer.decision, node.origin, node.signer, clock.now(), answer)

    kinds: dict[str, Callable[[int], object]] = {
        "limit": raw,
        "keys": keys,
        "judgement": judgement,
        "request": request,
        "receipt": receipt,
    }
    for place in range(min(WARM, len(messages))):
        judgement(place)
    return compare(kinds, len(messages), block)


def _read(octets: bytes) -> tuple[Signer, Certificate, Octets]:
    """The one signer, his certificate from the message, and the content inside."""
    message = parse_cms(octets)
    signer = message.signers[0]
    certificate = find_certificate(signer, message.certificates)
    if certificate is None or message.content is None:
        raise SystemExit("the message does not hold what was put in")
    return signer, certificate, Octets(message.content)


def _accepted(answer: SignatureAnswer) -> SignatureAnswer:
    recognized(answer.decision)
    return answer


def main() -> None:
    """Prints what a signed document costs beside its limit. Exits 1 below the gate, where one is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000, help="messages, each by another lock")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the CRL")
    parser.add_argument("--block", type=int, default=50, help="messages between two looks at the clock")
    parser.add_argument("--gate", type=float, help="exit 1 when the judgement reaches less than this share")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node, ca = prepare_node(Path(folder), arguments.entries)
        messages = _messages(ca, arguments.messages)
        settle()
        found = _measure(node, ca, messages, arguments.block)
    backend, size = sm2.backend().name, len(messages[0])
    print(f"signed documents            {arguments.messages}, each by another lock, {size} bytes, SM2 by {backend}")
    print(f"two raw verifications       {found['limit']:.0f} us")
    print(f"message, path, signature    {found['keys']:.0f} us, {found['keys share']:.0%} of the limit (goal 50 %)")
    print(f"the whole judgement         {found['judgement']:.0f} us, {found['judgement share']:.0%} (goal 50 %)")
    print(f"the whole request           {found['request']:.0f} us, {found['request share']:.0%}")
    print(f"with a signed receipt       {found['receipt']:.0f} us, {found['receipt share']:.0%}")
    if arguments.gate is not None and found["judgement share"] < arguments.gate:
        raise SystemExit(f"the judgement reaches less than {arguments.gate:.0%} of the limit")


if __name__ == "__main__":
    main()
