"""Names and policies that CAs constrain (RFC 5280 §4.2.1.10 to §4.2.1.14), and those that are not well-formed."""

from dataclasses import replace
from typing import Any

import pytest

from keys.path_validation import Path, PathError, Rules, validate_path
from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import Authority, Case, unit

KIND = "p-256"
POLICY, OTHER_POLICY = "1.2.156.999999.2.1", "1.2.156.999999.2.2"


def step(made: Case, **more: Any) -> str:
    with pytest.raises(PathError) as caught:
        path(made, **more)
    return caught.value.step


def path(made: Case, **more: Any) -> Path:
    return validate_path(made.leaf.der, made.chain, [made.root.certificate.der], made.at, **more)


def hierarchy(
    root: dict[str, Any] | None = None,
    ca: dict[str, Any] | None = None,
    leaf: dict[str, Any] | None = None,
) -> Case:
    """Root, one CA and a unit's lock, honest but for the changes."""
    top = Authority.root(KIND, **(root or {}))
    authority = top.subordinate(**(ca or {}))
    lock = authority.issue(replace(unit(KIND), **(leaf or {})))
    return Case(root=top, authority=authority, leaf=lock, crls=(), root_crl=b"")


def policy_constraints(explicit: int | None = None, mapping: int | None = None) -> Extension:
    given = {0: explicit, 1: mapping}
    parts = [der.implicit(tag, der.integer(number)) for tag, number in given.items() if number is not None]
    return Extension("2.5.29.36", der.sequence(*parts), True)


def policy_mappings(*pairs: tuple[str, str]) -> Extension:
    return Extension("2.5.29.33", der.sequence(*(der.sequence(der.oid(a), der.oid(b)) for a, b in pairs)))


def address(value: str) -> bytes:
    return der.tlv(0x87, bytes.fromhex(value))


def mail(value: str) -> bytes:
    return der.tlv(0x81, value.encode())


# Names


def test_address_constraints_are_judged_for_both_families() -> None:
    for networks, inside, outside in (
        ("c0000200ffffff00", "c0000201", "c0000301"),
        ("20010db8" + "00" * 12 + "ffffffff" + "00" * 12, "20010db8" + "00" * 11 + "01", "20010db9" + "00" * 12),
    ):
        permitted = {"more": (der.name_constraints([address(networks)]),)}
        excluded = {"more": (der.name_constraints((), [address(networks)]),)}
        within = {"more": (der.alternative_names(address(inside)),)}
        without = {"more": (der.alternative_names(address(outside)),)}
        assert path(hierarchy(ca=permitted, leaf=within)).constrained
        assert step(hierarchy(ca=permitted, leaf=without)) == "name_constraints"
        assert path(hierarchy(ca=excluded, leaf=without)).constrained
        assert step(hierarchy(ca=excluded, leaf=within)) == "name_constraints"
        # Also the anchor's, and also on a CA, but not on a self-issued one.
        assert step(hierarchy(root=permitted, leaf=without)) == "name_constraints"
        assert step(hierarchy(root=permitted, ca=without)) == "name_constraints"
        assert path(hierarchy(root=permitted, ca={**without, "subject": Authority.root(KIND).subject})).constrained


def test_an_address_of_one_family_is_no_name_of_the_other() -> None:
    permitted = {"more": (der.name_constraints([address("c0000200ffffff00")]),)}
    v6 = {"more": (der.alternative_names(address("20010db8" + "00" * 12)),)}
    assert step(hierarchy(ca=permitted, leaf=v6)) == "name_constraints"


def test_constraints_on_addresses_leave_the_others_as_they_are() -> None:
    permitted = [address("c0000200ffffff00"), der.dns_name("example.cn")]
    both = der.name_constraints(permitted, [der.dns_name("bad.example.cn")])
    held = (der.alternative_names(address("c0000201"), der.dns_name("www.example.cn")),)
    assert path(hierarchy(ca={"more": (both,)}, leaf={"more": held})).constrained
    for host in ("example.com", "x.bad.example.cn"):
        wrong = (der.alternative_names(address("c0000201"), der.dns_name(host)),)
        assert step(hierarchy(ca={"more": (both,)}, leaf={"more": wrong})) == "name_constraints"


