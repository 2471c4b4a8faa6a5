"""Whether a node lives, is ready, and what it is made of."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from app import clock, telemetry
from app.bootstrap import Node
from app.ports import StoreError
from app.store.schema import HEAD
from keys.errors import CustodyError
from registry.policy import Policy

STANDARDS = (
    "GB 32100-2015",
    "GB 11714-1997",
    "GB/T 2260",
    "GB/T 36904-2018",
    "ISO/IEC 7064:2003",
    "RFC 3339",
    "RFC 6962",
    "RFC 7515",
    "RFC 7517",
    "RFC 7518",
    "RFC 7638",
    "RFC 8785",
    "RFC 9457",
    "draft-ietf-oauth-status-list",
)
NOTICES = (
    "不构成法律意见 / not legal advice",
    "不是经检测认证的密码模块 / not a certified cryptographic module",
)


class _Versioned(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def digest(self) -> str: ...


def about(node: Node) -> dict[str, Any]:
    """Versions of software, policy and standards."""
    policy = node.recognizer.policies.latest
    return {
        "name": "Accord 川渝互认",
        "software": node.origin.software,
        "api": "v1",
        "issuer": node.origin.issuer,
        "livemode": node.origin.livemode,
        "schema_revision": node.state.revision,
        "policy_generation": node.recognizer.policies.generation,
        "policy": _versions(policy),
        "standards": list(STANDARDS),
        "notices": list(NOTICES),
        "log_key": None if node.log_key is None else node.log_key.text(),
    }


def _versions(policy: Policy) -> list[dict[str, Any]]:
    groups: dict[str, Mapping[str, _Versioned]] = {
        "jurisdiction": policy.jurisdictions,
        "profile": policy.profiles,
        "agreement": policy.agreements,
        "catalogue": policy.catalogues,
        "authorisation": policy.authorisations,
    }
    return [
        {"kind": kind, "id": entry.id, "version": entry.version, "digest": entry.digest}
        for kind, entries in groups.items()
        for entry in entries.values()
    ]


async def _stale_registers(node: Node) -> list[str]:
    now = clock.now()
    policy = node.recognizer.policies.latest
    stale = []
    for profile in policy.profiles.values():
        reports = await node.reader.registers(profile.id, now)
        for authority in policy.issuers.get(profile.id, ()):
            as_of = reports.get(authority.id)
            if as_of is None or now - as_of > profile.max_age:
                stale.append(f"{authority.id}/{profile.id}")
    return stale


async def _keys(node: Node) -> dict[str, Any]:
    """Whether the signing key signs: one on a token may be gone. Public, so a code only; the log has the detail."""
    try:
        signer = node.signer
        if signer.remote:
            await asyncio.to_thread(signer.sign, b"accord: ready?")
    except CustodyError as error:
        telemetry.notice("keys", code=error.code, detail=error.detail)
        return {"name": "keys", "ready": False, "detail": error.code}
    return {"name": "keys", "ready": True, "detail": f"signing with {signer.kid}"}


async def readiness(node: Node) -> dict[str, Any]:
    """Ready by part: store, schema, keys, registers. Stale registers are named; they make answers indeterminate."""
    parts = [
        {"name": "schema", "ready": node.state.revision == HEAD, "detail": f"revision {node.state.revision}"},
        await _keys(node),
    ]
    try:
        node.reader.probe()
        await node.recognizer.refresh()
        stale = await _stale_registers(node)
        parts.append({"name": "store", "ready": True, "detail": f"{node.state.mode} mode"})
        detail = f"stale: {', '.join(stale)}" if stale else "all up to date"
        parts.append({"name": "registers", "ready": True, "detail": detail})
    except StoreError as error:
        parts.append({"name": "store", "ready": False, "detail": type(error).__name__})
    return {"ready": all(part["ready"] for part in parts), "parts": parts}
