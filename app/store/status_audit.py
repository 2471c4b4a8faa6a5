"""Holds the places and turns of status lists against the credentials and versions that they come from."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from registry.status_index import CAPACITY, index_of, list_id
from registry.status_timeline import read_turns, turns_of

_LISTS = """
SELECT l.no, l.list_id, l.type_no, l.issuer_no, l.ordinal, l.given, t.type_id, i.issuer_id FROM status_list l
LEFT JOIN credential_type t ON t.no = l.type_no LEFT JOIN issuer i ON i.no = l.issuer_no"""
_PLACES = """
SELECT type_no, issuer_no, credential_id, status_list, status_index FROM credential ORDER BY type_no, issuer_no, no"""
_TURNS = """
SELECT c.credential_id, v.content, (
  SELECT t.turns FROM status_turn t WHERE t.list_no = c.status_list AND t.place = c.status_index
  AND t.known_from <= v.known_from ORDER BY t.known_from DESC LIMIT 1)
FROM credential_version v JOIN credential c ON c.no = v.credential_no"""
_OF_NO_VERSION = """
SELECT (SELECT count(*) FROM status_turn) - (
  SELECT count(*) FROM credential c JOIN credential_version v ON v.credential_no = c.no
  JOIN status_turn t ON t.list_no = c.status_list AND t.place = c.status_index AND t.known_from = v.known_from)"""


def status_difference(connection: sqlite3.Connection) -> str | None:
    """The first place or turn that is not as it must be; None: all are. Reads everything.

    The n-th credential of a type and issuer has the n-th place: whatever was moved, lost or given twice is another.
    """
    try:
        return next(_differences(connection), None)
    except (TypeError, ValueError, OverflowError) as error:
        return f"the status lists cannot be read: {error}"


def _differences(connection: sqlite3.Connection) -> Iterator[str]:
    (secret,) = connection.execute("SELECT secret FROM store_info").fetchone()
    lists: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for no, named, type_no, issuer_no, ordinal, given, type_id, issuer in connection.execute(_LISTS):
        if type_id is None or issuer is None or list_id(secret, type_id, issuer, ordinal) != named:
            yield f"status list {named} is none of a type and issuer"
        lists[type_no, issuer_no, ordinal] = no, named, given
    counted = dict.fromkeys(lists, 0)
    for owner, rows in groupby(connection.execute(_PLACES), key=itemgetter(0, 1)):
        for nth, (*_, credential, listed, index) in enumerate(rows):
            if listed is None or index is None:
                yield f"{credential} has no status index"
            ordinal, place = divmod(nth, CAPACITY)
            held = lists.get((*owner, ordinal))
            if held is None or (listed, index) != (held[0], index_of(secret, held[1], place)):
                yield f"{credential} has not the status index that it was given"
            counted[*owner, ordinal] = place + 1
    for key, (_, named, given) in lists.items():
        if counted[key] != given:
            yield f"status list {named} gave out {given} places, and {counted[key]} credentials have one"
    yield from _turns(connection)


def _turns(connection: sqlite3.Connection) -> Iterator[str]:
    for credential, content, held in connection.execute(_TURNS):
        if (() if held is None else read_turns(held)) != turns_of(content):
            yield f"the status list of {credential} turns otherwise than the register says"
    (odd,) = connection.execute(_OF_NO_VERSION).fetchone()
    if odd:
        yield f"status lists have {odd} turns that no version brought"
