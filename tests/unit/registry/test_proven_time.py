"""What a timestamp proves, as far as was known at an instant: a time, or one reason why it proves none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithm_policy import load_default
from keys.certificate import Certificate, parse_certificate
from keys.content import Content, Octets, digested
from keys.path_validation.finder import PathFinder
from keys.revocation.judgement import RevocationPolicy
from keys.revocation.ocsp import parse_ocsp
from registry.certificate_status import SKEW, StatusEvidence
from registry.proven_time import ProvenTime, Refusal, proven_by_timestamp
from registry.stapled import Stapled
from tests.support import der_writer as der
from tests.support.der_writer import IssuingDistributionPoint, Revoked
from tests.support.ocsp import Responder, Said
from tests.support.pki import AT, NOT_AFTER, Authority
from tests.support.timestamps import CONTENT, SECOND, Clock, clock, clock_spec
from tests.support.unsafe_sm2 import Key
from tests.unit.registry.locks import DAY, HOUR, LONG_AGO, Shelf, certificate_of, reissued

RULES = load_default()
LIMITS = RevocationPolicy(max_age=DAY, skew=SKEW)
LATER = AT + 30 * DAY


def roots(made: Clock) -> list[Certificate]:
    above = made.issuer.above
    assert above is not None
    return [certificate_of(above)]


def lists(made: Clock, *entries: Revoked, above: Sequence[Revoked] = (), **dates: Any) -> Shelf:
    """A list of the root's and one of the authority's, issued an hour after `AT` unless told otherwise."""
    root = made.issuer.above
    assert root is not None
    said = {"this_update": AT + HOUR, "next_update": AT + 60 * DAY, **dates}
    return Shelf().add(root, root.crl(above, **said)).add(made.issuer, made.issuer.crl(entries, **said))


def asked(made: Clock, token: bytes, shelf: Shelf | None = None, **changes: Any) -> ProvenTime | Refusal:
    said: dict[str, Any] = {
        "content": Octets(CONTENT),
        "paths": PathFinder(),
        "anchors": lambda instant: roots(made),
        "hints": (),
        "own": (),
    }
    status: dict[str, Any] = {
        "held": lists(made) if shelf is None else shelf,
        "known_at": LATER,
        "algorithms": RULES,
        "limits": LIMITS,
    }
    status |= {name: changes.pop(name) for name in tuple(changes) if name in status}
    status["stapled"] = Stapled(changes.pop("stapled", ()))
    return proven_by_timestamp(token, **(said | changes), status=StatusEvidence(**status))


def proven(made: Clock, token: bytes, shelf: Shelf | None = None, **changes: Any) -> ProvenTime:
    found = asked(made, token, shelf, **changes)
    assert isinstance(found, ProvenTime), found
    return found


def refused(made: Clock, token: bytes, shelf: Shelf | None = None, **changes: Any) -> str:
    found = asked(made, token, shelf, **changes)
    assert isinstance(found, Refusal), found
    assert "\n" not in found.detail
    return found.code


def revoked(made: Clock, days: float, reason: str | None = None, **more: Any) -> Revoked:
    return made.certificate.revoked(AT + days * DAY, reason=reason, **more)


# What is proven


def test_the_latest_instant_that_the_authority_may_have_meant_is_proven() -> None:
    accuracy = der.sequence(der.integer(2), der.implicit(0, der.integer(500)))
    token, shelf = clock().token(accuracy=accuracy), lists(clock())
    found = proven(clock(), token, shelf)
    assert (found.instant, found.kind) == (AT + timedelta(seconds=2.5), "timestamp")
    assert found.digest == f"sha256:{Octets(token).digest('sha256').hex()}"
    assert "测试时间戳" in found.name
    assert [each.der for each in found.path] == [clock().certificate.der, *clock().issuer.chain]
    held = {known.crl.digest for authority in shelf.lists.values() for known in authority}
    assert set(found.lists) == held
    assert len(found.lists) == 2
    assert proven(clock(), clock().token()).instant == AT


@pytest.mark.parametrize("dialect", ["rfc5652", "gm"])
def test_sm2_proves_a_time_in_both_dialects(dialect: str) -> None:
    made = clock("sm2")
    assert proven(made, made.of(CONTENT, digest="sm3", dialect=dialect)).instant == AT


def test_the_content_may_be_known_by_its_digest() -> None:
    known: Content = digested("sha256", Octets(CONTENT).digest("sha256"))
    assert proven(clock(), clock().token(), content=known).instant == AT
    assert refused(clock(), clock().token(), content=digested("sm3", bytes(32))) == "digest.insufficient"


def test_certificates_may_come_from_anywhere() -> None:
    bare = clock().token(certificates=())
    own, above = parse_certificate(clock().certificate.der), certificate_of(clock().issuer)
    assert refused(clock(), bare) == "timestamp.certificate_missing"
    assert refused(clock(), bare, hints=(own,)) == "path.no_anchor"
    assert proven(clock(), bare, hints=(above, own)).instant == AT


def test_only_the_first_certificates_in_a_token_are_tried() -> None:
    own, others = clock().certificate.der, (clock("sm2").certificate.der,) * 7
    for before, found in ((others[1:], AT), (others, None)):
        token = clock().token(certificates=(own, *before, clock().issuer.certificate.der))
        assert getattr(asked(clock(), token), "instant", None) == found
    assert refused(clock(), token) == "path.no_anchor"


def test_it_is_proven_long_after_the_certificate_has_ended() -> None:
    late = NOT_AFTER + 400 * DAY
    assert proven(clock(), clock().token(), known_at=late).instant == AT
    after = lists(clock(), this_update=NOT_AFTER + DAY, next_update=late)
    assert refused(clock(), clock().token(), after, known_at=late) == "revocation.missing"


def test_it_is_proven_after_the_authority_above_has_ended() -> None:
    above = clock().issuer.above
    assert above is not None
    ended = reissued(clock().issuer, above, not_after=AT + 10 * DAY)
    made = Clock(certificate=ended.issue(clock_spec()), issuer=ended)
    assert proven(made, made.token()).instant == AT


def answer(made: Clock, no_check: bool | None, **changes: Any) -> bytes:
    """What OCSP says of the authority's certificate: by the CA (None), or by one whom it gave a certificate."""
    by = Responder.direct(made.issuer)
    if no_check is not None:
        by = Responder.delegated(made.issuer, no_check=no_check)
    dated = {"this_update": AT + HOUR, "next_update": AT + 60 * DAY}
    return by.reply(made.certificate, Said(produced_at=AT + HOUR), **dated | changes)


