"""`accord statement`: an issuer's own tool, which needs no store: make a key, sign what is stated."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import read_given
from app.cli.outcome import USAGE, fail, failing_clearly, one_of

if TYPE_CHECKING:
    from datetime import datetime

    from app.importers import FileFacts
    from keys.custody import Signer

statement = typer.Typer(no_args_is_help=True)

LABEL = "issuer"
_MAX_FILE = 256 * 1024

Folder = Annotated[Path, typer.Option("--keys", help="发证机关自己的密钥目录 / the issuer's own key folder")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="口令文件；默认为密钥目录中的 passphrase / default: `passphrase` in the key folder")
]


@statement.command("key", help="生成发证机关的签名密钥，输出公钥 JWK / Make an issuer's key, print its public half")
def make_key(
    folder: Folder,
    alg: Annotated[str, typer.Option(help="签名算法 / algorithm: ES256, Ed25519, SM2")] = "ES256",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give the printed JWK to the operator, who enters it: accord issuer-keys import. The private half stays here."""
    import orjson

    from keys.custody import key_directory
    from registry.issuer import ALGORITHMS

    if alg not in ALGORITHMS:
        fail(one_of("--alg", alg, sorted(ALGORITHMS)), USAGE)
    with failing_clearly():
        signer = key_directory.create(folder, LABEL, _passphrase(folder, passphrase_file), activate=True, alg=alg)
    typer.echo(orjson.dumps(signer.public.jwk()).decode())


@statement.command("sign", help="对登记或事件签名，输出紧凑 JWS / Sign a registration or an event, print the JWS")
def sign(
    file: Annotated[Path, typer.Argument(help="内容，JSON / the credential's or the event's claims, JSON")],
    folder: Folder,
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    type: Annotated[str, typer.Option(help="证件类型 / credential type")],
    profile_version: Annotated[int, typer.Option(help="证件类型的版本 / version of the type's profile")] = 1,
    credential_id: Annotated[
        str | None, typer.Option(help="事件所针对的证件；登记时不填 / for an event: the credential's id")
    ] = None,
    register: Annotated[
        bool, typer.Option(help="内容只有 as_of：登记簿完整至何时 / only as_of: up to when the register is complete")
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """The claims `iss`, `jti`, `iat` and `profile` are filled in. Exit codes: 0 signed, 2 a mistake, 70 failure."""
    content = _read(file)
    if register and credential_id is not None:
        fail("--register, --credential-id: 只用其一 / one of them", USAGE)
    about: dict[str, Any] = {"register" if register else "credential": content}
    if credential_id is not None:
        about = {"credential_id": credential_id, "event": content}
    typer.echo(signed(about, folder, passphrase_file, issuer, type, profile_version, str(file)))


@statement.command("manifest", help="对批量文件签名 / Sign for all the rows of a file, print the JWS")
def manifest(
    file: Annotated[Path, typer.Argument(help="登记簿文件 / file of the register: CSV, XLSX, JSONL")],
    folder: Folder,
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    type: Annotated[str, typer.Option(help="证件类型 / credential type")],
    as_of: Annotated[str, typer.Option(help="文件内容截至何时 / as of when the file is")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """One statement for the file: its digest, its rows, and as of when. Exit codes as for `sign`."""
    from app.bootstrap import seed_policy
    from app.cli.policy_entry import instant
    from app.importers import FileRefused, measure, open_rows
    from app.importers.report import refusal_text
    from registry.policy import build_policy

    profiles = build_policy(seed_policy()).profiles
    profile = profiles.get(type)
    if profile is None or profile.lifecycle is None:
        fail(one_of("--type", type, sorted(name for name, entry in profiles.items() if entry.lifecycle)), USAGE)
    at = instant("--as-of", as_of)
    try:
        facts = measure(file, open_rows(file, profile, issuer=issuer))
    except FileRefused as refusal:
        fail(f"file {file}: {refusal_text(refusal, 'zh-CN')} / {refusal_text(refusal, 'en')} [{refusal.code}]", USAGE)
    typer.echo(signed(bulk_claims(facts, at), folder, passphrase_file, issuer, type, profile.version, str(file)))


def bulk_claims(facts: "FileFacts", as_of: "datetime") -> dict[str, Any]:
    """What a statement says of a file."""
    from registry.period import format_instant

    return {"bulk": {"file": facts.digest, "rows": facts.rows, "as_of": format_instant(as_of)}}


def signed(
    about: dict[str, Any], folder: Path, passphrase_file: Path | None, issuer: str, type: str, version: int, source: str
) -> str:
    """The statement by the key in a folder, made now. A mistake is one line that names the source, and exit code 2."""
    from app import clock
    from keys.custody import key_directory
    from keys.jws import sign_compact
    from registry.canonical import canonical_json
    from registry.errors import CanonicalError
    from registry.statement import STATEMENT_TYPE

    claims = {
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "iat": int(clock.now().timestamp()),
        "profile": {"type": type, "version": version},
        **about,
    }
    with failing_clearly():
        signer: Signer = key_directory.load_active(folder, LABEL, _passphrase(folder, passphrase_file))
    try:
        return sign_compact(canonical_json(claims), signer, STATEMENT_TYPE)
    except CanonicalError as error:
        fail(f"file {source}: {error}", USAGE)


def _passphrase(folder: Path, file: Path | None) -> bytes:
    from app.settings import Settings
    from keys.custody import passphrase

    if file is not None:
        # What is said for this one command goes before what is set for all.
        return passphrase.from_sources(file, None)
    settings = Settings()
    secret = settings.key_passphrase.get_secret_value() if settings.key_passphrase is not None else None
    beside = folder / "passphrase"
    return passphrase.from_sources(beside if secret is None and beside.exists() else None, secret)


def _read(file: Path) -> dict[str, object]:
    from keys.errors import KeysError
    from keys.strict_json import decode_object

    try:
        return decode_object(read_given("file", file, _MAX_FILE))
    except KeysError as error:
        fail(f"file {file}: 应为一个 JSON 对象 / must be one JSON object: {error.detail}", USAGE)
