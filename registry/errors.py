"""What can be wrong with a question, a policy file or a credential document."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keys.errors import KeysError


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Why something technical does not hold: the code of an error, and an English detail for who has to mend it.

    `code` is empty where the sentence around it says all that the code would.
    """

    text: str
    code: str = ""

    def __str__(self) -> str:
        return self.text


def detail_of(error: KeysError) -> Detail:
    """What a refusal by `keys` says."""
    return Detail(code=error.code, text=error.detail)


class RegistryError(Exception):
    """The question or the policy is wrong; the edge turns it into a problem document or a refusal to start."""


class CanonicalError(RegistryError):
    """A value has no canonical form here: a float, a lone surrogate, an integer beyond 2^53 or a non-string key."""


class PolicyError(RegistryError):
    """A policy document is refused.

    `source` is the file, `key` the path inside it, `problem` says what is wrong and what is allowed.
    """

    def __init__(self, source: str, key: str, problem: str) -> None:
        self.source, self.key, self.problem = source, key, problem
        super().__init__(f"{source}: {key}: {problem}" if key else f"{source}: {problem}")


class DocumentError(RegistryError):
    """A credential document does not fit its profile; `key` names the member, `problem` how to mend it."""

    def __init__(self, key: str, problem: str) -> None:
        self.key, self.problem = key, problem
        super().__init__(f"{key}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a query: where (JSON pointer), a stable problem code, and what its message needs."""

    pointer: str
    code: str
    params: Mapping[str, str | Detail] = field(default_factory=dict)


class QueryRefused(RegistryError):
    """The question cannot be asked like this. Carries every fault that was found, never none."""

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("a refusal needs a fault")
        self.faults = faults
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.code}" for fault in faults))


class StatementRefused(QueryRefused):
    """A statement is not taken in. Pointers go on from `/statement` into its claims."""
