"""The README's integration of a platform, run as printed: curl, Python and Java against a service with soft locks.

A lock that logs in, and a bid that a company and its legal representative sign.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.shell import ACCORD, PATIENCE, ROOT, Server, accord, environment
from tests.support.requirements import require

EXAMPLES = ROOT / "examples"
USCC, COMPANY = "91500105TT0000816G", "重庆测试渝建工程集团有限公司"
RECOGNIZED = "recognized"


def new_lock(server: Server, folder: Path, *more: str, name: str = "lock") -> Path:
    lock = folder / name
    asked = ("--ca", "CN-CQ", "--algorithm", "sm2", "--uscc", USCC, "--name", COMPANY, "-o", str(lock), *more)
    outcome = accord(server.home, "lock", "new", *asked)
    assert outcome.code == 0, outcome.errors
    return lock


def run(server: Server, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(server.home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """An `accord` beside no virtual environment of its own: the tests may run from anywhere."""
    file = tmp_path / "bin" / "accord"
    file.parent.mkdir()
    words = " ".join(f"'{word}'" for word in ACCORD)
    file.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


def block_of(readme: str, command: str) -> str:
    """The first block of commands of a README that has this command."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return next(block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if command in block)


def as_printed(server: Server, folder: Path, launcher: Path, block: str) -> subprocess.CompletedProcess[str]:
    """Runs a block; but for where the service and `accord` are, as it is printed."""
    script = block.replace("http://127.0.0.1:8000", server.base).replace(".venv/bin/accord", str(launcher))
    done = run(server, folder, "sh", "-e", "-c", script)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("language", ["README.md", "README.zh-CN.md"])
def test_the_commands_of_the_readme(server: Server, tmp_path: Path, launcher: Path, language: str) -> None:
    require(shutil.which("curl"), "curl")
    done = as_printed(server, tmp_path, launcher, block_of(language, "accord lock new"))
    answer = json.loads(done.stdout[done.stdout.index('{"decision"') :])
    assert answer["decision"] == RECOGNIZED, answer["reasons"]
    assert answer["certificate"]["uscc"] == USCC
    assert [step["trust_anchor"] for step in answer["path"]] == ["demo-ca-cq-sm2", "demo-root-sm2"]


def test_the_python_example(server: Server, tmp_path: Path, launcher: Path) -> None:
    lock = new_lock(server, tmp_path)
    # The example finds `accord` beside the interpreter, as in the environment that `make` installs.
    program = (EXAMPLES / "verify_lock.py").read_text(encoding="utf-8")
    changed = program.replace('Path(sys.executable).with_name("accord")', f'Path("{launcher}")')
    assert changed != program
    (tmp_path / "verify_lock.py").write_text(changed, encoding="utf-8")
    done = run(server, tmp_path, sys.executable, "verify_lock.py", server.base, str(lock))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{RECOGNIZED} ")
    assert USCC in done.stdout
    assert (tmp_path / "lock-receipt.jws").read_text().count(".") == 2


def test_the_java_example(server: Server, tmp_path: Path, launcher: Path) -> None:
    require(shutil.which("javac"), "a JDK (17 or later)")
    lock = new_lock(server, tmp_path)
    done = run(
        server,
        tmp_path,
        "java",
        "-Dfile.encoding=UTF-8",
        str(EXAMPLES / "VerifyLock.java"),
        server.base,
        str(lock),
        str(launcher),
    )
    assert done.returncode == 0, done.stderr
    first, *reasons = done.stdout.splitlines()
    assert first == f"{RECOGNIZED} 互认有效"
    assert reasons[0].startswith("- 适用依据：")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--expired",), "validity.expired"),
        (("--revoked",), "status.revoked"),
        (("--ca", "foreign"), "path.no_anchor"),
    ],
)
def test_a_lock_that_does_not_count_says_why(
    server: Server, tmp_path: Path, launcher: Path, more: tuple[str, ...], code: str
) -> None:
    lock = new_lock(server, tmp_path, *more)
    program = (EXAMPLES / "verify_lock.py").read_text(encoding="utf-8")
    changed = program.replace('Path(sys.executable).with_name("accord")', f'Path("{launcher}")')
    (tmp_path / "verify_lock.py").write_text(changed, encoding="utf-8")
    done = run(server, tmp_path, sys.executable, "verify_lock.py", server.base, str(lock))
    assert done.returncode == 1, done.stderr
    assert f"[{code}]" in done.stdout


