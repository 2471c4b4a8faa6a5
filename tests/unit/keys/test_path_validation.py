import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import x509
from pyhanko_certvalidator import errors
from pyhanko_certvalidator._state import ValProcState
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.util import ConsList

from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import parse_certificate
from keys.errors import KeysError
from keys.path_validation import Path, PathError, Rules, rfc5280, validate_path
from tests.support import der_writer as der
from tests.support.der_writer import Extension, Subject
from tests.support.pki import AT, LIES, ODDITIES, Authority, Case, case, key_id, unit
from tests.support.unsafe_sm2 import Key

KIND = "p-256"
CLIENT, MAIL = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"


def refusal(leaf: bytes, chain: Any, anchors: Any, at: datetime = AT, **more: Any) -> PathError:
    with pytest.raises(PathError) as caught:
        validate_path(leaf, chain, anchors, at, **more)
    return caught.value


def step(made: Case, **more: Any) -> str:
    return refusal(made.leaf.der, made.chain, [made.root.certificate.der], made.at, **more).step


def path(made: Case, **more: Any) -> Path:
    return validate_path(made.leaf.der, made.chain, [made.root.certificate.der], made.at, **more)


def hierarchy(
    root: dict[str, Any] | None = None,
    ca: dict[str, Any] | None = None,
    leaf: dict[str, Any] | None = None,
    below: dict[str, Any] | None = None,
) -> Case:
    """Root, one CA (or with `below` two) and a unit's lock, honest but for the changes."""
    top = Authority.root(KIND, **(root or {}))
    authority = top.subordinate(**(ca or {}))
    if below is not None:
        authority = authority.subordinate("重庆测试二级CA", **below)
    lock = authority.issue(replace(unit(KIND), **(leaf or {})))
    return Case(root=top, authority=authority, leaf=lock, crls=(), root_crl=b"")


# What holds


@pytest.mark.parametrize("kind", ["sm2", "p-256", "p-384", "rsa-2048", "ed25519"])
def test_a_path_of_every_kind_of_key_holds(kind: str) -> None:
    made = case("", (kind, kind, kind))
    found = path(made)
    assert [one.der for one in found.certificates] == [made.leaf.der, *made.authority.chain]
    assert not found.constrained
    assert not found.may_issue


def test_a_path_of_mixed_keys_holds() -> None:
    assert len(path(case("", ("rsa-2048", "p-384", "sm2"))).certificates) == 3


def test_a_path_says_when_all_of_it_is_valid() -> None:
    made = hierarchy(ca={"not_after": AT + timedelta(days=3)}, leaf={"not_before": AT - timedelta(days=2)})
    found = path(made)
    assert (found.not_before, found.not_after) == (AT - timedelta(days=2), AT + timedelta(days=3))
    for at in (found.not_before, found.not_after):
        assert path(replace(made, at=at)) == found
    for at in (found.not_before - timedelta(seconds=1), found.not_after + timedelta(seconds=1)):
        assert step(replace(made, at=at)) == "validity"


def test_parsed_certificates_and_der_are_the_same_to_it() -> None:
    made = hierarchy()
    parsed = [parse_certificate(one) for one in (made.leaf.der, *made.authority.chain)]
    assert validate_path(parsed[0], parsed[1:2], parsed[2:], AT) == path(made)


def test_the_path_of_a_ca_may_issue() -> None:
    made = hierarchy()
    ca, root = made.authority.chain
    assert validate_path(ca, [], [root], AT).may_issue
    assert validate_path(root, [], [root], AT).may_issue
    assert [one.der for one in validate_path(root, [], [root], AT).certificates] == [root]


@pytest.mark.parametrize(
    ("root", "ca", "below", "rules", "room"),
    [
        ({}, {}, None, Rules(), True),
        ({}, {"path_length": 0}, None, Rules(), True),
        ({"path_length": 0}, {}, None, Rules(), False),
        ({"path_length": 1}, {}, None, Rules(), True),
        ({"path_length": 1}, {}, {}, Rules(), False),
        ({"path_length": 2}, {}, {}, Rules(), True),
        ({}, {"path_length": 1}, {}, Rules(), True),
        ({}, {"path_length": 0}, {}, Rules(), False),
        ({}, {}, None, Rules(max_path_length=1), True),
        ({}, {}, None, Rules(max_path_length=0), False),
    ],
)
def test_a_ca_may_issue_where_a_certificate_below_it_holds(
    root: dict[str, Any], ca: dict[str, Any], below: dict[str, Any] | None, rules: Rules, room: bool
) -> None:
    made = hierarchy(root, ca, below=below)
    own, *above, anchor = made.authority.chain
    assert validate_path(own, above, [anchor], AT, rules=rules).may_issue is room
    if room:
        assert path(made, rules=rules).certificates
    else:
        assert step(made, rules=rules) == "path_length"


