"""A service whose policy has keys of two issuers, and the keys to call it with."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from app import clock
from app.settings import Settings
from app.store.audit import audit
from app.store.writer import SqliteWriter
from tests.api.service import Service
from tests.support.issuing import LICENCE, TYPE, Issuing

OWN, FOREIGN = Issuing(), Issuing(issuer="cd-jinjiang-amr", alg="Ed25519")
CREDENTIALS = "/v1/credentials"
AREA = {"premises_area": "510104"}
QUESTION: dict[str, Any] = {
    "credential": {"type": TYPE, "number": LICENCE["number"]},
    "jurisdiction": "CN-SC",
    "purpose": "inspection.authenticity",
    "facts": {"premises_area": "500103"},
}


class Desk:
    """A service whose policy has keys of two issuers, and the keys to call it with."""

    def __init__(self, settings: Settings, service: Service) -> None:
        self.settings, self.service = settings, service
        self.own, self.foreign = self.key("issuer", OWN.issuer), self.key("issuer", FOREIGN.issuer)

    def enter(self, *documents: Any) -> None:
        enter(self.settings, *documents)

    def key(self, role: str, issuer: str | None = None, expires_at: datetime | None = None) -> str:
        now = clock.now() - timedelta(days=2)
        return self.service.node.api_keys.make("测试", role, issuer, now, expires_at)[1]

    def send(self, token: str, address: str = CREDENTIALS, key: str | None = None, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {key or self.own}"} | headers
        return self.service.post(address, {"statement": token}, language="en", **given)

    def register(self, **changed: Any) -> httpx.Response:
        return self.send(OWN.sign(OWN.claims(clock.now(), credential=LICENCE | changed)))

    def step(self, named: str, version: str, event: str, **more: Any) -> httpx.Response:
        claims = OWN.event(clock.now(), named, event, more.pop("effective_at", clock.now()), **more)
        return self.send(OWN.sign(claims), f"{CREDENTIALS}/{named}/events", If_Match=f'"{version}"')

    def difference(self) -> str | None:
        return audit(self.settings.store_path, None).difference


def enter(settings: Settings, *documents: Any) -> None:
    writer = SqliteWriter(settings.store_path)
    writer.enter_policies(documents)
    writer.close()


def taken(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    content: dict[str, Any] = response.json()
    assert response.headers["ETag"] == f'"{content["version"]}"'
    assert response.headers["Location"] == f"{CREDENTIALS}/{content['id']}"
    return content


def callers(desk: Desk) -> dict[str, tuple[dict[str, str], int, str]]:
    """Who calls with what: the headers, and what a registration by the issuer's own statement answers."""
    now = clock.now()
    stopped = desk.key("issuer", OWN.issuer)
    key_id = desk.service.node.api_keys.all()[-1].key_id
    assert desk.service.node.api_keys.stop(key_id, now)
    assert not desk.service.node.api_keys.stop(key_id, now)
    keys = {
        "own issuer": (desk.own, 201, ""),
        "foreign issuer": (desk.foreign, 403, "auth.forbidden"),
        "relying party": (desk.key("relying_party"), 403, "auth.forbidden"),
        "operator": (desk.key("operator"), 403, "auth.forbidden"),
        "auditor": (desk.key("auditor"), 403, "auth.forbidden"),
        "stopped": (stopped, 401, "auth.unknown"),
        "expired": (desk.key("issuer", OWN.issuer, now - timedelta(seconds=1)), 401, "auth.unknown"),
        "unknown": ("ak_test_" + "A" * 43, 401, "auth.unknown"),
        "of a live store": (desk.own.replace("test", "live"), 401, "auth.unknown"),
        "of no kind": ("x" * 300, 401, "auth.unknown"),
        "without end": ("x" * 5000, 401, "auth.missing"),
    }
    found = {name: ({"Authorization": f"Bearer {key}"}, status, code) for name, (key, status, code) in keys.items()}
    return found | {
        "nobody": ({}, 401, "auth.missing"),
        "by another scheme": ({"Authorization": f"Basic {desk.own}"}, 401, "auth.missing"),
        "by nothing": ({"Authorization": "Bearer "}, 401, "auth.missing"),
    }
