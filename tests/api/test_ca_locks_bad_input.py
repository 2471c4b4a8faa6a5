"""Locks that nobody can read: a problem that says where, or a failed check that says why. Never a 500."""

import base64
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.api.body import MAX_BODY
from registry.query import MAX_CHAIN
from tests.api.lock_place import GOOD, Place, open_place
from tests.api.service import LANGUAGES, assert_problem, assert_problem_shape
from tests.support import der_writer as der
from tests.support.lock_world import CHALLENGES, PLATFORM, PURPOSE, VERIFICATIONS, codes, text_of, written
from tests.support.pki import LIES, ODDITIES, case, unit
from tests.support.unsafe_sm2 import N, signature_der, signature_numbers, signature_raw

SECRET = "机密单位7E57"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("locks")) as opened:
        yield opened


@pytest.fixture(scope="module")
def right(place: Place) -> dict[str, Any]:
    """An answer to a challenge that would be recognised; nobody sends it."""
    return place.client.answered(place.client.challenge(), place.world.lock().signing)


@pytest.fixture(scope="module")
def lock_der(place: Place) -> bytes:
    return place.world.lock().signing.der


def assert_refused(
    place: Place, content: Any, status: int, code: str, pointer: str | None, address: str = VERIFICATIONS
) -> None:
    """Refused in both languages with the same codes at the same places, and with texts that differ."""
    body = content if isinstance(content, bytes) else written(content)
    chinese, english = (
        assert_problem(place.service.post(address, body, language), status, code, pointer) for language in LANGUAGES
    )
    assert chinese["title"] != english["title"]
    for mine, other in zip(chinese["errors"], english["errors"], strict=True):
        assert (mine["pointer"], mine["code"]) == (other["pointer"], other["code"])
        assert mine["detail"] != other["detail"]
        assert any("一" <= character <= "鿿" for character in mine["detail"])


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def nested(depth: int) -> bytes:
    """Sequences in sequences."""
    element = b""
    for _ in range(depth):
        element = der.tlv(0x30, element)
    return element


# Certificates that cannot be read

MALFORMED, SEVERAL = "query.certificate_malformed", "query.certificate_several"
LARGE = "query.certificate_too_large"
Spoil = Callable[[bytes], str]

