"""`accord verify-receipt`: check a receipt with no network and no database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.outcome import language
from app.cli.signed import read_ring, read_token

if TYPE_CHECKING:
    from app.messages import Messages
    from app.usecases.verify_receipt import ReceiptVerdict


def verify(
    file: Annotated[Path, typer.Argument(help="凭证文件，- 为标准输入 / receipt file, - for standard input")],
    jwks: Annotated[
        Path | None, typer.Option(help="公钥文件；默认只用本机公钥 / keys; default: this node's own")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
    lang: Annotated[str | None, typer.Option(help="zh-CN, en", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 genuine, 1 not shown to be, 2 usage, 70 failure. Keys are never fetched from where it points."""
    from app import clock
    from app.messages import messages
    from app.usecases.verify_receipt import KEY_COMPROMISED, verify_receipt

    catalogue = messages(language(lang))
    verdict = verify_receipt(read_token(file), read_ring(jwks))
    notes = _notes(verdict, catalogue, clock.now())
    if json:
        _print_json(verdict, notes)
    else:
        word = "receipt.cannot_tell" if verdict.code == KEY_COMPROMISED else "receipt.not_genuine"
        refusal = [catalogue.word(word, why=_why(verdict, catalogue))]
        for line in (*(refusal if verdict.claims is None else _lines(verdict, catalogue)), *notes):
            typer.echo(line)
    raise typer.Exit(0 if verdict.genuine else 1)


def _why(verdict: "ReceiptVerdict", catalogue: "Messages") -> str:
    return f"{catalogue.refusal(verdict.code or '', verdict.why or '')} [{verdict.code}]"


def _notes(verdict: "ReceiptVerdict", catalogue: "Messages", now: Any) -> list[str]:
    from app.usecases.verify_receipt import KEY_COMPROMISED
    from registry.period import InstantError, parse_instant

    if verdict.claims is None:
        return [catalogue.problem("receipt.key_compromised", {})] if verdict.code == KEY_COMPROMISED else []
    notes = []
    if verdict.on_stolen_key:
        notes.append(catalogue.problem("receipt.rests_on_compromised", {}))
    if not verdict.claims["livemode"]:
        notes.append(catalogue.word("receipt.test"))
    try:
        until = parse_instant(str(verdict.claims.get("fresh_until")))
    except InstantError:
        return notes
    if until < now:
        notes.append(catalogue.word("receipt.past_fresh", fresh_until=catalogue.instant(until)))
    return notes


def _print_json(verdict: "ReceiptVerdict", notes: list[str]) -> None:
    import orjson

    typer.echo(
        orjson.dumps(
            {
                "genuine": verdict.genuine,
                "kid": verdict.kid,
                "code": verdict.code,
                "why": verdict.why,
                "claims": verdict.claims,
                "notes": notes,
            },
            option=orjson.OPT_INDENT_2,
        ).decode()
    )


def _lines(verdict: "ReceiptVerdict", catalogue: "Messages") -> list[str]:
    claims = verdict.claims or {}
    query = claims["query"]
    reference = query.get("credential") or {}
    named = reference.get("id") or " ".join(
        str(reference[name]) for name in ("type", "number", "issuer") if reference.get(name)
    )
    label = catalogue.label(claims["decision"], genuineness=query.get("purpose") == "inspection.authenticity")
    return [
        catalogue.word("receipt.genuine", kid=verdict.kid or ""),
        f"{catalogue.word('decision')}: {label} ({claims['decision']})",
        f"{catalogue.word('reasons')}: {', '.join(claims['reasons'])}",
        f"{catalogue.word('credential')}: {named}",
        f"{query.get('jurisdiction')} · {query.get('purpose')}",
        catalogue.word(
            "receipt.instants",
            **{name: _instant(claims[name], catalogue) for name in ("valid_at", "known_at", "evaluated_at")},
        ),
        *_signed(claims.get("signature"), catalogue),
        f"iss {claims['iss']} · {claims['jti']}",
    ]


def _signed(signature: Any, catalogue: "Messages") -> list[str]:
    """Of a receipt over a document: its digests, and every signer with the certificate and the time that is proven."""
    if not isinstance(signature, dict):
        return []
    lines = [catalogue.word("receipt.document", kind=kind, value=value) for kind, value in signature["content"].items()]
    for place, signer in enumerate(signature["signers"], 1):
        label = catalogue.label(signer["decision"], genuineness=False)
        role = catalogue.word(f"role.{signer['role']}")
        lines.append(f"{catalogue.word('signer', place=str(place))}: {signer['certificate'] or '—'} · {role} · {label}")
        if proven := signer.get("proven_time"):
            by = catalogue.word("evidence.receipt") if proven["kind"] == "receipt" else proven["by"]
            instant = _instant(proven["instant"], catalogue)
            lines.append(f"  {catalogue.word('signer.proven', instant=instant, by=by)}")
    return lines


def _instant(text: str, catalogue: "Messages") -> str:
    from registry.period import InstantError, parse_instant

    try:
        return catalogue.instant(parse_instant(text))
    except InstantError:
        return text
