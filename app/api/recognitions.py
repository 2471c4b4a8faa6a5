"""The main question over HTTP, lean: plain ASGI between request and answer, one look-up, one signature."""

import hashlib
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import clock
from app.api.body import parse_json, read_body, read_parameters
from app.api.caching import tag_matches
from app.api.middleware import header, request_language, send_bytes
from app.api.signing import signed_receipt
from app.bootstrap import Node
from app.messages import messages, negotiate
from app.presentation import answer_view, to_json
from registry.query import Question

RECOGNITIONS = "/v1/recognitions"
FACT_PREFIX = "fact."
LINK_PARAMETERS = (
    "id",
    "type",
    "number",
    "issuer",
    "jurisdiction",
    "purpose",
    "valid_at",
    "known_at",
    "relying_party",
    "expected_uscc",
    "expected_name",
)
_REFERENCE = ("id", "type", "number", "issuer")
_EXPECTED = {"expected_uscc": "uscc", "expected_name": "name"}
_JSON = (b"content-type", b"application/json")
_METHODS = ("GET", "HEAD", "POST")
_CACHING = ((b"cache-control", b"no-cache"), (b"vary", b"Accept-Language, Authorization"))


def question_of_link(scope: Scope) -> dict[str, Any]:
    """The question that a link asks. An empty parameter counts as absent."""
    parameters = read_parameters(scope, LINK_PARAMETERS, FACT_PREFIX)
    given = {name: value for name, value in parameters.items() if value}
    question: dict[str, Any] = {
        name: given[name]
        for name in LINK_PARAMETERS
        if name in given and name not in _REFERENCE and name not in _EXPECTED
    }
    expected = {member: given[name] for name, member in _EXPECTED.items() if name in given}
    if expected:
        question["expected_subject"] = expected
    reference = {name: given[name] for name in _REFERENCE if name in given}
    facts = {name.removeprefix(FACT_PREFIX): value for name, value in given.items() if name.startswith(FACT_PREFIX)}
    if reference:
        question["credential"] = reference
    if facts:
        question["facts"] = facts
    return question


async def question_of_body(scope: Scope, receive: Receive) -> Any:
    """The question that a body asks; parameters beside it are refused, not passed over."""
    if scope["query_string"]:
        read_parameters(scope, ())
    return parse_json(await read_body(scope, receive))


def entity_tag(view: dict[str, Any], question: Question, kid: str) -> bytes:
    """A tag over the decision core and the key that signs: a receipt by the former key may be worth nothing now.

    Instants that the asker left to us do not count: they change with every call.
    """
    asked = {"valid_at": question.asked_valid_at, "known_at": question.asked_known_at}
    stable = {name: value for name, value in view.items() if asked.get(name, True)}
    if not question.asked_known_at and "searched" in stable:
        # An age is told as of an instant that was left to us.
        stable["searched"] = [entry | {"age_seconds": None} for entry in stable["searched"]]
    return b'"' + hashlib.sha256(to_json([stable, kid])).hexdigest()[:32].encode() + b'"'


class RecognitionEndpoint:
    """`POST` and `GET /v1/recognitions` as an ASGI application."""

    path = RECOGNITIONS

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with 200 whatever the decision; what cannot be asked is raised."""
        node, method = self._node, scope["method"]
        if method not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        scope["route"] = self
        link = method != "POST"
        content = question_of_link(scope) if link else await question_of_body(scope, receive)
        now = clock.now()
        question, decision = await node.recognizer.recognize(content, now, written=link)
        catalogue = messages(negotiate(request_language(scope)))
        view = answer_view(decision, catalogue, node.origin)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-language", catalogue.language.encode()),
            *_CACHING,
        ]
        if link:
            tag = entity_tag(view, question, node.signer.kid)
            headers.append((b"etag", tag))
            if tag_matches(header(scope, b"if-none-match"), tag):
                await send({"type": "http.response.start", "status": 304, "headers": headers[1:]})
                await send({"type": "http.response.body"})
                return
        view["evaluated_at"] = now
        view["receipt"] = await signed_receipt(decision, node, now)
        view["request_id"] = scope["request_id"]
        await send_bytes(send, 200, to_json(view), headers)