UNREADABLE: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda d: "", MALFORMED),
    "white space": (lambda d: " \n\t", MALFORMED),
    "a word": (lambda d: "certificate", MALFORMED),
    "garbage": (lambda d: encoded(bytes(range(256))), MALFORMED),
    "zeros": (lambda d: encoded(bytes(1000)), MALFORMED),
    "not base64": (lambda d: encoded(d)[:-9] + "!" + encoded(d)[-8:], MALFORMED),
    "full-width base64": (lambda d: "Ａ" + encoded(d)[1:], MALFORMED),
    "one character more": (lambda d: encoded(d).rstrip("=") + "A" * (5 - len(encoded(d).rstrip("=")) % 4), MALFORMED),
    "two alphabets": (lambda d: encoded(b"\x30\x03\xfb\xff\xfe") + "-_", MALFORMED),
    "cut off by a byte": (lambda d: encoded(d[:-1]), MALFORMED),
    "its first half": (lambda d: encoded(d[: len(d) // 2]), MALFORMED),
    "its header": (lambda d: encoded(d[:4]), MALFORMED),
    "its signed part": (lambda d: encoded(der.members_of(d)[0]), MALFORMED),
    "an empty sequence": (lambda d: encoded(b"\x30\x00"), MALFORMED),
    "an indefinite length": (lambda d: encoded(b"\x30\x80" + der.contents_of(d) + b"\0\0"), MALFORMED),
    "a length beyond the end": (lambda d: encoded(b"\x30\x84\xff\xff\xff\xff" + der.contents_of(d)), MALFORMED),
    "a length of nine octets": (lambda d: encoded(b"\x30\x89" + b"\xff" * 9), MALFORMED),
    "a tag of many octets": (lambda d: encoded(b"\x3f" + b"\xff" * 4000 + b"\x01\x00"), MALFORMED),
    "nested 40 deep": (lambda d: encoded(nested(40)), MALFORMED),
    "nested 9,000 deep": (lambda d: encoded(nested(9_000)), MALFORMED),
    "20,000 empty sequences": (lambda d: encoded(der.tlv(0x30, b"\x30\x00" * 20_000)), MALFORMED),
    "a revocation list": (lambda d: encoded(case().crls[0]), MALFORMED),
    "a request in PEM": (lambda d: der.pem(d, "CERTIFICATE REQUEST"), MALFORMED),
    "PEM without an end": (lambda d: der.pem(d).partition("-----END")[0], MALFORMED),
    "PEM with another end": (lambda d: der.pem(d).replace("END CERTIFICATE", "END X"), MALFORMED),
    "PEM of nothing": (lambda d: der.pem(b""), MALFORMED),
    "PEM in base64": (lambda d: encoded(der.pem(d).encode()), MALFORMED),
    "two in PEM": (lambda d: der.pem(d) + der.pem(d), SEVERAL),
    "two in DER": (lambda d: encoded(d + d), SEVERAL),
    "a private key in PEM": (lambda d: der.pem(unit().key.private_key_info(), "PRIVATE KEY"), MALFORMED),
    "a private key after it": (
        lambda d: der.pem(d) + der.pem(unit().key.private_key_info(), "EC PRIVATE KEY"),
        MALFORMED,
    ),
    "a private key": (lambda d: encoded(unit().key.private_key_info()), MALFORMED),
    "a lone surrogate": (lambda d: "\ud800", MALFORMED),
    "a surrogate in it": (lambda d: encoded(d)[:40] + "\udfff" + encoded(d)[40:], MALFORMED),
    "NUL": (lambda d: encoded(d) + "\0", MALFORMED),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_certificate_that_cannot_be_read(place: Place, right: dict[str, Any], lock_der: bytes, name: str) -> None:
    spoil, code = UNREADABLE[name]
    text = spoil(lock_der)
    assert_refused(place, right | {"certificate": text}, 422, code, "/certificate")
    if name == "two in PEM":
        # Of the chain one text may hold several: too many of them are refused, and so is a bad one.
        text = text * MAX_CHAIN
        assert_refused(place, right | {"chain": [text]}, 422, "query.too_long", "/chain")
        return
    assert_refused(place, right | {"chain": [text]}, 422, code, "/chain/0")
    chain = [encoded(lock_der), encoded(lock_der), text]
    assert_refused(place, right | {"chain": chain}, 422, code, "/chain/2")


def test_whoever_sends_a_private_key_is_told_that_it_is_exposed(place: Place, right: dict[str, Any]) -> None:
    """And is not sent it back."""
    key = unit().key.private_key_info()
    for text in (der.pem(key, "PRIVATE KEY"), encoded(key)):
        document = assert_problem_shape(place.client.verify(right | {"certificate": text}, "en"))
        assert "private key" in document["detail"]
        assert "exposed" in document["detail"]
        assert encoded(key)[20:40] not in json.dumps(document)


@pytest.mark.parametrize(
    "name", [name for name, lie in LIES.items() if lie.about == "leaf" and lie.breaks in ("signature", "form", "key")]
)
def test_a_certificate_that_lies_is_refused_or_fails(place: Place, name: str) -> None:
    shown = case(name).leaf
    response = place.client.try_lock(shown)
    if response.status_code == 422:
        assert_problem(response, 422, MALFORMED, "/certificate")
    else:
        assert codes(response)[0] == "not_recognized"


@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_certificate_is_answered(place: Place, name: str) -> None:
    """What real authorities were seen to write may be read or refused; it is never our mistake."""
    world = place.world
    told = ODDITIES[name].tell(world.spec(unit()), world.authorities["sichuan"].key)
    response = place.client.try_lock(world.issue(unit(), **told))
    if response.status_code == 422:
        assert_problem(response, 422, MALFORMED, "/certificate")
    else:
        assert codes(response)[0] in ("recognized", "not_recognized", "indeterminate")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"\x30", b"\x30\x82\x01\x00", b"\x30\x82"]))
