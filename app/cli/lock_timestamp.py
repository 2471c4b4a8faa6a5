"""`accord lock timestamp`: a timestamp of a file, or of every signature in a CMS file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import require_file
from app.cli.lock import Ca, Family, trust_authorities
from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from keys.content import Content
    from keys.timestamp import TimestampToken

HELP = "为文件或 CMS 签名加盖时间戳 / Timestamp a file, or every signature in a CMS file"

_NONCE_BITS = 64

_ODD = {
    "mail": "是 S/MIME 邮件文本；请先取出签名 / S/MIME text; take the signature out of it first: "
    "openssl cms -cmsout -in mail.eml -outform DER -out signature.p7s",
    "bare": "是裸签名，不是 CMS / a bare signature, not CMS: accord lock timestamp FILE",
    "cut_short": "文件不完整：应有 {announced} 字节，只有 {present} 字节 / "
    "cut short: {announced} bytes are announced, {present} are there",
    "unended": "文件不完整：到第 {present} 字节仍未结束 / cut short: it does not end within its {present} bytes",
}

Stamp = Callable[["Content"], bytes]
"""Gives the token for content."""


class Digest(StrEnum):
    """By which digest."""

    SM3 = "sm3"
    SHA256 = "sha256"


def timestamp(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="时间戳（或 CMS 文件）写到哪里 / where the token, or CMS file, goes")
    ],
    file: Annotated[Path | None, typer.Argument(help="要加盖的文件 / file to timestamp")] = None,
    cms: Annotated[
        Path | None, typer.Option(help="CMS 文件：给每个签名加盖 / CMS file, DER or PEM: timestamp every signature")
    ] = None,
    tsa: Annotated[str | None, typer.Option(help="时间戳机构的地址 / URL of a timestamp authority (RFC 3161)")] = None,
    ca: Annotated[
        Ca | None,
        typer.Option(help="演示时间戳机构，默认 CN-CQ（仅限测试库）/ demonstration authority; test stores only"),
    ] = None,
    algorithm: Annotated[Family | None, typer.Option(help="演示机构的算法 / its algorithm; default sm2")] = None,
    gm: Annotated[
        bool, typer.Option("--gm", help="国密格式（GB/T 35275），限 SM2 / Chinese dialect, SM2 only")
    ] = False,
    digest: Annotated[
        Digest | None,
        typer.Option(help="摘要，默认 sm3；用 --tsa 或 RSA 时 sha256 / default sm3; with --tsa or RSA sha256"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """Writes a token (CMS; `openssl ts -token_in`) or the CMS file. Exit codes: 0, 2 a mistake, 70 failure."""
    source = cms or file
    if source is None or (cms is not None and file is not None):
        fail("file、--cms: 给出其中之一 / give one of them", USAGE)
    if tsa is not None and (ca or algorithm or gm):
        fail("--tsa 不与 --ca、--algorithm、--gm 同用 / not with --ca, --algorithm or --gm", USAGE)
    if gm and algorithm is Family.RSA:
        fail("--gm 只有 SM2 / --gm has SM2 only", USAGE)
    require_file("file" if cms is None else "--cms", source)
    if out.exists():
        fail(f"--out {out}: 已存在，不覆盖 / exists and is not overwritten", USAGE)
    usual = Digest.SHA256 if tsa is not None or algorithm is Family.RSA else Digest.SM3
    name = digest or usual
    with failing_clearly(), _refusing():
        contents = _signatures(source) if cms is not None else (_content(source),)
        stamp = _remote(tsa, name) if tsa is not None else _local(ca or Ca.CHONGQING, algorithm or Family.SM2, gm, name)
        made = tuple(stamp(content) for content in contents)
        with out.open("xb") as stream:
            stream.write(_with(source, made) if cms is not None else made[0])
    _show(out, made, json)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns what an authority or a file can do wrong into one line and exit code 70."""
    from app.fetchers import FetchError
    from keys.errors import CustodyError, KeysError

    try:
        yield
    except CustodyError:
        raise
    except FetchError as error:
        fail(f"时间戳机构 / timestamp authority: {error.detail}")
    except KeysError as error:
        fail(f"时间戳 / timestamp: {error}")


