"""The policy in force: profiles, jurisdictions, agreements, catalogues and authorisations, and its history."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from registry.agreement import Agreement, read_agreement, refuse_overlaps
from registry.algorithms import Algorithms, read_algorithms
from registry.authorisation import LaboratoryAuthorisations, read_authorisations
from registry.catalogue import Catalogue, read_catalogue
from registry.document import PolicyDocument
from registry.errors import PolicyError
from registry.issuer import KeyRegister, build_key_register, read_issuer_keys
from registry.jurisdiction import Authority, Gazetteer, Jurisdiction, read_jurisdiction
from registry.profile import CredentialProfile, read_profile
from registry.scope import Surroundings
from registry.trust import Trust, build_trust, read_accepted_list, read_trust_anchor

KINDS = (
    "jurisdiction",
    "catalogue",
    "profile",
    "authorisation",
    "agreement",
    "trust-anchor",
    "accepted-list",
    "algorithm-policy",
    "issuer-key-set",
)
"""The kinds of policy documents; each has a folder of TOML files named in the plural."""

NATIONAL = "CN"

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything declarative that held from one instant of knowledge to the next."""

    jurisdictions: Mapping[str, Jurisdiction]
    profiles: Mapping[str, CredentialProfile]
    agreements: Mapping[str, Agreement]
    catalogues: Mapping[str, Catalogue]
    authorisations: Mapping[str, LaboratoryAuthorisations]
    authorities: Mapping[str, Authority]
    gazetteer: Gazetteer
    rules: Mapping[tuple[str, str, str], tuple[Agreement, ...]]
    issuers: Mapping[str, tuple[Authority, ...]]
    laboratories: Mapping[str, LaboratoryAuthorisations]
    surroundings: Mapping[str, Surroundings]
    trust: Trust
    algorithms: Algorithms
    keys: KeyRegister
    recognizing: tuple[str, ...]
    """The jurisdictions one can ask about: all but the national level."""

    def agreements_for(self, jurisdiction: str, purpose: str, type_id: str) -> tuple[Agreement, ...]:
        """The agreements that could speak to such a case, strongest first; whether they bind it is not judged."""
        return self.rules.get((jurisdiction, purpose, type_id), ())


