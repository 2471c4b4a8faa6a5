"""`accord import`: load a register's file that its issuer signed for."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, language, one_of

if TYPE_CHECKING:
    from app.importers import FileFacts
    from app.importers.report import Report
    from app.messages import Messages
    from app.settings import Settings
    from app.usecases.import_register import ImportReport
    from registry.policy import Policy
    from registry.profile import CredentialProfile
    from registry.statement import Statement

REFUSED = 3

HELP = "\n\n".join(
    (
        "导入发证机关的登记簿文件 / Load the file of an issuer's register",
        "CSV（UTF-8、GB18030）、XLSX、JSONL，至多一百万行。先用 --dry-run 试导入。一份签名的声明覆盖整个文件："
        "--manifest 为发证机关签好的声明（accord statement manifest），--keys 为发证机关自己的密钥目录，当场签名。"
        "重复导入同一文件不会重复登记；中断后再次执行即可继续。",
        "CSV (UTF-8, GB18030), XLSX, JSONL, up to a million rows. Try --dry-run first. One signed statement covers the "
        "file: --manifest is one that the issuer made (accord statement manifest), --keys the issuer's own key folder, "
        "to sign on the spot. Loading the same file again changes nothing; after a break, run it again to go on.",
        "退出码：0 全部导入，2 用法、文件或声明有误（文件或密钥中途有变的，此前各批已登记），3 有行被拒收，"
        "70 运行失败 / Exit codes: 0 all taken in, 2 usage, file or statement wrong (what was entered before the file "
        "or the key changed stays), 3 rows were refused, 70 failure.",
    )
)


def import_register(
    file: Annotated[Path, typer.Argument(help="登记簿文件 / file of the register: CSV, XLSX, JSONL")],
    type: Annotated[str, typer.Option(help="证件类型 / credential type")],
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="试导入，不写入 / try, write nothing")] = False,
    manifest: Annotated[Path | None, typer.Option(help="发证机关的声明 / the issuer's statement (JWS)")] = None,
    keys: Annotated[Path | None, typer.Option(help="发证机关的密钥目录 / the issuer's key folder")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="口令文件 / passphrase file")] = None,
    as_of: Annotated[str | None, typer.Option(help="文件内容截至何时 / as of when the file is")] = None,
    errors: Annotated[
        Path | None, typer.Option(help="拒收和缺漏的说明，默认为文件名加 .report.csv / what is refused or missing")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """See `HELP`."""
    from app.importers import FileRefused
    from app.importers.report import Report, refusal_text
    from app.messages import messages
    from app.settings import Settings
    from registry.errors import QueryRefused

    catalogue = messages(language(lang))
    if manifest is not None and (keys is not None or as_of is not None):
        fail("--manifest: 不能与 --keys、--as-of 同用 / not with --keys, --as-of", USAGE)
    report = Report(errors or file.with_name(f"{file.name}.report.csv"), catalogue.language)
    asked = _Asked(file, type, issuer, dry_run, manifest, keys, passphrase_file, as_of)
    try:
        done, seconds = _load(Settings(), asked, report, catalogue)
    except FileRefused as refusal:
        fail(f"file {file}: {refusal_text(refusal, catalogue.language)} [{refusal.code}]", USAGE)
    except QueryRefused as refusal:
        said = [f"{catalogue.problem(entry.code, entry.params)} [{entry.code}]" for entry in refusal.faults]
        given = f"--manifest {manifest}: " if manifest is not None else ""
        fail(given + "; ".join(said), USAGE)
    finally:
        report.close()
    _say(done, seconds, report, catalogue, dry_run=dry_run, json=json)
    raise typer.Exit(REFUSED if done.refused else 0)


class _Asked(NamedTuple):
    """What the command line says."""

    file: Path
    type: str
    issuer: str
    dry_run: bool
    manifest: Path | None
    keys: Path | None
    passphrase_file: Path | None
    as_of: str | None


def _load(settings: "Settings", asked: _Asked, report: "Report", catalogue: "Messages") -> "tuple[ImportReport, float]":
    """Loads the file; what came of it, and the seconds that it took."""
    from app import clock
    from app.bootstrap import settle
    from app.cli.policy_entry import newest_policy
    from app.loading import Told, load_file, open_file

    policy, began = newest_policy(settings), clock.monotonic()
    profile = _profile(policy, asked)
    file = open_file(asked.file, policy, asked.type, asked.issuer)
    token, statement = _statement(settings, policy, profile, asked, file.facts, catalogue)
    with failing_clearly(), _progress(file.facts.rows, catalogue) as progress:
        settle()
        told = Told(refuse=report.add, progress=progress)
        done = load_file(settings.store_path, file, token, statement, told, enter=not asked.dry_run)
        return done, clock.monotonic() - began


def _profile(policy: "Policy", asked: _Asked) -> "CredentialProfile":
    profile = policy.profiles.get(asked.type)
    if profile is None or profile.lifecycle is None:
        known = sorted(name for name, entry in policy.profiles.items() if entry.lifecycle is not None)
        fail(one_of("--type", asked.type, known), USAGE)
    if asked.issuer not in policy.authorities:
        issuers = sorted(name for name, entry in policy.authorities.items() if entry.issues(profile.id))
        fail(one_of("--issuer", asked.issuer, issuers), USAGE)
    return profile


def _statement(
    settings: "Settings",
    policy: "Policy",
    profile: "CredentialProfile",
    asked: _Asked,
    facts: "FileFacts",
    catalogue: "Messages",
) -> "tuple[str, Statement]":
    """The issuer's statement about the file: as it was given, signed now, or in a trial one that nobody signed."""
    from app import clock
    from app.cli.policy_entry import instant, newest_policy
    from app.cli.signed import read_token
    from app.cli.statement import bulk_claims, signed
    from app.usecases.import_register import unsigned
    from registry.statement import open_statement, refused

    at = clock.now() if asked.as_of is None else instant("--as-of", asked.as_of)
    if asked.manifest is not None:
        token = read_token(asked.manifest, "--manifest")
        statement = open_statement(token, policy.keys)
        if (statement.issuer, statement.type) != (asked.issuer, asked.type):
            stated = f"{statement.issuer}, {statement.type}"
            raise refused("statement.bulk_other", stated=stated, given=f"{asked.issuer}, {asked.type}")
        return token, statement
    if asked.dry_run and asked.keys is None:
        return "", unsigned(asked.issuer, profile.id, profile.version, bulk_claims(facts, at)["bulk"], clock.now())
    folder, opener = asked.keys, asked.passphrase_file
    if folder is None:
        folder = _test_keys(settings, asked.issuer, catalogue)
        opener = folder / "passphrase"
    elif asked.as_of is None:
        fail("--as-of: 请写明文件内容截至何时 / say as of when the file is", USAGE)
    about = bulk_claims(facts, at)
    token = signed(about, folder, opener, asked.issuer, profile.id, profile.version, str(asked.file))
    return token, open_statement(token, newest_policy(settings).keys)