def _remote(url: str, name: str) -> Stamp:
    """Asks the authority at a URL. Whoever types an address may ask one in his own network."""
    import secrets

    from app import clock
    from app.fetchers.timestamp import TimestampFetcher
    from app.usecases.obtain_timestamp import obtain_timestamp

    fetcher = TimestampFetcher(private=True)

    def stamp(content: "Content") -> bytes:
        digest, nonce = content.digest(name), secrets.randbits(_NONCE_BITS)
        return obtain_timestamp(lambda request: fetcher.ask(url, request), name, digest, nonce, clock.now())

    return stamp


def _local(ca: Ca, algorithm: Family, gm: bool, name: str) -> Stamp:
    """Asks the demonstration authority, which the store is made to trust."""
    from app import clock
    from app.settings import Settings
    from app.softlock.authority import AuthorityFolder
    from app.softlock.timestamp import open_authority, token

    settings, now = Settings(), clock.now()
    folder = AuthorityFolder.of_store(settings)
    trust_authorities(settings, now)
    authority = open_authority(folder, ca, algorithm)

    def stamp(content: "Content") -> bytes:
        return token(authority, name, content.digest(name), clock.now(), dialect="gm" if gm else "rfc5652")

    return stamp


def _content(file: Path) -> "Content":
    from keys.content import Stream

    return Stream(lambda: file.open("rb"))


def _signatures(file: Path) -> "tuple[Content, ...]":
    from app.softlock.timestamp_attribute import signatures
    from keys.content import Octets

    return tuple(Octets(signature) for signature in signatures(_read(file)))


def _with(file: Path, tokens: tuple[bytes, ...]) -> bytes:
    from app.softlock.timestamp_attribute import with_timestamps

    return with_timestamps(_read(file), tokens)


def _read(file: Path) -> bytes:
    from app.usecases.odd_message import told
    from keys.cms import MAX_LENGTH

    with file.open("rb") as stream:
        content = stream.read(MAX_LENGTH + 1)
    if len(content) > MAX_LENGTH:
        fail(f"--cms {file}: 超过 {MAX_LENGTH} 字节 / more than {MAX_LENGTH} bytes", USAGE)
    if content.lstrip().startswith(b"-----BEGIN "):
        content = _decoded(file, content)
    odd = told(content)
    if odd.get("variant") in _ODD:
        fail(f"--cms {file}: {_ODD[odd['variant']].format_map(odd)}", USAGE)
    return content


def _decoded(file: Path, pem: bytes) -> bytes:
    from app.usecases.octets import octets_of
    from registry.errors import QueryRefused

    try:
        return octets_of(pem.decode("latin-1"), "/cms", "cms")
    except QueryRefused:
        fail(f"--cms {file}: PEM 不完整或者有误 / PEM that is cut short or broken", USAGE)


def _show(out: Path, made: tuple[bytes, ...], json: bool) -> None:
    from keys.timestamp import parse_token

    views = [_view(parse_token(token)) for token in made]
    if json:
        import orjson

        typer.echo(orjson.dumps({"file": str(out), "timestamps": views}, option=orjson.OPT_INDENT_2).decode())
        return
    for view in views:
        typer.echo(f"{out}: {view['time']}，{view['authority']}，{view['digest_name']} / timestamp {view['digest']}")
        typer.echo(f"  {_proof(view)}")


def _proof(view: dict[str, Any]) -> str:
    """What the token will prove: its time counts with the accuracy that it states."""
    latest, seconds = view["latest"], view["accuracy_seconds"]
    if seconds is None:
        return f"未载明精度，可证明最迟于 {latest} 已经存在 / no accuracy stated, proves existence by {latest}"
    written = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return f"精度 {written} 秒，可证明最迟于 {latest} 已经存在 / accuracy {written} s, proves existence by {latest}"


def _view(token: "TimestampToken") -> dict[str, Any]:
    from keys.cms import find_certificate
    from registry.period import format_instant

    certificate = find_certificate(token.signer, token.certificates)
    accuracy = token.info.accuracy
    return {
        "time": format_instant(token.gen_time),
        "accuracy_seconds": None if accuracy is None else accuracy.total_seconds(),
        "latest": format_instant(token.info.latest),
        "authority": None if certificate is None else certificate.subject_text,
        "policy": token.info.policy,
        "serial": f"{token.info.serial:X}",
        "digest_name": token.info.digest_name,
        "imprint": token.info.imprint.hex(),
        "digest": token.digest,
    }
