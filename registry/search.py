"""A question for which not exactly one credential is held: what the number, the registers and the catalogue tell."""

from msgspec import Struct

from registry.catalogue import Listing
from registry.dossier import Dossier, RegisterState
from registry.finding import NO_PARAMS, SKIPPED, Finding, Params, Result
from registry.jurisdiction import office_for
from registry.profile import CredentialProfile, Purpose
from registry.query import RecognitionQuery


def place_of(query: RecognitionQuery, purpose: Purpose) -> str | None:
    """The area code where the credential is to be used, if the purpose has such a fact and it was given."""
    place = query.facts.get(purpose.place_fact) if purpose.place_fact is not None else None
    return place if isinstance(place, str) else None


def labels(profile: CredentialProfile, names: list[str]) -> Params:
    """Facts by the names that people and programs use for them."""
    return {"facts": ", ".join(names), "label": profile.field(names[0]).label, "count": len(names)}


def assumed(query: RecognitionQuery, profile: CredentialProfile) -> Finding:
    """The finding about an instant still to come: what is known now is assumed to hold then."""
    params = {"valid_at": query.valid_at}
    basis = profile.bases["freshness"]
    return Finding(check="freshness", result="passed", code="assumes.no_change", params=params, legal_basis=basis)


class Search(Struct, frozen=True, kw_only=True):
    """A question for which not exactly one credential is held."""

    dossier: Dossier
    purpose: Purpose
    stale: tuple[RegisterState, ...]
    listing: Listing | None

    def finding(self, check: str, result: Result, code: str, variant: str = "", params: Params = NO_PARAMS) -> Finding:
        """A finding without a credential, with the law on the check and the office to ask."""
        query, profile, policy = self.dossier.query, self.dossier.profile, self.dossier.policy
        jurisdiction = policy.jurisdictions[query.jurisdiction]
        return Finding(
            check=check,
            result=result,
            code=code,
            variant=variant,
            params=params,
            legal_basis=profile.bases[check],
            contact=office_for(jurisdiction, profile.id, place_of(query, self.purpose), policy.gazetteer),
        )


def _unnamed(search: Search) -> Finding:
    """No credential was named: what would be needed to go on."""
    profile = search.dossier.profile
    missing = [name for name in search.purpose.required if name not in search.dossier.query.facts]
    if missing:
        return search.finding("scope", "indeterminate", "facts.missing", "", labels(profile, missing))
    use = profile.catalogue
    given = str(search.dossier.query.facts.get(use.instrument_fact, "")) if use is not None else ""
    params: Params = {"type": profile.name, "given": given}
    variant = "credential" if search.listing is not None and search.listing.state == "listed" else "credential_unsure"
    return search.finding("scope", "indeterminate", "facts.missing", variant, params)


def _searched_number(search: Search, given: str) -> Finding:
    """What a number that is held not once tells by itself."""
    profile, policy, held = search.dossier.profile, search.dossier.policy, search.dossier.held
    if len(held) > 1:
        issuers = sorted(entry.credential.issuer for entry in held)
        names = [policy.authorities[issuer].name.zh if issuer in policy.authorities else issuer for issuer in issuers]
        params = {"number": given, "issuers": ", ".join(issuers), "names": "、".join(names)}
        return search.finding("format", "indeterminate", "number.ambiguous", "", params)
    verdict = profile.number.judge(profile.number.normalise(given))
    if not verdict.well_formed:
        # A pattern that is only general knowledge warns; it does not refuse.
        result: Result = "failed" if profile.number.authoritative else "passed"
        params = {"number": given, "example": profile.number.example}
        return search.finding("format", result, "number.malformed", "", params)
    if not verdict.check_right:
        return search.finding("format", "passed", "number.check_digit_wrong", "", {"number": given})
    return search.finding("format", "passed", "number.well_formed", "", {"number": given})


def _searched_registers(search: Search) -> Finding:
    """Whether every register that could hold the number was fresh."""
    dossier = search.dossier
    if not search.stale and dossier.registers:
        if dossier.query.valid_at > dossier.query.known_at:
            return assumed(dossier.query, dossier.profile)
        return search.finding("freshness", "passed", "register.fresh", "searched", {"count": len(dossier.registers)})
    unknown = RegisterState(issuer=dossier.query.issuer or dossier.profile.id, as_of=None)
    worst = search.stale[0] if search.stale else unknown
    authority = dossier.policy.authorities.get(worst.issuer)
    name = authority.name if authority is not None else worst.issuer
    if worst.as_of is None:
        return search.finding("freshness", "indeterminate", "register.stale", "never", {"register": name})
    params: Params = {"register": name, "as_of": worst.as_of}
    return search.finding("freshness", "indeterminate", "register.stale", "", params)


def absent(search: Search) -> dict[str, Finding]:
    """The findings when not exactly one credential is held: what the number itself tells, and the registers' age."""
    query = search.dossier.query
    checks = dict(SKIPPED)
    if query.number is None:
        if query.id is None:
            checks["scope"] = _unnamed(search)
        return checks
    checks["format"] = _searched_number(search, query.number)
    if search.dossier.held:
        return checks
    if query.issuer is not None and query.issuer not in search.dossier.policy.authorities:
        checks["issuer"] = search.finding("issuer", "indeterminate", "issuer.unknown", "", {"issuer": query.issuer})
    checks["freshness"] = _searched_registers(search)
    verdict = search.dossier.profile.number.judge(search.dossier.profile.number.normalise(query.number))
    if verdict.outside and not search.stale:
        # Its own register is none of those that were searched.
        params: Params = {"number": query.number}
        checks["freshness"] = search.finding("freshness", "indeterminate", "register.stale", "outside", params)
    return checks