def test_self_issued_cas_are_not_counted_in_path_lengths() -> None:
    top = Authority.root(KIND, path_length=1)
    old = top.subordinate("重庆测试CA", path_length=0)
    # The same name with a new key, certified by the old one (RFC 5280 §3.2).
    new = old.subordinate("重庆测试CA", seed="new key")
    lock = new.issue(unit(KIND))
    own, *above, anchor = new.chain
    assert len(validate_path(lock.der, [own, *above], [anchor], AT).certificates) == 4
    assert validate_path(own, above, [anchor], AT).may_issue


def test_names_that_differ_in_string_type_case_and_spaces_are_the_same() -> None:
    root = Authority.root(KIND)
    ca = root.subordinate("East CA")
    written = Subject(organisation="EAST  ca有限公司", common_name=der.printable(" east CA"))
    leaf = ca.issue(unit(KIND), issuer=written.der)
    assert len(validate_path(leaf.der, ca.chain[:-1], [root.certificate.der], AT).certificates) == 3


REFUSED_ODDITIES = {"padded-serial", "empty-serial", "trailing-bytes"}  # not DER


@pytest.mark.parametrize("name", sorted(ODDITIES.keys() - REFUSED_ODDITIES))
def test_the_oddities_of_real_locks_do_not_break_a_path(name: str) -> None:
    assert len(path(case(name)).certificates) == 3


# What does not hold


SHOWN = {"signature", "path", "form"}  # what a path shows to be wrong


@pytest.mark.parametrize("kind", ["sm2", KIND])
@pytest.mark.parametrize("lie", [lie for lie, told in LIES.items() if told.about != "crl" and told.breaks in SHOWN])
def test_no_lie_of_a_ca_is_believed(lie: str, kind: str) -> None:
    refused = refusal(*shown(case(lie, (kind, kind, kind))))
    assert refused.code == ("path.no_anchor" if refused.step == "no_anchor" else "path.invalid")
    assert refused.step not in {"other", "too_complex"}


def shown(made: Case) -> tuple[bytes, tuple[bytes, ...], list[bytes]]:
    return made.leaf.der, made.chain, [made.root.certificate.der]


NOBODY = Subject(country=None)
ROOT_KEY_ID, CA_KEY_ID = (key_id(Key(KIND, f"/{name}")) for name in ("测试根CA", "重庆测试CA"))
UNKNOWN = Extension("1.2.156.999999.1", der.null(), True)
ALTERNATIVE = der.alternative_names(der.dns_name("example.cn"))

FAULTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "unknown critical of the anchor": ("unknown_critical_extension", {"root": {"more": (UNKNOWN,)}}),
    "unknown critical of a CA": ("unknown_critical_extension", {"ca": {"more": (UNKNOWN,)}}),
    "unknown critical of the leaf": ("unknown_critical_extension", {"leaf": {"more": (UNKNOWN,)}}),
    "anchor expired": ("validity", {"root": {"not_after": AT - timedelta(seconds=1)}}),
    "anchor in the future": ("validity", {"root": {"not_before": AT + timedelta(seconds=1)}}),
    "CA expired": ("validity", {"ca": {"not_after": AT - timedelta(seconds=1)}}),
    "CA in the future": ("validity", {"ca": {"not_before": AT + timedelta(seconds=1)}}),
    "anchor no CA": ("basic_constraints", {"root": {"ca": False, "key_usage": None}}),
    "anchor must not sign": ("key_usage", {"root": {"key_usage": ("cRLSign",)}}),
    "CA no CA": ("basic_constraints", {"ca": {"ca": None, "key_usage": None}}),
    "CA must not sign": ("key_usage", {"ca": {"key_usage": ("digitalSignature",)}}),
    "leaf that may sign": ("basic_constraints", {"leaf": {"key_usage": ("keyCertSign",)}}),
    "leaf with a path length": ("basic_constraints", {"leaf": {"ca": False, "path_length": 0}}),
    "serial of a CA": ("profile", {"ca": {"serial": -1}}),
    "issuer without a name": ("profile", {"root": {"issuer": der.name(())}}),
    "CA without a name": ("profile", {"root": {"subject": NOBODY}}),
    "constraints not critical": (
        "profile",
        {"ca": {"more": (replace(der.name_constraints([der.dns_name("a")]), critical=False),)}},
    ),
    "constraints on a leaf": ("profile", {"leaf": {"more": (der.name_constraints([der.dns_name("a")]),)}}),
    "nobody": ("profile", {"leaf": {"subject": NOBODY}}),
    "alternative name not critical": ("profile", {"leaf": {"subject": NOBODY, "more": (ALTERNATIVE,)}}),
    "CA without key identifier": (
        "key_identifier",
        {"ca": {"extensions": (der.basic_constraints(True), der.authority_key_id(ROOT_KEY_ID))}},
    ),
    "CA without issuer's key identifier": (
        "key_identifier",
        {"ca": {"extensions": (der.basic_constraints(True), der.subject_key_id(CA_KEY_ID))}},
    ),
    "same extension twice": ("malformed", {"ca": {"more": (der.basic_constraints(True),)}}),
}
FAULTS |= {
    f"{oid} critical": ("profile", {"leaf": {"extensions": (Extension(oid, value, True),)}})
    for oid, value in (
        ("2.5.29.35", der.sequence()),
        ("2.5.29.14", der.octet_string(b"1")),
        ("2.5.29.9", der.null()),
        ("2.5.29.46", der.sequence(der.distribution_point(["http://a.cn/"]))),
        ("1.3.6.1.5.5.7.1.1", der.null()),
        ("1.3.6.1.5.5.7.1.11", der.null()),
    )
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_refused_with_its_step(name: str) -> None:
    expected, changes = FAULTS[name]
    assert step(hierarchy(**changes)) == expected


def test_a_nameless_holder_with_a_critical_alternative_name_is_taken() -> None:
    critical = replace(ALTERNATIVE, critical=True)
    assert len(path(hierarchy(leaf={"subject": NOBODY, "more": (critical,)})).certificates) == 3


def test_nobody_is_trusted_without_an_anchor() -> None:
    made = hierarchy()
    ca, root = made.authority.chain
    for chain, anchors in (([ca, root], []), ([], [root]), ([ca], [Authority.root(KIND, "别的根CA").certificate.der])):
        refused = refusal(made.leaf.der, chain, anchors)
        assert (refused.code, refused.step) == ("path.no_anchor", "no_anchor")


def test_another_ca_of_the_same_name_is_not_the_issuer() -> None:
    made, other = hierarchy(), Authority.root(KIND, seed="other").subordinate(seed="other")
    refused = refusal(made.leaf.der, other.chain[:-1], [other.chain[-1]])
    assert refused.code == "path.no_anchor"
    # Nor without key identifiers to tell them apart.
    bare = replace(made, leaf=made.authority.issue(unit(KIND), key_ids=False))
    assert refusal(bare.leaf.der, other.chain[:-1], [other.chain[-1]]).step == "signature"
    assert len(path(bare).certificates) == 3


def test_the_issuer_of_that_serial_number_is_meant_where_no_key_is_named() -> None:
    made = hierarchy()
    for serial, holds in ((made.authority.certificate.serial, True), (7, False)):
        names = der.implicit(1, der.sequence(der.directory_name(made.root.subject.der)))
        number = der.implicit(2, der.integer(serial))
        said = Extension("2.5.29.35", der.sequence(names, number))
        leaf = made.authority.issue(unit(KIND), extensions=(said,))
        if holds:
            assert len(validate_path(leaf.der, made.chain, [made.root.certificate.der], AT).certificates) == 3
        else:
            assert refusal(leaf.der, made.chain, [made.root.certificate.der]).code == "path.no_anchor"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_certificate_is_refused_wherever_it_stands(place: int) -> None:
    given: list[Any] = list(shown(hierarchy()))
    given[place] = b"0\x03\x02\x01\x01" if place == 0 else [b"0\x03\x02\x01\x01"]
    refused = refusal(*given)
    assert (refused.code, refused.step) == ("path.invalid", "malformed")


def test_a_purpose_that_is_left_out_is_refused() -> None:
    assert path(hierarchy(), purpose=CLIENT).certificates
    for purposes, holds in (((CLIENT,), True), ((MAIL,), False), ((MAIL, "2.5.29.37.0"), True)):
        made = hierarchy(leaf={"extended_key_usage": purposes})
        if holds:
            assert path(made, purpose=CLIENT).certificates
        else:
            assert step(made, purpose=CLIENT) == "purpose"


def test_an_algorithm_that_may_not_be_relied_on_is_refused() -> None:
    asked: list[tuple[str, str]] = []

    def usable(scheme: SignatureScheme, key: VerifyingKey) -> str | None:
        asked.append((scheme.name, key.family))
        return "too old" if scheme.name == "ecdsa-sha256" else None

    made = case("", ("sm2", "p-256", "sm2"))
    refused = refusal(*shown(made), usable=usable)
    assert (refused.step, refused.detail) == ("algorithm", "too old")
    assert asked == [("sm2-sm3", "sm2"), ("ecdsa-sha256", "ec")]
    assert path(case(""), usable=usable).certificates


def test_a_refusal_names_no_holder() -> None:
    for lie in ("expired", "name-constraints", "wrong-signer", "unknown-critical-extension"):
        refused = refusal(*shown(case(lie)))
        assert "测试" not in str(refused)


# Revocation, where CRLs are given


def revoking(
    kind: str = KIND, revoked: bool = False, ca_revoked: bool = False, **changes: Any
) -> tuple[Case, list[bytes]]:
    made = case("", (kind, kind, kind))
    lists = [
        made.root.crl([made.authority.certificate.revoked()] if ca_revoked else []),
        made.authority.crl([made.leaf.revoked()] if revoked else [], **changes),
    ]
    return made, lists


@pytest.mark.parametrize("kind", ["sm2", KIND])
def test_crls_are_judged_with_the_path(kind: str) -> None:
    made, crls = revoking(kind)
    assert path(made, crls=crls).certificates
    made, crls = revoking(kind, revoked=True)
    assert step(made, crls=crls) == "revoked"
    made, crls = revoking(kind, ca_revoked=True)
    assert step(made, crls=crls) == "revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"signed_by": Key(KIND, "intruder")},
        {"next_update": AT - timedelta(hours=1)},
        {"this_update": AT + timedelta(hours=1)},
    ],
)
def test_a_crl_that_cannot_be_relied_on_shows_nothing(changes: dict[str, Any]) -> None:
    made, crls = revoking(**changes)
    assert step(made, crls=crls) == "revocation"


