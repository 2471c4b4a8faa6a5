"""What the OpenAPI document says of the main question: parameters, bodies, and an example for every decision."""

from importlib import resources
from typing import Any

import orjson
from pydantic import BaseModel

from app.api import schemas
from app.api.declarations import parameter, problems
from app.api.recognitions import LINK_PARAMETERS

_ABOUT = (
    "200 表示已答复，否定的结论也是答复；问题本身有误才返回 4xx。 / "
    "200 for every answer, also a negative one; 4xx only for a question that cannot be asked."
)
_ABOUT_LINK = {
    "id": "证件标识 / credential id",
    "type": "证件类型 / credential type",
    "number": "证号 / number",
    "issuer": "发证机关标识 / issuer id",
    "jurisdiction": "使用地 / where it is to count: CN-CQ, CN-SC",
    "purpose": "用途 / purpose",
    "valid_at": "法律时点，RFC 3339 带时区，默认当前 / legal instant with offset, default now",
    "known_at": "登记簿所知时点，默认当前 / what the register knew then, default now",
    "relying_party": "提问平台 / the platform that asks",
    "expected_uscc": "应为此代码的主体 / USCC of the expected holder",
    "expected_name": "应为此名称的主体 / name of the expected holder",
}
_JSON = "application/json"
_INSTANT = {"type": "string", "format": "date-time"}


def examples() -> list[dict[str, Any]]:
    """One query for every decision, with the answer it got from the demonstration when the file was written."""
    text = resources.files("app.api").joinpath("examples.json").read_bytes()
    content: list[dict[str, Any]] = orjson.loads(text)
    return content


def _link_parameters() -> list[dict[str, Any]]:
    declared = [
        parameter(name, _ABOUT_LINK[name], _INSTANT if name in ("valid_at", "known_at") else None)
        for name in LINK_PARAMETERS
    ]
    for entry in declared:
        entry["required"] = entry["name"] in ("jurisdiction", "purpose")
    declared.append(
        {
            "name": "facts",
            "in": "query",
            "required": False,
            "description": "个案事实，写作 fact.<名称>=… / facts of the case, written fact.<name>=…",
            "style": "form",
            "explode": True,
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {"^fact\\.[a-z][a-z0-9_]*$": {"type": "string"}},
            },
        }
    )
    return declared


def declare_recognitions() -> list[dict[str, Any]]:
    """The declarations of `POST` and `GET /v1/recognitions`, as arguments of their routes."""
    answers = {"description": "答复，含否定答复 / An answer, also a negative one", "model": schemas.Answer}
    body = {"required": True, "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Query"}}}}
    return [
        {
            "tags": ["recognition"],
            "methods": ["POST"],
            "operation_id": "recognize",
            "summary": "是否互认 / Does it count there?",
            "description": _ABOUT,
            "openapi_extra": {"requestBody": body},
            "responses": {200: answers, **problems(400, 413, 415, 422, 503)},
        },
        {
            "tags": ["recognition"],
            "methods": ["GET"],
            "operation_id": "recognize_by_link",
            "summary": "是否互认（链接）/ The same question by link",
            "description": _ABOUT,
            "openapi_extra": {"parameters": _link_parameters()},
            "responses": {200: answers, 304: {"description": "Not modified"}, **problems(400, 422, 503)},
        },
    ]


def add_examples(document: dict[str, Any], path: str) -> None:
    """Adds a question and its answer for every decision. Done last: FastAPI would strip the nulls from them."""
    shown = examples()
    queries = {
        entry["answer"]["decision"]: {"summary": entry["answer"]["label"], "value": entry["query"]} for entry in shown
    }
    answers = {
        entry["answer"]["decision"]: {"summary": entry["answer"]["label"], "value": entry["answer"]} for entry in shown
    }
    operations = document["paths"][path]
    operations["post"]["requestBody"]["content"][_JSON]["examples"] = queries
    for operation in operations.values():
        operation["responses"]["200"]["content"][_JSON]["examples"] = answers


def merge_schemas(document: dict[str, Any], *models: type[BaseModel]) -> None:
    """Adds the schemas that are only referred to by hand to the document's components."""
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(schema.pop("$defs", {}))
        components[model.__name__] = schema
    # FastAPI adds these for parameters that it validates; ours answer with problem documents instead.
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
