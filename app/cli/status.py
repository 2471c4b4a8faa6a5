"""`accord status`: what a saved status list says of a credential, with no network and no database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.outcome import language
from app.cli.signed import read_ring, read_token

if TYPE_CHECKING:
    from app.messages import Messages
    from app.usecases.check_status import StatusVerdict

status = typer.Typer(no_args_is_help=True)

EXIT = {"valid": 0, "invalid": 1, "suspended": 1, None: 3}


@status.callback()
def group() -> None:
    """Status lists, as `GET /v1/status-lists/{id}` serves them."""


@status.command("check", help="按保存的状态列表离线判定 / Decide offline from a saved status list")
def check(
    index: Annotated[int, typer.Option(help="证件在列表中的序号 / the credential's index in the list", min=0)],
    file: Annotated[Path, typer.Argument(help="列表文件，- 为标准输入 / list, - for standard input")] = Path("-"),
    uri: Annotated[str | None, typer.Option(help="列表应有的网址 / the address that the list must have")] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="公钥文件；默认只用本机公钥 / keys; default: this node's own")
    ] = None,
    time: Annotated[
        int | None, typer.Option(help="所问时点（Unix 秒），默认当前 / instant in Unix seconds, default now", min=0)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 valid, 1 invalid or suspended, 2 usage, 3 cannot tell, 70 failure. Keys are never fetched.

    A status is that of the index which the credential itself names; it says neither that there is such a credential
    nor that its validity has not ended.
    """
    from app import clock
    from app.messages import messages
    from app.usecases.check_status import check_status

    catalogue = messages(language(lang))
    at = int(clock.now().timestamp()) if time is None else time
    verdict = check_status(read_token(file), read_ring(jwks), index, at, uri)
    if json:
        _print_json(verdict, index, at)
    else:
        for line in _lines(verdict, index, catalogue):
            typer.echo(line)
    raise typer.Exit(EXIT[verdict.status])


def _lines(verdict: "StatusVerdict", index: int, catalogue: "Messages") -> list[str]:
    if verdict.claims is None or verdict.status is None:
        why = f"{catalogue.refusal(verdict.code or '', verdict.why or '')} [{verdict.code}]"
        return [catalogue.word("status_list.unknown", why=why)]
    said = verdict.claims
    lines = [
        catalogue.word(f"status_list.{verdict.status}"),
        catalogue.word("status_list.means", index=str(index)),
        f"sub {said.sub} · iat {said.iat} · exp {said.exp}",
    ]
    return lines if said.livemode else [*lines, catalogue.word("status_list.test")]


def _print_json(verdict: "StatusVerdict", index: int, at: int) -> None:
    import orjson

    said = verdict.claims
    typer.echo(
        orjson.dumps(
            {
                "status": verdict.status,
                "index": index,
                "at": at,
                "kid": verdict.kid,
                "code": verdict.code,
                "why": verdict.why,
                "uri": None if said is None else said.sub,
                "iat": None if said is None else said.iat,
                "exp": None if said is None else said.exp,
                "livemode": None if said is None else said.livemode,
            },
            option=orjson.OPT_INDENT_2,
        ).decode()
    )
