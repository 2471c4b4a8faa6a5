"""Server CPU of a signed answer, against a bare FastAPI route that returns as many bytes behind the same layer.

Interleaved in one run, block by block. Every question is asked once: there is nothing to remember.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from app.usecases.verify_receipt import verify_receipt
from bench.client import Client, get, post
from bench.world import build
from keys.key_ring import KeyRing


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(home: Path, port: int) -> subprocess.Popen[bytes]:
    log = (home / "server.log").open("wb")
    environment = os.environ | {"ACCORD_HOME": str(home)}
    server = subprocess.Popen([sys.executable, "-m", "bench.server", str(port)], env=environment, stderr=log)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        if server.poll() is not None:
            raise SystemExit((home / "server.log").read_text())
        time.sleep(0.05)
    raise SystemExit("the server did not start")


async def _measure(port: int, questions: list[bytes], block: int) -> tuple[list[float], list[float], list[bytes]]:
    """CPU nanoseconds per request of each block: answers, and the bare route; and the answers."""
    answers: list[bytes] = []
    signed, bare = [], []
    async with Client(port) as client:

        async def timed(requests: list[bytes]) -> tuple[float, list[bytes]]:
            before = int(await client.one(get("/bench/cpu")))
            bodies = await client.all(requests)
            return (int(await client.one(get("/bench/cpu"))) - before) / len(requests), bodies

        warm = await client.all(questions[:200])
        length = round(statistics.mean(len(body) for body in warm))
        await client.one(post("/bench/length", str(length).encode()))
        await client.all([get("/bench/fixed")] * 200)
        rest = questions[200:]
        for start in range(0, len(rest), block):
            chunk = rest[start : start + block]
            spent, bodies = await timed(chunk)
            signed.append(spent)
            answers.extend(bodies)
            bare.append((await timed([get("/bench/fixed")] * len(chunk)))[0])
    return signed, bare, answers


def _check(answers: list[bytes], home: Path) -> dict[str, int]:
    """Every receipt is another one, and a sample of them is genuine. Returns how often each decision came."""
    ring = KeyRing.from_jwks(orjson.loads((home / "keys" / "jwks.json").read_bytes()))
    parsed = [orjson.loads(body) for body in answers]
    if len({entry["receipt"] for entry in parsed}) != len(parsed):
        raise SystemExit("two answers carry the same receipt")
    for entry in parsed[::97]:
        if not verify_receipt(entry["receipt"], ring).genuine:
            raise SystemExit("a receipt is not genuine")
    decisions = [entry["decision"] for entry in parsed]
    return {name: decisions.count(name) for name in sorted(set(decisions))}


def main() -> None:
    """Prints the ratio, and what it was measured on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=12_200, help="distinct questions, 200 of them to warm up")
    parser.add_argument("--block", type=int, default=500, help="requests between two looks at the clock")
    parser.add_argument("--gate", type=float, help="exit 1 when the ratio is above this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        questions = [post("/v1/recognitions", orjson.dumps(query)) for query in build(home, arguments.questions)]
        if len(set(questions)) != len(questions):
            raise SystemExit("a question occurs twice")
        port = _free_port()
        server = _start(home, port)
        try:
            signed, bare, answers = asyncio.run(_measure(port, questions, arguments.block))
        finally:
            server.terminate()
            server.wait()
        decisions = _check(answers, home)
    ratios = [one / other for one, other in zip(signed, bare, strict=True)]
    ratio = statistics.median(ratios)
    print(f"distinct questions          {len(answers)} {decisions}")
    print(f"answer, mean bytes          {statistics.mean(map(len, answers)):.0f}")
    print(f"signed answer, CPU median   {statistics.median(signed) / 1000:.0f} us")
    print(f"bare FastAPI route          {statistics.median(bare) / 1000:.0f} us")
    print(f"ratio, median of {len(ratios)} blocks  {ratio:.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    if arguments.gate is not None and ratio > arguments.gate:
        raise SystemExit(f"the ratio is above {arguments.gate}")


if __name__ == "__main__":
    main()
