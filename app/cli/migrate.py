"""`accord migrate`: create or upgrade a store."""

from typing import Annotated

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, one_of


def migrate(
    mode: Annotated[str, typer.Option(help="live 正式库，test 测试库；建库后不可更改 / live or test; stamped once")],
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """Creates the store in a mode, or upgrades it."""
    from app import clock
    from app.settings import Settings
    from app.store import schema

    if mode not in schema.MODES:
        fail(one_of("--mode", mode, schema.MODES), USAGE)
    settings = Settings()
    with failing_clearly():
        state = schema.migrate(settings.store_path, mode, clock.now())
    if json:
        import orjson

        typer.echo(orjson.dumps({"store": str(state.path), "mode": state.mode, "revision": state.revision}).decode())
    else:
        typer.echo(f"{state.path}: {state.mode}, {state.revision}")
