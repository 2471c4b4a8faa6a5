"""Whatever bytes come, only KeysError goes out; and OpenSSL, asked the same, says the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st
from OpenSSL import crypto

from keys.certificate import parse_certificate
from keys.errors import KeysError
from keys.path_validation import Path, PathError, leaf_step, validate_path
from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, CA_USAGE, Authority, Case, case, unit
from tests.support.unsafe_sm2 import Key

KIND = "p-256"
# So many examples are slow to trace; the other files of path validation reach every branch.
pytestmark = pytest.mark.no_cover


def judged(leaf: bytes, chain: Sequence[bytes], anchors: Sequence[bytes], **more: Any) -> Path | PathError:
    """The path or the refusal; anything else that is raised is a fault of ours."""
    try:
        return validate_path(leaf, chain, anchors, AT, **more)
    except PathError as error:
        return error


def verdict(leaf: bytes, chain: Sequence[bytes], anchors: Sequence[bytes], **more: Any) -> Path | None:
    """The path, None where it is refused."""
    found = judged(leaf, chain, anchors, **more)
    return found if isinstance(found, Path) else None


def the_step_agrees(leaf: bytes, authority: Authority) -> bool:
    """Whether the leaf's own step and the whole validation accept the same, but for what only certvalidator reads."""
    own, *above, anchor = authority.chain
    top = verdict(own, above, [anchor])
    if top is None:
        return verdict(leaf, authority.chain[:-1], [anchor]) is None
    found = judged(leaf, authority.chain[:-1], [anchor])
    try:
        leaf_step(parse_certificate(leaf), top, AT)
    except KeysError:
        return isinstance(found, PathError)
    return isinstance(found, Path) or found.detail.startswith("the path cannot be read")


HONEST = case("", (KIND, KIND, KIND))
ROOT = HONEST.root.certificate.der


@given(st.lists(st.binary(max_size=200), max_size=4), st.binary(max_size=200), st.integers(0, 3))
def test_garbage_is_refused_wherever_it_stands(others: list[bytes], garbage: bytes, place: int) -> None:
    given_: list[Any] = [HONEST.leaf.der, list(HONEST.chain), [ROOT], [HONEST.root_crl, *HONEST.crls]]
    given_[place] = garbage if place == 0 else [garbage, *others]
    assert verdict(*given_[:3], crls=given_[3]) is None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_bit_below_the_anchor_is_refused(data: st.DataObject) -> None:
    shown = [HONEST.leaf.der, *HONEST.chain]
    place = data.draw(st.integers(0, len(shown) - 1))
    changed = bytearray(shown[place])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    shown[place] = bytes(changed)
    assert verdict(shown[0], shown[1:], [ROOT]) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_anchor_that_was_changed_makes_no_other_fault_than_a_refusal(data: st.DataObject) -> None:
    changed = bytearray(ROOT)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    found = verdict(HONEST.leaf.der, HONEST.chain, [bytes(changed)])
    if found is not None:
        # What may differ is what an anchor is not asked for.
        assert found.certificates[-1].spki == parse_certificate(ROOT).spki


# The count of unused bits of the signature, whose last bit happens to be zero.
UNUSED_BITS = HONEST.crls[-1].rindex(b"\x03\x48\x00\x30") + 2


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(HONEST.crls[-1]) - 1), st.integers(1, 255))
@example(UNUSED_BITS, 1)
def test_a_changed_crl_shows_nothing(place: int, change: int) -> None:
    changed = bytearray(HONEST.crls[-1])
    changed[place] ^= change
    assert verdict(HONEST.leaf.der, HONEST.chain, [ROOT], crls=[HONEST.root_crl, bytes(changed)]) is None


OIDS = (
    "2.5.29.9", "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.18", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.32",
    "2.5.29.33", "2.5.29.35", "2.5.29.36", "2.5.29.37", "2.5.29.46", "2.5.29.54", "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.11", "1.3.6.1.5.5.7.1.3", "1.3.6.1.5.5.7.48.1.5", "1.3.6.1.5.5.7.1.6", "1.2.156.999999.1",
)  # fmt: skip

LEAVES = (
    st.binary(max_size=12).map(der.octet_string)
    | st.integers(-2, 300).map(der.integer)
    | st.booleans().map(der.boolean)
    | st.sampled_from(["2.5.29.32.0", "1.2.156.999999.2.1", "2.5.4.3"]).map(der.oid)
    | st.builds(
        der.tlv, st.sampled_from([0x80, 0x81, 0x82, 0x86, 0x87, 0x88, 0xA0, 0xA1, 0xA4]), st.binary(max_size=20)
    )
    | st.just(Subject(common_name="名").der)
)
VALUES = st.binary(max_size=30) | st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda tag, parts: der.tlv(tag, b"".join(parts)),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA2, 0xA4]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)
EXTENSIONS = st.lists(st.builds(Extension, st.sampled_from(OIDS), VALUES, st.booleans()), max_size=3).map(tuple)


