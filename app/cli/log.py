"""`accord log`: the log's key, its checkpoint, and recomputing it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.given_file import read_given
from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from app.settings import Settings
    from app.usecases.audit_log import LogReport
    from keys.custody import Signer
    from keys.note import NoteKey
    from registry.log.checkpoint import Checkpoint

log = typer.Typer(no_args_is_help=True)
_TIMEOUT = 20  # seconds for one tile
_PART = 1 << 16  # bytes that are read at once
_MOST = 256 * (2 + 0xFFFF)  # bytes of the largest bundle


@log.command("key", help="日志公钥（核验检查点用）/ The log's verifier key")
def key() -> None:
    """Prints the key by which checkpoints of this node's log are verified."""
    from app.settings import Settings

    with failing_clearly():
        typer.echo(_own_key(Settings()).text())


@log.command("checkpoint", help="签署并显示检查点 / Sign and show the checkpoint")
def checkpoint() -> None:
    """Prints the log's head as a signed note."""
    from app.settings import Settings
    from app.store.log import SqliteLog
    from app.usecases.prove_log import current_checkpoint

    settings = Settings()
    with failing_clearly():
        name, signer = _own_signer(settings)
        held = SqliteLog(settings.store_path)
        try:
            note = current_checkpoint(held, name, signer)
        finally:
            held.close()
    typer.echo(note.decode(), nl=False)