@pytest.mark.parametrize(
    ("constraint", "name", "holds"),
    [
        (([mail("example.cn")], []), mail("a@example.cn"), True),
        (([mail("example.cn")], []), mail("a@example.com"), False),
        (([], [mail("a@example.cn")]), mail("a@example.cn"), False),
        (([der.uri_name(".example.cn")], []), der.uri_name("https://a.example.cn/x"), True),
        (([der.uri_name(".example.cn")], []), der.uri_name("https://example.com/x"), False),
        (([der.dns_name("example.cn")], []), der.dns_name("A.EXAMPLE.CN"), True),
        # A registered identifier under a constraint on such: nobody judges these, so they are refused.
        (([der.tlv(0x88, b"\x2a\x03")], []), der.tlv(0x88, b"\x2a\x03\x04"), False),
    ],
)
def test_constraints_on_other_names_are_judged(
    constraint: tuple[list[bytes], list[bytes]], name: bytes, holds: bool
) -> None:
    made = hierarchy(ca={"more": (der.name_constraints(*constraint),)}, leaf={"more": (der.alternative_names(name),)})
    if holds:
        assert path(made).constrained
    else:
        assert step(made) in {"name_constraints", "malformed"}


def test_constraints_on_directory_names_are_judged() -> None:
    inside = unit(KIND).subject.der
    permitted = {"more": (der.name_constraints([der.directory_name(inside)]),)}
    assert path(hierarchy(ca=permitted)).constrained
    assert step(hierarchy(ca=permitted, leaf={"subject": Subject(common_name="别人")})) == "name_constraints"
    assert step(hierarchy(ca={"more": (der.name_constraints((), [der.directory_name(inside)]),)})) == "name_constraints"


@pytest.mark.parametrize(
    "value",
    [
        b"not DER",
        der.sequence(),
        der.sequence(der.integer(1)),
        der.sequence(der.dns_name("")),
        der.sequence(der.dns_name(".example.cn")),
        der.sequence(der.dns_name("a b")),
        der.sequence(der.dns_name("a" * 64)),
        der.sequence(der.tlv(0x82, "例".encode())),
        der.sequence(mail("例@a.cn")),
        der.sequence(address("c0000200ffffff00")),
        der.sequence(der.tlv(0xA4, b"")),
        der.sequence(der.tlv(0xA4, der.integer(1))),
        der.sequence(der.tlv(0xA0, b"\x30\x7f")),
    ],
)
def test_malformed_alternative_names_are_refused(value: bytes) -> None:
    assert step(hierarchy(leaf={"more": (Extension("2.5.29.17", value),)})) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        der.sequence(),
        der.integer(1),
        der.sequence(der.sequence()),
        der.sequence(der.sequence(der.integer(1))),
        der.sequence(*[der.sequence(der.oid(POLICY))] * 2),
    ],
)
def test_malformed_policies_are_refused(value: bytes) -> None:
    assert step(hierarchy(leaf={"more": (Extension("2.5.29.32", value),)})) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        der.sequence(),
        der.integer(1),
        der.sequence(der.implicit(0, der.sequence())),
        der.sequence(der.implicit(2, der.sequence(der.sequence(der.dns_name("a"))))),
        der.sequence(*[der.implicit(0, der.sequence(der.sequence(der.dns_name("a"))))] * 2),
        der.sequence(der.implicit(0, der.sequence(der.sequence()))),
        der.sequence(der.implicit(0, der.sequence(der.sequence(der.dns_name("a"), der.implicit(0, der.integer(1)))))),
        der.sequence(der.implicit(0, der.sequence(der.sequence(der.dns_name(".a"))))),
        der.sequence(der.implicit(0, der.sequence(der.sequence(der.dns_name("*.a"))))),
        der.sequence(der.implicit(0, der.sequence(der.sequence(address("c0000200"))))),
        der.sequence(der.implicit(1, der.sequence(der.sequence(address("c0000200ff00ff00"))))),
        der.sequence(der.implicit(1, der.sequence(der.sequence(der.integer(1))))),
    ],
)
def test_malformed_name_constraints_are_refused(value: bytes) -> None:
    assert step(hierarchy(ca={"more": (Extension("2.5.29.30", value, True),)})) == "malformed"