def test_the_java_example_says_why_a_lock_does_not_count(server: Server, tmp_path: Path, launcher: Path) -> None:
    require(shutil.which("javac"), "a JDK (17 or later)")
    lock = new_lock(server, tmp_path, "--revoked")
    program = str(EXAMPLES / "VerifyLock.java")
    done = run(server, tmp_path, "java", "-Dfile.encoding=UTF-8", program, server.base, str(lock), str(launcher))
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("not_recognized 不予互认\n- ")
    assert "已被签发机构吊销。 [status.revoked]" in done.stdout


@pytest.mark.parametrize("name", ["verify_lock.py", "VerifyLock.java"])
def test_an_example_says_why_its_question_is_refused(server: Server, tmp_path: Path, name: str) -> None:
    program = (EXAMPLES / name).read_text(encoding="utf-8")
    changed = program.replace("bidding.login", "bidding.nothing")
    assert changed != program
    (tmp_path / name).write_text(changed, encoding="utf-8")
    if name.endswith(".java"):
        require(shutil.which("javac"), "a JDK (17 or later)")
        command = ["java", "-Dfile.encoding=UTF-8", name, server.base, "lock", "accord"]
    else:
        command = [sys.executable, name, server.base, "lock"]
    done = run(server, tmp_path, *command)
    assert (done.returncode, done.stdout) == (2, "")
    first, mistake = done.stderr.splitlines()
    assert first.startswith("422 ")
    assert "不认识的用途“bidding.nothing”" in first
    assert mistake.startswith("- /purpose 不认识的用途")
    assert mistake.endswith("[query.unknown_purpose]")


# Signed documents

BOTH = {"unit": 1, "legal_representative": 1, "same_subject": True}
TWO = ("bid.txt.p7s", "bid.txt")
PAST, FUTURE = "2026-11-01T00:00:00Z", "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def signed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bid that the SM2 locks of a company and its legal representative signed: attached, detached."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / "bid.txt").write_text("测试投标文件：报价一百万元整。\n", encoding="utf-8")
    kinds = ("unit", "legal-representative")
    named = [f"--lock={new_lock(server, folder, f'--kind={kind}', name=kind)}" for kind in kinds]
    for more in ((), ("--detached",)):
        outcome = accord(server.home, "lock", "cms", "bid.txt", "--gm", *named, *more, cwd=folder)
        assert outcome.code == 0, outcome.errors
    return folder


@pytest.fixture
def bid(signed: Path, tmp_path: Path) -> Path:
    """A copy of the bid and its signatures for one test alone."""
    for name in ("bid.txt", "bid.txt.p7m", "bid.txt.p7s"):
        shutil.copy(signed / name, tmp_path / name)
    return tmp_path


