"""The demonstration's registers and policy: artificial, plainly marked, and right except where wrong on purpose."""

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import pytest

from registry.credential import EVENTS, REVOCATION_KINDS, Credential, read_credential, standing
from registry.document import PolicyDocument, parse_document
from registry.errors import DocumentError
from registry.identifiers import CHECK_SYSTEMS, comparable, organisation_code_check
from registry.jurisdiction import competent
from registry.policy import KINDS, Policy, build_policy

SEED = resources.files("registry")
DEMONSTRATION = resources.files("app") / "demonstration"

BEGINS = datetime.fromisoformat("2020-01-01T00:00:00+08:00")
MADE = datetime.fromisoformat("2026-11-23T00:00:00+08:00")
IN_FORCE_ON = datetime.fromisoformat("2026-10-01T00:00:00+08:00")
BEIJING = timedelta(hours=8)

WRONG_CHECK_DIGIT = {"JY15001069900208": "registers hold such numbers: held, it only warns"}
WRONG_PROVINCE = {
    "JY15101049900215": "a licence of 渝中 whose digits say 锦江",
    "232301129012": "a certificate of Chongqing with the issuer digits of Sichuan",
}
UNKNOWN_ISSUER = {"JY15001039900165": "cq-unlisted-demo: an issuer that no jurisdiction file lists"}
UNKNOWN_AREA = {"JY15001999900194": "an area that no jurisdiction file declares"}
NOT_COMPETENT = {
    "JY15001069900176": "渝中's bureau for premises in 沙坪坝",
    "JY25001059900181": "江北's bureau after it ended with its district",
    "252201219011": "a district bureau for a type that it never issues",
    "99-F905": "issued before the competence begins that the jurisdiction file declares",
}
FORM_DIGITS = {"sales": "1", "catering": "2", "canteen": "3"}


def folder_documents(root: Traversable) -> Iterator[PolicyDocument]:
    for kind in KINDS:
        folder = root / f"{kind}s"
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
                if file.name.endswith(".toml"):
                    yield parse_document(kind, f"{kind}s/{file.name}", file.read_bytes())


def demonstration_lines() -> list[tuple[str, dict[str, Any]]]:
    files = sorted((DEMONSTRATION / "registers").iterdir(), key=lambda entry: entry.name)
    return [
        (file.name.removesuffix(".jsonl"), json.loads(line))
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy([*folder_documents(SEED), *folder_documents(DEMONSTRATION)])


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, dict[str, Any]]]:
    return demonstration_lines()


@pytest.fixture(scope="module")
def credentials(policy: Policy, lines: list[tuple[str, dict[str, Any]]]) -> list[Credential]:
    return [read_credential(line, policy.profiles[name]) for name, line in lines]


def normalised(policy: Policy, credential: Credential) -> str:
    return policy.profiles[credential.type].number.normalise(credential.number)


