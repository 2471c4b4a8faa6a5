"""`accord keys`: make, change, retire and list the keys that sign receipts."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, language

if TYPE_CHECKING:
    from app.settings import Settings
    from keys.custody import Signer
    from keys.custody.key_directory import KeyEntry

keys = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON")]
Lang = Annotated[str | None, typer.Option(help="zh-CN, en", envvar="ACCORD_LANG")]
Kid = Annotated[str, typer.Argument(help="密钥标识 / key id")]

GENERATE = (
    "生成密钥并公布其公钥；尚无启用密钥时即启用。 / Make a key and publish its public half; it signs if none does yet."
)
ROTATE = (
    "更换：生成新密钥并即由它签名；原密钥的公钥仍然公布，其签发的凭证照常可核验。运行中的服务重启后改用新密钥。"
    " / Make a new key and have it sign from now on. The former stays published, and what it signed still verifies."
    " A running service changes over when it is started again."
)
RETIRE = (
    "停用：私钥文件改名为 *.retired（仍为加密状态，不删除），此后不再用它签名，也不能再启用；"
    "公钥留在 JWKS 中，其签发的凭证照常可核验。正在签名的密钥不能停用，请先更换。"
    " / Put a key out of use: its private file is renamed to *.retired (still encrypted, not deleted) and never signs"
    " or is activated again; its public half stays in the JWKS, so what it signed still verifies. The key that signs"
    " cannot be retired: rotate first."
)
LIST = (
    "列出已公布的密钥：标识、算法、模式、状态、私钥所在。"
    " / List published keys: id, algorithm, mode, state, and where the private half is."
)
ACTIVATE = (
    "改用某个已有密钥签名；运行中的服务重启后生效。"
    " / Sign with this key from now on; a running service changes over when it is started again."
)


@keys.command("generate", help=GENERATE)
def generate(
    alg: Annotated[str, typer.Option(help="签名算法 / algorithm: ES256, Ed25519, SM2")] = "ES256",
    activate: Annotated[bool, typer.Option(help="立即改用此密钥签名 / sign with it from now on")] = False,
    json: Json = False,
) -> None:
    """Makes a key for the store's mode, and the log's key where there is none."""
    from app.settings import Settings

    settings = Settings()
    _check_algorithm(alg)
    with failing_clearly():
        signer, mode = _make(settings, alg, activate=activate)
    if json:
        _print_json({"kid": signer.kid, "alg": signer.alg, "mode": mode})
    else:
        typer.echo(signer.kid)


@keys.command("rotate", help=ROTATE)
def rotate(
    alg: Annotated[
        str | None, typer.Option(help="签名算法，默认与原密钥相同 / algorithm; default: that of the former key")
    ] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Replaces the key that signs."""
    from app.messages import messages
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    settings, catalogue = Settings(), messages(language(lang))
    if alg is not None:
        _check_algorithm(alg)
    with failing_clearly():
        former = key_directory.find_active(settings.keys_path, check(settings.store_path).mode)
        signer, mode = _make(settings, alg or former.alg, activate=True)
    if json:
        _print_json({"kid": signer.kid, "alg": signer.alg, "mode": mode, "former": former.kid})
    else:
        typer.echo(catalogue.word("key.rotated", kid=signer.kid, alg=signer.alg, former=former.kid))


@keys.command("retire", help=RETIRE)
def retire(kid: Kid, json: Json = False, lang: Lang = None) -> None:
    """Puts a key out of use; its public half stays published."""
    from app.messages import messages
    from app.settings import Settings
    from keys.custody import key_directory

    catalogue = messages(language(lang))
    with failing_clearly():
        entry = key_directory.retire(Settings().keys_path, kid)
    if json:
        _print_json(_shown(entry))
    else:
        typer.echo(catalogue.word("key.retired", kid=entry.kid, file=str(entry.file)))


@keys.command(
    "list",
    help="列出已公布的密钥、是否启用、私钥所在 / List published keys, which signs, and where the private halves are",
)
def list_keys(json: Json = False, lang: Lang = None) -> None:
    """Lists published keys, newest last."""
    from app.messages import messages
    from app.settings import Settings
    from keys.custody import key_directory

    catalogue = messages(language(lang))
    with failing_clearly():
        entries = key_directory.list_keys(Settings().keys_path)
    if json:
        _print_json([_shown(entry) for entry in entries])
        return
    for entry in entries:
        state = catalogue.word(f"key.state.{_state(entry)}")
        where = entry.file or catalogue.word("key.elsewhere")
        typer.echo(f"{'*' if entry.active else ' '} {entry.kid} {entry.alg} {entry.label or '-'} {state} {where}")


@keys.command("activate", help=ACTIVATE)
def activate(kid: Kid) -> None:
    """Makes a published key of the store's mode the one that signs."""
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    settings = Settings()
    with failing_clearly():
        key_directory.make_active(settings.keys_path, check(settings.store_path).mode, kid)
    typer.echo(kid)


def _make(settings: "Settings", alg: str, *, activate: bool) -> "tuple[Signer, str]":
    from app.bootstrap import key_passphrase, make_log_key
    from app.store.schema import check
    from keys.custody import key_directory

    mode = check(settings.store_path).mode
    signer = key_directory.create(settings.keys_path, mode, key_passphrase(settings), activate=activate, alg=alg)
    make_log_key(settings, mode)
    return signer, mode


def _check_algorithm(alg: str) -> None:
    from keys.algorithms import ALGORITHMS

    if alg not in ALGORITHMS:
        fail(f"--alg {alg!r}: {', '.join(ALGORITHMS)}", USAGE)


def _state(entry: "KeyEntry") -> str:
    if entry.active:
        return "active"
    if entry.retired:
        return "retired"
    return "ready" if entry.file else "absent"


def _shown(entry: "KeyEntry") -> dict[str, object]:
    return {
        "kid": entry.kid,
        "alg": entry.alg,
        "mode": entry.label,
        "active": entry.active,
        "state": _state(entry),
        "private": None if entry.file is None else str(entry.file),
    }


def _print_json(content: object) -> None:
    import orjson

    typer.echo(orjson.dumps(content).decode())
