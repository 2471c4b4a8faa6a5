"""Every lie of an authority and every hint of an asker: none makes a lock count that does not."""

import time
from functools import cache
from typing import Any

import pytest

from keys.certificate import parse_certificate
from keys.errors import KeysError
from registry.decision import Decision
from tests.support import der_writer as der
from tests.support.pki import (
    CA_USAGE,
    LIES,
    ODDITIES,
    Authority,
    Case,
    case,
    key_id,
    unit,
)
from tests.unit.registry.locks import (
    KIND,
    Shelf,
    accepted,
    anchor,
    ca,
    foreign,
    honest_lock,
    impostors,
    judge,
    not_passed,
    root,
    shelf,
    told,
    world,
)

# Lies

LEAF_LIES: dict[str, dict[str, str]] = {
    "wrong-signer": {"path": "path.invalid"},
    "swapped-algorithm": {"path": "path.invalid"},
    "empty-signature": {"path": "path.invalid"},
    "forged-issuer-name": {"path": "path.no_anchor"},
    "unknown-critical-extension": {"path": "path.invalid"},
    "duplicate-extension": {"path": "path.invalid"},
    "off-curve-key": {"format": "signature.algorithm_not_allowed", "signature": "signature.wrong"},
    "expired": {"validity": "validity.expired", "status": "revocation.missing", "freshness": "revocation.missing"},
    "not-yet-valid": {"validity": "validity.not_yet"},
}
CA_LIES: dict[str, dict[str, str]] = {
    "ca-wrong-signer": {"path": "path.invalid"},
    "ca-swapped-algorithm": {"path": "path.invalid"},
    "ca-empty-signature": {"path": "path.invalid"},
    "ca-unknown-critical-extension": {"path": "path.invalid"},
    "ca-forged-issuer-name": {"path": "path.no_anchor"},
    "ca-off-curve-key": {"path": "path.invalid"},
    "ca-expired": {"path": "path.invalid"},
    "no-key-cert-sign": {"path": "path.invalid"},
    "no-ca-bit": {"path": "path.no_anchor"},
    "no-basic-constraints": {"path": "path.no_anchor"},
    "version-1-ca": {"path": "path.no_anchor"},
    "path-length": {"path": "path.invalid"},
    "name-constraints": {"path": "path.invalid"},
}
UNREADABLE = {"algorithms-differ", "ca-algorithms-differ"}
MISSING = {"status": "revocation.missing", "freshness": "revocation.missing"}
REVOKED = {"status": "status.revoked"}
CRL_LIES: dict[str, dict[str, str]] = {
    **dict.fromkeys(("crl-wrong-signer", "crl-swapped-algorithm", "crl-empty-signature"), MISSING),
    "crl-algorithms-differ": MISSING,
    "no-crl-sign": MISSING,
    "crl-forged-issuer-name": MISSING,
    "crl-unknown-critical-extension": MISSING,
    # An entry counts in whatever list of its authority it stands.
    "crl-stale": REVOKED,
    "crl-from-the-future": REVOKED,
    "crl-other-part": REVOKED,
    "crl-entry-removed": REVOKED,
    "crl-lower-number": REVOKED,
    "crl-dropped-after-expiry": {**REVOKED, "validity": "validity.expired"},
}


@cache
def lie(name: str, kind: str) -> Case:
    return case(name, (kind, kind, kind))


def of_case(made: Case, **members: Any) -> Decision:
    """The decision on a case whose root is trusted, whose chain is shown, and whose lists were taken in if right."""
    policy = world(
        ("trust-anchor", anchor("t-root", made.root.certificate.der)),
        ("accepted-list", accepted("l-bb", "t-root")),
        without=["t-ca"],
    )
    lists = Shelf()
    for issuer, crls in ((made.authority, made.crls), (made.root, (made.root_crl,))):
        for crl in crls:
            try:
                lists.add(issuer, crl)
            except KeysError:
                continue  # as a store does
    above = made.authority.above
    if above is not None and above is not made.root:
        lists.add(above, above.crl())
    return judge(made.leaf, lists, policy, chain=made.chain, **members)


