"""The public policy lists, the keys and the versions: what answers rest on is there to be read."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from tests.api.service import LANGUAGES, RECOGNIZED, Service, assert_problem, is_instant

LISTS = ["/v1/jurisdictions", "/v1/authorities", "/v1/credential-types", "/v1/agreements"]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def entries_of(service: Service, address: str, language: str = "zh-CN") -> list[dict[str, Any]]:
    response = service.get(address, language=language)
    assert response.status_code == 200
    assert response.headers["content-language"] == language
    assert response.headers["vary"] == "Accept-Language, Authorization"
    body = response.json()
    assert set(body) == {"data"}
    entries: list[dict[str, Any]] = body["data"]
    return entries


@pytest.mark.parametrize("address", LISTS)
def test_every_entry_has_its_version_and_digest(service: Service, address: str) -> None:
    entries = entries_of(service, address)
    assert entries
    for entry in entries:
        assert entry["version"] >= 1
        assert DIGEST.fullmatch(entry["digest"])
        assert entry["confidence"] in "VSGU"
        assert entry["name"].strip()
    assert len({entry["id"] for entry in entries}) == len(entries)


@pytest.mark.parametrize("address", LISTS)
def test_the_lists_are_the_same_in_both_languages(service: Service, address: str) -> None:
    chinese, english = (entries_of(service, address, language) for language in LANGUAGES)
    for name in ("id", "version", "digest", "confidence"):
        assert [entry[name] for entry in chinese] == [entry[name] for entry in english]
    assert [entry["name"] for entry in chinese] != [entry["name"] for entry in english]


@pytest.mark.parametrize("address", LISTS)
def test_a_list_takes_no_parameter(service: Service, address: str) -> None:
    for language in LANGUAGES:
        refused = service.get(address, {"limit": "5"}, language)
        assert_problem(refused, 422, "query.unknown_parameter", "/limit")


def test_the_jurisdictions(service: Service) -> None:
    entries = {entry["id"]: entry for entry in entries_of(service, "/v1/jurisdictions")}
    assert set(entries) == {"CN", "CN-CQ", "CN-SC"}
    assert len(entries["CN-SC"]["areas"]) > 100
    assert len(entries["CN-CQ"]["areas"]) > 30


def test_the_authorities(service: Service) -> None:
    entries = entries_of(service, "/v1/authorities")
    jurisdictions = {entry["id"]: entry for entry in entries_of(service, "/v1/jurisdictions")}
    assert {entry["jurisdiction"] for entry in entries} == set(jurisdictions)
    for entry in entries:
        assert entry["digest"] == jurisdictions[entry["jurisdiction"]]["digest"]
        for competence in entry["competences"]:
            assert set(competence) == {"type", "areas", "from", "until"}


def test_the_credential_types(service: Service) -> None:
    entries = {entry["id"]: entry for entry in entries_of(service, "/v1/credential-types")}
    assert len(entries) == 5
    for entry in entries.values():
        facts = {fact["name"] for fact in entry["facts"]}
        assert entry["purposes"]
        for purpose in entry["purposes"]:
            assert facts >= {*purpose["required_facts"], *purpose["optional_facts"]}
        assert entry["number"]["example"]


def test_the_agreements(service: Service) -> None:
    for entry in entries_of(service, "/v1/agreements"):
        assert entry["basis_strength"] in ("statute", "agreement", "plan")
        assert entry["legal_basis"]
        assert entry["from"] is None or is_instant(entry["from"])
        for party in entry["issued_in"] + entry["recognized_in"]:
            assert party["jurisdiction"] in ("CN", "CN-CQ", "CN-SC")
        assert entry["issued_in"] or entry["effect"] == "never_recognized"


def test_an_answer_names_an_agreement_of_the_list(service: Service) -> None:
    named = service.recognize(RECOGNIZED).json()["agreement"]
    listed = {entry["id"]: entry for entry in entries_of(service, "/v1/agreements")}
    assert {name: listed[named["id"]][name] for name in named} == named


def test_the_keys_are_public_and_named_by_their_thumbprint(service: Service) -> None:
    response = service.get("/.well-known/jwks.json")
    assert response.status_code == 200
    keys = response.json()["keys"]
    assert keys
    for key in keys:
        assert PRIVATE_MEMBERS.isdisjoint(key)
        assert set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
        required = {name: key[name] for name in ("crv", "kty", "x", "y")}
        thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":"), sort_keys=True).encode()).digest()
        assert key["kid"] == base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()


def test_about_names_every_version(service: Service) -> None:
    about = service.get("/v1/about").json()
    assert about["api"] == "v1"
    assert about["livemode"] is False
    assert about["issuer"] == "urn:accord:test"
    assert about["standards"]
    assert about["notices"]
    versions = {(entry["kind"], entry["id"]): entry for entry in about["policy"]}
    assert len(versions) == len(about["policy"])
    for address, kind in (
        ("/v1/jurisdictions", "jurisdiction"),
        ("/v1/agreements", "agreement"),
        ("/v1/credential-types", "profile"),
    ):
        for entry in entries_of(service, address):
            found = versions[kind, entry["id"]]
            assert (found["version"], found["digest"]) == (entry["version"], entry["digest"])
