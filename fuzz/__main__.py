"""`make fuzz`: every target for some time, a line for each; exit code 1 where anything was found or a run failed."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzz.run import PLACE, ROOT, fuzz
from fuzz.targets import TARGETS


def shown(path: Path) -> str:
    """The path as it is typed in the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main(arguments: Sequence[str]) -> int:
    """Runs the targets that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--targets", default=",".join(TARGETS), help=", ".join(TARGETS))
    told = parser.parse_args(arguments)
    wanted = [name.strip() for name in told.targets.split(",")]
    if unknown := [name for name in wanted if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed = False
    for name in wanted:
        try:
            outcome = fuzz(TARGETS[name], told.seconds)
        except subprocess.TimeoutExpired:
            print(f"FAIL {name}: did not end", flush=True)
            failed = True
            continue
        print(outcome.line(), flush=True)
        for finding in outcome.findings:
            print(f"     {shown(finding)}", flush=True)
        if outcome.code or outcome.findings:
            print(f"     what it said: {shown(PLACE / name / 'log')}", flush=True)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
