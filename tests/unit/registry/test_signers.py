"""Several signers of one document: what is asked of them, and the answer on all."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from app.bootstrap import seed_policy
from registry.decision import Decision
from registry.policy import build_policy
from registry.receipt import Origin, claims, signature_statement
from registry.signers import Panel, Requirement, Role, SignatureAnswer, Signed, SignerAnswer, judge_signers, role_of
from tests.support.der_writer import Subject
from tests.support.pki import AT, CertificateSpec, Issued, Key, person, representative, unit
from tests.unit.registry.document_locks import in_cms, judge_document, name_of, receipt
from tests.unit.registry.locks import KIND, ca, certificate_of, honest_lock

WORDS = {"legal_representative": ("法定代表人", "法人代表", "Legal Representative"), "unknown": ("授权", "业务员")}
OUTCOMES = ("recognized", "indeterminate", "not_recognized")


@cache
def decided(number: int = 1, outcome: str = "recognized", kind: str = "unit", serial: int = 0) -> Decision:
    """A decision on a lock of a company, as it was or with another outcome."""
    spec = unit(KIND, number) if kind == "unit" else representative(KIND, number)
    lock = ca().issue(structs_free(spec, serial))
    made = judge_document(lock, in_cms(lock))
    assert made.outcome == "recognized"
    return structs.replace(made, outcome=outcome)  # type: ignore[arg-type]


def structs_free(spec: CertificateSpec, serial: int) -> CertificateSpec:
    return replace(spec, serial=1 + serial + int.from_bytes(spec.subject.der[-8:], "big"))


def signed(role: Role = "unit", number: int = 1, outcome: str = "recognized", serial: int = 0) -> Signed:
    kind = "unit" if role == "unit" else "representative"
    return Signed(role=role, decision=decided(number, outcome, kind, serial))


UNKNOWN = Signed(role="unknown", decision=None)


def wanted(unit: int = 0, representative: int = 0, same: bool = False) -> Requirement:
    counts: dict[Role, int] = {"unit": unit, "legal_representative": representative}
    return Requirement(counts={role: count for role, count in counts.items() if count}, same_subject=same)


def told(panel: Panel) -> tuple[str, str]:
    return panel.outcome, panel.reasons[0].code


# Roles


def named(name: str, **said: str) -> CertificateSpec:
    """A holder by a name."""
    return CertificateSpec(subject=Subject(common_name=name, **said), key=Key(KIND, "nine"))


@pytest.mark.parametrize(
    ("spec", "role"),
    [
        (unit(KIND), "unit"),
        (representative(KIND), "legal_representative"),
        (person(KIND), "unknown"),
        (
            CertificateSpec(
                subject=Subject(organisation="测试建设9有限公司", unit="legal representative", common_name="测试九"),
                key=Key(KIND, "nine"),
            ),
            "legal_representative",
        ),
        (
            CertificateSpec(
                subject=Subject(organisation="测试建设9有限公司", common_name="测试九"), key=Key(KIND, "nine")
            ),
            "unknown",
        ),
        (named("测试九", organisation="测试建设9有限公司", unit="法定代表人授权委托人"), "unknown"),
        (named("测试建设9有限公司-业务员", organisation="测试建设9有限公司"), "unknown"),
        (named("测试法人代表服务有限公司", organisation="测试法人代表服务有限公司"), "unit"),
        (named("测试九", organisation="测试法人代表服务有限公司"), "unknown"),
        (named("测试法人代表服务有限公司", organisation="别家测试CA有限公司"), "legal_representative"),
        (CertificateSpec(subject=Subject(organisation="测试建设9有限公司"), key=Key(KIND, "nine")), "unknown"),
    ],
)
def test_a_role_is_told_by_words_or_by_the_company_itself(spec: CertificateSpec, role: str) -> None:
    assert role_of(certificate_of(ca().issue(spec)), WORDS) == role


def test_without_words_nobody_is_a_representative() -> None:
    assert role_of(certificate_of(ca().issue(representative(KIND))), {}) == "unknown"


# Without a requirement


def test_all_must_count_and_the_gravest_decides() -> None:
    good, unclear, bad = signed(), signed(number=2, outcome="indeterminate"), signed(number=3, outcome="not_recognized")
    assert judge_signers([good, signed(number=2)], None).outcome == "recognized"
    for order in permutations([good, unclear, bad]):
        panel = judge_signers(order, None)
        assert (panel.outcome, order[panel.deciding], panel.missing) == ("not_recognized", bad, None)
    panel = judge_signers([good, unclear], None)
    assert (panel.outcome, panel.deciding) == ("indeterminate", 1)


def test_a_signer_of_whom_nobody_has_the_certificate_leaves_doubt() -> None:
    panel = judge_signers([UNKNOWN, signed()], None)
    assert told(panel) == ("indeterminate", "signature.certificate_missing")
    assert panel.deciding == 1
    assert judge_signers([UNKNOWN, signed(outcome="not_recognized")], None).outcome == "not_recognized"
    with pytest.raises(ValueError, match="none can be judged"):
        judge_signers([UNKNOWN], None)


# With one


def test_enough_of_each_role_must_count() -> None:
    both = [signed(), signed("legal_representative")]
    assert told(judge_signers(both, wanted(1, 1))) == ("recognized", "signers.complete")
    assert told(judge_signers(both, wanted(1, 1, same=True))) == ("recognized", "signers.complete")
    lacking = judge_signers(both[:1], wanted(1, 1))
    assert told(lacking) == ("not_recognized", "signers.missing")
    assert lacking.missing == {"unit": 0, "legal_representative": 1}
    assert dict(lacking.reasons[0].params) == {"unit": 0, "legal_representative": 1}
    assert lacking.reasons[0].variant == "legal_representative"
    assert judge_signers(both[1:], wanted(1, 1)).reasons[0].variant == "unit"
    assert judge_signers(both, wanted(2, 2)).reasons[0].variant == ""
    assert judge_signers(both, wanted(2)).missing == {"unit": 1}


def test_a_superfluous_signature_changes_nothing() -> None:
    bad = signed(number=4, outcome="not_recognized")
    panel = judge_signers([bad, UNKNOWN, signed()], wanted(1))
    assert (panel.outcome, panel.deciding) == ("recognized", 2)


def test_who_signs_twice_is_one_signer() -> None:
    twice = [signed(), signed()]
    assert judge_signers(twice, wanted(2)).outcome == "not_recognized"
    better = [signed(outcome="not_recognized"), signed()]
    assert judge_signers(better, wanted(1)).outcome == "recognized"


def test_who_represents_is_known_by_the_words_that_are_shipped() -> None:
    shipped = build_policy(seed_policy()).profiles["ca-certificate"].role_words

    def role(name: str) -> Role:
        return role_of(certificate_of(ca().issue(named(name, organisation="测试建设9有限公司"))), shipped)

    for name in ("法定代表人", "测试九（法定代表人）", "法人代表章"):
        assert role(name) == "legal_representative"
    for name in (
        "非法定代表人",
        "原法定代表人",
        "法定代表人助理",
        "法定代表人之秘书",
        "法定代表人配偶",
        "法定代表人授权人",
    ):
        assert role(name) == "unknown", name


def test_a_company_counts_once_in_each_role() -> None:
    renewed = [signed(), signed(serial=1)]
    panel = judge_signers(renewed, wanted(2))
    assert (panel.outcome, panel.missing) == ("not_recognized", {"unit": 1})
    consortium = [signed(number=1), signed(number=2), *(signed("legal_representative", number) for number in (1, 2))]
    assert judge_signers(consortium, wanted(2, 2)).outcome == "recognized"
    same = [structs.replace(entry, role="unknown") for entry in renewed]
    # One may be the representative's: more evidence could tell.
    assert judge_signers(same, wanted(1, 1)).outcome == "indeterminate"


def test_a_company_without_a_code_may_be_any_other() -> None:
    lock = ca().issue(named("测试建设9有限公司"))
    unnamed = Signed(role="unit", decision=judge_document(lock, in_cms(lock)))
    for signers in ([unnamed, signed()], [signed(), unnamed]):
        assert judge_signers(signers, wanted(2)).outcome == "indeterminate"
        assert judge_signers(signers, wanted(1)).outcome == "recognized"
    assert judge_signers([unnamed], wanted(1)).outcome == "recognized"


def test_a_holder_without_a_code_is_known_by_name() -> None:
    spec = named("测试建设9有限公司")
    found = []
    for serial in (901, 902):
        lock = ca().issue(replace(spec, serial=serial, key=Key(KIND, str(serial))))
        found.append(Signed(role="unit", decision=judge_document(lock, in_cms(lock))))
    assert judge_signers(found, wanted(2)).missing == {"unit": 1}


def test_the_same_company_where_that_is_asked() -> None:
    others = [signed(number=1), signed("legal_representative", number=2)]
    assert judge_signers(others, wanted(1, 1)).outcome == "recognized"
    assert told(judge_signers(others, wanted(1, 1, same=True))) == ("not_recognized", "signers.other_subject")
    three = [*others, signed("legal_representative", number=1)]
    assert judge_signers(three, wanted(1, 1, same=True)).outcome == "recognized"
    nobody = judge_signers([UNKNOWN, signed(number=1, outcome="not_recognized")], wanted(1, same=True))
    assert nobody.missing == {"unit": 1}


def test_what_could_still_be_met_is_no_refusal() -> None:
    unclear = signed("legal_representative", outcome="indeterminate")
    for panel in (
        judge_signers([signed(), unclear], wanted(1, 1)),
        judge_signers([signed(), unclear], wanted(1, 1, same=True)),
        judge_signers([signed(), UNKNOWN], wanted(1, 1, same=True)),
        judge_signers([signed(), Signed(role="unknown", decision=decided(7))], wanted(1, 1)),
    ):
        assert told(panel) == ("indeterminate", "signers.missing")
        assert panel.reasons[0].variant == "undecided_legal_representative"
    assert judge_signers([unclear, UNKNOWN], wanted(1, 1)).reasons[0].variant == "undecided"
    assert judge_signers([signed(outcome="indeterminate")], wanted(1)).reasons[0].variant == "undecided_unit"
    other = signed("legal_representative", number=2, outcome="indeterminate")
    assert judge_signers([signed(), other], wanted(1, 1, same=True)).outcome == "not_recognized"
    assert judge_signers([signed(), UNKNOWN], wanted(1, 2)).outcome == "not_recognized"


ROLES = st.sampled_from(["unit", "legal_representative", "unknown"])
SIGNERS = st.lists(
    st.builds(
        lambda role, number, outcome, serial: Signed(
            role=role, decision=decided(number, outcome, "unit" if role == "unit" else "representative", serial)
        ),
        ROLES,
        st.integers(1, 2),
        st.sampled_from(OUTCOMES),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=4,
)
REQUIREMENTS = st.builds(wanted, st.integers(1, 2), st.integers(0, 2), st.booleans()) | st.none()
RANK = {"not_recognized": 0, "indeterminate": 1, "recognized": 2}


@given(SIGNERS, REQUIREMENTS, st.data())
def test_the_order_of_signers_plays_no_part(
    signers: list[Signed], asked: Requirement | None, data: st.DataObject
) -> None:
    shuffled = [signers[place] for place in data.draw(st.permutations(range(len(signers))))]
    one, other = judge_signers(signers, asked), judge_signers(shuffled, asked)
    assert (one.outcome, one.missing) == (other.outcome, other.missing)
    assert {reason.code for reason in one.reasons} == {reason.code for reason in other.reasons}


@given(SIGNERS, REQUIREMENTS, st.data())
def test_a_better_signature_never_makes_the_answer_worse(
    signers: list[Signed], asked: Requirement | None, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(signers) - 1))
    decision = signers[place].decision
    assert decision is not None
    raised = structs.replace(signers[place], decision=structs.replace(decision, outcome="recognized"))
    better = [*signers[:place], raised, *signers[place + 1 :]]
    assert RANK[judge_signers(better, asked).outcome] >= RANK[judge_signers(signers, asked).outcome]


@given(SIGNERS, st.builds(wanted, st.integers(1, 2), st.integers(0, 2), st.booleans()), ROLES, st.integers(1, 2))
def test_one_more_signer_never_makes_a_requirement_worse(
    signers: list[Signed], asked: Requirement, role: Role, number: int
) -> None:
    more = Signed(role=role, decision=decided(number, "recognized", "unit" if role == "unit" else "representative", 9))
    before, after = judge_signers(signers, asked), judge_signers([*signers, more], asked)
    assert RANK[after.outcome] >= RANK[before.outcome]


@given(SIGNERS, REQUIREMENTS)
def test_a_yes_has_only_recognized_signers_behind_it(signers: list[Signed], asked: Requirement | None) -> None:
    panel = judge_signers(signers, asked)
    deciding = signers[panel.deciding].decision
    assert panel.reasons
    assert deciding is not None
    if panel.outcome == "recognized":
        assert deciding.outcome == "recognized"
        good = [entry for entry in signers if entry.decision is not None and entry.decision.outcome == "recognized"]
        assert asked is not None or len(good) == len(signers)


# What is signed of it


def answered(*locks: Issued, **more: Any) -> SignatureAnswer:
    found = []
    for lock in locks:
        document = structs.replace(in_cms(lock, at=AT - timedelta(hours=1)), **more)
        decision = judge_document(lock, document)
        signer = Signed(role="unit", decision=decision)
        found.append(SignerAnswer(signed=signer, certificate=certificate_of(lock), signature=document))
    requirement = wanted(1, same=True)
    return SignatureAnswer(
        panel=judge_signers([entry.signed for entry in found], requirement),
        signers=tuple(found),
        requirement=requirement,
        message=name_of(b"message"),
        content={"sha256": "00"},
        dialect="rfc5652",
    )


def test_a_receipt_names_every_signature_and_certificate() -> None:
    answer = answered(honest_lock(1), honest_lock(2), receipts=(receipt(AT - timedelta(minutes=1)),))
    statement = signature_statement(answer)
    assert statement["requirement"] == {"unit": 1, "same_subject": True}
    assert [entry["certificate"] for entry in statement["signers"]] == [
        certificate_of(honest_lock(number)).fingerprint for number in (1, 2)
    ]
    assert [entry["signature"] for entry in statement["signers"]] == [entry.signature.name for entry in answer.signers]
    assert statement["signers"][0]["proven_time"]["kind"] == "receipt"
    origin = Origin(issuer="urn:accord:test", software="0", livemode=False)
    said = claims(answer.decision, origin, evaluated_at=AT, jti="rcpt_1", answer=answer)
    assert (said["decision"], said["time_source"], said["signature"]) == ("recognized", "proven", statement)
    assert said["reasons"][0] == "signers.complete"


def test_a_signer_without_a_certificate_is_named_by_the_signature_alone() -> None:
    answer = answered(honest_lock(1))
    alone = structs.replace(answer.signers[0], signed=UNKNOWN, certificate=None)
    both = structs.replace(answer, signers=(alone, *answer.signers), requirement=None)
    entry = signature_statement(both)["signers"][0]
    assert (entry["certificate"], entry["decision"], entry["reasons"], entry["proven_time"]) == (
        None,
        "indeterminate",
        ["signature.certificate_missing"],
        None,
    )
    assert signature_statement(both)["requirement"] is None
    with pytest.raises(ValueError, match="decides nothing"):
        assert both.decision
