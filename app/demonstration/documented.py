"""Writes the examples of the OpenAPI document: each demonstration question with the answer it really gets.

Run by `make examples`; receipts are cut, since theirs would differ at every run.
"""

import tempfile
from pathlib import Path
from typing import Any

from app import clock
from app.bootstrap import Node, open_node
from app.cli.demo import prepare
from app.demonstration.commands import examples
from app.messages import messages
from app.presentation import answer_view, to_json
from app.settings import Settings
from app.usecases.issue_receipt import issue_receipt
from app.waiting import waited_for

TARGET = Path(__file__).parent.parent / "api" / "examples.json"


async def _documented(node: Node, query: dict[str, Any]) -> dict[str, Any]:
    now = clock.now()
    _, decision = await node.recognizer.recognize(query, now, written=True)
    answer = answer_view(decision, messages("zh-CN"), node.origin)
    answer["evaluated_at"] = now
    answer["receipt"] = issue_receipt(decision, node.origin, node.signer, now)[:40] + "…"
    answer["request_id"] = "7f3c0a5e9b1d2c4e6f801234"
    # Facts as a program sends them: lists and booleans, not text.
    asked = {**query, "facts": decision.query.statement()["facts"]}
    return {"query": asked, "answer": answer}


def main() -> None:
    """Asks every example of a fresh demonstration and writes the file."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        prepare(settings)
        node = open_node(settings)
        written = [waited_for(_documented(node, entry["query"])) for entry in examples()]
        node.reader.close()
    TARGET.write_bytes(to_json(written, indent=True) + b"\n")


if __name__ == "__main__":
    main()
