"""`accord apikeys`: keys to call with, shown once."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, language, one_of
from app.cli.policy_entry import instant, newest_policy

if TYPE_CHECKING:
    from datetime import datetime

    from app.ports import ApiKey
    from app.store.api_keys import SqliteApiKeys

api_keys = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
Lang = Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")]


@api_keys.command("create", help="生成调用密钥，只显示一次 / Make a key to call with; it is shown once")
def create(
    name: Annotated[str, typer.Option(help="用于何处 / what it is for")],
    role: Annotated[str, typer.Option(help="角色 / role: issuer, relying_party, operator, auditor")],
    issuer: Annotated[str | None, typer.Option(help="发证机关标识（issuer 角色）/ issuer id, for that role")] = None,
    expires: Annotated[str | None, typer.Option(help="失效时间 / when it ends")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="权限，可重复；默认为角色的全部 / repeatable; default: all of the role")
    ] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """The key goes to standard output alone; no one can show it again. Exit codes: 0, 2 a mistake, 70 failure."""
    from app import clock
    from app.messages import messages
    from app.ports import SCOPES
    from app.presentation import to_json
    from app.settings import Settings
    from registry.field import forbidden_text

    catalogue, now = messages(language(lang)), clock.now()
    if role not in SCOPES:
        fail(one_of("--role", role, SCOPES), USAGE)
    if not set(scope or ()) <= set(SCOPES[role]):
        fail(f"--scope: {role} 可用 / may have: {', '.join(SCOPES[role]) or '-'}", USAGE)
    if not 1 <= len(name.strip()) <= 100 or forbidden_text(name):
        fail("--name: 1–100 个字符 / 1 to 100 characters", USAGE)
    if (role == "issuer") != (issuer is not None):
        fail("--issuer: 仅用于且须用于 issuer 角色 / goes with the role issuer, which needs it", USAGE)
    end = None if expires is None else instant("--expires", expires)
    if end is not None and end <= now:
        fail("--expires: 应晚于当前时间 / must be in the future", USAGE)
    settings = Settings()
    if issuer is not None and issuer not in newest_policy(settings).authorities:
        fail(f"--issuer {issuer!r}: 没有这一机关 / no such authority; see /v1/authorities", USAGE)
    with failing_clearly():
        store = _opened()
        key_id, secret = store.make(name.strip(), role, issuer, now, end, tuple(scope) if scope else None)
        store.close()
    if json:
        typer.echo(to_json({"id": key_id, "key": secret, "role": role, "issuer": issuer, "expires_at": end}).decode())
        return
    typer.echo(secret)
    typer.echo(catalogue.word("api_key.created", id=key_id), err=True)


@api_keys.command("list", help="列出调用密钥 / List keys to call with")
def list_keys(json: Json = False, lang: Lang = None) -> None:
    """Lists every key with its last use, to the minute; never the key itself."""
    from msgspec.structs import asdict

    from app.presentation import to_json

    language(lang)
    with failing_clearly():
        store = _opened()
        found = store.all()
        store.close()
    if json:
        typer.echo(to_json([asdict(key) for key in found]).decode())
        return
    for key in found:
        typer.echo(_line(key))


@api_keys.command("stop", help="停用调用密钥 / Stop a key")
def stop(
    key_id: Annotated[str, typer.Argument(help="编号，以 key_ 开头 / its id, which begins with key_")],
    lang: Lang = None,
) -> None:
    """Takes effect at once, in every process. Exit codes: 0 stopped, 2 unknown or stopped before, 70 failure."""
    from app import clock
    from app.messages import messages

    catalogue = messages(language(lang))
    with failing_clearly():
        store = _opened()
        stopped = store.stop(key_id, clock.now())
        store.close()
    if not stopped:
        fail(catalogue.word("api_key.not_stopped", id=key_id), USAGE)
    typer.echo(catalogue.word("api_key.stopped", id=key_id))


def _opened() -> "SqliteApiKeys":
    from app.settings import Settings
    from app.store.api_keys import SqliteApiKeys
    from app.store.schema import check

    settings = Settings()
    check(settings.store_path)
    return SqliteApiKeys(settings.store_path)


def _line(key: "ApiKey") -> str:
    from registry.period import format_instant

    def shown(instant: "datetime | None") -> str:
        return "-" if instant is None else format_instant(instant.replace(microsecond=0))

    state = "stopped" if key.stopped_at is not None else "active"
    times = f"{shown(key.created_at)} {shown(key.expires_at)} {shown(key.used_at)}"
    return f"{key.key_id} {state} {key.role} {key.issuer or '-'} {','.join(key.scopes) or '-'} {times} {key.name}"
