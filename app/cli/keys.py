"""`accord keys`: generate and list signing keys."""

from typing import Annotated

import typer

from app.cli.outcome import fail, failing_clearly

keys = typer.Typer(no_args_is_help=True)


@keys.command("generate", help="生成密钥；尚无启用密钥时即启用 / Make a key; it signs if none does yet")
def generate(
    activate: Annotated[bool, typer.Option(help="立即改用此密钥签名 / sign with it from now on")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """Makes a key for the store's mode, and the log's key where there is none."""
    from app.bootstrap import key_passphrase, make_log_key
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    settings = Settings()
    with failing_clearly():
        mode = check(settings.store_path).mode
        signer = key_directory.create(settings.keys_path, mode, key_passphrase(settings), activate=activate)
        make_log_key(settings, mode)
    if json:
        import orjson

        typer.echo(orjson.dumps({"kid": signer.kid, "alg": signer.alg, "mode": mode}).decode())
    else:
        typer.echo(signer.kid)


@keys.command("list", help="列出密钥 / List keys")
def list_keys(json: Annotated[bool, typer.Option("--json", help="JSON")] = False) -> None:
    """Lists published keys, newest last."""
    import orjson

    from app.settings import Settings
    from keys.custody import key_directory
    from keys.errors import KeysError

    with failing_clearly():
        try:
            entries = key_directory.list_keys(Settings().keys_path)
        except KeysError as error:
            fail(f"密钥 / keys: {error.detail}")
    if json:
        listed = [{"kid": e.kid, "alg": e.alg, "mode": e.label, "active": e.active} for e in entries]
        typer.echo(orjson.dumps(listed).decode())
        return
    for entry in entries:
        typer.echo(f"{'*' if entry.active else ' '} {entry.kid} {entry.alg} {entry.label or '-'}")


@keys.command("activate", help="改用某个密钥签名 / Sign with this key from now on")
def activate(kid: Annotated[str, typer.Argument(help="密钥标识 / key id")]) -> None:
    """Makes a published key of the store's mode the one that signs."""
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    settings = Settings()
    with failing_clearly():
        key_directory.make_active(settings.keys_path, check(settings.store_path).mode, kid)
    typer.echo(kid)
