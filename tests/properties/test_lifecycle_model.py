"""Random lives of credentials, stated step by step to a real store: answers about every pair of instants, the present
and the past of knowledge, are those of a naive model; and the whole log is recomputed after each step."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.bootstrap import seed_policy
from app.ports import SCOPES, Principal, Taken
from app.store import schema
from app.store.audit import audit
from app.store.intake import SqliteIntake
from app.store.reader import SqliteReader
from app.usecases.take_statement import StatementTaker, Submission
from registry.credential import standing
from registry.errors import QueryRefused
from tests.support.issuing import LICENCE, Issuing

OWN = Issuing()
CALLER = Principal(key_id="key_test", name="测试", role="issuer", issuer=OWN.issuer, scopes=SCOPES["issuer"])
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ISSUED = datetime(2026, 1, 9, 16, tzinfo=UTC)
START, END = ISSUED, datetime(2031, 1, 9, 16, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBERS = ("JY15001039920019", "JY15001039920027")
EVENTS: dict[str, dict[str, Any]] = {
    "suspended": {},
    "reinstated": {},
    "cancelled": {},
    "revoked": {"kind": "annulled"},
    "superseded": {"successor": {"number": "JY15001039920035", "issuer": OWN.issuer}},
}
MAY_FOLLOW = {
    "valid": {"amended", "suspended", "revoked", "cancelled", "superseded"},
    "suspended": {"amended", "reinstated", "revoked", "cancelled", "superseded"},
    "cancelled": {"revoked"},
    "superseded": {"revoked"},
    "revoked": set[str](),
}


@dataclass
class Step:
    """What was accepted: a step, when it takes effect, and when it was recorded."""

    event: str
    effective_at: datetime
    recorded_at: datetime
    valid_until: datetime | None = None


@dataclass
class Life:
    """A credential as the naive model has it."""

    id: str
    version: str
    registered_at: datetime
    steps: list[Step] = field(default_factory=list)

    def at(self, valid_at: datetime, known_at: datetime) -> str | None:
        """The status that people see; None while nothing was known."""
        if known_at < self.registered_at:
            return None
        known = [step for step in self.steps if step.recorded_at <= known_at and step.effective_at <= valid_at]
        status = lifecycle(known)
        if status != "valid":
            return status
        ends = [step.valid_until for step in in_order(known) if step.valid_until is not None]
        end = ends[-1] if ends else END
        return "not_yet_valid" if valid_at < START else "expired" if end <= valid_at else "valid"


def in_order(steps: list[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (step.effective_at, step.recorded_at))


def lifecycle(steps: list[Step]) -> str:
    """The gravest end there is; failing that, whatever the last suspension or reinstatement left."""
    for final in ("revoked", "cancelled", "superseded"):
        if any(step.event == final for step in steps):
            return final
    pauses = [step.event for step in in_order(steps) if step.event in ("suspended", "reinstated")]
    return "suspended" if pauses and pauses[-1] == "suspended" else "valid"


def may_be(steps: list[Step], new: Step) -> bool:
    """Whether the new step may follow what is before it, and what is behind it may still follow."""
    ordered = in_order([*steps, new])
    place = next(number for number, step in enumerate(ordered) if step is new)
    for number in range(place, len(ordered)):
        before = lifecycle(ordered[:number])
        if number > place and before in ("revoked", "cancelled", "superseded"):
            return True
        if ordered[number].event not in MAY_FOLLOW[before]:
            return False
    return True


def _about(named: str | None) -> str:
    return "credential" if named is None else "event"


class Lives(RuleBasedStateMachine):
    """Statements to a store whose clock is the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = BEGIN
        self.path = schema.migrate(Path(self.folder.name) / "accord.db", "test", self.now).path
        self.intake = SqliteIntake(self.path, now=lambda: self.now, wait=self.wait)
        self.intake.enter_policies((*seed_policy(), OWN.document()))
        reader = SqliteReader(self.path)
        self.policies, secret = reader.load_policies(), reader.secret()
        reader.close()
        self.taker = StatementTaker(self.intake, secret)
        self.lives: dict[str, Life] = {}
        self.instants = [BEGIN]

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def teardown(self) -> None:
        self.intake.close()
        self.folder.cleanup()

    def take(self, claims: dict[str, Any], named: str | None, expected: str) -> Taken | str:
        """What came of a statement, or the code of its refusal."""
        submission = Submission(
            token=OWN.sign(claims),
            principal=CALLER,
            about="credential" if named is None else "event",
            credential_id=named,
            expected=frozenset({expected}),
            key=None,
        )
        try:
            return self.taker.take(submission, self.policies, self.now)
        except QueryRefused as refused:
            return refused.faults[0].code

    @initialize()
    def first(self) -> None:
        self.register(NUMBERS[0])

    @rule(number=st.sampled_from(NUMBERS))
    def register(self, number: str) -> None:
        self.now += timedelta(hours=1)
        claims = OWN.claims(self.now, credential=LICENCE | {"number": number})
        taken = self.take(claims, None, "")
        if isinstance(taken, str):
            assert (taken, number in self.lives) == ("credential.exists", True)
            return
        assert number not in self.lives
        self.lives[number] = Life(taken.id, taken.version, self.now)
        self.instants.append(self.now)

    @rule(
        number=st.sampled_from(NUMBERS),
        event=st.sampled_from(sorted(EVENTS)),
        days=st.integers(-60, 60),
        hours=st.integers(0, 30),
    )
    def step(self, number: str, event: str, days: int, hours: int) -> None:
        self.state(number, event, days, hours, EVENTS[event], None)

    @rule(number=st.sampled_from(NUMBERS), days=st.integers(-60, 60), hours=st.integers(0, 30), end=st.integers(1, 300))
    def amend(self, number: str, days: int, hours: int, end: int) -> None:
        until = START + end * DAY
        changes = {"changes": {"valid_until": until.isoformat()}}
        self.state(number, "amended", days, hours, changes, until)

    def state(
        self, number: str, event: str, days: int, hours: int, more: dict[str, Any], until: datetime | None
    ) -> None:
        life = self.lives.get(number)
        if life is None:
            return
        self.now += timedelta(hours=hours, seconds=1)
        effective_at = (self.now + days * DAY).replace(microsecond=0)
        step = Step(event, effective_at, self.now, until)
        allowed = effective_at >= ISSUED and may_be(life.steps, step)
        taken = self.take(OWN.event(self.now, life.id, event, effective_at, **more), life.id, life.version)
        if isinstance(taken, str):
            assert not allowed
            assert taken in {"event.out_of_order", "event.before_issue"}
            return
        assert allowed
        life.version, step.recorded_at = taken.version, self.now
        life.steps.append(step)
        self.instants += [self.now, effective_at]

    @invariant()
    def the_log_is_whole(self) -> None:
        assert audit(self.path, None).difference is None

    @invariant()
    def every_answer_is_the_models(self) -> None:
        # A reader of its own: one that looked milliseconds ago may go by that, and this clock goes in leaps.
        reader = SqliteReader(self.path)
        try:
            asyncio.run(self.compare(reader))
        finally:
            reader.close()

    async def compare(self, reader: SqliteReader) -> None:
        for life in self.lives.values():
            for known_at in sorted({entry for entry in self.instants if entry <= self.now}):
                found = (await reader.find_by_id(life.id, known_at)).found
                credential = found[0].held.credential if found else None
                for valid_at in self.instants:
                    for asked in (valid_at, valid_at - timedelta(microseconds=1)):
                        told = None if credential is None else standing(credential.state_at(asked), asked)
                        assert told == life.at(asked, known_at), (asked, known_at)


TestLives = Lives.TestCase
TestLives.settings = hypothesis_settings(max_examples=8, stateful_step_count=14, deadline=None)