def older(made: Clock, *entries: Revoked) -> Shelf:
    """A list of the CA's from before the token, in force until after the answers, with these entries."""
    return lists(made, *entries, this_update=AT - 90 * DAY, next_update=AT + 2 * HOUR)


@pytest.mark.parametrize("brought", [True, False])
@pytest.mark.parametrize("no_check", [None, True, False])
def test_ocsp_answers_tell_of_the_authority_held_and_brought_along(no_check: bool | None, brought: bool) -> None:
    made, token = clock(), clock().token()

    def by(data: bytes) -> ProvenTime | Refusal:
        shelf = older(made)
        if not brought:
            shelf.answers.append((data, LONG_AGO))
        return asked(made, token, shelf, stapled=(data,) if brought else ())

    good, revoked = answer(made, no_check), answer(made, no_check, status="revoked", revoked_at=AT - DAY)
    told = by(good)
    assert isinstance(told, ProvenTime)
    assert parse_ocsp(good).digest in told.lists
    against = by(revoked)
    assert isinstance(against, Refusal)
    assert against.code == "status.revoked"


@pytest.mark.parametrize("reason", [None, "superseded", "privilegeWithdrawn", "keyCompromise"])
def test_who_was_revoked_later_dates_no_good_answer_back(reason: str | None) -> None:
    """When an answer that was brought along was made, only its signer says."""
    made, by = clock(), Responder.delegated(clock().issuer, no_check=False)
    assert by.certificate is not None
    late, answered = AT + 10 * DAY, {"this_update": AT + 4 * DAY, "next_update": AT + 900 * DAY}
    token = made.token(gen_time=der.generalized_time(late))
    data = by.reply(made.certificate, Said(produced_at=AT + 4 * DAY), **answered)
    gone, above = by.certificate.revoked(AT + 5 * DAY, reason=reason), made.issuer.above
    assert above is not None
    stale = Shelf().add(above, above.crl(this_update=AT + HOUR, next_update=AT + 60 * DAY))
    stale.add(made.issuer, made.issuer.crl([gone], this_update=AT + 6 * DAY, next_update=AT + 7 * DAY))
    assert refused(made, token, stale, stapled=(data,)) == "revocation.stale"
    stale.answers.append((data, AT + 4.5 * DAY))
    assert proven(made, token, stale).instant == late, "held from before it, it shows when it was made"


