"""OCSP and Bouncy Castle, SM2 above all: as a responder that we believe, and as a reader of what we ask and answer."""

from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest

from keys.certificate import parse_certificate
from keys.errors import KeysError, SignatureError
from keys.revocation.evidence import known_answer
from keys.revocation.judgement import RevocationPolicy, judge
from keys.revocation.ocsp import answer_about, needs_check, parse_ocsp, verify_ocsp, write_request
from tests.support.bouncy_castle import SCHEMES, BouncyCastle, BouncyCastleRefused
from tests.support.der_writer import REASONS
from tests.support.ocsp import DIGEST_OIDS, Asked, Responder, Said, asked
from tests.support.pki import AT, Authority, Issued, unit
from tests.unit.keys.test_cms_openssl import samples

NONCE = bytes(range(32))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REVOKED = AT - 3 * DAY
STATUSES = [
    ("good", None),
    ("revoked", None),
    ("revoked", "keyCompromise"),
    ("revoked", "superseded"),
    ("unknown", None),
]
DIGESTS = ("sm3", "sha1", "sha256")


class World:
    """An authority of a kind of key and a certificate by it."""

    def __init__(self, kind: str) -> None:
        self.kind, self.ca = kind, Authority.root(kind)
        self.leaf: Issued = self.ca.issue(unit(kind))
        self.issuer, self.certificate = parse_certificate(self.ca.certificate.der), parse_certificate(self.leaf.der)

    def responder(self, delegated: bool) -> tuple[Responder, bytes]:
        """Who answers, and his certificate."""
        if delegated:
            made = Responder.delegated(self.ca)
            assert made.certificate is not None
            return made, made.certificate.der
        return Responder.direct(self.ca), self.issuer.der


world_of = cache(World)
KINDS = ("sm2", "p-256")


def answered(
    bouncy_castle: BouncyCastle, world: World, status: str, reason: str | None, *, delegated: bool, **changes: Any
) -> bytes:
    """What it answers about the certificate."""
    responder, shown = world.responder(delegated)
    said = {
        "issuer": world.issuer.der,
        "serial": world.leaf.serial,
        "digest": DIGEST_OIDS["sm3"],
        "status": status,
        "revoked": int(REVOKED.timestamp()),
        "reason": None if reason is None else REASONS[reason],
        "responder": shown,
        "enclosed": delegated,
        "key": responder.key.private_key_info(),
        "scheme": SCHEMES[world.kind],
        "start": int((AT - HOUR).timestamp()),
        "end": int((AT + DAY).timestamp()),
        "produced": int((AT - HOUR / 2).timestamp()),
    }
    return bouncy_castle.ask("ocsp.answer", **(said | changes)).octets("response")


def verdict(world: World, data: bytes) -> str:
    """What we make of a response: whether the certificate is good now."""
    issuer, certificate = world.issuer, world.certificate
    known = known_answer(data, certificate.serial, certificate.issuer, issuer, instant=AT)
    assert known is not None
    policy = RevocationPolicy(max_age=DAY)
    said: dict[str, Any] = {"valid_at": AT, "known_at": AT, "certificate_end": certificate.not_after, "policy": policy}
    return judge(certificate.serial, certificate.issuer, [], answers=[known], **said).state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delegated", [False, True])
def test_what_it_answers_is_believed(bouncy_castle: BouncyCastle, kind: str, delegated: bool) -> None:
    world = world_of(kind)
    _, shown = world.responder(delegated)
    for (status, reason), digest, by_name in product(STATUSES, DIGESTS, (False, True)):
        how = {"digest": DIGEST_OIDS[digest], "byname": by_name, "nonce": NONCE if by_name else None}
        data = answered(bouncy_castle, world, status, reason, delegated=delegated, **how)
        response = parse_ocsp(data)
        assert (response.responder_name is not None, response.nonce) == (by_name, how["nonce"])
        signer = verify_ocsp(response, world.issuer, AT)
        assert (signer, needs_check(signer, world.issuer)) == (parse_certificate(shown), False)
        answer = answer_about(response, world.certificate, world.issuer)
        assert answer is not None
        assert (answer.status, answer.reason, answer.digest) == (status, reason, digest)
        assert answer.revoked_at == (REVOKED if status == "revoked" else None)
        assert (answer.this_update, answer.next_update) == (AT - HOUR, AT + DAY)
        # An authority that does not know its certificate has said nothing of it.
        assert verdict(world, data) == ("missing" if status == "unknown" else status)


