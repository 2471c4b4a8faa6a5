"""Trust anchors and accepted lists: every key of their files read or refused, and the look-ups of the two."""

from contextlib import suppress
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.document import LegalBasis, LocalText, PolicyDocument
from registry.errors import PolicyError
from registry.period import Period
from registry.policy import KnownDocument, PolicyHistory, build_policy
from registry.trust import (
    QUALIFIERS,
    AcceptedList,
    Trust,
    TrustAnchor,
    build_trust,
    key_digest,
    read_accepted_list,
    read_trust_anchor,
)
from tests.support.pki import Authority
from tests.unit.registry.locks import (
    AT,
    DAY,
    KIND,
    LONG_AGO,
    accepted,
    anchor,
    base64_of,
    ca,
    certificate_of,
    day,
    foreign,
    honest_lock,
    intermediate,
    judge,
    policy_documents,
    reissued,
    root,
    standing_files,
    world,
)
from tests.unit.registry.specimens import ABSENT, SOURCE, Content, document, edited

ROOT, CA = root().certificate.der, ca().certificate.der


def specimen(kind: str, content: Content) -> PolicyDocument:
    """A document with whatever content."""
    identity = str(content.get("id"))
    return PolicyDocument(kind=kind, id=identity, version=1, digest="sha256:0", source=SOURCE, content=content)


def read_anchor(content: Content) -> TrustAnchor:
    return read_trust_anchor(specimen("trust-anchor", content))


def read_list(content: Content) -> AcceptedList:
    return read_accepted_list(specimen("accepted-list", content))


FULL_ANCHOR = anchor(
    "t-root",
    ROOT,
    role="anchor",
    qualifiers=["bidding", "government-seal"],
    authority="aa-office",
    jurisdictions=["AA", "BB"],
    revocation_urls=["http://crl.example/1.crl"],
    revocation_hosts=["crl.example"],
    confidence="V",
    sources=["invented"],
    **{"from": "2020-01-01T08:00:00+08:00", "until": "2030-01-01T00:00:00Z"},
)
FULL_LIST = accepted(
    "l-bb",
    "t-root",
    {"ca": "t-ca", "from": "2024-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"},
    relying_party="bb-platform",
    confidence="V",
)


# Files


def test_an_anchor_is_read_as_written() -> None:
    made = read_anchor(FULL_ANCHOR)
    assert (made.id, made.version, made.role, made.authority, made.confidence) == (
        "t-root",
        1,
        "anchor",
        "aa-office",
        "V",
    )
    assert made.digest == "sha256:0"
    assert made.name == LocalText(zh="t-root", en="t-root (en)")
    assert made.certificate.der == ROOT
    assert made.key_digest == key_digest(certificate_of(root()))
    assert made.qualifiers == {"bidding", "government-seal"}
    assert made.jurisdictions == {"AA", "BB"}
    assert made.effective == Period(start=day("2020-01-01"), end=day("2030-01-01"))
    assert (made.revocation_urls, made.revocation_hosts) == (("http://crl.example/1.crl",), ("crl.example",))
    assert made.sources == ("invented",)


def test_what_an_anchor_does_not_say_is_the_widest_but_for_its_qualifiers() -> None:
    made = read_anchor(anchor("t-root", ROOT))
    assert (made.role, made.qualifiers, made.jurisdictions, made.effective) == (
        "anchor",
        frozenset({"bidding"}),
        frozenset(),
        Period(),
    )
    assert (made.authority, made.confidence, made.revocation_urls, made.revocation_hosts, made.sources) == (
        None,
        "S",
        (),
        (),
        (),
    )


