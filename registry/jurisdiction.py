"""Jurisdictions, their areas and the authorities that issue credentials there or answer for them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.document import LocalText, PolicyDocument, Table
from registry.period import Period

CONFIDENCE = ("V", "S", "G", "U")
"""How sure a datum is: verified, secondary source, general knowledge, uncertain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area by its GB/T 2260 code (or a code in local use), with the codes of the areas inside it."""

    code: str
    name: LocalText
    members: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Competence:
    """What an authority may issue: a credential type, in some areas, in some period.

    `from_confidence` says how sure the period's beginning is; general knowledge warns, it does not refuse.
    """

    type: str
    areas: tuple[str, ...]
    period: Period
    from_confidence: str

    def covers(self, instant: datetime) -> bool | None:
        """Whether the instant lies in the period; None for one before a beginning that is not sure."""
        if instant in self.period:
            return True
        start = self.period.start
        unsure = self.from_confidence in ("G", "U") and start is not None and instant < start
        return None if unsure else False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A body that issues credentials (`competences`) or answers questions about them (`answers_for`)."""

    id: str
    name: LocalText
    jurisdiction: str
    phone: str | None
    url: str | None
    answers_for: frozenset[str]
    competences: tuple[Competence, ...]
    areas: Mapping[str, frozenset[str]]
    confidence: str

    def issues(self, type_id: str) -> bool:
        """Whether it is or ever was competent to issue this type."""
        return type_id in self.areas

    def areas_for(self, type_id: str) -> frozenset[str]:
        """The areas it declares for this type."""
        return self.areas.get(type_id, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdiction:
    """`CN-CQ`, `CN-SC` or the national level `CN`, as one version of its file."""

    id: str
    version: int
    digest: str
    name: LocalText
    gb2260: str
    whole_area: str
    default_authority: str
    areas: Mapping[str, Area]
    authorities: Mapping[str, Authority]
    offices: Mapping[str, tuple[Authority, ...]]
    """Those that answer for a type, by type; each in the order of their ids."""
    confidence: str
    sources: tuple[str, ...]


class Gazetteer:
    """Which area lies in which, over all jurisdictions. Membership is data, never guessed from digits."""

    def __init__(self, jurisdictions: Iterable[Jurisdiction]) -> None:
        self._jurisdiction_of: dict[str, str] = {}
        self._names: dict[str, LocalText] = {}
        around: dict[str, set[str]] = {}
        nationwide = {entry.whole_area for entry in jurisdictions if not entry.areas}
        for jurisdiction in jurisdictions:
            whole = jurisdiction.whole_area
            self._jurisdiction_of[whole] = jurisdiction.id
            self._names[whole] = jurisdiction.name
            around[whole] = {whole} | nationwide
            for area in jurisdiction.areas.values():
                self._jurisdiction_of[area.code] = jurisdiction.id
                self._names[area.code] = area.name
                around[area.code] = {area.code, *_containing(area.code, jurisdiction.areas), whole} | nationwide
        self._around = {code: frozenset(outers) for code, outers in around.items()}

    def jurisdiction_of(self, code: str) -> str | None:
        """The jurisdiction an area lies in, or None for a code nobody declared."""
        return self._jurisdiction_of.get(code)

    def name(self, code: str) -> LocalText | str:
        """The area's name, or its code where it is not known."""
        return self._names.get(code, code)

    def code_of(self, name: str) -> str | None:
        """The code of the only area of that name, in either language; None where there is none, or several."""
        found = [code for code, known in self._names.items() if name in (known.zh, known.en)]
        return found[0] if len(found) == 1 else None

    def contains(self, outer: str, inner: str) -> bool:
        """Whether `inner` is known to lie inside `outer` (or is the same)."""
        return outer in self.around(inner)

    def around(self, code: str) -> frozenset[str]:
        """The areas that contain an area, itself among them."""
        return self._around.get(code) or frozenset((code,))

    def known(self, code: str) -> bool:
        """Whether some jurisdiction declares this area."""
        return code in self._jurisdiction_of

    def covers(self, outers: Collection[str], inner: str) -> bool:
        """Whether one of the outer areas contains the inner one."""
        return not self.around(inner).isdisjoint(outers)


def _containing(code: str, areas: Mapping[str, Area]) -> set[str]:
    """The areas around one, those around them included. Areas that contain each other come to an end too."""
    found: set[str] = set()
    ahead = {code}
    while ahead:
        ahead = {area.code for area in areas.values() if not ahead.isdisjoint(area.members)} - found
        found |= ahead
    return found


def competent(
    authority: Authority, type_id: str, instant: datetime, area: str | None, gazetteer: Gazetteer
) -> bool | None:
    """Whether the authority could issue this type at this instant, for this area where the type has one.

    None where only a beginning that is not sure speaks against it.
    """
    verdicts = [
        entry.covers(instant)
        for entry in authority.competences
        if entry.type == type_id and (area is None or gazetteer.covers(entry.areas, area))
    ]
    if True in verdicts:
        return True
    return None if None in verdicts else False


def office_for(jurisdiction: Jurisdiction, type_id: str, place: str | None, gazetteer: Gazetteer) -> Authority:
    """The office to ask about a type: the one with the narrowest area around the place, else the general one."""
    offices = jurisdiction.offices.get(type_id, ())
    if place is not None:
        around = gazetteer.around(place)
        near = [(office, areas) for office in offices if (areas := around & office.areas_for(type_id))]
        for office, areas in near:
            # Narrowest is an area that lies inside some area of every other office.
            if any(all(gazetteer.covers(others, area) for _, others in near) for area in areas):
                return office
    default = jurisdiction.authorities[jurisdiction.default_authority]
    if default in offices or not offices:
        return default
    wide = [office for office in offices if jurisdiction.whole_area in office.areas_for(type_id)]
    return (wide or offices)[0]


def _read_competence(table: Table, areas: Mapping[str, Area], whole: str) -> Competence:
    competence = Competence(
        type=table.text("type"),
        areas=table.texts("areas"),
        period=table.period(),
        from_confidence=table.choice("from_confidence", CONFIDENCE, default="S"),
    )
    for code in competence.areas:
        if code != whole and code not in areas:
            raise table.refuse("areas", f"{code!r} is not an area of this jurisdiction; declare it under [[areas]]")
    table.done()
    return competence


def _read_authority(table: Table, jurisdiction: str, areas: Mapping[str, Area], whole: str) -> Authority:
    contact = table.table("contact")
    phone, url = contact.optional_text("phone"), contact.optional_text("url")
    if phone is None and url is None:
        raise contact.refuse("phone", "give a phone, a url or both")
    contact.done()
    competences = tuple(_read_competence(entry, areas, whole) for entry in table.tables("competences"))
    authority = Authority(
        id=table.text("id"),
        name=table.local_text("name"),
        jurisdiction=jurisdiction,
        phone=phone,
        url=url,
        answers_for=frozenset(table.texts("answers_for", allow_empty=True)),
        competences=competences,
        areas={
            entry.type: frozenset(code for other in competences if other.type == entry.type for code in other.areas)
            for entry in competences
        },
        confidence=table.choice("confidence", CONFIDENCE),
    )
    table.done()
    return authority


def _read_areas(tables: Sequence[Table], gb2260: str) -> dict[str, Area]:
    areas: dict[str, Area] = {}
    for table in tables:
        area = Area(
            code=table.text("code"),
            name=table.local_text("name"),
            members=frozenset(table.texts("members", default=(), allow_empty=True)),
        )
        if not (len(area.code) == 6 and area.code.isdigit() and area.code.startswith(gb2260)):
            raise table.refuse("code", f"must be six digits that begin with {gb2260}")
        if area.code in areas:
            raise table.refuse("code", f"{area.code} is declared twice")
        table.done()
        areas[area.code] = area
    for table, area in zip(tables, areas.values(), strict=True):
        for member in sorted(area.members):
            if member not in areas:
                raise table.refuse("members", f"{member} of {area.code} is not declared under [[areas]]")
    return areas


def _offices(authorities: Iterable[Authority]) -> dict[str, tuple[Authority, ...]]:
    offices: dict[str, tuple[Authority, ...]] = {}
    for authority in sorted(authorities, key=lambda entry: entry.id):
        for type_id in authority.answers_for:
            offices[type_id] = (*offices.get(type_id, ()), authority)
    return offices


def read_jurisdiction(document: PolicyDocument) -> Jurisdiction:
    """One jurisdiction file. Raises `PolicyError`."""
    table = Table(document.source, document.content)
    table.text("id"), table.integer("version")
    gb2260, whole = table.text("gb2260"), table.text("whole_area")
    areas = _read_areas(table.tables("areas"), gb2260)
    authorities: dict[str, Authority] = {}
    for entry in table.tables("authorities", at_least=1):
        authority = _read_authority(entry, document.id, areas, whole)
        if authority.id in authorities:
            raise entry.refuse("id", f"{authority.id!r} is declared twice")
        authorities[authority.id] = authority
    jurisdiction = Jurisdiction(
        id=document.id,
        version=document.version,
        digest=document.digest,
        name=table.local_text("name"),
        gb2260=gb2260,
        whole_area=whole,
        default_authority=table.choice("default_authority", authorities),
        areas=areas,
        authorities=authorities,
        offices=_offices(authorities.values()),
        confidence=table.choice("confidence", CONFIDENCE),
        sources=table.texts("sources"),
    )
    table.done()
    return jurisdiction
