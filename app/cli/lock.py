"""`accord lock`: test locks for integrators, in the place of a UKey."""

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import refuse_file
from app.cli.outcome import USAGE, fail, failing_clearly

if TYPE_CHECKING:
    from app.settings import Settings
    from app.softlock.authority import AuthorityFolder
    from app.softlock.certificate import Revoked
    from app.softlock.challenge import GivenChallenge
    from app.softlock.lock import SoftLock
    from keys.revocation.crl import RevocationList

lock = typer.Typer(no_args_is_help=True)

_LIFETIME = timedelta(days=365)
_DAY = timedelta(days=1)


class Ca(StrEnum):
    """Whose lock."""

    CHONGQING = "CN-CQ"
    SICHUAN = "CN-SC"
    FOREIGN = "foreign"


class Family(StrEnum):
    """With which algorithm."""

    SM2 = "sm2"
    RSA = "rsa"


class Kind(StrEnum):
    """For whom in the company."""

    UNIT = "unit"
    LEGAL_REPRESENTATIVE = "legal-representative"


class Use(StrEnum):
    """Which of the two certificates."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"


class Form(StrEnum):
    """How a signature is written."""

    DER = "der"
    RAW = "raw"


class Reason(StrEnum):
    """Why a lock was revoked (RFC 5280 5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION = "cessationOfOperation"
    HOLD = "certificateHold"
    WITHDRAWN = "privilegeWithdrawn"


_CA_HELP = "颁发机构；foreign 为任何库都不信任的外地机构 / authority; no store trusts the foreign one"
_ALGORITHM_HELP = "算法 / algorithm"
_JSON = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


@lock.command("new", help="新办测试锁（仅限测试库）/ Make a test lock; test stores only")
def new(
    ca: Annotated[Ca, typer.Option(help=_CA_HELP)],
    uscc: Annotated[str, typer.Option(help="统一社会信用代码 / unified social credit code")],
    name: Annotated[str, typer.Option(help="单位名称，须含“测试” / company name, with 测试 in it")],
    out: Annotated[Path, typer.Option("-o", "--out", help="存放目录 / folder to put it in")],
    algorithm: Annotated[Family, typer.Option(help=_ALGORITHM_HELP)] = Family.SM2,
    kind: Annotated[Kind, typer.Option(help="单位锁或法定代表人锁 / whose lock")] = Kind.UNIT,
    valid_from: Annotated[str | None, typer.Option(help="有效期起，默认一天前 / from; default: a day ago")] = None,
    valid_until: Annotated[str | None, typer.Option(help="有效期止，默认一年后 / until; default: in a year")] = None,
    expired: Annotated[bool, typer.Option(help="昨天到期 / expired yesterday")] = False,
    revoked: Annotated[bool, typer.Option(help="已吊销 / revoked")] = False,
    revoked_at: Annotated[str | None, typer.Option(help="吊销时点，默认当前 / when revoked; default: now")] = None,
    reason: Annotated[Reason, typer.Option(help="吊销原因 / why it was revoked")] = Reason.UNSPECIFIED,
    json: _JSON = False,
) -> None:
    """Writes certificates, keys and chain; has the store trust the authority, and its new list tell of a revocation."""
    from app import clock
    from app.settings import Settings
    from app.softlock import lock as locks
    from app.softlock.authority import AuthorityFolder, authority_id
    from app.softlock.certificate import Revoked

    now = clock.now()
    if expired and (valid_from or valid_until):
        fail("--expired 不与 --valid-from、--valid-until 同用 / not with --valid-from or --valid-until", USAGE)
    if not revoked and (revoked_at is not None or reason is not Reason.UNSPECIFIED):
        fail("--revoked-at、--reason 须与 --revoked 同用 / only with --revoked", USAGE)
    start, end = _validity(now, valid_from, valid_until, expired)
    at = _instant("--revoked-at", revoked_at) or now
    if at > now:
        fail("--revoked-at: 不能在将来 / not in the future", USAGE)
    code = locks.normalised_uscc(uscc)
    try:
        order = locks.Order(ca=ca, family=algorithm, uscc=code, name=name, kind=kind, not_before=start, not_after=end)
    except locks.OrderRefused as error:
        fail(str(error), USAGE)
    settings = Settings()
    with failing_clearly():
        folder = AuthorityFolder.of_store(settings)
        locks.refuse_occupied(out)
        trust_authorities(settings, now)
        made = locks.make(folder, order)
        locks.write(made, out)
        if revoked:
            lines = [
                Revoked(serial=certificate.serial, at=at, reason=reason) for certificate in made.certificates.values()
            ]
            _revoke(settings, folder, authority_id(ca, algorithm), lines, now)
    _show(out, made, json)


@lock.command("sign", help="用测试锁对验证请求签名 / Sign a challenge with a test lock")
def sign(
    lock: Annotated[Path, typer.Option(help="锁的目录 / folder of the lock")],
    challenge: Annotated[
        str,
        typer.Option(help="POST /v1/ca/challenges 的应答或其 to_be_signed，- 为标准输入 / its answer, or - for stdin"),
    ],
    form: Annotated[Form, typer.Option("--format", help="SM2 签名格式 / how SM2 signatures are written")] = Form.DER,
    certificate: Annotated[Use, typer.Option(help="用哪张证书 / which certificate")] = Use.SIGNING,
    request: Annotated[
        bool, typer.Option(help="输出 POST /v1/ca/verifications 的请求体 / print the body for it")
    ] = False,
    jurisdiction: Annotated[str | None, typer.Option(help="使用地 / where: CN-CQ, CN-SC")] = None,
    purpose: Annotated[str | None, typer.Option(help="用途，默认同验证请求 / default: the challenge's")] = None,
    relying_party: Annotated[
        str | None, typer.Option(help="提问平台，默认同验证请求 / default: the challenge's")
    ] = None,
) -> None:
    """Prints the signature in base64, or the whole request."""
    import base64

    from app.softlock import lock as locks

    if request != (jurisdiction is not None) or (not request and (purpose or relying_party)):
        fail("--request 与 --jurisdiction 须同用 / --request goes with --jurisdiction, and these with it", USAGE)
    given = _challenge(challenge)
    require_lock("--lock", lock)
    with failing_clearly():
        opened = locks.read(lock, (certificate,))
        signature = base64.b64encode(opened.sign(given.to_be_signed, certificate, form)).decode("ascii")
    if not request:
        typer.echo(signature)
        return
    import orjson

    body = {
        "challenge_id": given.id,
        "certificate": locks.pem_blocks([opened.certificates[certificate]])[0],
        "chain": locks.pem_blocks(opened.chain),
        "signature": signature,
        "signature_format": "raw",
        "jurisdiction": jurisdiction,
        "purpose": purpose or given.purpose,
        "relying_party": relying_party or given.relying_party,
    }
    typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


@lock.command("show", help="显示测试锁 / Show a test lock")
def show(
    directory: Annotated[Path, typer.Argument(help="锁的目录 / folder of the lock")],
    json: _JSON = False,
) -> None:
    """Shows both certificates. Needs no passphrase."""
    from app.softlock import lock as locks
    from app.softlock.description import certificate_lines, certificate_view

    require_lock("directory", directory)
    with failing_clearly():
        certificates = locks.read_certificates(directory)
    if json:
        import orjson

        views = {use: certificate_view(certificate) for use, certificate in certificates.items()}
        typer.echo(orjson.dumps(views, option=orjson.OPT_INDENT_2).decode())
        return
    for use, certificate in certificates.items():
        for line in certificate_lines(use, certificate):
            typer.echo(line)


@lock.command("crl", help="签发新的吊销列表并入库（仅限测试库）/ Issue a new revocation list into a test store")
def crl(
    ca: Annotated[Ca, typer.Option(help=_CA_HELP)],
    algorithm: Annotated[Family, typer.Option(help=_ALGORITHM_HELP)] = Family.SM2,
    next_update_days: Annotated[int, typer.Option(min=1, max=365, help="几天后再次签发 / days until the next")] = 7,
    stale: Annotated[bool, typer.Option(help="一签发即过期 / ended when issued")] = False,
    json: _JSON = False,
) -> None:
    """Enters a list of everything that the authority has revoked; with --stale, none that is in force is left."""
    from app import clock
    from app.settings import Settings
    from app.softlock.authority import AuthorityFolder, authority_id
    from app.softlock.install import ended_lists

    if ca is Ca.FOREIGN:
        fail(
            "--ca foreign: 任何库都不收其列表 / no store takes the lists of an authority that it does not trust", USAGE
        )
    now = clock.now()
    settings = Settings()
    identity = authority_id(ca, algorithm)
    with failing_clearly():
        folder = AuthorityFolder.of_store(settings)
        trust_authorities(settings, now)
        if stale:
            made = ended_lists(folder, identity, now)
        else:
            made = (folder.new_list(identity, now, now + next_update_days * _DAY),)
        _take(settings, folder, identity, made)
    _show_list(identity, made[-1], json)


def require_lock(name: str, directory: Path) -> None:
    """Refuses what is no folder of a lock: one line and exit code 2."""
    if not (directory / "signing.pem").is_file():
        told = "不是锁的目录，请用 accord lock new 新办 / is no folder of a lock; accord lock new makes one"
        fail(f"{name} {directory}: {told}", USAGE)


def _instant(option: str, text: str | None) -> datetime | None:
    from registry.period import parse_instant

    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        fail(f"{option} {text!r}: 应写作 / write 2026-10-01T09:00:00+08:00", USAGE)


def _validity(now: datetime, start: str | None, end: str | None, expired: bool) -> tuple[datetime, datetime]:
    if expired:
        return now - _DAY - _LIFETIME, now - _DAY
    first = _instant("--valid-from", start) or now - _DAY
    return first, _instant("--valid-until", end) or max(first, now) + _LIFETIME


def _challenge(source: str) -> "GivenChallenge":
    import sys

    from app.softlock.challenge import MAX_LENGTH, ChallengeRefused, read_challenge

    try:
        if source == "-":
            content = sys.stdin.buffer.read(MAX_LENGTH + 1)
        else:
            with Path(source).open("rb") as stream:
                content = stream.read(MAX_LENGTH + 1)
        return read_challenge(content)
    except OSError as error:
        refuse_file("--challenge", Path(source), error)
    except ChallengeRefused as error:
        fail(f"--challenge {source}: 不是验证请求 / is not a challenge: {error}", USAGE)


def trust_authorities(settings: "Settings", now: datetime) -> None:
    """Has the store trust the demonstration authorities if it does not yet."""
    from app.bootstrap import enter_policies
    from app.softlock.install import enter, is_entered
    from app.store.writer import SqliteWriter

    if is_entered(settings):
        return
    enter_policies(settings)
    writer = SqliteWriter(settings.store_path)
    try:
        enter(settings, writer, now)
    finally:
        writer.close()


def _revoke(
    settings: "Settings", folder: "AuthorityFolder", identity: str, lines: "list[Revoked]", now: datetime
) -> None:
    from app.softlock.authority import PLANS

    made = folder.new_list(identity, now, revoked=lines)
    if PLANS[identity].trusted:
        _take(settings, folder, identity, (made,))


def _take(settings: "Settings", folder: "AuthorityFolder", identity: str, lists: "tuple[RevocationList, ...]") -> None:
    from app.softlock.install import enter_lists
    from app.store.writer import SqliteWriter

    writer = SqliteWriter(settings.store_path)
    try:
        enter_lists(writer, folder, [(identity, entry) for entry in lists])
    finally:
        writer.close()


def _show(directory: Path, made: "SoftLock", json: bool) -> None:
    from app.softlock.description import certificate_lines, certificate_view

    if json:
        import orjson

        views: dict[str, Any] = {use: certificate_view(entry) for use, entry in made.certificates.items()}
        typer.echo(orjson.dumps({"directory": str(directory), **views}, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"{directory}: 测试锁，无任何效力 / a test lock, without any force")
    for line in certificate_lines("signing", made.certificates["signing"]):
        typer.echo(line)


def _show_list(identity: str, made: "RevocationList", json: bool) -> None:
    from registry.period import format_instant

    until = format_instant(made.next_update) if made.next_update is not None else "—"
    view = {
        "ca": identity,
        "number": made.number,
        "entries": made.count,
        "this_update": format_instant(made.this_update),
        "next_update": until,
        "digest": made.digest,
    }
    if json:
        import orjson

        typer.echo(orjson.dumps(view).decode())
    else:
        typer.echo(
            f"{identity}: 第 {made.number} 号列表，{made.count} 条，{view['this_update']} – {until}"
            f" / list {made.number}, {made.count} entries"
        )
