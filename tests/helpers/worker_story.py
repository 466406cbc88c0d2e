"""A worker and a master around a ``WorkerLife``, moved by hypothesis; checks every instruction.

A story is a list of happenings in any order. The world makes the calls one after the other, as the
thread of a link does, and keeps its own account of what the scheduler knows and what was brought.
"""

from collections import deque
from dataclasses import dataclass
from math import inf

from hypothesis import strategies as st

from bohb_seg.master.worker_events import (
    Announce,
    Answered,
    Ask,
    Bring,
    CallFailed,
    Complain,
    ConnectionLost,
    Dismiss,
    Forget,
    HeartbeatPassed,
    LinkFailed,
    MasterCloses,
    OrderGiven,
    Parted,
    Renewed,
    Renounce,
    ReportLost,
    ResultCame,
    Took,
)
from bohb_seg.master.worker_life import Past, WorkerLife
from bohb_seg.master.worker_states import UNKNOWN_TO_SCHEDULER
from bohb_seg.search.events import Evaluate
from bohb_seg.trials import Attempt, EvaluationId, TrialId

HEARTBEAT = 1.0


def order(number, attempt=1):
    return Evaluate(EvaluationId(TrialId(0, 0, number), 3.0), attempt, "w", {"x": 1.0})


def attempt_of(given):
    return Attempt(given.evaluation, given.attempt)


PREVIOUS, FOREIGN = order(1000), order(2000)


@dataclass(frozen=True)
class Beginning:
    """How a life begins.

    Args:
        is_ours: Whether the worker can name its attempt.
        past: What the previous master knew of it.
        limit: Seconds that an attempt may take.
    """

    is_ours: bool
    past: Past | None
    limit: float = inf


beginnings = st.builds(
    Beginning,
    st.booleans(),
    st.sampled_from([None, Past(None), Past(PREVIOUS)]),
    st.sampled_from([inf, 4.0]),
)

_often = (
    st.tuples(st.just("answer"), st.sampled_from(["idle", "unwanted", "foreign", "own"])),
    st.tuples(st.just("renew"), st.booleans()),
    st.tuples(st.just("give"), st.none()),
    st.tuples(st.just("finish"), st.sampled_from([0, 0, 0, 1])),
    st.tuples(st.just("begin_call"), st.none()),
    st.tuples(st.just("be_silent"), st.none()),
    st.tuples(st.just("let_pass"), st.sampled_from([0.1, 2.5])),
)
_seldom = (
    st.tuples(st.just("lose_connection"), st.none()),
    st.tuples(st.just("refuse"), st.booleans()),
    st.tuples(st.just("fail"), st.none()),
    st.tuples(st.just("part"), st.none()),
    st.tuples(st.just("close"), st.booleans()),
)
_happenings = st.sampled_from([0, 0, 0, 0, 1]).flatmap(
    lambda rare: st.one_of(*(_seldom if rare else _often))
)
stories = st.lists(_happenings, min_size=5, max_size=50)


