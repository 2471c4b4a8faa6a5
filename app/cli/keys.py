"""`accord keys`: make, change, retire, declare compromised and list the keys that sign receipts."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.outcome import KID_FIRST, USAGE, fail, failing_clearly, language, one_of

if TYPE_CHECKING:
    from app.settings import Settings
    from keys.custody.key_directory import KeyEntry

keys = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
Lang = Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")]
Kid = Annotated[str, typer.Argument(help="密钥标识 / key id")]

GENERATE = (
    "生成密钥并公布其公钥；尚无启用密钥时即启用。 / Make a key and publish its public half; it signs if none does yet."
)
ROTATE = (
    "更换：生成新密钥并即由它签名；原密钥的公钥仍然公布，其签发的凭证照常可核验。运行中的服务即时改用新密钥，无需重启。"
    " / Make a new key and have it sign from now on. The former stays published, and what it signed still verifies."
    " A running service changes over by itself."
)
RETIRE = (
    "停用：私钥文件改名为 *.retired（仍为加密状态，不删除），此后不再用它签名，也不能再启用；"
    "公钥留在 JWKS 中，其签发的凭证照常可核验。正在签名的密钥不能停用，请先更换。"
    "私钥在密码设备上时，改名的是指明其位置的文件，私钥仍在设备内，须用设备自带的工具销毁。"
    " / Put a key out of use: its private file is renamed to *.retired (still encrypted, not deleted) and never signs"
    " or is activated again; its public half stays in the JWKS, so what it signed still verifies. The key that signs"
    " cannot be retired: rotate first. Of a key on a token, what is renamed is the file that says where it is: the key"
    " stays on the token until the token's own tool destroys it."
)
COMPROMISED = (
    "宣告密钥已泄露：同时停用；公钥留在 JWKS 中，并标注 revoked。凡以该密钥签名的一律不再采信，不论自称何时签发："
    "仅凭签名，无法区分出自本系统还是窃取者。不能撤回。正在签名的密钥须先更换；运行中的服务即时生效，无需重启。"
    "私钥不在此处的，也可宣告。"
    " / Declare a key compromised: it is retired, and its public half stays in the JWKS with the member revoked."
    " Nothing that it signed counts any more, whatever time it names: by the signature alone nobody can tell this node"
    " from a thief. It cannot be taken back. The key that signs must be rotated first; a running service knows of it"
    " by itself. The private half need not be here."
)
ON_TOKEN = (
    "在 PKCS#11 密码设备内生成，私钥不出设备（ACCORD_PKCS11_MODULE、ACCORD_PKCS11_TOKEN、ACCORD_PKCS11_PIN_FILE）"
    " / on a PKCS#11 token, which it never leaves"
)
LIST = (
    "列出已公布的密钥：标识、算法、模式、状态、私钥所在。"
    " / List published keys: id, algorithm, mode, state, and where the private half is."
)
ACTIVATE = (
    "改用某个已有密钥签名；运行中的服务即时改用，无需重启。"
    " / Sign with this key from now on; a running service changes over by itself."
)


@keys.command("generate", help=GENERATE, short_help="生成密钥并公布公钥 / Make a key and publish its public half")
def generate(
    alg: Annotated[str, typer.Option(help="签名算法 / algorithm: ES256, Ed25519, SM2")] = "ES256",
    activate: Annotated[bool, typer.Option(help="立即改用此密钥签名 / sign with it from now on")] = False,
    pkcs11: Annotated[bool, typer.Option("--pkcs11", help=ON_TOKEN)] = False,
    json: Json = False,
) -> None:
    """Makes a key for the store's mode, and the log's key where there is none."""
    from app.bootstrap import make_key
    from app.settings import Settings
    from app.store.schema import check

    settings = Settings()
    _check_algorithm(alg)
    with failing_clearly():
        mode = check(settings.store_path).mode
        signer = make_key(settings, mode, alg, activate=activate, on_token=pkcs11)
    if json:
        _print_json({"kid": signer.kid, "alg": signer.alg, "mode": mode})
    else:
        typer.echo(signer.kid)


def _check_passphrase(settings: "Settings", mode: str) -> None:
    """Refuses a passphrase that does not open the former key: what runs with that one could not open the new key."""
    from app.bootstrap import load_signer
    from keys.errors import CustodyError

    try:
        load_signer(settings, mode)
    except CustodyError as error:
        # A key that is lost, or on a token that is gone, is replaced like any other.
        if error.code == "key.passphrase_wrong":
            raise


@keys.command("rotate", help=ROTATE, short_help="更换签名密钥 / Have a new key sign from now on")
def rotate(
    alg: Annotated[
        str | None, typer.Option(help="签名算法，默认与原密钥相同 / algorithm; default: that of the former key")
    ] = None,
    pkcs11: Annotated[
        bool | None,
        typer.Option(
            "--pkcs11/--file",
            help="在密码设备内生成，或存入文件；默认与原密钥相同 / on a token or in a file; default: as the former key",
        ),
    ] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Replaces the key that signs."""
    from app.bootstrap import make_key
    from app.messages import messages
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    settings, catalogue = Settings(), messages(language(lang))
    if alg is not None:
        _check_algorithm(alg)
    with failing_clearly():
        mode = check(settings.store_path).mode
        former = key_directory.find_active(settings.keys_path, mode)
        on_token = former.place is not None if pkcs11 is None else pkcs11
        _check_passphrase(settings, mode)
        signer = make_key(settings, mode, alg or former.alg, activate=True, on_token=on_token)
    if json:
        _print_json({"kid": signer.kid, "alg": signer.alg, "mode": mode, "former": former.kid})
    else:
        typer.echo(catalogue.word("key.rotated", kid=signer.kid, alg=signer.alg, former=former.kid))


