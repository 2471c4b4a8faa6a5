"""The nine checks of a lock that was shown: each code of each, with the instants and places that decide."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from keys.algorithm_policy import DEFAULT_PATH
from registry.canonical import digest
from registry.document import LocalText
from registry.evidence import Possession
from registry.finding import CHECKS
from tests.support.pki import (
    AT,
    Key,
    off_curve,
    unit,
    uscc,
)
from tests.unit.registry.locks import (
    DAY,
    HOUR,
    KIND,
    MESSAGE,
    STANDING,
    accepted,
    anchor,
    ca,
    certificate_of,
    check,
    codes,
    foreign,
    honest_lock,
    intermediate,
    judge,
    long_shelf,
    not_passed,
    possession_of,
    reissued,
    root,
    shelf,
    told,
    world,
)
from tests.unit.registry.specimens import Content

TICK = timedelta(microseconds=1)
LOCK = honest_lock()


def test_an_honest_lock_that_signed_is_recognized_by_the_list() -> None:
    decision = judge(LOCK, expected_subject={"uscc": uscc(1), "name": "测试建设1有限公司"})
    assert decision.outcome == "recognized"
    assert codes(decision) == ["agreement.in_force"]
    assert [entry.check for entry in decision.checks] == list(CHECKS)
    assert {entry.result for entry in decision.checks} == {"passed"}
    assert [entry.code for entry in decision.checks] == [
        "lock.readable",
        "signature.verified",
        "path.valid",
        "issuer.accepted",
        "status.in_force",
        "validity.current",
        "key_usage.fits",
        "subject.matches",
        "agreement.in_force",
        "revocation.fresh",
    ]
    lock = decision.lock
    assert lock is not None
    assert lock.path == tuple(map(certificate_of, (LOCK, ca(), root())))
    assert (lock.anchor and lock.anchor.id, lock.accepted and lock.accepted.id) == ("t-root", "l-bb")
    assert lock.signed == digest(MESSAGE)
    assert lock.algorithm_policy == STANDING.algorithms.digest
    assert decision.fresh_until == AT + 7 * DAY


@pytest.mark.parametrize("kind", ["sm2", "p-384", "ed25519", "rsa-2048"])
def test_every_kind_of_lock_is_judged(kind: str) -> None:
    lock = ca().issue(unit(kind))
    decision = judge(lock)
    assert decision.outcome == "recognized"
    assert decision.lock is not None
    family = {"sm2": "sm2", "p-384": "ec", "ed25519": "ed25519", "rsa-2048": "rsa"}[kind]
    assert decision.lock.credential.attributes == {"algorithm": family, "use": "signing"}
    assert judge(lock, possession=possession_of(lock, b"other")).outcome == "recognized"


def test_what_is_wrong_names_the_law_and_the_office_to_ask() -> None:
    found = check(judge(LOCK, shelf(LOCK.revoked())), "status")
    assert found.legal_basis == STANDING.profiles["lock"].bases["status"]
    assert found.contact is not None
    assert found.contact.id == "bb-office"


# Signature


def test_possession_is_shown_missing_or_wrong() -> None:
    assert told(judge(LOCK), "signature") == ("passed", "signature.verified", "")
    assert told(judge(LOCK, possession=None), "signature") == ("indeterminate", "signature.missing", "certificate")
    thief = replace(LOCK, key=Key(KIND, "thief"))
    assert told(judge(LOCK, possession=possession_of(thief)), "signature") == ("failed", "signature.wrong", "")


@pytest.mark.parametrize(
    "signature", [b"", b"\0", b"\0" * 64, b"\xff" * 64, b"\x30\x06\x02\x01\x01\x02\x01\x01", b"a" * 4096]
)
@pytest.mark.parametrize("kind", [KIND, "sm2", "ed25519", "rsa-2048"])
def test_a_signature_that_is_garbage_is_wrong(signature: bytes, kind: str) -> None:
    lock = ca().issue(unit(kind))
    decision = judge(lock, possession=Possession(message=MESSAGE, signature=signature))
    assert told(decision, "signature") == ("failed", "signature.wrong", "")
    assert decision.outcome == "not_recognized"


def test_a_signature_over_another_message_is_wrong() -> None:
    given = Possession(message=b"else", signature=LOCK.key.sign(MESSAGE))
    assert told(judge(LOCK, possession=given), "signature") == ("failed", "signature.wrong", "")


@pytest.mark.parametrize("code", ["challenge.unknown", "challenge.used", "challenge.mismatch", "challenge.expired"])
def test_a_problem_with_the_challenge_outdoes_a_right_signature(code: str) -> None:
    ended = {"expires_at": AT} if code == "challenge.expired" else {}
    decision = judge(LOCK, possession=possession_of(LOCK, problem=code, **ended))
    assert told(decision, "signature") == ("failed", code, "")
    assert dict(check(decision, "signature").params) == ended
    assert (decision.outcome, codes(decision)) == ("not_recognized", [code])


def test_without_possession_nothing_was_signed() -> None:
    decision = judge(LOCK, possession=None)
    assert decision.outcome == "indeterminate"
    assert decision.lock is not None
    assert decision.lock.signed is None


# Format: algorithms


def rules(*rows: str) -> tuple[str, Content]:
    """An algorithm policy of these rows beside SM3, SHA-2 and SM2."""
    head = 'id = "default"\nversion = 2\n'
    digests = '[[digests]]\nid = "d"\ndigests = ["sm3", "sha256"]\nsource = "s"\nconfidence = "G"\n'
    keys = '[[keys]]\nid = "{}"\nfamily = "{}"\nminimum_bits = {}\n{}source = "s"\nconfidence = "G"\n'
    made = [digests, *(keys.format(f"k{index}", *row.split("|")) for index, row in enumerate(rows))]
    return "algorithm-policy", {"id": "default", "version": 2, "toml": head + "".join(made)}


@pytest.mark.parametrize(
    ("known_at", "result"),
    [(AT - TICK, "passed"), (AT, "failed"), (AT + DAY, "failed")],
)
@pytest.mark.parametrize("back", [timedelta(0), 200 * DAY])
def test_algorithms_are_judged_at_known_at_and_a_past_valid_at_relaxes_nothing(
    known_at: datetime, result: str, back: timedelta
) -> None:
    policy = world(rules("ec|256|until = 2026-01-01T00:00:00Z\n"))
    lists = long_shelf(until=AT - HOUR)
    decision = judge(LOCK, lists, policy, now=known_at, known_at=known_at, valid_at=known_at - back)
    assert check(decision, "format").result == result
    if result == "failed":
        assert check(decision, "format").code == "signature.algorithm_not_allowed"
        assert "key ec (p-256)" in str(check(decision, "format").params["why"])
        assert decision.outcome == "not_recognized"


def test_an_algorithm_that_only_the_path_uses_is_judged_too() -> None:
    policy = world(rules("sm2|256|"))
    lock = ca().issue(unit("sm2"))
    decision = judge(lock, policy=policy)
    assert "key ec (p-256)" in str(check(decision, "format").params["why"])
    weak = ca(kind="rsa-1024")
    files = [
        ("trust-anchor", anchor("t-root", root(kind="rsa-1024").certificate.der)),
        ("trust-anchor", intermediate("t-ca", weak.certificate.der)),
    ]
    decision = judge(weak.issue(unit(KIND)), shelf(by=weak), world(*files))
    assert told(decision, "path")[0] == "passed"
    assert "key rsa (1024 bits)" in str(check(decision, "format").params["why"])
    assert not_passed(decision) == {"format": "signature.algorithm_not_allowed"}


def test_a_weak_lock_below_a_strong_authority_is_refused() -> None:
    decision = judge(ca().issue(unit("rsa-1024")))
    assert not_passed(decision) == {"format": "signature.algorithm_not_allowed"}


def test_without_a_path_the_lock_alone_is_judged() -> None:
    stranger = foreign().issue(unit("rsa-1024"))
    assert told(judge(stranger), "format") == ("failed", "signature.algorithm_not_allowed", "")
    assert told(judge(foreign().issue(unit(KIND))), "format") == ("passed", "lock.readable", "")


def test_the_policy_of_the_software_serves_where_no_file_is_known() -> None:
    assert STANDING.algorithms.rules.id == "default"
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    same = world(("algorithm-policy", {"id": "default", "version": 1, "toml": text}))
    assert same.algorithms == STANDING.algorithms


def test_a_key_off_the_curve_is_told_and_has_no_algorithm() -> None:
    lock = ca().issue(unit("sm2", spki=off_curve()))
    decision = judge(lock)
    assert told(decision, "format") == ("failed", "signature.algorithm_not_allowed", "")
    assert told(decision, "signature") == ("failed", "signature.wrong", "")
    assert decision.lock is not None
    assert decision.lock.credential.attributes == {"use": "signing"}


# Path


def test_a_foreign_lock_has_no_anchor_also_with_its_whole_chain() -> None:
    stranger = foreign().issue(unit(KIND))
    for chain in ((), foreign().chain):
        decision = judge(stranger, chain=chain)
        assert told(decision, "path") == ("failed", "path.no_anchor", "certificate")
        assert "别家测试CA" in str(check(decision, "path").params["issuer"])
        assert told(decision, "status")[0] == told(decision, "freshness")[0] == told(decision, "issuer")[0] == "skipped"
        assert decision.outcome == "not_recognized"
        assert decision.lock is not None
        assert (decision.lock.path, decision.lock.anchor, decision.lock.revocation) == ((), None, None)


def test_a_chain_that_misses_a_step_is_mended_by_the_asker() -> None:
    below = ca().subordinate("重庆二级CA")
    lock = below.issue(unit(KIND))
    lists = shelf().add(ca(), ca().crl()).add(below, below.crl())
    assert told(judge(lock, lists), "path")[1] == "path.no_anchor"
    assert judge(lock, lists, chain=[below.certificate.der]).outcome == "recognized"
    assert judge(lock, lists, chain=below.chain[::-1]).outcome == "recognized"


def test_a_path_that_does_not_hold_names_the_step() -> None:
    late = root().subordinate("重庆测试CA", not_after=AT - DAY)
    policy = world(("trust-anchor", intermediate("t-ca", late.certificate.der)))
    decision = judge(late.issue(unit(KIND)), policy=policy)
    assert told(decision, "path") == ("failed", "path.invalid", "")
    assert dict(check(decision, "path").params) == {"step": "validity"}


@pytest.mark.parametrize(
    ("changes", "purpose", "expected"),
    [
        ({}, "sign", "path.valid"),
        ({}, "seal", "path.no_anchor"),
        ({}, "none", "path.no_anchor"),
        ({"qualifiers": ["government-seal"]}, "sign", "path.no_anchor"),
        ({"qualifiers": ["government-seal"]}, "seal", "path.valid"),
        ({"jurisdictions": ["AA"]}, "sign", "path.no_anchor"),
        ({"jurisdictions": ["BB"]}, "sign", "path.valid"),
        ({"until": "2026-01-01T00:00:00Z"}, "sign", "path.no_anchor"),
        ({"from": "2026-01-01T00:00:00Z"}, "sign", "path.valid"),
        ({"from": "2026-01-01T00:00:01Z"}, "sign", "path.no_anchor"),
    ],
)
def test_the_anchor_must_serve_the_purpose_there_and_then(changes: Content, purpose: str, expected: str) -> None:
    policy = world(("trust-anchor", anchor("t-root", root().certificate.der, **changes)))
    assert told(judge(LOCK, policy=policy, purpose=purpose), "path")[1] == expected


def test_an_anchor_that_was_good_at_valid_at_still_anchors_it() -> None:
    policy = world(("trust-anchor", anchor("t-root", root().certificate.der, until="2025-12-31T00:00:00Z")))
    lists = long_shelf(until=AT - HOUR)
    assert told(judge(LOCK, lists, policy), "path")[1] == "path.no_anchor"
    assert judge(LOCK, lists, policy, valid_at=AT - 2 * DAY).outcome == "recognized"


# Issuer: the accepted list

SPAN = {"ca": "t-ca", "from": "2025-06-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("valid_at", "variant", "given"),
    [
        (datetime.fromisoformat("2025-05-31T23:59:59.999999+00:00"), "not_yet", {"starts": "2025-06-01"}),
        (datetime.fromisoformat("2025-06-01T00:00:00+00:00"), None, {}),
        (AT - TICK, None, {}),
        (AT, "ended", {"ended": "2026-01-01"}),
    ],
)
def test_a_line_of_the_list_counts_from_its_start_until_before_its_end(
    valid_at: datetime, variant: str | None, given: dict[str, str]
) -> None:
    policy = world(("accepted-list", accepted("l-bb", SPAN)))
    decision = judge(LOCK, long_shelf(until=AT - HOUR), policy, valid_at=valid_at)
    found = check(decision, "issuer")
    if variant is None:
        assert (found.result, found.code, decision.outcome) == ("passed", "issuer.accepted", "recognized")
    else:
        assert (found.result, found.code, found.variant) == ("failed", "issuer.not_accepted", variant)
        assert check(decision, "agreement").result == "skipped"
    assert found.params["ca"] == LocalText(zh="t-ca", en="t-ca (en)")
    assert found.params["list_id"] == "l-bb"
    shown = {name: value.date().isoformat() for name, value in found.params.items() if isinstance(value, datetime)}
    assert shown == given


@pytest.mark.parametrize(
    ("entries", "variant"),
    [
        ([], ""),
        ([{"ca": "t-other"}], ""),
        ([{"ca": "t-ca", "until": "2025-02-01T00:00:00Z"}, {"ca": "t-ca", "from": "2027-01-01T00:00:00Z"}], "ended"),
        ([{"ca": "t-ca", "from": "2027-01-01T00:00:00Z"}, {"ca": "t-ca", "from": "2026-02-01T00:00:00Z"}], "not_yet"),
    ],
)
def test_who_is_on_the_list_at_another_time_or_never_is_not_accepted(entries: list[Content], variant: str) -> None:
    other = ("trust-anchor", anchor("t-other", foreign().chain[-1]))
    decision = judge(LOCK, policy=world(other, ("accepted-list", accepted("l-bb", *entries))))
    assert told(decision, "issuer") == ("failed", "issuer.not_accepted", variant)
    assert (decision.outcome, codes(decision)) == ("not_recognized", ["issuer.not_accepted"])
    if variant == "not_yet":
        assert check(decision, "issuer").params["starts"] == AT + 31 * DAY


def test_an_interruption_on_the_list_does_not_undo_its_other_lines() -> None:
    entries = [{"ca": "t-ca", "until": "2025-02-01T00:00:00Z"}, {"ca": "t-ca", "from": "2025-12-01T00:00:00Z"}]
    assert judge(LOCK, policy=world(("accepted-list", accepted("l-bb", *entries)))).outcome == "recognized"


def test_a_root_on_the_list_accepts_those_below_it() -> None:
    policy = world(("accepted-list", accepted("l-bb", "t-root")))
    assert judge(LOCK, policy=policy).outcome == "recognized"


def test_an_authority_that_no_file_names_is_told_by_its_subject() -> None:
    policy = world(("accepted-list", accepted("l-bb")), without=["t-ca"])
    decision = judge(LOCK, policy=policy, chain=[ca().certificate.der])
    assert told(decision, "issuer") == ("failed", "issuer.not_accepted", "")
    assert check(decision, "issuer").params["ca"] == certificate_of(ca()).subject_text


def test_a_renewed_certificate_of_an_accepted_key_is_accepted_though_only_the_old_one_is_on_file() -> None:
    after = reissued(ca(), root(), not_before=AT - 30 * DAY, serial=4711)
    decision = judge(after.issue(unit(KIND, 5)), chain=[after.certificate.der])
    assert decision.outcome == "recognized"
    impostor = root().subordinate("重庆测试CA", seed="another key")
    lists = shelf().add(impostor, impostor.crl())
    decision = judge(impostor.issue(unit(KIND, 5)), lists, chain=[impostor.certificate.der])
    assert told(decision, "path")[0] == "passed"
    assert told(decision, "issuer") == ("failed", "issuer.not_accepted", "")


@pytest.mark.parametrize(
    ("party", "expected", "code"),
    [
        ("bb-platform", "l-own", "issuer.not_accepted"),
        ("elsewhere", "l-bb", "issuer.accepted"),
        (None, "l-bb", "issuer.accepted"),
    ],
)
def test_the_platforms_own_list_decides_also_where_it_is_stricter(party: str | None, expected: str, code: str) -> None:
    own = ("accepted-list", accepted("l-own", relying_party="bb-platform"))
    named = {} if party is None else {"relying_party": party}
    decision = judge(LOCK, policy=world(own), **named)
    assert check(decision, "issuer").code == code
    assert decision.agreement is not None
    assert decision.agreement.id == expected


def test_where_only_platforms_have_lists_one_must_be_named() -> None:
    policy = world(("accepted-list", accepted("l-own", "t-ca", relying_party="bb-platform")), without=["l-bb"])
    for named in ({}, {"relying_party": "elsewhere"}):
        decision = judge(LOCK, policy=policy, **named)
        assert told(decision, "issuer") == ("indeterminate", "facts.missing", "relying_party")
        assert decision.outcome == "indeterminate"
        assert decision.agreement is None
    assert judge(LOCK, policy=policy, relying_party="bb-platform").outcome == "recognized"


def test_where_nobody_has_a_list_nothing_can_be_said() -> None:
    for decision in (judge(LOCK, policy=world(without=["l-bb"])), judge(LOCK, jurisdiction="AA")):
        assert told(decision, "issuer") == ("indeterminate", "agreement.none", "accepted_list")
        assert decision.outcome == "indeterminate"


def test_the_body_behind_an_anchor_is_the_issuer() -> None:
    files = [("trust-anchor", intermediate("t-ca", ca().certificate.der, authority="aa-office"))]
    decision = judge(LOCK, policy=world(*files))
    assert decision.issuer is not None
    assert decision.issuer.id == "aa-office"
    assert decision.lock is not None
    assert decision.lock.credential.issuer == "aa-office"
    above = world(("trust-anchor", anchor("t-root", root().certificate.der, authority="cn-body")))
    decision = judge(LOCK, policy=above)
    # Who stands behind the root did not issue the lock.
    assert decision.issuer is None
    assert decision.lock is not None
    assert decision.lock.credential.issuer == "t-ca"
    decision = judge(LOCK)
    assert decision.issuer is None
    assert decision.lock is not None
    assert decision.lock.credential.issuer == "t-ca"
    decision = judge(LOCK, policy=world(("accepted-list", accepted("l-bb")), without=["t-ca"]), chain=ca().chain)
    assert decision.lock is not None
    assert "CN=重庆测试CA" in decision.lock.credential.issuer
