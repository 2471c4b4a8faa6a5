"""A run of one target: its corpus, the process that fuzzes it, and what that came to."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from fuzz.targets import Target

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "var" / "fuzz"
TIMEOUT = 10  # seconds that one input may take
RSS_LIMIT = 1024  # megabytes that the process may hold
MALLOC_LIMIT = 256  # megabytes that one allocation may take
MAX_LENGTH = 64 * 1024  # bytes of an input
_STARTING = 120  # seconds for what comes before and after fuzzing
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s*(\d+)")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run came to. A run that ended badly has a finding, or failed before it could have one."""

    target: str
    code: int
    executions: int
    corpus: int
    peak: int
    """Megabytes."""
    findings: tuple[Path, ...]

    def line(self) -> str:
        """The run in a line."""
        verdict = "ok  " if not self.code and not self.findings else "FAIL"
        said = f"{verdict} {self.target}: {self.executions:,} executions, corpus {self.corpus}, peak {self.peak} MB"
        return f"{said}, findings {len(self.findings)}"


def plant(target: Target, corpus: Path) -> None:
    """Puts the seeds into the corpus, each under its digest."""
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)


def command(target: Target, folder: Path, seconds: int) -> list[str]:
    """What starts the process."""
    return [
        *(sys.executable, "-m", "fuzz.one", target.name),
        f"-max_total_time={seconds}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={RSS_LIMIT}",
        f"-malloc_limit_mb={MALLOC_LIMIT}",
        f"-max_len={MAX_LENGTH}",
        f"-artifact_prefix={folder / 'findings'}/",
        *("-print_final_stats=1", "-verbosity=1", "-reload=0"),
        str(folder / "corpus"),
    ]


def fuzz(target: Target, seconds: int, place: Path = PLACE) -> Outcome:
    """Fuzzes a target for so long. What the process said is in `log` beside corpus and findings."""
    folder = place / target.name
    findings = folder / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    known = set(findings.iterdir())
    plant(target, folder / "corpus")
    with (folder / "log").open("w", encoding="utf-8") as log, TemporaryDirectory(prefix="accord-fuzz-") as scratch:
        done = subprocess.run(
            command(target, folder, seconds),
            cwd=ROOT,
            # The process ends without a chance to tidy up.
            env={**os.environ, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=seconds + _STARTING,
            check=False,
        )
    said = (folder / "log").read_text(encoding="utf-8", errors="replace")
    return Outcome(
        target=target.name,
        code=done.returncode,
        executions=_number(_EXECUTIONS, said),
        corpus=sum(1 for _ in (folder / "corpus").iterdir()),
        peak=_number(_PEAK, said),
        findings=tuple(sorted(set(findings.iterdir()) - known)),
    )


def _number(pattern: re.Pattern[str], said: str) -> int:
    found = pattern.search(said)
    return int(found[1]) if found else 0