@pytest.mark.parametrize("reason", [None, "privilegeWithdrawn", "certificateHold"])
def test_a_harmless_end_hides_no_other(reason: str | None) -> None:
    made, token = clock(), clock().token()
    harmless = answer(made, None, status="revoked", reason="superseded", revoked_at=AT + DAY)
    shelf = lists(made, revoked(made, 2, reason), this_update=AT + 3 * DAY)
    assert refused(made, token, shelf) == "timestamp.revoked_later"
    assert refused(made, token, shelf, stapled=(harmless,)) == "timestamp.revoked_later"
    before = {"stapled": (harmless,), "existed_at": AT + HOUR}
    assert proven(made, token, shelf, **before).instant == AT


def test_a_hold_that_was_lifted_takes_nothing_away() -> None:
    made, token = clock(), clock().token()
    shelf = lists(made, revoked(made, 1, "certificateHold"), this_update=AT + 2 * DAY)
    assert refused(made, token, shelf) == "timestamp.revoked_later"
    shelf.add(made.issuer, made.issuer.crl((), this_update=AT + 4 * DAY, next_update=AT + 60 * DAY))
    assert proven(made, token, shelf).instant == AT


def test_a_responder_who_was_revoked_himself_says_nothing() -> None:
    made, token = clock(), clock().token()
    by = Responder.delegated(made.issuer, no_check=False)
    assert by.certificate is not None
    data = answer(made, False)
    told = proven(made, token, older(made, by.certificate.revoked(AT - 95 * DAY)), stapled=(data,))
    assert parse_ocsp(data).digest not in told.lists


# What the token and the path lack


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (b"", "timestamp.malformed"),
        (clock().token(signers=2), "timestamp.not_a_token"),
        (clock().of(b"other"), "timestamp.imprint_wrong"),
        (clock().token(signed_by=Key("p-256", "a thief")), "signature.wrong"),
        (clock().token(identifier=None), "timestamp.certificate_other"),
        (clock().of(CONTENT, NOT_AFTER + SECOND), "timestamp.certificate_not_valid"),
    ],
)
def test_a_token_that_does_not_hold_proves_nothing(token: bytes, code: str) -> None:
    assert refused(clock(), token, known_at=NOT_AFTER + DAY) == code


def test_an_authority_that_may_do_more_proves_nothing() -> None:
    made = clock(more=())
    assert refused(made, made.token()) == "timestamp.usage_wrong"


def test_only_an_anchor_for_timestamps_proves_anything() -> None:
    assert refused(clock(), clock().token(), anchors=lambda instant: ()) == "path.no_anchor"
    other = Authority.root("p-256", "别家根CA")
    assert refused(clock(), clock().token(), anchors=lambda instant: [certificate_of(other)]) == "path.no_anchor"
    ended = reissued(clock().issuer, clock().issuer.above or other, not_after=AT - DAY)
    made = Clock(certificate=ended.issue(clock_spec()), issuer=ended)
    assert refused(made, made.token()) == "path.invalid"


def test_the_time_is_not_in_the_future() -> None:
    token = clock().token()
    early = lists(clock(), this_update=AT - DAY)
    assert proven(clock(), token, early, known_at=AT - SKEW).instant == AT
    assert refused(clock(), token, early, known_at=AT - SKEW - SECOND) == "timestamp.future"
    assert refused(clock(), clock().token(signed_by=Key("p-256", "x")), known_at=LONG_AGO) == "timestamp.future"


# Revocation


@pytest.mark.parametrize(
    ("days", "reason", "code"),
    [
        (-1, None, "status.revoked"),
        (0, "superseded", "status.revoked"),
        (-1, "keyCompromise", "status.revoked"),
        (-1, "certificateHold", "status.suspended"),
        (1, "keyCompromise", "revocation.compromised_later"),
        (1, "cACompromise", "revocation.compromised_later"),
        (1, None, "timestamp.revoked_later"),
        (1, "privilegeWithdrawn", "timestamp.revoked_later"),
        (1, "unspecified", None),
        (1, "superseded", None),
        (1, "affiliationChanged", None),
        (1, "cessationOfOperation", None),
    ],
)
def test_what_revocation_takes_away(days: float, reason: str | None, code: str | None) -> None:
    shelf = lists(clock(), revoked(clock(), days, reason), this_update=AT + 2 * DAY)
    if code is None:
        assert proven(clock(), clock().token(), shelf).instant == AT
    else:
        assert refused(clock(), clock().token(), shelf) == code


@pytest.mark.parametrize("reason", ["keyCompromise", None])
@pytest.mark.parametrize(("existed", "good"), [(0.5, True), (1, False), (2, False)])
def test_a_proof_of_the_token_itself_outlives_a_later_revocation(
    reason: str | None, existed: float, good: bool
) -> None:
    shelf = lists(clock(), revoked(clock(), 1, reason), this_update=AT + 2 * DAY)
    found = asked(clock(), clock().token(), shelf, existed_at=AT + existed * DAY)
    assert isinstance(found, ProvenTime) is good