@log.command("verify", help="重新计算整个日志 / Recompute the whole log")
def verify(
    source: Annotated[str | None, typer.Option("--from", help="网址或文件夹 / address or folder of a log")] = None,
    log_key: Annotated[str | None, typer.Option("--key", help="日志公钥 / the log's verifier key")] = None,
    kept: Annotated[Path | None, typer.Option("--checkpoint", help="以前留存的检查点 / one that was kept")] = None,
    receipts: Annotated[
        list[Path] | None, typer.Option("--receipt", help="以前得到的凭证，可重复 / a receipt; repeatable")
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option(help="核验凭证的公钥 / keys of the receipts; default: this node's")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """Everything that was signed once, a checkpoint or size and root in a receipt, must still be in the log.

    Exit codes: 0 everything is as the log says, 1 the first difference is named, 2 usage, 70 failure.
    """
    from app.settings import Settings
    from app.store.audit import audit
    from app.store.schema import check
    from app.usecases.audit_log import verify_served

    shown = [_receipt(file, jwks) for file in receipts or ()]
    with failing_clearly():
        if source is not None:
            if log_key is None:
                fail("--from 须同时给出 --key / --from needs --key", USAGE)
            key = _read_key(log_key)
            report = verify_served(_reader(source), key, (*shown, *_kept_before(kept, key)))
        else:
            settings = Settings()
            check(settings.store_path)
            named = _key_if_any(settings) if log_key is None else _read_key(log_key)
            report = audit(settings.store_path, named, (*shown, *_kept_before(kept, named)))
    _tell(report, json)
    raise typer.Exit(0 if report.difference is None else 1)


@log.command("witness", help="见证另一节点的日志 / Cosign another node's checkpoint")
def witness(
    source: Annotated[str, typer.Option("--from", help="网址或文件夹 / address or folder of the log")],
    log_key: Annotated[str, typer.Option("--key", help="对方日志公钥 / the log's verifier key")],
    state: Annotated[Path, typer.Option("--state", help="上次见证的检查点 / the checkpoint cosigned last")],
) -> None:
    """Prints the checkpoint with this node's cosignature, once it is shown that the log only grew since the last one.

    Exit codes: 0 cosigned, 1 the log was rolled back, forked or is damaged, 2 usage, 70 failure.
    """
    from app import clock
    from app.settings import Settings
    from app.usecases.audit_log import verify_growth
    from keys.custody import files
    from keys.errors import CustodyError, KeysError
    from keys.note import cosign

    with failing_clearly():
        name, signer = _own_signer(Settings())
        key = _read_key(log_key)
        seen = _kept("--state", state, key) if state.exists() else None
        try:
            note, _ = verify_growth(_reader(source), key, seen)
            cosigned = cosign(note, name, signer, int(clock.now().timestamp()))
            # Kept before it is given away: what was cosigned once is never forgotten.
            files.replace(state, cosigned)
        except FileNotFoundError as error:
            fail(f"{source}: {error}", 1)
        except CustodyError:
            raise
        except KeysError as error:
            fail(f"不予见证 / not cosigned: {error.detail}", 1)
    typer.echo(cosigned.decode(), nl=False)


def _tell(report: "LogReport", json: bool) -> None:
    import base64

    root = base64.b64encode(report.root).decode()
    if json:
        import orjson

        told = {
            "verified": report.difference is None,
            "size": report.size,
            "root": root,
            "checkpoints": report.checkpoints,
            "difference": report.difference,
        }
        typer.echo(orjson.dumps(told).decode())
    elif report.difference is None:
        typer.echo(
            f"日志无误 / log verified: {report.size} 条 / entries, root {root}, checkpoints {report.checkpoints}"
        )
    else:
        typer.echo(f"日志不符 / log differs: {report.difference}")


def _key_if_any(settings: "Settings") -> "NoteKey | None":
    from app.bootstrap import LOG_KEYS

    return _own_key(settings) if (settings.keys_path / LOG_KEYS / "jwks.json").exists() else None


def _own_key(settings: "Settings") -> "NoteKey":
    """The node's own key, from what is published: no passphrase is needed to verify."""
    from app.bootstrap import LOG_KEYS, issuer_name
    from app.store.schema import check
    from app.usecases.prove_log import log_name
    from keys.custody import key_directory
    from keys.note import NoteKey

    folder = settings.keys_path / LOG_KEYS
    active = {entry.kid for entry in key_directory.list_keys(folder) if entry.active}
    found = [entry for entry in key_directory.load_ring(folder).keys if entry.kid in active]
    if not found:
        fail("日志密钥尚未启用，请运行 / the log's key does not sign yet, run: accord keys generate")
    (public,) = found
    return NoteKey.of(log_name(issuer_name(settings, check(settings.store_path).mode)), public)


def _own_signer(settings: "Settings") -> "tuple[str, Signer]":
    """The node's log by its name, and what signs for it."""
    from app.bootstrap import issuer_name, load_log_signer
    from app.store.schema import check
    from app.usecases.prove_log import log_name

    mode = check(settings.store_path).mode
    signer = load_log_signer(settings, mode)
    if signer is None:
        fail("尚无日志密钥，请运行 / no log key yet, run: accord keys generate")
    return log_name(issuer_name(settings, mode)), signer


def _read_key(text: str) -> "NoteKey":
    from keys.errors import KeysError
    from keys.note import NoteKey

    try:
        return NoteKey.read(text)
    except KeysError as error:
        fail(f"--key: 不是日志公钥 / is not the key of a log: {error.detail}", USAGE)


def _kept_before(path: Path | None, named: "NoteKey | None") -> "tuple[Checkpoint, ...]":
    return () if path is None else (_kept("--checkpoint", path, named),)


def _kept(name: str, path: Path, named: "NoteKey | None") -> "Checkpoint":
    from app.usecases.audit_log import open_checkpoint
    from keys.errors import KeysError

    if named is None:
        fail("--checkpoint 须有日志公钥 / --checkpoint needs the log's key: --key", USAGE)
    try:
        return open_checkpoint(read_given(name, path, _MOST), named)
    except KeysError as error:
        fail(f"{name} {path}: 不是该日志的检查点 / is no checkpoint of that log: {error.detail}", USAGE)


def _receipt(file: Path, jwks: Path | None) -> "Checkpoint":
    """Size and root that a genuine receipt names."""
    import base64

    from app.cli.signed import read_ring, read_token
    from app.usecases.verify_receipt import verify_receipt
    from registry.log.checkpoint import Checkpoint, TreeHead
    from registry.log.merkle import HASH_SIZE

    verdict = verify_receipt(read_token(file, "--receipt"), read_ring(jwks))
    if verdict.claims is None:
        fail(f"--receipt {file}: 不是真实的凭证 / is not genuine: {verdict.why}", USAGE)
    said = verdict.claims.get("log")
    if said is None:
        fail(f"--receipt {file}: 凭证未写明日志 / the receipt names no log", USAGE)
    try:
        size, root = said["size"], base64.b64decode(said["root"], validate=True)
    except (TypeError, ValueError, LookupError):
        size, root = None, b""
    if type(size) is not int or size < 0 or len(root) != HASH_SIZE:
        fail(f"--receipt {file}: 凭证所写的日志无法读出 / what the receipt says of the log cannot be read", USAGE)
    return Checkpoint(str(verdict.claims["iss"]), TreeHead(size, root))


def _reader(source: str) -> Callable[[str], bytes]:
    """Reads from an address, such as https://…/v1/log, or from a folder with the same names."""
    if source.lower().startswith(("http://", "https://")):
        return _fetcher(source.rstrip("/"))

    def read(name: str) -> bytes:
        try:
            return (Path(source) / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(name) from None

    return read


def _fetcher(base: str) -> Callable[[str], bytes]:
    """Fetches, each item in bounded time and size: whoever serves a log may wish us ill. Redirects are not followed."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, build_opener

    from app import clock

    class Staying(HTTPRedirectHandler):
        def redirect_request(self, *given: object) -> None:
            return None

    opener = build_opener(Staying)

    def read(name: str) -> bytes:
        deadline, content = clock.monotonic() + _TIMEOUT, b""
        try:
            with opener.open(f"{base}/{name}", timeout=_TIMEOUT) as response:
                while part := response.read1(_PART):
                    content += part
                    if len(content) > _MOST or clock.monotonic() > deadline:
                        fail(f"{base}/{name}: 过大或过慢 / too large or too slow")
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise FileNotFoundError(name) from None
            fail(f"{base}/{name}: {error.code}")
        except (OSError, HTTPException, ValueError) as error:
            fail(f"{base}/{name}: {error}")
        return content

    return read
