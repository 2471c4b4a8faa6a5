"""Which revocation lists are taken in: those that an authority of ours signed, and never in the place of newer ones."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fetchers import FetchError
from app.usecases.refresh_revocation import Arrival, Outcome, RevocationIntake, due
from keys.algorithm_policy import load_default
from keys.certificate import Certificate
from keys.revocation.crl import RevocationList, read_crl
from keys.revocation.judgement import KnownCrl
from registry.period import Period
from registry.trust import Trust, key_digest
from tests.support import der_writer as der
from tests.support.der_writer import IssuingDistributionPoint
from tests.support.pki import AT, LIES, Authority, CrlSpec, case
from tests.support.trust_files import anchor, trust

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROOT = Authority.root()
CA = ROOT.subordinate()
RSA = Authority.root("rsa-2048", "测试根CA RSA")
TRUST = trust(anchor("root", ROOT), anchor("ca", CA, role="intermediate"), anchor("rsa", RSA))


@dataclass
class Shelf:
    """A store of lists in memory."""

    kept: list[tuple[str, RevocationList]] = field(default_factory=list)

    def add_revocation_list(self, crl: RevocationList, issuer_key: str) -> bool:
        if any(crl == other for _, other in self.kept):
            return False
        self.kept.append((issuer_key, crl))
        return True

    def lists_of(self, issuer: Certificate, known_at: datetime, about: Certificate) -> Sequence[KnownCrl]:
        return [KnownCrl(crl=crl, known_from=AT) for key, crl in self.kept if key == key_digest(issuer)]


def arrival(content: bytes | FetchError, source: str = "a.crl", dropped: bool = False) -> Arrival:
    def read() -> bytes:
        if isinstance(content, FetchError):
            raise content
        return content

    return Arrival(source=source, dropped=dropped, read=read)


def taken(
    shelf: Shelf, *contents: bytes, held: Trust = TRUST, now: datetime = AT, dropped: bool = False
) -> list[Outcome]:
    intake = RevocationIntake(held, shelf, shelf, load_default(), now)
    return list(intake.take_in([arrival(content, dropped=dropped) for content in contents]))


def results(outcomes: Iterable[Outcome]) -> list[tuple[str, str | None]]:
    return [(outcome.result, outcome.code) for outcome in outcomes]


def issued(authority: Authority, hours: float, **changes: Any) -> bytes:
    """A list that the authority issued so many hours before."""
    return authority.crl((), this_update=AT - timedelta(hours=hours), **changes)


STORED = ("stored", None)


@pytest.mark.parametrize(("authority", "identity"), [(ROOT, "root"), (CA, "ca"), (RSA, "rsa")])
def test_a_list_is_kept_under_the_key_that_signed_it(authority: Authority, identity: str) -> None:
    shelf = Shelf()
    content = issued(authority, 1)
    (outcome,) = taken(shelf, content)
    assert (outcome.result, outcome.authority, outcome.failed) == ("stored", identity, False)
    ((issuer_key, crl),) = shelf.kept
    assert crl.der == content
    assert issuer_key == TRUST.anchors[identity].key_digest


def test_a_list_in_pem_is_kept_as_der() -> None:
    shelf = Shelf()
    content = issued(CA, 1)
    assert results(taken(shelf, der.pem(content, "X509 CRL").encode())) == [STORED]
    assert shelf.kept[0][1].der == content


EXPECTED = {
    "crl-wrong-signer": "signature.wrong",
    "crl-swapped-algorithm": "key.kind",
    "crl-algorithms-differ": "crl.malformed",
    "crl-empty-signature": "signature.wrong",
    "crl-forged-issuer-name": "crl.authority_unknown",
    "crl-unknown-critical-extension": "crl.unhandled",
    "crl-from-the-future": "crl.future",
    "no-crl-sign": "crl.authority_unfit",
}


@pytest.mark.parametrize("lie", EXPECTED)
def test_a_list_that_lies_is_refused_and_nothing_changes(lie: str) -> None:
    told = case(lie)
    held = trust(anchor("root", told.root), anchor("ca", told.authority, role="intermediate"))
    shelf = Shelf()
    (outcome,) = taken(shelf, told.crls[-1], held=held)
    assert (outcome.result, outcome.code, outcome.failed) == ("refused", EXPECTED[lie], True)
    assert outcome.detail
    assert shelf.kept == []


def test_every_lie_about_a_list_is_refused_or_left_to_the_judgement_of_a_lock() -> None:
    """What is true and says little (stale, of another part, shorter than before) is kept, in its order."""
    left = {name for name, lie in LIES.items() if lie.about == "crl"} - EXPECTED.keys()
    expected = {
        "crl-stale": [STORED],
        "crl-other-part": [STORED],
        "crl-entry-removed": [STORED, STORED],
        "crl-lower-number": [STORED, STORED],
        "crl-dropped-after-expiry": [STORED, STORED],
    }
    assert left == expected.keys()
    for name, results_of in expected.items():
        told = case(name)
        held = trust(anchor("ca", told.authority))
        assert results(taken(Shelf(), *told.crls, held=held)) == results_of, name


def test_an_older_list_never_takes_the_place_of_a_newer_one() -> None:
    shelf = Shelf()
    newer, older = issued(CA, 1), issued(CA, 2)
    assert results(taken(shelf, newer)) == [STORED]
    assert results(taken(shelf, older)) == [("refused", "crl.older")]
    assert results(taken(shelf, older, dropped=True)) == [("passed_over", "crl.older")]
    assert results(taken(shelf, newer)) == [("unchanged", None)]
    assert [crl.der for _, crl in shelf.kept] == [newer]


def test_of_two_lists_of_one_instant_the_lower_number_is_older() -> None:
    shelf = Shelf()
    assert results(taken(shelf, issued(CA, 1, number=9))) == [STORED]
    assert results(taken(shelf, issued(CA, 1, number=8))) == [("refused", "crl.older")]
    assert results(taken(shelf, issued(CA, 1, number=-1))) == [("refused", "crl.older")]
    assert results(taken(shelf, issued(CA, 1, number=10))) == [STORED]


def test_lists_of_other_extent_or_authority_do_not_make_a_list_old() -> None:
    shelf = Shelf()
    assert results(taken(shelf, issued(CA, 1))) == [STORED]
    part = IssuingDistributionPoint(only_ca=True)
    later = [issued(CA, 3, part=part), issued(CA, 3, base=5), issued(ROOT, 3), issued(RSA, 3)]
    assert results(taken(shelf, *later)) == [STORED] * 4
    older = [issued(CA, 4, part=part), issued(CA, 4, base=5), issued(ROOT, 4), issued(RSA, 4)]
    assert results(taken(shelf, *older)) == [("refused", "crl.older")] * 4


@given(st.permutations([1, 2, 3, 4]))
def test_lists_that_come_together_are_all_kept_in_any_order(order: list[int]) -> None:
    shelf = Shelf()
    assert results(taken(shelf, *(issued(RSA, hours) for hours in order), dropped=True)) == [STORED] * 4
    # They lie there still when the folder is read again.
    again = taken(shelf, *(issued(RSA, hours) for hours in order), dropped=True)
    assert results(again) == [("unchanged", None)] * 4


def test_the_same_list_from_two_places_is_kept_once() -> None:
    content = issued(CA, 1)
    assert results(taken(Shelf(), content, content)) == [STORED, ("unchanged", None)]


@pytest.mark.parametrize(
    ("ahead", "expected"), [(timedelta(minutes=5), STORED), (timedelta(minutes=5, seconds=1), None)]
)
def test_an_authoritys_clock_may_be_five_minutes_ahead(ahead: timedelta, expected: tuple[str, None] | None) -> None:
    content = CA.crl((), this_update=AT + ahead)
    assert results(taken(Shelf(), content)) == [expected or ("refused", "crl.future")]


def test_the_key_decides_between_authorities_of_one_name() -> None:
    twin = Authority.root("sm2", "测试根CA", seed="twin")
    rsa_twin = Authority.root("rsa-2048", "测试根CA", seed="twin")
    held = trust(anchor("a", ROOT), anchor("b", twin), anchor("c", rsa_twin))
    for authority, identity in ((ROOT, "a"), (twin, "b"), (rsa_twin, "c")):
        for key_ids in (True, False):
            (outcome,) = taken(Shelf(), issued(authority, 1, key_ids=key_ids), held=held)
            assert (outcome.result, outcome.authority) == ("stored", identity)
    (stranger,) = taken(Shelf(), issued(Authority.root("sm2", "测试根CA", seed="stranger"), 1), held=held)
    assert stranger.code == "crl.authority_unfit"


def test_a_retired_authority_signs_no_more() -> None:
    held = trust(anchor("ca", CA, effective=Period(end=AT - 2 * HOUR)))
    assert results(taken(Shelf(), issued(CA, 2), held=held)) == [("refused", "crl.authority_unfit")]
    assert results(taken(Shelf(), issued(CA, 2.5), held=held)) == [STORED]


def test_a_certificate_without_key_usage_may_sign_lists() -> None:
    authority = Authority.root("sm2", key_usage=None)
    assert results(taken(Shelf(), issued(authority, 1), held=trust(anchor("old", authority)))) == [STORED]


def test_an_algorithm_that_may_not_be_relied_on_now_proves_nothing() -> None:
    authority = replace(RSA, scheme="rsa-pkcs1-sha1")
    (outcome,) = taken(Shelf(), issued(authority, 1))
    assert (outcome.result, outcome.code) == ("refused", "signature.algorithm_not_allowed")


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(content: bytes) -> None:
    (outcome,) = taken(Shelf(), content)
    assert outcome.result == "refused"


@given(st.data())
def test_a_list_that_was_changed_is_refused(data: st.DataObject) -> None:
    content = bytearray(ISSUED)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    shelf = Shelf()
    (outcome,) = taken(shelf, bytes(content))
    assert outcome.result == "refused"
    assert shelf.kept == []


ISSUED = issued(RSA, 1)


def test_a_failed_fetch_is_told_and_the_rest_goes_on() -> None:
    shelf = Shelf()
    intake = RevocationIntake(TRUST, shelf, shelf, load_default(), AT)
    failure = FetchError("fetch.timeout", "took too long")
    outcomes = list(intake.take_in([arrival(failure, "http://a/"), arrival(issued(CA, 1), "http://b/")]))
    assert [(o.source, o.result, o.code, o.detail) for o in outcomes] == [
        ("http://a/", "not_fetched", "fetch.timeout", "took too long"),
        ("http://b/", "stored", None, None),
    ]
    assert [outcome.failed for outcome in outcomes] == [True, False]


def test_outcomes_come_as_they_happen() -> None:
    shelf = Shelf()
    outcomes = RevocationIntake(TRUST, shelf, shelf, load_default(), AT).take_in(
        arrival(content) for content in (issued(CA, 1), b"")
    )
    assert next(outcomes).result == "stored"
    assert len(shelf.kept) == 1
    assert next(outcomes).result == "refused"


def test_what_is_due_is_asked_of_the_hosts_of_its_own_file() -> None:
    asked: list[tuple[str, Set[str]]] = []

    def fetch(url: str, hosts: Set[str]) -> bytes:
        asked.append((url, hosts))
        return b""

    urls = ("http://crl.example/1.crl", "https://crl.example:8443/2.crl")
    held = trust(
        anchor("a", ROOT, revocation_urls=urls),
        anchor("b", CA, role="intermediate", revocation_urls=urls[:1], revocation_hosts=("mirror.example",)),
        anchor("c", RSA, revocation_urls=urls, effective=Period(end=AT)),
        anchor("d", RSA, revocation_urls=("http://later.example/",), effective=Period(start=AT + DAY)),
        anchor("e", RSA),
    )
    arrivals = due(held, AT, fetch)
    assert asked == []
    assert [(entry.source, entry.dropped, entry.read()) for entry in arrivals] == [
        (url, False, b"") for url in (*urls, urls[0])
    ]
    own = {"crl.example", "crl.example:8443"}
    assert asked == [(urls[0], own), (urls[1], own), (urls[0], {"mirror.example"})]


def test_an_address_that_cannot_be_fetched_does_not_stand_in_the_way_of_others() -> None:
    def fetch(url: str, hosts: Set[str]) -> bytes:
        assert hosts == {"crl.example"}
        return b""

    good = anchor("a", ROOT, revocation_urls=("http://crl.example/",))
    held = trust(replace(good, revocation_urls=("ldap://crl.example/", *good.revocation_urls)))
    assert [entry.read() for entry in due(held, AT, fetch)] == [b"", b""]


def test_a_name_that_cannot_be_read_is_told() -> None:
    content = CA.crl((), CrlSpec(issuer=der.sequence(der.set_of(der.integer(1)))))
    assert read_crl(content).issuer
    (outcome,) = taken(Shelf(), content)
    assert outcome.code == "crl.authority_unknown"
    assert "cannot be read" in str(outcome.detail)
