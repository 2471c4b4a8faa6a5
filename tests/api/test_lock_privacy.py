"""Locks of persons: no name and no number in an answer, a receipt, a log or the store, however the check ends."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.api.lock_place import GOOD, Place, check, open_place
from tests.support.lock_world import LockWorld, claims_of, codes, text_of
from tests.support.pki import Issued, id_card_number, person, representative, uscc

NUMBER, NAME = id_card_number(77), "测试人员77"
PLACES = ["subject", "common-name", "identity", "organisation-code", "shanghai"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("locks")) as opened:
        yield opened


def traces(number: str = NUMBER, *names: str) -> list[bytes]:
    """What must be found nowhere: number and name as text, and as escapes, hexadecimal and base64 would hide them."""
    found = []
    for text in (number, *(names or (NAME,))):
        plain = text.encode()
        found += [plain, plain.hex().encode(), plain.hex().upper().encode()]
        found += [text.encode("unicode_escape"), text.encode("gb18030")]
        # The three ways in which base64 can fall on it.
        found += [base64.b64encode(bytes(shift) + plain)[4 * (shift > 0) : -4] for shift in range(3)]
    return found


def assert_silent(what: bytes, secrets: list[bytes]) -> None:
    assert [secret for secret in secrets if secret in what] == []


def stored(world: LockWorld) -> bytes:
    """Every byte that the store keeps, in whatever file."""
    return b"".join(file.read_bytes() for file in sorted(Path(world.home).rglob("*")) if file.is_file())


def attempts(place: Place, shown: Issued) -> Iterator[tuple[str, Any]]:
    """The ways in which a check of this certificate can end."""
    client, world = place.client, place.world
    right = client.answered(client.challenge(), shown)
    yield "a wrong signature", client.verify(right | {"signature": text_of(bytes(64))})
    yield "recognized", client.verify(right)
    yield "retried", client.verify(right)
    yield "used", client.verify(right | {"chain": []})
    yield "elsewhere", client.try_lock(shown, jurisdiction="CN-CQ")
    yield "expected to be a unit", client.try_lock(shown, expected_subject={"uscc": uscc(1)})
    yield "with a foreign chain", client.try_lock(shown, chain=[text_of(world.lock("foreign").signing)])
    yield "long ago", client.try_lock(shown, valid_at="2001-01-01T00:00:00Z")
    yield "cut off", client.try_lock(shown, certificate=text_of(shown.der[:-1]))
    yield "cut off early", client.try_lock(shown, certificate=text_of(shown.der[: len(shown.der) // 2]))
    yield "longer", client.try_lock(shown, certificate=text_of(shown.der + b"\0" * 9))
    yield "twice in PEM", client.try_lock(shown, certificate=shown.pem * 2)
    yield "in PEM", client.try_lock(shown, certificate=shown.pem)
    yield "as the chain", client.try_lock(world.lock().signing, chain=[text_of(shown)])
    yield "for the signature", client.try_lock(shown, signature=text_of(shown))
    yield "for the challenge", client.try_lock(shown, challenge_id=text_of(shown)[:1000])
    yield "for the format", client.try_lock(shown, signature_format=text_of(shown))
    yield "for a member", client.try_lock(shown, **{text_of(shown): 1})
    yield "without a signature", place.service.recognize(bare(shown))


def bare(shown: Issued) -> dict[str, Any]:
    """The main question about the certificate alone."""
    reference = {"type": "ca-certificate", "certificate": text_of(shown)}
    return {"credential": reference, "jurisdiction": "CN-SC", "purpose": "bidding.login"}


@pytest.mark.parametrize("where", PLACES)
def test_nothing_of_a_person_is_told_or_kept(place: Place, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = place.world.issue(person(number=77, where=where))
    assert NAME.encode() in shown.der
    with capture_logs() as logged:
        answers = dict(attempts(place, shown))
    assert codes(answers["recognized"]) == GOOD
    for name, answer in answers.items():
        assert answer.status_code in (200, 422), name
        assert_silent(answer.content, traces())
        if answer.status_code == 200:
            assert_silent(repr(claims_of(answer.json()["receipt"])).encode(), traces())
    printed = capsys.readouterr()
    assert logged, "requests are logged here"
    assert_silent((repr(logged) + printed.out + printed.err).encode(), traces())
    assert_silent(stored(place.world), traces())
    assert shown.der not in stored(place.world)


def test_a_person_is_shown_as_one_and_by_no_name(place: Place) -> None:
    shown = place.world.issue(person(number=77))
    answer = place.client.try_lock(shown).json()
    assert answer["credential"]["subject"] == {"kind": "person", "name": None, "uscc": None}
    assert (answer["certificate"]["subject"], answer["certificate"]["uscc"]) == (None, None)


def test_a_person_is_no_unit_that_was_expected(place: Place) -> None:
    """Not even for whoever knows the number: a citizen's is no unified social credit code, and is not compared."""
    shown = place.world.issue(person(number=77))
    answer = place.client.try_lock(shown, expected_subject={"uscc": uscc(1)})
    assert check(answer.json(), "subject")["code"] == "subject.mismatch"
    assert codes(answer)[0] in ("indeterminate", "not_recognized")


def test_a_person_who_signed_the_certificate_is_not_named_as_its_issuer(place: Place) -> None:
    spec = person(number=77)
    shown = place.world.issue(spec, issuer=spec.subject.der, signed_by=spec.key)
    for response in (place.client.try_lock(shown), place.service.recognize(bare(shown))):
        assert codes(response)[:2] == ("not_recognized", "path.no_anchor")
        assert_silent(response.content, traces())
        assert_silent(repr(claims_of(response.json()["receipt"])).encode(), traces())
    assert_silent(stored(place.world), traces())


@pytest.mark.parametrize("where", ["subject", "organisation-code", "business-registration"])
def test_a_representative_is_the_unit_and_keeps_the_number_private(place: Place, where: str) -> None:
    shown = place.world.issue(representative(number=78, where=where))
    number = id_card_number(78)
    assert number.encode() in shown.der
    response = place.client.try_lock(shown, expected_subject={"uscc": uscc(78)})
    answer = response.json()
    assert codes(response) == GOOD
    assert answer["certificate"]["uscc"] == answer["credential"]["subject"]["uscc"] == uscc(78)
    assert_silent(response.content, traces(number, number))
    assert_silent(repr(claims_of(answer["receipt"])).encode(), traces(number, number))
    assert_silent(stored(place.world), traces(number, number))


def test_the_log_has_a_line_for_every_request_and_no_more(place: Place) -> None:
    shown = place.world.issue(person(number=77))
    with capture_logs() as logged:
        answers = list(attempts(place, shown))
    lines = {"event", "log_level", "method", "route", "status", "milliseconds", "request_id"}
    assert {entry["event"] for entry in logged} == {"request"}
    assert all(set(entry) == lines for entry in logged)
    assert {entry["route"] for entry in logged} == {"/v1/ca/challenges", "/v1/ca/verifications", "/v1/recognitions"}
    assert len(logged) > len(answers)
