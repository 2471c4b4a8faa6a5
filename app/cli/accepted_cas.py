"""`accord accepted-cas`: which certification authorities a jurisdiction or a platform accepts, and when."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.outcome import USAGE, fail, language
from app.cli.policy_entry import change, instant, newest_policy, period

if TYPE_CHECKING:
    from app.messages import Messages
    from registry.document import LegalBasis, LocalText
    from registry.policy import Policy

accepted_cas = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
Lang = Annotated[str | None, typer.Option(help="语言：zh-CN、en / language", envvar="ACCORD_LANG")]
ListId = Annotated[str, typer.Option("--list", help="名单标识 / id of the list")]
Ca = Annotated[str, typer.Option(help="信任锚标识 / id of the authority's trust anchor")]


@accepted_cas.command("add", help="把一家机构列入名单，没有名单时新建 / Put an authority on a list, new or old")
def add(
    list_id: ListId,
    ca: Ca,
    jurisdiction: Annotated[str | None, typer.Option(help="新名单：使用地 / new list: CN-CQ, CN-SC")] = None,
    relying_party: Annotated[str | None, typer.Option(help="新名单：平台，默认全省市 / new list: its platform")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="新名单：用途，可重复 / new list: purpose")] = None,
    start: Annotated[str | None, typer.Option("--from", help="自何时起接受 / accepted from")] = None,
    end: Annotated[str | None, typer.Option("--until", help="到何时止（不含）/ accepted until, exclusive")] = None,
    name_zh: Annotated[str | None, typer.Option(help="新名单：中文名称 / new list: name in Chinese")] = None,
    name_en: Annotated[str | None, typer.Option(help="新名单：英文名称 / new list: name in English")] = None,
    basis_instrument: Annotated[str | None, typer.Option(help="新名单：依据 / new list: legal instrument")] = None,
    basis_number: Annotated[str | None, typer.Option(help="新名单：文号 / new list: its number")] = None,
    json: Json = False,
    lang: Lang = None,
) -> None:
    """Exit codes: 0 entered or unchanged, 2 a mistake, 70 failure."""
    from app.messages import messages
    from app.usecases.accepted_cas import ListStatement, add_accepted_ca

    catalogue = messages(language(lang))
    served = period(start, end)
    statement = ListStatement(
        id=list_id,
        jurisdiction=jurisdiction,
        relying_party=relying_party,
        purposes=tuple(purpose or ()),
        name=_name(name_zh, name_en),
        basis=_basis(basis_instrument, basis_number),
    )

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy, list_id, ca, catalogue)

    change(lambda policy: add_accepted_ca(policy.trust, statement, ca, served), show, catalogue, json=json)


@accepted_cas.command("remove", help="使一家机构自某时起退出名单 / End an authority's time on a list")
def remove(
    list_id: ListId,
    ca: Ca,
    at: Annotated[str, typer.Option(help="自何时起不再接受 / no longer accepted from then on")],
    json: Json = False,
    lang: Lang = None,
) -> None:
    """The line stays, for answers about the time before. Exit codes: 0 entered or unchanged, 2 a mistake, 70."""
    from app.messages import messages
    from app.usecases.accepted_cas import remove_accepted_ca

    catalogue = messages(language(lang))
    end = instant("--at", at)

    def show(policy: "Policy") -> tuple[str, dict[str, Any]]:
        return _shown(policy, list_id, ca, catalogue)

    change(lambda policy: remove_accepted_ca(policy.trust, list_id, ca, end), show, catalogue, json=json)


@accepted_cas.command("list", help="列出名单 / List the lists")
def list_lists(json: Json = False, lang: Lang = None) -> None:
    """Lists the newest version of each list with all its lines, past ones too."""
    from app.messages import messages
    from app.presentation import to_json
    from app.settings import Settings
    from app.trust_presentation import accepted_list_view, span

    catalogue = messages(language(lang))
    lists = newest_policy(Settings()).trust.lists.values()
    if json:
        typer.echo(to_json([accepted_list_view(accepted, catalogue) for accepted in lists]).decode())
        return
    for accepted in lists:
        party = accepted.relying_party or "*"
        purposes = ",".join(accepted.purposes)
        name = catalogue.local(accepted.name)
        typer.echo(f"{accepted.id} v{accepted.version} {accepted.jurisdiction} {party} {purposes} {name}")
        for entry in accepted.entries:
            typer.echo(f"  - {entry.ca} {span(entry.period)}")


def _name(zh: str | None, en: str | None) -> "LocalText | None":
    from registry.document import LocalText

    if zh is None and en is None:
        return None
    if zh is None or en is None:
        fail("--name-zh, --name-en: 应一并给出 / give both", USAGE)
    return LocalText(zh=zh, en=en)


def _basis(instrument: str | None, number: str | None) -> "LegalBasis | None":
    from registry.document import LegalBasis

    if instrument is None and number is None:
        return None
    if instrument is None:
        fail("--basis-number: 应一并给出 / give also --basis-instrument", USAGE)
    return LegalBasis(instrument=instrument, number=number)


def _shown(policy: "Policy", list_id: str, ca: str, catalogue: "Messages") -> tuple[str, dict[str, Any]]:
    from app.trust_presentation import accepted_list_view, span

    accepted = policy.trust.lists[list_id]
    times = "; ".join(span(entry.period) for entry in accepted.entries_for((ca,)))
    line = catalogue.word("accepted_list.entered", id=list_id, version=str(accepted.version), ca=ca, times=times)
    return line, accepted_list_view(accepted, catalogue)