def test_no_bytes_at_all_make_a_mistake_of_ours(place: Place, right: dict[str, Any], data: bytes, head: bytes) -> None:
    response = place.client.verify(right | {"certificate": encoded(head + data)})
    assert response.status_code == 422
    assert {fault["pointer"] for fault in response.json()["errors"]} == {"/certificate"}


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_no_text_at_all_makes_a_mistake_of_ours(place: Place, right: dict[str, Any], text: str) -> None:
    for name in right:
        if text.strip() == right[name]:
            continue  # no mistake at all
        response = place.client.verify(right | {name: text})
        assert response.status_code in (200, 422), name
        if response.status_code == 422:
            assert f"/{name}" in {fault["pointer"] for fault in response.json()["errors"]}
        else:
            assert codes(response)[0] == "not_recognized"


@settings(max_examples=150, deadline=None)
@given(where=st.integers(0, 10_000), until=st.integers(0, 10_000), put=st.binary(max_size=12))
def test_no_damage_is_recognized(
    place: Place, right: dict[str, Any], lock_der: bytes, where: int, until: int, put: bytes
) -> None:
    start, end = sorted((where % len(lock_der), until % len(lock_der)))
    damaged = lock_der[:start] + put + lock_der[end:]
    assume(damaged != lock_der)
    response = place.client.verify(right | {"certificate": encoded(damaged)})
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert codes(response)[0] == "not_recognized"


# Certificates that can


@pytest.mark.parametrize(
    "write",
    [
        der.pem,
        lambda data: "\ufeff" + der.pem(data),
        lambda data: der.pem(data).replace("\n", "\r\n"),
        lambda data: "subject=x\nissuer=y\n" + der.pem(data) + "\n\n",
        lambda data: "\n".join(encoded(data)[n : n + 64] for n in range(0, 9999, 64)),
        lambda data: "\r\n ".join(encoded(data)[n : n + 7] for n in range(0, 9999, 7)),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: encoded(data).rstrip("="),
    ],
)
def test_the_ways_to_write_a_certificate(place: Place, write: Callable[[bytes], str]) -> None:
    client, world = place.client, place.world
    shown = world.lock(number=3).signing
    chain = [write(entry) for entry in world.authorities["sichuan"].chain]
    assert codes(client.try_lock(shown, certificate=write(shown.der), chain=chain)) == GOOD


@pytest.mark.parametrize(
    "write",
    [
        encoded,
        lambda data: "\n".join(encoded(data)[n : n + 16] for n in range(0, 999, 16)) + "\r\n",
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    ],
)
def test_the_ways_to_write_a_signature(place: Place, write: Callable[[bytes], str]) -> None:
    client, shown = place.client, place.world.lock().signing
    for bare in (False, True):
        asked = client.challenge()
        signature = shown.key.sign(asked.to_be_signed)
        text = write(signature_raw(signature) if bare else signature)
        assert codes(client.verify(client.answered(asked, shown, signature=text))) == GOOD


# Signatures

NO_BASE64 = ["no base64!", "AAA*", "ＡＡＡＡ", "A", "====A", "\ud800", "AAAA\0"]


@pytest.mark.parametrize("text", NO_BASE64, ids=ascii)
def test_a_signature_that_is_no_base64(place: Place, right: dict[str, Any], text: str) -> None:
    answers = [place.client.verify(right | {"signature": text}, language) for language in LANGUAGES]
    assert [answer.status_code for answer in answers] == [422, 422]
    faults = [answer.json()["errors"] for answer in answers]
    assert [[(fault["pointer"], fault["code"]) for fault in found] for found in faults] == 2 * [
        [("/signature", "query.encoding_malformed")]
    ]
    assert faults[0][0]["detail"] != faults[1][0]["detail"]


