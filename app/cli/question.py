"""A question that is refused, told by the options and arguments that it was put with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from app.cli.outcome import USAGE, fail

if TYPE_CHECKING:
    from app.messages import Messages
    from registry.errors import QueryRefused

_OPTIONS = {
    "/credential": "--type, --number, --id",
    "/credential/type": "--type",
    "/credential/number": "--number",
    "/credential/issuer": "--issuer",
    "/credential/id": "--id",
    "/expected_subject": "--expected-uscc, --expected-name",
    "/expected_subject/uscc": "--expected-uscc",
    "/expected_subject/name": "--expected-name",
    "/facts": "--fact",
    "/requirement": "--unit, --representative, --same-subject",
    "/requirement/unit": "--unit",
    "/requirement/legal_representative": "--representative",
    "/requirement/same_subject": "--same-subject",
    "/signature_format": "--format",
    **{
        f"/{name}": f"--{name.replace('_', '-')}"
        for name in (
            *("jurisdiction", "purpose", "relying_party", "valid_at", "known_at", "deadline"),
            *("signature", "certificate", "chain"),
        )
    },
}
_FACT = "/facts/"


def option_of(pointer: str, named: Mapping[str, str] | None = None) -> str:
    """The option for a place in a question; `named` goes before what is usual."""
    options = {**_OPTIONS, **(named or {})}
    place = pointer
    while place:
        if place in options:
            fact = f" {pointer.removeprefix(_FACT)}" if pointer.startswith(_FACT) else ""
            return options[place] + fact
        place = place.rpartition("/")[0]
    return pointer


def refuse(error: "QueryRefused", catalogue: "Messages", named: Mapping[str, str] | None = None) -> NoReturn:
    """Says every mistake in one line, each after its option, and exits."""
    told = []
    for fault in error.faults:
        option, text = option_of(fault.pointer, named), catalogue.problem(fault.code, fault.params)
        told.append(f"{option}: {text}" if option else text)
    fail("; ".join(told), USAGE)
