"""`accord lock cms`: a document signed by test locks, as signing software and seals write it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.given_file import read_given
from app.cli.lock import require_lock
from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from app.softlock.cms import SignedDocument

HELP = "用测试锁签署文件（CMS，或国密格式）/ Sign a document with test locks"

_MAX_CONTENT = 16 * 1024 * 1024  # bytes; what is read by a node is bounded as well


def cms(
    file: Annotated[Path, typer.Argument(help="要签署的文件 / document to sign")],
    lock: Annotated[list[Path], typer.Option(help="锁的目录，可多次给出 / folder of a lock; several may sign")],
    gm: Annotated[
        bool, typer.Option("--gm", help="国密格式（GB/T 35275），限 SM2 / Chinese dialect, SM2 only")
    ] = False,
    detached: Annotated[bool, typer.Option("--detached", help="不含原文 / leave the content out")] = False,
    no_attributes: Annotated[
        bool, typer.Option("--no-attributes", help="不带签名属性 / without signed attributes")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="输出文件，默认加 .p7s 或 .p7m / output; default: with .p7s or .p7m added"),
    ] = None,
    pem: Annotated[bool, typer.Option("--pem", help="写成 PEM / write PEM")] = False,
) -> None:
    """Writes the signed document: DER, or PEM. Overwrites nothing."""
    from app import clock
    from app.softlock import cms as signing
    from app.softlock import lock as locks

    content = _content(file)
    for directory in lock:
        require_lock("--lock", directory)
    target = out or file.with_name(f"{file.name}.{'p7s' if detached else 'p7m'}")
    with failing_clearly():
        opened = [locks.read(directory, ("signing",)) for directory in lock]
        try:
            made = signing.sign(
                content,
                opened,
                dialect=signing.GM if gm else signing.RFC5652,
                detached=detached,
                attributes=not no_attributes,
                at=clock.now(),
            )
        except signing.DialectRefused as error:
            fail(f"--gm: {error}", USAGE)
        _write(target, made, pem)
    typer.echo(f"{target}: {len(opened)} 个签名，测试锁，无任何效力 / signatures of test locks, without any force")


def _content(file: Path) -> bytes:
    content = read_given("file", file, _MAX_CONTENT)
    if len(content) > _MAX_CONTENT:
        fail(f"file {file}: 至多 {_MAX_CONTENT} 字节 / at most so many bytes", USAGE)
    return content


def _write(target: Path, made: "SignedDocument", pem: bool) -> None:
    try:
        with target.open("xb") as stream:
            stream.write(made.pem if pem else made.der)
    except FileExistsError:
        fail(f"--out {target}: 已存在，不覆盖 / exists and is not overwritten", USAGE)