class World:
    """The life under test, and an account of what it led to."""

    def __init__(self, beginning):
        self.is_ours, past, self.now = beginning.is_ours, beginning.past, 0.0
        self.life = WorkerLife(0.0, HEARTBEAT, past, beginning.limit)
        self.calls, self.in_progress = deque(), None
        self.is_known = past is not None
        self.inherited = (past.order,) if past and past.order else ()
        self.owed = list(self.inherited)
        self.given, self.finished, self.taken, self.lost = list(self.owed), set(), [], set()
        self.numbers = iter(range(1000))

    def play(self, story):
        for happening, detail in story:
            getattr(self, happening)(detail)
        return self

    # --- happenings ----------------------------------------------------------------------------

    def begin_call(self, _):
        """From now on until its end other things may happen."""
        if self.in_progress is None:
            self.in_progress = self._next_call()

    def answer(self, doing):
        call = self._end_call()
        if isinstance(call, Ask):
            self._tell(self._answered(doing))
        elif isinstance(call, Bring):
            if attempt_of(call.order) not in self.finished:
                self._take(call.order)
            self._tell(Took(call.order))

    def be_silent(self, _):
        self._fail(self._end_call(), refused=False)

    def refuse(self, ended):
        self._fail(self._end_call(), refused=True, process_ended=ended)

    def fail(self, _):
        self._tell(LinkFailed())

    def renew(self, busy):
        if self.is_ours:
            self._tell(Renewed(busy))

    def give(self, _):
        given = order(next(self.numbers))
        self.given.append(given)
        if self.is_known and not self.life.over:
            self.owed.append(given)
        self._tell(OrderGiven(given))

    def finish(self, index):
        """A result; only of what the worker may have got."""
        got = list(self.taken)
        if isinstance(self.in_progress, Bring):
            got.insert(0, self.in_progress.order)
        got += self.inherited
        if index < len(got):
            self.finished.add(attempt_of(got[index]))
            self._done(got[index])
            self._tell(ResultCame(attempt_of(got[index])))

    def lose_connection(self, _):
        self._tell(ConnectionLost())

    def part(self, _):
        self._tell(Parted())

    def close(self, dismiss):
        self._tell(MasterCloses(dismiss))

    def let_pass(self, seconds):
        self.now += seconds

    def answer_everything(self):
        """From now on every call is answered, by a worker that is idle."""
        for _ in range(10 * len(self.given) + 10):
            self.answer("idle")

    # --- the account ---------------------------------------------------------------------------

    def carry_out(self, instructions):
        """Checks instructions and takes note of them."""
        for instruction in instructions:
            match instruction:
                case Announce(attempt):
                    assert not self.is_known, "announced twice"
                    assert attempt not in self.finished, "announced with an attempt that ended"
                    self.is_known = True
                case Renounce():
                    assert self.is_known, "renounced though the scheduler does not know it"
                    self.is_known = False
                    self.owed, self.taken, self.lost = [], [], set()
                case ReportLost(attempt, why):
                    assert self.is_known, "reported lost by nobody"
                    assert why == "idle" or Renounce() in instructions, "lost, and still there"
                    assert attempt not in self.finished | self.lost, "reported lost twice"
                    self.lost.add(attempt)
                    self.owed = [each for each in self.owed if attempt_of(each) != attempt]
                case Complain():
                    pass
                case call:
                    self._queue(call)
        expected = self.life.state not in UNKNOWN_TO_SCHEDULER
        assert self.life.state == "closed" or self.is_known == expected, "the scheduler is wrong"

    def _queue(self, call):
        assert call not in [self.in_progress, *self.calls], "the same call twice at once"
        match call:
            case Ask():
                assert not self.life.over, "asked after the end"
            case Bring(brought):
                assert self.is_known, "brought to a worker that the scheduler does not know"
                assert brought not in self.taken, "brought twice"
                assert attempt_of(brought) not in self.finished, "brought after its result"
                assert brought in self.owed, "brought though another worker has it"
            case Forget() | Dismiss():
                assert self.life.over, "dismissed or forgotten before the end"
        self.calls.append(call)

    def _tell(self, event):
        was_over = self.life.over
        instructions = self.life.handle(event, self.now)
        assert not (was_over and instructions), "something followed after the end"
        self.carry_out(instructions)

    def _next_call(self):
        """The call that the link's thread makes next; a heartbeat passes if there is none."""
        while self.calls:
            call = self.calls.popleft()
            if self.life.wants(call):
                return call
        self.now += HEARTBEAT
        hangs = self.now > self.life.lease.ends and round(self.now) % 2 == 0
        self._tell(HeartbeatPassed(hangs))
        return None

    def _end_call(self):
        call, self.in_progress = self.in_progress or self._next_call(), None
        return call

    def _fail(self, call, refused, process_ended=False):
        if isinstance(call, Ask | Bring):
            self._tell(CallFailed(call, refused, process_ended))

    def _answered(self, doing):
        if not self.is_ours:
            return Answered(busy=doing != "idle", names_attempt=False)
        attempts = {"foreign": [attempt_of(FOREIGN)], "own": map(attempt_of, self.given)}
        awaited = [each for each in attempts.get(doing, ()) if each not in self.finished]
        if not awaited:
            return Answered(busy=doing != "idle")
        if self.life.state == "assumed" and awaited[0] == attempt_of(PREVIOUS):
            self._take(PREVIOUS)
        return Answered(busy=True, attempt=awaited[0])

    def _take(self, taken):
        self.taken.append(taken)
        self._done(taken)

    def _done(self, given):
        self.owed = [each for each in self.owed if each != given]


def tell(beginning, story):
    """Plays a story from its beginning."""
    return World(beginning).play(story)
