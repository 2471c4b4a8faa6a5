"""Credential profiles: everything that makes a credential type what it is, read from one TOML file each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from keys.certificate import KEY_USAGES
from registry.columns import read_columns
from registry.document import LegalBasis, LocalText, PolicyDocument, Table, read_legal_basis
from registry.field import FACT_KINDS, FIELD_KINDS, Field, read_fields
from registry.finding import CHECKS
from registry.identifiers import CHECK_SYSTEMS, NORMALISATIONS
from registry.jurisdiction import CONFIDENCE
from registry.lifecycle import Lifecycle, read_lifecycle
from registry.scope import ScopeRule, read_scope_rule
from registry.trust import QUALIFIERS

EVIDENCE = ("register", "certificate")
"""How a credential proves itself: by its register's entry, or as a certificate by signature and path."""


TOLD_ROLES = ("legal_representative", "unknown")
"""The roles of a holder in a company that words in a certificate tell. Who has none is the company itself."""


class NumberVerdict(Struct, frozen=True, kw_only=True):
    """What can be said of a number by itself."""

    well_formed: bool
    check_right: bool
    jurisdiction: str | None
    outside: bool = False
    """Whether the number names a place whose registers are none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule:
    """How a type's numbers are written, checked and normalised before look-up.

    The pattern's group `checked` is what the check system runs over; its group `jurisdiction` is looked up in
    `jurisdictions`. A rule whose confidence is G or U only warns.
    """

    normalisation: str
    pattern: re.Pattern[str] | None
    check: str
    jurisdictions: Mapping[str, str]
    unique_within: str
    confidence: str
    example: str

    @property
    def authoritative(self) -> bool:
        """Whether a number against the pattern can be called malformed for certain."""
        return self.confidence in ("V", "S")

    def normalise(self, number: str) -> str:
        """The form in which the number is looked up."""
        return NORMALISATIONS[self.normalisation](number)

    def judge(self, normalised: str) -> NumberVerdict:
        """Total over any text."""
        if self.pattern is None:
            return NumberVerdict(well_formed=bool(normalised), check_right=True, jurisdiction=None)
        match = self.pattern.fullmatch(normalised)
        if match is None:
            return NumberVerdict(well_formed=False, check_right=True, jurisdiction=None)
        groups = match.groupdict()
        place = groups.get("jurisdiction")
        return NumberVerdict(
            well_formed=True,
            check_right=CHECK_SYSTEMS[self.check](groups.get("checked") or normalised),
            jurisdiction=self.jurisdictions.get(place or ""),
            outside=place is not None and place not in self.jurisdictions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a credential of the type may be asked about, and the facts that the answer needs."""

    id: str
    label: LocalText
    genuineness: bool
    required: tuple[str, ...]
    optional: tuple[str, ...]
    place_fact: str | None
    not_at_home: LocalText | None
    """Why the credential does not serve this purpose even where it was issued; None where it does."""
    uses_catalogue: bool
    scope: tuple[ScopeRule, ...]
    needed: frozenset[str]
    key_usage: frozenset[str]
    """Of a certificate: one of these key usages serves the purpose. Empty where the type is no certificate."""
    qualifier: str | None
    """Of a certificate: what its trust anchor must be qualified for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueUse:
    """The catalogue that says whether a credential of the type is needed, and the facts it is asked with."""

    id: str
    instrument_fact: str
    size_fact: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialProfile:
    """A credential type, as one version of its file."""

    id: str
    version: int
    digest: str
    name: LocalText
    evidence: str
    confidence: str
    number: NumberRule
    max_age: timedelta
    area_attribute: str | None
    attributes: Mapping[str, Field]
    facts: Mapping[str, Field]
    purposes: Mapping[str, Purpose]
    catalogue: CatalogueUse | None
    lifecycle: Lifecycle | None
    """The steps that an issuer may state; None where it states none, as a certificate's life is told by lists."""
    bases: Mapping[str, tuple[LegalBasis, ...]]
    """What the law says about each check of the type; never empty."""
    role_words: Mapping[str, tuple[str, ...]]
    """Of a certificate: the words in its subject by which the holder's role in a company is known, by role."""
    columns: Mapping[str, tuple[str, ...]]
    """Headers of a register's file by member (`registry.columns`). Empty: only the members' paths are understood."""

    def field(self, name: str) -> Field:
        """A declared fact, or else attribute. Raises KeyError."""
        return self.facts[name] if name in self.facts else self.attributes[name]


def _read_number(table: Table) -> NumberRule:
    text = table.optional_text("pattern")
    try:
        pattern = re.compile(text, re.ASCII) if text else None
    except (re.error, OverflowError, RecursionError) as error:
        raise table.refuse("pattern", f"is not a regular expression: {error}") from None
    rule = NumberRule(
        normalisation=table.choice("normalisation", NORMALISATIONS),
        pattern=pattern,
        check=table.choice("check", CHECK_SYSTEMS),
        jurisdictions=table.mapping("jurisdictions"),
        unique_within=table.choice("unique_within", ("type", "issuer")),
        confidence=table.choice("confidence", CONFIDENCE),
        example=table.text("example"),
    )
    verdict = rule.judge(rule.normalise(rule.example))
    if not (verdict.well_formed and verdict.check_right):
        raise table.refuse("example", "does not fit the pattern and check system declared beside it")
    table.done()
    return rule


