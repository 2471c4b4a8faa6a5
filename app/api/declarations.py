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
        401: "No key to call with, or not a good one",
        403: "Not allowed",
        404: "Not found",
        409: "Not as things stand",
        412: "It has changed in between",
        413: "Too large",
        415: "Another media type",
        422: "Cannot be asked like this",
        428: "If-Match is missing",
        429: "Too many",
        503: "The store cannot be reached",
    }
    return {status: {"description": descriptions[status], **_PROBLEM} for status in statuses}


def parameter(
    name: str, description: str, schema: dict[str, Any] | None = None, where: str = "query", *, required: bool = False
) -> dict[str, Any]:
    """A documented parameter."""
    return {
        "name": name,
        "in": where,
        "required": required or where == "path",
        "description": description,
        "schema": schema or {"type": "string"},
    }
