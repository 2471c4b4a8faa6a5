"""What a chain that wants to cost much costs, and what is taken of what is offered."""

import time
from dataclasses import replace
from typing import Any

import pytest

from keys.path_validation import Path, PathError, building, names, rfc5280, signatures, validate_path
from keys.path_validation.signatures import Signatures
from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, Authority, unit
from tests.support.unsafe_sm2 import Key

KIND = "p-256"
SECONDS = 2.0  # the goal for any chain


def judged(leaf: bytes, chain: Any, anchor: Authority) -> Path | PathError:
    """The verdict, which must come within the goal."""
    start = time.process_time()
    try:
        return validate_path(leaf, chain, [anchor.certificate.der], AT)
    except PathError as error:
        return error
    finally:
        assert time.process_time() - start < SECONDS


def step(verdict: Path | PathError) -> str:
    assert isinstance(verdict, PathError), "a path was found"
    return verdict.step


def siblings(root: Authority, number: int, **changes: Any) -> list[Authority]:
    """CAs of one name, each with a key of its own."""
    return [root.subordinate(seed=f"sibling {index}", **changes) for index in range(number)]


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.root(KIND)


def test_a_hundred_cas_of_one_name_are_refused_at_once(root: Authority) -> None:
    many = siblings(root, 100)
    verdict = judged(many[-1].issue(unit(KIND)).der, [one.certificate.der for one in many], root)
    assert step(verdict) == "too_complex"
    assert isinstance(verdict, PathError)
    assert verdict.code == "path.invalid"
    assert "100 certificates" in verdict.detail


def test_the_right_one_of_many_cas_of_one_name_is_found(root: Authority) -> None:
    many = siblings(root, building.MAX_CONSIDERED)
    chain = [one.certificate.der for one in many]
    for key_ids in (True, False):
        verdict = judged(many[-1].issue(unit(KIND), key_ids=key_ids).der, chain, root)
        assert isinstance(verdict, Path)
        assert verdict.certificates[1].der == chain[-1]


def test_a_forgery_under_many_cas_of_one_name_is_refused(root: Authority) -> None:
    many = siblings(root, building.MAX_CONSIDERED)
    forged = replace(many[0], key=Key(KIND, "intruder")).issue(unit(KIND), key_ids=False)
    assert step(judged(forged.der, [one.certificate.der for one in many], root)) == "signature"


def test_certificates_of_other_names_do_not_count(root: Authority) -> None:
    ca = root.subordinate()
    others = [root.subordinate(f"别家{index}").certificate.der for index in range(100)]
    assert isinstance(judged(ca.issue(unit(KIND)).der, [*others, ca.certificate.der], root), Path)


def test_the_same_certificate_many_times_is_one(root: Authority) -> None:
    ca = root.subordinate()
    assert isinstance(judged(ca.issue(unit(KIND)).der, [ca.certificate.der] * 200, root), Path)
    assert step(judged(ca.issue(unit(KIND)).der, [ca.certificate.der] * 1025, root)) == "too_complex"


def test_names_that_cost_much_to_compare_stay_within_the_goal(root: Authority) -> None:
    ca = root.subordinate()
    # One character of 3 bytes that stands for 18 when names are compared (RFC 4518 §2.3).
    costly = Subject(country=None, common_name="ﷺ" * 320)
    many = [root.subordinate(subject=costly, seed=f"{index}").certificate.der for index in range(150)]
    assert sum(map(len, many)) < building.MAX_BYTES
    assert isinstance(judged(ca.issue(unit(KIND)).der, [*many, ca.certificate.der], root), Path)
    longer = replace(costly, common_name="ﷺ" * 5000)
    many = [root.subordinate(subject=longer, seed=f"{index}").certificate.der for index in range(20)]
    assert step(judged(ca.issue(unit(KIND)).der, [*many, ca.certificate.der], root)) == "too_complex"
    assert isinstance(judged(ca.issue(unit(KIND)).der, [*many[:5], ca.certificate.der], root), Path)


def test_a_long_chain_holds_and_a_longer_one_is_refused(root: Authority) -> None:
    ca, chain = root, []
    for index in range(building.MAX_CONSIDERED + 1):
        ca = ca.subordinate(f"第{index}级")
        chain.append(ca.certificate.der)
        if index == building.MAX_CONSIDERED - 1:
            found = judged(ca.issue(unit(KIND)).der, chain, root)
            assert isinstance(found, Path)
            assert len(found.certificates) == building.MAX_CONSIDERED + 2
    assert step(judged(ca.issue(unit(KIND)).der, chain, root)) == "too_complex"


def test_cas_that_certify_each_other_lead_nowhere(root: Authority) -> None:
    one, other = root.subordinate("甲"), root.subordinate("乙")
    crossed = [
        other.issue(one.certificate.spec).der,
        one.issue(other.certificate.spec).der,
    ]
    assert step(judged(one.issue(unit(KIND)).der, crossed, root)) == "no_anchor"
    assert isinstance(judged(one.issue(unit(KIND)).der, [*crossed, other.certificate.der], root), Path)


