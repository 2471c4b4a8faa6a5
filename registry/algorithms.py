"""What signature algorithms are worth, as a policy document: versioned and known from an instant on, like the law."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from keys import algorithm_policy
from keys.algorithm_policy import AlgorithmPolicy
from keys.errors import KeysError
from registry.canonical import canonical_json, digest
from registry.document import PolicyDocument, Table
from registry.errors import PolicyError

KIND = "algorithm-policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """The rules of one version, and the digest that receipts name it by."""

    rules: AlgorithmPolicy
    digest: str


@cache
def seed_algorithms() -> PolicyDocument:
    """The algorithm policy that comes with the software, as a document. Its text is kept whole."""
    text = algorithm_policy.DEFAULT_PATH.read_text(encoding="utf-8")
    rules = algorithm_policy.read_policy(text.encode(), algorithm_policy.DEFAULT_PATH.name)
    content = {"id": rules.id, "version": rules.version, "toml": text}
    return PolicyDocument(
        kind=KIND,
        id=rules.id,
        version=rules.version,
        digest=digest(canonical_json(content)),
        source=algorithm_policy.DEFAULT_PATH.name,
        content=content,
    )


def read_algorithms(documents: Iterable[PolicyDocument]) -> Algorithms:
    """The one algorithm policy among the documents, else the software's. Raises `PolicyError`."""
    held = list(documents)
    document = held[0] if held else seed_algorithms()
    if len(held) > 1:
        raise PolicyError(held[1].source, "id", f"there is one algorithm policy, and {document.id!r} is it")
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    text = table.text("toml")
    table.done()
    try:
        rules = algorithm_policy.read_policy(text.encode(), document.source)
    except KeysError as error:
        raise PolicyError(document.source, "toml", error.detail) from None
    return Algorithms(rules=rules, digest=document.digest)