def test_a_proof_of_the_token_is_none_of_an_authority_that_is_not_in_it() -> None:
    """Who steals a high authority's key later can put another below it, whose clock told any time before."""
    root = Authority.root("p-256", "测试时间根CA")
    high = root.subordinate("测试时间上级CA")
    low = high.subordinate("测试时间下级CA")
    made = Clock(certificate=low.issue(clock_spec()), issuer=low)
    dates = {"this_update": AT + 2 * DAY, "next_update": AT + 60 * DAY}
    shelf = Shelf().add(root, root.crl((high.certificate.revoked(AT + DAY, reason="keyCompromise"),), **dates))
    shelf.add(high, high.crl((), **dates)).add(low, low.crl((), **dates))
    own, lower = made.certificate.der, low.certificate.der
    given = {"anchors": lambda instant: [certificate_of(root)], "hints": (certificate_of(high), certificate_of(low))}
    archived = given | {"existed_at": AT + 0.5 * DAY}
    assert refused(made, made.token(certificates=(own,)), shelf, **archived) == "revocation.compromised_later"
    assert proven(made, made.token(certificates=(own, lower)), shelf, **archived).instant == AT
    assert refused(made, made.token(certificates=(own, lower)), shelf, **given) == "revocation.compromised_later"


def test_a_compromise_that_reaches_back_counts_from_then() -> None:
    entry = revoked(clock(), 1, "keyCompromise", invalidity=AT - DAY)
    shelf = lists(clock(), entry, this_update=AT + 2 * DAY)
    assert refused(clock(), clock().token(), shelf, existed_at=AT) == "status.revoked"


@pytest.mark.parametrize(
    ("days", "reason", "code"),
    [
        (-1, None, "status.revoked"),
        (1, "cACompromise", "revocation.compromised_later"),
        (1, None, "timestamp.revoked_later"),
        (1, "privilegeWithdrawn", "timestamp.revoked_later"),
        (1, "superseded", None),
    ],
)
def test_the_authorities_above_it_are_judged_as_well(days: float, reason: str | None, code: str | None) -> None:
    entry = clock().issuer.certificate.revoked(AT + days * DAY, reason=reason)
    shelf = lists(clock(), above=(entry,), this_update=AT + 2 * DAY)
    if code is None:
        assert proven(clock(), clock().token(), shelf).instant == AT
    else:
        assert refused(clock(), clock().token(), shelf) == code


def test_nothing_is_proven_for_want_of_evidence() -> None:
    token, root = clock().token(), clock().issuer.above
    assert root is not None
    assert refused(clock(), token, Shelf()) == "revocation.missing"
    assert refused(clock(), token, Shelf().add(root, root.crl(this_update=AT + HOUR))) == "revocation.missing"
    old = lists(clock(), this_update=AT - 8 * DAY, next_update=AT - DAY)
    assert refused(clock(), token, old) == "revocation.stale"
    served = lists(clock(), this_update=AT - DAY, next_update=AT + DAY)
    assert proven(clock(), token, served).instant == AT


def test_a_list_counts_for_those_that_it_speaks_of() -> None:
    place = "http://crl.example/1.crl"
    pointing, silent = clock(points=(der.distribution_point([place]),)), clock()
    above = silent.issuer.above
    assert above is not None
    dates = {"this_update": AT + HOUR, "next_update": AT + 60 * DAY}
    shelf = Shelf().add(above, above.crl(part=IssuingDistributionPoint(only_ca=True), **dates))
    shelf.add(silent.issuer, silent.issuer.crl(part=IssuingDistributionPoint(uris=(place,)), **dates))
    assert proven(pointing, pointing.token(), shelf).instant == AT
    assert refused(silent, silent.token(), shelf) == "revocation.missing"


def test_only_what_was_known_counts() -> None:
    issued = {"this_update": AT + 2 * DAY, "next_update": AT + 9 * DAY}
    shelf = lists(clock())
    shelf.add(clock().issuer, clock().issuer.crl([revoked(clock(), -1)], **issued), known_from=AT + 3 * DAY)
    assert proven(clock(), clock().token(), shelf, known_at=AT + 3 * DAY - SECOND).instant == AT
    assert refused(clock(), clock().token(), shelf, known_at=AT + 3 * DAY) == "status.revoked"