def subjects(lines: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Every holder, also those that an amendment put in the place of another."""
    for _, line in lines:
        yield line["subject"]
        for event in line.get("events", []):
            if "subject" in event.get("changes", {}):
                yield event["changes"]["subject"]


def exceptions(credentials: list[Credential], wrong: Callable[[Credential], bool]) -> set[str]:
    return {credential.number for credential in credentials if wrong(credential)}


def test_every_line_is_accepted_by_the_profile_that_its_file_is_named_after(
    policy: Policy, lines: list[tuple[str, dict[str, Any]]]
) -> None:
    refused = []
    for name, line in lines:
        try:
            read_credential(line, policy.profiles[name])
        except DocumentError as error:
            refused.append(f"{name} {line.get('number')}: {error}")
    assert not refused


def test_there_are_enough_credentials_of_five_types_from_both_provinces(
    policy: Policy, credentials: list[Credential]
) -> None:
    homes: dict[str, set[str]] = {}
    for credential in credentials:
        issuer = policy.authorities.get(credential.issuer)
        homes.setdefault(credential.type, set()).update({issuer.jurisdiction} if issuer else ())
    assert len(credentials) >= 120
    assert set(homes) == set(policy.profiles)
    assert len(homes) == 5
    assert all(provinces >= {"CN-CQ", "CN-SC"} for provinces in homes.values())
    assert "CN" in homes["inspection-body-qualification"] & homes["ca-certificate"]


def test_every_number_has_the_form_of_its_type(policy: Policy, credentials: list[Credential]) -> None:
    def malformed(credential: Credential) -> bool:
        return not policy.profiles[credential.type].number.judge(normalised(policy, credential)).well_formed

    assert exceptions(credentials, malformed) == set()


def test_check_digits_are_wrong_only_where_they_are_meant_to_be(policy: Policy, credentials: list[Credential]) -> None:
    def wrong(credential: Credential) -> bool:
        return not policy.profiles[credential.type].number.judge(normalised(policy, credential)).check_right

    assert exceptions(credentials, wrong) == set(WRONG_CHECK_DIGIT)


def test_numbers_name_the_province_of_their_issuer(policy: Policy, credentials: list[Credential]) -> None:
    def elsewhere(credential: Credential) -> bool:
        issuer = policy.authorities.get(credential.issuer)
        named = policy.profiles[credential.type].number.judge(normalised(policy, credential)).jurisdiction
        return named is not None and issuer is not None and named != issuer.jurisdiction

    assert exceptions(credentials, elsewhere) == set(WRONG_PROVINCE)


def test_numbers_lie_in_the_artificial_blocks(lines: list[tuple[str, dict[str, Any]]]) -> None:
    marks: dict[str, Callable[[str], bool]] = {
        "food-operation-licence": lambda number: number[9:11] == "99",
        "inspection-body-qualification": lambda number: number[8] == "9",
        "metrology-type-approval": lambda number: number.split("-50")[0].split("-51")[0][-3] == "9",
        "metrology-type-evaluation": lambda number: number.split("-")[-1].startswith("9"),
        "ca-certificate": lambda number: number.startswith("7E57"),
    }
    assert [line["number"] for name, line in lines if not marks[name](line["number"])] == []


def test_food_licence_numbers_agree_with_business_form_and_area(credentials: list[Credential]) -> None:
    licences = [credential for credential in credentials if credential.type == "food-operation-licence"]
    forms = exceptions(licences, lambda entry: entry.number[2] != FORM_DIGITS[entry.attributes["business_form"]])
    areas = exceptions(licences, lambda entry: entry.number[3:9] != entry.attributes["premises_area"])
    assert forms == set()
    assert areas == {number for number in WRONG_PROVINCE if number.startswith("JY")}


def test_issuers_were_competent_except_where_they_are_meant_not_to_be(
    policy: Policy, credentials: list[Credential]
) -> None:
    def incompetent(credential: Credential) -> bool:
        issuer, profile = policy.authorities.get(credential.issuer), policy.profiles[credential.type]
        area = credential.attributes.get(profile.area_attribute or "")
        return issuer is not None and not competent(issuer, profile.id, credential.issued_at, area, policy.gazetteer)

    unknown = exceptions(credentials, lambda entry: entry.issuer not in policy.authorities)
    assert unknown == set(UNKNOWN_ISSUER)
    assert exceptions(credentials, incompetent) == set(NOT_COMPETENT) | set(UNKNOWN_AREA)


def test_numbers_are_unique_within_what_the_profile_says(policy: Policy, credentials: list[Credential]) -> None:
    def key(credential: Credential) -> tuple[str, str, str]:
        rule = policy.profiles[credential.type].number
        issuer = credential.issuer if rule.unique_within == "issuer" else ""
        return credential.type, normalised(policy, credential), issuer

    assert [held for held, times in Counter(map(key, credentials)).items() if times > 1] == []


def test_two_issuers_share_a_number_for_each_type_that_allows_it(policy: Policy, credentials: list[Credential]) -> None:
    shared = Counter((credential.type, normalised(policy, credential)) for credential in credentials)
    ambiguous = {type_id for (type_id, _), times in shared.items() if times > 1}
    assert ambiguous == {name for name, entry in policy.profiles.items() if entry.number.unique_within == "issuer"}


def test_organisations_and_persons_are_marked_as_invented(lines: list[tuple[str, dict[str, Any]]]) -> None:
    unmarked = [
        subject["name"]
        for subject in subjects(lines)
        if ("测试人员" if subject["kind"] == "person" else "测试") not in subject["name"]
    ]
    misplaced = [
        subject["name"]
        for subject in subjects(lines)
        if subject["kind"] == "organisation" and "测试人员" in subject["name"]
    ]
    assert unmarked == []
    assert misplaced == []
    assert "person" in {subject["kind"] for subject in subjects(lines)}


def test_social_credit_codes_are_right_and_lie_in_the_artificial_block(lines: list[tuple[str, dict[str, Any]]]) -> None:
    holders: dict[str, set[str]] = {}
    for subject in subjects(lines):
        uscc = subject["uscc"]
        if uscc is None:
            assert subject["kind"] == "person", f"{subject['name']} has no USCC"
            continue
        assert CHECK_SYSTEMS["uscc"](uscc), f"{uscc} has a wrong check character"
        assert organisation_code_check(uscc[8:16]) == uscc[16], f"{uscc} has a wrong inner check character"
        assert uscc[8:10] == "TT", f"{uscc} is not in the artificial block"
        assert uscc[2:4] in ("50", "51"), f"{uscc} is registered outside the two provinces"
        assert (uscc[:2] == "92") == (subject["kind"] == "person"), f"{uscc}: 92 belongs to sole traders"
        holders.setdefault(uscc, set()).add(subject["name"])
    renamed = {names for names in map(frozenset, holders.values()) if len(names) > 1}
    assert renamed == {frozenset({"四川测试川味调味品销售有限公司", "四川测试新川味调味品销售有限公司"})}


def test_instants_are_written_in_beijing_time(lines: list[tuple[str, dict[str, Any]]]) -> None:
    def instants(value: Any, name: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from instants(item, key)
        elif isinstance(value, list):
            for item in value:
                yield from instants(item, name)
        elif isinstance(value, str) and (name.endswith("_at") or name in ("valid_from", "valid_until")):
            yield value

    written = [text for _, line in lines for text in instants(line)]
    assert len(written) > 4 * 120
    assert [text for text in written if datetime.fromisoformat(text).utcoffset() != BEIJING] == []


def test_periods_begin_and_end_at_midnight_and_are_as_long_as_the_law_allows(
    lines: list[tuple[str, dict[str, Any]]],
) -> None:
    years = {"food-operation-licence": (5, 5), "inspection-body-qualification": (6, 6), "ca-certificate": (1, 3)}
    wrong = []
    for name, line in lines:
        start, until = line["valid_from"], line["valid_until"]
        if name not in years:
            fits = until is None
        else:
            shortest, longest = years[name]
            fits = until[4:] == start[4:] and shortest <= int(until[:4]) - int(start[:4]) <= longest
        if not fits or not start.endswith("T00:00:00+08:00"):
            wrong.append(line["number"])
    assert wrong == []


def test_nothing_was_recorded_before_the_history_begins_or_after_the_data_was_made(
    credentials: list[Credential],
) -> None:
    recorded = [
        (entry.number, instant)
        for entry in credentials
        for instant in (entry.recorded_at, *(event.recorded_at for event in entry.events))
    ]
    assert [entry for entry in recorded if not BEGINS <= entry[1] < MADE] == []
    early = exceptions(credentials, lambda entry: entry.recorded_at < max(entry.issued_at, BEGINS))
    assert early == set()


def test_most_are_in_force_and_some_for_long(credentials: list[Credential]) -> None:
    standings = Counter(standing(entry.state_at(IN_FORCE_ON), IN_FORCE_ON) for entry in credentials)
    later = datetime.fromisoformat("2029-01-01T00:00:00+08:00")
    beyond = {entry.type for entry in credentials if standing(entry.state_at(later), later) == "valid"}
    assert standings["valid"] > 0.75 * len(credentials)
    assert set(standings) >= {"expired", "not_yet_valid", "suspended", "revoked", "cancelled", "superseded"}
    assert len(beyond) == 5


def test_every_lifecycle_step_is_shown(credentials: list[Credential]) -> None:
    events = [event for entry in credentials for event in entry.events]
    assert {event.event for event in events} == set(EVENTS)
    assert {event.kind for event in events if event.event == "revoked"} == set(REVOCATION_KINDS)
    # What the register learnt late is what `known_at` is for.
    late = {event.event for event in events if event.recorded_at - event.effective_at > timedelta(days=10)}
    assert late >= {"amended", "revoked"}


def test_successors_are_held_and_name_their_predecessors(policy: Policy, credentials: list[Credential]) -> None:
    held = {(entry.type, entry.issuer, entry.number): entry for entry in credentials}
    linked = set()
    for entry in credentials:
        for event in entry.events:
            if event.successor is not None:
                key = (entry.type, event.successor["issuer"], event.successor["number"])
                assert key in held, f"{entry.number}: its successor is not held"
                assert held[key].predecessor == entry.number
                linked.add(key)
    assert {type_id for type_id, _, _ in linked} == set(policy.profiles)
    assert {key for key, entry in held.items() if entry.predecessor is not None} == linked


def test_policy_of_the_demonstration_is_marked_as_such(policy: Policy) -> None:
    seed = build_policy(folder_documents(SEED))
    agreements = [entry for name, entry in policy.agreements.items() if name not in seed.agreements]
    assert agreements
    for agreement in agreements:
        assert agreement.id.startswith("demo/")
        assert agreement.name.zh.startswith("（演示）")
        assert agreement.name.en.startswith("(Demonstration) ")
    assert policy.authorisations
    assert all(entry.id.startswith("demo/") for entry in policy.authorisations.values())
    cited = [basis.instrument for entry in agreements for basis in entry.legal_basis]
    cited += [basis.instrument for entry in policy.authorisations.values() for basis in entry.legal_basis]
    assert [instrument for instrument in cited if not instrument.startswith("（演示）")] == []
    # The seed speaks of no laboratory's authorisation, since none could be verified.
    assert not seed.authorisations


def test_the_pilot_shows_every_way_in_which_an_agreement_may_not_apply(policy: Policy) -> None:
    pilot = policy.agreements["demo/food-chain-pilot"]
    assert pilot.effective.start is not None
    assert pilot.effective.end is not None
    assert pilot.repealed_at is not None
    assert pilot.effective.start < pilot.repealed_at < pilot.effective.end
    assert pilot.issued.start is not None
    scheme = policy.agreements["CQ-CD/food-chain-sales"]
    assert not pilot.in_force.overlaps(scheme.in_force)


def test_laboratories_are_authorised_for_instruments_of_the_catalogue(policy: Policy) -> None:
    names = policy.catalogues["mandatory-instruments"].names
    rows = [row for laboratory in policy.authorisations.values() for row in laboratory.rows]
    assert [row.instrument for row in rows if comparable(row.instrument) not in names] == []
    laboratories = {authority.id for authority in policy.issuers["metrology-type-evaluation"]}
    assert {entry.laboratory for entry in policy.authorisations.values()} == laboratories


def test_instruments_of_the_registers_are_in_the_catalogue(policy: Policy, credentials: list[Credential]) -> None:
    names = policy.catalogues["mandatory-instruments"].names
    instruments = {entry.attributes["instrument"] for entry in credentials if "instrument" in entry.attributes}
    assert len(instruments) > 10
    assert [name for name in sorted(instruments) if comparable(name) not in names] == []


def test_one_register_is_stale_on_purpose(policy: Policy, credentials: list[Credential]) -> None:
    content = tomllib.loads((DEMONSTRATION / "registers.toml").read_text(encoding="utf-8"))
    assert set(content) == {"stale"}
    (stale,) = content["stale"]
    assert set(stale) == {"issuer", "type", "as_of"}
    assert stale["issuer"] in {authority.id for authority in policy.issuers[stale["type"]]}
    assert stale["as_of"].utcoffset() == BEIJING
    assert MADE - stale["as_of"] > policy.profiles[stale["type"]].max_age
    assert any((entry.type, entry.issuer) == (stale["type"], stale["issuer"]) for entry in credentials)