def crowd(number: int, anchored: bool) -> tuple[bytes, list[bytes], Authority]:
    """CAs of the anchor's own name, each certified by another, with nothing that tells their keys apart."""
    root = Authority.root(KIND, "同名", key_ids=False, extensions=(der.basic_constraints(True),))
    keys = [Key(KIND, f"crowd {index}") for index in range(number)]
    made = []
    for index, key in enumerate(keys):
        spec = replace(root.certificate.spec, key=key, extensions=(der.basic_constraints(True),))
        made.append(replace(root, key=keys[(index + 1) % number]).issue(spec).der)
    leaf = replace(root, key=keys[0]).issue(unit(KIND), key_ids=False).der
    return leaf, made, root if anchored else Authority.root(KIND, "别的")


@pytest.mark.parametrize("anchored", [False, True])
def test_a_crowd_in_which_every_order_is_a_path_is_refused(anchored: bool) -> None:
    assert step(judged(*crowd(30, anchored))) == "too_complex"


def test_a_way_to_an_anchor_is_taken_from_a_chain_of_pain() -> None:
    """A cross-certificate that has expired does not hide the anchor that its CA has become since."""
    old, new = Authority.root(KIND, "旧根"), Authority.root(KIND, "新根")
    cross = old.issue(replace(new.certificate.spec, not_after=AT.replace(year=2020)))
    leaf = new.issue(unit(KIND))
    anchors = [old.certificate.der, new.certificate.der]
    assert len(validate_path(leaf.der, [cross.der], anchors, AT).certificates) == 2
    with pytest.raises(PathError) as caught:
        validate_path(leaf.der, [cross.der], anchors[:1], AT)
    assert caught.value.step == "validity"


def test_too_many_anchors_of_one_name_are_refused() -> None:
    anchors = [Authority.root(KIND, seed=f"anchor {index}") for index in range(building.MAX_CANDIDATES + 1)]
    for key_ids in (True, False):
        leaf = anchors[-1].issue(unit(KIND), key_ids=key_ids).der
        if key_ids:
            assert len(validate_path(leaf, [], [one.certificate.der for one in anchors], AT).certificates) == 2
        else:
            with pytest.raises(PathError) as caught:
                validate_path(leaf, [], [one.certificate.der for one in anchors], AT)
            assert caught.value.step == "too_complex"


def test_an_anchor_that_does_not_hold_is_not_looked_for_elsewhere(root: Authority) -> None:
    expired = Authority.root(KIND, not_after=AT.replace(year=2020))
    above = root.issue(expired.certificate.spec)
    assert step(judged(expired.certificate.der, [above.der], expired)) == "validity"


def test_constraints_that_cost_much_stay_within_the_goal(root: Authority) -> None:
    bases = [der.directory_name(Subject(common_name=f"{index}" + "很长" * 30).der) for index in range(60)]
    names_ = [der.directory_name(Subject(common_name=f"名{index}" + "很长" * 30).der) for index in range(30)]
    many = siblings(root, 10, more=(der.name_constraints((), bases),))
    assert len(bases) * (len(names_) + 3) <= names.MAX_COMPARISONS
    leaf = many[-1].issue(unit(KIND), key_ids=False, more=(der.alternative_names(*names_),))
    assert isinstance(judged(leaf.der, [one.certificate.der for one in many], root), Path)


def test_policies_that_cost_much_stay_within_the_goal(root: Authority) -> None:
    policies = [f"1.2.156.999999.{index}" for index in range(40)]
    pairs = (der.sequence(der.oid(one), der.oid(other)) for one in policies for other in policies)
    mapped = Extension("2.5.29.33", der.sequence(*pairs))
    ca, chain = root, []
    for index in range(5):
        ca = ca.subordinate(f"第{index}级", more=(der.certificate_policies(*policies), mapped))
        chain.append(ca.certificate.der)
    leaf = ca.issue(unit(KIND), more=(der.certificate_policies(*policies),))
    assert step(judged(leaf.der, chain, root)) == "policy"
    assert sum(map(len, chain)) < building.MAX_BYTES


# Signatures are counted


def test_each_signature_is_verified_once_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[bytes] = []

    def verify(spki: bytes, algorithm: bytes, signature: bytes, message: bytes, usable: None) -> None:
        verified.append(signature)
        if signature.startswith(b"bad"):
            raise PathError("signature", "bad")

    monkeypatch.setattr(signatures, "verify", verify)
    checks = Signatures(None)
    for _ in range(2):
        checks.verify(b"key", b"algorithm", b"good", b"message")
        with pytest.raises(PathError, match="bad"):
            checks.verify(b"key", b"algorithm", b"bad", b"message")
    assert verified == [b"good", b"bad"]
    for index in range(signatures.MAX_SIGNATURES - 2):
        checks.verify(b"key", b"algorithm", b"%d" % index, b"message")
    with pytest.raises(PathError) as caught:
        checks.verify(b"key", b"algorithm", b"one more", b"message")
    assert caught.value.step == "too_complex"


def test_too_many_signatures_end_the_question(root: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "MAX_SIGNATURES", 1)
    ca = root.subordinate()
    assert step(judged(ca.issue(unit(KIND)).der, [ca.certificate.der], root)) == "too_complex"


def test_names_that_are_the_same_have_the_same_key() -> None:
    name = Subject(common_name="East CA").der
    assert rfc5280.name_key(name) == rfc5280.name_key(Subject(common_name=der.printable(" east  ca ")).der)
    assert rfc5280.name_key(name) != rfc5280.name_key(Subject(common_name="EastCA").der)
    for odd in (Subject(common_name=der.gb18030("重庆")), Subject(common_name="长" * 400)):
        assert rfc5280.name_key(odd.der) == odd.der
