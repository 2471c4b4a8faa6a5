"""What strangers get wrong when they ask about signatures: read as meant where that is certain, else told how."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from keys.algorithms.sm2.curve import sm3
from tests.api.lock_place import open_place
from tests.api.service import assert_problem
from tests.api.signing_desk import DOCUMENT, SIGNATURES, SigningDesk, message, text
from tests.support.cms_writer import Signed
from tests.support.lock_world import PLATFORM

LINK = f"jurisdiction=CN-SC&purpose=bidding.sign&relying_party={PLATFORM}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningDesk]:
    with open_place(tmp_path_factory.mktemp("misasked")) as place:
        yield SigningDesk(place)


def signed(desk: SigningDesk, content: bytes | None = DOCUMENT, over: bytes = DOCUMENT) -> bytes:
    return message(content, Signed(by=desk.world.lock().signing), over=over)


def pem_of(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text(der)}\n-----END CERTIFICATE-----\n"


def sent(desk: SigningDesk, query: str, body: bytes, kind: str = "application/cms") -> httpx.Response:
    # As it stands: a client would escape the plus sign.
    headers = [(b"content-type", kind.encode()), (b"accept-language", b"zh-CN")]
    return desk.place.service.raw("POST", SIGNATURES, query.encode(), headers, [body])


def test_a_plus_sign_that_a_link_lost_is_one(desk: SigningDesk) -> None:
    content = next(each for each in (b"%d" % number for number in range(1_000)) if b"+" in base64.b64encode(sm3(each)))
    octets = signed(desk, None, content)
    instant = desk.world.now.isoformat()
    assert "+00:00" in instant
    for name in ("valid_at", "known_at", "deadline"):
        query = f"{LINK}&digest_kind=sm3&digest={text(sm3(content))}&{name}={instant}"
        response = sent(desk, query, octets)
        assert response.status_code == 200, response.text
        assert response.json()["signature"]["content"] == {"sm3": sm3(content).hex()}
        escaped = f"{LINK}&digest_kind=sm3&{urlencode({'digest': text(sm3(content)), name: instant})}"
        assert sent(desk, escaped, octets).json()["decision"] == response.json()["decision"]
    spoilt = desk.ask(octets, content=text(content), valid_at=instant.replace("+", " "))
    assert_problem(spoilt, 422, "query.time_malformed", "/valid_at")


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"requirement": {"unit": "1"}}, "query.wrong_kind", ("unit", "整数")),
        ({"requirement": {"unit": True}}, "query.wrong_kind", ("unit", "整数")),
        ({"requirement": {"unit": 17}}, "query.out_of_range", ("16",)),
        ({"fetch": {"deadline_ms": "2000"}}, "query.wrong_kind", ("deadline_ms", "整数")),
        ({"digest": "AA==", "digest_kind": "SM3"}, "digest.malformed", ("SM3", "sm3, sm2-e", "大小写")),
        ({"digest": "AA==", "digest_kind": "md5"}, "digest.malformed", ("md5", "sha256")),
        ({"digest": sm3(b"").hex(), "digest_kind": "sm3"}, "digest.malformed", ("32 字节", "48 字节", "十六进制")),
        ({"digest": sm3(b"").hex(), "digest_kind": "sm2-e"}, "digest.malformed", ("32 字节", "48 字节")),
        ({"valid_at": "2026-02-30T00:00:00+08:00"}, "query.time_out_of_range", ("没有这一天",)),
        ({"chain": "MIIB"}, "query.wrong_kind", ("列表",)),
    ],
)
def test_a_value_is_told_by_what_is_wrong_with_it(
    desk: SigningDesk, changes: dict[str, Any], code: str, said: tuple[str, ...]
) -> None:
    detail = assert_problem(desk.ask(signed(desk), language="zh-CN", **changes), 422, code)["detail"]
    assert all(word in detail for word in said), detail


def test_an_entry_of_the_chain_may_be_a_file_of_several(desk: SigningDesk) -> None:
    world = desk.world
    pems = [pem_of(entry) for entry in world.authorities["sichuan"].chain]
    assert len(pems) > 1
    asked: dict[str, Any] = {"relying_party": PLATFORM}
    assert desk.answer(signed(desk), chain=["".join(pems)], **asked)["decision"] == "recognized"
    assert desk.answer(signed(desk), chain=["a lock's chain\n" + "\n".join(pems)], **asked)["decision"] == "recognized"
    assert_problem(desk.ask(signed(desk), chain=["".join(pems * 5)]), 422, "query.too_long", "/chain")
    broken = [pems[0], pems[0] + pems[1].replace("END", "AND")]
    assert_problem(desk.ask(signed(desk), chain=broken), 422, "query.certificate_malformed", "/chain/1")
    der = text(b"".join(world.authorities["sichuan"].chain))
    refused = assert_problem(desk.ask(signed(desk), language="zh-CN", chain=[der]), 422, "query.certificate_several")
    assert "拆成多项" in refused["detail"]
    assert_problem(desk.ask(signed(desk), certificate="".join(pems)), 422, "query.certificate_several", "/certificate")


def test_a_link_beside_json_and_members_in_a_link(desk: SigningDesk) -> None:
    octets = signed(desk)
    beside = assert_problem(sent(desk, LINK, octets, "application/json"), 422, "query.unknown_parameter")
    assert "Content-Type: application/cms" in beside["detail"]
    assert "jurisdiction" in beside["detail"]
    for name in ("requirement", "requirement.unit", "evidence", "expected_subject", "fetch"):
        refused = assert_problem(sent(desk, f"{LINK}&{name}=1", octets), 422, "query.unknown_parameter", f"/{name}")
        assert f"“{name}”" in refused["detail"]
        assert "application/json" in refused["detail"]
    plain = assert_problem(sent(desk, f"{LINK}&colour=red", octets), 422, "query.unknown_parameter")
    assert "application/json" not in plain["detail"]


def test_a_request_that_takes_no_parameters_says_so(desk: SigningDesk) -> None:
    for language, said in (("zh-CN", "不接受任何参数"), ("en", "takes no parameters")):
        refused = desk.place.service.get("/v1/jurisdictions", {"limit": "1"}, language)
        assert said in assert_problem(refused, 422, "query.unknown_parameter", "/limit")["detail"]


def test_an_empty_body_is_told_to_be_empty(desk: SigningDesk) -> None:
    for body in (b"", b" \n"):
        assert "空" in assert_problem(sent(desk, "", body, "application/json"), 400, "request.malformed_json")["detail"]


def odd_messages(desk: SigningDesk) -> dict[str, tuple[bytes, tuple[str, ...]]]:
    octets, lock = signed(desk), desk.world.lock().signing
    bare = lock.key.sign(DOCUMENT)
    streamed = b"\x30\x80" + octets[4:-1]
    return {
        "cut short": (octets[:-10], ("不完整", f"{len(octets)} 字节", f"{len(octets) - 10} 字节")),
        "cut in the header": (octets[:3], ("不完整", "3 字节")),
        "streamed": (streamed, ("不完整", f"{len(streamed)} 字节")),
        "mail": (b"MIME-Version: 1.0\r\nContent-Type: multipart/signed\r\n\r\n", ("S/MIME",)),
        "bare": (bare, ("raw", "certificate")),
        "raw bytes": (b"\x80" * 64, ("raw", "certificate")),
        "something else": (b"hello", ("CMS",)),
    }


def test_a_message_that_is_none_is_told_by_what_it_is(desk: SigningDesk) -> None:
    for name, (octets, said) in odd_messages(desk).items():
        for response in (sent(desk, LINK, octets), desk.ask(octets, language="zh-CN")):
            detail = assert_problem(response, 422, "document.malformed", "/signature")["detail"]
            assert all(word in detail for word in said), (name, detail)
        assert desk.ask(octets).json()["detail"] != desk.ask(octets, language="zh-CN").json()["detail"]
    pem = b"-----BEGIN CMS-----\n" + text(signed(desk)).encode() + b"\n-----END CMS-----\n"
    assert sent(desk, LINK, pem).status_code == 200
    assert "PEM" in assert_problem(desk.ask(pem, language="zh-CN"), 422, "document.malformed")["detail"]
    for odd in (pem[:-30], pem + pem):
        assert "PEM" in assert_problem(sent(desk, LINK, odd), 422, "query.encoding_malformed", "/signature")["detail"]
