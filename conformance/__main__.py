"""`make conformance`: every suite, a table on standard output and in docs/conformance.md; exit code 1 below a goal."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance import cms, encodings, merkle, ocsp, paths, revocation, signatures
from conformance.suite import Row, data_folder
from keys.algorithms import sm2

REPORT = Path(__file__).resolve().parents[1] / "docs" / "conformance.md"

_HEAD = """# Conformance

Written by `make conformance`; not by hand. Third-party data, read in place: NIST PKITS, x509-limbo, vectors and
certificates of GmSSL, Tongsuo, gotlcp and tlcpchan, signed documents of gmsm, C2SP Wycheproof, OCSP responses of
OpenSSL, Merkle proofs of transparency-dev, vectors of the IETF Token Status List, the W3C Bitstring Status List and
RFC 8785.

| suite | passed | of | goal | met |
|---|---|---|---|---|
"""


def report(rows: Iterable[Row]) -> str:
    """The table as Markdown, with every deviation under it."""
    found = list(rows)
    lines = [
        f"| {row.name} | {row.passed} | {row.total} | {row.goal} | {'yes' if row.met else '**no**'} |" for row in found
    ]
    text = _HEAD + "\n".join(lines) + "\n"
    for row in found:
        if row.deviations:
            text += f"\n## {row.name}: deviations\n\n"
            text += "".join(f"- `{case}`: {why}\n" for case, why in row.deviations)
    return text


def _tell(row: Row) -> None:
    slowest = "" if row.slowest is None else f", slowest case {row.slowest:.2f} s"
    print(f"{'ok  ' if row.met else 'MISS'} {row.name}: {row.passed} of {row.total} (goal: {row.goal}){slowest}")
    for case, why in row.deviations:
        print(f"       {case}: {why}")


def main(arguments: Sequence[str] = ()) -> int:
    """Runs everything. Without data it says so: a failure where everything is required, else a skip."""
    folder = data_folder()
    if not folder.is_dir():
        print(f"no conformance data in {folder} (ACCORD_CONFORMANCE_DATA): nothing was run")
        return int(os.environ.get("ACCORD_REQUIRE_ALL") == "1")
    print(f"SM2 by {sm2.backend().name} and in Python; data in {folder.name}")
    rows: list[Row] = []
    for suite in (
        signatures.run(folder),
        paths.rows(folder),
        revocation.rows(),
        ocsp.rows(folder),
        merkle.rows(folder),
        encodings.rows(folder),
        cms.rows(folder),
    ):
        for row in suite:
            rows.append(row)
            _tell(row)
    if "--no-report" not in arguments:
        REPORT.write_text(report(rows), encoding="utf-8")
    return int(not all(row.met for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