def _read_purpose(name: str, table: Table, facts: Mapping[str, Field], attributes: Mapping[str, Field]) -> Purpose:
    required = table.texts("required", default=(), allow_empty=True)
    optional = table.texts("optional", default=(), allow_empty=True)
    for key, names in (("required", required), ("optional", optional)):
        for fact in names:
            if fact not in facts:
                raise table.refuse(key, f"{fact!r} is not declared under [facts]")
    purpose = Purpose(
        id=name,
        label=table.local_text("label"),
        genuineness=table.flag("genuineness"),
        required=required,
        optional=optional,
        place_fact=table.choice("place_fact", facts) if table.has("place_fact") else None,
        not_at_home=table.local_text("not_at_home") if table.has("not_at_home") else None,
        uses_catalogue=table.flag("catalogue"),
        scope=tuple(read_scope_rule(rule, facts, attributes) for rule in table.tables("scope")),
        needed=frozenset((*required, *optional)),
        key_usage=frozenset(table.texts("key_usage", default=(), allow_empty=True)),
        qualifier=table.choice("qualifier", QUALIFIERS) if table.has("qualifier") else None,
    )
    for usage in sorted(purpose.key_usage):
        if usage not in KEY_USAGES:
            raise table.refuse("key_usage", f"{usage!r} is not allowed; allowed: {', '.join(KEY_USAGES)}")
    for rule in purpose.scope:
        for fact in rule.facts:
            if fact not in purpose.needed:
                raise table.refuse("scope", f"reads the fact {fact!r}, which is neither required nor optional here")
    table.done()
    return purpose


def _read_catalogue_use(table: Table, facts: Mapping[str, Field]) -> CatalogueUse:
    use = CatalogueUse(
        id=table.text("id"),
        instrument_fact=table.choice("instrument_fact", facts),
        size_fact=table.choice("size_fact", facts) if table.has("size_fact") else None,
    )
    table.done()
    return use


def _read_bases(tables: tuple[Table, ...], parent: Table) -> dict[str, tuple[LegalBasis, ...]]:
    """Citations by check; one without `checks` serves every check that has none of its own."""
    general: list[LegalBasis] = []
    special: dict[str, list[LegalBasis]] = {}
    for table in tables:
        checks = table.texts("checks", default=(), allow_empty=True)
        for check in checks:
            if check not in CHECKS:
                raise table.refuse("checks", f"{check!r} is not a check; checks: {', '.join(CHECKS)}")
        basis = read_legal_basis(table)
        for check in checks:
            special.setdefault(check, []).append(basis)
        if not checks:
            general.append(basis)
    if not general:
        raise parent.refuse("legal_basis", "needs at least one entry without 'checks'")
    return {check: tuple(special.get(check, general)) for check in CHECKS}


def _read_roles(table: Table) -> dict[str, tuple[str, ...]]:
    words = {role: table.texts(role) for role in TOLD_ROLES if table.has(role)}
    table.done()
    return words


def read_profile(document: PolicyDocument) -> CredentialProfile:
    """One profile file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    attributes = read_fields(table.named_tables("attributes"), FIELD_KINDS)
    facts = read_fields(table.named_tables("facts"), FACT_KINDS)
    area_attribute = table.optional_text("area_attribute")
    if area_attribute is not None and (area_attribute not in attributes or attributes[area_attribute].kind != "area"):
        raise table.refuse("area_attribute", "must be an attribute of kind 'area'")
    catalogue = _read_catalogue_use(table.table("catalogue"), facts) if table.has("catalogue") else None
    purposes = {
        name: _read_purpose(name, entry, facts, attributes)
        for name, entry in table.named_tables("purposes", at_least=1).items()
    }
    if catalogue is None and any(purpose.uses_catalogue for purpose in purposes.values()):
        raise table.refuse("catalogue", "is missing, and a purpose uses it")
    profile = CredentialProfile(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        evidence=table.choice("evidence", EVIDENCE, default="register"),
        confidence=table.choice("confidence", CONFIDENCE),
        number=_read_number(table.table("number")),
        max_age=timedelta(hours=table.integer("max_age_hours")),
        area_attribute=area_attribute,
        attributes=attributes,
        facts=facts,
        purposes=purposes,
        catalogue=catalogue,
        lifecycle=read_lifecycle(table.table("lifecycle")) if table.has("lifecycle") else None,
        bases=_read_bases(table.tables("legal_basis", at_least=1), table),
        role_words=_read_roles(table.table("roles")) if table.has("roles") else {},
        columns=read_columns(table.table("columns"), attributes) if table.has("columns") else {},
    )
    table.done()
    return profile
