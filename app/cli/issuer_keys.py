"""`accord issuer-keys`: the keys by which issuers sign what they state."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import read_given
from app.cli.outcome import KID_FIRST, USAGE, fail, language
from app.cli.policy_entry import change, instant, newest_policy, period

if TYPE_CHECKING:
    from app.messages import Messages
    from registry.issuer import IssuerKey
    from registry.policy import Policy

issuer_keys = typer.Typer(no_args_is_help=True)

_MAX_FILE = 64 * 1024

Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
Lang = Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")]
Kid = Annotated[str, typer.Argument(help="密钥标识 / key id")]


@issuer_keys.command("import", help="登记发证机关的公钥 / Enter an issuer's public key")
def import_key(
    file: Annotated[Path, typer.Argument(help="公钥文件，JWK / the public key as JWK")],
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    start: Annotated[str | None, typer.Option("--from", help="自何时起签名 / signs from")] = None,
    end: Annotated[str | None, typer.Option("--until", help="到何时止（不含）/ signs until, exclusive")] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Compare the key id with the one that the issuer tells you. Exit codes as for `accord trust-anchors`."""
    from app.messages import messages
    from app.usecases import issuer_keys as usecase
    from keys.public_key import thumbprint

    catalogue, jwk, span = messages(language(lang)), _read(file), period(start, end)

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy.keys.by_kid[thumbprint(jwk)], catalogue, "issuer_key.imported")

    change(lambda policy: usecase.import_key(policy, issuer, jwk, span), show, catalogue, json=json)


@issuer_keys.command("list", help="列出发证机关的公钥 / List issuers' keys")
def list_keys(json: Json = False, lang: Lang = None) -> None:
    """Lists every key, ended and distrusted ones too."""
    from app.presentation import to_json
    from app.settings import Settings
    from app.trust_presentation import issuer_key_view, span
    from registry.period import format_instant

    language(lang)
    found = newest_policy(Settings()).keys.by_kid.values()
    if json:
        typer.echo(to_json([issuer_key_view(key) for key in found]).decode())
        return
    for key in found:
        unsafe = "" if key.compromised_from is None else f" compromised {format_instant(key.compromised_from)}"
        typer.echo(f"{key.public.kid} {key.issuer} {key.public.alg} {span(key.period)}{unsafe}")


@issuer_keys.command(
    "retire", context_settings=KID_FIRST, help="自某时起不再用于签名 / A key signs nothing from then on"
)
def retire(
    kid: Kid,
    at: Annotated[str, typer.Option(help="自何时起 / from when on")],
    json: Json = False,
    lang: Lang = None,
) -> None:
    """What the key signed before stays good. Exit codes: 0 entered or unchanged, 2 a mistake, 70 failure."""
    from app.messages import messages
    from app.usecases.issuer_keys import retire_key

    catalogue, end = messages(language(lang)), instant("--at", at)

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy.keys.by_kid[kid], catalogue, "issuer_key.retired")

    change(lambda policy: retire_key(policy, kid, end), show, catalogue, json=json)


@issuer_keys.command(
    "distrust", context_settings=KID_FIRST, help="密钥泄露：自某时起收到的均不采信 / A key is unsafe from then on"
)
def distrust(
    kid: Kid,
    since: Annotated[str, typer.Option(help="自何时起 / from when on")],
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Also ends what came in by the key since. Exit codes: 0 entered or unchanged, 2 a mistake, 70 failure."""
    from app.messages import messages
    from app.usecases.issuer_keys import distrust_key

    catalogue, start = messages(language(lang)), instant("--since", since)

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy.keys.by_kid[kid], catalogue, "issuer_key.distrusted")

    change(lambda policy: distrust_key(policy, kid, start), show, catalogue, json=json)


def _read(file: Path) -> dict[str, object]:
    from keys.errors import KeysError
    from keys.public_key import PublicKey
    from keys.strict_json import decode_object

    content = read_given("file", file, _MAX_FILE)
    try:
        jwk = decode_object(content)
        PublicKey.from_jwk(jwk)
    except KeysError as error:
        fail(f"file {file}: 应为一个公钥（JWK）/ must be one public key as JWK: {error.detail}", USAGE)
    return jwk


def _shown(key: "IssuerKey", catalogue: "Messages", word: str) -> tuple[str, dict[str, Any]]:
    from app.trust_presentation import issuer_key_view, span
    from registry.period import format_instant

    unsafe = "" if key.compromised_from is None else format_instant(key.compromised_from)
    words = {"kid": key.public.kid, "issuer": key.issuer, "alg": key.public.alg, "span": span(key.period)}
    return catalogue.word(word, **words, since=unsafe), issuer_key_view(key)
