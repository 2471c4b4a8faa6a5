"""The HTTP application: the lean route first, the declared ones after it, one layer around all."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import docs, schemas
from app.api.middleware import REFUSED, Envelope, refuse
from app.api.openapi import declare_recognitions, merge_schemas
from app.api.recognitions import RecognitionEndpoint
from app.api.routes import build_router
from app.bootstrap import Node

DESCRIPTION = (
    "川渝两地证照、资质互认查询：一张证件在另一地、为某一用途、在某一时点是否算数，为什么，并附可离线核验的签名凭证。\n\n"
    "Does a credential issued in Chongqing or Sichuan count in the other, for a purpose, at a time, and why? "
    "Every answer comes with a signed receipt that anyone can check offline."
)


class LeanRoute(APIRoute):
    """A declared route whose requests go straight to an ASGI application, past parameters and response models."""

    def __init__(self, path: str, lean: ASGIApp, **declared: Any) -> None:
        super().__init__(path, _declared_only, **declared)
        self.app = lean
        self._serves = {"GET", "HEAD"} if "GET" in declared["methods"] else set(declared["methods"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """An exact comparison: the path has no parameters."""
        if scope["type"] != "http" or scope["path"] != self.path:
            return Match.NONE, {}
        return (Match.FULL if scope["method"] in self._serves else Match.PARTIAL), {"route": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses other methods as any route does."""
        if scope["method"] not in self._serves:
            raise HTTPException(405, headers={"Allow": "GET, HEAD, POST"})
        await self.app(scope, receive, send)


def _declared_only() -> None:
    """What FastAPI reads the declaration from; requests go to the route's ASGI application."""


def build_application(node: Node, *, access_log: bool) -> ASGIApp:
    """The whole service as one ASGI application."""
    return Envelope(build_api(node), access_log)


def build_api(node: Node) -> FastAPI:
    """The routes without the layer around them."""
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
    endpoint = RecognitionEndpoint(node)
    for declared in declare_recognitions():
        api.router.routes.append(LeanRoute("/v1/recognitions", endpoint, **declared))
    api.include_router(build_router(node))
    docs.add_docs(api)

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
            api.openapi_schema = merge_schemas(
                document, schemas.Query, schemas.ProblemDocument, schemas.ReceiptSubmission
            )
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
    return api
