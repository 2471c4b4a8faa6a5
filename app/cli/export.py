"""`accord export`: an issuer's register of one type as a file that `accord import` reads."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, language, one_of
from app.cli.question import refuse

if TYPE_CHECKING:
    from app.exporters import RowUntold
    from app.messages import Messages
    from app.settings import Settings
    from app.usecases.export_register import Tally
    from registry.policy import PolicyHistory

UNTOLD = 3

HELP = "\n\n".join(
    (
        "导出一个发证机关某一类证件的登记簿 / Export an issuer's register of one type",
        "所导出的是 known-at 时所知、valid-at 时的内容和状态，accord import 可以原样读回。"
        "文件含有自然人的姓名等个人信息，权限为 0600，请按规定保管和传递。",
        "What was known at known-at, as it stands at valid-at; accord import reads it back as it was. The file holds "
        "personal data, such as the names of natural persons; its mode is 0600.",
        "CSV：以 = + - @ 开头的文字前面加一个撇号，以免电子表格当作公式，导入时自动去掉。直接用 Excel 双击打开再保存，"
        "全是数字的长编号会丢失第 15 位以后的数字：请用“数据”→“从文本/CSV”导入，并把编号列设为文本。",
        "CSV: a text that begins with = + - @ has an apostrophe before it, so that no spreadsheet computes it; import "
        "takes it away. Excel loses the digits behind the fifteenth of numbers that have digits only: to edit the "
        "file, load it by Data, From Text/CSV, with such columns as text.",
        "退出码：0 全部导出，2 用法有误，3 有证件无法导出（逐条列出），70 运行失败 / "
        "Exit codes: 0 all exported, 2 usage, 3 some could not be told in a row (each is named), 70 failure.",
    )
)


def export(
    type: Annotated[str, typer.Option(help="证件类型 / credential type")],
    issuer: Annotated[str, typer.Option(help="发证机关标识 / issuer id")],
    form: Annotated[str, typer.Option("--format", help="格式 / format: csv, jsonl")] = "csv",
    out: Annotated[Path, typer.Option(help="输出文件，- 为标准输出 / file, - for standard output")] = Path("-"),
    force: Annotated[bool, typer.Option("--force", help="替换已有文件 / replace an existing file")] = False,
    valid_at: Annotated[str | None, typer.Option(help="法律时点，默认当前 / legal instant, default now")] = None,
    known_at: Annotated[str | None, typer.Option(help="登记簿所知时点，默认当前 / known at, default now")] = None,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """See `HELP`."""
    from app import clock
    from app.cli.policy_entry import instant
    from app.exporters import FORMATS, row_writer
    from app.messages import messages
    from app.settings import Settings
    from app.store.extract import SqliteExtract
    from app.usecases.export_register import export_register, exported_profile, policy_known
    from registry.errors import QueryRefused
    from registry.period import format_local

    catalogue, now = messages(language(lang)), clock.now()
    if form not in FORMATS:
        fail(one_of("--format", form, FORMATS), USAGE)
    known = now if known_at is None else instant("--known-at", known_at)
    at = now if valid_at is None else instant("--valid-at", valid_at)
    settings = Settings()
    with failing_clearly():
        policies = _policies(settings)
        extract = SqliteExtract(settings.store_path)
        try:
            policy = policy_known(policies, known, now)
            profile = exported_profile(policy, type, issuer, extract.holding(type))
            with _target(out, force) as file:
                tally = export_register(
                    extract.credentials(profile.id, issuer, known),
                    policy.keys,
                    at,
                    row_writer(form, profile, issuer, catalogue.language),
                    file.write,
                    _telling(catalogue),
                )
        except QueryRefused as error:
            refuse(error, catalogue, {"/type": "--type", "/issuer": "--issuer", "/known_at": "--known-at"})
        finally:
            extract.close()
    for line in _summary(tally, catalogue, format_local(known), format_local(at)):
        typer.echo(line, err=True)
    raise typer.Exit(UNTOLD if tally.untold else 0)


def _policies(settings: "Settings") -> "PolicyHistory":
    """The store's own policy: an export enters nothing."""
    from app.ports import StoreError
    from app.store.reader import SqliteReader
    from app.store.schema import check

    check(settings.store_path)
    reader = SqliteReader(settings.store_path)
    try:
        policies = reader.load_policies()
    finally:
        reader.close()
    if not policies.generation:
        raise StoreError(f"{settings.store_path} holds no policy yet, and so no register")
    return policies


@contextmanager
def _target(path: Path, force: bool) -> Iterator[BinaryIO]:
    """Standard output, or a file that has its name only when it is whole."""
    if path == Path("-"):
        # Not through `sys.stdout`, which would complain once more at the end when nobody listens any longer.
        with open(1, "wb", closefd=False) as stream:
            yield stream
        return
    if path.is_dir() or path.suffix.lower() in (".xlsx", ".xls"):
        fail(f"--out {path}: 应为 .csv 或 .jsonl 文件 / give the name of a .csv or .jsonl file", USAGE)
    if not path.parent.is_dir():
        fail(f"--out {path}: 没有文件夹 {path.parent} / there is no folder {path.parent}", USAGE)
    if path.exists() and not force:
        _refuse_existing(path)
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb", buffering=1 << 20) as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        _name(fresh, path, force)
    finally:
        with suppress(OSError):
            fresh.unlink()


def _name(fresh: Path, path: Path, force: bool) -> None:
    if not force:
        try:
            # Fails where there is such a file by now; a rename would destroy it.
            os.link(fresh, path)
        except FileExistsError:
            _refuse_existing(path)
        except OSError:
            # A file system without links.
            if path.exists():
                _refuse_existing(path)
        else:
            return
    os.replace(fresh, path)


def _refuse_existing(path: Path) -> None:
    fail(f"--out {path}: 已有这个文件；另取名称或加 --force / exists; give another name, or --force", USAGE)


def _telling(catalogue: "Messages") -> "Callable[[str, RowUntold], None]":
    from registry.query import printable

    def tell(number: str, problem: "RowUntold") -> None:
        why = catalogue.message(problem.code, problem.variant, problem.params)
        typer.echo(f"accord: {printable(number)}: {why} [{problem.code}]", err=True)

    return tell


def _summary(tally: "Tally", catalogue: "Messages", known_at: str, valid_at: str) -> list[str]:
    if not tally.written and not tally.untold:
        return [catalogue.word("export.nothing", known_at=known_at)]
    lines = [catalogue.word("export.written", count=str(tally.written), known_at=known_at, valid_at=valid_at)]
    return [*lines, catalogue.word("export.untold", count=str(tally.untold))] if tally.untold else lines
