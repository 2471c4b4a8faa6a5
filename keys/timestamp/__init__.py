"""Timestamps (RFC 3161, RFC 5816): asking an authority for one, reading it, and showing what it proves."""

from keys.timestamp.exchange import QUERY_TYPE, REPLY_TYPE, check_answer, read_response, write_request
from keys.timestamp.info import DIGEST_OIDS, TimestampInfo
from keys.timestamp.token import TIME_STAMPING, TimestampToken, parse_token, verify_token

__all__ = [
    "DIGEST_OIDS",
    "QUERY_TYPE",
    "REPLY_TYPE",
    "TIME_STAMPING",
    "TimestampInfo",
    "TimestampToken",
    "check_answer",
    "parse_token",
    "read_response",
    "verify_token",
    "write_request",
]
