"""The ready-made commands that `accord demo` prints: one question for every decision, by curl and by the shell."""

import shlex
import tomllib
from importlib import resources
from typing import Any

from app import clock
from app.settings import Settings
from app.store.reader import SqliteReader
from app.usecases.publish_status import list_path
from app.waiting import waited_for

_ACCORD = ".venv/bin/accord"


def examples() -> list[dict[str, Any]]:
    """The example questions: `decision`, `title` in both languages, `query` with facts as text or boolean."""
    text = resources.files("app.demonstration").joinpath("examples.toml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = tomllib.loads(text)["examples"]
    return entries


def _written(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def link_parameters(query: dict[str, Any]) -> list[str]:
    """The question as `name=value` parameters of a link."""
    parameters = [f"{name}={value}" for name, value in query.get("credential", {}).items()]
    parameters += [f"{name}={query[name]}" for name in ("jurisdiction", "purpose", "valid_at")]
    parameters += [f"fact.{name}={_written(value)}" for name, value in query.get("facts", {}).items()]
    return parameters


def curl_command(base: str, query: dict[str, Any]) -> str:
    """The question as a curl command that can be pasted into a shell."""
    encoded = " ".join(f"--data-urlencode {shlex.quote(text)}" for text in link_parameters(query))
    return f"curl -sG {base}/v1/recognitions {encoded}"


def shell_arguments(query: dict[str, Any]) -> list[str]:
    """The question as arguments of `accord recognize`."""
    arguments = [f"--{name}={value}" for name, value in query.get("credential", {}).items()]
    arguments += [f"--{name.replace('_', '-')}={query[name]}" for name in ("jurisdiction", "purpose", "valid_at")]
    arguments += [f"--fact={name}={_written(value)}" for name, value in query.get("facts", {}).items()]
    return arguments


def shell_command(query: dict[str, Any]) -> str:
    """The question as a command of this project's own environment."""
    return " ".join([_ACCORD, "recognize", *(shlex.quote(text) for text in shell_arguments(query))])


async def _place(reader: SqliteReader, reference: dict[str, str]) -> tuple[str, int] | None:
    lookup = await reader.find(reference["type"], reference["number"], reference.get("issuer"), clock.now())
    return await reader.status_place(lookup.found[0].held.id) if lookup.found else None


def status_commands(base: str, settings: Settings, reference: dict[str, str]) -> list[str]:
    """Saving the status list of a credential, and deciding from it offline."""
    reader = SqliteReader(settings.store_path)
    try:
        place = waited_for(_place(reader, reference))
    finally:
        reader.close()
    if place is None:
        return []
    return [
        "",
        "# 保存状态列表并离线判定 / save a status list and decide offline",
        f"curl -s {base}{list_path(place[0])} -o status.jwt",
        f"{_ACCORD} status check status.jwt --index {place[1]}",
    ]


def ready_made(base: str, settings: Settings) -> list[str]:
    """What `accord demo` prints: where it is, a command for each decision, and how to check receipt and status."""
    lines = [
        "",
        f"川渝互认演示已就绪 / the demonstration is ready: {base}/docs",
        f"测试数据，无任何效力 / test data, without any force: {settings.store_path}",
    ]
    for entry in examples():
        title = entry["title"]
        lines += [
            "",
            f"# {entry['decision']}: {title['zh']} / {title['en']}",
            curl_command(base, entry["query"]),
            shell_command(entry["query"]),
        ]
    first = examples()[0]["query"]
    lines += [
        "",
        "# 保存凭证并离线核验 / save a receipt and check it offline",
        f"{shell_command(first)} --receipt=r.jws",
        f"curl -s {base}/.well-known/jwks.json -o k.json",
        f"{_ACCORD} verify-receipt r.jws --jwks k.json",
        *status_commands(base, settings, first["credential"]),
        "",
        "# 证件分页 / credentials, page by page",
        f"curl -s '{base}/v1/credentials?limit=50'",
        "",
    ]
    return lines
