"""`accord verify-signature`: judge the signatures of a document, of any length, by a local store."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import read_given, require_file
from app.cli.outcome import EXIT, USAGE, fail, failing_clearly, language
from app.cli.question import refuse

if TYPE_CHECKING:
    from app.messages import Messages
    from registry.errors import QueryRefused

HELP = (
    "核验文件签名：签名人是谁、锁当时是否有效、签名时间有无凭据。"
    " / Judge a document's signatures: by whom, with a lock that counted then, and since when that is proven."
)


class Form(StrEnum):
    """How the signature is written."""

    CMS = "cms"
    RAW = "raw"


def verify(
    file: Annotated[Path, typer.Argument(help="文件，或者含原文的 CMS / document, or CMS with it inside")],
    jurisdiction: Annotated[str, typer.Option(help="使用地 / where: CN-CQ, CN-SC")],
    purpose: Annotated[str, typer.Option(help="用途 / purpose")] = "bidding.sign",
    signature: Annotated[Path | None, typer.Option(help="签名文件 / file with the signature")] = None,
    form: Annotated[Form, typer.Option("--format", help="签名格式 / how it is written")] = Form.CMS,
    certificate: Annotated[Path | None, typer.Option(help="签名人的证书 / certificate of the signer")] = None,
    chain: Annotated[list[Path] | None, typer.Option(help="其他证书，可重复 / more certificates; repeatable")] = None,
    relying_party: Annotated[str | None, typer.Option(help="提问平台 / relying party")] = None,
    valid_at: Annotated[str | None, typer.Option(help="法律时点，默认为可证明的签名时间 / legal instant")] = None,
    known_at: Annotated[str | None, typer.Option(help="所知时点，默认当前 / known at")] = None,
    deadline: Annotated[str | None, typer.Option(help="截止时间 / by when it must be proven to be signed")] = None,
    expected_uscc: Annotated[str | None, typer.Option(help="应为此代码的主体 / expected holder's USCC")] = None,
    unit: Annotated[int, typer.Option(min=0, help="要求的单位签名数 / signatures of the unit")] = 0,
    representative: Annotated[int, typer.Option(min=0, help="要求的法定代表人签名数 / of legal representatives")] = 0,
    same_subject: Annotated[bool, typer.Option(help="须属同一单位 / of one company")] = False,
    timestamp: Annotated[list[Path] | None, typer.Option(help="RFC 3161 时间戳，可重复 / timestamp token")] = None,
    ocsp: Annotated[list[Path] | None, typer.Option(help="OCSP 应答，可重复 / OCSP response")] = None,
    earlier: Annotated[list[Path] | None, typer.Option(help="以前的凭证，可重复 / a receipt of before")] = None,
    receipt: Annotated[Path | None, typer.Option(help="把凭证存入文件 / save the receipt to a file")] = None,
    json: Annotated[bool, typer.Option("--json", help="输出与接口相同的 JSON / print the JSON of the API")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 recognised, 1 not, 2 usage, 3 indeterminate, 70 failure."""
    from app.messages import messages
    from app.presentation import to_json

    counts = {"unit": unit, "legal_representative": representative}
    if same_subject and not any(counts.values()):
        fail("--same-subject: 须与 --unit 或 --representative 同用 / goes with --unit or --representative", USAGE)
    content: dict[str, Any] = {
        "signature": _read("file", file) if signature is None else _read("--signature", signature),
        "signature_format": form.value,
        "certificate": None if certificate is None else _text("--certificate", certificate),
        "chain": [piece for path in chain or [] for piece in _texts("--chain", path)] or None,
        "jurisdiction": jurisdiction,
        "purpose": purpose,
        "relying_party": relying_party,
        "valid_at": valid_at,
        "known_at": known_at,
        "deadline": deadline,
        "expected_subject": None if expected_uscc is None else {"uscc": expected_uscc},
        "requirement": {**counts, "same_subject": same_subject} if any(counts.values()) else None,
        "evidence": _evidence(timestamp or [], ocsp or [], earlier or []) or None,
    }
    catalogue = messages(language(lang))
    named = {f"/evidence/{place}": name for place, name in enumerate(_given(timestamp, ocsp, earlier))}
    named |= {"/signature": f"file {file}" if signature is None else f"--signature {signature}"}
    unnamed = None if valid_at is not None else "unnamed" if known_at is None else "known_at"
    view = _answer(content, file if signature is not None else None, catalogue, named)
    if receipt is not None:
        with failing_clearly():
            receipt.write_text(view["receipt"] + "\n", encoding="ascii")
    if json:
        typer.echo(to_json(view, indent=True).decode())
    else:
        for line in _lines(view, catalogue, unnamed):
            typer.echo(line)
    raise typer.Exit(EXIT[view["decision"]])


def _given(*evidence: list[Path] | None) -> list[str]:
    """What each piece of evidence was given by, in the order of the question."""
    options = ("--timestamp", "--ocsp", "--earlier")
    return [f"{option} {path}" for option, paths in zip(options, evidence, strict=True) for path in paths or ()]


def _read(name: str, path: Path) -> bytes:
    """What a file holds, of at most what a message may have."""
    from keys.cms import MAX_LENGTH

    content = read_given(name, path, MAX_LENGTH)
    if len(content) > MAX_LENGTH:
        limit = f"{MAX_LENGTH // 1024**2} MiB"
        fail(f"{name} {path}: 签名文件最大 {limit}；原文请另给，用 --signature / a signature of at most {limit}", USAGE)
    return content


