"""Who calls: `Authorization: Bearer` with an API key."""

from starlette.types import Scope

from app import clock
from app.api.middleware import header
from app.api.problems import problem
from app.bootstrap import Node
from app.ports import Principal

_LONGEST = 200  # bytes of a header that can hold a key


def caller(node: Node, scope: Scope) -> Principal:
    """The principal behind a request. Raises `Problem` 401."""
    given = header(scope, b"authorization")
    if given is None:
        raise problem("auth.missing")
    scheme, _, secret = given.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not secret or len(given) > _LONGEST:
        raise problem("auth.missing")
    found = node.api_keys.find(secret.strip(), clock.now())
    if found is None:
        raise problem("auth.unknown")
    return found
