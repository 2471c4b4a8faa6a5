"""Read policy documents from folders of TOML files."""

from collections.abc import Iterable
from importlib.resources.abc import Traversable

from registry.document import PolicyDocument, parse_document
from registry.errors import PolicyError
from registry.policy import KINDS


def read_policy_folder(root: Traversable, *, strict: bool = False) -> tuple[PolicyDocument, ...]:
    """All documents under `root`: one folder per kind, named in the plural. Raises `PolicyError`.

    `strict` refuses whatever else lies there: an operator's misspelt folder must not be passed over.
    """
    documents: list[PolicyDocument] = []
    if strict:
        _refuse_strays(root)
    for kind in KINDS:
        folder = root.joinpath(f"{kind}s")
        if folder.is_dir():
            documents.extend(_read_files(kind, folder.iterdir()))
    return tuple(documents)


def _refuse_strays(root: Traversable) -> None:
    folders = [f"{kind}s" for kind in KINDS]
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        if entry.name not in folders or not entry.is_dir():
            raise PolicyError(str(entry), "", f"does not belong here; folders: {', '.join(folders)}")
        for file in entry.iterdir():
            if not file.name.endswith(".toml"):
                raise PolicyError(str(file), "", "is not a .toml file")


def _read_files(kind: str, files: Iterable[Traversable]) -> Iterable[PolicyDocument]:
    for file in sorted(files, key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            yield parse_document(kind, f"{kind}s/{file.name}", file.read_bytes())