def test_a_signature_of_the_wrong_shape_is_wrong(place: Place) -> None:
    client, shown = place.client, place.world.lock().signing
    asked = client.challenge()
    honest = shown.key.sign(asked.to_be_signed)
    r, s = signature_numbers(honest)
    shapes = {
        "nothing": b"",
        "a byte": b"\0",
        "63 bytes": signature_raw(honest)[:-1],
        "65 bytes": signature_raw(honest) + b"\0",
        "zeros": bytes(64),
        "ones": b"\xff" * 64,
        "r alone": signature_raw(honest)[:32] + bytes(32),
        "s alone": bytes(32) + signature_raw(honest)[32:],
        "changed places": signature_der(s, r),
        "r beyond the order": signature_der(r + N, s),
        "s beyond the order": signature_der(r, s + N),
        "negative s": der.sequence(der.integer(r), der.integer(s - N)),
        "zero r": signature_der(0, s),
        "zero s": signature_der(r, 0),
        "r + s = n": signature_der(r, N - r),
        "trailing bytes": honest + b"\0\0",
        "three numbers": der.sequence(der.integer(r), der.integer(s), der.integer(1)),
        "one number": der.sequence(der.integer(r)),
        "padded numbers": der.sequence(der.integer(b"\0\0" + r.to_bytes(32, "big")), der.integer(s)),
        "a long length": b"\x30\x81" + honest[1:],
        "a set": b"\x31" + honest[1:],
        "nested": nested(200),
        "a certificate": shown.der,
    }
    for name, signature in shapes.items():
        text = encoded(signature) or " "
        assert codes(client.verify(client.answered(asked, shown, signature=text))) == (
            "not_recognized",
            "signature.wrong",
        ), name
    assert codes(client.verify(client.answered(asked, shown))) == GOOD


@pytest.mark.parametrize(
    "written", ["pkcs7", "CMS", "RAW", "raw ", " raw", "der", "jws", "\ud800", "raw\0", "“"], ids=ascii
)
def test_a_signature_format_that_is_not_served(place: Place, right: dict[str, Any], written: str) -> None:
    assert_refused(place, right | {"signature_format": written}, 422, "query.format_not_supported", "/signature_format")


# Members

OWN = ["challenge_id", "certificate", "signature", "signature_format", "jurisdiction", "purpose", "relying_party"]
VALUES: dict[str, Any] = {"number": 7, "zero": 0, "true": True, "false": False, "list": ["x"], "object": {"x": "y"}}


