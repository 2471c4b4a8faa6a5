"""Ask OCSP responders ahead of need, and keep what they say when an authority of ours stands behind it.

Nothing that is held is replaced or taken away: answers about the past rest on it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from app.fetchers import FetchError
from app.fetchers.destination import places_of
from app.ports import OcspQuestion
from keys.algorithm_policy import AlgorithmPolicy, allowed
from keys.algorithms import schemes
from keys.algorithms.schemes import SignatureScheme, VerifyingKey
from keys.certificate import Certificate
from keys.errors import KeysError
from keys.revocation import names
from keys.revocation.ocsp import (
    OcspAnswer,
    OcspResponse,
    answer_for,
    ocsp_urls,
    parse_ocsp,
    request_for,
    verify_ocsp,
)
from registry.period import format_instant
from registry.trust import Trust, TrustAnchor, key_digest

_AHEAD = timedelta(minutes=5)
"""So far ahead of ours may a responder's clock be."""
_ADDRESSES = 3  # of one certificate that are tried
_SILENT = frozenset({"ocsp.not_successful", "ocsp.about_others"})

Result = Literal["stored", "unchanged", "refused", "not_fetched"]


class Ask(Protocol):
    """Sends a request to a URL by way of allowed hosts only. Raises `FetchError`."""

    def __call__(self, url: str, request: bytes, hosts: Set[str], seconds: float | None = None) -> bytes:
        """What was answered, within so many seconds."""
        ...


class AnswerKeeper(Protocol):
    """Keeps answers that were verified. Raises `StoreError`."""

    def add_ocsp_answer(self, data: bytes, answer: OcspAnswer, question: OcspQuestion) -> bool:
        """Keeps an answer; False when it is there already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOutcome:
    """What became of one question. `code` and `detail` say why nothing was kept; `authority` is a trust anchor's id."""

    source: str
    result: Result
    code: str | None = None
    detail: str | None = None
    answer: OcspAnswer | None = None
    authority: str | None = None

    @property
    def failed(self) -> bool:
        """Whether somebody has to look after it."""
        return self.result in ("refused", "not_fetched")


class AnswerRefused(KeysError):
    """An answer that is read and not believed, or a question that nobody can be asked."""


