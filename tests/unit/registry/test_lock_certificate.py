"""Validity, usage and holder of a lock that was shown: the checks that its own certificate answers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from registry.decision import OUTCOMES
from registry.dossier import HeldCredential
from registry.evidence import Possession
from registry.holder import credential_of
from tests.support.pki import (
    AT,
    ENCRYPTION_USAGE,
    NOT_AFTER,
    NOT_BEFORE,
    person,
    unit,
    uscc,
)
from tests.unit.registry.locks import (
    DAY,
    KIND,
    MESSAGE,
    ca,
    certificate_of,
    check,
    codes,
    foreign,
    honest_lock,
    judge,
    not_passed,
    told,
)
from tests.unit.registry.specimens import Content

TICK = timedelta(microseconds=1)
LOCK = honest_lock()


# Validity, scope, subject


@pytest.mark.parametrize(
    ("valid_at", "result", "code", "given"),
    [
        (NOT_BEFORE - TICK, "failed", "validity.not_yet", {"valid_from": NOT_BEFORE}),
        (NOT_BEFORE, "passed", "validity.current", {"not_after": NOT_AFTER}),
        (NOT_AFTER, "passed", "validity.current", {"not_after": NOT_AFTER}),
        (NOT_AFTER + TICK, "failed", "validity.expired", {"not_after": NOT_AFTER}),
    ],
)
def test_both_ends_of_the_validity_are_in_it(valid_at: datetime, result: str, code: str, given: dict) -> None:
    decision = judge(LOCK, now=NOT_AFTER + 30 * DAY, valid_at=valid_at)
    assert told(decision, "validity") == (result, code, "certificate")
    assert dict(check(decision, "validity").params) == given
    assert told(decision, "path")[:2] == ("passed", "path.valid")


@pytest.mark.parametrize(
    ("usage", "purpose", "fits"),
    [
        (("digitalSignature",), "sign", True),
        (("nonRepudiation",), "sign", True),
        (("digitalSignature", "keyEncipherment"), "encrypt", True),
        (("keyAgreement",), "encrypt", True),
        (("dataEncipherment",), "encrypt", False),
        (ENCRYPTION_USAGE, "sign", False),
        (("digitalSignature",), "encrypt", False),
        (("cRLSign",), "any", True),
    ],
)
def test_one_key_usage_of_the_purpose_is_enough(usage: tuple[str, ...] | None, purpose: str, fits: bool) -> None:
    decision = judge(ca().issue(unit(KIND, key_usage=usage)), purpose=purpose)
    assert told(decision, "scope")[:2] == (("passed", "key_usage.fits") if fits else ("failed", "key_usage.wrong"))
    if not fits:
        given, wanted = (str(check(decision, "scope").params[name]) for name in ("given", "wanted"))
        assert given == ", ".join(sorted(usage or ()))
        assert wanted in ("digitalSignature, nonRepudiation", "keyAgreement, keyEncipherment")
        assert decision.outcome == "not_recognized"


@pytest.mark.parametrize("purpose", ["sign", "encrypt"])
def test_a_lock_that_does_not_state_its_usage_proves_none(purpose: str) -> None:
    decision = judge(ca().issue(unit(KIND, key_usage=None)), purpose=purpose)
    assert told(decision, "scope") == ("indeterminate", "key_usage.wrong", "absent")
    assert decision.outcome == "indeterminate"


@pytest.mark.parametrize(
    ("extended", "fits"),
    [
        (("1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"), True),
        (("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"), True),
        (("1.3.6.1.5.5.7.3.1",), False),
        (("1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"), False),
    ],
)
def test_a_servers_certificate_is_no_lock(extended: tuple[str, ...], fits: bool) -> None:
    decision = judge(ca().issue(unit(KIND, extended_key_usage=extended)))
    wanted = ("passed", "key_usage.fits", "") if fits else ("failed", "key_usage.wrong", "extended")
    assert told(decision, "scope") == wanted


@pytest.mark.parametrize(
    ("spec", "expected", "result", "variant"),
    [
        (unit(KIND), None, "skipped", ""),
        (unit(KIND), {"uscc": uscc(1)}, "passed", ""),
        (unit(KIND), {"uscc": uscc(1).lower()}, "passed", ""),
        (unit(KIND), {"uscc": uscc(2)}, "failed", "certificate"),
        (unit(KIND), {"name": "测试建设1有限公司"}, "passed", ""),
        (unit(KIND), {"name": "测试建设１有限公司 "}, "passed", ""),
        (unit(KIND), {"name": "测试建设2有限公司"}, "failed", "certificate"),
        (unit(KIND), {"uscc": uscc(1), "name": "测试建设2有限公司"}, "failed", "certificate"),
        (unit(KIND), {"uscc": uscc(2), "name": "测试建设1有限公司"}, "failed", "certificate"),
        (person(KIND), {"uscc": uscc(1)}, "indeterminate", "uscc_unknown"),
        (person(KIND), {"uscc": uscc(1), "name": "测试人员1"}, "indeterminate", "uscc_unknown"),
        (person(KIND), {"name": "测试人员1"}, "passed", ""),
        (person(KIND), {"name": "测试人员2"}, "failed", "certificate"),
    ],
)
def test_the_holder_is_whom_the_asker_expects(spec: Any, expected: Content | None, result: str, variant: str) -> None:
    asked = {} if expected is None else {"expected_subject": expected}
    decision = judge(ca().issue(spec), **asked)
    code = {"skipped": None, "passed": "subject.matches"}.get(result, "subject.mismatch")
    assert told(decision, "subject") == (result, code, variant)


def test_every_finding_at_once_is_reported_in_order() -> None:
    lock = foreign().issue(unit("rsa-1024", not_after=AT - DAY, key_usage=ENCRYPTION_USAGE))
    decision = judge(lock, possession=Possession(message=MESSAGE, signature=b"x"), expected_subject={"uscc": uscc(9)})
    assert not_passed(decision) == {
        "format": "signature.algorithm_not_allowed",
        "signature": "signature.wrong",
        "path": "path.no_anchor",
        "validity": "validity.expired",
        "scope": "key_usage.wrong",
        "subject": "subject.mismatch",
    }
    assert codes(decision)[0] == "validity.expired"
    assert decision.outcome in OUTCOMES


def test_a_certificate_without_a_name_to_compare_leaves_it_open() -> None:
    spec = unit(KIND)
    nameless = replace(spec, subject=replace(spec.subject, common_name=None, organisation=ca().subject.organisation))
    decision = judge(ca().issue(nameless), expected_subject={"uscc": uscc(1), "name": "测试公司"})
    assert told(decision, "subject") == ("indeterminate", "subject.mismatch", "name_unknown")
    other = judge(ca().issue(nameless), expected_subject={"uscc": uscc(2), "name": "测试公司"})
    assert told(other, "subject") == ("failed", "subject.mismatch", "certificate")


def entry(issuer: str, predecessor: str | None) -> HeldCredential:
    """What a register holds under the serial number of the lock."""
    credential = credential_of(certificate_of(LOCK), "lock", issuer, {})
    known = replace_struct(credential, predecessor=predecessor)
    return HeldCredential(id="cred_x", credential=known, digest="sha256:0", known_from=NOT_BEFORE)


def test_a_renewed_lock_is_linked_to_the_one_it_replaces() -> None:
    def link(*registered: HeldCredential) -> str | None:
        decision = judge(LOCK, registered=registered, expected_subject={"uscc": uscc(1)})
        assert decision.held is not None
        assert decision.outcome == "recognized"
        assert decision.held.digest == certificate_of(LOCK).fingerprint
        return decision.held.credential.predecessor

    assert link() is None
    assert link(entry("t-ca", "1A2B")) == "1A2B"
    assert link(entry("t-ca", None)) is None
    # Another authority's serial numbers say nothing, and neither do two entries of one.
    assert link(entry("elsewhere", "1A2B")) is None
    assert link(entry("elsewhere", "9999"), entry("t-ca", "1A2B")) == "1A2B"
    assert link(entry("t-ca", "9999"), entry("t-ca", "1A2B")) is None
