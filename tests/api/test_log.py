"""The log over HTTP: whoever has only what is served can recompute it, and prove what a receipt was read from."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from app.bootstrap import LOG_KEYS
from app.settings import Settings
from app.usecases.audit_log import open_checkpoint, verify_served
from keys.note import NoteKey
from registry.log.checkpoint import Checkpoint, TreeHead
from registry.log.merkle import leaf_hash, root, verify_consistency, verify_inclusion
from registry.log.tiles import node_reader, read_bundle
from tests.api.registrations import append_document, revocation_of
from tests.api.service import RECOGNIZED, Service, assert_problem

BASE = "/v1/log"


def octets(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def read(service: Service, name: str) -> bytes:
    response = service.get(f"{BASE}/{name}")
    if response.status_code == 404:
        raise FileNotFoundError(name)
    assert response.status_code == 200, (name, response.text)
    return response.content


def key_of(service: Service) -> NoteKey:
    return NoteKey.read(service.get("/v1/about").json()["log_key"])


def claims_of(answer: dict[str, Any]) -> dict[str, Any]:
    body = answer["receipt"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def assert_included(proof: dict[str, Any]) -> dict[str, Any]:
    """The entry that a proof is about."""
    entry = octets(proof["entry"])
    assert leaf_hash(entry) == octets(proof["leaf_hash"])
    hashes = [octets(one) for one in proof["proof"]]
    verify_inclusion(leaf_hash(entry), proof["index"], proof["size"], hashes, octets(proof["root"]))
    said: dict[str, Any] = json.loads(entry)
    return said


def test_what_is_served_is_recomputed(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    report = verify_served(lambda name: read(service, name), key_of(service))
    assert report.difference is None
    assert report.size > 1000


@pytest.mark.parametrize("name", ["tile/entries/003", "tile/0/003", "tile/1/000.p/28", "checkpoint"])
def test_a_lie_anywhere_is_named(copied: Settings, opened: Callable[..., Service], name: str) -> None:
    service = opened(copied)
    name = name.replace(".p/28", f".p/{service.node.log.head().size // 256}")

    def lying(asked: str) -> bytes:
        content = read(service, asked)
        return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:] if asked == name else content

    assert verify_served(lying, key_of(service)).difference is not None


def test_checkpoints_that_were_kept_are_held_against_what_is_served(
    copied: Settings, opened: Callable[..., Service]
) -> None:
    service = opened(copied)
    key, node, size = key_of(service), node_reader(service.node.log.tile), service.node.log.head().size

    def told(*heads: TreeHead) -> str | None:
        known = [Checkpoint(key.name, head) for head in heads]
        return verify_served(lambda name: read(service, name), key, known).difference

    assert told(*(TreeHead(some, root(some, node)) for some in (1, 256, 300, 512, size - 1, size))) is None
    assert (
        told(TreeHead(300, root(299, node)))
        == "the log was forked: a checkpoint of 300 entries was signed with another root"
    )
    assert "rolled back" in str(told(TreeHead(size + 1, bytes(32))))


def test_what_is_not_served_is_named(service: Service) -> None:
    report = verify_served(lambda name: read(service, name.replace("entries/001", "entries/901")), key_of(service))
    assert report.difference == "tile/entries/901 is not served"


def test_a_receipt_names_the_log_it_was_read_from(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    answer = service.recognize(RECOGNIZED).json()
    said = claims_of(answer)["log"]
    checkpoint = open_checkpoint(read(service, "checkpoint"), key_of(service))
    assert (checkpoint.head.size, checkpoint.head.root) == (said["size"], octets(said["root"]))
    # The credential's latest event is in it.
    address = {"credential": answer["credential"]["id"], "size": str(said["size"])}
    proof = service.get(f"{BASE}/proofs/inclusion", address).json()
    entry = assert_included(proof)
    assert (proof["root"], entry["credential"]) == (said["root"], answer["credential"]["id"])
    assert entry["digest"] == claims_of(answer)["digests"]["credential"]


def test_after_a_later_event_the_earlier_log_is_still_proven(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    answer = service.recognize(RECOGNIZED).json()
    before = claims_of(answer)["log"]
    assert append_document(copied, revocation_of(RECOGNIZED["credential"]["number"])) == 1
    after = open_checkpoint(read(service, "checkpoint"), key_of(service)).head
    assert after.size == before["size"] + 1
    address = {"first": str(before["size"]), "second": str(after.size)}
    proof = service.get(f"{BASE}/proofs/consistency", address).json()
    assert proof["first_root"] == before["root"]
    hashes = [octets(one) for one in proof["proof"]]
    verify_consistency(proof["first"], proof["second"], octets(proof["first_root"]), after.root, hashes)
    named = {"credential": answer["credential"]["id"]}
    newest = service.get(f"{BASE}/proofs/inclusion", named).json()
    assert (newest["index"], newest["size"]) == (after.size - 1, after.size)
    then = service.get(f"{BASE}/proofs/inclusion", named | {"size": str(before["size"])}).json()
    assert then["root"] == before["root"]
    assert assert_included(then)["digest"] != assert_included(newest)["digest"]


def test_full_tiles_never_change_and_may_be_kept(service: Service) -> None:
    size = service.node.log.head().size
    full, partial = service.get(f"{BASE}/tile/0/000"), service.get(f"{BASE}/tile/0/000.p/200")
    assert full.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert partial.headers["cache-control"] == "no-cache"
    assert len(full.content) == 256 * 32
    assert full.content.startswith(partial.content)
    assert len(read_bundle(service.get(f"{BASE}/tile/entries/{size // 256:03d}.p/{size % 256}").content)) == size % 256


@pytest.mark.parametrize(
    "name",
    [
        "0/999",
        "0/028",
        "0/000.p/0",
        "0/000.p/256",
        "0/0",
        "00/000",
        "-1/000",
        "9/000",
        "x/000",
        "entries/028",
        "0/",
        "0",
    ],
)
def test_a_tile_that_is_not_there_is_404(service: Service, name: str) -> None:
    code = "route.not_found" if name == "0" else "log.not_found"
    assert_problem(service.get(f"{BASE}/tile/{name}"), 404, code)


@pytest.mark.parametrize(
    ("address", "status", "code", "pointer"),
    [
        ("proofs/inclusion", 422, "query.member_missing", "/index"),
        ("proofs/inclusion?index=x", 422, "query.out_of_range", "/index"),
        ("proofs/inclusion?index=-1", 422, "query.out_of_range", "/index"),
        ("proofs/inclusion?index=99999999", 422, "query.out_of_range", "/index"),
        ("proofs/inclusion?index=99999999999999999999", 422, "query.out_of_range", "/index"),
        ("proofs/inclusion?index=1&size=0", 422, "query.out_of_range", "/size"),
        ("proofs/inclusion?index=5&size=5", 422, "query.out_of_range", "/index"),
        ("proofs/inclusion?index=1&size=99999999", 422, "query.out_of_range", "/size"),
        ("proofs/inclusion?credential=cred_nobody", 404, "log.not_found", ""),
        ("proofs/inclusion?index=1&index=2", 422, "query.repeated_parameter", "/index"),
        ("proofs/inclusion?index=1&credential=cred_x", 422, "query.repeated_parameter", "/index"),
        ("proofs/consistency", 422, "query.member_missing", "/first"),
        ("proofs/consistency?first=0", 422, "query.out_of_range", "/first"),
        ("proofs/consistency?first=9&second=8", 422, "query.out_of_range", "/first"),
        ("proofs/consistency?first=1&second=99999999", 422, "query.out_of_range", "/second"),
        ("checkpoint?size=1", 422, "query.unknown_parameter", "/size"),
    ],
)
def test_what_cannot_be_proven(service: Service, address: str, status: int, code: str, pointer: str) -> None:
    document = assert_problem(service.get(f"{BASE}/{address}"), status, code)
    assert document["errors"][0]["pointer"] == pointer


def test_a_node_without_a_log_key_says_so(copied: Settings, opened: Callable[..., Service]) -> None:
    for file in (copied.keys_path / LOG_KEYS).iterdir():
        file.unlink()
    service = opened(copied)
    assert_problem(service.get(f"{BASE}/checkpoint"), 503, "log.key_missing")
    assert service.get("/v1/about").json()["log_key"] is None
    assert service.recognize(RECOGNIZED).json()["decision"] == "recognized"


def test_a_damaged_log_is_told_and_nothing_is_proven_by_it(copied: Settings, opened: Callable[..., Service]) -> None:
    service = opened(copied)
    service.node.log._connection.execute("UPDATE log_tile SET hashes = substr(hashes, 1, 320) WHERE level = 0")
    assert_problem(service.get(f"{BASE}/proofs/inclusion?index=300"), 503, "store.unavailable")
    assert_problem(service.get(f"{BASE}/proofs/consistency?first=300"), 503, "store.unavailable")
    assert_problem(service.get(f"{BASE}/proofs/inclusion?index=3&size=299"), 503, "store.unavailable")
