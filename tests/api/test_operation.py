"""Alive, ready, and what becomes of a running node whose store goes away or is destroyed under it."""

import os
import re
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import clock
from app.settings import Settings
from app.signing_keys import SigningKeys
from app.store import file
from app.store.margin import LOOK
from app.store.writer import SqliteWriter
from keys.errors import CustodyError
from registry.document import PolicyDocument, parse_document
from tests.api.service import RECOGNIZED, Service, assert_problem, link, stable

AS_KNOWN = RECOGNIZED | {"known_at": "2026-10-01T00:00:00Z"}
ASKING_THE_STORE = [
    "/v1/credentials",
    "/v1/credentials/cred_nobody",
    "/v1/agreements",
    "/v1/jurisdictions",
    "/v1/authorities",
    "/v1/credential-types",
]
NOT_ASKING_THE_STORE = ["/healthz", "/.well-known/jwks.json", "/v1/about", "/openapi.json", "/docs"]


@pytest.fixture(autouse=True)
def _looks_at_the_file_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_SECONDS", 0.0)


def replaced(store: Path) -> None:
    other = store.with_name("other")
    other.write_bytes(b"this is no database " * 1000)
    other.replace(store)


def emptied(store: Path) -> None:
    os.truncate(store, 0)


def cut_short(store: Path) -> None:
    os.truncate(store, 5000)


def removed(store: Path) -> None:
    store.unlink()


DESTRUCTIONS: list[Callable[[Path], None]] = [replaced, emptied, cut_short, removed]


def test_alive(service: Service) -> None:
    response = service.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_by_part(service: Service) -> None:
    response = service.get("/readyz")
    assert response.status_code == 200
    state = response.json()
    assert state["ready"] is True
    parts = {part["name"]: part for part in state["parts"]}
    assert parts.keys() == {"schema", "keys", "store", "registers"}
    assert all(part["ready"] for part in parts.values())
    assert service.node.signer.kid in parts["keys"]["detail"]


def test_a_register_that_is_stale_is_named_and_takes_nothing_down(service: Service) -> None:
    parts = {part["name"]: part for part in service.get("/readyz").json()["parts"]}
    assert "sc-nimtt/metrology-type-evaluation" in parts["registers"]["detail"]
    assert parts["registers"]["ready"] is True


class Gone:
    """A signing key on a token that was taken out."""

    remote = True

    def __init__(self, keys: SigningKeys) -> None:
        self.public, self.alg, self.kid = keys.signer.public, keys.signer.alg, keys.signer.kid
        self.signer, self.ring = self, keys.ring

    def sign(self, message: bytes) -> bytes:
        raise CustodyError("key.token_missing", "module.so, token 'accord': there is no such token; put it in place")


def test_a_signing_key_that_is_lost_under_a_running_node(copied: Settings, opened: Callable[..., Service]) -> None:
    """No receipt, no answer: 503, whatever would have been decided."""
    service = opened(copied)
    keys = service.node.keys
    object.__setattr__(service.node, "keys", Gone(keys))
    with capture_logs() as logged:
        for response in (service.recognize(RECOGNIZED), service.get("/v1/recognitions", link(RECOGNIZED))):
            assert_problem(response, 503, "keys.unavailable")
            assert int(response.headers["retry-after"]) > 0
            assert "receipt" not in response.json()
        readiness = service.get("/readyz")
        assert service.get("/healthz").status_code == 200
        assert service.get("/.well-known/jwks.json").status_code == 200
    assert readiness.status_code == 503
    parts = {part["name"]: part for part in readiness.json()["parts"]}
    assert parts["keys"] == {"name": "keys", "ready": False, "detail": "key.token_missing"}
    assert parts["store"]["ready"] is True
    told = [entry for entry in logged if entry["event"] == "keys"]
    assert len(told) == 3
    assert all("put it in place" in entry["detail"] for entry in told)
    object.__setattr__(service.node, "keys", keys)
    assert service.recognize(RECOGNIZED).status_code == 200
    assert service.get("/readyz").status_code == 200


@pytest.mark.parametrize("used", [False, True], ids=["first request", "used before"])
@pytest.mark.parametrize("destroy", DESTRUCTIONS, ids=lambda destroy: destroy.__name__)
def test_a_store_that_is_lost_under_a_running_node(
    copied: Settings, opened: Callable[..., Service], destroy: Callable[[Path], None], used: bool
) -> None:
    service = opened(copied)
    if used:
        assert service.recognize(RECOGNIZED).json()["decision"] == "recognized"
        assert service.get("/readyz").status_code == 200
    destroy(copied.store_path)
    clock.wait(2 * LOOK.total_seconds())
    with capture_logs() as logged:
        readiness = service.get("/readyz")
        assert_problem(service.recognize(RECOGNIZED), 503, "store.unavailable")
        assert_problem(service.get("/v1/recognitions", link(RECOGNIZED)), 503, "store.unavailable")
        for address in ASKING_THE_STORE:
            response = service.get(address)
            assert_problem(response, 503, "store.unavailable")
            assert int(response.headers["retry-after"]) > 0
        for address in NOT_ASKING_THE_STORE:
            assert service.get(address).status_code == 200, address
    assert readiness.status_code == 503
    parts = {part["name"]: part["ready"] for part in readiness.json()["parts"]}
    assert readiness.json()["ready"] is False
    assert parts["store"] is False
    assert parts["keys"] is True
    assert {entry["kind"] for entry in logged if entry["event"] == "failure"} == {"StoreError"}
    assert str(copied.store_path) not in repr(logged)


