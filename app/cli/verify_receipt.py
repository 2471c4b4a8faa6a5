"""`accord verify-receipt`: check a receipt with no network and no database."""

from collections.abc import Mapping
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
    """Exit codes: 0 genuine, 1 not shown to be, 2 usage, 70 failure. Keys are never fetched from where it points.

    One that a key in hand signed, and whose decision cannot be read, is 1 as well: who goes by the exit code goes by a
    decision. What else cannot be read of a genuine one is told, and changes nothing of the decision: 0.
    """
    from app import clock
    from app.messages import messages
    from app.usecases.verify_receipt import verify_receipt

    catalogue = messages(language(lang))
    verdict = verify_receipt(read_token(file), read_ring(jwks))
    notes = _notes(verdict, catalogue, clock.now())
    if json:
        _print_json(verdict, notes)
    else:
        for line in (*_lines(verdict, catalogue), *notes):
            typer.echo(line)
    raise typer.Exit(0 if verdict.genuine else 1)


def _notes(verdict: "ReceiptVerdict", catalogue: "Messages", now: Any) -> list[str]:
    from app.usecases.verify_receipt import KEY_COMPROMISED, shown_names
    from registry.period import InstantError, parse_instant

    claims = verdict.said if verdict.claims is None else verdict.claims
    if claims is None:
        return [catalogue.problem("receipt.key_compromised", {})] if verdict.code == KEY_COMPROMISED else []
    notes = []
    if verdict.unread:
        notes.append(catalogue.word("receipt.unread", names=shown_names(verdict.unread)))
    if verdict.on_stolen_key:
        notes.append(catalogue.problem("receipt.rests_on_compromised", {}))
    if claims.get("livemode") is False:
        notes.append(catalogue.word("receipt.test"))
    try:
        until = parse_instant(str(claims.get("fresh_until")))
    except InstantError:
        return notes
    if until < now:
        notes.append(catalogue.word("receipt.past_fresh", fresh_until=catalogue.moment(until)))
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
                "claims": verdict.said if verdict.claims is None else verdict.claims,
                "unread": verdict.unread,
                "notes": notes,
            },
            option=orjson.OPT_INDENT_2,
        ).decode()
    )


def _lines(verdict: "ReceiptVerdict", catalogue: "Messages") -> list[str]:
    from app.usecases.verify_receipt import KEY_COMPROMISED

    if verdict.claims is not None:
        return [
            catalogue.word("receipt.genuine", kid=verdict.kid or ""),
            *_Reading(catalogue, settled=True).lines(verdict.claims),
        ]
    why = f"{catalogue.refusal(verdict.code or '', verdict.why or '')} [{verdict.code}]"
    if verdict.kid is not None:
        heading = catalogue.word("receipt.unreadable", kid=verdict.kid, why=why)
        if verdict.said is None:
            return [heading]
        part = catalogue.word("receipt.readable_part")
        return [heading, part, *_Reading(catalogue, settled=False).lines(verdict.said)]
    word = "receipt.cannot_tell" if verdict.code == KEY_COMPROMISED else "receipt.not_genuine"
    return [catalogue.word(word, why=why)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class _Reading:
    """Claims as lines, whatever they hold: of a later or another issuer, what can be read; for the rest, that.

    Where it is not settled that the receipt decides anything, no decision is put into words.
    """

    def __init__(self, catalogue: "Messages", *, settled: bool) -> None:
        self._catalogue, self._settled = catalogue, settled
        self._unread = catalogue.word("receipt.unread_value")

    def lines(self, claims: Mapping[str, Any]) -> list[str]:
        """The receipt's main claims."""
        word, line, query = self._catalogue.word, self._catalogue.line, _object(claims.get("query"))
        given = claims.get("reasons")
        reasons = given if isinstance(given, list) and given else [None]
        instants = {name: self._instant(claims.get(name)) for name in ("valid_at", "known_at", "evaluated_at")}
        inspected = query.get("purpose") == "inspection.authenticity"
        return [
            line(word("decision"), self._decision(claims.get("decision"), genuineness=inspected, named=True)),
            line(word("reasons"), ", ".join(map(self._text, reasons))),
            line(word("credential"), self._credential(query.get("credential"))),
            f"{self._text(query.get('jurisdiction'))} · {self._text(query.get('purpose'))}",
            word("receipt.instants", **instants),
            *(self._signed(claims["signature"]) if "signature" in claims else ()),
            f"iss {self._text(claims.get('iss'))} · {self._text(claims.get('jti'))}",
        ]

    def _text(self, value: Any) -> str:
        from app.usecases.verify_receipt import on_one_line

        return on_one_line(value) if isinstance(value, str) and value.strip() else self._unread

    def _decision(self, value: Any, *, genuineness: bool, named: bool = False) -> str:
        from registry.decision import OUTCOMES

        if value not in OUTCOMES:
            # A word that is unknown here is shown and not taken for anything.
            return f"{self._text(value)} {self._unread}" if isinstance(value, str) else self._unread
        if not self._settled:
            return f"{value} {self._catalogue.word('receipt.unsettled')}"
        label = self._catalogue.label(value, genuineness=genuineness)
        return f"{label}{self._catalogue.aside(value)}" if named else label

    def _credential(self, reference: Any) -> str:
        found = _object(reference)
        names = ("id",) if found.get("id") else ("type", "number", "issuer", "certificate")
        return " ".join(self._text(found[name]) for name in names if found.get(name)) or self._unread

    def _instant(self, value: Any) -> str:
        from registry.period import InstantError, parse_instant

        try:
            return self._catalogue.moment(parse_instant(value if isinstance(value, str) else ""))
        except InstantError:
            return self._text(value)

    def _signed(self, signature: Any) -> list[str]:
        """Of a receipt over a document: its digests, and every signer with certificate and the time that is proven."""
        word, said = self._catalogue.word, _object(signature)
        given = said.get("signers")
        signers = given if isinstance(given, list) else [None]
        contents = _object(said.get("content")) or {"—": None}
        lines = [
            word("receipt.document", kind=self._text(kind), value=self._text(value)) for kind, value in contents.items()
        ]
        for place, signer in enumerate(map(_object, signers), 1):
            lines += self._signer(str(place), signer)
        return lines

    def _signer(self, place: str, signer: dict[str, Any]) -> list[str]:
        from registry.signers import ROLES

        word = self._catalogue.word
        certificate = "—" if signer.get("certificate", "") is None else self._text(signer.get("certificate"))
        role = signer.get("role")
        about = (
            certificate,
            word(f"role.{role}") if role in (*ROLES, "unknown") else self._unread,
            self._decision(signer.get("decision"), genuineness=False),
        )
        lines = [self._catalogue.line(word("signer", place=place), " · ".join(about))]
        proven = signer.get("proven_time")
        if proven is not None:
            found = _object(proven)
            by = word("evidence.receipt") if found.get("kind") == "receipt" else self._text(found.get("by"))
            lines.append(f"  {word('signer.proven', instant=self._instant(found.get('instant')), by=by)}")
        return lines
