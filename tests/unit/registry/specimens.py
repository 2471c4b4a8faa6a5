"""An invented little world for the tests of `registry`: two provinces, the nation above them, three credential types.

Every function returns new values, so that a test may change what it got.
"""

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from registry.canonical import canonical_json, digest
from registry.credential import Credential, credential_id, known_from, read_credential
from registry.decision import Decision, decide
from registry.document import PolicyDocument, Table
from registry.dossier import Dossier, HeldCredential, RegisterState
from registry.policy import Policy, build_policy
from registry.query import RecognitionQuery, bind, read_question
from registry.verification import Findings, verify

Content = dict[str, Any]

SOURCE = "specimen.toml"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBER = "LC110015"
"""A licence number of AA with its right check digit."""
ABSENT: Any = object()
"""In `edited`: take the member away."""


def both(text: str) -> Content:
    return {"zh": text, "en": f"{text} (en)"}


def edited(content: Content, path: str, value: Any) -> Content:
    """A copy with another value at a path such as `conditions/0/kind`."""
    made = copy.deepcopy(content)
    *steps, last = path.split("/")
    inner: Any = made
    for step in steps:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    key: Any = int(last) if isinstance(inner, list) else last
    if value is ABSENT:
        del inner[key]
    else:
        inner[key] = value
    return made


def document(kind: str, content: Content, source: str = SOURCE) -> PolicyDocument:
    return PolicyDocument(
        kind=kind,
        id=content["id"],
        version=content["version"],
        digest=digest(canonical_json(content)),
        source=source,
        content=content,
    )


def table(content: Content, where: str = "") -> Table:
    return Table(SOURCE, content, where)


def area(code: str, *members: str) -> Content:
    return {"code": code, "name": both(f"区{code}"), "members": list(members)}


def authority(identity: str, competences: Content | None = None, answers_for: Iterable[str] = ()) -> Content:
    """An authority with competences as `{type: [areas]}`, all from 2010 on."""
    return {
        "id": identity,
        "name": both(identity),
        "confidence": "V",
        "contact": {"phone": "12315"},
        "answers_for": list(answers_for),
        "competences": [
            {"type": type_id, "areas": areas, "from": "2010-01-01T00:00:00Z"}
            for type_id, areas in (competences or {}).items()
        ],
    }


def jurisdiction(identity: str, gb2260: str, areas: list[Content], authorities: list[Content]) -> Content:
    return {
        "id": identity,
        "version": 1,
        "confidence": "V",
        "name": both(identity),
        "gb2260": gb2260,
        "whole_area": f"{gb2260}0000",
        "default_authority": authorities[0]["id"],
        "areas": areas,
        "authorities": authorities,
        "sources": ["invented"],
    }


ALL_TYPES = ("licence", "device", "lock")


def jurisdiction_aa() -> Content:
    return jurisdiction(
        "AA",
        "11",
        [area("110100", "110101", "110102"), area("110101"), area("110102"), area("110200")],
        [
            authority("aa-office", {type_id: ["110000"] for type_id in ALL_TYPES}, ALL_TYPES),
            authority("aa-city", {"licence": ["110100"]}, ["licence"]),
            authority("aa-district", {"licence": ["110101"]}, ["licence"]),
        ],
    )


def jurisdiction_bb() -> Content:
    return jurisdiction(
        "BB",
        "12",
        [area("120100", "120101"), area("120101"), area("120200")],
        [
            authority("bb-office", {type_id: ["120000"] for type_id in ALL_TYPES}, ALL_TYPES),
            authority("bb-city", {"licence": ["120100"]}, ["licence"]),
        ],
    )


def jurisdiction_nation() -> Content:
    return jurisdiction("CN", "00", [], [authority("cn-body", {"licence": ["000000"]}, ALL_TYPES)])


def field(kind: str, **more: Any) -> Content:
    return {"kind": kind, "label": both(f"标{kind}"), **more}


CHOICES: Content = {"high": {"label": both("甲级")}, "low": {"label": both("乙级")}}


LICENCE_PURPOSES: Content = {
    "trade": {
        "label": both("经营"),
        "optional": ["place", "items", "trained", "signed", "remark"],
        "place_fact": "place",
    },
    "inspect": {
        "label": both("查验"),
        "genuineness": True,
        "required": ["items"],
        "optional": ["place"],
        "scope": [
            {"kind": "subset", "fact": "items", "attribute": "items"},
            {"kind": "area", "fact": "place", "attribute": "area"},
        ],
    },
    "rate": {
        "label": both("评级"),
        "optional": ["grade"],
        "scope": [
            {"kind": "subset", "fact": "grade", "attribute": "grade"},
            {"kind": "attribute_is", "attribute": "certified", "value": True},
        ],
    },
    "settle": {"label": both("迁入"), "not_at_home": both("须另行申请")},
}