def test_a_store_that_is_overwritten_in_place(copied: Settings, opened: Callable[..., Service]) -> None:
    """The node is told to be unfit. Until it is taken away it answers what it still has in memory, or not at all."""
    service = opened(copied)
    true = stable(service.recognize(AS_KNOWN).json())
    size = copied.store_path.stat().st_size
    with copied.store_path.open("r+b") as file:
        file.write(b"garbage!" * (size // 8))
    readiness = service.get("/readyz")
    assert readiness.status_code == 503
    assert [part["name"] for part in readiness.json()["parts"] if not part["ready"]] == ["store"]
    for address in ASKING_THE_STORE:
        assert service.get(address).status_code in (200, 404, 503), address
    response = service.recognize(AS_KNOWN)
    assert response.status_code == 503 or stable(response.json()) == true


def test_a_store_that_was_replaced_by_another_is_not_answered_from(
    home: Path, copied: Settings, opened: Callable[..., Service]
) -> None:
    """A backup put back in place: the node must not go on answering from the file that is no longer there."""
    service = opened(copied)
    other = copied.store_path.with_name("restored")
    other.write_bytes((home / "accord.db").read_bytes())
    with sqlite3.connect(other) as connection:
        connection.execute("DELETE FROM credential_version")
    connection.close()
    other.replace(copied.store_path)
    response = service.recognize(RECOGNIZED)
    assert response.status_code == 503 or response.json()["decision"] == "not_found"


def test_a_damaged_entry_takes_only_itself_down(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    named = service.recognize(RECOGNIZED).json()["credential"]["id"]
    with sqlite3.connect(copied.store_path) as connection:
        connection.execute(
            "UPDATE credential_version SET content = '{}' WHERE credential_no ="
            " (SELECT no FROM credential WHERE credential_id = ?)",
            (named,),
        )
    connection.close()
    clock.wait(2 * LOOK.total_seconds())
    for response in (
        service.recognize(RECOGNIZED),
        service.recognize(RECOGNIZED | {"credential": {"id": named}}),
        service.get(f"/v1/credentials/{named}"),
        service.get("/v1/credentials", {"number": RECOGNIZED["credential"]["number"]}),
    ):
        assert_problem(response, 503, "store.unavailable")
    assert service.get("/v1/credentials", {"number": "JY15001039900010"}).status_code == 200
    assert service.get("/readyz").status_code == 200


def test_a_store_that_is_being_written_is_still_read(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    writing = sqlite3.connect(copied.store_path, isolation_level=None)
    try:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM credential_version")
        assert service.recognize(RECOGNIZED).json()["decision"] == "recognized"
        assert service.get("/readyz").status_code == 200
        writing.execute("ROLLBACK")
    finally:
        writing.close()
    assert service.recognize(RECOGNIZED).json()["decision"] == "recognized"


def next_version(name: str) -> PolicyDocument:
    """An agreement of the seed, unchanged but for its version."""
    text = resources.files("registry").joinpath("agreements", f"{name}.toml").read_text(encoding="utf-8")
    raised = re.sub(r"^version = (\d+)$", lambda found: f"version = {int(found[1]) + 1}", text, count=1, flags=re.M)
    assert raised != text
    return parse_document("agreement", f"agreements/{name}.toml", raised.encode())


def test_policy_that_is_entered_meanwhile_is_seen(copied: Settings, opened: Callable[..., Service]) -> None:
    """A new version of a policy file, entered by another process: the next answer rests on it."""
    service = opened(copied)
    before = service.get("/v1/about").json()["policy_generation"]
    writer = SqliteWriter(copied.store_path)
    assert writer.enter_policies([next_version("statute-inspection-body")]) == 1
    writer.close()
    answer = service.recognize(RECOGNIZED).json()
    assert answer["agreement"]["version"] == next_version("statute-inspection-body").version
    assert service.get("/v1/about").json()["policy_generation"] == before + 1
    listed = {entry["id"]: entry for entry in service.get("/v1/agreements").json()["data"]}
    assert listed["statute/inspection-body"]["version"] == answer["agreement"]["version"]
