"""Access tokens: ten minutes for whoever shows an API key, for what the key is good for, and no longer than the key."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from app import clock
from app.ports import SCOPES
from app.settings import Settings
from app.usecases.access_token import LIFETIME, issue_token, read_token
from keys.jws import sign_compact
from registry.canonical import canonical_json
from tests.api.service import Service, assert_problem

ADDRESS = "/oauth/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = {"grant_type": "client_credentials"}
LIST = "/v1/objections"
PURPOSE = {"purpose": "测试"}


class Client:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.id, self.secret = service.node.api_keys.make("测试", "auditor", None, clock.now(), None)

    def ask(self, form: Any, **headers: str) -> httpx.Response:
        content = form if isinstance(form, bytes) else urlencode(form).encode()
        given = FORM | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.request("POST", ADDRESS, content=content, headers=given)

    def granted(self, **more: str) -> dict[str, Any]:
        response = self.ask(GRANT | {"client_id": self.id, "client_secret": self.secret} | more)
        assert response.status_code == 200, response.text
        assert response.headers["Cache-Control"] == "no-store"
        content: dict[str, Any] = response.json()
        return content

    def listed(self, token: str) -> httpx.Response:
        return self.service.get(LIST, PURPOSE, Authorization=f"Bearer {token}")


@pytest.fixture
def client(copied: Settings, opened: Callable[..., Service]) -> Client:
    return Client(opened(copied))


def test_a_token_calls_as_its_key_does(client: Client) -> None:
    granted = client.granted()
    assert (granted["token_type"], granted["expires_in"], granted["scope"]) == ("Bearer", 600, "objections.read")
    assert client.listed(granted["access_token"]).status_code == 200
    header = json.loads(base64.urlsafe_b64decode(granted["access_token"].split(".")[0] + "=="))
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    basic = base64.b64encode(f"{client.id}:{client.secret}".encode()).decode()
    assert client.ask(GRANT, Authorization=f"Basic {basic}").status_code == 200


def test_a_token_ends_with_its_time_and_with_its_key(client: Client) -> None:
    node, now = client.service.node, clock.now()
    token = client.granted()["access_token"]

    def reads(instant: datetime) -> bool:
        return read_token(token, node.api_keys, node.origin, node.ring, instant) is not None

    assert reads(now + LIFETIME - timedelta(seconds=2))
    assert not reads(now + LIFETIME + timedelta(seconds=1))
    assert node.api_keys.stop(client.id, now)
    assert_problem(client.listed(token), 401, "auth.unknown", "")
    refused = client.ask(GRANT | {"client_id": client.id, "client_secret": client.secret})
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})


def test_a_scope_is_some_of_the_keys(client: Client) -> None:
    node = client.service.node
    key_id, secret = node.api_keys.make("测试", "issuer", "cq-yuzhong-amr", clock.now(), None, ("objections.read",))
    principal = node.api_keys.find(secret, clock.now())
    assert principal is not None
    assert principal.scopes == ("objections.read",)
    form = GRANT | {"client_id": key_id, "client_secret": secret}
    assert client.ask(form).json()["scope"] == "objections.read"
    assert client.ask(form | {"scope": "objections.answer"}).json() == {"error": "invalid_scope"}
    answer = client.service.post(f"{LIST}/obj_x/answer", {"answer": "x"}, Authorization=f"Bearer {secret}")
    assert_problem(answer, 403, "auth.forbidden", "")
    # A token for more than the key is good for, as one from before would be, is worth what the key is.
    token = issue_token(principal, SCOPES["issuer"], node.origin, node.signer, clock.now())
    answer = client.service.post(f"{LIST}/obj_x/answer", {"answer": "x"}, Authorization=f"Bearer {token}")
    assert_problem(answer, 403, "auth.forbidden", "")
    assert client.listed(token).status_code == 200


REFUSED: dict[str, tuple[Any, str, int]] = {
    "no grant": ({}, "invalid_request", 400),
    "no form": (b"\xff", "invalid_request", 400),
    "a member twice": (b"grant_type=client_credentials&grant_type=x", "invalid_request", 400),
    "no client": (GRANT, "invalid_client", 401),
    "another's secret": (GRANT | {"client_id": "key_x"}, "invalid_client", 401),
    "a wrong secret": (GRANT | {"client_secret": "ak_test_" + "A" * 43}, "invalid_client", 401),
    "another grant": ({"grant_type": "password"}, "unsupported_grant_type", 400),
    "a scope of others": (GRANT | {"scope": "credentials.write"}, "invalid_scope", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_granted_is_refused_as_oauth_does(client: Client, name: str) -> None:
    form, error, status = REFUSED[name]
    if isinstance(form, dict) and form and name != "no client":
        form = {"client_id": client.id, "client_secret": client.secret} | form
    response = client.ask(form)
    assert (response.status_code, response.json()) == (status, {"error": error})
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_headers_that_are_wrong_are_refused(client: Client) -> None:
    assert client.ask(GRANT, Content_Type="application/json").json() == {"error": "invalid_request"}
    for wrong in ("Bearer x", "Basic !", "Basic " + base64.b64encode("测试:x".encode()).decode()):
        assert client.ask(GRANT, Authorization=wrong).json() == {"error": "invalid_client"}
    basic = base64.b64encode(f"{client.id}:{client.secret}".encode()).decode()
    both = client.ask(GRANT | {"client_secret": client.secret}, Authorization=f"Basic {basic}")
    assert both.json() == {"error": "invalid_client"}
    assert client.ask(GRANT | {"scope": "x" * 5000}).status_code == 413


def test_what_else_we_sign_is_no_token(client: Client) -> None:
    """A receipt, a status list, a token for another node, a token with a changed character."""
    node = client.service.node
    token = client.granted()["access_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    wrong = [
        sign_compact(canonical_json(claims), node.signer, "recognition-receipt+jwt"),
        sign_compact(canonical_json(claims | {"iss": "urn:other"}), node.signer, "at+jwt"),
        sign_compact(canonical_json(claims | {"aud": "urn:other"}), node.signer, "at+jwt"),
        sign_compact(canonical_json(claims | {"sub": "key_x"}), node.signer, "at+jwt"),
        token[:-4] + "AAAA",
        "a.b.c",
    ]
    for entry in wrong:
        assert_problem(client.listed(entry), 401, "auth.unknown", "")
    receipt = client.service.post("/v1/receipts/verifications", {"receipt": token}).json()
    assert receipt["genuine"] is False


def test_two_headers_are_none(client: Client) -> None:
    pairs = [(b"authorization", f"Bearer {client.secret}".encode()), (b"authorization", b"Bearer x")]
    response = client.service.raw("GET", LIST, headers=pairs)
    assert response.status_code == 401
