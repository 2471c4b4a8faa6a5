"""Exit codes, and how a command fails: one clear line on standard error."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from app.messages import Language
from app.ports import StoreError
from keys.errors import CustodyError
from registry.errors import PolicyError

EXIT = {
    "recognized": 0,
    "not_recognized": 1,
    "indeterminate": 3,
    "not_found": 3,
    "conditional": 4,
    "not_required": 5,
}
KID_FIRST = {"ignore_unknown_options": True}
"""For commands that take a key id: one in 64 begins with a hyphen, and is no option for that."""
USAGE = 2
OPERATIONAL = 70


def fail(line: str, code: int = OPERATIONAL) -> NoReturn:
    """Says what is wrong, in one line, and exits."""
    typer.echo(f"accord: {' '.join(line.split())}", err=True)
    raise typer.Exit(code)


def one_of(option: str, given: str, choices: Iterable[str]) -> str:
    """What is said of a value that is none of the possible ones."""
    return f"{option} {given!r}: 应为其中之一 / must be one of: {', '.join(choices)}"


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turns what can be wrong with store, policy or keys into one line and exit code 70."""
    try:
        yield
    except StoreError as error:
        fail(f"存储 / store: {error}")
    except PolicyError as error:
        fail(f"策略文件 / policy: {error}")
    except CustodyError as error:
        fail(f"密钥 / keys: {error.detail}")
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}")


def language(text: str | None) -> Language:
    """The language to speak: as told, else Chinese. Any other is a mistake in the command."""
    asked = (text or "zh").lower()
    if asked.startswith("en"):
        return "en"
    if not asked.startswith("zh"):
        fail(one_of("--lang", text or "", ("zh-CN", "en")), USAGE)
    return "zh-CN"