class AnswerFetcher:
    """Asks responders about certificates of the authorities of a trust, judges what they say, and keeps it.

    `nonce` gives a new one for each request.
    """

    def __init__(
        self,
        trust: Trust,
        keeper: AnswerKeeper,
        algorithms: AlgorithmPolicy,
        *,
        ask: Ask,
        now: Callable[[], datetime],
        nonce: Callable[[], bytes],
    ) -> None:
        self._trust, self._keeper, self._algorithms = trust, keeper, algorithms
        self._ask, self._now, self._nonce = ask, now, nonce

    def issuer_of(self, certificate: Certificate) -> Certificate:
        """The certificate of the authority of ours that issued one. Raises `AnswerRefused`."""
        name = names.folded(certificate.issuer)
        for anchor in self._trust.anchors.values():
            if names.folded(anchor.certificate.subject) != name:
                continue
            try:
                scheme = schemes.scheme_from_identifier(certificate.signature_algorithm)
                key = schemes.load_key(anchor.certificate.spki)
                schemes.verify(key, scheme, certificate.signature, certificate.tbs)
            except KeysError:
                continue
            return anchor.certificate
        raise AnswerRefused("ocsp.authority_unknown", "no trust anchor has signed this certificate")

    def fetch(self, certificate: Certificate, issuer: Certificate, deadline: datetime | None = None) -> AnswerOutcome:
        """Asks the responders that a certificate names, one after the other, until one's answer is kept.

        None is asked after the deadline. Raises `StoreError`.
        """
        if certificate.not_after < self._now():
            return _not_asked("ocsp.ended", f"the certificate ended at {format_instant(certificate.not_after)}")
        urls = [url for url in ocsp_urls(certificate) if url.startswith(("http://", "https://"))]
        outcome = _not_asked("ocsp.no_address", "the certificate names no OCSP responder")
        for url in urls[:_ADDRESSES]:
            question = OcspQuestion(
                serial=certificate.serial,
                issuer_name=certificate.issuer,
                issuer_key=key_digest(issuer),
                not_after=certificate.not_after,
                url=url,
            )
            outcome = self._answered(question, self._files(question.issuer_key), issuer, deadline)
            if not outcome.failed:
                break
        return outcome

    async def fetch_answers(
        self, certificate: Certificate, issuer: Certificate, deadline: datetime
    ) -> AnswerOutcome | None:
        """The same for who awaits it, until an instant; None when it passes. Raises `StoreError`.

        What is still under way then ends by itself, and what it brings is kept for the next question. An answer that
        was stored is known when this returns, not yet when it was called: `known_at` is taken afterwards.
        """
        seconds = (deadline - self._now()).total_seconds()
        if seconds <= 0:
            return None
        asking = asyncio.to_thread(self.fetch, certificate, issuer, deadline)
        try:
            return await asyncio.wait_for(asking, seconds)
        except TimeoutError:
            return None

    def refresh(self, questions: Sequence[OcspQuestion]) -> Iterator[AnswerOutcome]:
        """Asks again, and tells what became of each as it happens. Raises `StoreError`."""
        for question in questions:
            files = self._files(question.issuer_key)
            if files:
                yield self._answered(question, files, files[0].certificate, None)

    def _files(self, issuer_key: str) -> list[TrustAnchor]:
        """The trust files in effect that name an authority's key."""
        now = self._now()
        return [anchor for anchor in self._trust.by_key.get(issuer_key, ()) if now in anchor.effective]

    def _answered(
        self, question: OcspQuestion, files: Sequence[TrustAnchor], issuer: Certificate, deadline: datetime | None
    ) -> AnswerOutcome:
        authority = files[0].id if files else None
        # As for lists: the hosts that a file allows, else those of its own addresses.
        hosts = {host for file in files for host in file.revocation_hosts or places_of(file.revocation_urls)}
        result: Result = "not_fetched"
        answer: OcspAnswer | None = None
        try:
            data, answer = self._heard(question, hosts, issuer, deadline)
            self._judge(answer)
        except FetchError as error:
            code, detail = error.code, error.detail
        except KeysError as error:
            result, code, detail = "refused", error.code, error.detail
        else:
            new = self._keeper.add_ocsp_answer(data, answer, question)
            result = "stored" if new else "unchanged"
            return AnswerOutcome(source=question.url, result=result, answer=answer, authority=authority)
        return AnswerOutcome(
            source=question.url, result=result, code=code, detail=detail, answer=answer, authority=authority
        )

    def _heard(
        self, question: OcspQuestion, hosts: Set[str], issuer: Certificate, deadline: datetime | None
    ) -> tuple[bytes, OcspAnswer]:
        """Asks, and finds the answer in a response that verifies. Raises `FetchError`, `KeysError`."""
        first, *others = _digests(issuer)
        try:
            return self._heard_by(first, question, hosts, issuer, deadline)
        except KeysError as error:
            if not others or error.code not in _SILENT:
                raise
        return self._heard_by(others[0], question, hosts, issuer, deadline)

    def _heard_by(
        self, digest: str, question: OcspQuestion, hosts: Set[str], issuer: Certificate, deadline: datetime | None
    ) -> tuple[bytes, OcspAnswer]:
        seconds = None if deadline is None else (deadline - self._now()).total_seconds()
        if seconds is not None and seconds <= 0:
            raise FetchError("fetch.timeout", f"no time is left to ask {question.url}")
        nonce = self._nonce()
        request = request_for(question.serial, question.issuer_name, issuer, digest, nonce)
        data = self._ask(question.url, request, hosts, seconds)
        return data, self._found(parse_ocsp(data), question, issuer, nonce)

    def _found(self, response: OcspResponse, question: OcspQuestion, issuer: Certificate, nonce: bytes) -> OcspAnswer:
        now = self._now()

        def usable(scheme: SignatureScheme, key: VerifyingKey) -> str | None:
            return allowed(self._algorithms, scheme, key, now)

        answer = answer_for(response, question.serial, question.issuer_name, issuer)
        if answer is None:
            raise AnswerRefused("ocsp.about_others", "the response does not speak of the certificate asked about")
        # RFC 6960 §4.4.1: many sign ahead and have none; another one than ours is an answer to somebody else.
        if response.nonce not in (None, nonce):
            raise AnswerRefused("ocsp.nonce", "the response answers another request: its nonce is not ours")
        verify_ocsp(response, issuer, now + _AHEAD, usable=usable)
        return answer

    def _judge(self, answer: OcspAnswer) -> None:
        """Refuses an answer that says nothing now. Raises `AnswerRefused`."""
        now = self._now()
        if answer.unhandled:
            extensions = ", ".join(answer.unhandled)
            raise AnswerRefused("ocsp.unhandled", f"critical extensions that are not understood: {extensions}")
        if answer.this_update > now + _AHEAD:
            raise AnswerRefused("ocsp.future", f"dated {format_instant(answer.this_update)}, which is still to come")
        # RFC 6960 §4.2.2.1: an answer past its nextUpdate is not to be relied on; it is no news either.
        if answer.next_update is not None and answer.next_update < now:
            raise AnswerRefused("ocsp.past", f"its time was over at {format_instant(answer.next_update)}")


def _not_asked(code: str, detail: str) -> AnswerOutcome:
    return AnswerOutcome(source="-", result="not_fetched", code=code, detail=detail)


def _digests(issuer: Certificate) -> tuple[str, ...]:
    """By what to name the issuer: SHA-1, which all take (RFC 5019 §2.1.1), but who has SM2 may take SM3 only."""
    try:
        sm2 = schemes.load_key(issuer.spki).family == "sm2"
    except KeysError:
        sm2 = False
    return ("sha1", "sm3") if sm2 else ("sha1",)
