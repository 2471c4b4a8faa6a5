"""Whose lock it is: the code wherever it hides, names as they are written, and nothing of a person's number."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages import messages
from app.presentation import answer_view, to_json
from keys.certificate import MASK, Certificate, parse_certificate
from registry.canonical import canonical_json
from registry.credential import Subject as Holder
from registry.holder import credential_of, is_organisation, serial_text, shown_subject, subject_of, uscc_of
from registry.receipt import Origin, claims, core
from tests.support import der_writer as der
from tests.support.der_writer import NUMBER_ENCODINGS, NUMBER_EXTENSIONS, Subject
from tests.support.pki import (
    CertificateSpec,
    Key,
    id_card_number,
    person,
    placed,
    representative,
    unit,
    uscc,
)
from tests.unit.registry.locks import AT, KIND, STANDING, ca, judge, shelf, world

PLACES = ("subject", "common-name", *NUMBER_EXTENSIONS)
ORGANISATION_PLACES = [where for where in PLACES if where != "identity"]
CODE, OTHER, PERSON = uscc(1), uscc(2), id_card_number(1)
UNNAMED = "—"


def certificate(spec: CertificateSpec) -> Certificate:
    return parse_certificate(ca().issue(spec).der)


def bare(**subject: Any) -> CertificateSpec:
    return CertificateSpec(subject=Subject(**subject), key=Key(KIND, "holder"))


def named(common_name: str | None, organisation: str | None = None, *more: tuple[str, str]) -> Holder:
    """The holder that a certificate with these names and with numbers in these places is of."""
    spec = bare(common_name=common_name, organisation=organisation)
    for where, number in more:
        spec = placed(spec, number, where)
    return subject_of(certificate(spec))


# The code


@pytest.mark.parametrize("where", ORGANISATION_PLACES)
@pytest.mark.parametrize("encoding", NUMBER_ENCODINGS)
def test_the_code_is_found_in_each_place_in_each_form(where: str, encoding: str) -> None:
    made = certificate(placed(bare(common_name="测试公司"), CODE, where, encoding))
    assert uscc_of(made) == CODE
    assert subject_of(made) == Holder(kind="organisation", name="测试公司", uscc=CODE)


def test_a_code_where_only_a_persons_number_belongs_is_not_believed() -> None:
    made = certificate(placed(bare(common_name="测试"), CODE, "identity"))
    assert uscc_of(made) is None
    assert subject_of(made).kind == "person"


@pytest.mark.parametrize(
    "written", [CODE.lower(), f" {CODE} ", f"{CODE[:2]}-{CODE[2:8]}-{CODE[8:]}", "９１" + CODE[2:]]
)
def test_the_code_is_found_however_it_is_written(written: str) -> None:
    spec = placed(bare(common_name="测试公司"), written, "organisation-code", "utf8")
    assert uscc_of(certificate(spec)) == CODE


@pytest.mark.parametrize(("one", "other"), list(permutations(ORGANISATION_PLACES, 2)))
def test_the_same_code_twice_is_one_and_two_codes_are_none(one: str, other: str) -> None:
    for second, expected in ((CODE, CODE), (OTHER, None)):
        spec = placed(placed(bare(common_name="测试公司"), CODE, one), second, other)
        made = subject_of(certificate(spec))
        assert (made.kind, made.uscc) == ("organisation", expected)


@given(st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXYIOSVZ"))
def test_one_changed_character_is_no_code(place: int, character: str) -> None:
    changed = CODE[:place] + character + CODE[place + 1 :]
    made = uscc_of(certificate(placed(bare(common_name="测试公司"), changed, "organisation-code")))
    assert made == (CODE if changed == CODE else None)


@pytest.mark.parametrize("wrong", [CODE[:-1], f"{CODE}0", "MA0000015", "1" * 15, "——", "", "0" * 17 + "X"])
def test_what_has_no_right_check_character_is_no_code(wrong: str) -> None:
    made = certificate(placed(bare(common_name="测试公司"), wrong, "organisation-code", "utf8"))
    assert subject_of(made) == Holder(kind="organisation", name="测试公司", uscc=None)


def test_a_wrong_code_beside_a_right_one_does_not_hide_it() -> None:
    wrong = CODE[:-1] + ("0" if CODE[-1] != "0" else "1")
    spec = placed(placed(bare(common_name="测试公司"), wrong, "tax"), CODE, "eastca")
    assert uscc_of(certificate(spec)) == CODE


# Names


@pytest.mark.parametrize(
    ("common_name", "name"),
    [
        ("测试公司", "测试公司"),
        (f"{CODE}@测试公司@01@003", "测试公司"),
        (f" {CODE} @ 测试公司 @01@003", "测试公司"),
        (f"测试公司@{CODE}@1", "测试公司"),
        (f"{CODE}@重庆测试建设工程有限公司@甲@003", "重庆测试建设工程有限公司"),
        (f"{CODE}@ACME LTD@01@003", "ACME LTD"),
        (f"{CODE}@测试@ACME CONSTRUCTION LTD@01", "ACME CONSTRUCTION LTD"),
        ("９１５０９９９９@测试公司@０１", "测试公司"),
        ("@测试公司@", "测试公司"),
        ("info@example", "example"),
        ("测试 A@B 公司", "B 公司"),
        # Nothing in it is a name.
        ("@", "@"),
        ("01@003", "01@003"),
        (f"{CODE}@01@003", UNNAMED),
        (CODE, UNNAMED),
    ],
)
def test_the_name_is_what_is_neither_a_code_nor_a_counter(common_name: str, name: str) -> None:
    assert named(common_name).name == name


@pytest.mark.parametrize(
    ("common_name", "organisation", "name"),
    [
        ("测试公司", "别的公司", "测试公司"),
        (None, "测试公司", "测试公司"),
        (None, None, UNNAMED),
        # O may be the CA, not the holder (domain.md).
        (None, "重庆测试CA有限公司", UNNAMED),
        ("测试公司", "重庆测试CA有限公司", "测试公司"),
    ],
)
def test_the_organisation_is_the_name_only_where_nothing_else_is_and_it_is_not_the_ca(
    common_name: str | None, organisation: str | None, name: str
) -> None:
    # Without a code, only such a name makes an organisation of a holder.
    kind = "person" if name == UNNAMED else "organisation"
    assert named(common_name, organisation) == Holder(kind=kind, name=name, uscc=None)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("重庆测试渝建工程集团有限公司", True),
        ("四川测试建设", True),
        ("测试医院", True),
        ("ACME Ltd.", True),
        ("Test University", True),
        ("张三", False),
        ("欧阳测试", False),
        ("测试阿依·买买提·吐尔逊", False),
        ("ZHANG SAN", False),
        ("Corporal Incas", False),
        ("", False),
    ],
)
def test_only_what_is_surely_an_organisation_is_taken_for_one(name: str, is_one: bool) -> None:
    assert is_organisation(name) is is_one


@pytest.mark.parametrize(
    "changes",
    [
        {"common_name": "张三"},
        {"organisation": "张三", "common_name": "张三"},
    ],
)
def test_a_name_that_may_be_a_persons_is_not_shown(changes: dict[str, Any]) -> None:
    """No number tells that it is a person; nothing tells that it is not."""
    spec = unit(KIND)
    shown = certificate(replace(spec, subject=replace(spec.subject, **changes)))
    assert "张三" not in str(shown_subject(shown))
    decision = judge(ca().issue(replace(spec, subject=replace(spec.subject, **changes))))
    view = answer_view(decision, messages("zh-CN"), Origin(issuer="o", software="0", livemode=False))
    assert "张三" not in to_json(view).decode()


def test_names_in_gb18030_are_read() -> None:
    spec = replace(unit(KIND), subject=replace(unit(KIND).subject, common_name=der.gb18030("测试公司", 0x0C)))
    assert subject_of(certificate(spec)).name == "测试公司"


# Persons


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("encoding", NUMBER_ENCODINGS)
def test_a_persons_certificate_is_a_persons_wherever_the_number_stands(where: str, encoding: str) -> None:
    made = subject_of(certificate(placed(bare(common_name="测试人员"), PERSON, where, encoding)))
    assert made == Holder(kind="person", name="测试人员", uscc=None)


@pytest.mark.parametrize(
    "common_name", [PERSON, f"{PERSON}@ZHANG SAN@01@003", f"{PERSON}@测试人员@01", f"{PERSON}@01@003", f"01@{PERSON}"]
)
def test_a_persons_number_is_in_no_name(common_name: str) -> None:
    made = named(common_name)
    assert made.kind == "person"
    assert PERSON not in made.name
    assert MASK not in made.name or not any(word in common_name for word in ("ZHANG", "测试"))


@pytest.mark.parametrize("where", ORGANISATION_PLACES)
def test_a_representatives_lock_is_the_organisations_and_does_not_have_the_persons_name(where: str) -> None:
    made = subject_of(certificate(representative(KIND, 4, where)))
    assert made == Holder(kind="organisation", name="测试建设4有限公司", uscc=uscc(4))


def test_a_representatives_lock_without_an_organisation_of_its_own_has_no_name() -> None:
    for organisation in (None, "重庆测试CA有限公司"):
        made = named("测试代表", organisation, ("organisation-code", CODE), ("identity", PERSON))
        assert made == Holder(kind="organisation", name=UNNAMED, uscc=CODE)


@pytest.mark.parametrize("number", ["E12345678", "H0123456700", "台湾0000000001"])
def test_another_number_in_the_identity_extension_is_as_personal(number: str) -> None:
    spec = bare(common_name=f"{number}@测试人员", serial_number=der.utf8(number))
    made = certificate(placed(spec, number, "identity", "utf8"))
    assert subject_of(made) == Holder(kind="person", name="测试人员", uscc=None)
    assert number not in repr(made) + made.subject_text + repr(credential_of(made, "lock", "issuer", {}))


def everything_about(spec: CertificateSpec, *, trusted: bool, expected: str | None = None) -> str:
    """All that a decision, its answer in both languages and its receipt hold, as text."""
    lock = ca().issue(spec)
    policy = STANDING if trusted else world(without=["t-root"])
    subject = {"expected_subject": {"uscc": expected}} if expected else {}
    decision = judge(lock, shelf(lock.revoked()) if not trusted else None, policy, **subject)
    origin = Origin(issuer="测试", software="0", livemode=False)
    made = [repr(decision), str(decision), repr(decision.held), repr(decision.lock), repr(decision.query)]
    made += [repr(entry) for entry in decision.checks]
    made += [to_json(answer_view(decision, messages(language), origin)).decode() for language in ("zh-CN", "en")]
    statement = claims(decision, origin, evaluated_at=AT, jti="1")
    made += [canonical_json(statement).decode(), canonical_json(core(decision)).decode()]
    assert decision.lock is not None
    made += [repr(decision.lock.certificate), decision.lock.certificate.subject_text]
    return "\n".join(made)


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("made", [person, representative])
def test_nothing_that_leaves_us_holds_a_persons_number(
    made: Callable[..., CertificateSpec], where: str, trusted: bool
) -> None:
    if made is representative and where == "identity":
        where = "subject"
    text = everything_about(made(KIND, 1, where), trusted=trusted, expected=CODE)
    for hidden in (PERSON, PERSON[:17], PERSON[6:], PERSON.encode().hex()):
        assert hidden not in text
    assert "测试" in text


@pytest.mark.parametrize("where", ["subject", "common-name", "identity"])
def test_an_answer_about_a_person_holds_no_name(where: str) -> None:
    lock = ca().issue(person(KIND, 1, where))
    decision = judge(lock)
    origin = Origin(issuer="o", software="0", livemode=False)
    view = answer_view(decision, messages("zh-CN"), origin)
    assert decision.outcome == "recognized"
    for text in (to_json(view), canonical_json(claims(decision, origin, evaluated_at=AT, jti="1"))):
        assert "测试人员" not in text.decode()
    assert view["certificate"]["subject"] is None
    assert view["certificate"]["uscc"] is None


def test_an_answer_about_a_representatives_lock_does_not_hold_the_persons_name() -> None:
    decision = judge(ca().issue(representative(KIND)))
    view = answer_view(decision, messages("zh-CN"), Origin(issuer="o", software="0", livemode=False))
    assert "测试代表" not in to_json(view).decode()


# The certificate as a credential


def test_a_certificate_is_a_credential_for_what_an_answer_tells() -> None:
    made = certificate(unit(KIND, 3))
    credential = credential_of(made, "lock", "sc-ca", {"use": "signing"})
    assert (credential.type, credential.issuer, credential.attributes) == ("lock", "sc-ca", {"use": "signing"})
    assert credential.number == serial_text(made.serial)
    assert credential.subject == subject_of(made)
    assert (credential.issued_at, credential.valid_from, credential.recorded_at) == (made.not_before,) * 3
    assert credential.valid_until == made.not_after
    assert (credential.predecessor, credential.events) == (None, ())


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (0, "00"),
        (1, "01"),
        (10, "0A"),
        (255, "FF"),
        (256, "0100"),
        (0x1A2B3C4D, "1A2B3C4D"),
        (-5, "-05"),
        (-256, "-0100"),
    ],
)
def test_a_serial_number_is_written_as_registers_do(serial: int, text: str) -> None:
    assert serial_text(serial) == text


@given(st.integers(-(1 << 300), 1 << 300))
def test_a_serial_number_is_whole_octets_and_reads_back(serial: int) -> None:
    text = serial_text(serial)
    digits = text.removeprefix("-")
    assert int(text, 16) == serial
    assert len(digits) % 2 == 0
    assert digits == digits.upper()
    assert len(digits) == 2 or not digits.startswith("00")
