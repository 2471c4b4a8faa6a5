"""Signatures of documents over HTTP: `POST /v1/ca/signatures`, as JSON or as the CMS message itself."""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import clock
from app.api.body import parse_json, read_octets, read_parameters
from app.api.middleware import header, request_language, send_bytes
from app.api.problems import problem
from app.api.signing import signed_receipt
from app.bootstrap import Node
from app.messages import messages, negotiate
from app.presentation import to_json
from app.signature_presentation import signature_view
from app.usecases.signature_request import SignatureRequest, known_until, read_request
from app.usecases.verify_signature import certificates_of

SIGNATURES = "/v1/ca/signatures"
CMS_TYPES = ("application/cms", "application/pkcs7-mime", "application/pkcs7-signature")
LINK_PARAMETERS = (
    "jurisdiction",
    "purpose",
    "relying_party",
    "valid_at",
    "known_at",
    "deadline",
    "digest",
    "digest_kind",
)
"""What goes with a CMS message that is the body itself."""

_JSON_ONLY = frozenset(
    {
        *("requirement", "unit", "legal_representative", "same_subject"),
        *("expected_subject", "expected_uscc", "expected_name"),
        *("evidence", "fetch", "content", "certificate", "chain", "signature", "signature_format"),
    }
)
_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept-Language, Authorization"),
)
_LARGE = 256 * 1024  # bytes that are read beside the event loop


class SignatureEndpoint:
    """`POST /v1/ca/signatures`."""

    path = SIGNATURES

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with 200 whatever the decision."""
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        scope["route"] = self
        media_type = (header(scope, b"content-type") or b"").split(b";")[0].strip().lower().decode("latin-1")
        if media_type != "application/json" and media_type not in CMS_TYPES:
            raise problem("document.media_type", allowed=", ".join(("application/json", *sorted(CMS_TYPES))))
        parameters = _parameters(scope, media_type)
        body = await read_octets(receive, self._node.document_limit, "document.too_large")
        if len(body) > _LARGE:
            request = await asyncio.to_thread(_read, body, media_type, parameters)
        else:
            request = _read(body, media_type, parameters)
        await send_bytes(send, 200, await self._answer(request, scope), list(_HEADERS))

    async def _answer(self, request: SignatureRequest, scope: Scope) -> bytes:
        node = self._node
        if request.fetch is not None and not request.question.asked_known_at:
            await node.asking.ask(certificates_of(request), node.recognizer.policies.latest, request.fetch)
            request = known_until(request, clock.now())
        answer = await node.signatures.verify(request)
        catalogue = messages(negotiate(request_language(scope)))
        now = clock.now()
        view = signature_view(answer, catalogue, node.origin)
        view["evaluated_at"] = now
        view["receipt"] = await signed_receipt(answer.decision, node, now, answer)
        view["request_id"] = scope["request_id"]
        return to_json(view)


def _parameters(scope: Scope, media_type: str) -> dict[str, str]:
    """What is asked in the link; beside JSON nothing is."""
    if media_type not in CMS_TYPES:
        return read_parameters(scope, (), instead=lambda _name: "beside_json")
    return read_parameters(
        scope, LINK_PARAMETERS, instead=lambda name: "json_only" if name.partition(".")[0] in _JSON_ONLY else None
    )


def _read(body: bytes, media_type: str, parameters: dict[str, str]) -> SignatureRequest:
    given: Any = parse_json(body) if media_type not in CMS_TYPES else _message(body, parameters)
    return read_request(given, clock.now())


def _message(body: bytes, parameters: dict[str, str]) -> dict[str, Any]:
    """The request that a CMS message with parameters is: DER, or one PEM block as `openssl` writes it."""
    signature: str | bytes = body.decode("latin-1") if body.lstrip().startswith(b"-----BEGIN ") else body
    return {**parameters, "signature": signature, "signature_format": "cms"}
