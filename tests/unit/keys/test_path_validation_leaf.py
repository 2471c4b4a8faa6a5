"""The holder's own step, held against the whole validation and against certvalidator with nothing of ours in it."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, ValidationError
from pyhanko_certvalidator.validate import async_validate_path

from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import parse_certificate
from keys.errors import KeysError
from keys.path_validation import Path, PathError, Rules, leaf_step, validate_path
from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, CA_USAGE, LIES, ODDITIES, Authority, Case, Issued, case, key_id, unit
from tests.support.unsafe_sm2 import Key

KIND = "p-256"
CLIENT, MAIL = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"
UNKNOWN = Extension("1.2.156.999999.1", der.null(), True)


def ca_path(authority: Authority, at: datetime = AT, **more: Any) -> Path:
    own, *above = authority.chain
    return validate_path(own, above[:-1], [authority.chain[-1]], at, **more)


def refusal(leaf: bytes, path: Path, at: datetime = AT, **more: Any) -> PathError:
    with pytest.raises(PathError) as caught:
        leaf_step(parse_certificate(leaf), path, at, **more)
    return caught.value


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.root(KIND).subordinate()


@pytest.fixture(scope="module")
def path(authority: Authority) -> Path:
    return ca_path(authority)


# With the whole validation


def by_step(made: Case) -> KeysError | None:
    try:
        leaf_step(parse_certificate(made.leaf.der), ca_path(made.authority, made.at), made.at)
    except KeysError as error:
        return error
    return None


def whole(made: Case) -> KeysError | None:
    try:
        validate_path(made.leaf.der, made.chain, [made.root.certificate.der], made.at)
    except KeysError as error:
        return error
    return None


@pytest.mark.parametrize("kind", ["sm2", KIND, "rsa-2048"])
@pytest.mark.parametrize("name", ["", *LIES, *ODDITIES])
def test_the_step_says_what_the_whole_validation_says(name: str, kind: str) -> None:
    made = case(name, (kind, kind, kind))
    one, other = by_step(made), whole(made)
    assert (one is None) == (other is None)
    if isinstance(one, PathError) and isinstance(other, PathError) and other.step != "no_anchor":
        assert one.step == other.step


def test_the_step_gives_the_path_that_the_whole_validation_gives(authority: Authority, path: Path) -> None:
    leaf = authority.issue(unit(KIND))
    one = leaf_step(parse_certificate(leaf.der), path, AT)
    other = validate_path(leaf.der, authority.chain[:-1], authority.chain[-1:], AT)
    assert other.policies == frozenset()
    assert one == structs.replace(other, policies=None)


# With certvalidator alone


def certvalidator_accepts(leaf: bytes, authority: Authority, at: datetime) -> bool:
    chain = [x509.Certificate.load(one) for one in (leaf, *authority.chain)]
    context = ValidationContext(
        trust_roots=chain[-1:], other_certs=chain[1:-1], moment=at, time_tolerance=timedelta(0), allow_fetching=False
    )

    async def run() -> bool:
        for candidate in await context.path_builder.async_build_paths(chain[0]):
            try:
                await async_validate_path(context, candidate)
            except ValidationError:
                continue
            return True
        return False

    try:
        return asyncio.run(run())
    except PathBuildingError:
        return False


# What certvalidator looks at as well as we do; the rest of our steps are about what it takes for granted.
SHARED_STEPS = {"signature", "validity", "issuer_name", "key_identifier", "unknown_critical_extension", "policy"}

OTHER_KEY = Key(KIND, "intruder")
SPELLINGS = (
    Subject(organisation="重庆测试CA有限公司", common_name=" 重庆测试ca "),
    Subject(organisation="重庆测试CA有限公司", common_name=der.bmp("重庆测试CA")),
    Subject(organisation="重庆测试CA有限公司", common_name="重庆测试CB"),
    Subject(common_name="重庆测试CA", organisation="重庆测试CA有限公司", unit="x"),
)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "not_before": st.sampled_from(
            [AT - timedelta(days=9), AT - timedelta(seconds=1), AT, AT + timedelta(seconds=1)]
        ),
        "not_after": st.sampled_from(
            [AT + timedelta(days=9), AT + timedelta(seconds=1), AT, AT - timedelta(seconds=1)]
        ),
        "issuer": st.sampled_from([spelling.der for spelling in SPELLINGS]),
        "signed_by": st.sampled_from([OTHER_KEY, Key("p-384", "intruder")]),
        "scheme": st.sampled_from(["ecdsa-sha256", "ecdsa-sha384"]),
        "key_ids": st.booleans(),
        "ca": st.sampled_from([None, False, True]),
        "key_usage": st.sampled_from([None, ("digitalSignature",), CA_USAGE, ("dataEncipherment",)]),
        "serial": st.sampled_from([0, -1, 1, 1 << 200]),
        "version": st.sampled_from([2, 2, None]),
        "more": st.lists(
            st.sampled_from(
                [
                    UNKNOWN,
                    replace(UNKNOWN, critical=False),
                    der.certificate_policies("1.2.156.999999.2.1"),
                    der.certificate_policies("1.2.156.999999.2.1", critical=True),
                    der.extended_key_usage([MAIL], critical=True),
                    der.alternative_names(der.dns_name("example.cn")),
                    der.name_constraints([der.dns_name("example.cn")]),
                    der.distribution_points(der.distribution_point(["http://a.cn/crl"])),
                    Extension("2.5.29.54", der.integer(0), True),
                    Extension("2.5.29.36", der.sequence(der.implicit(0, der.integer(0))), True),
                ]
            ),
            max_size=2,
        ).map(tuple),
    },
)


@pytest.mark.no_cover
def test_the_step_accepts_nothing_that_certvalidator_refuses_and_says_why_it_refuses_more(
    authority: Authority, path: Path
) -> None:
    seen = {True: 0, False: 0}

    @settings(max_examples=300, deadline=None)
    @given(CHANGES)
    def law(changes: dict[str, Any]) -> None:
        leaf = authority.issue(unit(KIND), **changes).der
        try:
            leaf_step(parse_certificate(leaf), path, AT)
            step = None
        except PathError as error:
            step = error.step
        except KeysError as error:
            step = error.code
        accepted = certvalidator_accepts(leaf, authority, AT)
        seen[accepted] += 1
        if step is None:
            assert accepted
        if accepted:
            assert step not in SHARED_STEPS

    law()
    assert min(seen.values()) > 10


# What it refuses


def test_only_a_ca_with_room_may_issue(authority: Authority) -> None:
    leaf = authority.issue(unit(KIND))
    holder = validate_path(leaf.der, authority.chain[:-1], authority.chain[-1:], AT)
    assert refusal(leaf.der, holder).step == "basic_constraints"
    full = ca_path(authority, rules=Rules(max_path_length=0))
    assert refusal(leaf.der, full).step == "path_length"


def test_a_ca_is_no_holder(authority: Authority, path: Path) -> None:
    for changes in ({"ca": True}, {"ca": True, "key_usage": CA_USAGE}, {"key_usage": CA_USAGE}):
        assert refusal(authority.issue(unit(KIND), **changes).der, path).step == "basic_constraints"


def test_the_path_of_a_ca_serves_at_other_instants_of_its_validity(authority: Authority) -> None:
    early = ca_path(authority, AT - timedelta(days=1000))
    leaf = authority.issue(unit(KIND))
    assert leaf_step(parse_certificate(leaf.der), early, AT).certificates[0].der == leaf.der


def test_the_path_of_a_ca_must_hold_at_the_instant_too() -> None:
    for changes in ({"not_after": AT}, {"not_before": AT}):
        authority = Authority.root(KIND).subordinate(**changes)
        path = ca_path(authority)
        leaf = authority.issue(unit(KIND))
        assert leaf_step(parse_certificate(leaf.der), path, AT).certificates
        outside = AT + timedelta(seconds=1 if "not_after" in changes else -1)
        assert refusal(leaf.der, path, outside).step == "validity"


def test_validity_includes_its_first_and_last_second(authority: Authority, path: Path) -> None:
    leaf = authority.issue(unit(KIND), not_before=AT, not_after=AT + timedelta(seconds=9))
    for at, holds in ((-1, False), (0, True), (9, True), (9.5, False), (10, False)):
        instant = AT + timedelta(seconds=at)
        assert certvalidator_accepts(leaf.der, authority, instant) is holds
        if holds:
            assert leaf_step(parse_certificate(leaf.der), path, instant).not_after == AT + timedelta(seconds=9)
        else:
            assert refusal(leaf.der, path, instant).step == "validity"


def test_another_name_or_key_of_the_issuer_is_refused(authority: Authority, path: Path) -> None:
    assert refusal(authority.issue(unit(KIND), issuer=SPELLINGS[2].der).der, path).step == "issuer_name"
    other = Authority.root(KIND).subordinate(seed="other")
    assert refusal(other.issue(unit(KIND)).der, path).step == "key_identifier"
    assert refusal(other.issue(unit(KIND), key_ids=False).der, path).step == "signature"
    assert refusal(authority.issue(unit(KIND), signed_by=OTHER_KEY).der, path).step == "signature"


@pytest.mark.parametrize("spelling", SPELLINGS[:2])
def test_the_issuers_name_may_be_spelt_otherwise(authority: Authority, path: Path, spelling: Subject) -> None:
    leaf = authority.issue(unit(KIND), issuer=spelling.der)
    assert leaf_step(parse_certificate(leaf.der), path, AT).certificates


def test_a_name_that_nobody_can_compare_is_the_same_only_byte_for_byte() -> None:
    odd = Subject(common_name=der.gb18030("重庆测试CA"))
    ca = Authority.root(KIND).subordinate(subject=odd)
    authority = replace(ca, subject=odd)
    leaf = authority.issue(unit(KIND))
    path = ca_path(authority)
    assert leaf_step(parse_certificate(leaf.der), path, AT).certificates
    other = authority.issue(unit(KIND), issuer=Subject(common_name="重庆测试CA").der)
    assert refusal(other.der, path).step == "issuer_name"


def test_purposes_are_held_against_the_leaf(authority: Authority, path: Path) -> None:
    leaf = authority.issue(unit(KIND), extended_key_usage=(MAIL,))
    assert leaf_step(parse_certificate(leaf.der), path, AT, purpose=MAIL).certificates
    assert refusal(leaf.der, path, purpose=CLIENT).step == "purpose"


def test_what_may_not_be_relied_on_is_asked_for_the_one_signature(authority: Authority, path: Path) -> None:
    asked: list[str] = []

    def usable(scheme: SignatureScheme, key: VerifyingKey) -> str | None:
        asked.append(f"{scheme.name} {key.curve}")
        return "not any more"

    assert refusal(authority.issue(unit(KIND)).der, path, usable=usable).detail == "not any more"
    assert asked == ["ecdsa-sha256 p-256"]


# Under constraints


def constrained(*permitted: bytes, **rules: Any) -> tuple[Authority, Path]:
    authority = Authority.root(KIND).subordinate(more=(der.name_constraints(permitted),) if permitted else ())
    return authority, ca_path(authority, rules=Rules(**rules))


def test_constraints_on_names_are_judged_whole() -> None:
    authority, path = constrained(der.directory_name(unit(KIND).subject.der))
    assert path.constrained
    leaf = authority.issue(unit(KIND))
    found = leaf_step(parse_certificate(leaf.der), path, AT, purpose=CLIENT)
    assert found.constrained
    assert found.policies is not None
    assert refusal(authority.issue(unit(KIND, 2)).der, path).step == "name_constraints"


def test_constraints_change_nothing_in_the_other_steps() -> None:
    authority, path = constrained(der.directory_name(unit(KIND).subject.der))
    steps = {
        "issuer_name": {"issuer": SPELLINGS[2].der},
        "key_identifier": {"extensions": (der.authority_key_id(b"other"),)},
        "signature": {"signed_by": OTHER_KEY, "key_ids": False},
        "validity": {"not_after": AT - timedelta(days=1)},
        "basic_constraints": {"ca": True},
        "unknown_critical_extension": {"more": (UNKNOWN,)},
        "purpose": {"extended_key_usage": (MAIL,)},
    }
    for step, changes in steps.items():
        assert refusal(authority.issue(unit(KIND), **changes).der, path, purpose=CLIENT).step == step


def test_policies_that_the_rules_ask_for_are_asked_of_the_leaf() -> None:
    policy = "1.2.156.999999.2.1"
    authority = Authority.root(KIND).subordinate(more=(der.certificate_policies(policy),))
    rules = Rules(initial_policies=frozenset({policy}), explicit_policy=True)
    path = ca_path(authority, rules=rules)
    held = authority.issue(unit(KIND), more=(der.certificate_policies(policy),))
    assert leaf_step(parse_certificate(held.der), path, AT).policies == {policy}
    assert refusal(authority.issue(unit(KIND)).der, path).step == "policy"


def test_a_leaf_can_ask_for_a_policy_itself(authority: Authority, path: Path) -> None:
    """RFC 5280 §6.1.5 (b)."""
    asks = Extension("2.5.29.36", der.sequence(der.implicit(0, der.integer(0))), True)
    leaf = authority.issue(unit(KIND), more=(asks,))
    assert refusal(leaf.der, path).step == "policy"
    assert not certvalidator_accepts(leaf.der, authority, AT)


def test_a_key_identifier_of_the_issuers_own_is_enough(authority: Authority, path: Path) -> None:
    leaf = authority.issue(unit(KIND), extensions=(der.authority_key_id(key_id(authority.key)),))
    assert leaf_step(parse_certificate(leaf.der), path, AT).certificates


@pytest.mark.no_cover
def test_no_bit_of_a_lock_can_change(authority: Authority, path: Path) -> None:
    leaf: Issued = authority.issue(unit(KIND))
    assert leaf_step(parse_certificate(leaf.der), path, AT).certificates

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 8 * len(leaf.der) - 1))
    def law(bit: int) -> None:
        changed = bytearray(leaf.der)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeysError):
            leaf_step(parse_certificate(bytes(changed)), path, AT)

    law()
