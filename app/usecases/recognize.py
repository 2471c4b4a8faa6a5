"""Answer the main question: find the dossier, verify, decide."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from app.ports import LockMaterial, Lookup, RegisterReader
from registry.decision import Decision, decide
from registry.dossier import Dossier, RegisterState
from registry.errors import Fault, QueryRefused
from registry.establish import established
from registry.evidence import Brought, DocumentSignature, LockEvidence
from registry.holder import serial_text
from registry.period import format_instant
from registry.policy import Policy, PolicyHistory
from registry.profile import CredentialProfile
from registry.query import Question, RecognitionQuery, bind, profile_for, read_question
from registry.verification import verify

_NOTHING = Brought()


class Recognizer:
    """Holds the policy history beside the registers, and answers questions from both as of one instant."""

    def __init__(self, reader: RegisterReader, policies: PolicyHistory, locks: LockMaterial) -> None:
        self._reader = reader
        self._policies = policies
        self._locks = locks

    @property
    def policies(self) -> PolicyHistory:
        """The policy history as it was last read."""
        return self._policies

    async def refresh(self) -> None:
        """Reads the policy history anew when the store has come to hold another one."""
        if (await self._reader.snapshot()).generation != self._policies.generation:
            self._policies = await self._reader.policies()

    def policy_at(self, known_at: datetime) -> Policy:
        """The policy known at an instant. Raises `QueryRefused` for one before all history."""
        policy = self._policies.at(known_at)
        if policy is None:
            params = {"name": "known_at", "begins": format_instant(self._policies.begins)}
            raise QueryRefused(Fault(pointer="/known_at", code="query.known_at_before_history", params=params))
        return policy

    async def recognize(self, content: Any, now: datetime, *, written: bool = False) -> tuple[Question, Decision]:
        """The question that plain values ask, and the decision on it.

        Raises `QueryRefused` for a question that cannot be asked and `StoreError` when the store fails.
        """
        question = read_question(content, now, written=written)
        return question, await self.answer(question)

    async def answer(self, question: Question, brought: Brought = _NOTHING) -> Decision:
        """The decision on a question; `brought` shows that the holder of a lock was there, or signed.

        Raises `QueryRefused` for a question that cannot be asked of the policy and `StoreError` when the store fails.
        """
        while True:
            policies = self._policies
            decision, generation = await self._decide(question, self.policy_at(question.known_at), brought)
            if generation == policies.generation:
                return decision
            # Somebody entered policy since we read it: the answer must rest on what the store held.
            self._policies = await self._reader.policies()

    async def _decide(self, question: Question, policy: Policy, brought: Brought) -> tuple[Decision, int]:
        profile = profile_for(question, policy)
        if profile is None:
            return await self._decide_by_id(question, policy)
        query = bind(question, profile)
        if query.certificate is not None:
            serial = profile.number.normalise(serial_text(query.certificate.serial))
            lookup = await self._reader.find(profile.id, serial, None, query.known_at)
            evidence = self._locks.evidence(brought)
            if isinstance(brought.shown, DocumentSignature):
                query, evidence = established(query, profile, policy, evidence, dated=question.asked_valid_at)
            return _judge(query, profile, policy, lookup, (), evidence), lookup.snapshot.generation
        if query.number is None:
            lookup = Lookup(found=(), snapshot=await self._reader.snapshot())
            return _judge(query, profile, policy, lookup, ()), lookup.snapshot.generation
        number = profile.number.normalise(query.number)
        lookup = await self._reader.find(profile.id, number, query.issuer, query.known_at)
        return await self._judge_lookup(query, profile, policy, lookup), lookup.snapshot.generation

    async def _decide_by_id(self, question: Question, policy: Policy) -> tuple[Decision, int]:
        lookup = await self._reader.find_by_id(question.id or "", question.known_at)
        if lookup.found:
            profile = policy.profiles.get(lookup.found[0].held.credential.type)
            if profile is not None:
                query = bind(question, profile)
                return await self._judge_lookup(query, profile, policy, lookup), lookup.snapshot.generation
        query, profile = _bind_unknown(question, policy)
        return _judge(query, profile, policy, lookup, ()), lookup.snapshot.generation

    async def _judge_lookup(
        self, query: RecognitionQuery, profile: CredentialProfile, policy: Policy, lookup: Lookup
    ) -> Decision:
        if len(lookup.found) == 1:
            found = lookup.found[0]
            issuer = found.held.credential.issuer
            return _judge(query, profile, policy, lookup, (RegisterState(issuer=issuer, as_of=found.register_as_of),))
        reports = await self._reader.registers(profile.id, query.known_at)
        return _judge(query, profile, policy, lookup, _searched(query, profile, policy, reports))


def _searched(
    query: RecognitionQuery, profile: CredentialProfile, policy: Policy, reports: Mapping[str, datetime]
) -> tuple[RegisterState, ...]:
    """Every register that could hold the number: those of all authorities that ever issued the type."""
    issuers: Iterable[str] = (authority.id for authority in policy.issuers.get(profile.id, ()))
    if query.issuer is not None:
        issuers = (issuer for issuer in issuers if issuer == query.issuer)
    return tuple(RegisterState(issuer=issuer, as_of=reports.get(issuer)) for issuer in issuers)


def _bind_unknown(question: Question, policy: Policy) -> tuple[RecognitionQuery, CredentialProfile]:
    """Binds a question about an id that nobody knows to the first type it would make sense for."""
    refusal: QueryRefused | None = None
    for _, profile in sorted(policy.profiles.items()):
        try:
            return bind(question, profile), profile
        except QueryRefused as error:
            refusal = refusal or error
    if refusal is None:
        raise ValueError("a policy without profiles")
    raise refusal


def _judge(
    query: RecognitionQuery,
    profile: CredentialProfile,
    policy: Policy,
    lookup: Lookup,
    registers: tuple[RegisterState, ...],
    lock: LockEvidence | None = None,
) -> Decision:
    dossier = Dossier(
        query=query,
        profile=profile,
        policy=policy,
        held=tuple([entry.held for entry in lookup.found]),
        registers=registers,
        lock=lock,
        head=lookup.snapshot.head,
    )
    agreements = policy.agreements_for(query.jurisdiction, query.purpose, query.type)
    return decide(query, verify(dossier), agreements)