def _text(name: str, path: Path) -> str:
    import base64

    content = _read(name, path)
    pem = content.lstrip().startswith(b"-----BEGIN ")
    return content.decode("latin-1") if pem else base64.b64encode(content).decode("ascii")


def _texts(name: str, path: Path) -> list[str]:
    """The certificates of a file: of PEM, as a lock's chain is written, each by itself."""
    whole, end = _text(name, path), "-----END CERTIFICATE-----"
    pieces = [f"{piece}{end}" for piece in whole.split(end)[:-1]]
    return pieces or [whole]


def _evidence(timestamps: list[Path], ocsp: list[Path], receipts: list[Path]) -> list[dict[str, str]]:
    from app.cli.signed import read_token

    found = [{"kind": "timestamp", "value": _text("--timestamp", path)} for path in timestamps]
    found += [{"kind": "ocsp", "value": _text("--ocsp", path)} for path in ocsp]
    return found + [{"kind": "receipt", "value": read_token(path, "--earlier")} for path in receipts]


def _answer(
    content: dict[str, Any], document: Path | None, catalogue: "Messages", named: dict[str, str]
) -> dict[str, Any]:
    """The answer; `named` says which option or argument a place in the question comes from."""
    from app import clock
    from app.bootstrap import open_node
    from app.settings import Settings
    from app.signature_presentation import signature_view
    from app.usecases.issue_receipt import issue_receipt
    from app.usecases.signature_request import read_request
    from app.waiting import waited_for
    from keys.content import Stream
    from registry.errors import QueryRefused

    given = {name: value for name, value in content.items() if value is not None}
    if given["signature"].lstrip().startswith(b"-----BEGIN "):
        given["signature"] = given["signature"].decode("latin-1")
    if document is not None:
        require_file("file", document)
    with failing_clearly():
        node = open_node(Settings())
        now = clock.now()
        try:
            stream = None if document is None else Stream(lambda: document.open("rb"))
            request = read_request(given, now, stream)
            answer = waited_for(node.signatures.verify(request))
        except QueryRefused as error:
            refuse(_hinted(error, named["/signature"], alone=document is None), catalogue, named)
        finally:
            node.reader.close()
        view = signature_view(answer, catalogue, node.origin)
        view["evaluated_at"] = now
        view["receipt"] = issue_receipt(answer.decision, node.origin, node.signer, now, answer)
        view["request_id"] = "cli"
    return view


def _hinted(error: "QueryRefused", named: str, *, alone: bool) -> "QueryRefused":
    """The refusal by the ways that a shell has; `alone`: one file was given, as document and signature in one."""
    from registry.errors import Fault, QueryRefused

    variants = {"document.content_missing": "shell"} | ({"document.malformed": "shell"} if alone else {})
    faults = []
    for fault in error.faults:
        variant = variants.get(fault.code)
        if variant is not None and "variant" not in fault.params:
            params = {**fault.params, "variant": variant, "file": named.partition(" ")[2]}
            pointer = "/signature" if fault.code == "document.content_missing" else fault.pointer
            fault = Fault(pointer=pointer, code=fault.code, params=params)
        faults.append(fault)
    return QueryRefused(*faults)


def _lines(view: dict[str, Any], catalogue: "Messages", unnamed: str | None) -> list[str]:
    """The answer; `unnamed` says which instant stands in where the question named none, None where it did."""
    from app.cli.recognize import render

    asserted = view["time_source"] == "asserted"
    source = catalogue.word(f"time_source.{unnamed if asserted and unnamed else view['time_source']}")
    judged = catalogue.word("judged_at", instant=catalogue.moment(view["valid_at"]), source=source)
    lines = [*render(view, catalogue), judged]
    for place, signer in enumerate(view["signers"], 1):
        shown = signer["certificate"] or {}
        named = shown.get("subject") or shown.get("uscc") or shown.get("serial") or "—"
        label = catalogue.label(signer["decision"], genuineness=False)
        role = catalogue.word(f"role.{signer['role']}")
        lines.append(catalogue.line(catalogue.word("signer", place=str(place)), f"{named} · {role} · {label}"))
        lines += [f"  {line}" for line in _about(signer, catalogue)]
    return lines


def _about(signer: dict[str, Any], catalogue: "Messages") -> list[str]:
    """When a signer signed, why he does not count, and what evidence proves nothing."""
    word, lines = catalogue.word, []
    proven, claimed = signer["proven_time"], signer["claimed_time"]
    if proven is not None:
        by = word("evidence.receipt") if proven["kind"] == "receipt" else proven["by"]
        lines.append(word("signer.proven", instant=catalogue.moment(proven["instant"]), by=by))
    if claimed is not None:
        lines.append(word("signer.claimed", instant=catalogue.moment(claimed)))
    if signer["decision"] != "recognized":
        for reason in signer["reasons"]:
            lines.append(f"- {reason['message']} [{reason['code']}]")
            lines += [f"  {catalogue.line(word('remedy'), reason['remedy'])}"] if reason.get("remedy") else []
    lines += [
        catalogue.line(word(f"evidence.{entry['kind']}"), f"{entry['message']} [{entry['code']}]")
        for entry in signer["evidence"]
    ]
    return lines
