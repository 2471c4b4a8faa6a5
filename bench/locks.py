"""CPU of a lock check, from the bytes of a certificate to its verdict, against two raw SM2 verifications: the limit.

`check` is what `registry` does with a certificate, a challenge and a signature: parse, path, extensions, revocation,
accepted list, possession, decision. `request` adds what `app` does: the JSON body, the challenge's MAC, the store's
snapshot; `receipt` the signed receipt.

Every lock and every challenge is another one, so nothing of a lock can be remembered: each kind of work, the limit too,
begins with the bytes of the holder's key. The CA's own path and its CRL of a million entries are read and verified
once, as in a running node. Blocks of all kinds are interleaved in one run.

The limit is two verifications as libcrypto does them whole. `ours` is the same two as a node does them, which keeps a
table for the CA's key, as one that verifies often (`keys.algorithms.sm2.group`).
"""

import argparse
import base64
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson

from app import clock
from app.api.body import parse_json
from app.bootstrap import Node, lock_material, open_node, settle
from app.cli.demo import prepare
from app.settings import Settings
from app.store.writer import SqliteWriter
from app.usecases.issue_receipt import issue_receipt
from app.usecases.verify_lock import TYPE
from keys.algorithms import sm2
from keys.algorithms.schemes import SCHEMES, forget_keys, load_key, verify
from keys.algorithms.sm2 import DEFAULT_USER_ID, openssl
from keys.algorithms.sm2.curve import read_point
from keys.certificate import Certificate, parse_certificate, read_certificate
from keys.revocation.crl import parse_crl, verify_crl
from registry.canonical import canonical_json, digest
from registry.decision import Decision, decide
from registry.document import PolicyDocument
from registry.dossier import Dossier
from registry.evidence import Brought, Possession
from registry.query import RecognitionQuery
from registry.trust import key_digest
from registry.verification import verify as verify_dossier
from tests.support import der_writer
from tests.support.pki import Authority, unit

_Result = TypeVar("_Result")

_TEXT = {"zh": "测试", "en": "test"}
ASKED = {"relying_party": "测试平台", "purpose": "bidding.sign"}
"""What every question here is asked for, by whom."""
_SM2 = SCHEMES["sm2-sm3"]
WARM = 100
"""Checks before the first look at the clock: what a node keeps of a CA is there."""
POINT = 65
"""Bytes at the end of an SM2 key."""


def _document(kind: str, content: dict[str, Any]) -> PolicyDocument:
    content = {"version": 1, "name": _TEXT, **content}
    named = digest(canonical_json(content))
    return PolicyDocument(kind=kind, id=content["id"], version=1, digest=named, source=kind, content=content)


def _policy(root: Certificate, ca: Certificate) -> list[PolicyDocument]:
    anchor, issuing = (base64.b64encode(certificate.der).decode() for certificate in (root, ca))
    listed = {
        "jurisdiction": "CN-SC",
        "relying_party": ASKED["relying_party"],
        "purposes": [ASKED["purpose"]],
        "entries": [{"ca": "bench-ca"}],
    }
    return [
        _document("trust-anchor", {"id": "bench-root", "certificate": anchor, "qualifiers": ["bidding"]}),
        _document("trust-anchor", {"id": "bench-ca", "certificate": issuing, "role": "intermediate"}),
        _document("accepted-list", {"id": "bench-list", "legal_basis": [{"instrument": "测试"}], **listed}),
    ]


def prepare_node(home: Path, entries: int) -> tuple[Node, Authority]:
    """A node that trusts one hierarchy and holds its CRLs, the issuing CA's of so many entries."""
    settings = Settings(home=home)
    prepare(settings)
    root = Authority.root("sm2")
    ca = root.subordinate("四川测试CA")
    now = clock.now()
    period = {"this_update": now - timedelta(hours=1), "next_update": now + timedelta(days=7)}
    revoked = (der_writer.Revoked(serial=(1 << 126) + number * 7919, at=now) for number in range(entries))
    writer = SqliteWriter(settings.store_path)
    writer.enter_policies(_policy(*(parse_certificate(one.certificate.der) for one in (root, ca))))
    for authority, listed in ((root, ()), (ca, revoked)):
        certificate, crl = parse_certificate(authority.certificate.der), parse_crl(authority.crl(listed, **period))
        verify_crl(crl, certificate.spki)
        writer.add_revocation_list(crl, key_digest(certificate))
    writer.close()
    return open_node(settings), ca


def _requests(node: Node, ca: Authority, count: int) -> list[tuple[bytes, bytes, bytes]]:
    """Bodies of requests, each by another lock over another challenge, with the certificate and the signature."""
    made = []
    for number in range(count):
        lock = ca.issue(unit("sm2", number=number + 1))
        challenge = node.verifier.challenge(**ASKED, now=clock.now())
        signature = lock.key.sign(challenge.to_be_signed)
        body = {
            "challenge_id": challenge.id,
            "certificate": base64.b64encode(lock.der).decode(),
            "signature": base64.b64encode(signature).decode(),
            "signature_format": "raw",
            "jurisdiction": "CN-SC",
            **ASKED,
        }
        made.append((orjson.dumps(body), lock.der, signature))
    return made


