"""`accord demo`: everything from nothing to a running demonstration."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.outcome import failing_clearly

if TYPE_CHECKING:
    from app.settings import Settings


def demo(
    port: Annotated[int, typer.Option(help="端口 / port", min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="监听地址 / address")] = "127.0.0.1",
    serve: Annotated[bool, typer.Option(help="准备好后启动服务 / serve when set up")] = True,
) -> None:
    """Migrates a test store, makes keys if there are none, loads the demonstration, serves, and prints commands."""
    from app.demonstration.commands import ready_made
    from app.settings import Settings

    settings = Settings()
    with failing_clearly():
        prepare(settings)
    lines = ready_made(f"http://{host}:{port}", settings)

    def announce() -> None:
        for line in lines:
            typer.echo(line)

    if not serve:
        announce()
        return
    from app.cli.serve import run

    run(host, port, ready=announce, address=f"http://{host}:{port}")


def prepare(settings: "Settings") -> None:
    """Store, keys, registers and certification authorities of the demonstration, whatever is not there yet."""
    from app import clock
    from app.bootstrap import make_log_key
    from app.demonstration.loader import EPOCH, load_demonstration
    from app.softlock import install
    from app.store import schema
    from app.store.writer import SqliteWriter

    new = not settings.store_path.exists()
    schema.migrate(settings.store_path, "test", clock.now())
    _make_keys(settings)
    make_log_key(settings, "test")
    load_demonstration(settings, clock.now())
    writer = SqliteWriter(settings.store_path)
    try:
        # Into the past of a new store only: what an older one was asked must be answered as before.
        install.enter(settings, writer, clock.now(), EPOCH if new else None)
    finally:
        writer.close()


def _make_keys(settings: "Settings") -> None:
    """A test key with a random passphrase beside it, unless there are keys or the operator gave a passphrase."""
    from app.bootstrap import key_passphrase
    from keys.custody import key_directory, passphrase

    if (settings.keys_path / "jwks.json").exists():
        return
    given = settings.key_passphrase is not None or settings.key_passphrase_file is not None
    file = settings.keys_path / "passphrase"
    if not given and not file.exists():
        settings.keys_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        passphrase.make(file)
    key_directory.create(settings.keys_path, "test", key_passphrase(settings))
