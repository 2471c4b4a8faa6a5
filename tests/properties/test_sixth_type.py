"""A sixth credential type is a TOML file: registered, asked about and decided without a line of code."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from app import clock
from app.bootstrap import lock_material, seed_policy
from app.messages import messages
from app.ports import RegisterReport
from app.presentation import answer_view
from app.store.reader import SqliteReader
from app.store.schema import migrate
from app.store.writer import SqliteWriter
from app.usecases.load_register import version_rows
from app.usecases.recognize import Recognizer
from registry.document import parse_document
from registry.receipt import Origin

PROFILE = """
id = "chief-quality-officer"
version = 1
confidence = "U"
name = { zh = "首席质量官证书（测试）", en = "Chief quality officer certificate (test)" }
max_age_hours = 24
[[legal_basis]]
instrument = "推动成渝地区双城经济圈市场一体化建设行动方案"
number = "渝府办发〔2023〕15号"
article = "（十八）"
[number]
normalisation = "compact"
pattern = 'CQO(?P<jurisdiction>\\d{2})\\d{6}'
check = "none"
jurisdictions = { "50" = "CN-CQ", "51" = "CN-SC", "99" = "CN-XX" }
unique_within = "type"
confidence = "V"
example = "CQO50000001"
[attributes.industries]
kind = "texts"
required = true
label = { zh = "行业", en = "Industries" }
[facts.industry]
kind = "text"
label = { zh = "行业", en = "industry" }
[purposes."post.appointment"]
label = { zh = "聘任", en = "Appointment" }
required = ["industry"]
[[purposes."post.appointment".scope]]
kind = "subset"
fact = "industry"
attribute = "industries"
"""
AGREEMENT = """
id = "test/chief-quality-officer"
version = 1
confidence = "U"
strength = "plan"
name = { zh = "首席质量官（测试）", en = "Chief quality officers (test)" }
types = ["chief-quality-officer"]
purposes = ["post.appointment"]
[effective]
from = 2023-01-31T00:00:00+08:00
[[binds.issued_in]]
jurisdiction = "CN-CQ"
[[binds.recognized_in]]
jurisdiction = "CN-SC"
[[legal_basis]]
instrument = "推动成渝地区双城经济圈市场一体化建设行动方案"
number = "渝府办发〔2023〕15号"
article = "（十八）"
[[conditions]]
id = "receiving_authority_confirms"
kind = "authority_confirms"
text = { zh = "由接收地主管部门确认", en = "The receiving authority confirms" }
"""
# The issuing body is an authority like any other: a jurisdiction file with a competence for the new type.
JURISDICTION = """
id = "CN-XX"
version = 1
confidence = "U"
name = { zh = "测试地", en = "Test place" }
gb2260 = "99"
whole_area = "990000"
default_authority = "xx-office"
sources = ["test"]
[[authorities]]
id = "xx-office"
name = { zh = "测试机关", en = "Test office" }
confidence = "U"
contact = { phone = "12315" }
answers_for = ["chief-quality-officer"]
[[authorities.competences]]
type = "chief-quality-officer"
areas = ["990000"]
from = 2023-01-31T00:00:00+08:00
"""
CREDENTIAL = {
    "type": "chief-quality-officer",
    "number": "CQO 99-000001",
    "issuer": "xx-office",
    "subject": {"kind": "organisation", "name": "重庆测试质量有限公司", "uscc": None},
    "issued_at": "2024-05-01T00:00:00+08:00",
    "valid_from": "2024-05-01T00:00:00+08:00",
    "valid_until": "2029-05-01T00:00:00+08:00",
    "attributes": {"industries": ["食品", "计量"]},
    "recorded_at": "2024-05-02T00:00:00+08:00",
}


def _store(tmp_path: Path) -> Path:
    path = tmp_path / "accord.db"
    migrate(path, "test", clock.now())
    writer = SqliteWriter(path)
    agreement = AGREEMENT.replace('jurisdiction = "CN-CQ"', 'jurisdiction = "CN-XX"')
    documents = [
        parse_document("profile", "chief.toml", PROFILE.encode()),
        parse_document("agreement", "chief-agreement.toml", agreement.encode()),
        parse_document("jurisdiction", "xx.toml", JURISDICTION.encode()),
    ]
    writer.enter_policies((*seed_policy(), *documents), known_from=datetime(2024, 1, 1, tzinfo=UTC))
    reader = SqliteReader(path)
    rows, problems = version_rows([CREDENTIAL], reader.load_policies().latest, b"test")
    reader.close()
    assert problems == ()
    writer.append(rows, [RegisterReport(issuer="xx-office", type="chief-quality-officer", as_of=clock.now())])
    writer.close()
    return path


def test_a_sixth_type_by_files_alone(tmp_path: Path) -> None:
    path = _store(tmp_path)
    reader = SqliteReader(path)
    recognizer = Recognizer(reader, reader.load_policies(), lock_material(path))

    def ask(jurisdiction: str, industry: str, number: str = "cqo99000001") -> dict:
        content = {
            "credential": {"type": "chief-quality-officer", "number": number},
            "jurisdiction": jurisdiction,
            "purpose": "post.appointment",
            "valid_at": "2026-10-01T00:00:00+08:00",
            "facts": {"industry": industry},
        }
        decision = asyncio.run(recognizer.recognize(content, clock.now()))[1]
        return answer_view(decision, messages("zh-CN"), Origin(issuer="x", software="0", livemode=False))

    across = ask("CN-SC", "食品")
    assert across["decision"] == "conditional"
    assert [entry["state"] for entry in across["conditions"]] == ["open"]
    assert across["credential"]["attributes"] == {"industries": ["食品", "计量"]}
    assert ask("CN-XX", "食品")["reasons"][0]["code"] == "jurisdiction.home"
    assert ask("CN-SC", "建筑")["reasons"][0]["code"] == "scope.not_covered"
    assert ask("CN-SC", "食品", number="CQO99000002")["decision"] == "not_found"
    assert ask("CN-CQ", "食品")["reasons"][0]["code"] == "agreement.party_not_bound"
    reader.close()
