"""`accord migrate`: create or upgrade a store."""

from typing import Annotated

import typer

from app.cli.outcome import failing_clearly


def migrate(
    mode: Annotated[str, typer.Option(help="live 正式 / test 测试；建库时确定，不可更改 / stamped once")],
    json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """Creates the store in a mode, or upgrades it."""
    from app import clock
    from app.settings import Settings
    from app.store import schema

    settings = Settings()
    with failing_clearly():
        state = schema.migrate(settings.store_path, mode, clock.now())
    if json:
        import orjson

        typer.echo(orjson.dumps({"store": str(state.path), "mode": state.mode, "revision": state.revision}).decode())
    else:
        typer.echo(f"{state.path}: {state.mode}, {state.revision}")