@pytest.mark.parametrize("name", OWN)
def test_a_member_that_is_missing(place: Place, right: dict[str, Any], name: str) -> None:
    missing = {key: value for key, value in right.items() if key != name}
    assert_refused(place, missing, 422, "query.member_missing", f"/{name}")
    assert_refused(place, right | {name: None}, 422, "query.member_missing", f"/{name}")


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", [*OWN, "valid_at", "expected_subject", "chain"])
def test_a_member_of_the_wrong_kind(place: Place, right: dict[str, Any], name: str, kind: str) -> None:
    if (name, kind) == ("chain", "list"):
        assert_refused(place, right | {name: [7, None]}, 422, "query.wrong_kind", "/chain/1")
        return
    if (name, kind) == ("expected_subject", "object"):
        assert_refused(place, right | {name: {"name": "x", "x": 1}}, 422, "query.unknown_member", "/expected_subject/x")
        return
    assert_refused(place, right | {name: VALUES[kind]}, 422, "query.wrong_kind", f"/{name}")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("challenge_id", "", "query.empty"),
        ("challenge_id", "x" * 2049, "query.too_long"),
        ("signature", "", "query.empty"),
        ("signature", "A" * 4097, "query.too_long"),
        ("signature_format", "", "query.empty"),
        ("signature_format", "raw" * 6, "query.too_long"),
        ("relying_party", " ", "query.empty"),
        ("relying_party", "x" * 201, "query.too_long"),
        ("relying_party", "a\nb", "query.text_not_allowed"),
        ("relying_party", "\ud800", "query.text_not_allowed"),
        ("purpose", "everything", "query.purpose_unknown_for_type"),
        ("purpose", "report.acceptance", "query.purpose_unknown_for_type"),
        ("jurisdiction", "CN-BJ", "query.unknown_jurisdiction"),
        ("jurisdiction", "CN", "query.unknown_jurisdiction"),
        ("valid_at", "2026-01-01T00:00:00", "query.time_without_offset"),
        ("valid_at", "soon", "query.time_malformed"),
        ("valid_at", "2999-01-01T00:00:00Z", "query.valid_at_in_future"),
        ("expected_subject", {}, "query.member_missing"),
        ("chain", ["MIIB"] * 9, "query.too_long"),
        ("known_at", "2026-01-01T00:00:00Z", "query.unknown_member"),
        ("facts", {}, "query.unknown_member"),
        ("credential", {"type": "ca-certificate"}, "query.unknown_member"),
        ("certificates", [], "query.unknown_member"),
    ],
)  # fmt: skip
def test_a_member_that_says_something_else(
    place: Place, right: dict[str, Any], name: str, value: Any, code: str
) -> None:
    assert_refused(place, right | {name: value}, 422, code, f"/{name}")


@pytest.mark.parametrize(
    ("name", "pointer"),
    [("a/b~c", "/a~1b~0c"), ("", "/"), ("\ud800", "/\ufffd"), ("x" * 5000, "/" + "x" * 64), ("名", "/名")],
    ids=["slash", "empty", "surrogate", "long", "Chinese"],
)
def test_a_member_that_nobody_knows(place: Place, right: dict[str, Any], name: str, pointer: str) -> None:
    content = right | {name: 1}
    assert_refused(place, content, 422, "query.unknown_member", pointer)
    asked = {"purpose": PURPOSE, "relying_party": PLATFORM, name: 1}
    assert_refused(place, asked, 422, "query.unknown_member", pointer, CHALLENGES)


def test_everything_wrong_is_told_at_once(place: Place) -> None:
    request = {
        "certificate": "MIIB",
        "signature": 7,
        "signature_format": "pkcs7",
        "chain": [1],
        "valid_at": "x",
        "y": 0,
    }
    document = assert_problem_shape(place.client.verify(request))
    assert {(fault["pointer"], fault["code"]) for fault in document["errors"]} == {
        ("/challenge_id", "query.member_missing"),
        ("/signature", "query.wrong_kind"),
        ("/signature_format", "query.format_not_supported"),
        ("/certificate", MALFORMED),
        ("/chain/0", "query.wrong_kind"),
        ("/relying_party", "query.member_missing"),
        ("/jurisdiction", "query.member_missing"),
        ("/purpose", "query.member_missing"),
        ("/valid_at", "query.time_malformed"),
        ("/y", "query.unknown_member"),
    }


# Challenges that cannot be asked for


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        ({}, "query.member_missing", "/purpose"),
        ({"purpose": PURPOSE}, "query.member_missing", "/relying_party"),
        ({"purpose": None, "relying_party": PLATFORM}, "query.member_missing", "/purpose"),
        ({"purpose": 7, "relying_party": PLATFORM}, "query.wrong_kind", "/purpose"),
        ({"purpose": PURPOSE, "relying_party": ["x"]}, "query.wrong_kind", "/relying_party"),
        ({"purpose": PURPOSE, "relying_party": " "}, "query.empty", "/relying_party"),
        ({"purpose": PURPOSE, "relying_party": "x" * 201}, "query.too_long", "/relying_party"),
        ({"purpose": PURPOSE, "relying_party": "\udc00"}, "query.text_not_allowed", "/relying_party"),
        ({"purpose": "everything", "relying_party": PLATFORM}, "query.unknown_purpose", "/purpose"),
        ({"purpose": "report.acceptance", "relying_party": PLATFORM}, "query.unknown_purpose", "/purpose"),
        ({"purpose": PURPOSE, "relying_party": PLATFORM, "nonce": "x"}, "query.unknown_member", "/nonce"),
        ([], "query.wrong_kind", ""),
        ("x", "query.wrong_kind", ""),
        (None, "query.wrong_kind", ""),
    ],
)  # fmt: skip
def test_a_challenge_that_cannot_be_given(place: Place, content: Any, code: str, pointer: str) -> None:
    assert_refused(place, written(content), 422, code, pointer, CHALLENGES)