def licence_profile() -> Content:
    return {
        "id": "licence",
        "version": 1,
        "confidence": "V",
        "name": both("许可证"),
        "max_age_hours": 48,
        "area_attribute": "area",
        "legal_basis": [{"instrument": "许可办法"}, {"instrument": "执法办法", "article": "7", "checks": ["status"]}],
        "number": {
            "normalisation": "compact",
            "pattern": r"LC(?P<checked>(?P<jurisdiction>\d{2})\d{4})",
            "check": "mod-11-10",
            "jurisdictions": {"11": "AA", "12": "BB", "00": "CN"},
            "unique_within": "type",
            "confidence": "V",
            "example": NUMBER,
        },
        "attributes": {
            "area": field("area"),
            "items": field("texts", required=True),
            "grade": field("choice", choices=CHOICES),
            "certified": field("boolean"),
            "since": field("instant"),
            "load": field("decimal"),
            "rows": field("table", columns=["parameter", "method"]),
            "remark": field("text", public=False),
        },
        "facts": {
            "place": field("area"),
            "items": field("texts"),
            "grade": field("choice", choices=CHOICES),
            "trained": field("boolean"),
            "signed": field("boolean"),
            "load": field("decimal"),
            "remark": field("text"),
        },
        "purposes": copy.deepcopy(LICENCE_PURPOSES),
    }


def device_profile() -> Content:
    placement = {
        "label": both("销售"),
        "required": ["instrument"],
        "optional": ["size"],
        "catalogue": True,
        "scope": [{"kind": "instrument", "fact": "instrument", "attribute": "instrument"}],
    }
    return {
        "id": "device",
        "version": 1,
        "confidence": "V",
        "name": both("型式批准"),
        "max_age_hours": 24,
        "legal_basis": [{"instrument": "计量办法"}],
        "number": {
            "normalisation": "type-approval",
            "pattern": r"\d{2}-[A-Z]\d{3}",
            "check": "none",
            "unique_within": "issuer",
            "confidence": "G",
            "example": "99F166",
        },
        "catalogue": {"id": "instruments", "instrument_fact": "instrument", "size_fact": "size"},
        "attributes": {"instrument": field("text", required=True)},
        "facts": {"instrument": field("text"), "size": field("text")},
        "purposes": {"placement": placement, "survey": {"label": both("调查"), "optional": ["instrument"]}},
    }


def lock_profile() -> Content:
    return {
        "id": "lock",
        "version": 1,
        "confidence": "V",
        "name": both("锁"),
        "evidence": "certificate",
        "max_age_hours": 24,
        "legal_basis": [{"instrument": "签名法"}],
        "number": {
            "normalisation": "compact",
            "pattern": "[0-9A-F]{4,40}",
            "check": "none",
            "unique_within": "issuer",
            "confidence": "V",
            "example": "A1B2",
        },
        "purposes": {"sign": {"label": both("签署")}},
    }


def entry(zh: str, mark: str = "P+V", **more: Any) -> Content:
    return {"name": both(zh), "mark": mark, **more}


def catalogue(*, complete: bool = True) -> Content:
    return {
        "id": "instruments",
        "version": 1,
        "confidence": "V",
        "name": both("目录"),
        "complete": complete,
        "legal_basis": [{"instrument": "计量办法", "article": "3"}],
        "sources": ["invented"],
        "entries": [
            entry("水表", aliases=["冷水水表"], quantity="nominal_diameter", unit="DN", min="15", max="50"),
            entry("电子秤", "P", aliases=["台秤"]),
            entry("充电桩", "V"),
        ],
    }


def authorisations(*rows: Content) -> Content:
    return {
        "id": "aa-lab-rows",
        "version": 1,
        "confidence": "V",
        "laboratory": "aa-office",
        "legal_basis": [{"instrument": "授权书"}],
        "rows": list(rows) or [authorised_row()],
    }


def authorised_row(**more: Any) -> Content:
    row = {
        "instrument": "水表",
        "min": "0.5",
        "max": "20",
        "unit": "m³/h",
        "accuracy_classes": ["2级", "Ⅲ级"],
        "from": "2020-01-01T00:00:00Z",
        "until": "2026-01-01T00:00:00Z",
    }
    return {**row, **more}


def condition(kind: str, identity: str = "c1", **operands: Any) -> Content:
    return {"id": identity, "kind": kind, "text": both(identity), **operands}


CONFIRMED = condition("authority_confirms", "confirmed")
IN_FORCE = condition("checks", "in_force", checks=["status", "validity"])