def test_an_authority_that_must_not_sign_lists_says_nothing() -> None:
    above = clock().issuer.above
    assert above is not None
    mute = reissued(clock().issuer, above, key_usage=("keyCertSign",))
    made = Clock(certificate=mute.issue(clock_spec()), issuer=mute)
    shelf = Shelf().add(above, above.crl(this_update=AT + HOUR)).add(clock().issuer, clock().issuer.crl())
    assert refused(made, made.token(), shelf) == "revocation.missing"
    silent = reissued(clock().issuer, above, key_usage=None)
    made = Clock(certificate=silent.issue(clock_spec()), issuer=silent)
    assert proven(made, made.token(), lists(made)).instant == AT


def test_any_path_suffices_but_for_a_key_that_was_compromised() -> None:
    above = clock().issuer.above
    assert above is not None
    second = reissued(clock().issuer, above, serial=99)
    hints = (certificate_of(second),)
    for reason, code in (("superseded", None), ("cACompromise", "status.revoked")):
        gone = second.certificate.revoked(AT - DAY, reason=reason)
        for certificates in (None, (clock().certificate.der,)):
            token = clock().token(certificates=certificates)
            given_hints = hints if certificates is None else (*hints, certificate_of(clock().issuer))
            found = asked(clock(), token, lists(clock(), above=(gone,)), hints=given_hints)
            assert (found.code if isinstance(found, Refusal) else None) == code


# Algorithms


@pytest.mark.parametrize("digest", ["sha1", "sha224"])
def test_a_digest_must_be_one_that_may_be_relied_on(digest: str) -> None:
    token = clock().of(CONTENT, digest=digest)
    expected = None if digest == "sha224" else "signature.algorithm_not_allowed"
    found = asked(clock(), token)
    assert (found.code if isinstance(found, Refusal) else None) == expected


def test_an_algorithm_must_hold_when_it_is_known_or_when_the_token_is_proven_to_have_been_there() -> None:
    made = clock("rsa-1024")
    assert refused(made, made.token()) == "signature.algorithm_not_allowed"
    small = clock(key=Key("rsa-1024", "a small clock"))
    assert refused(small, small.token()) == "signature.algorithm_not_allowed"
    weak = replace(made.issuer, scheme="rsa-pkcs1-sha1")
    shown = Clock(certificate=weak.issue(clock_spec("rsa-2048")), issuer=weak)
    assert refused(shown, shown.token()) == "signature.algorithm_not_allowed"


def test_the_digest_of_the_attributes_is_judged_where_the_signature_has_none() -> None:
    kept = tuple(replace(rule, digests=rule.digests - {"sha512"}) for rule in RULES.digests)
    made = clock("ed25519")
    token = made.token(digest="sha512")
    assert proven(made, token).instant == AT
    assert refused(made, token, algorithms=replace(RULES, digests=kept)) == "signature.algorithm_not_allowed"


def test_an_older_proof_of_the_token_keeps_its_algorithms_alive() -> None:
    ends = AT + 10 * DAY
    rules = replace(RULES, digests=tuple(replace(rule, end=ends) for rule in RULES.digests))
    assert refused(clock(), clock().token(), algorithms=rules) == "signature.algorithm_not_allowed"
    assert proven(clock(), clock().token(), algorithms=rules, existed_at=ends - SECOND).instant == AT
    assert refused(clock(), clock().token(), algorithms=rules, existed_at=ends) == "signature.algorithm_not_allowed"
    assert proven(clock(), clock().token(), algorithms=rules, known_at=ends - SECOND, existed_at=ends).instant == AT


# Laws


@given(
    days=st.floats(-20, 20),
    reason=st.sampled_from([None, "keyCompromise", "superseded", "unspecified", "certificateHold"]),
    issued=st.floats(-20, 20),
    known=st.floats(0, 25),
)
def test_a_revocation_never_proves_what_was_not_proven_without_it(
    days: float, reason: str | None, issued: float, known: float
) -> None:
    dates: dict[str, Any] = {"this_update": whole(issued), "next_update": whole(issued + 5)}
    known_at = whole(known)
    without = asked(clock(), clock().token(), lists(clock(), **dates), known_at=known_at)
    listed = lists(clock(), clock().certificate.revoked(whole(days), reason=reason), **dates)
    found = asked(clock(), clock().token(), listed, known_at=known_at)
    assert isinstance(found, Refusal) or isinstance(without, ProvenTime)
    if isinstance(found, ProvenTime):
        assert whole(days) > AT
        assert found.instant == AT


def whole(days: float) -> datetime:
    return AT + timedelta(seconds=round(days * 86400))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert refused(clock(), data).startswith("timestamp.")