def test_a_list_is_read_as_written() -> None:
    made = read_list(FULL_LIST)
    assert (made.id, made.version, made.jurisdiction, made.relying_party) == ("l-bb", 1, "BB", "bb-platform")
    assert made.digest == "sha256:0"
    assert made.purposes == ("sign", "encrypt", "any", "none")
    assert [(entry.ca, entry.period) for entry in made.entries] == [
        ("t-root", Period()),
        ("t-ca", Period(start=day("2024-01-01"), end=day("2025-01-01"))),
    ]
    assert (made.legal_basis, made.confidence, made.strength) == ((LegalBasis(instrument="名单"),), "V", "agreement")
    bare = read_list(accepted("l-bb"))
    assert (bare.relying_party, bare.entries, bare.confidence) == (None, (), "S")


LOCK = honest_lock()
WRONG_ANCHORS: list[tuple[str, Any, str, str]] = [
    ("id", ABSENT, "id", "missing"),
    ("id", "", "id", "text"),
    ("version", ABSENT, "version", "missing"),
    ("version", 0, "version", "at least 1"),
    ("version", True, "version", "whole number"),
    ("name", ABSENT, "name", "missing"),
    ("name", "根", "name", "table"),
    ("name/en", ABSENT, "name.en", "missing"),
    ("name/fr", "racine", "name.fr", "known: en, zh"),
    ("certificate", ABSENT, "certificate", "missing"),
    ("certificate", 7, "certificate", "text"),
    ("certificate", "not base64!", "certificate", "neither PEM nor base64"),
    ("certificate", base64_of(b"0\x03\x02\x01\x05"), "certificate", "is not a certificate"),
    ("certificate", root().certificate.pem + ca().certificate.pem, "certificate", "2 certificates"),
    ("certificate", LOCK.pem, "certificate", "certification authority"),
    ("role", "root", "role", "allowed: anchor, intermediate"),
    ("role", "intermediate", "qualifiers", "role 'anchor'"),
    ("qualifiers", ABSENT, "qualifiers", "role 'anchor', which needs them"),
    ("qualifiers", [], "qualifiers", "role 'anchor', which needs them"),
    ("qualifiers", "bidding", "qualifiers", "list of texts"),
    ("qualifiers", ["bidding", "bidding"], "qualifiers", "twice"),
    ("qualifiers", ["bidding", "all"], "qualifiers", "'all' is not allowed; allowed: bidding, government-seal"),
    ("authority", "", "authority", "text"),
    ("jurisdictions", "AA", "jurisdictions", "list of texts"),
    ("jurisdictions", [""], "jurisdictions", "list of texts"),
    ("from", "2020-01-01", "from", "offset"),
    ("from", 2020, "from", "offset"),
    ("until", "2020-01-01T00:00:00Z", "until", "after it starts"),
    ("revocation_urls", "http://a", "revocation_urls", "list of texts"),
    ("revocation_urls", [1], "revocation_urls", "list of texts"),
    ("revocation_hosts", {"a": 1}, "revocation_hosts", "list of texts"),
    ("confidence", "X", "confidence", "allowed: "),
    ("sources", [None], "sources", "list of texts"),
    ("qualifier", ["bidding"], "qualifier", "unknown key; known: "),
    ("purposes", ["sign"], "purposes", "unknown key; known: "),
]