@settings(max_examples=400, deadline=None)
@given(EXTENSIONS, EXTENSIONS, EXTENSIONS)
def test_signed_extensions_of_any_content_are_judged_or_refused(
    root: tuple[Extension, ...], ca: tuple[Extension, ...], leaf: tuple[Extension, ...]
) -> None:
    top = Authority.root(KIND, more=root)
    authority = top.subordinate(more=ca)
    lock = authority.issue(unit(KIND), more=leaf)
    crls = [top.crl(), authority.crl()]
    shown = lock.der, authority.chain[:-1], [top.certificate.der]
    # A CRL takes away, and gives nothing.
    assert verdict(*shown) is not None or verdict(*shown, crls=crls) is None
    assert the_step_agrees(lock.der, authority)


ATTRIBUTES = ["2.5.4.3", "2.5.4.6", "2.5.4.10", "1.2.840.113549.1.9.1", "2.5.4.45"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), VALUES), max_size=3).map(tuple))
def test_names_of_any_content_are_judged_or_refused(attributes: tuple[tuple[str, bytes], ...]) -> None:
    name = Subject(country=None, more=attributes)
    assert verdict(HONEST.authority.issue(unit(KIND), issuer=name.der).der, HONEST.chain, [ROOT]) is None
    leaf = HONEST.authority.issue(unit(KIND), subject=name)
    assert the_step_agrees(leaf.der, HONEST.authority)
    # Also of a CA, which then signs with that name.
    above = HONEST.root.subordinate(subject=name)
    assert the_step_agrees(above.issue(unit(KIND)).der, above)


# OpenSSL


def openssl_accepts(leaf: bytes, chain: Sequence[bytes], anchor: bytes, at: datetime) -> bool:
    read = [crypto.X509.from_cryptography(x509.load_der_x509_certificate(one)) for one in (leaf, *chain, anchor)]
    store = crypto.X509Store()
    store.add_cert(read[-1])
    store.set_time(at)
    store.set_flags(crypto.X509StoreFlags.X509_STRICT | crypto.X509StoreFlags.POLICY_CHECK)
    try:
        crypto.X509StoreContext(store, read[0], read[1:-1]).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


INTRUDER = {"signed_by": Key(KIND, "intruder")}
EXPIRED, LATER = {"not_after": AT - timedelta(days=1)}, {"not_before": AT + timedelta(days=1)}
UNKNOWN = {"more": (Extension("1.2.156.999999.1", der.null(), True),)}
OTHER_ISSUER = {"issuer": Subject(common_name="别家").der}
HOLDER = unit(KIND).subject

CA_CHANGES: list[dict[str, Any]] = [
    {},
    {},
    INTRUDER,
    EXPIRED,
    LATER,
    UNKNOWN,
    OTHER_ISSUER,
    {"path_length": 0},
    {"path_length": 1},
    {"ca": None, "key_usage": ("digitalSignature",)},
    {"key_usage": ("cRLSign",)},
    {"key_usage": ("keyCertSign",)},
    {"more": (der.name_constraints([der.directory_name(HOLDER.der)]),)},
    {"more": (der.name_constraints((), [der.directory_name(HOLDER.der)]),)},
    {"more": (der.name_constraints([der.dns_name("example.cn")]),)},
    {"more": (Extension("2.5.29.36", der.sequence(der.implicit(0, der.integer(0))), True),)},
]
LEAF_CHANGES: list[dict[str, Any]] = [
    {},
    {},
    INTRUDER,
    EXPIRED,
    LATER,
    UNKNOWN,
    OTHER_ISSUER,
    {"ca": False},
    {"subject": Subject(common_name="别人")},
    {"more": (der.alternative_names(der.dns_name("a.example.cn")),)},
    {"more": (der.alternative_names(der.dns_name("example.com")),)},
    {"key_usage": CA_USAGE},
]


def made(ca: dict[str, Any], below: dict[str, Any] | None, leaf: dict[str, Any], kind: str) -> Case:
    top = Authority.root(kind)
    authority = top.subordinate(**ca)
    if below is not None:
        authority = authority.subordinate("二级CA", **below)
    return Case(root=top, authority=authority, leaf=authority.issue(replace(unit(kind), **leaf)), crls=(), root_crl=b"")


@pytest.mark.parametrize("kind", [KIND, "rsa-2048"])
def test_openssl_says_the_same(kind: str) -> None:
    seen = {True: 0, False: 0}

    def about(change: dict[str, Any]) -> dict[str, Any]:
        return {**change, "signed_by": Key(kind, "intruder")} if "signed_by" in change else change

    @settings(max_examples=250, deadline=None)
    @given(
        st.sampled_from(CA_CHANGES),
        st.none() | st.sampled_from(CA_CHANGES),
        st.sampled_from(LEAF_CHANGES),
        st.booleans(),
    )
    def law(ca: dict[str, Any], below: dict[str, Any] | None, leaf: dict[str, Any], honest: bool) -> None:
        tried = made(about(ca), below if below is None else about(below), {} if honest else about(leaf), kind)
        ours = verdict(tried.leaf.der, tried.chain, [tried.root.certificate.der]) is not None
        theirs = openssl_accepts(tried.leaf.der, tried.chain, tried.root.certificate.der, AT)
        seen[ours] += 1
        assert ours == theirs

    law()
    assert min(seen.values()) > 10
