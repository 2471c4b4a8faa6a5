"""Log a bidder in with a CA lock: challenge, signature, verification. Python 3.11, standard library only.

    python examples/verify_lock.py http://127.0.0.1:8000 LOCK-DIRECTORY

The signature comes from the soft lock here (`accord lock sign`); a platform calls the lock's own middleware there.
"""

import base64
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

PLATFORM, PURPOSE, JURISDICTION = "测试交易平台", "bidding.login", "CN-SC"


def refusal(status: int, body: bytes) -> str:
    """问题文档（RFC 9457）所说的：标题、说明、各处错误 · What a problem document says: title, detail, each mistake."""
    try:
        said = json.loads(body)
        mistakes = [f"- {entry['pointer']} {entry['detail']} [{entry['code']}]" for entry in said["errors"]]
        return "\n".join((f"{status} {said['title']}: {said['detail']} [{said['code']}]", *mistakes))
    except (ValueError, LookupError, TypeError):
        return f"{status} {body.decode(errors='replace')}"


def post(address: str, content: dict) -> dict:
    """Posts JSON and returns the JSON answer. A question that cannot be asked ends the program, with exit code 2."""
    body = json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except HTTPError as error:
        print(refusal(error.code, error.read()), file=sys.stderr)
        raise SystemExit(2) from None


def sign(lock: Path, to_be_signed: bytes) -> bytes:
    """What the lock's middleware does: SM2 with SM3 over the bytes themselves, user id 1234567812345678."""
    accord = Path(sys.executable).with_name("accord")
    command = [accord, "lock", "sign", "--lock", lock, "--challenge", "-"]
    given = base64.b64encode(to_be_signed)
    return base64.b64decode(subprocess.run(command, input=given, check=True, capture_output=True).stdout)


def main() -> None:
    """Prints the decision and its reasons; exit code 0 when the lock counts, 1 when not, 2 for a mistaken question."""
    service, lock = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    challenge = post(f"{service}/v1/ca/challenges", {"purpose": PURPOSE, "relying_party": PLATFORM})
    signature = sign(lock, base64.b64decode(challenge["to_be_signed"]))
    answer = post(
        f"{service}/v1/ca/verifications",
        {
            "challenge_id": challenge["challenge_id"],
            "certificate": (lock / "signing.pem").read_text(encoding="ascii"),
            "signature": base64.b64encode(signature).decode(),
            "signature_format": "raw",
            "jurisdiction": JURISDICTION,
            "purpose": PURPOSE,
            "relying_party": PLATFORM,
        },
    )
    print(answer["decision"], answer["label"], answer["certificate"]["uscc"])
    for reason in answer["reasons"]:
        print("-", reason["message"], f"[{reason['code']}]")
    # The receipt is the proof of a year later: keep it with the login.
    Path("lock-receipt.jws").write_text(answer["receipt"], encoding="ascii")
    raise SystemExit(0 if answer["decision"] == "recognized" else 1)


if __name__ == "__main__":
    main()
