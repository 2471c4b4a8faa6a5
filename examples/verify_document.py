"""核验投标文件的签名 · Judge the signatures of a bid: who signed, and since when. Python 3.11, standard library only.

    python examples/verify_document.py http://127.0.0.1:8000 bid.p7m
    python examples/verify_document.py http://127.0.0.1:8000 bid.p7s --document bid.pdf --deadline 2026-12-01T01:30:00Z

投标时问一次，保存凭证；开标时带截止时间再问，凭证证明截止前已签。
Ask when the bid comes in and keep the receipt; ask again with the deadline when bids are opened: the receipt proves
that the signatures were there before.
"""

import argparse
import base64
import hashlib
import json
import sys
import urllib.request
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError

QUESTION = {"jurisdiction": "CN-SC", "purpose": "bidding.sign", "relying_party": "测试交易平台"}
# 单位和法定代表人须各签一次，且属同一单位 · The company and its legal representative must both have signed.
REQUIREMENT = {"unit": 1, "legal_representative": 1, "same_subject": True}


def text(octets: bytes) -> str:
    """Base64."""
    return base64.b64encode(octets).decode()


def refusal(status: int, body: bytes) -> str:
    """问题文档（RFC 9457）所说的：标题、说明、各处错误 · What a problem document says: title, detail, each mistake."""
    try:
        said = json.loads(body)
        mistakes = [f"- {entry['pointer']} {entry['detail']} [{entry['code']}]" for entry in said["errors"]]
        return "\n".join((f"{status} {said['title']}: {said['detail']} [{said['code']}]", *mistakes))
    except (ValueError, LookupError, TypeError):
        return f"{status} {body.decode(errors='replace')}"


def stop(status: int, body: bytes) -> NoReturn:
    """Says why there is no answer, and ends with exit code 2."""
    print(refusal(status, body), file=sys.stderr)
    raise SystemExit(2)


def ask(service: str, question: dict) -> dict:
    """Posts JSON and returns the JSON answer. Raises HTTPError for a question that cannot be asked (4xx)."""
    body = json.dumps(question).encode()
    request = urllib.request.Request(f"{service}/v1/ca/signatures", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def judge(service: str, question: dict, document: bytes | None) -> dict:
    """The answer. Of a document beside the message a digest is enough for most signatures, so it stays in the house."""
    if document is not None and "sm3" in hashlib.algorithms_available:
        digest = text(hashlib.new("sm3", document).digest())
        try:
            return ask(service, question | {"digest_kind": "sm3", "digest": digest})
        except HTTPError as error:
            said = error.read()
            if b'"digest.insufficient"' not in said:
                stop(error.code, said)
    # 无 SM3，或签名须用原文 · No SM3 here, or a signature that needs the document itself or another digest.
    return ask(service, question if document is None else question | {"content": text(document)})


def main() -> None:
    """Prints the decision, its reasons and the signers; exit code 0 when it is signed as it must be, else 1, or 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service")
    parser.add_argument("message", type=Path, help="CMS, DER")
    parser.add_argument("--document", type=Path, help="原文，报文不含时 · the document, where it is not inside")
    parser.add_argument("--deadline", help="投标截止时间 · by when it must have been signed")
    given = parser.parse_args()
    question = QUESTION | {"signature_format": "cms", "signature": text(given.message.read_bytes())}
    question |= {"requirement": REQUIREMENT}
    # 凭证按签名的摘要命名，重签的文件另有凭证 · Named by the signature: a bid signed anew has a receipt of its own.
    named = hashlib.sha256(given.message.read_bytes()).hexdigest()[:16]
    receipt = given.message.with_suffix(f".{named}.submitted.jws")
    if given.deadline:
        question["deadline"] = given.deadline
        if receipt.exists():
            question["evidence"] = [{"kind": "receipt", "value": receipt.read_text(encoding="ascii")}]
        receipt = given.message.with_suffix(f".{named}.opened.jws")
    try:
        answer = judge(given.service.rstrip("/"), question, given.document and given.document.read_bytes())
    except HTTPError as error:
        stop(error.code, error.read())
    print(answer["decision"], answer["label"])
    for reason in answer["reasons"]:
        print("-", reason["message"], f"[{reason['code']}]")
    for signer in answer["signers"]:
        holder, proven = signer["certificate"], signer["proven_time"]
        since = proven["instant"] if proven else "—"
        print("*", signer["role"], holder["uscc"] if holder else "—", signer["decision"], since)
    # 凭证是日后的凭据，应与文件一并保存；最早的证明力最强
    # The receipt is the proof of a year later: keep it with the bid. The earliest proves the most.
    if given.deadline or not receipt.exists():
        receipt.write_text(answer["receipt"], encoding="ascii")
    raise SystemExit(0 if answer["decision"] == "recognized" else 1)


if __name__ == "__main__":
    main()
