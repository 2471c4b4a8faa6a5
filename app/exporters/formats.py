"""The formats by their names."""

from app.exporters.delimited import Delimited
from app.exporters.json_lines import JsonLines
from app.exporters.rows import RowWriter
from app.messages import Language
from registry.profile import CredentialProfile

FORMATS = ("csv", "jsonl")


def row_writer(form: str, profile: CredentialProfile, issuer: str, language: Language) -> RowWriter:
    """What writes credentials of a type, all of one issuer, in one of `FORMATS`. The language is that of CSV."""
    match form:
        case "csv":
            return Delimited(profile, language)
        case "jsonl":
            return JsonLines(profile, issuer)
    raise ValueError(f"no format {form}")
