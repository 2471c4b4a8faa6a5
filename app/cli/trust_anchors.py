"""`accord trust-anchors`: import, list and retire certificates of certification authorities."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.given_file import read_given
from app.cli.outcome import USAGE, fail, language
from app.cli.policy_entry import change, instant, newest_policy, period

if TYPE_CHECKING:
    from app.messages import Messages
    from registry.policy import Policy
    from registry.trust import TrustAnchor

trust_anchors = typer.Typer(no_args_is_help=True)

_MAX_FILE = 1024 * 1024

Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
Lang = Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")]


@trust_anchors.command("import", help="登记一家机构的证书 / Enter an authority's certificate")
def import_anchor(
    file: Annotated[Path, typer.Argument(help="证书文件：PEM、base64 或 DER / certificate file")],
    id: Annotated[str, typer.Option(help="信任锚标识 / id of the trust anchor")],
    name_zh: Annotated[str, typer.Option(help="中文名称 / name in Chinese")],
    name_en: Annotated[str, typer.Option(help="英文名称 / name in English")],
    qualifier: Annotated[
        list[str] | None, typer.Option(help="用途，可重复 / bidding, government-seal, timestamp; repeatable")
    ] = None,
    role: Annotated[str, typer.Option(help="信任锚或中间证书 / anchor, intermediate")] = "anchor",
    authority: Annotated[str | None, typer.Option(help="发证机关标识 / authority id")] = None,
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="适用地，可重复；默认各地 / where; repeatable; default: everywhere")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="自何时起信任 / trusted from")] = None,
    end: Annotated[str | None, typer.Option("--until", help="到何时止（不含）/ trusted until, exclusive")] = None,
    revocation_url: Annotated[
        list[str] | None, typer.Option(help="吊销列表地址，可重复 / URL of a CRL; repeatable")
    ] = None,
    revocation_host: Annotated[
        list[str] | None,
        typer.Option(
            help="允许的主机（:端口），可重复；默认为地址中的主机 / allowed host[:port]; default: those of the URLs"
        ),
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="出处，可重复 / where this comes from")] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Exit codes: 0 entered or unchanged, 2 a mistake, 70 failure. Compare the fingerprint with the published one."""
    from app.messages import messages
    from app.usecases.trust_anchors import AnchorStatement, import_trust_anchor
    from registry.document import LocalText

    catalogue = messages(language(lang))
    statement = AnchorStatement(
        id=id,
        certificate=_read(file),
        name=LocalText(zh=name_zh, en=name_en),
        role=role,
        qualifiers=tuple(qualifier or ()),
        authority=authority,
        jurisdictions=tuple(jurisdiction or ()),
        effective=period(start, end),
        revocation_urls=tuple(revocation_url or ()),
        revocation_hosts=tuple(revocation_host or ()),
        sources=tuple(source or ()),
    )

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy.trust.anchors[id], catalogue, "trust_anchor.imported")

    change(lambda policy: import_trust_anchor(policy.trust, statement), show, catalogue, json=json)


@trust_anchors.command("list", help="列出信任锚 / List trust anchors")
def list_anchors(json: Json = False, lang: Lang = None) -> None:
    """Lists the newest version of each file, retired ones too."""
    from app.messages import messages
    from app.presentation import to_json
    from app.settings import Settings
    from app.trust_presentation import trust_anchor_view

    catalogue = messages(language(lang))
    anchors = newest_policy(Settings()).trust.anchors.values()
    if json:
        typer.echo(to_json([trust_anchor_view(anchor, catalogue) for anchor in anchors]).decode())
        return
    for anchor in anchors:
        typer.echo(_line(anchor, catalogue))


@trust_anchors.command("retire", help="停止信任 / Stop trusting one")
def retire(
    id: Annotated[str, typer.Argument(help="信任锚标识 / id of the trust anchor")],
    at: Annotated[str, typer.Option(help="自何时起不再信任 / no longer trusted from then on")],
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Ends a file's period. Exit codes: 0 entered or unchanged, 2 a mistake, 70 failure."""
    from app.messages import messages
    from app.usecases.trust_anchors import retire_trust_anchor

    catalogue = messages(language(lang))
    end = instant("--at", at)

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy.trust.anchors[id], catalogue, "trust_anchor.retired")

    change(lambda policy: retire_trust_anchor(policy.trust, id, end), show, catalogue, json=json)


def _read(file: Path) -> bytes:
    from keys.certificate import read_certificate
    from keys.errors import KeysError

    content = read_given("file", file, _MAX_FILE)
    try:
        read_certificate(content)
    except KeysError as error:
        fail(f"file {file}: 不是一份证书 / is not a certificate: {error.detail}", USAGE)
    return content


def _shown(anchor: "TrustAnchor", catalogue: "Messages", word: str) -> tuple[str, dict[str, Any]]:
    from app.trust_presentation import trust_anchor_view
    from registry.period import format_instant

    line = catalogue.word(
        word,
        id=anchor.id,
        version=str(anchor.version),
        subject=anchor.certificate.subject_text,
        fingerprint=anchor.certificate.fingerprint,
        until="" if anchor.effective.end is None else format_instant(anchor.effective.end),
    )
    return line, trust_anchor_view(anchor, catalogue)


def _line(anchor: "TrustAnchor", catalogue: "Messages") -> str:
    from app.trust_presentation import span

    served = ",".join(sorted(anchor.qualifiers)) or "-"
    places = ",".join(sorted(anchor.jurisdictions)) or "*"
    name = catalogue.local(anchor.name)
    certificate = anchor.certificate
    return (
        f"{anchor.id} v{anchor.version} {anchor.role} {served} {places} {span(anchor.effective)} {name}"
        f" · {certificate.subject_text} · {certificate.fingerprint}"
    )