def finish(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine that never has to wait, only lets others go first: there is no event loop to pay."""
    try:
        while coroutine.send(None) is None:
            pass
    except StopIteration as done:
        result: _Result = done.value
        return result
    raise SystemExit("judging a lock waited for something")


def recognized(decision: Decision) -> Decision:
    """The decision, which must be that the lock counts."""
    if decision.outcome != "recognized":
        raise SystemExit(f"not recognised: {[reason.code for reason in decision.reasons]}")
    return decision


def _measure(node: Node, ca: Authority, requests: list[tuple[bytes, bytes, bytes]], block: int) -> dict[str, float]:
    """Median CPU microseconds of each kind, and the median ratio of the limit to each, block by block."""
    verifier, issuer, library = node.verifier, parse_certificate(ca.certificate.der).spki, openssl.load()
    of_issuer = library.public_key(issuer[-POINT:])
    limits = []
    for body, der, signature in requests:
        certificate = parse_certificate(der)
        signed = verifier.read(orjson.loads(body), body, clock.now()).possession.message
        limits.append((certificate, certificate.spki[-POINT:], signature, signed))

    def raw(place: int) -> None:
        certificate, point, signature, signed = limits[place]
        of_holder = library.public_key(read_point(point))
        library.verify_whole(of_issuer, certificate.signature, certificate.tbs, DEFAULT_USER_ID)
        library.verify_whole(of_holder, signature, signed, DEFAULT_USER_ID)

    def ours(place: int) -> None:
        certificate, point, signature, signed = limits[place]
        verify(load_key(issuer), _SM2, certificate.signature, certificate.tbs)
        sm2.verify(point, signature, signed)

    material, policy = lock_material(node.state.path), node.recognizer.policies.latest
    profile = policy.profiles[TYPE]
    nothing = dict.fromkeys(("id", "number", "issuer", "expected_subject"))
    asked: dict[str, Any] = {**nothing, "type": TYPE, "jurisdiction": "CN-SC", "facts": {}, **ASKED}

    def check(place: int) -> None:
        _, der, signature = requests[place]
        certificate, now = read_certificate(der), clock.now()
        query = RecognitionQuery(certificate=certificate, valid_at=now, known_at=now, **asked)
        possession = Possession(message=limits[place][3], signature=signature)
        lock = material.evidence(Brought(shown=possession))
        dossier = Dossier(query=query, profile=profile, policy=policy, held=(), registers=(), lock=lock)
        recognized(decide(query, verify_dossier(dossier), ()))

    def request(place: int) -> Decision:
        body = requests[place][0]
        return recognized(finish(verifier.judge(verifier.read(parse_json(body), body, clock.now()))))

    def answer(place: int) -> None:
        issue_receipt(request(place), node.origin, node.signer, clock.now())

    kinds: dict[str, Callable[[int], object]] = {
        "limit": raw,
        "ours": ours,
        "check": check,
        "request": request,
        "receipt": answer,
    }
    for place in range(min(WARM, len(requests))):
        check(place)
    return compare(kinds, len(requests), block)


def compare(kinds: dict[str, Callable[[int], object]], count: int, block: int) -> dict[str, float]:
    """Medians of each kind of work over so many places, and of the first kind's share in each, block by block."""
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for start in range(0, count, block):
        places = range(start, min(start + block, count))
        for name, work in kinds.items():
            before = time.process_time_ns()
            for place in places:
                work(place)
            forget_keys()
            spent[name].append((time.process_time_ns() - before) / len(places) / 1000)
    found = {name: statistics.median(values) for name, values in spent.items()}
    first, *others = kinds
    for name in others:
        shares = [limit / value for limit, value in zip(spent[first], spent[name], strict=True)]
        found[f"{name} share"] = statistics.median(shares)
    return found


def main() -> None:
    """Prints what a lock check costs beside its limit. Exits 1 below the gates, where these are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locks", type=int, default=1_000, help="distinct locks")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the CRL")
    parser.add_argument("--block", type=int, default=50, help="locks between two looks at the clock")
    parser.add_argument("--gate", type=float, help="exit 1 when the check reaches less than this share of the limit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node, ca = prepare_node(Path(folder), arguments.entries)
        requests = _requests(node, ca, arguments.locks)
        settle()
        found = _measure(node, ca, requests, arguments.block)
    print(f"distinct locks              {arguments.locks}, SM2 by {sm2.backend().name}, CRL of {arguments.entries}")
    print(f"two raw verifications       {found['limit']:.0f} us")
    print(f"the two by a node           {found['ours']:.0f} us, a table for the CA's key")
    print(f"lock check                  {found['check']:.0f} us, {found['check share']:.0%} of the limit (goal 75 %)")
    print(f"the whole request           {found['request']:.0f} us, {found['request share']:.0%}")
    print(f"with a signed receipt       {found['receipt']:.0f} us, {found['receipt share']:.0%} (goal 60 %)")
    if arguments.gate is not None and found["check share"] < arguments.gate:
        raise SystemExit(f"the check reaches less than {arguments.gate:.0%} of the limit")


if __name__ == "__main__":
    main()
