"""Problem documents (RFC 9457): the one table from what went wrong to status, code and text."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from app.messages import Messages
from app.presentation import fault_view
from registry.errors import Fault

MEDIA_TYPE = "application/problem+json"

# Problem codes whose status is not 422.
_STATUS = {
    "request.malformed_json": 400,
    "request.duplicate_key": 400,
    "request.malformed_query": 400,
    "request.too_large": 413,
    "document.too_large": 413,
    "receipt.too_large": 413,
    "request.media_type": 415,
    "document.media_type": 415,
    "request.not_allowed": 400,
    "credential.not_found": 404,
    "log.not_found": 404,
    "list.not_found": 404,
    "list.time_ahead": 404,
    "route.not_found": 404,
    "route.method_not_allowed": 405,
    "statement.not_found": 404,
    "objection.not_found": 404,
    "import.not_found": 404,
    "import.media_type": 415,
    "import.too_many": 429,
    "import.broken_off": 400,
    "objection.answered": 409,
    "objection.too_many": 429,
    "auth.missing": 401,
    "auth.unknown": 401,
    "auth.forbidden": 403,
    "statement.key_foreign": 403,
    "statement.not_competent": 403,
    "statement.issuer_other": 403,
    "statement.replayed": 409,
    "event.out_of_order": 409,
    "credential.exists": 409,
    "credential.number_taken": 409,
    "idempotency.in_flight": 409,
    "credential.changed": 412,
    "precondition.missing": 428,
    "store.unavailable": 503,
    "keys.unavailable": 503,
    "log.key_missing": 503,
    "internal.error": 500,
}


@dataclass(slots=True)
class Problem(Exception):
    """What a request is refused with: one or more faults, of which the first gives status and code."""

    faults: tuple[Fault, ...]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.faults[0].code, 422)


def problem(code: str, pointer: str = "", **params: str) -> Problem:
    """A problem with a single fault."""
    return Problem((Fault(pointer=pointer, code=code, params=params),))


def parameter_of(pointer: str) -> str:
    """The query parameter that a pointer into the question stands for."""
    # RFC 6901 4: in this order, so that "~01" becomes "~1".
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/")]
    if parts[0] == "facts" and len(parts) > 1:
        return f"fact.{parts[1]}"
    if parts[0] == "expected_subject" and len(parts) > 1:
        return f"expected_{parts[1]}"
    return parts[-1]


def problem_body(
    status: int, faults: Iterable[Fault], messages: Messages, request_id: str, *, link: bool = False
) -> bytes:
    """The document. `link` says that the request was a link: faults then name query parameters too."""
    errors = [fault_view(fault, messages) for fault in faults]
    if link:
        for error in errors:
            if error["pointer"]:
                error["parameter"] = parameter_of(error["pointer"])
    first = errors[0]
    return orjson.dumps(
        {
            "type": f"urn:accord:problem:{first['code']}",
            "title": messages.title(status),
            "status": status,
            "detail": first["detail"],
            "instance": f"urn:accord:request:{request_id}",
            "code": first["code"],
            "request_id": request_id,
            "errors": errors,
        }
    )
