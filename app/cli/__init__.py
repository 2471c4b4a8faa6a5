"""The `accord` command. Each command lives in its own module and imports what it needs when it runs."""

import sys

import typer
from pydantic import ValidationError

from app.cli.application import application
from app.cli.mistake import told
from app.cli.outcome import OPERATIONAL, USAGE


def main() -> None:
    """Runs the command line; Chinese output must not fail on a terminal with another encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        ended = application(prog_name="accord", standalone_mode=False)
    except typer.TyperException as error:
        ended = _refused(error)
    except typer.Abort:
        ended = OPERATIONAL
    except ValidationError as error:
        # Settings come from the environment; anything else is validated where it is used.
        names = [f"ACCORD_{str(entry['loc'][0]).upper()}: {entry['msg']}" for entry in error.errors()]
        sys.stderr.write(f"accord: 设置 / settings: {'; '.join(names)}\n")
        sys.exit(OPERATIONAL)
    sys.exit(ended)


def _refused(error: typer.TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message())
    else:
        sys.stderr.write(f"accord: {told(error)}\n")
    return USAGE