@keys.command(
    "retire",
    context_settings=KID_FIRST,
    help=RETIRE,
    short_help="停用密钥，公钥仍公布 / Put a key out of use; it stays published",
)
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
        word = "key.retired" if entry.place is None else "key.retired_on_token"
        typer.echo(catalogue.word(word, kid=entry.kid, file=str(entry.file), place=_where(entry) or ""))


@keys.command(
    "compromised",
    context_settings=KID_FIRST,
    help=COMPROMISED,
    short_help="宣告密钥已泄露，不能撤回 / Declare a key compromised, for ever",
)
def compromised(kid: Kid, json: Json = False, lang: Lang = None) -> None:
    """Declares a key compromised; it stays published, and nothing by it counts."""
    from app import clock
    from app.messages import messages
    from app.settings import Settings
    from keys.custody import key_directory

    catalogue = messages(language(lang))
    with failing_clearly():
        entry = key_directory.declare_compromised(Settings().keys_path, kid, int(clock.now().timestamp()))
    if json:
        _print_json(_shown(entry))
    else:
        typer.echo(catalogue.word("key.compromised", kid=entry.kid))


@keys.command("list", help=LIST, short_help="列出已公布的密钥 / List published keys")
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
        if entry.compromised_at is not None:
            state += f" {_compromised_at(entry)}"
        where = _where(entry) or catalogue.word("key.elsewhere")
        typer.echo(f"{'*' if entry.active else ' '} {entry.kid} {entry.alg} {entry.label or '-'} {state} {where}")


@keys.command(
    "activate",
    context_settings=KID_FIRST,
    help=ACTIVATE,
    short_help="改用某个已有密钥签名 / Sign with this key from now on",
)
def activate(kid: Kid, lang: Lang = None) -> None:
    """Makes a published key of the store's mode the one that signs."""
    from app.settings import Settings
    from app.store.schema import check
    from keys.custody import key_directory

    language(lang)
    settings = Settings()
    with failing_clearly():
        key_directory.make_active(settings.keys_path, check(settings.store_path).mode, kid)
    typer.echo(kid)


def _check_algorithm(alg: str) -> None:
    from keys.algorithms import ALGORITHMS

    if alg not in ALGORITHMS:
        fail(one_of("--alg", alg, ALGORITHMS), USAGE)


def _state(entry: "KeyEntry") -> str:
    if entry.compromised_at is not None:
        return "compromised"
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
        "compromised_at": _compromised_at(entry),
        "private": _where(entry),
    }


def _compromised_at(entry: "KeyEntry") -> str | None:
    from registry.period import format_instant, from_micros

    return None if entry.compromised_at is None else format_instant(from_micros(entry.compromised_at * 1_000_000))


def _where(entry: "KeyEntry") -> str | None:
    """Where the private half is: a file, or a place on a token (RFC 7512)."""
    if entry.place is not None:
        return entry.place.uri()
    return None if entry.file is None else str(entry.file)


def _print_json(content: object) -> None:
    import orjson

    typer.echo(orjson.dumps(content).decode())
