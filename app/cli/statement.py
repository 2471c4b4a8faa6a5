"""`accord statement`: an issuer's own tool, which needs no store: make a key, sign what is stated."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from keys.custody import Signer

statement = typer.Typer(no_args_is_help=True)

_LABEL = "issuer"
_MAX_FILE = 256 * 1024

Folder = Annotated[Path, typer.Option("--keys", help="发证机关自己的密钥目录 / the issuer's own key folder")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="口令文件；默认为密钥目录中的 passphrase / default: `passphrase` in the key folder")
]


@statement.command("key", help="生成发证机关的签名密钥，输出公钥 JWK / Make an issuer's key, print its public half")
def make_key(
    folder: Folder,
    alg: Annotated[str, typer.Option(help="ES256, Ed25519, SM2")] = "ES256",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give the printed JWK to the operator, who enters it: accord issuer-keys import. The private half stays here."""
    import orjson

    from keys.custody import key_directory
    from registry.issuer import ALGORITHMS

    if alg not in ALGORITHMS:
        fail(f"--alg {alg!r}: {', '.join(sorted(ALGORITHMS))}", USAGE)
    with failing_clearly():
        signer = key_directory.create(folder, _LABEL, _passphrase(folder, passphrase_file), activate=True, alg=alg)
    typer.echo(orjson.dumps(signer.public.jwk()).decode())


@statement.command("sign", help="对登记或事件签名，输出紧凑 JWS / Sign a registration or an event, print the JWS")
def sign(
    file: Annotated[Path, typer.Argument(help="内容，JSON / the credential's or the event's claims, JSON")],
    folder: Folder,
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    type: Annotated[str, typer.Option(help="证件类型 / credential type")],
    profile_version: Annotated[int, typer.Option(help="证件类型的版本 / version of the type's profile")] = 1,
    credential_id: Annotated[
        str | None, typer.Option(help="事件所针对的证件 cred_…；登记时不填 / for an event: the credential it is about")
    ] = None,
    register: Annotated[
        bool, typer.Option(help='内容为 {"as_of": …}：登记簿完整至何时 / how far it is complete')
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """The claims `iss`, `jti`, `iat` and `profile` are filled in. Exit codes: 0 signed, 2 a mistake, 70 failure."""
    from app import clock
    from keys.custody import key_directory
    from keys.jws import sign_compact
    from registry.canonical import canonical_json
    from registry.errors import CanonicalError
    from registry.statement import STATEMENT_TYPE

    content = _read(file)
    if register and credential_id is not None:
        fail("--register, --credential-id: 只用其一 / one of them", USAGE)
    about: dict[str, Any] = {"register" if register else "credential": content}
    if credential_id is not None:
        about = {"credential_id": credential_id, "event": content}
    claims = {
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "iat": int(clock.now().timestamp()),
        "profile": {"type": type, "version": profile_version},
        **about,
    }
    with failing_clearly():
        signer: Signer = key_directory.load_active(folder, _LABEL, _passphrase(folder, passphrase_file))
    try:
        typer.echo(sign_compact(canonical_json(claims), signer, STATEMENT_TYPE))
    except CanonicalError as error:
        fail(f"{file}: {error}", USAGE)


def _passphrase(folder: Path, file: Path | None) -> bytes:
    from app.settings import Settings
    from keys.custody import passphrase

    settings = Settings()
    secret = settings.key_passphrase.get_secret_value() if settings.key_passphrase is not None else None
    beside = folder / "passphrase"
    if file is None and secret is None and beside.exists():
        file = beside
    return passphrase.from_sources(file, secret)


def _read(file: Path) -> dict[str, object]:
    from keys.errors import KeysError
    from keys.strict_json import decode_object

    with failing_clearly():
        if not file.is_file():
            fail(f"{file}: 没有这个文件 / no such file", USAGE)
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE + 1)
    try:
        return decode_object(content)
    except KeysError as error:
        fail(f"{file}: {error.detail}", USAGE)
