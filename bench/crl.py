"""A CRL of a million entries: what reading, verifying and looking up cost, in time and resident memory.

The list is written here as DER and signed; a process of its own reads it, so that its memory is what the list took.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keys.revocation.crl import RevocationList, parse_crl, verify_crl
from keys.revocation.judgement import KnownCrl, RevocationPolicy, judge

GOALS = {"load": 8.0, "memory": 250.0, "look-up": 2.0}  # seconds, MB, µs

_THIS_UPDATE = datetime(2026, 11, 1, tzinfo=UTC)
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def _wrapped(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(number: int) -> bytes:
    return _wrapped(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _utc(moment: datetime) -> bytes:
    return _wrapped(0x17, f"{moment:%y%m%d%H%M%S}Z".encode())


def _entry_extensions(chance: random.Random) -> bytes:
    """A reason on two entries of three, and an invalidity date on one of fifty."""
    found = b""
    if chance.random() < 0.66:
        reason = chance.choice((1, 3, 4, 5, 6, 9))
        found += _wrapped(0x30, bytes.fromhex("0603551d1504030a01") + bytes((reason,)))
    if chance.random() < 0.02:
        moment = _THIS_UPDATE - timedelta(seconds=chance.randrange(10**8))
        date = _wrapped(0x04, _wrapped(0x18, f"{moment:%Y%m%d%H%M%S}Z".encode()))
        found += _wrapped(0x30, bytes.fromhex("0603551d18") + date)
    return _wrapped(0x30, found) if found else b""


def serial_numbers(count: int) -> list[int]:
    """Serial numbers of 8 to 20 bytes, different ones, the same in every run."""
    chance = random.Random("serial numbers")
    return [chance.getrandbits(8 * chance.choice((8, 10, 16, 16, 16, 20)) - 1) for _ in range(count)]


def build(count: int, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Writes and signs a list (DER) with as many entries."""
    chance = random.Random("entries")
    entries = []
    for serial in serial_numbers(count):
        revoked_at = _THIS_UPDATE - timedelta(seconds=chance.randrange(10**8))
        entries.append(_wrapped(0x30, _integer(serial) + _utc(revoked_at) + _entry_extensions(chance)))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench CA")]).public_bytes()
    number = _wrapped(0x30, bytes.fromhex("0603551d14") + _wrapped(0x04, _integer(7)))
    tbs = _wrapped(
        0x30,
        _integer(1)
        + _ECDSA_SHA256
        + issuer
        + _utc(_THIS_UPDATE)
        + _utc(_THIS_UPDATE + timedelta(days=30))
        + _wrapped(0x30, b"".join(entries))
        + _wrapped(0xA0, _wrapped(0x30, number)),
    )
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return _wrapped(0x30, tbs + _ECDSA_SHA256 + _wrapped(0x03, b"\0" + signature))


def _resident(field: str) -> float:
    """VmRSS or VmHWM (the peak) of this process, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("no /proc/self/status here: resident memory is measured on Linux only")


def _per_call(function: Callable[[int], object], serials: list[int]) -> float:
    """CPU time, median over five rounds, in µs for each call, the loop around it included."""
    rounds = []
    for _ in range(5):
        started = time.process_time()
        for serial in serials:
            function(serial)
        rounds.append((time.process_time() - started) / len(serials) * 1e6)
    return statistics.median(rounds)


def _judging(crl: RevocationList) -> Callable[[int], object]:
    known = (KnownCrl(crl=crl, known_from=_THIS_UPDATE),)
    policy = RevocationPolicy(max_age=timedelta(days=7))
    now = _THIS_UPDATE + timedelta(days=1)
    end = _THIS_UPDATE + timedelta(days=365)
    return lambda serial: judge(
        serial, crl.issuer, known, valid_at=now, known_at=now, certificate_end=end, policy=policy
    )


def measure(path: Path, spki: bytes, count: int) -> bool:
    """Reads the list in this process, prints the figures, and says whether the goals are reached.

    The peak includes the copy of the signed bytes that verifying makes.
    """
    before, started = _resident("VmRSS"), time.perf_counter()
    data = path.read_bytes()
    crl = parse_crl(data)
    load = time.perf_counter() - started
    memory = _resident("VmRSS") - before
    started = time.perf_counter()
    verify_crl(crl, spki)
    verified = time.perf_counter() - started
    peak = _resident("VmHWM") - before
    serials = serial_numbers(count)
    chance = random.Random("look-ups")
    hits = chance.sample(serials, min(100_000, count))
    misses = [chance.getrandbits(127) for _ in range(len(hits))]
    listed, absent, found = (
        _per_call(crl.__contains__, hits),
        _per_call(crl.__contains__, misses),
        _per_call(crl.find, hits),
    )
    judged = _per_call(_judging(crl), misses)
    if crl.count != count or not all(map(crl.find, hits)) or any(map(crl.find, misses)):
        raise SystemExit("the list does not say what was written into it")
    print(f"entries          {count:,} in {len(data) / 1e6:.1f} MB of DER")
    print(f"load             {load:.2f} s (goal < {GOALS['load']:g})")
    print(f"resident memory  {memory:.0f} MB with the DER, {peak:.0f} MB at the peak (goal < {GOALS['memory']:g})")
    print(f"verification     {verified:.2f} s (ECDSA P-256 with SHA-256)")
    print(f"look-up          {listed:.2f} µs when listed, {absent:.2f} µs when not (goal < {GOALS['look-up']:g})")
    print(f"entry            {found:.2f} µs to look up and decode one")
    print(f"judgement        {judged:.1f} µs for a certificate that is not listed")
    return load < GOALS["load"] and max(memory, peak) < GOALS["memory"] and max(listed, absent) < GOALS["look-up"]


def main() -> None:
    """Builds the list and measures in a fresh process. Exit code 1 when a goal is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--entries", type=int, default=1_000_000)
    arguments.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.read:
        spki = chosen.read.with_suffix(".spki").read_bytes()
        raise SystemExit(not measure(chosen.read, spki, chosen.entries))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.crl"
        key = ec.generate_private_key(ec.SECP256R1())
        path.write_bytes(build(chosen.entries, key))
        public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        path.with_suffix(".spki").write_bytes(key.public_key().public_bytes(*public))
        command = [sys.executable, "-m", "bench.crl", "--read", str(path), "--entries", str(chosen.entries)]
        raise SystemExit(subprocess.run(command, env=os.environ, check=False).returncode)


if __name__ == "__main__":
    main()
