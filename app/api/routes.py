"""All routes but the main question, declared for the OpenAPI document and answered as bytes."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import operation, receipts, schemas
from app.api.auth import add_oauth
from app.api.body import parse_json, read_body, read_parameters
from app.api.credentials import INSTANTS, LISTING, STATUSES, page_credentials, show_credential, show_history
from app.api.declarations import parameter, problems
from app.api.imports import add_imports
from app.api.log import add_log
from app.api.middleware import request_language
from app.api.objections import add_objections
from app.api.registration import add_registration
from app.api.status_lists import add_status_lists
from app.bootstrap import Node
from app.messages import Messages, messages, negotiate
from app.presentation import (
    agreement_view,
    authority_view,
    jurisdiction_view,
    profile_view,
    to_json,
)
from app.trust_presentation import accepted_list_view, issuer_keys_view, trust_anchor_view
from registry.policy import Policy

_INSTANTS = [
    parameter("valid_at", "法律时点，默认当前 / legal instant, default now", {"type": "string", "format": "date-time"}),
    parameter(
        "known_at",
        "登记簿所知时点，默认当前 / what the register knew then, default now",
        {"type": "string", "format": "date-time"},
    ),
]
_FILTERS = [
    parameter("type", "证件类型 / credential type"),
    parameter("number", "证号 / number"),
    parameter("subject", "持证主体统一社会信用代码 / USCC of the holder"),
    parameter("name", "持证主体名称（部分匹配）/ part of the holder's name"),
    parameter("issuer", "发证机关标识 / issuer id"),
    parameter("status", "状态 / status", {"type": "string", "enum": list(STATUSES)}),
    *_INSTANTS,
    parameter("cursor", "下一页 / where to go on"),
    parameter("limit", "每页条数 / rows a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
]


def _language(request: Request) -> Messages:
    return messages(negotiate(request_language(request.scope)))


def _json(content: Any, catalogue: Messages | None = None, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-cache"}
    if catalogue is not None:
        headers |= {"Content-Language": catalogue.language, "Vary": "Accept-Language, Authorization"}
    return Response(to_json(content), status, headers, "application/json")


def _add_policy_lists(router: APIRouter, node: Node) -> None:
    """The public policy lists: each the newest version of every entry."""

    def declare(path: str, summary: str, entries: Callable[[Policy, Messages], list[dict[str, Any]]]) -> None:
        async def show(request: Request) -> Response:
            read_parameters(request.scope, ())
            await node.recognizer.refresh()
            catalogue = _language(request)
            return _json({"data": entries(node.recognizer.policies.latest, catalogue)}, catalogue)

        router.add_api_route(
            path,
            show,
            methods=["GET"],
            summary=summary,
            operation_id=path.rpartition("/")[2].replace("-", "_"),
            tags=["policy"],
            responses={200: {"model": schemas.PolicyList}, **problems(400, 422, 503)},
        )

    declare(
        "/v1/jurisdictions",
        "地区与区划 / Jurisdictions",
        lambda policy, text: [jurisdiction_view(entry, text) for entry in policy.jurisdictions.values()],
    )
    declare(
        "/v1/authorities",
        "主管机关 / Competent authorities",
        lambda policy, text: [authority_view(entry, policy, text) for entry in policy.authorities.values()],
    )
    declare(
        "/v1/credential-types",
        "证件类型 / Credential types",
        lambda policy, text: [profile_view(entry, text) for entry in policy.profiles.values()],
    )
    declare(
        "/v1/agreements",
        "互认依据 / Recognition agreements",
        lambda policy, text: [agreement_view(entry, text) for entry in policy.agreements.values()],
    )
    declare(
        "/v1/trust-anchors",
        "信任的电子认证服务机构证书 / Trust anchors",
        lambda policy, text: [trust_anchor_view(entry, text) for entry in policy.trust.anchors.values()],
    )
    declare(
        "/v1/accepted-cas",
        "各地、各平台接受的电子认证服务机构 / Accepted certification authorities",
        lambda policy, text: [accepted_list_view(entry, text) for entry in policy.trust.lists.values()],
    )
    declare(
        "/v1/issuer-keys",
        "发证机关的签名公钥 / The keys by which issuers sign",
        lambda policy, _: [issuer_keys_view(entry) for entry in policy.keys.by_issuer.values()],
    )


def _add_credentials(router: APIRouter, node: Node) -> None:
    @router.get(
        "/v1/credentials",
        tags=["registers"],
        summary="查询证件 / Find credentials",
        openapi_extra={"parameters": _FILTERS},
        responses={200: {"model": schemas.CredentialPage}, **problems(400, 422, 503)},
    )
    async def list_credentials(request: Request) -> Response:
        catalogue = _language(request)
        return _json(await page_credentials(node, read_parameters(request.scope, LISTING), catalogue), catalogue)

    @router.get(
        "/v1/credentials/{id}",
        tags=["registers"],
        summary="证件公开信息 / A credential's public view",
        openapi_extra={"parameters": [parameter("id", "证件标识 / credential id", where="path"), *_INSTANTS]},
        responses={200: {"model": schemas.CredentialRecord}, **problems(400, 404, 422, 503)},
    )
    async def get_credential(request: Request) -> Response:
        catalogue = _language(request)
        parameters = read_parameters(request.scope, INSTANTS)
        view = await show_credential(node, request.path_params["id"], parameters, catalogue)
        response = _json(view, catalogue)
        # The version, as If-Match names it.
        response.headers["ETag"] = f'"{view["digest"]}"'
        return response

    @router.get(
        "/v1/credentials/{id}/history",
        tags=["registers"],
        summary="证件沿革 / Every event of a credential, with its place in the log",
        openapi_extra={"parameters": [parameter("id", "证件标识 / credential id", where="path"), _INSTANTS[1]]},
        responses={200: {"model": schemas.CredentialHistory}, **problems(400, 404, 422, 503)},
    )
    async def get_history(request: Request) -> Response:
        return _json(await show_history(node, request.path_params["id"], read_parameters(request.scope, ("known_at",))))


def _add_proof(router: APIRouter, node: Node) -> None:
    @router.get(
        "/.well-known/jwks.json",
        tags=["proof"],
        summary="凭证公钥 / Receipt keys",
        responses={200: {"model": schemas.Jwks}, **problems(503)},
    )
    async def jwks() -> Response:
        return _json(node.ring.jwks())

    submission = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReceiptSubmission"}}},
        }
    }

    @router.post(
        "/v1/receipts/verifications",
        tags=["proof"],
        summary="核验凭证 / Check a receipt",
        openapi_extra=submission,
        responses={200: {"model": schemas.ReceiptReport}, **problems(400, 413, 415, 422, 503)},
    )
    async def verify_receipt(request: Request) -> Response:
        catalogue = _language(request)
        read_parameters(request.scope, ())
        content = parse_json(await read_body(request.scope, request.receive))
        return _json(await receipts.report(node, content, catalogue), catalogue)


def _add_operation(router: APIRouter, node: Node) -> None:
    @router.get("/healthz", tags=["operation"], summary="存活 / Alive", responses={200: {"model": schemas.Health}})
    async def healthz() -> Response:
        return _json({"status": "ok"})

    @router.get(
        "/readyz",
        tags=["operation"],
        summary="就绪 / Ready, by part",
        responses={200: {"model": schemas.Readiness}, 503: {"model": schemas.Readiness, "description": "Not ready"}},
    )
    async def readyz() -> Response:
        state = await operation.readiness(node)
        return _json(state, status=200 if state["ready"] else 503)

    @router.get("/v1/about", tags=["operation"], summary="版本 / Versions", responses={200: {"model": schemas.About}})
    async def about() -> Response:
        return _json(operation.about(node))


def build_router(node: Node) -> APIRouter:
    """Every route but the main question."""
    router = APIRouter()
    _add_credentials(router, node)
    add_registration(router, node)
    add_imports(router, node)
    add_objections(router, node)
    add_oauth(router, node)
    _add_policy_lists(router, node)
    _add_proof(router, node)
    add_log(router, node)
    add_status_lists(router, node)
    _add_operation(router, node)
    return router
