"""Puts together who asks OCSP responders: for the jobs that do it ahead, and for a question that allows it first."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from app import clock
from app.fetchers.ocsp import OcspFetcher
from app.settings import Settings
from app.usecases.fetch_ocsp import AnswerFetcher, AnswerRefused
from keys.certificate import Certificate
from registry.policy import Policy

MOST = 4
"""Certificates of one question that are asked about, and questions that ask at a time: others go on without."""


@contextmanager
def asking(settings: Settings, policy: Policy) -> Iterator[AnswerFetcher]:
    """Who asks responders, for a store. Raises `StoreError`."""
    from app.store.writer import SqliteWriter

    writer = SqliteWriter(settings.store_path)
    try:
        yield AnswerFetcher(
            policy.trust,
            writer,
            policy.algorithms.rules,
            ask=OcspFetcher(private=settings.fetch_private).ask,
            now=clock.now,
            nonce=lambda: os.urandom(32),
        )
    finally:
        writer.close()


class AskingFirst:
    """Asks responders before a question is answered, within a time, and never more than a few at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._under_way = 0

    async def ask(self, certificates: Sequence[Certificate], policy: Policy, seconds: float) -> None:
        """Enters what responders say of certificates; what does not come in time is missing. Raises `StoreError`."""
        if self._under_way >= MOST or not certificates:
            return
        self._under_way += 1
        deadline = clock.now() + timedelta(seconds=seconds)
        try:
            # What is still under way at the deadline ends by itself: the writer must outlive it.
            await asyncio.wait_for(asyncio.to_thread(self._ask, certificates[:MOST], policy, deadline), seconds + 1)
        except TimeoutError:
            pass
        finally:
            self._under_way -= 1

    def _ask(self, certificates: Sequence[Certificate], policy: Policy, deadline: datetime) -> None:
        with asking(self._settings, policy) as fetcher:
            for certificate in certificates:
                try:
                    issuer = fetcher.issuer_of(certificate)
                except AnswerRefused:
                    continue
                fetcher.fetch(certificate, issuer, deadline)
