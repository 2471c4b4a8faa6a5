"""What an operator says of trust becomes the next version of a document, and the past stays as it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.usecases.accepted_cas import ListStatement, add_accepted_ca, remove_accepted_ca
from app.usecases.trust_anchors import import_trust_anchor, retire_trust_anchor
from registry.canonical import canonical_json, digest
from registry.document import LegalBasis, LocalText, PolicyDocument
from registry.errors import PolicyError
from registry.period import ALWAYS, Period
from registry.trust import Trust
from tests.support import der_writer as der
from tests.support.pki import Authority, unit
from tests.support.trust_files import NOBODY, anchor, statement, trust, with_document

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROOT = Authority.root()
CA = ROOT.subordinate()
HELD = trust(anchor("cq-ca", CA, role="intermediate"), anchor("root", ROOT))


def refused(key: str) -> Any:
    def matches(error: PolicyError) -> bool:
        return error.key == key and bool(error.problem)

    return pytest.RaisesExc(PolicyError, check=matches)


# Trust anchors


def test_a_file_says_what_was_said_and_is_named_by_its_digest() -> None:
    document = import_trust_anchor(
        NOBODY,
        statement(
            "cq-ca",
            CA,
            qualifiers=("government-seal", "bidding"),
            authority="cq-sca",
            jurisdictions=("CN-SC", "CN-CQ"),
            effective=Period(start=AT, end=AT + DAY),
            revocation_urls=("http://crl.example/a.crl",),
            revocation_hosts=("mirror.example:8080",),
            sources=("https://example",),
        ),
    )
    assert document is not None
    assert (document.kind, document.id, document.version) == ("trust-anchor", "cq-ca", 1)
    assert document.digest == digest(canonical_json(dict(document.content)))
    held = with_document(NOBODY, document).anchors["cq-ca"]
    assert held.certificate.der == CA.certificate.der
    assert held.qualifiers == {"bidding", "government-seal"}
    assert held.jurisdictions == {"CN-CQ", "CN-SC"}
    assert held.effective == Period(start=AT, end=AT + DAY)
    assert (held.authority, held.name.en, held.sources) == ("cq-sca", "Test", ("https://example",))
    assert (held.revocation_urls, held.revocation_hosts) == (("http://crl.example/a.crl",), ("mirror.example:8080",))
    assert document.content["from"] == "2026-01-01T00:00:00Z"


def test_an_anchor_may_serve_timestamps() -> None:
    held = with_document(NOBODY, import_trust_anchor(NOBODY, statement("root", ROOT, qualifiers=("timestamp",))))
    assert [anchor.id for anchor in held.serving("timestamp", "CN-SC", AT)] == ["root"]
    assert held.serving("bidding", "CN-SC", AT) == ()


@pytest.mark.parametrize(
    "content", [CA.certificate.der, CA.certificate.pem.encode(), b"\n" + CA.certificate.pem.encode()]
)
def test_the_form_of_the_file_makes_no_other_version(content: bytes) -> None:
    assert import_trust_anchor(HELD, statement("cq-ca", CA, role="intermediate", certificate=content)) is None


def test_saying_more_makes_the_next_version() -> None:
    said = statement("root", ROOT, jurisdictions=("CN-CQ",))
    document = import_trust_anchor(HELD, said)
    assert document is not None
    assert document.version == 2
    after = with_document(HELD, document)
    assert import_trust_anchor(after, said) is None
    third = import_trust_anchor(after, statement("root", ROOT))
    assert third is not None
    assert third.version == 3
    assert "jurisdictions" not in third.content


def test_an_id_stays_with_its_certificate() -> None:
    renewed = ROOT.subordinate(not_after=datetime(2040, 1, 1, tzinfo=UTC))
    assert renewed.key == CA.key
    with refused("certificate"):
        import_trust_anchor(HELD, statement("cq-ca", renewed))
    after = with_document(HELD, import_trust_anchor(HELD, statement("cq-ca-2", renewed)))
    assert {entry.id for entry in after.of_key(after.anchors["cq-ca"].certificate)} == {"cq-ca", "cq-ca-2"}


SIGNS_NOTHING = ROOT.subordinate(key_usage=("cRLSign",))
TWICE = ROOT.subordinate(more=(der.key_usage(("keyCertSign",)),))
NO_CA = ROOT.subordinate(ca=False)
OFF_CURVE = ROOT.subordinate(spki=b"\x30\x00")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"certificate": b""}, "certificate"),
        ({"certificate": b"garbage"}, "certificate"),
        ({"certificate": CA.certificate.pem.encode() * 2}, "certificate"),
        ({"certificate": ROOT.issue(unit()).der}, "certificate"),
        ({"certificate": SIGNS_NOTHING.certificate.der}, "certificate"),
        ({"certificate": TWICE.certificate.der}, "certificate"),
        ({"certificate": NO_CA.certificate.der}, "certificate"),
        ({"certificate": OFF_CURVE.certificate.der}, "certificate"),
        ({"qualifiers": ()}, "qualifiers"),
        ({"qualifiers": ("everything",)}, "qualifiers"),
        ({"role": "intermediate", "qualifiers": ("bidding",)}, "qualifiers"),
        ({"role": "root"}, "role"),
        ({"name": LocalText(zh="", en="Test")}, "name.zh"),
        ({"revocation_urls": ("ldap://ldap.example/",)}, "revocation_urls"),
        ({"revocation_urls": ("http://a/", "http://a/")}, "revocation_urls"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "列"}, "id"),
        ({"sources": ("\ud800",)}, ""),
    ],
)
def test_what_cannot_be_trusted_is_refused(changes: dict[str, Any], key: str) -> None:
    with refused(key):
        import_trust_anchor(NOBODY, statement("x", CA, **changes))


def test_retiring_ends_the_period_and_keeps_the_rest() -> None:
    document = retire_trust_anchor(HELD, "root", AT)
    assert document is not None
    before, after = HELD.anchors["root"], with_document(HELD, document)
    retired = after.anchors["root"]
    assert retired.version == 2
    assert retired.effective == Period(end=AT)
    assert retired.certificate == before.certificate
    assert retired.serves("bidding", "CN-CQ", AT - DAY)
    assert not retired.serves("bidding", "CN-CQ", AT)
    assert retire_trust_anchor(after, "root", AT) is None
    earlier = retire_trust_anchor(after, "root", AT - DAY)
    assert earlier is not None
    assert earlier.content["until"] == "2025-12-31T00:00:00Z"
    with refused("until"):
        retire_trust_anchor(after, "root", AT + DAY)


def test_only_what_began_can_be_retired() -> None:
    held = trust(anchor("root", ROOT, effective=Period(start=AT)))
    for instant in (AT, AT - DAY):
        with refused("until"):
            retire_trust_anchor(held, "root", instant)
    with refused("id"):
        retire_trust_anchor(held, "cq-ca", AT)


# Accepted lists

NEW = ListStatement(
    id="sc-bidding",
    jurisdiction="CN-SC",
    purposes=("bidding.sign", "bidding.login"),
    name=LocalText(zh="名单", en="List"),
    basis=LegalBasis(instrument="办法", number="1号"),
)
EXISTING = ListStatement(id="sc-bidding")


def listed(ca: str = "cq-ca", period: Period = ALWAYS, held: Trust = HELD, said: ListStatement = NEW) -> Trust:
    return with_document(held, add_accepted_ca(held, said, ca, period))


def test_a_new_list_says_what_was_said() -> None:
    accepted = listed(period=Period(start=AT)).lists["sc-bidding"]
    assert (accepted.version, accepted.jurisdiction, accepted.relying_party) == (1, "CN-SC", None)
    assert accepted.purposes == ("bidding.login", "bidding.sign")
    assert accepted.legal_basis == (LegalBasis(instrument="办法", number="1号"),)
    assert [(entry.ca, entry.period) for entry in accepted.entries] == [("cq-ca", Period(start=AT))]


def test_an_existing_list_needs_only_its_id_and_agrees_with_what_it_says() -> None:
    held = listed()
    again = listed("root", held=held, said=EXISTING).lists["sc-bidding"]
    assert (again.version, [entry.ca for entry in again.entries]) == (2, ["cq-ca", "root"])
    assert listed("root", held=held, said=NEW).lists["sc-bidding"] == again
    for key, other in (
        ("jurisdiction", ListStatement(id=NEW.id, jurisdiction="CN-CQ")),
        ("relying_party", ListStatement(id=NEW.id, relying_party="platform")),
        ("purposes", ListStatement(id=NEW.id, purposes=("bidding.sign",))),
        ("name", ListStatement(id=NEW.id, name=LocalText(zh="别", en="Other"))),
        ("legal_basis", ListStatement(id=NEW.id, basis=LegalBasis(instrument="别"))),
    ):
        with refused(key):
            add_accepted_ca(held, other, "root", ALWAYS)


@pytest.mark.parametrize("lacking", ["jurisdiction", "purposes", "name", "basis"])
def test_a_new_list_is_refused_without(lacking: str) -> None:
    content = {name: getattr(NEW, name) for name in ("id", "jurisdiction", "purposes", "name", "basis")}
    del content[lacking]
    with refused(""):
        add_accepted_ca(HELD, ListStatement(**content), "cq-ca", ALWAYS)


def test_only_an_authority_with_a_trust_file_is_accepted() -> None:
    with refused("entries.ca"):
        add_accepted_ca(HELD, NEW, "stranger", ALWAYS)


def test_periods_of_one_authority_do_not_overlap() -> None:
    held = listed(period=Period(start=AT, end=AT + DAY))
    assert add_accepted_ca(held, EXISTING, "cq-ca", Period(start=AT, end=AT + DAY)) is None
    for other in (ALWAYS, Period(start=AT), Period(end=AT + DAY / 2)):
        with refused("entries"):
            add_accepted_ca(held, EXISTING, "cq-ca", other)
    after = listed(period=Period(start=AT + DAY), held=held, said=EXISTING)
    assert [entry.period.start for entry in after.lists["sc-bidding"].entries_for(["cq-ca"])] == [AT, AT + DAY]


def test_who_leaves_the_list_today_was_still_accepted_yesterday() -> None:
    held = listed("root", held=listed(), said=EXISTING)
    document = remove_accepted_ca(held, "sc-bidding", "cq-ca", AT)
    assert document is not None
    after = with_document(held, document)
    accepted = after.lists["sc-bidding"]
    assert accepted.version == 3
    assert [(entry.ca, entry.period) for entry in accepted.entries] == [("cq-ca", Period(end=AT)), ("root", ALWAYS)]
    assert remove_accepted_ca(after, "sc-bidding", "cq-ca", AT) is None
    with refused("entries"):
        remove_accepted_ca(after, "sc-bidding", "cq-ca", AT + DAY)
    earlier = with_document(after, remove_accepted_ca(after, "sc-bidding", "cq-ca", AT - DAY))
    assert earlier.lists["sc-bidding"].entries[0].period == Period(end=AT - DAY)


def test_the_time_that_ends_is_the_one_the_instant_lies_in() -> None:
    first, second = Period(end=AT), Period(start=AT + DAY)
    held = listed(period=second, held=listed(period=first), said=EXISTING)
    after = with_document(held, remove_accepted_ca(held, "sc-bidding", "cq-ca", AT + 2 * DAY))
    assert [entry.period for entry in after.lists["sc-bidding"].entries] == [
        first,
        Period(start=AT + DAY, end=AT + 2 * DAY),
    ]
    for instant in (AT + DAY / 2, AT + DAY):
        with refused("entries"):
            remove_accepted_ca(held, "sc-bidding", "cq-ca", instant)


def test_nothing_is_removed_from_nowhere() -> None:
    with refused("id"):
        remove_accepted_ca(HELD, "sc-bidding", "cq-ca", AT)
    with refused("entries"):
        remove_accepted_ca(listed(), "sc-bidding", "root", AT)


def test_documents_are_canonical() -> None:
    made: list[PolicyDocument | None] = [
        import_trust_anchor(NOBODY, statement("x", CA)),
        retire_trust_anchor(HELD, "root", AT),
        add_accepted_ca(HELD, NEW, "root", Period(start=AT)),
    ]
    for document in made:
        assert document is not None
        assert document.digest == digest(canonical_json(dict(document.content)))
        assert None not in document.content.values()