@pytest.mark.parametrize("delegated", [False, True])
def test_what_it_answers_wrongly_is_not_believed(bouncy_castle: BouncyCastle, delegated: bool) -> None:
    world, other = world_of("sm2"), parse_certificate(Authority.root("sm2", "别家测试CA").certificate.der)
    data = answered(bouncy_castle, world, "good", None, delegated=delegated, nonce=NONCE)
    response = parse_ocsp(data)
    answer = response.answers[0]
    for part in (answer.key_hash, NONCE, response.signature):
        end = data.index(part) + len(part) - 1
        damaged = data[:end] + bytes((data[end] ^ 1,)) + data[end + 1 :]
        with pytest.raises(SignatureError):
            verify_ocsp(parse_ocsp(damaged), world.issuer, AT)
        assert not signed(bouncy_castle, world, damaged, delegated)
    intruder = world_of("sm2").leaf.key.private_key_info()
    for wrong, issuer in (
        (data, other),
        (answered(bouncy_castle, world, "good", None, delegated=delegated, key=intruder), world.issuer),
    ):
        with pytest.raises(KeysError):
            verify_ocsp(parse_ocsp(wrong), issuer, AT)
    assert answer_about(parse_ocsp(data), world.issuer, world.issuer) is None


@pytest.mark.parametrize("delegated", [False, True])
def test_not_a_bit_of_it_can_be_changed(bouncy_castle: BouncyCastle, delegated: bool) -> None:
    world = world_of("sm2")
    data = answered(bouncy_castle, world, "revoked", "keyCompromise", delegated=delegated, nonce=NONCE)
    verify_ocsp(parse_ocsp(data), world.issuer, AT)
    for damaged in samples(data, 100):
        with pytest.raises(KeysError):
            verify_ocsp(parse_ocsp(damaged), world.issuer, AT)


def signed(bouncy_castle: BouncyCastle, world: World, data: bytes, delegated: bool) -> bool:
    """Whether it finds the signature right."""
    _, shown = world.responder(delegated)
    try:
        told = bouncy_castle.ask("ocsp.judge", response=data, issuer=world.issuer.der, responder=shown)
    except BouncyCastleRefused:
        return False
    return told.text("holds") == "true"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delegated", [False, True])
def test_what_our_simulator_answers_it_reads(bouncy_castle: BouncyCastle, kind: str, delegated: bool) -> None:
    world = world_of(kind)
    responder, shown = world.responder(delegated)
    for (status, reason), digest, by_name in product(STATUSES, DIGESTS, (False, True)):
        said = Said(by_name=by_name, nonce=NONCE if by_name else None)
        data = responder.reply(world.leaf, said, status=status, reason=reason, digest=digest, revoked_at=REVOKED)
        told = bouncy_castle.ask("ocsp.judge", response=data, issuer=world.issuer.der, responder=shown)
        assert (told.text("holds"), told.text("about"), told.text("digest")) == ("true", "true", DIGEST_OIDS[digest])
        assert (told.text("serial"), told.text("certificates")) == (str(world.leaf.serial), str(int(delegated)))
        why = "-" if reason is None else REASONS[reason]
        since = f"revoked {int(REVOKED.timestamp())} {why}" if status == "revoked" else status
        assert (told.text("status"), told.octets("nonce") if by_name else None) == (since, said.nonce)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("digest", DIGESTS)
def test_each_reads_what_the_other_asks(bouncy_castle: BouncyCastle, kind: str, digest: str) -> None:
    world, serial, identifier = world_of(kind), world_of(kind).leaf.serial, DIGEST_OIDS[digest]
    fields = {"issuer": world.issuer.der, "serial": serial, "digest": identifier, "nonce": NONCE}
    by_it = bouncy_castle.ask("ocsp.ask", **fields).octets("request")
    for request in (write_request(world.certificate, world.issuer, digest, NONCE), by_it):
        assert asked(request) == Asked(digest=digest, serial=serial, nonce=NONCE)
        told = bouncy_castle.ask("ocsp.read", request=request, issuer=world.issuer.der)
        assert (told.text("about"), told.text("digest"), told.text("serial")) == ("true", identifier, str(serial))
        assert told.octets("nonce") == NONCE
        # Its leaf is not who issued it.
        told = bouncy_castle.ask("ocsp.read", request=request, issuer=world.leaf.der)
        assert told.text("about") == "false"
