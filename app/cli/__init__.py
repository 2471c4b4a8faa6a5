"""The `accord` command. Each command lives in its own module and imports what it needs when it runs."""

import sys

from app.cli.application import application


def main() -> None:
    """Runs the command line; Chinese output must not fail on a terminal with another encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    application()
