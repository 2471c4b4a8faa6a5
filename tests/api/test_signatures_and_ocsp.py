"""Evidence about revocation that comes with a signed document, or is fetched for it (OCSP)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.asking import AskingFirst
from app.settings import Settings
from app.store.writer import SqliteWriter
from registry import stapled
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from tests.api.lock_place import check, open_place
from tests.api.signing_desk import DAY, DOCUMENT, SigningDesk, message, stamp, stamped, text
from tests.support import der_writer as der
from tests.support.cms_writer import Signed
from tests.support.der_writer import Extension
from tests.support.lock_world import codes
from tests.support.lying_server import answering, lying_server, silent
from tests.support.ocsp import Responder, Said
from tests.support.pki import Issued, unit

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningDesk]:
    with open_place(tmp_path_factory.mktemp("ocsp")) as place:
        yield SigningDesk(place)


def asked_of(desk: SigningDesk, address: str, number: int) -> Issued:
    """A lock of the authority without lists, that names an OCSP responder."""
    described = der.sequence(der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), der.uri_name(address)))
    spec = replace(unit(number=number), more=(Extension("1.3.6.1.5.5.7.1.1", described),))
    return desk.world.issue(spec, "silent")


def said_by(desk: SigningDesk, lock: Issued, **changes: Any) -> bytes:
    dated = {"this_update": desk.world.now - MINUTE, "next_update": desk.world.now + DAY}
    responder = Responder.direct(desk.world.authorities["silent"])
    return responder.reply(lock, Said(produced_at=desk.world.now - MINUTE), digest="sm3", **dated | changes)


def test_an_ocsp_answer_that_came_along_tells_what_no_list_does(desk: SigningDesk) -> None:
    lock = asked_of(desk, "http://127.0.0.1:9/ocsp", 31)
    octets = message(DOCUMENT, Signed(by=lock))
    assert desk.answer(octets)["reasons"][0]["code"] == "revocation.missing"

    def stapled(response: bytes, **more: Any) -> dict[str, Any]:
        return desk.answer(octets, evidence=[{"kind": "ocsp", "value": text(response)}], **more)

    good = stapled(said_by(desk, lock))
    assert good["decision"] == "recognized"
    assert digest(said_by(desk, lock)) in check(good, "status")["evidence"]
    since = {"status": "revoked", "revoked_at": desk.world.now - 2 * DAY}
    assert stapled(said_by(desk, lock, **since))["reasons"][0]["code"] == "status.revoked"
    forged = said_by(desk, lock)[:-1] + bytes((said_by(desk, lock)[-1] ^ 1,))
    another = said_by(desk, asked_of(desk, "http://127.0.0.1:9/ocsp", 32))
    for response, why in (
        (forged, "signature.wrong"),
        (another, "ocsp.about_others"),
        (b"0\x00", "ocsp.malformed"),
    ):
        told = stapled(response)
        assert told["reasons"][0]["code"] == "revocation.missing"
        assert [(entry["kind"], entry["code"]) for entry in told["signers"][0]["evidence"]] == [("ocsp", why)]
    assert good["signers"][0]["evidence"] == []
    # The same for an answer to a challenge.
    client = desk.place.client
    given = client.challenge()
    request = client.answered(given, lock, evidence=[{"kind": "ocsp", "value": text(said_by(desk, lock))}])
    assert codes(client.verify(request)) == ("recognized", "agreement.in_force")


def test_an_answer_about_the_timestamp_authority_tells_whether_it_proves_a_time(desk: SigningDesk) -> None:
    made, when = desk.clock("silent"), desk.world.now - 5 * MINUTE
    octets = message(DOCUMENT, stamped(desk.world.lock(number=1).signing, stamp(made, when)))
    alone = desk.answer(octets)["signers"][0]
    assert alone["proven_time"] is None
    assert [entry["code"] for entry in alone["evidence"]] == ["revocation.missing"]
    response = said_by(desk, made.certificate)
    with_it = desk.answer(octets, evidence=[{"kind": "ocsp", "value": text(response)}])["signers"][0]
    assert with_it["proven_time"]["instant"] == when.isoformat(timespec="seconds").replace("+00:00", "Z")
    assert with_it["evidence"] == []


def test_an_answer_against_the_timestamp_authority_is_not_told_as_of_no_use(desk: SigningDesk) -> None:
    made, when = desk.clock("silent"), desk.world.now - 5 * MINUTE
    octets = message(DOCUMENT, stamped(desk.world.lock(number=1).signing, stamp(made, when)))
    revoked = said_by(desk, made.certificate, status="revoked", revoked_at=desk.world.now - 2 * DAY)
    told = desk.answer(octets, evidence=[{"kind": "ocsp", "value": text(revoked)}])["signers"][0]
    assert told["proven_time"] is None
    assert [(entry["kind"], entry["code"]) for entry in told["evidence"]] == [("timestamp", "status.revoked")]


def test_what_tells_of_one_signer_is_of_use_for_all(desk: SigningDesk) -> None:
    locks = [asked_of(desk, "http://127.0.0.1:9/ocsp", number) for number in (51, 52)]
    octets = message(DOCUMENT, *(Signed(by=lock) for lock in locks))
    brought = [said_by(desk, locks[0]), said_by(desk, asked_of(desk, "http://127.0.0.1:9/ocsp", 53))]
    signers = desk.answer(octets, evidence=[{"kind": "ocsp", "value": text(data)} for data in brought])["signers"]
    for signer in signers:
        named = [(entry["digest"], entry["code"]) for entry in signer["evidence"]]
        assert named == [(digest(brought[1]), "ocsp.about_others")]


def test_signers_and_timestamps_do_not_make_responses_cost_more(
    desk: SigningDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()
    for name in ("parse_ocsp", "verify_ocsp"):
        real = getattr(stapled, name)

        def counted(*given: Any, name: str = name, real: Callable[..., Any] = real, **named: Any) -> Any:
            calls[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(stapled, name, counted)
    made = desk.clock()
    of_ca = Responder.direct(made.issuer)
    brought = [
        of_ca.respond([of_ca.about(made.certificate)], Said(signature=b"\0", nonce=bytes((number,))))
        for number in range(1, 5)
    ]

    def cost(signers: int, tokens: int) -> dict[str, int]:
        def stamps(value: bytes) -> bytes:
            return b"".join(made.of(value, desk.world.now - (5 + i) * MINUTE, digest="sm3") for i in range(tokens))

        by = [stamped(desk.world.lock(number=number + 1).signing, stamps) for number in range(signers)]
        calls.clear()
        evidence = [{"kind": "ocsp", "value": text(data)} for data in brought]
        for signer in desk.answer(message(DOCUMENT, *by), evidence=evidence)["signers"]:
            assert signer["proven_time"] is not None
            assert [entry["code"] for entry in signer["evidence"]] == ["signature.wrong"] * len(brought)
        return dict(calls)

    once = {"parse_ocsp": len(brought), "verify_ocsp": len(brought)}
    assert [cost(*sizes) for sizes in ((1, 1), (1, 4), (3, 4))] == [once] * 3


def test_an_answer_is_fetched_first_only_where_the_asker_allows_it(tmp_path: Path) -> None:
    answers: dict[str, Any] = {"/late": silent}
    with lying_server(answers) as server, open_place(tmp_path) as place:
        desk = SigningDesk(place)
        lock = asked_of(desk, f"{server.base}/ocsp", 41)
        answers["/ocsp"] = answering(said_by(desk, lock), "Content-Type: application/ocsp-response")
        authority = desk.world.authorities["silent"].certificate.der
        trusting = {"revocation_hosts": [server.place], "role": "intermediate"}
        content = {"name": {"zh": "无列表测试CA", "en": "Silent"}, "certificate": text(authority), **trusting}
        enter(desk, {"id": "test-silent", "version": 2, **content})
        object.__setattr__(place.service.node, "asking", AskingFirst(settings_of(desk)))
        octets = message(DOCUMENT, Signed(by=lock))
        assert desk.answer(octets)["reasons"][0]["code"] == "revocation.missing"
        assert not server.requests
        late = message(DOCUMENT, Signed(by=asked_of(desk, f"{server.base}/late", 42)))
        assert desk.answer(late, fetch={"deadline_ms": 300})["reasons"][0]["code"] == "revocation.missing"
        past = desk.answer(octets, fetch={"deadline_ms": 5000}, known_at=(desk.world.now - MINUTE).isoformat())
        assert past["reasons"][0]["code"] == "revocation.missing"
        fetched = desk.answer(octets, fetch={"deadline_ms": 9000})
        assert fetched["decision"] == "recognized"
        assert fetched["known_at"] > fetched["certificate"]["not_before"]
        # It is kept: the same question without fetching, and as known then, has the same answer.
        again = desk.answer(octets, known_at=fetched["known_at"], valid_at=fetched["valid_at"])
        assert (again["decision"], again["checks"]) == (fetched["decision"], fetched["checks"])


def settings_of(desk: SigningDesk) -> Settings:
    return desk.world.settings.model_copy(update={"fetch_private": True})


def enter(desk: SigningDesk, content: dict[str, Any]) -> None:
    named = {"kind": "trust-anchor", "id": content["id"], "version": content["version"]}
    document = PolicyDocument(**named, digest=digest(canonical_json(content)), source="test", content=content)
    writer = SqliteWriter(desk.world.settings.store_path)
    writer.enter_policies([document])
    writer.close()
