"""The policy files that come with the software: all read, nothing in them ignored, and what they say."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from typing import Any

import pytest

from registry.agreement import EFFECTS, STRENGTHS
from registry.document import PolicyDocument, parse_document
from registry.errors import PolicyError
from registry.policy import KINDS, Policy, build_policy

FOLDERS = {kind: resources.files("registry") / f"{kind}s" for kind in KINDS}
BOTH = {"CN-CQ", "CN-SC"}
PLAN = "渝府办发〔2023〕15号"


def seed_documents() -> list[PolicyDocument]:
    return [
        parse_document(kind, f"{kind}s/{file.name}", file.read_bytes())
        for kind, folder in FOLDERS.items()
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if file.name.endswith(".toml")
    ]


DOCUMENTS = seed_documents()


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(DOCUMENTS)


def test_every_folder_but_the_one_that_nobody_could_verify_has_files() -> None:
    counted = {kind: sum(entry.kind == kind for entry in DOCUMENTS) for kind in KINDS}
    assert counted == {
        "jurisdiction": 3,
        "catalogue": 1,
        "profile": 5,
        "authorisation": 0,
        "agreement": 8,
        # Whose keys are trusted and who is accepted is an operator's to say.
        "trust-anchor": 0,
        "accepted-list": 0,
        "issuer-key-set": 0,
        # It lies in keys/, which may be used without a registry.
        "algorithm-policy": 0,
    }


def test_the_five_credential_types_and_the_jurisdictions_are_there(policy: Policy) -> None:
    assert set(policy.profiles) == {
        "ca-certificate",
        "food-operation-licence",
        "inspection-body-qualification",
        "metrology-type-approval",
        "metrology-type-evaluation",
    }
    assert set(policy.jurisdictions) == {"CN", "CN-CQ", "CN-SC"}
    assert policy.recognizing == ("CN-CQ", "CN-SC")
    assert {name: entry.gb2260 for name, entry in policy.jurisdictions.items()} == {
        "CN": "00",
        "CN-CQ": "50",
        "CN-SC": "51",
    }


PURPOSES = {
    "ca-certificate": {"bidding.login", "bidding.sign", "bidding.encrypt", "bidding.decrypt", "government.seal"},
    "food-operation-licence": {
        "premises.open-store",
        "premises.trade",
        "inspection.authenticity",
        "platform.onboarding",
    },
    "inspection-body-qualification": {
        "report.acceptance",
        "tender.evaluation",
        "supervision.sampling",
        "inspection.authenticity",
    },
    "metrology-type-approval": {"market.placement", "tender.evaluation", "inspection.authenticity"},
    "metrology-type-evaluation": {"type-approval.application", "inspection.authenticity"},
}


def test_each_type_has_its_purposes(policy: Policy) -> None:
    for name, profile in policy.profiles.items():
        assert set(profile.purposes) == PURPOSES[name]
        genuine = {purpose.id for purpose in profile.purposes.values() if purpose.genuineness}
        assert genuine == {"inspection.authenticity"} & PURPOSES[name]


# id: strength, effect, from, confidence, types, purposes, and the conditions by kind.
TABLE: dict[str, tuple[str, str, str | None, str, set[str], set[str], list[str]]] = {
    "statute/inspection-body": (
        "statute",
        "recognized",
        "2004-07-01T00:00:00+08:00",
        "V",
        {"inspection-body-qualification"},
        {"report.acceptance", "tender.evaluation", "supervision.sampling"},
        ["checks", "checks"],
    ),
    "statute/type-approval-national": (
        "statute",
        "recognized",
        "2004-07-01T00:00:00+08:00",
        "G",  # V for the rule, G for the attribute's upkeep: the weaker of the two
        {"metrology-type-approval"},
        {"market.placement", "tender.evaluation"},
        ["attribute_is", "checks"],
    ),
    "plan/type-approval-provincial": (
        "plan",
        "recognized",
        "2023-01-31T00:00:00+08:00",
        "V",
        {"metrology-type-approval"},
        {"market.placement", "tender.evaluation"},
        ["authority_confirms"],
    ),
    "CQ-SC/type-evaluation": (
        "agreement",
        "recognized",
        "2023-01-31T00:00:00+08:00",
        "S",
        {"metrology-type-evaluation"},
        {"type-approval.application"},
        ["attribute_is", "laboratory_authorised", "fact_matches_attribute"],
    ),
    "CQ-CD/food-chain-sales": (
        "agreement",
        "recognized",
        "2024-01-01T00:00:00+08:00",
        "S",
        {"food-operation-licence"},
        {"premises.open-store"},
        ["attribute_is", "fact_is", "fact_is", "facts_within", "step", "step"],
    ),
    "statute/food-premises": (
        "statute",
        "never_recognized",
        None,
        "S",
        {"food-operation-licence"},
        {"premises.trade"},
        [],
    ),
    "statute/food-platform": (
        "statute",
        "recognized",
        "2015-10-01T00:00:00+08:00",
        "G",
        {"food-operation-licence"},
        {"platform.onboarding"},
        ["checks", "checks"],
    ),
    "statute/authenticity": (
        "statute",
        "recognized",
        "2020-01-01T00:00:00+08:00",
        "V",
        {
            "food-operation-licence",
            "inspection-body-qualification",
            "metrology-type-approval",
            "metrology-type-evaluation",
        },
        {"inspection.authenticity"},
        ["checks", "checks"],
    ),
}


def test_the_agreements_are_those_of_the_table_and_no_other(policy: Policy) -> None:
    assert set(policy.agreements) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_an_agreement_says_what_the_table_says(policy: Policy, name: str) -> None:
    made = policy.agreements[name]
    strength, effect, start, confidence, types, purposes, conditions = TABLE[name]
    assert (made.strength, made.effect, made.confidence) == (strength, effect, confidence)
    assert made.effective.start == (None if start is None else datetime.fromisoformat(start))
    assert (made.effective.end, made.repealed_at) == (None, None)
    assert (set(made.types), set(made.purposes)) == (types, purposes)
    assert [condition.kind for condition in made.conditions] == conditions
    assert made.strength in STRENGTHS
    assert made.effect in EFFECTS


def parties(sides: Any) -> dict[str, tuple[str, ...]]:
    return {name: party.areas for name, party in sides.items()}


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[1] == "recognized"])
def test_agreements_bind_both_directions(policy: Policy, name: str) -> None:
    made = policy.agreements[name]
    chengdu = name == "CQ-CD/food-chain-sales"
    bound = {"CN-CQ": (), "CN-SC": ("510100",) if chengdu else ()}
    national = {"statute/inspection-body", "statute/authenticity"}
    assert parties(made.recognized_in) == bound
    assert parties(made.issued_in) == (bound | {"CN": ()} if name in national else bound)


def test_the_plan_is_cited_with_its_clause(policy: Policy) -> None:
    cited = {
        name: basis.article
        for name, made in policy.agreements.items()
        for basis in made.legal_basis
        if basis.number == PLAN
    }
    assert cited == {
        "statute/inspection-body": "（十八）",
        "statute/type-approval-national": "（十九）",
        "plan/type-approval-provincial": "（十九）",
        "CQ-SC/type-evaluation": "（十九）",
        "CQ-CD/food-chain-sales": "（十九）",
    }


@pytest.mark.parametrize(
    ("name", "instrument", "article"),
    [
        ("statute/inspection-body", "行政许可法", "41"),
        ("statute/inspection-body", "检验检测机构资质认定管理办法", None),
        ("statute/type-approval-national", "计量法", "13"),
        ("statute/type-approval-national", "计量法实施细则", None),
        ("statute/food-premises", "食品经营许可和备案管理办法", None),
        ("statute/food-platform", "食品安全法", "62"),
        ("statute/authenticity", "优化营商环境条例", "37"),
        ("CQ-CD/food-chain-sales", "成渝连锁食品销售企业“申请人告知承诺制”互认工作方案", None),
    ],
)
def test_the_law_is_cited(policy: Policy, name: str, instrument: str, article: str | None) -> None:
    assert (instrument, article) in [(basis.instrument, basis.article) for basis in policy.agreements[name].legal_basis]


def test_national_and_provincial_types_are_told_apart(policy: Policy) -> None:
    provincial = policy.agreements["plan/type-approval-provincial"]
    assert [(where.attribute, where.value) for where in provincial.where] == [("national_type", False)]
    (national, _) = policy.agreements["statute/type-approval-national"].conditions
    assert (national.attribute, national.value) == ("national_type", True)
    assert [condition.id for condition in provincial.conditions] == ["receiving_authority_confirms"]


def test_nobody_recognises_a_lock_without_an_accepted_list(policy: Policy) -> None:
    assert [made.id for made in policy.agreements.values() if "ca-certificate" in made.types] == []


def test_chengdu_has_the_hi_tech_zone_whose_code_is_in_no_standard(policy: Policy) -> None:
    assert policy.gazetteer.contains("510100", "510109")
    assert policy.gazetteer.contains("510000", "510109")
    assert not policy.gazetteer.contains("510700", "510109")
    assert policy.gazetteer.jurisdiction_of("510109") == "CN-SC"


@pytest.mark.parametrize(
    ("type_id", "number", "jurisdiction"),
    [
        *(
            ("food-operation-licence", number, "CN-SC")
            for number in ("JY25101040047197", "JY25101090016740", "JY25101050026159")
        ),
        ("food-operation-licence", "JY13301080111719", None),
        ("food-operation-licence", "JY13101140093802", None),
        ("inspection-body-qualification", "150001210318", "CN"),
        ("inspection-body-qualification", "180001211497", "CN"),
        ("inspection-body-qualification", "152701060345", None),
        ("metrology-type-approval", "CPA 99-F166", None),
        ("metrology-type-approval", "99F166", None),
        ("metrology-type-approval", "２０２３Ｆ１２３－５０", "CN-CQ"),
        ("metrology-type-approval", "2023F123-51", "CN-SC"),
        ("metrology-type-evaluation", "XSPJ-2024-0001", None),
    ],
)
def test_published_numbers_are_in_order(policy: Policy, type_id: str, number: str, jurisdiction: str | None) -> None:
    rule = policy.profiles[type_id].number
    verdict = rule.judge(rule.normalise(number))
    assert (verdict.well_formed, verdict.check_right, verdict.jurisdiction) == (True, True, jurisdiction)


def test_a_published_number_with_a_wrong_check_digit_is_still_well_formed(policy: Policy) -> None:
    rule = policy.profiles["food-operation-licence"].number
    verdict = rule.judge(rule.normalise("JY25001030000028"))
    assert (verdict.well_formed, verdict.check_right, verdict.jurisdiction) == (True, False, "CN-CQ")


def test_what_is_only_general_knowledge_does_not_refuse_a_number(policy: Policy) -> None:
    authoritative = {name: profile.number.authoritative for name, profile in policy.profiles.items()}
    assert authoritative == {
        "ca-certificate": True,
        "food-operation-licence": True,
        "inspection-body-qualification": True,
        "metrology-type-approval": False,
        "metrology-type-evaluation": False,
    }


def test_the_catalogue_never_says_that_nothing_is_needed_for_what_it_does_not_list(policy: Policy) -> None:
    catalogue = policy.catalogues["mandatory-instruments"]
    assert not catalogue.complete
    assert catalogue.find("望远镜", None).state == "unclear"
    assert catalogue.find("水表", "DN15").state == "listed"
    assert catalogue.find("水表", "DN80").state == "off"
    assert catalogue.find("燃气表", "G1.6").state == "listed"
    assert catalogue.find("燃气表", "G25").state == "off"
    assert catalogue.find("加油机", None).state == "listed"


def inner_tables(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every table of a document, the document itself first."""
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from inner_tables(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from inner_tables(item, (*path, number))


def with_stray_key(document: PolicyDocument, path: tuple[Any, ...]) -> PolicyDocument:
    content: Any = copy.deepcopy(json.loads(json.dumps(document.content)))
    inner = content
    for step in path:
        inner = inner[step]
    inner["a_stray_key"] = "x"
    return PolicyDocument(
        kind=document.kind,
        id=document.id,
        version=document.version,
        digest=document.digest,
        source=document.source,
        content=content,
    )


def is_choice(path: tuple[Any, ...]) -> bool:
    return len(path) == 4 and path[2] == "choices"


def is_free(path: tuple[Any, ...]) -> bool:
    """A table of names that the author chooses: which digits stand for which jurisdiction."""
    return path == ("number", "jurisdictions")


SMALL = [document for document in DOCUMENTS if document.kind in ("agreement", "profile")]


@pytest.mark.parametrize("document", SMALL, ids=lambda document: document.source)
def test_no_key_of_an_agreement_or_profile_is_ignored(document: PolicyDocument) -> None:
    rest = [entry for entry in DOCUMENTS if entry is not document]
    paths = [path for path in inner_tables(document.content) if not is_free(path) and not is_choice(path)]
    assert () in paths
    assert ("legal_basis", 0) in paths
    for path in paths:
        with pytest.raises(PolicyError) as caught:
            build_policy([with_stray_key(document, path), *rest])
        assert caught.value.source == document.source


def test_the_choices_of_profiles_hold_labels_and_nothing_else() -> None:
    choices = [
        choice
        for document in SMALL
        if document.kind == "profile"
        for section in ("attributes", "facts")
        for entry in document.content.get(section, {}).values()
        for choice in entry.get("choices", {}).values()
    ]
    assert len(choices) == 9
    assert {frozenset(choice) for choice in choices} == {frozenset({"label"})}
    assert {frozenset(choice["label"]) for choice in choices} == {frozenset({"zh", "en"})}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.source)
def test_every_first_version_is_the_only_one(document: PolicyDocument) -> None:
    # The lock's profile came to name key usages when locks came to be verified.
    assert document.version == (4 if document.id == "ca-certificate" else 1)
    assert sum((entry.kind, entry.id) == (document.kind, document.id) for entry in DOCUMENTS) == 1
