"""The policy as a whole: what refers to what, and what was known when."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from registry.canonical import canonical_json
from registry.document import PolicyDocument
from registry.errors import PolicyError
from registry.policy import KINDS, NATIONAL, KnownDocument, Policy, PolicyHistory, build_policy
from tests.unit.registry.specimens import (
    DAY,
    IN_FORCE,
    Content,
    agreement,
    area,
    authorisations,
    authority,
    condition,
    device_profile,
    document,
    documents,
    edited,
    jurisdiction,
    jurisdiction_bb,
    licence_profile,
    lock_profile,
    never,
    policy,
    replaced,
)

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def refused(make: Callable[[], Any]) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        make()
    return caught.value


def test_a_policy_holds_every_document_by_its_id() -> None:
    made = policy(agreement(), never(purposes=["rate"]))
    assert set(made.jurisdictions) == {"AA", "BB", "CN"}
    assert set(made.profiles) == {"licence", "device", "lock"}
    assert set(made.catalogues) == {"instruments"}
    assert set(made.authorisations) == {"aa-lab-rows"}
    assert set(made.agreements) == {"pact", "ban"}
    assert set(made.authorities) == {"aa-office", "aa-city", "aa-district", "bb-office", "bb-city", "cn-body"}
    assert made.gazetteer.contains("000000", "110101")


def test_one_cannot_ask_about_the_nation() -> None:
    assert policy().recognizing == ("AA", "BB")
    assert NATIONAL in policy().jurisdictions


def test_issuers_are_those_that_are_or_were_competent() -> None:
    issuers = {name: [authority.id for authority in held] for name, held in policy().issuers.items()}
    assert issuers == {
        "licence": ["aa-city", "aa-district", "aa-office", "bb-city", "bb-office", "cn-body"],
        "device": ["aa-office", "bb-office"],
        "lock": ["aa-office", "bb-office"],
    }


def test_rules_lead_from_a_question_to_its_agreements_strongest_first() -> None:
    plan = agreement("a-plan", strength="plan", conditions=[condition("authority_confirms")])
    wide = agreement("z-law", strength="statute", types=["licence", "device"], purposes=["trade"])
    made = build_policy(replaced(documents(plan, agreement("m-pact")), "profile", with_purpose(device_profile())))
    assert [entry.id for entry in made.agreements_for("BB", "trade", "licence")] == ["m-pact", "a-plan"]
    assert made.agreements_for("BB", "rate", "licence") == ()
    assert made.agreements_for("BB", "trade", "device") == ()
    assert made.agreements_for("ZZ", "trade", "licence") == ()
    made = build_policy(replaced(documents(plan, wide, agreement("m-pact")), "profile", with_purpose(device_profile())))
    assert [entry.id for entry in made.agreements_for("AA", "trade", "licence")] == ["z-law", "m-pact", "a-plan"]
    assert [entry.id for entry in made.agreements_for("AA", "trade", "device")] == ["z-law"]


def with_purpose(profile: Content) -> Content:
    return edited(profile, "purposes/trade", {"label": {"zh": "经营", "en": "trade"}})


def test_agreements_of_equal_strength_are_in_the_order_of_their_ids() -> None:
    made = policy(
        agreement("c", effective={"until": "2020-01-01T00:00:00Z"}),
        agreement("a", effective={"from": "2025-01-01T00:00:00Z"}),
        agreement("b", effective={"from": "2020-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"}),
    )
    assert [entry.id for entry in made.agreements_for("AA", "trade", "licence")] == ["a", "b", "c"]


def outline(made: Policy) -> bytes:
    """What a policy says of itself, in the order in which it says it."""
    return canonical_json(
        {
            "rules": {"/".join(key): [entry.digest for entry in held] for key, held in made.rules.items()},
            "issuers": {name: [authority.id for authority in held] for name, held in made.issuers.items()},
            "laboratories": {name: entry.digest for name, entry in made.laboratories.items()},
            "recognizing": list(made.recognizing),
        }
    )


def test_a_policy_is_blind_to_the_order_of_its_documents() -> None:
    more = {**authorisations(), "id": "more", "laboratory": "bb-office"}
    made = [*documents(agreement(), never(purposes=["rate"])), document("authorisation", more)]
    expected = outline(build_policy(made))
    assert outline(build_policy(reversed(made))) == expected
    for shuffled in permutations(made[-3:]):
        assert outline(build_policy([*made[:-3], *shuffled])) == expected


def test_a_laboratory_has_one_file() -> None:
    made = policy()
    assert {name: entry.id for name, entry in made.laboratories.items()} == {"aa-office": "aa-lab-rows"}
    second = document("authorisation", {**authorisations(), "id": "b-rows"}, "authorisations/b.toml")
    error = refused(lambda: build_policy([second, *documents()]))
    assert (error.source, error.key) == ("authorisations/b.toml", "laboratory")
    assert error.problem == "'aa-office' already has authorisations in authorisations/aa-lab-rows.toml"


def test_a_profile_has_the_catalogue_that_it_names() -> None:
    made = policy()
    assert made.surroundings["device"].catalogue is made.catalogues["instruments"]
    assert made.surroundings["licence"].catalogue is None
    assert made.surroundings["lock"].gazetteer is made.gazetteer


def test_two_documents_of_one_kind_and_id_are_refused() -> None:
    twin = document("agreement", agreement(version=2), "agreements/twin.toml")
    error = refused(lambda: build_policy([*documents(agreement()), twin]))
    assert (error.source, error.key) == ("agreements/twin.toml", "id")
    assert error.problem == "'pact' is already declared by agreements/pact.toml"


def test_the_same_document_twice_is_once() -> None:
    made = documents(agreement())
    assert set(build_policy([*made, made[-1]]).agreements) == {"pact"}


def test_documents_of_different_kinds_may_share_an_id() -> None:
    assert "licence" in policy(agreement("licence")).agreements


def test_an_unknown_kind_is_refused() -> None:
    error = refused(lambda: build_policy([document("treaty", agreement())]))
    assert (error.key, error.problem) == ("kind", f"is not one of: {', '.join(KINDS)}")


def test_an_authority_belongs_to_one_jurisdiction() -> None:
    content = edited(jurisdiction_bb(), "authorities/1/id", "aa-city")
    error = refused(lambda: build_policy(replaced(documents(), "jurisdiction", content)))
    assert (error.source, error.key) == ("jurisdictions/BB.toml", "authorities.id")
    assert error.problem == "'aa-city' is already an authority of AA"


def test_a_laboratory_must_be_an_authority() -> None:
    content = edited(authorisations(), "laboratory", "zz-lab")
    error = refused(lambda: build_policy(replaced(documents(), "authorisation", content)))
    assert (error.source, error.key) == ("authorisations/aa-lab-rows.toml", "laboratory")
    assert error.problem == "'zz-lab' is no authority"


def test_a_profile_must_name_a_catalogue_that_there_is() -> None:
    content = edited(device_profile(), "catalogue/id", "zz")
    error = refused(lambda: build_policy(replaced(documents(), "profile", content)))
    assert (error.source, error.key, error.problem) == ("profiles/device.toml", "catalogue.id", "'zz' is no catalogue")


def party(name: str, *codes: str) -> Content:
    return {"jurisdiction": name, "areas": list(codes)}


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        (
            {"binds": {"issued_in": [party("ZZ")], "recognized_in": [party("BB")]}},
            "binds",
            "'ZZ' is no jurisdiction; known: AA, BB, CN",
        ),
        (
            {"binds": {"issued_in": [party("AA")], "recognized_in": [party("ZZ")]}},
            "binds",
            "'ZZ' is no jurisdiction; known: AA, BB, CN",
        ),
        ({"types": ["licence", "zz"]}, "types", "'zz' is no credential type; known: licence, device, lock"),
        (
            {"purposes": ["trade", "zz"]},
            "purposes",
            "'zz' is no purpose of licence; known: trade, inspect, rate, settle",
        ),
        ({"types": ["licence", "device"]}, "purposes", "'trade' is no purpose of device; known: placement, survey"),
        ({"where": [{"attribute": "zz", "value": True}]}, "conditions", "'zz' is no attribute of licence"),
        (
            {"conditions": [condition("attribute_is", attribute="zz", value=True)]},
            "conditions",
            "'zz' is no attribute of licence",
        ),
        (
            {"conditions": [condition("facts_within", fact="items", attribute="zz")]},
            "conditions",
            "'zz' is no attribute of licence",
        ),
        ({"conditions": [condition("step", fact="zz")]}, "conditions", "'zz' is no fact of the purpose 'trade'"),
        # A fact of the profile, but none that this purpose asks for.
        ({"conditions": [condition("step", fact="grade")]}, "conditions", "'grade' is no fact of the purpose 'trade'"),
        (
            {
                "purposes": ["rate"],
                "conditions": [IN_FORCE],
                "binds": {"issued_in": [party("AA")], "recognized_in": [party("BB", "120100")]},
            },
            "binds.recognized_in",
            "names areas, but the purpose 'rate' has no place_fact to judge by",
        ),
    ],
)
def test_an_agreement_must_refer_to_what_there_is(changes: Content, key: str, problem: str) -> None:
    error = refused(lambda: policy(agreement(**changes)))
    assert (error.source, error.key, error.problem) == ("agreements/pact.toml", key, problem)


LABORATORY = condition(
    "laboratory_authorised", at="since", instrument="remark", range=["load", "load2", "items"], classes="items"
)


@pytest.mark.parametrize("operand", ["at", "instrument", "classes", "range"])
def test_every_operand_of_a_condition_must_be_declared(operand: str) -> None:
    profile = licence_profile()
    profile["facts"]["load2"] = profile["facts"]["load"]
    profile["purposes"]["trade"]["optional"] += ["load", "load2"]

    def build(judged: Content) -> Policy:
        return build_policy(replaced(documents(agreement(conditions=[judged])), "profile", profile))

    assert build(LABORATORY).agreements["pact"].conditions[0].kind == "laboratory_authorised"
    value: Any = ["load", "load2", "zz"] if operand == "range" else "zz"
    error = refused(lambda: build({**LABORATORY, operand: value}))
    assert error.key == "conditions"
    assert error.problem.startswith("'zz' is no ")


@pytest.mark.parametrize("direction", ["issued_in", "recognized_in"])
@pytest.mark.parametrize("code", ["999999", "120100", "120000", "000000"])
def test_an_agreement_must_refer_to_areas_of_the_party(direction: str, code: str) -> None:
    binds = {"issued_in": [party("AA"), party("BB")], "recognized_in": [party("AA"), party("BB")]}
    binds[direction][0]["areas"] = ["110100", code]
    error = refused(lambda: policy(agreement(binds=binds)))
    assert (error.source, error.key) == ("agreements/pact.toml", "binds")
    assert error.problem == f"{code!r} is no area of AA"
    binds[direction][0]["areas"] = ["110100", "110000"]
    assert "pact" in policy(agreement(binds=binds)).agreements


def test_an_area_belongs_to_one_jurisdiction() -> None:
    twin = jurisdiction("DD", "11", [area("110101")], [authority("dd-office")]) | {"whole_area": "119999"}
    error = refused(lambda: build_policy([*documents(), document("jurisdiction", twin)]))
    assert (error.key, error.problem) == ("areas", "110101 is already an area of AA")
    whole = jurisdiction("DD", "11", [], [authority("dd-office")])
    error = refused(lambda: build_policy([*documents(), document("jurisdiction", whole)]))
    assert (error.key, error.problem) == ("areas", "110000 is already an area of AA")


def known(day: int, *made: PolicyDocument) -> list[KnownDocument]:
    return [KnownDocument(document=entry, known_from=BEGIN + day * DAY) for entry in made]


def test_a_history_gives_the_policy_that_was_known_then() -> None:
    first = known(0, *documents(agreement()))
    second = known(10, document("agreement", agreement(version=2, purposes=["rate"]), "agreements/pact-2.toml"))
    third = known(20, document("agreement", never(version=1, purposes=["settle"]), "agreements/ban.toml"))
    history = PolicyHistory([*third, *first, *second], generation=7)
    assert history.generation == 7
    assert history.begins == BEGIN
    moment = (DAY / 86_400) / 1_000_000
    for instant, ids in [
        (BEGIN - moment, None),
        (BEGIN, {"pact": 1}),
        (BEGIN + 10 * DAY - moment, {"pact": 1}),
        (BEGIN + 10 * DAY, {"pact": 2}),
        (BEGIN + 20 * DAY, {"pact": 2, "ban": 1}),
        (BEGIN + 9999 * DAY, {"pact": 2, "ban": 1}),
    ]:
        held = history.at(instant)
        assert (None if held is None else {name: entry.version for name, entry in held.agreements.items()}) == ids
    assert history.latest is history.at(BEGIN + 20 * DAY)


def test_a_history_reads_each_document_once() -> None:
    later = known(10, document("agreement", agreement(version=2, purposes=["rate"]), "agreements/pact-2.toml"))
    history = PolicyHistory([*known(0, *documents(agreement())), *later], generation=1)
    first, second = history.at(BEGIN), history.latest
    assert first is not None
    assert all(second.profiles[name] is entry for name, entry in first.profiles.items())
    assert second.gazetteer is first.gazetteer
    assert second.agreements["pact"].purposes != first.agreements["pact"].purposes


def test_of_two_versions_known_at_one_instant_the_higher_counts() -> None:
    later = document("agreement", agreement(version=2, purposes=["rate"]))
    for order in ([*known(0, later), *known(0, *documents(agreement()))], known(0, *documents(agreement()), later)):
        assert PolicyHistory(order, generation=1).latest.agreements["pact"].version == 2


def test_a_history_that_could_not_be_read_at_some_instant_does_not_start() -> None:
    # The purpose goes at day 10 while an agreement still speaks of it; day 20 would be in order again.
    profile = licence_profile() | {"version": 2}
    del profile["purposes"]["trade"]
    entries = [
        *known(0, *documents(agreement())),
        *known(10, document("profile", profile)),
        *known(20, document("agreement", agreement(version=2, purposes=["rate"]))),
    ]
    error = refused(lambda: PolicyHistory(entries, generation=1))
    assert error.problem == "'trade' is no purpose of licence; known: inspect, rate, settle"


def test_a_type_without_agreements_is_nothing_special() -> None:
    made = build_policy(replaced(documents(), "profile", lock_profile()))
    assert made.rules == {}
    assert made.agreements_for("AA", "sign", "lock") == ()