def test_names_and_constraints_that_multiply_are_refused() -> None:
    many = [der.dns_name(f"h{number}.cn") for number in range(60)]
    made = hierarchy(ca={"more": (der.name_constraints((), many),)}, leaf={"more": (der.alternative_names(*many),)})
    assert step(made) == "too_complex"


def test_the_library_shows_no_names_on_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    web = {"more": (der.name_constraints([der.uri_name("example.cn")]),)}
    nowhere = {"more": (der.alternative_names(der.uri_name("https://10.0.0.1/somebody")),)}
    assert step(hierarchy(ca=web, leaf=nowhere)) == "name_constraints"
    assert capsys.readouterr() == ("", "")


# Policies


def with_policies(ca: tuple[str, ...], leaf: tuple[str, ...], *more: Extension) -> Case:
    above = (der.certificate_policies(*ca),) if ca else ()
    below = (der.certificate_policies(*leaf),) if leaf else ()
    return hierarchy(ca={"more": (*above, *more)}, leaf={"more": below})


def test_a_path_says_for_which_policies_it_is_valid() -> None:
    assert path(with_policies((POLICY, OTHER_POLICY), (POLICY,))).policies == {POLICY}
    assert path(with_policies((POLICY,), (OTHER_POLICY,))).policies == frozenset()
    assert path(with_policies(("2.5.29.32.0",), ("2.5.29.32.0",))).policies == {"2.5.29.32.0"}


def test_a_policy_that_is_asked_for_must_be_there() -> None:
    asked = Rules(initial_policies=frozenset({POLICY}), explicit_policy=True)
    found = path(with_policies((POLICY,), (POLICY,)), rules=asked)
    assert found.policies == {POLICY}
    assert found.constrained
    for made in (with_policies((OTHER_POLICY,), (OTHER_POLICY,)), with_policies((POLICY,), ()), hierarchy()):
        assert step(made, rules=asked) == "policy"


def test_a_ca_can_require_a_policy() -> None:
    assert step(with_policies((POLICY,), (OTHER_POLICY,), policy_constraints(explicit=0))) == "policy"
    assert path(with_policies((POLICY,), (POLICY,), policy_constraints(explicit=0))).constrained


def test_mapped_policies_count_unless_it_is_inhibited() -> None:
    made = with_policies((POLICY,), (OTHER_POLICY,), policy_mappings((POLICY, OTHER_POLICY)))
    asked = Rules(initial_policies=frozenset({POLICY}), explicit_policy=True)
    assert path(made, rules=asked).policies == {POLICY}
    assert step(made, rules=replace(asked, inhibit_policy_mapping=True)) == "policy"


def test_any_policy_stands_for_a_policy_unless_it_is_inhibited() -> None:
    made = with_policies(("2.5.29.32.0",), (POLICY,))
    asked = Rules(initial_policies=frozenset({POLICY}), explicit_policy=True)
    assert path(made, rules=asked).policies == {POLICY}
    assert step(made, rules=replace(asked, inhibit_any_policy=True)) == "policy"


@pytest.mark.parametrize(
    "extension",
    [
        policy_constraints(mapping=0),
        policy_mappings((POLICY, OTHER_POLICY)),
        Extension("2.5.29.54", der.integer(0), True),
        der.name_constraints([der.directory_name(der.name(()))]),
    ],
)
def test_what_constrains_a_path_is_told(extension: Extension) -> None:
    assert path(hierarchy(root={"more": (extension,)})).constrained
    assert path(hierarchy(ca={"more": (extension,)})).constrained


def test_policies_that_would_grow_without_bound_are_refused() -> None:
    many = tuple(f"1.2.156.999999.{number}" for number in range(200))
    assert step(with_policies(many, many)) == "policy"