def ask(server: Server, message: bytes, **question: Any) -> dict[str, Any]:
    asked = {"jurisdiction": "CN-SC", "purpose": "bidding.sign", "signature_format": "cms"}
    given = {**asked, "signature": base64.b64encode(message).decode(), **question}
    response = httpx.post(f"{server.base}/v1/ca/signatures", json=given, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_bid_signed_at_the_shell_is_judged_and_its_receipt_holds(server: Server, bid: Path) -> None:
    answer = ask(server, (bid / "bid.txt.p7m").read_bytes(), requirement=BOTH)
    assert (answer["decision"], answer["signature"]["format"]) == (RECOGNIZED, "gm")
    assert answer["requirement"]["met"]
    assert {signer["role"] for signer in answer["signers"]} == {"unit", "legal_representative"}
    assert {signer["certificate"]["uscc"] for signer in answer["signers"]} == {USCC}
    (bid / "receipt.jws").write_text(answer["receipt"], encoding="ascii")
    (bid / "keys.json").write_bytes(httpx.get(f"{server.base}/.well-known/jwks.json").content)
    checked = accord(bid / "nothing", "verify-receipt", "receipt.jws", "--jwks", "keys.json", cwd=bid)
    assert (checked.code, checked.errors) == (0, "")


def test_openssl_signs_with_a_lock_of_rsa(server: Server, signed: Path, bid: Path) -> None:
    require(shutil.which("openssl"), "openssl")
    require(shutil.which("curl"), "curl")
    lock = new_lock(server, bid, "--algorithm=rsa")
    script = ("sh", str(EXAMPLES / "verify_document.sh"), server.base)
    done = run(server, bid, *script, str(lock), "bid.txt")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [RECOGNIZED, RECOGNIZED]
    attached, detached = (json.loads((bid / f"{name}.json").read_bytes()) for name in ("attached", "detached"))
    for answer in (attached, detached):
        (signer,) = answer["signers"]
        assert (signer["role"], signer["scheme"]) == ("unit", "rsa-pkcs1-sha256")
        assert signer["certificate"]["uscc"] == USCC
    assert attached["requirement"] is None
    assert detached["requirement"]["met"]
    assert attached["signature"]["content"] == detached["signature"]["content"]
    assert (bid / "document-receipt.jws").read_text() == detached["receipt"]
    nothing = run(server, bid, *script, str(signed / "unit"), "bid.txt")  # openssl signs nothing with SM2 and SHA-256
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert '"code":"query.' in nothing.stderr


def answers(out: str) -> list[dict[str, Any]]:
    """Every answer in what a block printed, whatever stands between them."""
    found, reader = [], json.JSONDecoder()
    for place in re.finditer(re.escape('{"decision"'), out):
        answer, _ = reader.raw_decode(out, place.start())
        found.append(answer)
    return found


def test_the_commands_of_the_readme_for_documents(server: Server, tmp_path: Path, launcher: Path) -> None:
    for tool in ("curl", "openssl"):
        require(shutil.which(tool), tool)
    new_lock(server, tmp_path)  # from the section before
    done = as_printed(server, tmp_path, launcher, block_of("README.md", "accord lock cms"))
    of_gm, of_openssl = answers(done.stdout)
    assert (of_gm["decision"], of_gm["signature"]["format"]) == (RECOGNIZED, "gm")
    assert {signer["role"] for signer in of_gm["signers"]} == {"unit", "legal_representative"}
    assert (of_openssl["decision"], of_openssl["signature"]["format"]) == (RECOGNIZED, "rfc5652")
    assert [signer["scheme"] for signer in of_openssl["signers"]] == ["rsa-pkcs1-sha256"]
    # `verify-signature` over what was timestamped: its own words, and what the timestamps prove.
    assert f"Decision: Recognised ({RECOGNIZED})" in done.stdout
    assert done.stdout.count("  proven to be signed by ") == 2
    assert (tmp_path / "stamped.p7m").stat().st_size > (tmp_path / "bid.p7m").stat().st_size


def test_both_readmes_have_the_same_commands_for_documents() -> None:
    """But for what is said beside them, and the language that is asked for."""
    told = []
    for readme in ("README.md", "README.zh-CN.md"):
        block = re.sub(r" +# .*", "", block_of(readme, "accord lock cms"))
        told.append(re.sub(r" -H 'Accept-Language: en'| --lang en", "", block))
    assert told[0] == told[1]
    assert "verify-signature" in told[0]


def python(message: str, *more: str, deadline: str | None = None) -> list[str]:
    document = [f"--document={name}" for name in more]
    given = [] if deadline is None else [f"--deadline={deadline}"]
    return [sys.executable, str(EXAMPLES / "verify_document.py"), message, *document, *given]


def java(message: str, *more: str, deadline: str | None = None) -> list[str]:
    require(shutil.which("javac"), "a JDK (17 or later)")
    given = [] if deadline is None else [f"-Ddeadline={deadline}"]
    return ["java", "-Dfile.encoding=UTF-8", *given, str(EXAMPLES / "VerifyDocument.java"), message, *more]


def signers(out: str) -> list[list[str]]:
    """Role, company, decision and proven time of each, as an example printed them."""
    return sorted(line.split()[1:] for line in out.splitlines() if line.startswith("*"))


def judged(server: Server, bid: Path, command: list[str], message: str) -> tuple[int, str, str]:
    """How an example ended, the decision that it printed first, and all that it printed."""
    place = command.index(message)
    done = run(server, bid, *command[:place], server.base, *command[place:])
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout.split()[0], done.stdout


def kept(bid: Path, when: str) -> str:
    """The one receipt that is kept of then."""
    (receipt,) = bid.glob(f"bid.txt.*.{when}.jws")
    return receipt.read_text()


@pytest.mark.parametrize(
    ("example", "files"), [(python, ("bid.txt.p7m",)), (python, TWO), (java, TWO)], ids=["python", "detached", "java"]
)
def test_the_examples_for_documents(server: Server, bid: Path, example: Any, files: tuple[str, ...]) -> None:
    code, decision, out = judged(server, bid, example(*files), files[0])
    assert (code, decision) == (0, RECOGNIZED)
    assert signers(out) == [[role, USCC, RECOGNIZED, "—"] for role in ("legal_representative", "unit")]
    code, decision, out = judged(server, bid, example(*files, deadline=FUTURE), files[0])
    assert (code, decision) == (0, RECOGNIZED)
    assert "—" not in {proven for *_, proven in signers(out)}
    assert kept(bid, "opened").count(".") == 2


def test_a_bid_that_nothing_proves_or_that_came_late(server: Server, bid: Path) -> None:
    message = "bid.txt.p7m"
    assert judged(server, bid, python(message, deadline=FUTURE), message)[:2] == (1, "indeterminate")
    assert judged(server, bid, python(message), message)[:2] == (0, RECOGNIZED)
    submitted = kept(bid, "submitted")
    code, decision, out = judged(server, bid, python(message, deadline=PAST), message)
    assert (code, decision) == (1, "not_recognized")
    assert "[signature.after_deadline]" in out
    assert judged(server, bid, python(message), message)[:2] == (0, RECOGNIZED)
    assert kept(bid, "submitted") == submitted  # the earliest is kept


@pytest.mark.parametrize("example", [python, java])
def test_an_example_says_why_a_message_is_refused(server: Server, bid: Path, example: Any) -> None:
    command = example("bid.txt")
    place = command.index("bid.txt")
    done = run(server, bid, *command[:place], server.base, *command[place:])
    assert (done.returncode, done.stdout) == (2, "")
    first, mistake = done.stderr.splitlines()
    assert first.startswith("422 ")
    assert first.endswith("[document.malformed]")
    assert mistake.startswith("- /signature 无法按 CMS 读取")


ODD = {
    "title": 'a "quoted" \\ 标题 \t, : {}[]',
    "detail": "first\nsecond /",
    "code": "x.y",
    "errors": [{"pointer": "/a", "detail": "细节", "code": "x.z", "more": [1, [], {}, None, True, -1.5e3]}],
}


class _Odd(BaseHTTPRequestHandler):
    """Refuses everything with a problem document that is hard to read."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        # As ASCII: with an escape for every Chinese character.
        body = json.dumps(ODD, indent=1).replace("/", "\\/").encode("ascii")
        self.send_response(418)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize("example", [python, java])
def test_an_example_reads_whatever_json_allows(server: Server, bid: Path, example: Any) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as odd:
        threading.Thread(target=odd.serve_forever, daemon=True).start()
        command = example("bid.txt.p7m")
        place = command.index("bid.txt.p7m")
        done = run(server, bid, *command[:place], f"http://127.0.0.1:{odd.server_port}", *command[place:])
        odd.shutdown()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"418 {ODD['title']}: {ODD['detail']} [x.y]\n- /a 细节 [x.z]\n"


def test_both_java_examples_read_json_alike() -> None:
    """A file each, so each has the reader; they are one and the same."""
    readers = {
        (EXAMPLES / name).read_text(encoding="utf-8").partition("private static final class Json {")[2]
        for name in ("VerifyLock.java", "VerifyDocument.java")
    }
    assert len(readers) == 1
    assert "private Object value()" in readers.pop()
