"""The HTTP application: the lean route, the declared ones, one layer around all."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from app.api import desk_schemas, docs, schemas, signature_schemas
from app.api.lock_declarations import declare_challenges, declare_signatures, declare_verifications
from app.api.locks import CHALLENGES, VERIFICATIONS, ChallengeEndpoint, VerificationEndpoint
from app.api.middleware import REFUSED, Envelope, refuse
from app.api.openapi import (
    add_examples,
    declare_recognitions,
    merge_schemas,
)
from app.api.recognitions import RECOGNITIONS, RecognitionEndpoint
from app.api.routes import build_router
from app.api.signatures import SIGNATURES, SignatureEndpoint
from app.bootstrap import Node

DESCRIPTION = (
    "川渝两地证照、资质互认查询：一张证件在另一地、为某一用途、在某一时点是否算数，为什么，并附可离线核验的签名凭证。\n\n"
    "Does a credential issued in Chongqing or Sichuan count in the other, for a purpose, at a time, and why? "
    "Every answer comes with a signed receipt that anyone can check offline."
)


def _declared_only() -> None:
    # What FastAPI reads a declaration from when requests go past it: a docstring would be shown as its description.
    return None


def build_application(node: Node, *, access_log: bool) -> ASGIApp:
    """The whole service as one ASGI application: the main question directly, everything else through FastAPI."""
    return Envelope(build_api(node), lean_routes(node), access_log)


def lean_routes(node: Node) -> dict[str, ASGIApp]:
    """What is answered without a framework between request and answer (docs/adr/0003), by path."""
    return {
        RECOGNITIONS: RecognitionEndpoint(node),
        CHALLENGES: ChallengeEndpoint(node),
        VERIFICATIONS: VerificationEndpoint(node),
        SIGNATURES: SignatureEndpoint(node),
    }


_BODIES = (
    schemas.ChallengeRequest,
    schemas.LockVerification,
    signature_schemas.DocumentSignature,
    desk_schemas.ObjectionAnswer,
    desk_schemas.ObjectionSubmission,
    desk_schemas.StatementSubmission,
)


def _declarations() -> Iterator[tuple[str, dict[str, Any]]]:
    """What the document says of the lean routes."""
    declared = {
        RECOGNITIONS: declare_recognitions(),
        CHALLENGES: declare_challenges(),
        VERIFICATIONS: declare_verifications(),
        SIGNATURES: declare_signatures(),
    }
    for path, operations in declared.items():
        for operation in operations:
            yield path, operation


def build_api(node: Node) -> FastAPI:
    """The declared routes and the document of all, without the layer around them."""
    api = FastAPI(
        title="Accord 川渝互认",
        version=node.origin.software,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        exception_handlers=dict.fromkeys(REFUSED, refuse),
    )
    router = build_router(node)
    api.state.routes = router.routes
    api.include_router(router)
    docs.add_docs(api)

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            lean = [APIRoute(path, _declared_only, **declared) for path, declared in _declarations()]
            document = get_openapi(
                title=api.title, version=api.version, description=api.description, routes=[*lean, *api.routes]
            )
            merge_schemas(document, schemas.Query, schemas.ProblemDocument, schemas.ReceiptSubmission, *_BODIES)
            add_examples(document, RECOGNITIONS)
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
    return api
