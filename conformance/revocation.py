"""Revocation: NIST PKITS with the lists read, verified and judged by `keys.revocation`, their signers included.

The paths themselves come from `keys.path_validation` without any list; what RFC 5280 §6.3 adds is ours here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path as File
from typing import Any

import cryptography_vectors

from conformance.suite import Row, data_folder
from keys.certificate import Certificate, parse_certificate
from keys.errors import KeysError
from keys.path_validation import NO_RULES, PathError, Rules, validate_path
from keys.revocation.crl import RevocationList, read_crl, verify_crl
from keys.revocation.judgement import KnownCrl, RevocationPolicy, judge
from keys.revocation.names import folded

SECTIONS = ("4.4", "4.14", "4.15")  # basic revocation, distribution points, deltas
CASES, OF_REVOCATION = 247, 66

# Where we decide otherwise, and why. None accepts what PKITS refuses.
_DSA = "a list signed by DSA, which no algorithm policy of ours relies on, is not verified"
REASONS = {
    "4.1.4 Valid DSA Signatures Test4": _DSA,
    "4.1.5 Valid DSA Parameter Inheritance Test5": _DSA,
}

_POLICY = RevocationPolicy(max_age=timedelta(0))


@dataclass(slots=True)
class _Case:
    """One case: its certificates and lists, the signers that are being looked into, and the paths that were found."""

    anchor: Certificate
    others: list[Certificate]
    crls: list[RevocationList]
    instant: datetime
    looking_into: list[str] = field(default_factory=list)
    paths: dict[str, tuple[Certificate, ...]] = field(default_factory=dict)

    def holds(self, certificate: Certificate, rules: Rules = NO_RULES) -> str | None:
        """Says why a certificate does not hold, None when it does: its path, then the status of each one in it."""
        if certificate.fingerprint not in self.paths:
            try:
                path = validate_path(certificate, self.others, [self.anchor], self.instant, rules=rules)
            except PathError as error:
                return f"{error.step}: {error.detail}"
            for index, each in enumerate(path.certificates):
                self.paths[each.fingerprint] = path.certificates[index:]
        for subject, _ in pairwise(self.paths[certificate.fingerprint]):
            status = self.status(subject)
            if status is not None:
                return status
        return None

    def status(self, subject: Certificate) -> str | None:
        """Says why a certificate is not shown to be in force, None when it is."""
        verdict = judge(
            subject.serial,
            subject.issuer,
            [KnownCrl(crl=crl, known_from=self.instant) for crl in self.crls if self.is_genuine(crl)],
            valid_at=self.instant,
            known_at=self.instant,
            certificate_end=subject.not_after,
            policy=_POLICY,
            distribution_points=subject.distribution_points,
            is_ca=subject.is_ca,
        )
        return None if verdict.state == "good" else f"{verdict.state}: {verdict.reason}"

    def is_genuine(self, crl: RevocationList) -> bool:
        """Whether a certificate that may sign lists, and holds itself, signed this one."""
        return any(self.may_sign(signer, crl) for signer in (self.anchor, *self.others))

    def may_sign(self, signer: Certificate, crl: RevocationList) -> bool:
        """Whether one certificate is that signer. A signer whose status rests on its own list is not asked again."""
        if folded(signer.subject) != crl.issuer_key:
            return False
        if signer.key_usage is not None and "cRLSign" not in signer.key_usage:
            return False
        try:
            verify_crl(crl, signer.spki)
        except KeysError:
            return False
        if signer.fingerprint == self.anchor.fingerprint or signer.fingerprint in self.looking_into:
            return True
        self.looking_into.append(signer.fingerprint)
        try:
            return self.holds(signer) is None
        finally:
            self.looking_into.remove(signer.fingerprint)


def _read_lists(data: File, names: list[str]) -> Iterator[RevocationList]:
    for name in names:
        try:
            yield read_crl((data / "crls" / name).read_bytes())
        except KeysError:
            continue  # a list that cannot be read says nothing


def _judged(case: dict[str, Any], suite: dict[str, Any], data: File) -> str | None:
    """Says why the certificate of a case is refused, None when it is accepted."""
    try:
        anchor, *others, leaf = [parse_certificate((data / "certs" / name).read_bytes()) for name in case["certs"]]
    except KeysError as error:
        return str(error)
    oids = suite["policy_oids"]
    rules = Rules(
        initial_policies=frozenset(oids[name] for name in case["initial_policy_set"]),
        explicit_policy=case["initial_explicit_policy"],
        inhibit_policy_mapping=case["initial_policy_mapping_inhibit"],
        inhibit_any_policy=case["initial_inhibit_any_policy"],
    )
    crls = list(_read_lists(data, case["crls"]))
    instant = datetime.fromisoformat(suite["validation_time"])
    return _Case(anchor, others, crls, instant).holds(leaf, rules)


def rows() -> Iterator[Row]:
    """The 247 cases with our revocation, and of these the sections on revocation."""
    suite = json.loads((data_folder() / "pkits" / "pkits_expected.json").read_text())
    data = File(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
    cases = []
    false_accepts = 0
    for case in suite["cases"]:
        refused = _judged(case, suite, data)
        agrees = (refused is None) == case["should_validate"]
        false_accepts += refused is None and not case["should_validate"]
        why = None if agrees else REASONS.get(case["title"], refused or "accepted")
        cases.append((case["title"], case["test"].rsplit(".", 1)[0] in SECTIONS, why))
    explained = all(why is None or title in REASONS for title, _, why in cases)
    of_revocation = [entry for entry in cases if entry[1]]
    for name, judged, total, goal in (
        ("PKITS, revocation by our own lists", cases, CASES, "245, no false accept"),
        (f"of these sections {', '.join(SECTIONS)}", of_revocation, OF_REVOCATION, "all"),
    ):
        deviations = tuple((title, why) for title, _, why in judged if why is not None)
        yield Row(
            name=name,
            passed=len(judged) - len(deviations),
            total=len(judged),
            deviations=deviations,
            goal=goal,
            met=explained and not false_accepts and len(judged) == total,
        )
