"""What routes declare for the OpenAPI document: problems and parameters."""

from typing import Any

Declared = dict[int | str, dict[str, Any]]
_PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
}


def problems(*statuses: int) -> Declared:
    """Documented problem responses."""
    descriptions = {
        400: "Cannot be read",
        404: "Not found",
        413: "Too large",
        415: "Not JSON",
        422: "Cannot be asked like this",
        503: "The store cannot be reached",
    }
    return {status: {"description": descriptions[status], **_PROBLEM} for status in statuses}


def parameter(
    name: str, description: str, schema: dict[str, Any] | None = None, where: str = "query"
) -> dict[str, Any]:
    """A documented parameter."""
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": description,
        "schema": schema or {"type": "string"},
    }