def _test_keys(settings: "Settings", issuer: str, catalogue: "Messages") -> Path:
    """The folder of a test key of the issuer, made and entered where there is none. Only a test store has such."""
    from app.cli.policy_entry import enter, newest_policy
    from app.cli.statement import LABEL
    from app.store.schema import check
    from app.usecases.issuer_keys import import_key
    from keys.custody import files, key_directory, passphrase
    from registry.period import Period

    with failing_clearly():
        if check(settings.store_path).mode != "test":
            fail("--manifest, --keys: 须给出其一 / give --manifest or --keys: accord statement manifest --help", USAGE)
        folder = settings.keys_path / "issuers" / issuer
        if not (folder / "jwks.json").exists():
            files.make_directory(settings.keys_path)
            files.make_directory(folder.parent)
            files.make_directory(folder)
            secret = passphrase.make(folder / "passphrase")
            key_directory.create(folder, LABEL, secret, activate=True)
        jwk = key_directory.load_active(
            folder, LABEL, passphrase.from_sources(folder / "passphrase", None)
        ).public.jwk()
        document = import_key(newest_policy(settings), issuer, jwk, Period(start=None, end=None))
        if document is not None:
            enter(settings, document)
    typer.echo(catalogue.word("load.test_key", issuer=issuer, folder=str(folder)), err=True)
    return folder


@contextmanager
def _progress(rows: int, catalogue: "Messages") -> "Iterator[Callable[[int], None]]":
    """A bar with rate and remaining time, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    from app import clock

    began = clock.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=rows, rate="")

        def progress(done: int) -> None:
            rate = done / max(clock.monotonic() - began, 1e-9)
            bar.update(task, completed=done, rate=f"{rate:,.0f} {catalogue.word('load.rows')}/s")

        yield progress


def _say(
    done: "ImportReport", seconds: float, report: "Report", catalogue: "Messages", *, dry_run: bool, json: bool
) -> None:
    from app.presentation import to_json
    from app.settings import Settings
    from app.store.log import SqliteLog
    from registry.period import format_local

    log = SqliteLog(Settings().store_path)
    try:
        head = log.head()
    finally:
        log.close()
    rate = round(done.rows / seconds)
    if json:
        from msgspec.structs import asdict

        shown = asdict(done) | {"dry_run": dry_run, "seconds": str(round(seconds, 1)), "rows_per_second": rate}
        shown |= {
            "log_size": head.size,
            "log_root": head.root.hex(),
            "errors": str(report.path) if report.count else None,
        }
        typer.echo(to_json(shown).decode())
        return
    counted = {name: str(getattr(done, name)) for name in ("rows", "new", "changed", "unchanged", "refused", "missing")}
    same = not (done.new or done.changed or done.refused)
    lines = [catalogue.word("load.dry")] if dry_run else []
    lines.append(catalogue.word("load.nothing" if same else "load.done", **counted))
    if done.missing:
        lines.append(catalogue.word("load.missing", **counted))
    if report.count:
        lines.append(catalogue.word("load.report", file=str(report.path)))
    if done.reported is None:
        lines.append(catalogue.word("load.incomplete"))
    elif not dry_run:
        lines.append(catalogue.word("load.complete", as_of=format_local(done.reported)))
    lines.append(catalogue.word("load.rate", seconds=f"{seconds:.1f}", rate=f"{rate:,}"))
    if not dry_run:
        lines.append(catalogue.word("load.log", size=str(head.size), root=head.root.hex()))
    for line in lines:
        typer.echo(line)
