"""The question: read strictly, every fault with its pointer and code, then bound to the profile it is about."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import Fault, QueryRefused, RegistryError
from registry.policy import build_policy
from registry.query import MAX_FACTS, ExpectedSubject, Question, bind, pointer_token, profile_for, read_question
from tests.unit.registry.specimens import (
    DAY,
    NOW,
    Content,
    device_profile,
    documents,
    edited,
    policy,
    replaced,
)

WORLD = policy()
BASE: Content = {"credential": {"type": "licence", "number": "LC110015"}, "jurisdiction": "BB", "purpose": "trade"}
Found = list[tuple[str, str]]


def faults(content: Any, *, written: bool = False) -> tuple[Fault, ...]:
    with pytest.raises(QueryRefused) as caught:
        read_question(content, NOW, written=written)
    return caught.value.faults


def found(content: Any) -> Found:
    return [(fault.pointer, fault.code) for fault in faults(content)]


def read(written: bool = False, **members: Any) -> Question:
    return read_question({**BASE, **members}, NOW, written=written)


def test_a_question_is_read_as_asked() -> None:
    question = read(
        credential={"type": " licence ", "number": " lc 110015", "issuer": "aa-office"},
        valid_at="2026-01-01T08:00:00+08:00",
        known_at="2026-02-01T00:00:00Z",
        relying_party="platform",
        expected_subject={"uscc": "1143 0000-006122244l", "name": " 测试公司 "},
        facts={"trained": True, "items": ["面包"]},
    )
    assert question.written is False
    assert read(written=True).written is True
    assert read_question(BASE, NOW).written is False
    assert question == Question(
        id=None,
        type="licence",
        number="lc 110015",
        issuer="aa-office",
        certificate=None,
        chain=(),
        jurisdiction="BB",
        purpose="trade",
        valid_at=datetime(2026, 1, 1, tzinfo=UTC),
        known_at=datetime(2026, 2, 1, tzinfo=UTC),
        asked_valid_at=True,
        asked_known_at=True,
        relying_party="platform",
        expected_subject=ExpectedSubject(uscc="11430000006122244L", name="测试公司"),
        facts={"trained": True, "items": ["面包"]},
        written=False,
    )


@pytest.mark.parametrize("missing", [{}, dict.fromkeys(("valid_at", "known_at", "relying_party", "expected_subject"))])
def test_what_is_left_out_or_null_takes_its_default(missing: Content) -> None:
    question = read(**missing, facts=None)
    assert (question.valid_at, question.known_at) == (NOW, NOW)
    assert (question.asked_valid_at, question.asked_known_at) == (False, False)
    assert (question.relying_party, question.expected_subject, question.facts) == (None, None, {})


def test_what_is_known_now_can_be_asked_for() -> None:
    assert read(known_at=NOW.isoformat()).known_at == NOW


@pytest.mark.parametrize("credential", [None, {}, {"id": None, "type": None, "number": None, "issuer": None}])
def test_a_question_need_not_name_a_credential(credential: Any) -> None:
    question = read(credential=credential)
    assert (question.id, question.type, question.number, question.issuer) == (None,) * 4


@pytest.mark.parametrize(
    "credential",
    [{"id": "cred_a"}, {"id": "cred_a", "type": "licence"}, {"type": "licence"}, {"type": "licence", "number": "1"}],
)
def test_a_credential_may_be_named_in_these_ways(credential: Content) -> None:
    question = read(credential=credential)
    named = {"id": question.id, "type": question.type, "number": question.number, "issuer": question.issuer}
    assert {name: value for name, value in named.items() if value is not None} == credential


def test_reading_does_not_consume_the_question() -> None:
    content = {**BASE, "facts": {"trained": True}}
    before = edited(content, "purpose", "trade")
    read_question(content, NOW)
    assert content == before


LONG, CONTROL = "x" * 201, "a\x00"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"jurisdiction": None}, [("/jurisdiction", "query.member_missing")]),
        ({"purpose": None}, [("/purpose", "query.member_missing")]),
        *(
            ({name: value}, [(f"/{name}", code)])
            for name in ("jurisdiction", "purpose", "relying_party", "valid_at", "known_at")
            for value, code in (
                (5, "query.wrong_kind"),
                (["a"], "query.wrong_kind"),
                (LONG, "query.too_long"),
                (CONTROL, "query.text_not_allowed"),
                ("\ud800", "query.text_not_allowed"),
                ("", "query.empty"),
                (" ", "query.empty"),
            )
        ),
        *(
            ({name: value}, [(f"/{name}", code)])
            for name in ("valid_at", "known_at")
            for value, code in (
                ("2026-01-01T00:00:00", "query.time_without_offset"),
                ("2026-01-01", "query.time_without_offset"),
                ("yesterday", "query.time_malformed"),
                ("2026-02-30T00:00:00Z", "query.time_out_of_range"),
            )
        ),
        ({"known_at": "2026-06-01T00:00:00.000001Z"}, [("/known_at", "query.known_at_in_future")]),
        ({"colour": "red"}, [("/colour", "query.unknown_member")]),
        ({"colour": None}, [("/colour", "query.unknown_member")]),
        ({"credential": "LC110015"}, [("/credential", "query.wrong_kind")]),
        ({"credential": []}, [("/credential", "query.wrong_kind")]),
        ({"expected_subject": "测试公司"}, [("/expected_subject", "query.wrong_kind")]),
        ({"facts": [1]}, [("/facts", "query.wrong_kind")]),
        ({"facts": {str(n): 1 for n in range(MAX_FACTS + 1)}}, [("/facts", "query.too_long")]),
        ({"credential": {"number": "1"}}, [("/credential/type", "query.member_missing")]),
        ({"credential": {"type": "licence", "issuer": "a"}}, [("/credential/number", "query.member_missing")]),
        ({"credential": {"id": "c", "number": "1", "type": "t"}}, [("/credential/id", "query.credential_named_twice")]),
        ({"credential": {"id": "c", "issuer": "a"}}, [("/credential/id", "query.credential_named_twice")]),
        ({"credential": {"id": "c", "colour": 1}}, [("/credential/colour", "query.unknown_member")]),
        (
            {"credential": {"certificate": "MII"}},
            [("/credential/certificate", "query.certificate_malformed"), ("/credential/type", "query.member_missing")],
        ),
        (
            {"credential": {"type": "t", "certificate": 5}},
            [("/credential/certificate", "query.wrong_kind")],
        ),
        ({"credential": {"type": "t", "chain": []}}, [("/credential/certificate", "query.member_missing")]),
        (
            {"credential": {"type": "licence", "number": "1", "issuer": "x" * 65}},
            [("/credential/issuer", "query.too_long")],
        ),
        ({"credential": {"id": "x" * 65}}, [("/credential/id", "query.too_long")]),
        ({"credential": {"type": "licence", "number": "x" * 65}}, [("/credential/number", "query.too_long")]),
        ({"expected_subject": {}}, [("/expected_subject", "query.member_missing")]),
        ({"expected_subject": {"uscc": None, "name": None}}, [("/expected_subject", "query.member_missing")]),
        ({"expected_subject": {"uscc": "1143"}}, [("/expected_subject/uscc", "query.uscc_malformed")]),
        ({"expected_subject": {"uscc": "I1430000006122244L"}}, [("/expected_subject/uscc", "query.uscc_malformed")]),
        ({"expected_subject": {"name": LONG}}, [("/expected_subject/name", "query.too_long")]),
        ({"expected_subject": {"name": "a", "phone": "1"}}, [("/expected_subject/phone", "query.unknown_member")]),
    ],
)
def test_every_fault_has_its_pointer_and_code(members: Content, expected: Found) -> None:
    assert found({**BASE, **members}) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            {"expected_subject": {}, "relying_party": 5},
            [("/relying_party", "query.wrong_kind"), ("/expected_subject", "query.member_missing")],
        ),
        *(
            pytest.param(
                {"credential": credential},
                expected,
            )
            for credential, expected in (
                (
                    {"type": "licence", "number": 5, "issuer": "a"},
                    [("/credential/number", "query.wrong_kind")],
                ),
                ({"type": 5, "number": "1"}, [("/credential/type", "query.wrong_kind")]),
            )
        ),
    ],
)
def test_one_fault_neither_hides_nor_makes_another(members: Content, expected: Found) -> None:
    assert found({**BASE, **members}) == expected


def test_several_faults_are_told_at_once() -> None:
    content = {
        "credential": {"id": "c", "number": "1", "certificate": "MII", "shape": "round"},
        "purpose": "",
        "valid_at": "2026-01-01",
        "known_at": "2027-01-01T00:00:00Z",
        "expected_subject": {"uscc": "1143"},
        "facts": 5,
        "a/b~c": 1,
    }
    assert found(content) == [
        ("/credential/certificate", "query.certificate_malformed"),
        ("/credential/certificate", "query.credential_named_twice"),
        ("/credential/type", "query.member_missing"),
        ("/credential/shape", "query.unknown_member"),
        ("/jurisdiction", "query.member_missing"),
        ("/purpose", "query.empty"),
        ("/valid_at", "query.time_without_offset"),
        ("/expected_subject/uscc", "query.uscc_malformed"),
        ("/facts", "query.wrong_kind"),
        ("/a~1b~0c", "query.unknown_member"),
        ("/known_at", "query.known_at_in_future"),
    ]


def test_faults_carry_what_their_message_needs() -> None:
    (fault,) = faults({**BASE, "relying_party": LONG})
    assert dict(fault.params) == {"name": "relying_party", "limit": "200"}
    (fault,) = faults({**BASE, "jurisdiction": 5})
    assert dict(fault.params) == {"name": "jurisdiction", "wanted": "text"}
    (fault,) = faults({**BASE, "colour": 1})
    allowed = "credential, jurisdiction, purpose, valid_at, known_at, relying_party, expected_subject, facts"
    assert dict(fault.params) == {"name": "colour", "allowed": allowed}
    (fault,) = faults({**BASE, "credential": {"colour": 1}})
    assert dict(fault.params) == {"name": "colour", "allowed": "id, type, number, issuer, certificate, chain"}
    (fault,) = faults({**BASE, "expected_subject": {"name": "a", "colour": 1}})
    assert dict(fault.params) == {"name": "colour", "allowed": "uscc, name"}
    (fault,) = faults({**BASE, "known_at": "2027-01-01T00:00:00Z"})
    assert dict(fault.params) == {"name": "known_at"}
    (fault,) = faults({**BASE, "valid_at": "2026-01-01"})
    assert dict(fault.params) == {"name": "valid_at"}
    (fault,) = faults({**BASE, "facts": dict.fromkeys(map(str, range(MAX_FACTS + 1)))})
    assert dict(fault.params) == {"name": "facts", "limit": "64"}
    (fault,) = faults({**BASE, "facts": []})
    assert dict(fault.params) == {"name": "facts", "wanted": "object"}
    (fault,) = faults({**BASE, "credential": {"number": "1"}})
    assert dict(fault.params) == {"name": "type"}
    (fault,) = faults({**BASE, "credential": {"type": "licence", "issuer": "a"}})
    assert dict(fault.params) == {"name": "number"}
    (fault,) = faults({**BASE, "expected_subject": {}})
    assert dict(fault.params) == {"name": "uscc"}
    (fault,) = faults([])
    assert dict(fault.params) == {"name": "query", "wanted": "object"}


@pytest.mark.parametrize("content", [None, [], "question", 5, True])
def test_a_question_is_an_object(content: Any) -> None:
    assert found(content) == [("", "query.wrong_kind")]


def test_a_refusal_names_its_faults_and_never_none() -> None:
    refusal = QueryRefused(Fault(pointer="", code="query.a"), Fault(pointer="/b", code="query.b"))
    assert str(refusal) == "/: query.a; /b: query.b"
    assert isinstance(refusal, RegistryError)
    with pytest.raises(ValueError, match="a refusal needs a fault"):
        QueryRefused()


@pytest.mark.parametrize(
    ("name", "token"),
    [("a/b~c", "a~1b~0c"), ("", ""), ("x" * 99, "x" * 64), ("a\x00b\ud800", "a\ufffdb\ufffd"), ("铅", "铅")],
)
def test_a_name_becomes_a_pointer_token_that_is_safe_to_print(name: str, token: str) -> None:
    assert pointer_token(name) == token
    assert found({**BASE, name: 1}) == [(f"/{token}", "query.unknown_member")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "type", "number", "uscc", "x"]), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from([*BASE, "valid_at", "known_at", "expected_subject", "facts", "x"]), JSON))
def test_anything_is_a_question_or_refused_with_sound_faults(content: Content) -> None:
    try:
        question = read_question({**BASE, **content}, NOW)
    except QueryRefused as refusal:
        told = [(fault.pointer, fault.code) for fault in refusal.faults]
    else:
        told = []
        assert question.known_at <= NOW
    assert len(set(told)) == len(told)
    assert all(pointer.startswith("/") and code.startswith("query.") for pointer, code in told)


def test_profile_for_a_type_that_is_named() -> None:
    profile = profile_for(read(), WORLD)
    assert profile is not None
    assert profile.id == "licence"
    # The purpose is judged when the question is bound.
    assert profile_for(read(purpose="zz"), WORLD) is profile


def test_an_id_alone_tells_no_profile() -> None:
    assert profile_for(read(credential={"id": "cred_a"}), WORLD) is None


def test_without_a_credential_the_catalogue_tells_the_profile() -> None:
    question = read(credential=None, purpose="placement")
    profile = profile_for(question, WORLD)
    assert profile is not None
    assert profile.id == "device"


def refused_profile(question: Question, world: Any = WORLD) -> Fault:
    with pytest.raises(QueryRefused) as caught:
        profile_for(question, world)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("members", "pointer", "code", "params"),
    [
        ({"jurisdiction": "ZZ"}, "/jurisdiction", "query.unknown_jurisdiction", {"value": "ZZ", "allowed": "AA, BB"}),
        ({"jurisdiction": "CN"}, "/jurisdiction", "query.unknown_jurisdiction", {"value": "CN", "allowed": "AA, BB"}),
        (
            {"credential": {"type": "zz", "number": "1"}},
            "/credential/type",
            "query.unknown_type",
            {"value": "zz", "allowed": "licence, device, lock"},
        ),
        (
            {"credential": None, "purpose": "zz"},
            "/purpose",
            "query.unknown_purpose",
            {"value": "zz", "allowed": "inspect, placement, rate, settle, sign, survey, trade"},
        ),
        ({"credential": None}, "/credential", "query.credential_required", {}),
        ({"credential": None, "purpose": "survey"}, "/credential", "query.credential_required", {}),
    ],
)
def test_a_question_about_no_profile_is_refused(members: Content, pointer: str, code: str, params: Content) -> None:
    fault = refused_profile(read(**members))
    assert (fault.pointer, fault.code, dict(fault.params)) == (pointer, code, params)


def test_two_types_with_a_catalogue_for_the_purpose_need_a_credential() -> None:
    twin = {**device_profile(), "id": "twin"}
    world = build_policy(replaced(documents(), "profile", twin))
    fault = refused_profile(read(credential=None, purpose="placement"), world)
    assert fault.code == "query.credential_required"


def bound_faults(question: Question, profile: str = "licence") -> Found:
    with pytest.raises(QueryRefused) as caught:
        bind(question, WORLD.profiles[profile])
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_a_query_is_the_question_with_its_facts_read() -> None:
    question = read(
        valid_at="2026-01-01T00:00:00Z",
        facts={"trained": True, "items": ["面包", " 茶"], "place": "120101", "remark": " a "},
        expected_subject={"name": "测试公司"},
        relying_party="platform",
    )
    query = bind(question, WORLD.profiles["licence"])
    assert dict(query.facts) == {"trained": True, "items": ("面包", "茶"), "place": "120101", "remark": "a"}
    assert query.statement() == {
        "credential": {"id": None, "type": "licence", "number": "LC110015", "issuer": None},
        "jurisdiction": "BB",
        "purpose": "trade",
        "valid_at": datetime(2026, 1, 1, tzinfo=UTC),
        "known_at": NOW,
        "relying_party": "platform",
        "expected_subject": {"uscc": None, "name": "测试公司"},
        "facts": {"trained": True, "items": ["面包", "茶"], "place": "120101", "remark": "a"},
    }


def test_an_id_is_bound_to_the_profile_that_was_found() -> None:
    query = bind(read(credential={"id": "cred_a"}), WORLD.profiles["licence"])
    assert query.statement()["credential"] == {"id": "cred_a", "type": "licence", "number": None, "issuer": None}
    assert query.statement()["expected_subject"] is None


def test_what_is_written_is_read_by_its_kind() -> None:
    facts = {"trained": "true", "signed": "false", "items": "面包、茶", "load": "0.5", "grade": "high"}
    query = bind(read(written=True, facts=facts), WORLD.profiles["licence"])
    assert dict(query.facts) == {
        "trained": True,
        "signed": False,
        "items": ("面包", "茶"),
        "load": "0.5",
        "grade": "high",
    }
    assert bound_faults(read(facts=facts)) == [
        ("/facts/trained", "query.wrong_kind"),
        ("/facts/signed", "query.wrong_kind"),
        ("/facts/items", "query.wrong_kind"),
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"zz": 1}, [("/facts/zz", "query.unknown_fact")]),
        ({"a/b": 1}, [("/facts/a~1b", "query.unknown_fact")]),
        ({"trained": 1}, [("/facts/trained", "query.wrong_kind")]),
        ({"items": []}, [("/facts/items", "query.empty")]),
        ({"items": ["x"] * 101}, [("/facts/items", "query.too_long")]),
        ({"remark": LONG}, [("/facts/remark", "query.too_long")]),
        ({"remark": CONTROL}, [("/facts/remark", "query.text_not_allowed")]),
        ({"place": "成都"}, [("/facts/place", "query.wrong_kind")]),
        ({"load": "heavy"}, [("/facts/load", "query.wrong_kind")]),
        ({"grade": "medium"}, [("/facts/grade", "query.wrong_kind")]),
        ({"remark": None}, [("/facts/remark", "query.wrong_kind")]),
        (
            {"zz": 1, "trained": 1, "place": "成都"},
            [
                ("/facts/zz", "query.unknown_fact"),
                ("/facts/trained", "query.wrong_kind"),
                ("/facts/place", "query.wrong_kind"),
            ],
        ),
    ],
)
def test_a_fact_that_does_not_fit_is_refused(facts: Content, expected: Found) -> None:
    assert bound_faults(read(facts=facts)) == expected


def test_a_fact_that_does_not_fit_is_told_what_would() -> None:
    with pytest.raises(QueryRefused) as caught:
        bind(read(facts={"grade": "medium", "zz": 1}), WORLD.profiles["licence"])
    wrong, unknown = caught.value.faults
    assert dict(wrong.params) == {"name": "grade", "wanted": "high, low", "limit": "high, low"}
    assert dict(unknown.params) == {
        "value": "zz",
        "allowed": "place, items, grade, trained, signed, load, remark",
    }


def test_a_purpose_of_another_type_is_refused_at_once() -> None:
    assert bound_faults(read(purpose="sign", facts={"zz": 1})) == [("/purpose", "query.purpose_unknown_for_type")]


def test_a_purpose_without_a_catalogue_needs_a_credential() -> None:
    question = read(credential={"type": "licence"}, facts={"zz": 1})
    assert bound_faults(question) == [("/credential", "query.credential_required"), ("/facts/zz", "query.unknown_fact")]
    bare = read(credential={"type": "device"}, purpose="placement")
    assert bind(bare, WORLD.profiles["device"]).number is None


def test_only_a_register_can_be_asked_about_the_future() -> None:
    later = (NOW + DAY).isoformat()
    lock = read(credential={"type": "lock", "number": "A1B2"}, purpose="sign", valid_at=later)
    assert bound_faults(lock, "lock") == [("/valid_at", "query.valid_at_in_future")]
    assert bind(read(valid_at=later), WORLD.profiles["licence"]).valid_at == NOW + DAY
    # The future begins after what was known, not after now.
    past = (NOW - timedelta(days=9)).astimezone(timezone(timedelta(hours=8))).isoformat()
    lock = read(credential={"type": "lock", "number": "A1B2"}, purpose="sign", known_at=past)
    assert bound_faults(lock, "lock") == [("/valid_at", "query.valid_at_in_future")]
