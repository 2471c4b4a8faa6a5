"""What the product imports, wherever it does, is installed with the product: tests have more than users."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"app", "registry", "keys", "migrations"}


def imported(file: Path) -> set[str]:
    """The packages that a file imports, also within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_everything_that_is_imported_is_in_the_lock_of_the_product() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    files = [file for folder in OURS for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    distributions = packages_distributions()
    wanted = {name: file for file in files for name in imported(file) - OURS - sys.stdlib_module_names}
    assert {"fastapi", "cryptography", "sqlalchemy"} <= wanted.keys()
    missing = {
        f"{name} ({file.relative_to(ROOT)})"
        for name, file in wanted.items()
        if not {entry.lower().replace("_", "-") for entry in distributions.get(name, [name])} & locked
    }
    assert missing == set()
