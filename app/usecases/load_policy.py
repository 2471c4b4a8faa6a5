"""Read policy documents from folders of TOML files."""

from collections.abc import Iterable
from importlib.resources.abc import Traversable

from registry.document import PolicyDocument, parse_document
from registry.policy import KINDS


def read_policy_folder(root: Traversable) -> tuple[PolicyDocument, ...]:
    """All documents under `root`: one folder per kind, named in the plural. Raises `PolicyError`."""
    documents: list[PolicyDocument] = []
    for kind in KINDS:
        folder = root.joinpath(f"{kind}s")
        if folder.is_dir():
            documents.extend(_read_files(kind, folder.iterdir()))
    return tuple(documents)


def _read_files(kind: str, files: Iterable[Traversable]) -> Iterable[PolicyDocument]:
    for file in sorted(files, key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            yield parse_document(kind, f"{kind}s/{file.name}", file.read_bytes())
