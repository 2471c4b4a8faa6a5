"""What the OpenAPI document says of CA locks and of signed documents."""

import tomllib
from importlib import resources
from typing import Any

from pydantic import BaseModel

from app.api import schemas, signature_schemas
from app.api.declarations import parameter, problems
from app.api.signatures import CMS_TYPES, LINK_PARAMETERS

_JSON = "application/json"
_INSTANT = {"type": "string", "format": "date-time"}


def declare_challenges() -> list[dict[str, Any]]:
    """The declaration of `POST /v1/ca/challenges`."""
    summary = "获取验证请求 / A challenge for a CA lock"
    return [_posted("challenge", summary, schemas.Challenge, "ChallengeRequest")]


def declare_verifications() -> list[dict[str, Any]]:
    """The declaration of `POST /v1/ca/verifications`."""
    summary = "核验 CA 锁 / Verify a CA lock"
    return [_posted("verify_lock", summary, schemas.Answer, "LockVerification")]


def declare_signatures() -> list[dict[str, Any]]:
    """The declaration of `POST /v1/ca/signatures`: JSON, or the CMS message itself with what is asked in the link."""
    declared = _posted(
        "verify_signatures",
        "核验文件签名 / Judge the signatures of a document",
        signature_schemas.SignatureAnswer,
        "DocumentSignature",
    )
    content = declared["openapi_extra"]["requestBody"]["content"]
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in CMS_TYPES}
    about = "仅用于正文即 CMS 的请求 / only where the body is the CMS message itself"
    declared["openapi_extra"]["parameters"] = [
        parameter(name, about, _INSTANT if name in ("valid_at", "known_at", "deadline") else None)
        for name in LINK_PARAMETERS
    ]
    return [declared]


def description(name: str) -> str:
    """What an operation answers, by which members, and what it refuses: in Chinese, then in English."""
    text = resources.files("app.api").joinpath("descriptions.toml").read_text(encoding="utf-8")
    said: dict[str, str] = tomllib.loads(text)[name]
    return f"{said['zh'].strip()}\n\n{said['en'].strip()}"


def _posted(name: str, summary: str, answer: type[BaseModel], body: str) -> dict[str, Any]:
    return {
        "tags": ["locks"],
        "methods": ["POST"],
        "operation_id": name,
        "summary": summary,
        "description": description(name),
        "openapi_extra": {
            "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{body}"}}}}
        },
        "responses": {
            200: {"description": "答复，含否定答复 / An answer, also a negative one", "model": answer},
            **problems(400, 413, 415, 422, 503),
        },
    }
