"""`accord jobs`: what has to be done again and again, by cron or by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.outcome import USAGE, fail, failing_clearly, language

if TYPE_CHECKING:
    from datetime import datetime

    from app.messages import Messages
    from app.settings import Settings
    from app.usecases.refresh_revocation import Arrival, Outcome, RevocationIntake
    from registry.policy import Policy

jobs = typer.Typer(no_args_is_help=True)


@jobs.command(
    "refresh-revocation",
    help="预先取得吊销列表、更新 OCSP 应答 / Fetch revocation lists, renew OCSP answers",
)
def refresh_revocation(
    drop: Annotated[Path | None, typer.Option(help="另收此文件夹中的列表 / also take the lists of a folder")] = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 all went well, 1 something could not be fetched or was refused, 2 usage, 70 failure."""
    from app import clock
    from app.cli.ocsp import answer_line, answer_view, refreshed
    from app.cli.policy_entry import newest_policy
    from app.messages import messages
    from app.settings import Settings

    catalogue = messages(language(lang))
    settings = Settings()
    policy = newest_policy(settings)
    now = clock.now()
    arrivals = _arrivals(settings, policy, drop, now)
    views, answers, failed = list[dict[str, Any]](), list[dict[str, Any]](), 0
    with failing_clearly(), _intake(settings, policy, now) as intake:
        for outcome in intake.take_in(arrivals):
            failed += outcome.failed
            views.append(_view(outcome))
            if not json:
                typer.echo(_line(outcome, catalogue, now))
    with failing_clearly():
        for answer in refreshed(settings, policy, now):
            failed += answer.failed
            answers.append(answer_view(answer))
            if not json:
                typer.echo(answer_line(answer, catalogue))
    if json:
        from app.presentation import to_json

        typer.echo(to_json({"lists": views, "answers": answers, "failed": failed}).decode())
    elif not (views or answers):
        typer.echo(catalogue.word("revocation_list.none"))
    raise typer.Exit(1 if failed else 0)


@jobs.command("fetch-ocsp", help="预先向证书所载地址查询 OCSP 应答 / Ask OCSP responders ahead of need")
def fetch_ocsp(
    certificates: Annotated[list[Path], typer.Argument(help="证书文件 / certificate files", metavar="CERTIFICATE...")],
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 all went well, 1 something could not be fetched or was refused, 2 usage, 70 failure."""
    from app.asking import asking
    from app.cli.ocsp import answer_line, answer_view, fetched, read_file
    from app.cli.policy_entry import newest_policy
    from app.messages import messages
    from app.presentation import to_json
    from app.settings import Settings

    catalogue = messages(language(lang))
    wanted = [read_file(file) for file in certificates]
    settings = Settings()
    policy = newest_policy(settings)
    views, failed = [], 0
    with failing_clearly(), asking(settings, policy) as fetcher:
        for certificate in wanted:
            outcome = fetched(fetcher, certificate)
            failed += outcome.failed
            views.append(answer_view(outcome))
            if not json:
                typer.echo(answer_line(outcome, catalogue))
    if json:
        typer.echo(to_json({"answers": views, "failed": failed}).decode())
    raise typer.Exit(1 if failed else 0)


@jobs.command("load-uploads", help="导入已上传的登记簿文件 / Load the uploaded files that wait")
def load_uploads(
    json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """A node does this by itself. Exit codes: 0 all were loaded, 1 some were refused or failed, 2 usage, 70 failure."""
    import os

    from app.bootstrap import settle
    from app.messages import messages
    from app.presentation import to_json
    from app.settings import Settings
    from app.store.schema import check
    from app.upload_presentation import import_line, import_view
    from app.uploads.worker import work_off

    catalogue, unwell = messages(language(lang)), 0
    if hasattr(os, "nice"):
        os.nice(10)  # answers go first
    with failing_clearly():
        store = check(Settings().store_path).path
        settle()
        for entry in work_off(store):
            unwell += entry.state != "done"
            shown = to_json(import_view(entry, catalogue)).decode() if json else import_line(entry, catalogue)
            typer.echo(shown)
    raise typer.Exit(1 if unwell else 0)


def _arrivals(settings: "Settings", policy: "Policy", drop: Path | None, now: "datetime") -> "list[Arrival]":
    from functools import partial

    from app.fetchers.drop_folder import files_of, read_file
    from app.fetchers.revocation import Limits, RevocationFetcher
    from app.usecases.refresh_revocation import MAX_SIZE, Arrival, due

    fetcher = RevocationFetcher(private=settings.fetch_private, limits=Limits(size=MAX_SIZE))
    arrivals = list(due(policy.trust, now, fetcher.fetch))
    if drop is not None:
        if not drop.is_dir():
            fail(f"--drop {drop}: 没有这个文件夹 / no such folder", USAGE)
        with failing_clearly():
            arrivals += [
                Arrival(source=str(file), dropped=True, read=partial(read_file, file, MAX_SIZE))
                for file in files_of(drop)
            ]
    return arrivals


@contextmanager
def _intake(settings: "Settings", policy: "Policy", now: "datetime") -> "Iterator[RevocationIntake]":
    from app.store.revocations import RevocationShelf
    from app.store.writer import SqliteWriter
    from app.usecases.refresh_revocation import RevocationIntake
    from keys import algorithm_policy

    shelf = RevocationShelf(settings.store_path)
    writer = SqliteWriter(settings.store_path)
    try:
        yield RevocationIntake(policy.trust, shelf, writer, algorithm_policy.load_default(), now)
    finally:
        writer.close()
        shelf.close()


def _view(outcome: "Outcome") -> dict[str, Any]:
    crl = outcome.crl
    return {
        "source": outcome.source,
        "result": outcome.result,
        "code": outcome.code,
        "detail": outcome.detail,
        "authority": outcome.authority,
        "digest": crl and crl.digest,
        "number": None if crl is None or crl.number is None else f"{crl.number:X}",
        "delta": None if crl is None else crl.base_number is not None,
        "this_update": crl and crl.this_update,
        "next_update": crl and crl.next_update,
        "entries": crl and crl.count,
    }


def _line(outcome: "Outcome", catalogue: "Messages", now: "datetime") -> str:
    from keys.certificate.names import shown

    crl = outcome.crl
    why = f"{catalogue.refusal(outcome.code or '')} ({shown(outcome.detail or '')}) [{outcome.code}]"
    said = {"source": shown(outcome.source), "why": why}
    if crl is not None:
        said |= {
            "authority": outcome.authority or "-",
            "this_update": catalogue.instant(crl.this_update),
            "count": str(crl.count),
        }
    line = catalogue.word(f"revocation_list.{outcome.result}", **said)
    next_update = None if crl is None or outcome.failed else crl.next_update
    if next_update is not None and next_update < now:
        line += catalogue.word("revocation_list.past", next_update=catalogue.instant(next_update))
    return line
