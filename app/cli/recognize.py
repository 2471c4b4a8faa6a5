"""`accord recognize`: ask the main question of a local store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.outcome import EXIT, USAGE, fail, failing_clearly, language
from app.cli.question import refuse

if TYPE_CHECKING:
    from app.messages import Messages


def recognize(
    type: Annotated[str | None, typer.Option(help="证件类型 / credential type")] = None,
    number: Annotated[str | None, typer.Option(help="证号 / number")] = None,
    issuer: Annotated[str | None, typer.Option(help="发证机关标识 / issuer id")] = None,
    id: Annotated[str | None, typer.Option(help="证件标识，以 cred_ 开头 / credential id; begins with cred_")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="使用地 / where: CN-CQ, CN-SC")] = None,
    purpose: Annotated[str | None, typer.Option(help="用途 / purpose")] = None,
    valid_at: Annotated[str | None, typer.Option(help="法律时点，默认当前 / legal instant")] = None,
    known_at: Annotated[str | None, typer.Option(help="登记簿所知时点，默认当前 / known at")] = None,
    relying_party: Annotated[str | None, typer.Option(help="提问平台 / relying party")] = None,
    expected_uscc: Annotated[str | None, typer.Option(help="应为此代码的主体 / expected holder's USCC")] = None,
    expected_name: Annotated[str | None, typer.Option(help="应为此名称的主体 / expected holder's name")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="个案事实 名称=值，可重复 / name=value, repeatable")] = None,
    receipt: Annotated[Path | None, typer.Option(help="把凭证存入文件 / save the receipt to a file")] = None,
    json: Annotated[bool, typer.Option("--json", help="输出与接口相同的 JSON / print the JSON of the API")] = False,
    lang: Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")] = None,
) -> None:
    """Exit codes: 0 recognised, 1 not, 2 usage, 3 indeterminate or not found, 4 conditional, 5 not required, 70."""
    from app.messages import messages

    reference = {"type": type, "number": number, "issuer": issuer, "id": id}
    subject = {"uscc": expected_uscc, "name": expected_name}
    content: dict[str, Any] = {
        "credential": {name: value for name, value in reference.items() if value is not None} or None,
        "jurisdiction": jurisdiction,
        "purpose": purpose,
        "valid_at": valid_at,
        "known_at": known_at,
        "relying_party": relying_party,
        "expected_subject": {name: value for name, value in subject.items() if value is not None} or None,
        "facts": _facts(fact or []),
    }
    catalogue = messages(language(lang))
    view = _answer(content, catalogue)
    if receipt is not None:
        with failing_clearly():
            receipt.write_text(view["receipt"] + "\n", encoding="ascii")
    if json:
        from app.presentation import to_json

        typer.echo(to_json(view, indent=True).decode())
    else:
        for line in render(view, catalogue):
            typer.echo(line)
    raise typer.Exit(EXIT[view["decision"]])


def _facts(given: list[str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--fact {text!r}: 应写作 名称=值 / write name=value", USAGE)
        if name in facts:
            fail(f"--fact {name}: 出现不止一次 / given more than once", USAGE)
        facts[name] = value
    return facts


def _answer(content: dict[str, Any], catalogue: "Messages") -> dict[str, Any]:
    from app import clock
    from app.bootstrap import open_node
    from app.presentation import answer_view
    from app.settings import Settings
    from app.usecases.issue_receipt import issue_receipt
    from app.waiting import waited_for
    from registry.errors import QueryRefused

    with failing_clearly():
        node = open_node(Settings())
        now = clock.now()
        try:
            _, decision = waited_for(node.recognizer.recognize(content, now, written=True))
        except QueryRefused as error:
            refuse(error, catalogue)
        finally:
            node.reader.close()
        view = answer_view(decision, catalogue, node.origin)
        view["evaluated_at"] = now
        view["receipt"] = issue_receipt(decision, node.origin, node.signer, now)
        view["request_id"] = "cli"
    return view


def _contact(contact: dict[str, Any]) -> str:
    return " ".join(part for part in (contact["name"], contact["phone"], contact["url"]) if part)


def _basis(basis: dict[str, str | None], catalogue: "Messages") -> str:
    """An instrument with its number and article, as laws are cited in the language."""
    chinese = catalogue.language == "zh-CN"
    named = f"《{basis['instrument']}》" if chinese else basis["instrument"]
    article = catalogue.article(basis["article"]) if basis["article"] else None
    if chinese:
        return f"{named}{'（' + basis['number'] + '）' if basis['number'] else ''}{article or ''}"
    return " ".join(part for part in (named, basis["number"], article) if part)


# What these checks look at is another thing for a lock than for a licence.
_OF_LOCK = frozenset(("format", "issuer", "freshness"))


def render(view: dict[str, Any], catalogue: "Messages") -> list[str]:
    """An answer as lines for people."""
    word, line, aside = catalogue.word, catalogue.line, catalogue.aside
    lines = [line(word("decision"), f"{view['label']}{aside(view['decision'])}")]
    credential = view["credential"]
    if credential is not None:
        holder = credential["subject"]["name"] or word("personal_name")
        issuer = credential["issuer"]["name"] or credential["issuer"]["id"]
        lines.append(line(word("credential"), f"{credential['number']} · {holder} · {issuer}"))
    lines.append(line(word("reasons")))
    for reason in view["reasons"]:
        lines.append(f"  - {reason['message']} [{reason['code']}]")
        if reason["remedy"]:
            lines.append(f"    {line(word('remedy'), reason['remedy'])}")
        if reason["contact"]:
            lines.append(f"    {line(word('contact'), _contact(reason['contact']))}")
        bases = catalogue.listed(_basis(basis, catalogue) for basis in reason["legal_basis"])
        lines.append(f"    {line(word('legal_basis'), bases)}")
    if view["conditions"]:
        lines.append(line(word("conditions")))
        lines += [f"  - {entry['message']}{aside(word('state.' + entry['state']))}" for entry in view["conditions"]]
    lines.append(line(word("checks")))
    own = _OF_LOCK if credential is not None and credential["type"] == "ca-certificate" else frozenset()
    for entry in view["checks"]:
        looked_at = word(f"{'check_of_lock' if entry['name'] in own else 'check'}.{entry['name']}")
        lines.append(f"  - {line(looked_at, word('result.' + entry['result']))} · {entry['message']}")
    return lines
