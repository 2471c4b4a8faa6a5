"""The `accord` command. Each command lives in its own module and imports what it needs when it runs."""

import sys

from pydantic import ValidationError

from app.cli.application import application
from app.cli.outcome import OPERATIONAL


def main() -> None:
    """Runs the command line; Chinese output must not fail on a terminal with another encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        application()
    except ValidationError as error:
        # Settings come from the environment; anything else is validated where it is used.
        names = [f"ACCORD_{str(entry['loc'][0]).upper()}: {entry['msg']}" for entry in error.errors()]
        sys.stderr.write(f"accord: 设置 / settings: {'; '.join(names)}\n")
        sys.exit(OPERATIONAL)
