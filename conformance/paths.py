"""Certification paths: NIST PKITS, and the part of x509-limbo that speaks of holders' certificates.

`python -m conformance.paths` prints what was found and ends with 1 where a goal is missed.
"""

import base64
import json
import lzma
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Any

import cryptography_vectors

from conformance.suite import Row, data_folder
from keys.path_validation import Path, PathError, Rules, validate_path

MAX_SECONDS = 2.0  # CPU of one case

_LIMBO_NAMESPACES = ("rfc5280", "pathlen", "pathological")
_LIMBO_MADE = datetime(2023, 12, 2, tzinfo=UTC)  # the instant of cases that name none
_PURPOSES = {
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
}

# Where the product decides otherwise on purpose. None lets another certificate or another issuer through.
REASONS = {
    "rfc5280::aki::leaf-missing-aki": "an old lock whose CA left the identifier out is genuine by its signature; "
    "RFC 5280 section 6 does not look at it, and CAs still must have it",
    "rfc5280::serial::zero": "RFC 5280 section 4.1.2.2 asks readers to be prepared for zero and negative numbers; a "
    "holder did not choose its own, and no step of a path rests on it. Of a CA it is refused",
    "rfc5280::serial::too-long": "as for zero: CAs that draw 20 random bytes write 21 every other time",
    "rfc5280::root-non-critical-basic-constraints": "three national roots (ROOTCA, Civil Servant ROOT, Device ROOT) "
    "have basicConstraints not critical; RFC 5280 section 6.1.1 (d) takes an anchor's key and name alone",
}


def pkits(data: File) -> Row:
    """Runs the 247 cases of PKITS with their CRLs and policy inputs; a case must also give the policies it names."""
    suite = json.loads((data / "pkits" / "pkits_expected.json").read_text())
    material = File(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
    oids: dict[str, str] = suite["policy_oids"]
    instant = datetime.fromisoformat(suite["validation_time"])

    def judge(case: dict[str, Any]) -> Path:
        anchor, *chain, leaf = [(material / "certs" / name).read_bytes() for name in case["certs"]]
        rules = Rules(
            initial_policies=frozenset(oids[name] for name in case["initial_policy_set"]),
            explicit_policy=case["initial_explicit_policy"],
            inhibit_policy_mapping=case["initial_policy_mapping_inhibit"],
            inhibit_any_policy=case["initial_inhibit_any_policy"],
        )
        crls = [(material / "crls" / name).read_bytes() for name in case["crls"]]
        return validate_path(leaf, chain, [anchor], instant, rules=rules, crls=crls)

    def fault(case: dict[str, Any], path: Path | None) -> str | None:
        expected = frozenset(oids[name] for name in case["user_constrained_policy_set"])
        return None if path is None or path.policies == expected else f"policies {sorted(path.policies or ())}"

    cases = [(case["title"], case["should_validate"], case) for case in suite["cases"]]
    found = _run(cases, judge, fault)
    return Row(
        name="NIST PKITS",
        passed=found.passed,
        total=len(cases),
        deviations=tuple(found.deviations),
        goal="at least 246 of 247, no false accept",
        met=len(cases) == 247 and found.passed >= 246 and not found.accepted,
        slowest=found.slowest,
    )


def limbo(data: File) -> Row:
    """Runs the 86 cases of x509-limbo on RFC 5280, path lengths and pathological chains; host names are not matched."""
    cases = []
    for file in sorted((data / "limbo").glob("*.json.xz")):
        for case in json.loads(lzma.decompress(file.read_bytes()))["testcases"]:
            if case["id"].split("::")[0] in _LIMBO_NAMESPACES:
                cases.append((case["id"], case["expected_result"] == "SUCCESS", case))

    def judge(case: dict[str, Any]) -> Path:
        instant = datetime.fromisoformat(case["validation_time"]) if case["validation_time"] else _LIMBO_MADE
        (purpose,) = case["extended_key_usage"] or (None,)
        path = validate_path(
            _der(case["peer_certificate"]),
            [_der(pem) for pem in case["untrusted_intermediates"]],
            [_der(pem) for pem in case["trusted_certs"]],
            instant,
            rules=Rules(max_path_length=case["max_chain_depth"]),
            purpose=purpose and _PURPOSES[purpose],
        )
        if not set(case["key_usage"] or ()) <= (path.certificates[0].key_usage or frozenset()):
            raise PathError("key_usage", "a usage that the case asks for is missing")
        return path

    found = _run(cases, judge, lambda case, path: None)
    return Row(
        name="x509-limbo: rfc5280, pathlen, pathological",
        passed=found.passed,
        total=len(cases),
        deviations=tuple(found.deviations),
        goal="at most 5 deviations, each with its reason; no case over 2 s",
        met=len(cases) == 86 and len(found.deviations) <= 5 and not found.unexplained and found.slowest <= MAX_SECONDS,
        slowest=found.slowest,
    )


def rows(data: File) -> Iterator[Row]:
    """Gives the rows of both suites."""
    yield pkits(data)
    yield limbo(data)


@dataclass(slots=True)
class _Found:
    """What a run over cases found: `accepted` against the suite, and `unexplained` among the deviations."""

    passed: int = 0
    accepted: int = 0
    unexplained: int = 0
    slowest: float = 0.0
    deviations: list[tuple[str, str]] = field(default_factory=list)


def _run(
    cases: list[tuple[str, bool, dict[str, Any]]],
    judge: Callable[[dict[str, Any]], Path],
    fault: Callable[[dict[str, Any], Path | None], str | None],
) -> _Found:
    found = _Found()
    for title, expected, case in cases:
        path: Path | None = None
        said = "accepted"
        start = time.process_time()
        try:
            path = judge(case)
        except PathError as error:
            said = f"refused: {error.step}: {error.detail}"
        found.slowest = max(found.slowest, time.process_time() - start)
        wrong = fault(case, path) if (path is not None) == expected else said
        if wrong is None:
            found.passed += 1
        else:
            found.deviations.append((title, REASONS.get(title, wrong)))
            found.unexplained += title not in REASONS
            found.accepted += path is not None and not expected
    return found


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))


def main() -> int:
    """Prints the table; gives the exit code."""
    data = data_folder()
    if not data.is_dir():
        sys.stdout.write(f"no conformance data in {data}: nothing was run\n")
        return 0
    met = True
    for row in rows(data):
        met = met and row.met
        verdict = "ok  " if row.met else "MISS"
        sys.stdout.write(f"{verdict} {row.name}: {row.passed} of {row.total} (goal: {row.goal})\n")
        for case, why in row.deviations:
            sys.stdout.write(f"       {case}: {why}\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
