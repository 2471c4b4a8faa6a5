"""The table of targets: a name, what reads the bytes, and what fuzzing begins with. A new target is a line here."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from app.importers import FileRefused
from fuzz import parsers, seeds
from keys.errors import KeysError, MalformedError
from registry.errors import PolicyError, QueryRefused, StatementRefused


class Target(Struct, frozen=True):
    """A parser and its first inputs, of which at least one is right.

    `refusals` may come out of it; anything else is a finding.
    """

    name: str
    read: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    refusals: tuple[type[Exception], ...] = (KeysError,)

    def takes(self, data: bytes) -> bool:
        """Whether the bytes were taken. Raises whatever is no documented refusal."""
        try:
            self.read(data)
        except self.refusals:
            return False
        return True


TARGETS = {
    target.name: target
    for target in (
        Target("certificate", parsers.read_any_certificate, seeds.certificates),
        Target("crl", parsers.read_revocation_list, seeds.crls),
        Target("cms", parsers.read_message, seeds.messages),
        Target("ocsp", parsers.read_ocsp, seeds.ocsp_responses),
        Target("timestamp", parsers.read_timestamp, seeds.tokens_of_time),
        Target("der", parsers.read_der, seeds.values),
        Target("names", parsers.read_names, seeds.names),
        Target("jws", parsers.read_jws, seeds.tokens),
        Target("note", parsers.read_note, seeds.notes),
        Target("strict-json", parsers.strict_json.decode_object, seeds.objects),
        Target("jwk", parsers.read_jwk, seeds.jwks),
        Target("algorithm", parsers.read_algorithm, seeds.algorithms),
        Target("sm2-signature", parsers.read_sm2_signature, seeds.sm2_signatures),
        Target("signature", parsers.read_signature, seeds.signatures),
        Target("statement", parsers.read_statement, seeds.statements, (StatementRefused,)),
        Target("status-token", parsers.read_status_token, seeds.status_tokens),
        Target("receipt", parsers.read_receipt, seeds.receipts),
        Target("log", parsers.read_log, seeds.logs),
        Target("question", parsers.read_any_question, seeds.questions, (QueryRefused, MalformedError)),
        Target("policy", parsers.read_policy, seeds.policies, (PolicyError,)),
        Target("csv", parsers.read_register, seeds.tables, (FileRefused,)),
        Target("json-lines", parsers.read_register, seeds.lines, (FileRefused,)),
        Target("workbook", parsers.read_workbook, seeds.sheets, (FileRefused,)),
    )
}
