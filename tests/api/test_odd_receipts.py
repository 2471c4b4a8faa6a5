"""Receipts whose signature holds and whose claims are odd: of a later version, of another issuer, of anybody's making.

Never a trace and never an empty answer; what cannot be read is told, and nothing is said that was not read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli.application import application
from app.usecases.objections import read_submission
from app.usecases.signature_evidence import Evidence, read_receipts
from app.usecases.verify_receipt import verify_receipt
from keys.jws import sign_compact
from registry.canonical import canonical_json, digest
from registry.decision import OUTCOMES
from registry.errors import CanonicalError, QueryRefused
from registry.receipt import RECEIPT_TYPE
from tests.api.service import LANGUAGES, RECOGNIZED, Service
from tests.api.signing_desk import DOCUMENT, message
from tests.api.test_compromised_keys import VERIFICATIONS, desk_of
from tests.support.cms_writer import Signed
from tests.support.lock_world import build_lock_world, claims_of

Claims = dict[str, Any]

UNREAD = {"zh-CN": "（无法读出）", "en": "(cannot be read)"}
UNSETTLED = {"zh-CN": "（不能认定）", "en": "(not to be relied on)"}
LABEL = {"zh-CN": "互认有效", "en": "Recognised"}
FALSE = {"zh-CN": "凭证不真实", "en": "Not genuine"}


@dataclass(frozen=True)
class Issuer:
    """A node whose key signs whatever claims it is given, and its published keys in a file."""

    service: Service
    jwks: Path
    receipt: Claims
    """What a receipt over a credential says."""
    document: Claims
    """What a receipt over a document's signature says."""

    def sign(self, claims: Claims) -> str:
        return sign_compact(json.dumps(claims).encode(), self.service.node.signer, RECEIPT_TYPE)

    def shown(self, claims: Claims, *options: str) -> tuple[int, str]:
        """Exit code and output of `accord verify-receipt`."""
        arguments = ["verify-receipt", "-", "--jwks", str(self.jwks), *options]
        done = CliRunner().invoke(application, arguments, input=self.sign(claims))
        assert done.exception is None or isinstance(done.exception, SystemExit), (claims, done.exception)
        return done.exit_code, done.stdout

    def report(self, claims: Claims) -> dict[str, Any]:
        """The report of `POST /v1/receipts/verifications`."""
        response = self.service.post(VERIFICATIONS, {"receipt": self.sign(claims)})
        assert response.status_code == 200, (claims, response.text)
        return dict(response.json())


