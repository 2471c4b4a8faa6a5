"""An issuing body that signs what it states, rightly or wrongly."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from keys import base64url
from keys.algorithms import ALGORITHMS
from keys.public_key import PublicKey
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument
from registry.period import format_instant
from registry.statement import STATEMENT_TYPE

TYPE = "food-operation-licence"
BASIS = [{"instrument": "食品安全法", "number": None, "article": "126"}]
LICENCE: dict[str, Any] = {
    "number": "JY15001039920019",
    "subject": {"kind": "organisation", "name": "重庆测试新店食品有限公司", "uscc": "91500103TT00000153"},
    "issued_at": "2026-01-10T00:00:00+08:00",
    "valid_from": "2026-01-10T00:00:00+08:00",
    "valid_until": "2031-01-10T00:00:00+08:00",
    "attributes": {
        "business_form": "sales",
        "items": ["预包装食品销售"],
        "premises_area": "500103",
        "premises_address": "重庆市渝中区测试路9号",
    },
}
_names = itertools.count()


@cache
def _pair(mark: str, alg: str) -> tuple[Any, Any]:
    algorithm = ALGORITHMS[alg]
    private = algorithm.generate()
    return algorithm.signing(private), PublicKey.of(algorithm.public(private), alg)


@dataclass(frozen=True)
class Issuing:
    """An issuer with one key; the mark tells its keys apart."""

    issuer: str = "cq-yuzhong-amr"
    mark: str = "own"
    alg: str = "ES256"
    key: Mapping[str, str] = field(default_factory=dict)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        public: PublicKey = _pair(self.issuer + self.mark, self.alg)[1]
        return public

    def document(self, *others: "Issuing", version: int = 1) -> PolicyDocument:
        """The issuer's key set, with further keys of it; `key` gives their periods and `compromised_from`."""
        keys = [{"jwk": entry.public.jwk(), **entry.key} for entry in (self, *others)]
        content = {"id": self.issuer, "version": version, "issuer": self.issuer, "keys": keys}
        named = digest(canonical_json(content))
        return PolicyDocument(
            kind="issuer-key-set", id=self.issuer, version=version, digest=named, source="测试", content=content
        )

    def claims(self, now: datetime, **about: Any) -> dict[str, Any]:
        """The claims of a statement made now: of a registration, unless told otherwise."""
        return {
            "iss": self.issuer,
            "jti": f"test-{next(_names):08d}",
            "iat": int(now.timestamp()),
            "profile": {"type": TYPE, "version": 1},
            **(about or {"credential": LICENCE}),
        }

    def event(self, now: datetime, named: str, event: str, effective_at: datetime, **more: Any) -> dict[str, Any]:
        """The claims of a step."""
        step = {
            "event": event,
            "effective_at": format_instant(effective_at),
            "reason_code": "test",
            "legal_basis": BASIS,
        }
        return self.claims(now, credential_id=named, event=step | more)

    def sign(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        """A compact JWS; members of the header replace the right ones, None takes one away."""
        said = {"alg": self.alg, "kid": self.public.kid, "typ": STATEMENT_TYPE} | header
        kept = {name: value for name, value in said.items() if value is not None}
        payload = claims if isinstance(claims, bytes) else canonical_json(dict(claims))
        parts = base64url.encode(json.dumps(kept).encode()), base64url.encode(payload)
        signature = _pair(self.issuer + self.mark, self.alg)[0](".".join(parts).encode())
        return ".".join((*parts, base64url.encode(signature)))