def test_every_lie_is_told() -> None:
    assert LEAF_LIES.keys() | CA_LIES.keys() | UNREADABLE | CRL_LIES.keys() == LIES.keys()


@pytest.mark.parametrize("kind", ["sm2", KIND])
@pytest.mark.parametrize("name", [*LEAF_LIES, *CA_LIES, *CRL_LIES])
def test_no_lie_is_recognized(name: str, kind: str) -> None:
    decision = of_case(lie(name, kind))
    assert decision.outcome in ("not_recognized", "indeterminate")
    assert not_passed(decision) == {**LEAF_LIES, **CA_LIES, **CRL_LIES}[name]


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_a_certificate_with_two_algorithms_is_none(name: str) -> None:
    made = lie(name, KIND)
    told_by = made.leaf.der if name == "algorithms-differ" else made.authority.certificate.der
    with pytest.raises(KeysError) as caught:
        parse_certificate(told_by)
    assert caught.value.code == "certificate.malformed"


def test_an_honest_case_is_recognized() -> None:
    for kind in ("sm2", KIND):
        assert of_case(lie("", kind)).outcome == "recognized"


@pytest.mark.parametrize("name", sorted(ODDITIES.keys() - {"padded-serial", "empty-serial", "trailing-bytes"}))
def test_what_real_authorities_write_is_judged(name: str) -> None:
    made = case(name)
    decision = of_case(made)
    assert not_passed(decision) == {}
    assert decision.outcome == "recognized"


# Hints of the asker


@pytest.mark.parametrize(
    "chain",
    [
        impostors(8),
        impostors(8, key_ids=False),
        [foreign().certificate.der] * 8,
        [honest_lock().der] * 8,
        [*ca().chain, *foreign().chain],
        [ca().certificate.der] * 8,
    ],
    ids=["same name", "same name without key id", "foreign", "the lock itself", "both", "the CA often"],
)
def test_hostile_hints_neither_help_a_wrong_path_nor_take_long(chain: list[bytes]) -> None:
    fake = Authority.root(KIND, str(ca().subject.common_name), seed="impostor 1", serial=1)
    for liar in (foreign(), fake):
        began = time.perf_counter()
        decision = judge(liar.issue(unit(KIND)), chain=chain)
        assert decision.outcome == "not_recognized"
        assert told(decision, "path")[0] == "failed"
        assert time.perf_counter() - began < 2
    assert told(judge(honest_lock(), chain=chain), "path")[:2] == ("passed", "path.valid")


def test_a_root_that_the_asker_brings_along_is_no_anchor() -> None:
    twin = Authority.root(KIND, str(root().subject.common_name), seed="twin")
    below = twin.subordinate("重庆测试CA", seed="twin")
    decision = judge(below.issue(unit(KIND)), shelf().add(below, below.crl()), chain=[*below.chain])
    assert told(decision, "path")[0] == "failed"
    # The same names and the same key identifiers, but not the keys.
    said = (der.subject_key_id(key_id(root().key)), der.authority_key_id(key_id(root().key)))
    usage = (der.basic_constraints(True), der.key_usage(CA_USAGE))
    twin = Authority.root(KIND, str(root().subject.common_name), seed="twin", extensions=(*usage, *said))
    said = (der.subject_key_id(key_id(ca().key)), said[1])
    below = twin.subordinate("重庆测试CA", seed="twin", extensions=(*usage, *said))
    lock = below.issue(unit(KIND, 3), extensions=(der.authority_key_id(key_id(ca().key)),))
    for chain in (below.chain, below.chain[:1], ()):
        assert told(judge(lock, chain=chain), "path") == ("failed", "path.invalid", "")


def test_a_holders_lock_issues_nothing() -> None:
    holder = honest_lock()
    below = Authority(subject=holder.spec.subject, key=holder.key, certificate=holder)
    decision = judge(below.issue(unit(KIND, 9)), chain=[holder.der])
    assert told(decision, "path")[0] == "failed"
    assert told(judge(ca().certificate), "path") == ("failed", "path.invalid", "")