def test_a_missing_crl_is_not_a_good_one() -> None:
    made, crls = revoking()
    assert step(made, crls=[]) == "revocation"
    assert step(made, crls=crls[:1]) == "revocation"
    assert step(made, crls=crls[1:]) == "revocation"


def test_crls_that_are_none_or_too_large_are_refused() -> None:
    made, crls = revoking()
    assert step(made, crls=[*crls, b"0\x03\x02\x01\x01"]) == "malformed"
    assert step(made, crls=[*crls, bytes(rfc5280.MAX_CRL_BYTES)]) == "too_complex"


def test_the_signer_of_an_indirect_crl_is_found_among_what_is_offered() -> None:
    made = hierarchy()
    signer = made.root.subordinate("吊销列表签发者", key_usage=("cRLSign",), ca=None)
    point = der.distribution_point(["http://a.cn/crl"], signer.subject.der)
    leaf = made.authority.issue(unit(KIND), points=(point,))
    part = der.IssuingDistributionPoint(uris=("http://a.cn/crl",), indirect=True)
    good = signer.crl([], part=part)
    revoked = signer.crl([replace(leaf.revoked(), issuer=made.authority.subject.der)], part=part)
    odd = made.root.issue(replace(unit(KIND), subject=case("gb18030-name", (KIND, KIND, KIND)).leaf.spec.subject))
    broken = made.root.issue(unit(KIND), more=(UNKNOWN,))
    chain = [*made.chain, signer.certificate.der, odd.der, broken.der]
    anchors, root_crl = [made.root.certificate.der], made.root.crl()
    assert validate_path(leaf.der, chain, anchors, AT, crls=[root_crl, good]).certificates
    assert refusal(leaf.der, chain, anchors, crls=[root_crl, revoked]).step == "revoked"
    assert refusal(leaf.der, made.chain, anchors, crls=[root_crl, good]).step == "revocation"


# The library behind it


HEAVY = "'asyncio', 'aiohttp', 'socket', 'asn1crypto', 'pyhanko_certvalidator'"


def test_nothing_heavy_is_loaded_until_a_path_is_judged() -> None:
    program = f"import sys, keys.path_validation; print([name for name in ({HEAVY}) if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_judging_a_path_loads_no_fetcher() -> None:
    assert path(case("")).certificates
    assert not [name for name in sys.modules if name.startswith("pyhanko_certvalidator.fetchers.aiohttp")]


def test_a_library_that_waits_for_something_is_an_error_of_ours() -> None:
    class Waiting:
        def __await__(self) -> Any:
            yield

    async def waiting() -> None:
        await Waiting()

    with pytest.raises(RuntimeError, match="waits for something"):
        rfc5280._run(waiting())


def test_what_the_library_lets_out_becomes_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*anything: Any) -> Any:
        raise TypeError("a slip of the library")

    monkeypatch.setattr(rfc5280, "_validate", broken)
    refused = refusal(*shown(hierarchy()))
    assert (refused.step, refused.detail) == ("malformed", "the path cannot be read (TypeError)")
    assert isinstance(refused, KeysError)


def test_a_refusal_that_is_not_known_yet_is_still_one() -> None:
    made = hierarchy()
    root = x509.Certificate.load(made.root.certificate.der)
    state = ValProcState(cert_path_stack=ConsList.sing(ValidationPath(CertTrustAnchor(root), [], None)))
    assert rfc5280._refusal(errors.PathValidationError("something new", proc_state=state)).step == "other"
