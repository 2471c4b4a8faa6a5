"""OCSP answers on the command line: asking ahead of need, and saying what became of each question."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.given_file import read_given
from app.cli.outcome import USAGE, fail

if TYPE_CHECKING:
    from datetime import datetime

    from app.messages import Messages
    from app.settings import Settings
    from app.usecases.fetch_ocsp import AnswerFetcher, AnswerOutcome
    from keys.certificate import Certificate
    from registry.policy import Policy

_MOST = 65536 * 4  # bytes of a certificate's file


def refreshed(settings: "Settings", policy: "Policy", now: "datetime") -> "Iterator[AnswerOutcome]":
    """Asks again about every certificate whose answer ends soon, and tells what became of it. Raises `StoreError`."""
    from app.asking import asking
    from app.store.revocations import RevocationShelf

    shelf = RevocationShelf(settings.store_path)
    try:
        questions = shelf.ending(now)
    finally:
        shelf.close()
    if questions:
        with asking(settings, policy) as fetcher:
            yield from fetcher.refresh(questions)


def read_file(file: Path) -> "Certificate":
    """The certificate in a file, or one line and exit code 2."""
    from keys.certificate import read_certificate
    from keys.errors import KeysError

    try:
        return read_certificate(read_given("CERTIFICATE", file, _MOST))
    except KeysError as error:
        fail(f"CERTIFICATE {file}: 不是一份证书 / is not a certificate: {error.detail}", USAGE)


def fetched(fetcher: "AnswerFetcher", certificate: "Certificate") -> "AnswerOutcome":
    """Asks about one certificate. Raises `StoreError`."""
    from app.usecases.fetch_ocsp import AnswerOutcome, AnswerRefused

    try:
        issuer = fetcher.issuer_of(certificate)
    except AnswerRefused as error:
        return AnswerOutcome(source="-", result="refused", code=error.code, detail=error.detail)
    return fetcher.fetch(certificate, issuer)


def answer_view(outcome: "AnswerOutcome") -> dict[str, Any]:
    """An outcome as JSON shows it."""
    answer = outcome.answer
    return {
        "source": outcome.source,
        "result": outcome.result,
        "code": outcome.code,
        "detail": outcome.detail,
        "authority": outcome.authority,
        "status": answer and answer.status,
        "this_update": answer and answer.this_update,
        "next_update": answer and answer.next_update,
    }


def answer_line(outcome: "AnswerOutcome", catalogue: "Messages") -> str:
    """An outcome as a line of text."""
    from keys.certificate.names import shown

    answer = outcome.answer
    why = f"{catalogue.refusal(outcome.code or '')} ({shown(outcome.detail or '')}) [{outcome.code}]"
    said = {"source": shown(outcome.source), "why": why}
    if answer is not None:
        status = catalogue.word(f"ocsp_answer.{answer.status}")
        instant = catalogue.instant(answer.this_update)
        said |= {"authority": outcome.authority or "-", "status": status, "this_update": instant}
    return catalogue.word(f"ocsp_answer.{outcome.result}", **said)
