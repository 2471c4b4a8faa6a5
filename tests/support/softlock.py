"""Soft locks for tests, and what the openssl command thinks of their certificates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.softlock.authority import AuthorityFolder
from app.softlock.lock import Order, SoftLock, make
from keys.certificate import Certificate
from tests.unit.support.oracles import openssl, written

USCC = "91500105TT0000816G"
NAME = "重庆测试有限公司"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

# The openssl command gives the user id to the certificate that it is asked about only, hence one step at a time.
_SM2 = ("-vfyopt", "distid:1234567812345678")


def order(**changes: Any) -> Order:
    """An order that nothing is wrong with."""
    said: dict[str, Any] = {
        "ca": "CN-CQ",
        "family": "sm2",
        "uscc": USCC,
        "name": NAME,
        "kind": "unit",
        "not_before": NOW - DAY,
        "not_after": NOW + 365 * DAY,
    }
    return Order(**(said | changes))


def made(folder: AuthorityFolder, **changes: Any) -> SoftLock:
    return make(folder, order(**changes))


def issued(certificate: Certificate, issuer: Certificate, family: str, tmp_path: Path, *options: str) -> str:
    """What openssl says of one step of a path, in its strict mode; OK at the end of it when the step holds."""
    trusted = written(tmp_path, "issuer.pem", issuer.der)
    asked = written(tmp_path, "asked.pem", certificate.der)
    more = _SM2 if family == "sm2" else ()
    return openssl("verify", "-x509_strict", "-partial_chain", *more, *options, "-trusted", trusted, asked)[1]
