"""Statements: what is refused, with its code and place, and that nothing but a refusal ever comes out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url
from registry.errors import StatementRefused
from registry.issuer import KeyRegister, build_key_register, read_issuer_keys
from registry.statement import SKEW, check_key, open_statement
from tests.support.issuing import Issuing

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
OWN, FOREIGN = Issuing(), Issuing(issuer="cd-jinjiang-amr", alg="Ed25519")


def register_of(*issuers: Issuing) -> KeyRegister:
    files = [read_issuer_keys(entry.document()) for entry in issuers]
    return build_key_register(files, {file.id: "测试" for file in files})


KEYS = register_of(OWN, FOREIGN)


def refusal(token: str, keys: KeyRegister = KEYS) -> tuple[str, str]:
    with pytest.raises(StatementRefused) as caught:
        open_statement(token, keys)
    (fault,) = caught.value.faults
    return fault.code, fault.pointer


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "SM2"])
def test_what_was_stated_is_read(alg: str) -> None:
    issuing = Issuing(alg=alg)
    statement = open_statement(issuing.sign(issuing.claims(NOW)), register_of(issuing))
    assert (statement.issuer, statement.type, statement.profile_version) == (
        issuing.issuer,
        "food-operation-licence",
        1,
    )
    assert statement.credential is not None
    assert statement.event is None
    assert statement.attestation.kid == issuing.public.kid
    assert statement.attestation.made_at == NOW
    check_key(statement, register_of(issuing), NOW, NOW)


HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "no algorithm": ({"alg": "none"}, "statement.algorithm_not_allowed"),
    "another algorithm": ({"alg": "Ed25519"}, "statement.algorithm_not_allowed"),
    "a symmetric algorithm": ({"alg": "HS256"}, "statement.algorithm_not_allowed"),
    "jku": ({"jku": "https://attacker.test/keys"}, "statement.header_not_allowed"),
    "jwk": ({"jwk": FOREIGN.public.jwk()}, "statement.header_not_allowed"),
    "crit": ({"crit": ["b64"], "b64": False}, "statement.header_not_allowed"),
    "no kid": ({"kid": None}, "statement.key_unknown"),
    "unknown kid": ({"kid": "A" * 43}, "statement.key_unknown"),
    "another type": ({"typ": "recognition-receipt+jwt"}, "statement.type_wrong"),
    "no type": ({"typ": None}, "statement.type_wrong"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_refused(name: str) -> None:
    header, code = HEADERS[name]
    assert refusal(OWN.sign(OWN.claims(NOW), **header)) == (code, "/statement")


def test_a_signature_by_another_key_is_wrong() -> None:
    other = Issuing(mark="another")
    token = other.sign(other.claims(NOW), kid=OWN.public.kid)
    assert refusal(token) == ("statement.signature_wrong", "/statement")
    right = OWN.sign(OWN.claims(NOW))
    header, payload, signature = right.split(".")
    claims = base64url.decode(payload).replace("渝中".encode(), "渝北".encode())
    assert refusal(f"{header}.{base64url.encode(claims)}.{signature}") == ("statement.signature_wrong", "/statement")


def test_a_statement_in_another_issuers_name_is_foreign() -> None:
    assert refusal(FOREIGN.sign(OWN.claims(NOW))) == ("statement.key_foreign", "/statement/iss")


def test_without_any_key_nothing_is_taken() -> None:
    assert refusal(OWN.sign(OWN.claims(NOW)), build_key_register([], {})) == ("statement.key_unknown", "/statement")


CLAIMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no jti": ({"jti": None}, "claim_missing", "/jti"),
    "a short jti": ({"jti": "short"}, "claim_wrong", "/jti"),
    "a jti of the wrong kind": ({"jti": 12345678}, "claim_wrong", "/jti"),
    "a spaced jti": ({"jti": "with space"}, "claim_wrong", "/jti"),
    "no time": ({"iat": None}, "claim_missing", "/iat"),
    "a time as text": ({"iat": "1790000000"}, "claim_wrong", "/iat"),
    "a true time": ({"iat": True}, "claim_wrong", "/iat"),
    "a time before all": ({"iat": -1}, "claim_wrong", "/iat"),
    "a time after all": ({"iat": 1 << 40}, "claim_wrong", "/iat"),
    "no profile": ({"profile": None}, "claim_missing", "/profile"),
    "a profile as text": ({"profile": "food"}, "claim_wrong", "/profile"),
    "a profile without version": ({"profile": {"type": "food"}}, "claim_wrong", "/profile"),
    "a profile of the wrong kinds": ({"profile": {"type": 1, "version": "1"}}, "claim_wrong", "/profile"),
    "a version that is true": ({"profile": {"type": "food", "version": True}}, "claim_wrong", "/profile"),
    "an unknown claim": ({"exp": 1}, "claim_unknown", "/exp"),
    "both": ({"event": {}}, "claim_unknown", "/event"),
    "neither": ({"credential": None}, "claim_missing", "/credential_id"),
    "a credential as list": ({"credential": []}, "claim_wrong", "/credential"),
    "no issuer": ({"iss": None}, "claim_missing", "/iss"),
    "an issuer of the wrong kind": ({"iss": ["cq"]}, "key_foreign", "/iss"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_wrong_are_refused_where_they_are(name: str) -> None:
    changed, code, pointer = CLAIMS[name]
    claims = {key: value for key, value in (OWN.claims(NOW) | changed).items() if value is not None}
    assert refusal(OWN.sign(claims)) == (f"statement.{code}", f"/statement{pointer}")


@pytest.mark.parametrize("changed", [{"credential_id": 1}, {"event": "revoked"}])
def test_a_step_of_the_wrong_kinds_is_refused(changed: dict[str, Any]) -> None:
    claims = OWN.event(NOW, "cred_x", "suspended", NOW) | changed
    assert refusal(OWN.sign(claims)) == ("statement.claim_wrong", f"/statement/{next(iter(changed))}")


@pytest.mark.parametrize(
    "payload",
    [b'{"iss": "cq"}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b"[]", b"null", b"{", b'{"a":1.5}', b"\xff", b'"\\ud800"'],
)
def test_what_is_not_canonical_is_refused(payload: bytes) -> None:
    assert refusal(OWN.sign(payload)) == ("statement.not_canonical", "/statement")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda octets: base64url.encode(octets)))
def test_whatever_is_sent_is_refused(text: str) -> None:
    assert refusal(text)[0] == "statement.malformed"


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5), lambda inner: st.lists(inner)))
def test_whatever_a_key_signs_is_read_or_refused(value: Any) -> None:
    for name in ("iss", "jti", "iat", "profile", "credential"):
        token = OWN.sign(OWN.claims(NOW) | {name: value})
        if name == "iat" and type(value) is int:
            assert open_statement(token, KEYS).attestation.made_at.timestamp() == value
        else:
            assert refusal(token)[0] in {"statement.claim_wrong", "statement.key_foreign"}


def test_a_key_signs_in_its_period_and_while_it_is_safe() -> None:
    span = {"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    unsafe = span | {"compromised_from": "2026-11-15T00:00:00Z"}
    for key, instant, code in (
        (span, datetime(2026, 10, 31, tzinfo=UTC), "statement.key_retired"),
        (span, datetime(2026, 11, 1, tzinfo=UTC), None),
        (span, datetime(2026, 12, 1, tzinfo=UTC), "statement.key_retired"),
        (unsafe, datetime(2026, 11, 14, tzinfo=UTC), None),
        (unsafe, datetime(2026, 11, 15, tzinfo=UTC), "statement.key_compromised"),
        (unsafe, datetime(2027, 1, 1, tzinfo=UTC), "statement.key_compromised"),
    ):
        issuing = Issuing(key=key)
        keys = register_of(issuing)
        assert keys.by_kid[issuing.public.kid].signs_at(instant) == (code is None)
        assert key_refusal(issuing, keys, instant, instant) == code


def key_refusal(issuing: Issuing, keys: KeyRegister, made_at: datetime, now: datetime) -> str | None:
    try:
        check_key(open_statement(issuing.sign(issuing.claims(made_at)), keys), keys, now, now)
    except StatementRefused as refused:
        return refused.faults[0].code
    return None


@pytest.mark.parametrize(
    ("ahead", "code"),
    [
        (SKEW, None),
        (-SKEW, None),
        (timedelta(hours=1), "statement.clock_off"),
        (-timedelta(hours=1), "statement.clock_off"),
    ],
)
def test_a_clock_may_be_minutes_off(ahead: timedelta, code: str | None) -> None:
    assert key_refusal(OWN, KEYS, NOW + ahead, NOW) == code
