"""What the product imports, wherever it does, is installed with the product: tests have more than users."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"app", "registry", "keys", "migrations"}
OPTIONAL = {"pkcs11": "keys/custody/token.py"}
"""What an extra of the package brings, and the one file that imports it, within a function."""


def imported(file: Path) -> set[str]:
    """The packages that a file imports, also within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def locked_in(lock: str) -> set[str]:
    content = (ROOT / lock).read_text(encoding="utf-8")
    return {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", content, re.MULTILINE)}


def test_everything_that_is_imported_is_in_the_lock_of_the_product() -> None:
    locked = locked_in("requirements.lock")
    files = [file for folder in OURS for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    distributions = packages_distributions()
    wanted = {
        name: file for file in files for name in imported(file) - OURS - OPTIONAL.keys() - sys.stdlib_module_names
    }
    assert {"fastapi", "cryptography", "sqlalchemy"} <= wanted.keys()
    missing = {
        f"{name} ({file.relative_to(ROOT)})"
        for name, file in wanted.items()
        if not {entry.lower().replace("_", "-") for entry in distributions.get(name, [name])} & locked
    }
    assert missing == set()


def test_what_is_optional_is_imported_by_one_file_at_first_use_and_has_a_lock_of_its_own() -> None:
    files = [file for folder in OURS for file in (ROOT / folder).rglob("*.py")]
    for name, place in OPTIONAL.items():
        importing = {str(file.relative_to(ROOT)) for file in files if name in imported(file)}
        assert importing == {place}
        module = ast.parse((ROOT / place).read_text(encoding="utf-8"))
        assert name not in {entry.name for node in module.body if isinstance(node, ast.Import) for entry in node.names}
    assert locked_in("requirements-pkcs11.lock") - locked_in("requirements.lock") == {"python-pkcs11"}


def test_fuzzing_brings_its_fuzzer_and_nothing_else_that_was_not_tested() -> None:
    more = locked_in("requirements-fuzz.lock") - locked_in("requirements.lock")
    assert more == {"atheris"}
    assert "atheris" not in locked_in("requirements-dev.lock")
