"""The rules of the house that a machine can keep: sizes, names, import layers, and what must never be in a file."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.requirements import require

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app", "bench", "conformance", "fuzz", "keys", "migrations", "registry", "tests")

FILE_LINES = 500
FUNCTION_LINES = 60
NAMES_WITHOUT_A_SUBJECT = {"common", "helper", "helpers", "manager", "managers", "util", "utils"}

# Put together from pieces, so that this file does not hold what it looks for.
PRIVATE_KEY_BEGINS = "-" * 5 + "BEGIN {kind}PRI" + "VATE KEY" + "-" * 5
PRIVATE_KEY = re.compile((PRIVATE_KEY_BEGINS.format(kind="(?:[A-Z0-9]+ )?") + r"(?:\\n|\s)+[A-Za-z0-9+/]{40}").encode())
MACHINE_PATH = re.compile((r"(?<![\w.)}\]-])/(?:wo" + r"rk|ro" + r"ot)/").encode())
PACKAGE_HOST = re.compile(
    "|".join(
        (
            r"\bpy" + r"pi\.org\b",
            r"\bpython" + r"hosted\.org\b",
            r"\bnpm" + r"js\.(?:org|com)\b",
            r"\bdeb\." + r"debian\.org\b",
            r"\bjs" + r"delivr\.net\b",
            r"\bunp" + r"kg\.com\b",
            r"https?://[^\s\"'<>]*/sim" + r"ple\b",
        )
    ).encode()
)

PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def python_files() -> list[Path]:
    return sorted(path for name in SOURCES for path in (ROOT / name).rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def kept_files() -> Iterator[tuple[str, bytes]]:
    """What is in the repository or about to be: every file that git does not ignore, with its bytes."""
    git = shutil.which("git")
    require(git, "git")
    command = [str(git), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    require(listing.returncode == 0, "a git checkout")
    for name in sorted(set(listing.stdout.decode().split("\0")) - {""}):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_bytes()


def line_of(content: bytes, match: re.Match[bytes]) -> int:
    return content.count(b"\n", 0, match.start()) + 1


def places(pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{name}:{line_of(content, match)}" for name, content in kept_files() for match in pattern.finditer(content)
    ]


def long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{shown(path)}:{node.lineno} {node.name} has {lines} lines"


def pins(lock: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / lock).read_text(encoding="utf-8")))


def test_a_file_has_at_most_500_lines() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert shown(Path(__file__).resolve()) in lengths
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_a_function_has_at_most_60_lines() -> None:
    assert [function for path in python_files() for function in long_functions(path)] == []


def test_a_module_is_named_for_its_subject() -> None:
    names = {shown(path): Path(shown(path)).with_suffix("").parts for path in python_files()}
    assert [path for path, parts in names.items() if NAMES_WITHOUT_A_SUBJECT & set(parts)] == []


def test_every_folder_of_modules_is_a_package() -> None:
    """The import contracts pass over a folder without ``__init__.py``."""
    packages = {path.parent for path in python_files() if path.relative_to(ROOT).parts[0] not in {"bench", "tests"}}
    assert [shown(folder) for folder in sorted(packages) if not (folder / "__init__.py").is_file()] == []


def test_the_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    verdict = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_no_private_key_is_kept() -> None:
    assert places(PRIVATE_KEY) == []


def test_no_path_of_one_machine_is_kept() -> None:
    assert places(MACHINE_PATH) == []


def test_no_address_of_a_package_host_is_kept() -> None:
    assert places(PACKAGE_HOST) == []


@pytest.mark.parametrize(
    ("pattern", "found", "passed_over"),
    [
        (PRIVATE_KEY, PRIVATE_KEY_BEGINS.format(kind="EC ") + "\n" + "A" * 64, PRIVATE_KEY_BEGINS.format(kind="")),
        (MACHINE_PATH, '"/ro' + 'ot/.cache"', "/v1/wo" + "rk/7"),
        (PACKAGE_HOST, "https://py" + "pi.org/project", "happy" + "pi.organ"),
    ],
    ids=["private key", "path", "package host"],
)
def test_the_search_finds_what_it_is_for(pattern: re.Pattern[bytes], found: str, passed_over: str) -> None:
    assert pattern.search(found.encode())
    assert not pattern.search(passed_over.encode())


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-pkcs11.lock"])
def test_what_runs_is_what_was_tested(lock: str) -> None:
    running, tested = pins(lock), pins("requirements-dev.lock")
    assert {"fastapi", "setuptools", "wheel"} <= running.keys()
    assert {name: tested.get(name) for name in running} == running


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-pkcs11.lock", "requirements-dev.lock", "requirements-fuzz.lock"]
)
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8"))
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