@pytest.mark.parametrize(("path", "value", "key", "problem"), WRONG_ANCHORS)
def test_a_wrong_anchor_file_is_refused_by_file_and_key(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_anchor(edited(FULL_ANCHOR, path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


WRONG_LISTS: list[tuple[str, Any, str, str]] = [
    ("id", ABSENT, "id", "missing"),
    ("version", "1", "version", "whole number"),
    ("name", ABSENT, "name", "missing"),
    ("jurisdiction", ABSENT, "jurisdiction", "missing"),
    ("jurisdiction", ["BB"], "jurisdiction", "text"),
    ("relying_party", " ", "relying_party", "text"),
    ("purposes", ABSENT, "purposes", "missing"),
    ("purposes", [], "purposes", "empty"),
    ("purposes", ["sign", "sign"], "purposes", "twice"),
    ("entries", {"ca": "t-ca"}, "entries", "list of tables"),
    ("entries", ["t-ca"], "entries", "list of tables"),
    ("entries/1/ca", ABSENT, "entries[1].ca", "missing"),
    ("entries/1/ca", 7, "entries[1].ca", "text"),
    ("entries/1/from", "2024-01-01", "entries[1].from", "offset"),
    ("entries/1/until", "2023-01-01T00:00:00Z", "entries[1].until", "after it starts"),
    ("entries/1/platform", "p", "entries[1].platform", "unknown key; known: ca, from, until"),
    ("legal_basis", ABSENT, "legal_basis", "at least 1"),
    ("legal_basis", [], "legal_basis", "at least 1"),
    ("legal_basis/0/law", "x", "legal_basis[0].law", "unknown key"),
    ("confidence", "W", "confidence", "allowed: "),
    ("effective", {}, "effective", "unknown key; known: "),
]


@pytest.mark.parametrize(("path", "value", "key", "problem"), WRONG_LISTS)
def test_a_wrong_accepted_list_is_refused_by_file_and_key(path: str, value: Any, key: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_list(edited(FULL_LIST, path, value))
    assert (caught.value.source, caught.value.key) == (SOURCE, key)
    assert problem in caught.value.problem


def test_every_key_of_both_files_is_tried_wrong() -> None:
    assert {path.split("/")[0] for path, *_ in WRONG_ANCHORS} >= FULL_ANCHOR.keys()
    assert {path.split("/")[0] for path, *_ in WRONG_LISTS} >= FULL_LIST.keys()


def test_a_private_key_in_an_anchor_file_is_named_as_such_and_not_repeated() -> None:
    # Put together from pieces: no file of the tree begins a private key.
    label = "PRI" + "VATE KEY-----"
    secret = f"-----BEGIN {label}\nc2VjcmV0\n-----END {label}"
    with pytest.raises(PolicyError) as caught:
        read_anchor(edited(FULL_ANCHOR, "certificate", secret))
    assert "private key" in caught.value.problem
    assert "c2VjcmV0" not in str(caught.value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=5))
def test_only_a_policy_error_comes_out_for_any_value_of_any_key(value: Any) -> None:
    for content, read in ((FULL_ANCHOR, read_anchor), (FULL_LIST, read_list)):
        for key in content:
            with suppress(PolicyError):
                assert read(edited(content, key, value)).digest == "sha256:0"


# Look-ups


@pytest.mark.parametrize("qualifier", [*QUALIFIERS, "", "other"])
@pytest.mark.parametrize("jurisdiction", ["AA", "BB", "CC"])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_an_anchor_serves_its_qualifiers_in_its_places_in_its_period(
    qualifier: str, jurisdiction: str, offset: int
) -> None:
    start, end = day("2020-01-01"), day("2030-01-01")
    step = timedelta(microseconds=offset)
    content = edited(FULL_ANCHOR, "qualifiers", ["bidding"])
    made = read_anchor(content)
    right = qualifier == "bidding" and jurisdiction in ("AA", "BB")
    assert made.serves(qualifier, jurisdiction, start + step) is (right and offset >= 0)
    assert made.serves(qualifier, jurisdiction, end + step) is (right and offset < 0)
    everywhere = read_anchor(edited(content, "jurisdictions", []))
    assert everywhere.serves(qualifier, jurisdiction, start) is (qualifier == "bidding")


def test_an_intermediate_serves_nothing() -> None:
    made = read_anchor(intermediate("t-ca", CA))
    assert not any(made.serves(qualifier, "BB", AT) for qualifier in ("", *QUALIFIERS))


def trust(*files: tuple[str, Content]) -> Trust:
    anchors = {content["id"]: read_anchor(content) for kind, content in files if kind == "trust-anchor"}
    lists = {content["id"]: read_list(content) for kind, content in files if kind == "accepted-list"}
    return build_trust(anchors, lists, dict.fromkeys(lists, SOURCE))


def test_serving_gives_the_anchors_in_the_order_of_their_ids() -> None:
    files = [
        ("trust-anchor", anchor("t-b", ROOT)),
        ("trust-anchor", anchor("t-a", foreign().chain[-1])),
        ("trust-anchor", intermediate("t-c", CA)),
        ("trust-anchor", anchor("t-d", ROOT, qualifiers=["government-seal"])),
    ]
    for order in permutations(files):
        assert [entry.id for entry in trust(*order).serving("bidding", "BB", AT)] == ["t-a", "t-b"]
    assert trust().serving("bidding", "BB", AT) == ()


def test_a_renewed_certificate_of_the_same_key_is_the_same_authority() -> None:
    renewed = reissued(ca(), root(), serial=77)
    other = root().subordinate("重庆测试CA", seed="another key")
    made = trust(*standing_files(), ("trust-anchor", intermediate("t-ca-2", renewed.certificate.der)))
    assert renewed.certificate.der != CA
    for certificate in (certificate_of(ca()), certificate_of(renewed)):
        assert [entry.id for entry in made.of_key(certificate)] == ["t-ca", "t-ca-2"]
    assert made.of_key(certificate_of(other)) == ()
    assert key_digest(certificate_of(other)) != key_digest(certificate_of(ca()))


def platform_list(identity: str, party: str | None, **more: Any) -> tuple[str, Content]:
    named = {} if party is None else {"relying_party": party}
    return "accepted-list", accepted(identity, "t-ca", **named, **more)


LISTS = [
    platform_list("general", None),
    platform_list("own", "p1"),
    platform_list("own-encrypt-only", "p2", purposes=["encrypt"]),
    platform_list("aa", None, jurisdiction="AA", purposes=["sign"]),
    platform_list("aa-own", "p1", jurisdiction="AA", purposes=["seal"]),
]


@pytest.mark.parametrize(
    ("jurisdiction", "party", "purpose", "expected"),
    [
        ("BB", "p1", "sign", "own"),
        ("BB", "p1", "encrypt", "own"),
        ("BB", "p2", "encrypt", "own-encrypt-only"),
        ("BB", "p2", "sign", "general"),
        ("BB", "p3", "sign", "general"),
        ("BB", None, "sign", "general"),
        ("BB", "p1", "seal", None),
        ("AA", "p1", "sign", "aa"),
        ("AA", "p1", "seal", "aa-own"),
        ("AA", None, "seal", None),
        ("CC", "p1", "sign", None),
    ],
)
def test_the_platforms_own_list_decides_before_that_of_the_place(
    jurisdiction: str, party: str | None, purpose: str, expected: str | None
) -> None:
    files = [entry for entry in standing_files() if entry[0] == "trust-anchor"]
    for lists in (LISTS, LISTS[::-1]):
        found = trust(*files, *lists).list_for(jurisdiction, party, purpose)
        assert (found and found.id) == expected


def test_platform_lists_are_told_by_place_and_purpose() -> None:
    made = trust(*standing_files()[:2], *LISTS)
    told = {
        (place, purpose): made.platform_lists(place, purpose) for place in ("AA", "BB") for purpose in ("sign", "seal")
    }
    assert told == {("AA", "sign"): False, ("AA", "seal"): True, ("BB", "sign"): True, ("BB", "seal"): False}
    assert made.platform_lists("BB", "encrypt")
    assert not trust(*standing_files()).platform_lists("BB", "sign")


def test_entries_are_those_of_the_authorities_asked_for_in_their_order() -> None:
    made = read_list(accepted("l", "b", {"ca": "a", "until": "2024-01-01T00:00:00Z"}, "c", "a"))
    assert [entry.ca for entry in made.entries_for(["a", "c"])] == ["a", "c", "a"]
    assert made.entries_for(["d"]) == ()
    assert made.entries_for([]) == ()


# Files together


@pytest.mark.parametrize(
    ("files", "source", "key", "problem"),
    [
        ([("accepted-list", accepted("l-bb", "t-x"))], "l-bb", "entries.ca", "known: t-ca, t-root"),
        ([platform_list("l-2", None)], "l-bb", "purposes", "'sign' is already decided by the list 'l-2'"),
        (
            [platform_list("x", "p"), platform_list("y", "p")],
            "y",
            "purposes",
            "'sign' is already decided by the list 'x'",
        ),
        ([("trust-anchor", anchor("t-root", ROOT, authority="nobody"))], "t-root", "authority", "no authority"),
        ([("trust-anchor", anchor("t-root", ROOT, jurisdictions=["AA", "XX"]))], "t-root", "jurisdictions", "'XX'"),
        ([("accepted-list", accepted("l-bb", jurisdiction="XX"))], "l-bb", "jurisdiction", "'XX' is no jurisdiction"),
        (
            [("accepted-list", accepted("l-bb", purposes=["trade"]))],
            "l-bb",
            "purposes",
            "'trade' is no purpose of a certificate; known: any, encrypt, none, seal, sign",
        ),
    ],
)
def test_references_to_nothing_and_lists_that_decide_the_same_are_refused(
    files: list[tuple[str, Content]], source: str, key: str, problem: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        world(*files)
    assert f"/{source}.toml" in caught.value.source
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_a_list_without_any_anchor_says_that_none_is_known() -> None:
    with pytest.raises(PolicyError, match="'t-ca' is no trust anchor; known: none"):
        trust(("accepted-list", accepted("l", "t-ca")))


def test_lists_of_other_purposes_places_or_parties_stand_beside_each_other() -> None:
    assert world(
        platform_list("l-bb", None, purposes=["sign"]),
        platform_list("l-2", None, purposes=["encrypt"]),
        platform_list("l-3", None, jurisdiction="AA"),
        platform_list("l-4", "p"),
        platform_list("l-5", "q"),
    ).trust.lists.keys() == {"l-bb", "l-2", "l-3", "l-4", "l-5"}


def test_the_policy_is_blind_to_the_order_of_its_files() -> None:
    made = policy_documents(*LISTS, ("trust-anchor", anchor("t-0", ROOT)), without=["l-bb"])
    there, back = build_policy(made).trust, build_policy(made[::-1]).trust
    assert list(there.anchors) == list(back.anchors) == ["t-0", "t-ca", "t-root"]
    assert there == back
    assert list(there.lists) == list(back.lists)


def test_a_policy_without_anchors_or_lists_trusts_nobody() -> None:
    made = world(without=["t-root", "t-ca", "l-bb"]).trust
    assert (made.anchors, made.lists, made.by_key) == ({}, {}, {})


def test_an_intermediate_without_its_anchor_leads_nowhere() -> None:
    bare = world(without=["t-root"])
    assert judge(honest_lock(), policy=bare).outcome == "not_recognized"


def test_a_file_holds_from_the_instant_it_was_known() -> None:
    removed = document("accepted-list", {**accepted("l-bb", "t-root"), "version": 2, "entries": []})
    known = [(entry, LONG_AGO) for entry in policy_documents()] + [(removed, AT)]
    history = PolicyHistory([KnownDocument(document=entry, known_from=instant) for entry, instant in known], 1)
    before, after = history.at(AT - DAY), history.at(AT)
    assert before is not None
    assert after is not None
    assert len(before.trust.lists["l-bb"].entries) == 1
    assert after.trust.lists["l-bb"].entries == ()


def test_every_kind_of_key_may_be_an_anchors() -> None:
    for kind in ("sm2", "p-384", "ed25519"):
        made = Authority.root(kind)
        assert read_anchor(anchor("t", made.certificate.der)).certificate.is_ca
    bare = Authority.root(KIND, ca=None)
    with pytest.raises(PolicyError, match="basicConstraints"):
        read_anchor(anchor("t", bare.certificate.der))
