"""The image, without a container engine: its installing steps are replayed in an empty folder and environment."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "keys", "migrations", "registry")

# What tells pip where its index is on this machine; nothing else of our environment may help the installation.
NETWORK = re.compile(r"PIP_\w+|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(https?|no|all)_proxy", re.IGNORECASE)

LIST_INSTALLED_FILES = """
import importlib.metadata, importlib.resources, json, sys
names = sys.argv[1:]
def walk(folder, at):
    for entry in folder.iterdir():
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from walk(entry, f"{at}/{entry.name}")
        else:
            yield f"{at}/{entry.name}"
files = sorted(file for name in names for file in walk(importlib.resources.files(name), name))
print(json.dumps({"version": importlib.metadata.version("accord-cq-sc"), "files": files}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of the Dockerfile, its continued lines joined."""

    word: str
    rest: str


def steps() -> list[Step]:
    text = "\n".join(
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [Step(word=line.split()[0], rest=line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def build_stage() -> list[Step]:
    """The first stage: from the first FROM to the next one."""
    return list(takewhile(lambda step: step.word != "FROM", steps()[1:]))


def final_stage() -> list[Step]:
    *_, last = (position for position, step in enumerate(steps()) if step.word == "FROM")
    return steps()[last:]


def sole(word: str, stage: list[Step]) -> str:
    (step,) = (step for step in stage if step.word == word)
    return step.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A folder that stands for the file system of the image under construction."""

    folder: Path
    environment: dict[str, str]

    def place(self, path: str) -> Path:
        """Where an absolute path of the image is here."""
        return self.folder / path.lstrip("/")

    def copy(self, arguments: str, workdir: str) -> None:
        *sources, target = shlex.split(arguments)
        into = self.place(workdir) / target
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy2(ROOT / source, into / source if target.endswith("/") else into)

    def run(self, command: str, workdir: str) -> None:
        """Run one RUN line, its absolute paths (all of them under /opt or /src) moved into the folder."""
        moved = re.sub(r"(?<![\w./-])/(?=(?:opt|src)\b)", f"{self.folder}/", command)
        self.call(["sh", "-euc", moved], self.place(workdir))

    def call(self, command: list[str], cwd: Path) -> str:
        done = subprocess.run(command, cwd=cwd, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout


def empty_environment(folder: Path) -> dict[str, str]:
    """As ``env -i``: a search path that knows ``python`` as the image does, a home for pip's own settings."""
    tools = folder / "tools"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(os.path.realpath(sys.executable))
    network = {name: value for name, value in os.environ.items() if NETWORK.fullmatch(name)}
    return {**network, "PATH": f"{tools}:/usr/bin:/bin", "HOME": str(Path.home())}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    folder = tmp_path_factory.mktemp("image")
    replay = Replay(folder=folder, environment=empty_environment(folder))
    workdir = "/"
    for step in build_stage():
        if step.word == "WORKDIR":
            workdir = step.rest
            replay.place(workdir).mkdir(parents=True)
        elif step.word == "COPY":
            replay.copy(step.rest, workdir)
        elif step.word == "RUN":
            replay.run(step.rest, workdir)
    # The final stage takes the environment alone: what still leans on the sources must fail here.
    shutil.rmtree(replay.place(workdir))
    return replay


def packaged_files() -> Iterator[str]:
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


@pytest.mark.slow_install
def test_the_installed_command_runs_outside_the_checkout(image: Replay, tmp_path: Path) -> None:
    command = image.place("/opt/accord/bin/accord")
    assert "serve" in image.call([str(command), "--help"], tmp_path)


@pytest.mark.slow_install
def test_every_module_and_data_file_is_installed(image: Replay, tmp_path: Path) -> None:
    python = image.place("/opt/accord/bin/python")
    installed = json.loads(image.call([str(python), "-I", "-c", LIST_INSTALLED_FILES, *PACKAGES], tmp_path))
    expected = sorted(packaged_files())
    assert any(name.startswith("registry/agreements/") and name.endswith(".toml") for name in expected)
    assert installed["files"] == expected
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert installed["version"] == project["version"]


@pytest.mark.slow_install
def test_the_installed_distributions_agree(image: Replay, tmp_path: Path) -> None:
    python = image.place("/opt/accord/bin/python")
    assert "No broken requirements" in image.call([str(python), "-m", "pip", "check"], tmp_path)


def test_every_outside_package_is_checked_by_hash() -> None:
    installs = [
        part
        for step in steps()
        if step.word == "RUN"
        for part in re.split(r"&&|;", step.rest)
        if re.search(r"\bpip install\b", part)
    ]
    assert len(installs) == 2
    for part in installs:
        words = set(shlex.split(part))
        assert "--require-hashes" in words or {"--no-deps", "--no-build-isolation", "."} <= words


def test_the_service_does_not_run_as_root() -> None:
    user = sole("USER", final_stage())
    assert user.split(":")[0] not in {"root", "0"}
    assert any(step.word == "RUN" and re.search(rf"\buseradd\b.* {user}$", step.rest) for step in final_stage())


def test_the_image_asks_itself_whether_it_is_well() -> None:
    options, command = sole("HEALTHCHECK", final_stage()).split("CMD ", maxsplit=1)
    assert "--interval" in options
    program = json.loads(command)
    assert program[:2] == ["python", "-c"]
    assert "http://127.0.0.1:8000/healthz" in program[2]
    compile(program[2], "HEALTHCHECK", "exec")


def test_the_image_serves_on_its_port_from_its_volume() -> None:
    stage = final_stage()
    assert json.loads(sole("CMD", stage)) == ["accord", "serve", "--host", "0.0.0.0", "--port", "8000"]
    assert sole("EXPOSE", stage) == "8000"
    home = sole("VOLUME", stage)
    assert f"ACCORD_HOME={home}" in sole("ENV", stage)


def test_the_build_context_holds_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source
        for step in steps()
        if step.word == "COPY" and not step.rest.startswith("--from")
        for source in shlex.split(step.rest)[:-1]
    }
    assert "*" in lines
    assert copied == admitted