class _Readings:
    """What documents were read as. A history reads each once, however many policies it is part of."""

    def __init__(self) -> None:
        self._read = dict[tuple[str, str, str], Any]()
        self._gazetteers = dict[tuple[str, ...], Gazetteer]()

    def each(
        self, documents: Mapping[str, PolicyDocument], reader: Callable[[PolicyDocument], _Value]
    ) -> dict[str, _Value]:
        """The documents of one kind as values, by id. Raises `PolicyError`."""
        values = dict[str, _Value]()
        for name, document in documents.items():
            key = (document.kind, name, document.digest)
            if key not in self._read:
                self._read[key] = reader(document)
            values[name] = self._read[key]
        return values

    def gazetteer(self, jurisdictions: Mapping[str, Jurisdiction]) -> Gazetteer:
        """The gazetteer of jurisdictions."""
        key = tuple(sorted(entry.digest for entry in jurisdictions.values()))
        if key not in self._gazetteers:
            self._gazetteers[key] = Gazetteer(jurisdictions.values())
        return self._gazetteers[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDocument:
    """A policy document and the instant from which the store knew it."""

    document: PolicyDocument
    known_from: datetime


class PolicyHistory:
    """The policies that held one after the other. `generation` tells one loaded history from another."""

    def __init__(self, known: Iterable[KnownDocument], generation: int) -> None:
        self.generation = generation
        self._known = sorted(known, key=lambda entry: (entry.known_from, entry.document.version))
        self._instants = sorted({entry.known_from for entry in self._known})
        self._readings = _Readings()
        # Every policy that ever held is built now: a history that cannot be read must not start.
        self._policies = [self._build(instant) for instant in self._instants]

    def _build(self, instant: datetime) -> Policy:
        latest: dict[tuple[str, str], PolicyDocument] = {}
        for entry in self._known:
            if entry.known_from <= instant:
                latest[entry.document.kind, entry.document.id] = entry.document
        return build_policy(latest.values(), self._readings)

    def at(self, known_at: datetime) -> Policy | None:
        """The policy as it was known then, or None before anything was."""
        position = bisect_right(self._instants, known_at)
        return self._policies[position - 1] if position else None

    @property
    def begins(self) -> datetime:
        """The first instant at which any policy was known."""
        return self._instants[0]

    @property
    def latest(self) -> Policy:
        """The newest policy."""
        return self._policies[-1]


def _by_kind(documents: Iterable[PolicyDocument]) -> dict[str, dict[str, PolicyDocument]]:
    grouped: dict[str, dict[str, PolicyDocument]] = {kind: {} for kind in KINDS}
    for document in documents:
        if document.kind not in grouped:
            raise PolicyError(document.source, "kind", f"is not one of: {', '.join(KINDS)}")
        other = grouped[document.kind].setdefault(document.id, document)
        if other is not document:
            raise PolicyError(document.source, "id", f"{document.id!r} is already declared by {other.source}")
    return grouped


def _refuse_shared_areas(jurisdictions: Mapping[str, Jurisdiction], sources: Mapping[str, str]) -> None:
    """An area belongs to one jurisdiction."""
    owner: dict[str, str] = {}
    for jurisdiction in jurisdictions.values():
        for code in (jurisdiction.whole_area, *jurisdiction.areas):
            other = owner.setdefault(code, jurisdiction.id)
            if other != jurisdiction.id:
                raise PolicyError(sources[jurisdiction.id], "areas", f"{code} is already an area of {other}")


def _authorities(jurisdictions: Mapping[str, Jurisdiction], sources: Mapping[str, str]) -> dict[str, Authority]:
    authorities: dict[str, Authority] = {}
    for jurisdiction in jurisdictions.values():
        for authority in jurisdiction.authorities.values():
            if authority.id in authorities:
                raise PolicyError(
                    sources[jurisdiction.id],
                    "authorities.id",
                    f"{authority.id!r} is already an authority of {authorities[authority.id].jurisdiction}",
                )
            authorities[authority.id] = authority
    return authorities


def _check_agreement(agreement: Agreement, source: str, policy_parts: Mapping[str, Mapping[str, object]]) -> None:
    """Refuses references to jurisdictions, types, purposes, attributes or facts that no file declares."""
    jurisdictions, profiles = policy_parts["jurisdictions"], policy_parts["profiles"]
    for name in (*agreement.issued_in, *agreement.recognized_in):
        if name not in jurisdictions:
            raise PolicyError(source, "binds", f"{name!r} is no jurisdiction; known: {', '.join(jurisdictions)}")
    for side in (agreement.issued_in, agreement.recognized_in):
        for party in side.values():
            jurisdiction = jurisdictions[party.jurisdiction]
            known = {*jurisdiction.areas, jurisdiction.whole_area} if isinstance(jurisdiction, Jurisdiction) else set()
            for code in party.areas:
                if code not in known:
                    raise PolicyError(source, "binds", f"{code!r} is no area of {party.jurisdiction}")
    for type_id in agreement.types:
        profile = profiles.get(type_id)
        if not isinstance(profile, CredentialProfile):
            raise PolicyError(source, "types", f"{type_id!r} is no credential type; known: {', '.join(profiles)}")
        _check_purposes(agreement, source, profile)
        attributes = [where.attribute for where in agreement.where]
        attributes += [name for entry in agreement.conditions for name in (entry.attribute, entry.at) if name]
        for attribute in attributes:
            if attribute not in profile.attributes:
                raise PolicyError(source, "conditions", f"{attribute!r} is no attribute of {type_id}")


def _check_purposes(agreement: Agreement, source: str, profile: CredentialProfile) -> None:
    facts = [name for entry in agreement.conditions for name in (entry.fact, entry.instrument, entry.classes) if name]
    facts += [name for entry in agreement.conditions for name in entry.range or ()]
    for name in agreement.purposes:
        purpose = profile.purposes.get(name)
        if purpose is None:
            raise PolicyError(
                source, "purposes", f"{name!r} is no purpose of {profile.id}; known: {', '.join(profile.purposes)}"
            )
        if purpose.place_fact is None and any(party.areas for party in agreement.recognized_in.values()):
            raise PolicyError(
                source, "binds.recognized_in", f"names areas, but the purpose {name!r} has no place_fact to judge by"
            )
        for fact in facts:
            if fact not in purpose.needed:
                raise PolicyError(source, "conditions", f"{fact!r} is no fact of the purpose {name!r}")


def _check_profile(profile: CredentialProfile, source: str, catalogues: Mapping[str, Catalogue]) -> None:
    if profile.catalogue is not None and profile.catalogue.id not in catalogues:
        raise PolicyError(source, "catalogue.id", f"{profile.catalogue.id!r} is no catalogue")


def _index(
    jurisdictions: Iterable[str], agreements: Iterable[Agreement]
) -> dict[tuple[str, str, str], tuple[Agreement, ...]]:
    """Agreements by (jurisdiction asked, purpose, type), strongest first, then by id so that order is no accident."""
    index: dict[tuple[str, str, str], list[Agreement]] = {}
    for agreement in sorted(agreements, key=attrgetter("rank")):
        for jurisdiction in jurisdictions:
            for purpose in agreement.purposes:
                for type_id in agreement.types:
                    index.setdefault((jurisdiction, purpose, type_id), []).append(agreement)
    return {key: tuple(entries) for key, entries in index.items()}


def _trust(
    grouped: Mapping[str, Mapping[str, PolicyDocument]],
    jurisdictions: Mapping[str, Jurisdiction],
    authorities: Mapping[str, Authority],
    profiles: Mapping[str, CredentialProfile],
    read: _Readings,
) -> Trust:
    """Trust anchors and accepted lists; refuses references to what no file declares."""
    anchors = read.each(grouped["trust-anchor"], read_trust_anchor)
    lists = read.each(grouped["accepted-list"], read_accepted_list)
    for name, anchor in anchors.items():
        source = grouped["trust-anchor"][name].source
        if anchor.authority is not None and anchor.authority not in authorities:
            raise PolicyError(source, "authority", f"{anchor.authority!r} is no authority")
        for jurisdiction in sorted(anchor.jurisdictions - jurisdictions.keys()):
            raise PolicyError(source, "jurisdictions", f"{jurisdiction!r} is no jurisdiction")
    purposes = {name for profile in profiles.values() if profile.evidence == "certificate" for name in profile.purposes}
    for name, accepted in lists.items():
        source = grouped["accepted-list"][name].source
        if accepted.jurisdiction not in jurisdictions:
            raise PolicyError(source, "jurisdiction", f"{accepted.jurisdiction!r} is no jurisdiction")
        for purpose in accepted.purposes:
            if purpose not in purposes:
                raise PolicyError(
                    source,
                    "purposes",
                    f"{purpose!r} is no purpose of a certificate; known: {', '.join(sorted(purposes))}",
                )
    return build_trust(anchors, lists, {name: document.source for name, document in grouped["accepted-list"].items()})


def _keys(
    documents: Mapping[str, PolicyDocument], authorities: Mapping[str, Authority], read: _Readings
) -> KeyRegister:
    """The issuers' keys; refuses those of nobody."""
    files = list(read.each(documents, read_issuer_keys).values())
    sources = {name: document.source for name, document in documents.items()}
    for file in files:
        if file.issuer not in authorities:
            raise PolicyError(sources[file.id], "issuer", f"{file.issuer!r} is no authority")
    return build_key_register(files, sources)


def build_policy(documents: Iterable[PolicyDocument], readings: _Readings | None = None) -> Policy:
    """A policy from one document per kind and id. Blind to their order. Raises `PolicyError`."""
    grouped, read = _by_kind(documents), readings or _Readings()
    jurisdictions = read.each(grouped["jurisdiction"], read_jurisdiction)
    catalogues = read.each(grouped["catalogue"], read_catalogue)
    profiles = read.each(grouped["profile"], read_profile)
    laboratories = read.each(grouped["authorisation"], read_authorisations)
    agreements = read.each(grouped["agreement"], read_agreement)
    sources = {name: document.source for name, document in grouped["agreement"].items()}
    _refuse_shared_areas(jurisdictions, {name: doc.source for name, doc in grouped["jurisdiction"].items()})
    gazetteer = read.gazetteer(jurisdictions)
    authorities = _authorities(jurisdictions, {name: doc.source for name, doc in grouped["jurisdiction"].items()})
    for profile in profiles.values():
        _check_profile(profile, grouped["profile"][profile.id].source, catalogues)
    for agreement in agreements.values():
        _check_agreement(agreement, sources[agreement.id], {"jurisdictions": jurisdictions, "profiles": profiles})
    refuse_overlaps(agreements, sources, gazetteer)
    return Policy(
        jurisdictions=jurisdictions,
        profiles=profiles,
        agreements=agreements,
        catalogues=catalogues,
        authorisations=laboratories,
        authorities=authorities,
        gazetteer=gazetteer,
        rules=_index(jurisdictions, agreements.values()),
        issuers={
            type_id: tuple(sorted((a for a in authorities.values() if a.issues(type_id)), key=lambda a: a.id))
            for type_id in profiles
        },
        laboratories=_laboratories(laboratories.values(), authorities, grouped["authorisation"]),
        trust=_trust(grouped, jurisdictions, authorities, profiles, read),
        algorithms=read_algorithms(grouped["algorithm-policy"].values()),
        keys=_keys(grouped["issuer-key-set"], authorities, read),
        recognizing=tuple(sorted(name for name in jurisdictions if name != NATIONAL)),
        surroundings={
            profile.id: Surroundings(
                gazetteer=gazetteer,
                catalogue=catalogues[profile.catalogue.id] if profile.catalogue is not None else None,
            )
            for profile in profiles.values()
        },
    )


def _laboratories(
    entries: Iterable[LaboratoryAuthorisations],
    authorities: Mapping[str, Authority],
    documents: Mapping[str, PolicyDocument],
) -> dict[str, LaboratoryAuthorisations]:
    """Authorisations by laboratory: one document each, so that one digest names what an answer rested on."""
    laboratories: dict[str, LaboratoryAuthorisations] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        source = documents[entry.id].source
        if entry.laboratory not in authorities:
            raise PolicyError(source, "laboratory", f"{entry.laboratory!r} is no authority")
        if entry.laboratory in laboratories:
            other = documents[laboratories[entry.laboratory].id].source
            raise PolicyError(source, "laboratory", f"{entry.laboratory!r} already has authorisations in {other}")
        laboratories[entry.laboratory] = entry
    return laboratories