def agreement(identity: str = "pact", **more: Any) -> Content:
    """AA and BB bind each other for licences in trade, since 2020."""
    sides = [{"jurisdiction": "AA"}, {"jurisdiction": "BB"}]
    made = {
        "id": identity,
        "version": 1,
        "confidence": "V",
        "strength": "agreement",
        "name": both(identity),
        "types": ["licence"],
        "purposes": ["trade"],
        "effective": {"from": "2020-01-01T00:00:00Z"},
        "binds": {"issued_in": copy.deepcopy(sides), "recognized_in": copy.deepcopy(sides)},
        "legal_basis": [{"instrument": f"{identity} 协议", "number": "1", "article": "2"}],
        "conditions": [IN_FORCE],
    }
    return {name: value for name, value in {**made, **more}.items() if value is not ABSENT}


def never(identity: str = "ban", **more: Any) -> Content:
    """A law that rules recognition out."""
    laid = {"strength": "statute", "effect": "never_recognized", "effective": ABSENT, "binds": ABSENT}
    return agreement(identity, **{**laid, "conditions": ABSENT, **more})


def documents(*agreements: Content) -> list[PolicyDocument]:
    """The little world with these agreements; each document has a source of its own."""
    base = [
        ("jurisdiction", jurisdiction_aa()),
        ("jurisdiction", jurisdiction_bb()),
        ("jurisdiction", jurisdiction_nation()),
        ("catalogue", catalogue()),
        ("profile", licence_profile()),
        ("profile", device_profile()),
        ("profile", lock_profile()),
        ("authorisation", authorisations()),
        *(("agreement", content) for content in agreements),
    ]
    return [document(kind, content, f"{kind}s/{content['id']}.toml") for kind, content in base]


def policy(*agreements: Content) -> Policy:
    return build_policy(documents(*agreements))


def replaced(made: list[PolicyDocument], kind: str, content: Content) -> list[PolicyDocument]:
    """The documents with another content for the one of this kind and id."""
    rest = [entry for entry in made if (entry.kind, entry.id) != (kind, content["id"])]
    return [*rest, document(kind, content, f"{kind}s/{content['id']}.toml")]


def licence(**more: Any) -> Content:
    """A licence of AA as its issuer writes it down."""
    made = {
        "type": "licence",
        "number": NUMBER,
        "issuer": "aa-office",
        "subject": {"kind": "organisation", "name": "测试公司", "uscc": "11430000006122244L"},
        "issued_at": "2024-01-01T00:00:00Z",
        "valid_from": "2024-01-01T00:00:00Z",
        "valid_until": "2029-01-01T00:00:00Z",
        "attributes": {"area": "110101", "items": ["面包", "蛋糕"], "grade": "high", "certified": True},
        "recorded_at": "2024-01-02T00:00:00Z",
    }
    return {name: value for name, value in {**made, **more}.items() if value is not ABSENT}


def event(name: str, effective: str = "2025-01-01", recorded: str | None = None, **more: Any) -> Content:
    """A lifecycle step effective and recorded at midnight UTC."""
    return {
        "event": name,
        "effective_at": f"{effective}T00:00:00Z",
        "recorded_at": f"{recorded or effective}T00:00:00Z",
        **more,
    }


def credential(world: Policy, **more: Any) -> Credential:
    content = licence(**more)
    return read_credential(content, world.profiles[content["type"]])


def hold(made: Credential) -> HeldCredential:
    return HeldCredential(
        id=credential_id(made.type, made.number, made.issuer),
        credential=made,
        digest=digest(canonical_json(made.content())),
        known_from=known_from(made),
    )


def ask(world: Policy, **members: Any) -> RecognitionQuery:
    """A question about the licence in BB, for trade, now."""
    content = {"credential": {"type": "licence", "number": NUMBER}, "jurisdiction": "BB", "purpose": "trade", **members}
    content = {name: value for name, value in content.items() if value is not ABSENT}
    question = read_question(content, NOW)
    return bind(question, world.profiles[question.type or "device"])


def dossier(
    world: Policy, query: RecognitionQuery, *held: Credential, registers: tuple[RegisterState, ...] | None = None
) -> Dossier:
    """The query with what is held; the registers reported just now unless told otherwise."""
    issuers = [made.issuer for made in held] or [issuer.id for issuer in world.issuers[query.type]]
    fresh = tuple(RegisterState(issuer=issuer, as_of=query.known_at) for issuer in issuers)
    return Dossier(
        query=query,
        profile=world.profiles[query.type],
        policy=world,
        held=tuple(hold(made) for made in held),
        registers=fresh if registers is None else registers,
    )


def find(world: Policy, query: RecognitionQuery, *held: Credential, **more: Any) -> Findings:
    return verify(dossier(world, query, *held, **more))


def judge(world: Policy, query: RecognitionQuery, *held: Credential, **more: Any) -> Decision:
    agreements = world.agreements_for(query.jurisdiction, query.purpose, query.type)
    return decide(query, find(world, query, *held, **more), agreements)