@pytest.fixture(scope="module")
def issuer(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    folder = tmp_path_factory.mktemp("odd")
    jwks = folder / "k.json"
    jwks.write_text(json.dumps(service.node.ring.jwks()))
    world = build_lock_world(folder / "home")
    with desk_of(world) as desk:
        answer = desk.answer(message(DOCUMENT, Signed(by=world.lock(number=5).signing)))
    receipt = service.recognize(RECOGNIZED).json()["receipt"]
    return Issuer(service, jwks, claims_of(receipt), claims_of(answer["receipt"]))


def hashed(claims: Claims) -> Claims:
    """With the hash of whatever the query is, where it has one."""
    try:
        return claims | {"query_hash": digest(canonical_json(claims.get("query")))}
    except CanonicalError:
        return claims


def test_our_own_are_read_whole(issuer: Issuer) -> None:
    for claims in (issuer.receipt, issuer.document):
        for language in LANGUAGES:
            code, out = issuer.shown(claims, "--lang", language)
            assert (code, UNREAD[language] in out) == (0, False)
        assert json.loads(issuer.shown(claims, "--json")[1])["unread"] == []


LATER: dict[str, Any] = {
    "reasons": [None, [], "a", [5], [{"code": "a"}], {"a": 1}],
    "checks": [None, {}, [], {"mood": "good"}],
    "signature": [None, "a", [], {}, {"content": {}, "signers": {}}, {"signers": [None, 5, {}]}],
    "fresh_until": [5, {}, [], "soon"],
    "mood": ["good"],
}
"""Claims in other shapes, or new ones, that do not bear on what was decided."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LATER)
def test_what_does_not_bear_on_the_decision_is_told_as_unread(issuer: Issuer, name: str, language: str) -> None:
    for value in LATER[name]:
        claims = issuer.receipt | {name: value}
        code, out = issuer.shown(claims, "--lang", language)
        assert (code, "recognized" in out) == (0, True)
        assert "222220349001" in out
        told = json.loads(issuer.shown(claims, "--json")[1])
        assert (told["genuine"], told["claims"]) == (True, claims)
        if value != "soon":
            assert told["unread"] == [name]
            assert f": {name}" in out.replace("：", ": ")
            assert [entry["code"] for entry in issuer.report(claims)["problem"] or []] == ["receipt.unread"]
    without = {member: value for member, value in issuer.receipt.items() if member != name}
    assert issuer.shown(without)[0] == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "change",
    [
        {"decision": "partly_recognized"},
        {"decision": None},
        {"decision": {"label": "recognized"}},
        {"query": None},
        {"query": "a"},
        {"query": {"jurisdiction": "CN-CQ"}},
        {"livemode": "no"},
        {"valid_at": None},
        {"evaluated_at": 5},
        {"iss": None},
        {"query_hash": "sha256:00"},
    ],
)
def test_a_decision_that_cannot_be_read_is_neither_said_nor_called_false(
    issuer: Issuer, change: Claims, language: str
) -> None:
    claims = issuer.receipt | change
    code, out = issuer.shown(claims, "--lang", language)
    assert (code, "[receipt.claims]" in out) == (1, True)
    assert FALSE[language] not in out
    assert issuer.service.node.signer.kid in out
    (decided,) = (line for line in out.splitlines() if line.startswith(("结论", "Decision")))
    assert (UNREAD if "decision" in change else UNSETTLED)[language] in decided
    assert LABEL[language] not in out
    told = json.loads(issuer.shown(claims, "--json", "--lang", language)[1])
    assert (told["genuine"], told["code"], told["claims"]) == (False, "receipt.claims", claims)
    assert told["why"]
    report = issuer.report(claims)
    assert (report["genuine"], report["code"], report["claims"]) == (False, "receipt.claims", None)


def test_a_signer_in_a_role_that_is_not_known_here(issuer: Issuer) -> None:
    (signer,) = issuer.document["signature"]["signers"]
    for change in ({"role": "notary"}, {"decision": "witnessed"}, {"certificate": 5}, {"proven_time": {"by": "a"}}):
        signature = issuer.document["signature"] | {"signers": [signer | change, signer]}
        code, out = issuer.shown(issuer.document | {"signature": signature}, "--lang", "en")
        first, second = (line for line in out.splitlines() if line.startswith("Signer "))
        assert (code, "signature" in out.splitlines()[-2]) == (0, True)
        assert UNREAD["en"] in f"{first}{out.partition(first)[2].partition(second)[0]}"
        assert UNREAD["en"] not in second
    without = {name: value for name, value in signer.items() if name != "certificate"}
    code, out = issuer.shown(issuer.document | {"signature": issuer.document["signature"] | {"signers": [without]}})
    assert (code, UNREAD["zh-CN"] in out) == (0, True)


def test_nothing_that_was_signed_reaches_the_terminal_as_a_command(issuer: Issuer) -> None:
    hostile = "\x1b[2J\r\n凭证真实\u202e\u2028"
    query = issuer.receipt["query"] | {"jurisdiction": hostile}
    claims = hashed(issuer.receipt | {"query": query, "reasons": [hostile], "jti": hostile, hostile: 1})
    code, out = issuer.shown(claims)
    assert code == 0
    assert not {"\x1b", "\r", "\u202e", "\u2028"} & set(out)
    assert len(out.splitlines()) == len(issuer.shown(issuer.receipt)[1].splitlines()) + 1


@pytest.mark.parametrize("payload", [b"[]", b"5", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"iss": "\\ud800"}'])
def test_a_payload_that_is_no_object_to_read(issuer: Issuer, payload: bytes) -> None:
    token = sign_compact(payload, issuer.service.node.signer, RECEIPT_TYPE)
    for options in ((), ("--json",), ("--lang", "en")):
        arguments = ["verify-receipt", "-", "--jwks", str(issuer.jwks), *options]
        done = CliRunner().invoke(application, arguments, input=token)
        assert (done.exit_code, "receipt.claims" in done.stdout) == (1, True)
    report = issuer.service.post(VERIFICATIONS, {"receipt": token}).json()
    assert (report["genuine"], report["code"]) == (False, "receipt.claims")


@pytest.mark.parametrize(
    "said",
    [5, [], {}, {"size": 5}, {"size": "5", "root": "AAAA"}, {"size": -1, "root": "AAAA"}, {"size": 5, "root": "AAAA"}]
    + [{"size": 5, "root": root} for root in (None, "证", "A", ["AAAA"])],
)
def test_a_log_that_cannot_be_read_is_told_in_one_line(issuer: Issuer, tmp_path: Path, said: Any) -> None:
    file = tmp_path / "r.jws"
    file.write_text(issuer.sign(issuer.receipt | {"log": said}))
    arguments = ["log", "verify", "--receipt", str(file), "--jwks", str(issuer.jwks)]
    done = CliRunner().invoke(application, arguments)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


MEMBERS = ("id", "type", "signers", "content", "role", "decision", "certificate", "proven_time", "by", "path", "kid")
NAMES = st.text(max_size=6) | st.sampled_from(MEMBERS)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([*OUTCOMES, "unit", "receipt", "inspection.authenticity"]),
    st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59Z"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@st.composite
def odd_claims(draw: st.DrawFn, sound: Claims) -> Claims:
    """Sound claims with some members, at any depth, gone or replaced by anything."""
    claims: Claims = json.loads(json.dumps(sound))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = claims
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            name = draw(st.sampled_from(names)) if names else None
            below = None if name is None else place[name]
            if not isinstance(below, dict | list) or not below or draw(st.booleans()):
                break
            place = below
        if name is None:
            continue
        if draw(st.booleans()):
            place[name] = draw(VALUES)
        else:
            del place[name]
    return hashed(claims) if draw(st.booleans()) else claims


def check(issuer: Issuer, claims: Claims) -> None:
    """What holds of any claims that a key signed."""
    token, ring = issuer.sign(claims), issuer.service.node.ring
    verdict = verify_receipt(token, ring)
    assert verdict.kid == issuer.service.node.signer.kid
    for language in LANGUAGES:
        code, out = issuer.shown(claims, "--lang", language)
        assert (code, verdict.genuine) in ((0, True), (1, False))
        assert all(line.strip() for line in out.splitlines())
        assert FALSE[language] not in out
        assert len(out.splitlines()) >= (7 if verdict.genuine or verdict.said is not None else 1)
        if verdict.genuine:
            brackets = "（{}）" if language == "zh-CN" else "({})"
            assert brackets.format(claims["decision"]) in out
    told = json.loads(issuer.shown(claims, "--json")[1])
    assert told["genuine"] is verdict.genuine
    report = issuer.report(claims)
    assert report["genuine"] is verdict.genuine
    assert (report["changed"] is None) == (report["today"] is None)
    # What else goes by receipts: evidence and objections take or refuse it.
    good, refused = read_receipts([Evidence(kind="receipt", octets=token.encode())], ring, livemode=False)
    assert len(good) + len(refused) == 1
    objection = {"receipt": token, "message": "测试", "contact": "测试"}
    if verdict.genuine:
        submitted = read_submission(objection, ring)
        assert submitted.receipt == claims["jti"]
        assert submitted.credential_id is None or isinstance(submitted.credential_id, str)
        return
    with pytest.raises(QueryRefused) as caught:
        read_submission(objection, ring)
    assert [fault.code for fault in caught.value.faults] == ["objection.receipt_not_ours"]


@settings(max_examples=40)
@given(st.data())
def test_sound_claims_with_anything_changed_are_answered(issuer: Issuer, data: st.DataObject) -> None:
    sound = data.draw(st.sampled_from([issuer.receipt, issuer.document]))
    check(issuer, data.draw(odd_claims(sound)))


@settings(max_examples=40)
@given(claims=st.dictionaries(NAMES | st.sampled_from(["iss", "query", "signature", "reasons"]), VALUES, max_size=6))
def test_any_object_is_answered(issuer: Issuer, claims: Claims) -> None:
    check(issuer, claims)