# Bodies


@pytest.mark.parametrize("address", [CHALLENGES, VERIFICATIONS])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "request.malformed_json"),
        (b"{", 400, "request.malformed_json"),
        (b'{"purpose": "\xff"}', 400, "request.malformed_json"),
        (b"[" * 30_000, 400, "request.malformed_json"),
        (b'{"chain":' * 7_000, 400, "request.malformed_json"),
        (b'{"purpose": "x", "purpose": "x"}', 400, "request.duplicate_key"),
        (b'{"chain": [{"a": 1, "a": 2}]}', 400, "request.duplicate_key"),
        (b'{"purpose": 1.5}', 422, "request.number_not_allowed"),
        (b'{"purpose": NaN}', 422, "request.number_not_allowed"),
        (b"[]", 422, "query.wrong_kind"),
        (b"null", 422, "query.wrong_kind"),
        (b'"' + b"A" * MAX_BODY + b'"', 413, "request.too_large"),
    ],
)
def test_a_body_that_cannot_be_read(place: Place, address: str, body: bytes, status: int, code: str) -> None:
    assert_refused(place, body, status, code, None, address)


def test_a_body_of_another_media_type(place: Place, right: dict[str, Any]) -> None:
    for kind in ("text/plain", "application/pkix-cert", "application/x-www-form-urlencoded"):
        response = place.service.post(VERIFICATIONS, right, Content_Type=kind)
        assert response.status_code == 415
        assert_problem(response, 415, "request.media_type")


def test_ten_megabytes_are_refused_without_being_held(place: Place, right: dict[str, Any]) -> None:
    body = json.dumps(right | {"certificate": "M" * 10_000_000}).encode()
    chunks = [body[start : start + 16_384] for start in range(0, len(body), 16_384)]
    tracemalloc.start()
    try:
        headers = [(b"content-type", b"application/json")]
        response = place.service.raw("POST", VERIFICATIONS, headers=headers, body=chunks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert_problem(response, 413, "request.too_large")
    assert peak < 1_000_000


# Logs


def test_nothing_of_a_bad_certificate_is_logged(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    world, client = place.world, place.client
    subject = der.Subject(organisation=SECRET, common_name=SECRET, serial_number="7E57SERIAL")
    shown = world.issue(unit(), subject=subject)
    assert SECRET.encode() in shown.der
    text = text_of(shown)
    with capture_logs() as logged:
        for spoil, _ in UNREADABLE.values():
            client.try_lock(shown, certificate=spoil(shown.der))
        client.try_lock(shown, chain=[text] * 9)
        client.try_lock(shown, signature=text[:4000])
        client.try_lock(shown, challenge_id=text[:2000])
        client.verify(f'{{"certificate": "{text}'.encode())
        client.verify({SECRET: text, text: SECRET})
        client.challenge(relying_party=SECRET)
    assert {entry["event"] for entry in logged} == {"request"}
    assert 500 not in {entry["status"] for entry in logged}
    printed = capsys.readouterr()
    everything = repr(logged) + printed.out + printed.err
    assert [hidden for hidden in (SECRET, "7E57", text[40:60], text[-60:-40]) if hidden in everything] == []
