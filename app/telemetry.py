"""Logs: one JSON line an event, on standard error. Nothing that identifies a person: no numbers, names or queries."""

import sys
from collections.abc import Mapping
from typing import Any

import structlog

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ],
    logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    cache_logger_on_first_use=True,
)
_log = structlog.get_logger()


def access(scope: Mapping[str, Any], status: int, seconds: float) -> None:
    """A request that was answered: its route as declared, never the address with its values."""
    route = scope.get("route")
    _log.info(
        "request",
        method=scope["method"],
        route=getattr(route, "path", None),
        status=status,
        milliseconds=round(seconds * 1000, 2),
        request_id=scope["request_id"],
    )


def failure(request_id: str, error: BaseException) -> None:
    """Something failed that should not have: the kinds of error and where, without the values in it."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    _log.error("failure", kind=type(error).__name__, where=places[-6:], request_id=request_id)


def notice(event: str, **values: str | int | bool) -> None:
    """Something an operator should know of, such as a start."""
    _log.info(event, **values)
