"""Keeps a run within its time by correcting its plan; no IO, no clock.

Rules:

- Brackets are added as long as search and final phases end by the *aim*. Those that have not begun
  are taken away when all would end after the *limit*, which is a little later.
- The final phases shrink, to three seeds and then to no runoff, if they would take nearly half of
  the time, because the winner is slow or workers have left, or if fewer brackets are not enough.
  Their least is reserved: if even it does not fit after the open brackets, the search ends.
- An evaluation of the search that still runs then is waited for as long as the least final phases
  fit after it, and else given up: the verdict is what the time was given for.
- In the comparison, seeds are added and taken away by the same two marks.
- No more is planned than was asked for; less is, when the time demands it.

All times are seconds since the run began.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final

from bohb_seg.search.deadline import MOST_SEEDS, FinalsSize, Given, Layout, RunSize, rungs_of
from bohb_seg.search.events import News, Order, PlanChanged, StopRequested
from bohb_seg.search.forecast import SearchForecast, all_done
from bohb_seg.search.pacing import Pacing
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Phase
from bohb_seg.search.timekeeping import Watch
from bohb_seg.search.verdict import FIRST_LOOK
from bohb_seg.trials import COMPARISON_BRACKET, DEFAULT_ARM, INCUMBENT_ARM, TrialId

AIM: Final = 0.97
SEARCH_LIMIT: Final = 0.985
LIMIT: Final = 1.0
"""Shares of the time at which a plan should end, and must as long as the search goes on, and after
it: a winner's speed is not known before."""
FINALS_SHARE: Final = 0.45
"""Share of the time that the final phases take at most, if they can be so small, and were not
planned larger."""
EVERY: Final = 0.005
"""Share of the time between two corrections."""
SOONEST: Final = 1.0
"""Seconds between two corrections at least."""


_OVER: Final = "--hours has no time left for the search"
_DEFAULT: Final = TrialId(COMPARISON_BRACKET, DEFAULT_ARM, 0)
_WINNER: Final = TrialId(COMPARISON_BRACKET, INCUMBENT_ARM, 0)


@dataclass(frozen=True)
class Task:
    """A run and its time.

    Args:
        seconds: Time for search and final phases.
        size: Size of the run as it was planned.
        given: What was asked for beside the time.
        layout: The rungs on each ladder.
    """

    seconds: float
    size: RunSize
    given: Given
    layout: Layout


@final
class Timekeeper:
    """Corrects the plan of a run so that it ends in time.

    Args:
        task: The run and its time.
        plan: The plan that the run has.
        pacing: The speeds as they were measured.
    """

    def __init__(self, task: Task, plan: Plan, pacing: Pacing) -> None:
        self._task, self._plan = task, plan
        self._rungs = rungs_of(task.size, task.given, task.layout)
        self._watch = Watch(pacing, self._rungs, task.given.continuing)
        self._most = max(FINALS_SHARE * task.seconds, task.size.finals.seconds(pacing.paces))
        self._due = 0.0
        self._is_stopped = self._is_given_up = False

    def follow(self, events: Iterable[News | Order], now: float | None) -> None:
        """Takes note of news and orders; they may hold corrections of an earlier start.

        Args:
            events: In the order in which they happened.
            now: Seconds since the run began; None if nobody knows when they happened.
        """
        events = list(events)
        for event in events:
            if isinstance(event, PlanChanged):
                self._plan = event.plan
            elif isinstance(event, StopRequested):
                self._is_stopped = True
                self._is_given_up |= not event.waits
        self._watch.follow(events, now)

    def correct(self, now: float, phase: Phase) -> News | None:
        """The correction that is due now, as news; None without one."""
        if now < self._due or not self._watch.workers:
            return None
        self._due = now + max(SOONEST, EVERY * self._task.seconds)
        match phase:
            case "search" if self._is_stopped:
                return self._give_up(now)
            case "search":
                return self._correct_search(now)
            case "comparison":
                return self._correct_comparison(now)
        return None

    # --- the search ---------------------------------------------------------------------------

    def _correct_search(self, now: float) -> News | None:
        watch, plan = self._watch, self._plan
        search = SearchForecast(
            watch.paces,
            self._rungs,
            self._task.given.continuing,
            watch.pacing.factor,
            watch.standing(now),
        )
        begun, most = max(1, watch.begun), self._task.given.brackets or math.inf
        for finals in self._shrinking():
            after = self._seconds_of(finals)
            brackets = max(begun, plan.n_iterations)
            if search.seconds(brackets) + after > self._left(SEARCH_LIMIT, now):
                brackets = search.most(self._left(SEARCH_LIMIT, now) - after, begun)
            else:
                brackets = search.most(self._left(AIM, now) - after, brackets)
            brackets = max(begun, int(min(brackets, most)))
            if search.seconds(brackets) + after <= self._left(SEARCH_LIMIT, now):
                return self._changed(n_iterations=brackets, **_wish(finals))
        kept = _clock(self._least())
        reason = f"--hours keeps {kept} for the final phases" if plan.comparison_epochs else _OVER
        return StopRequested(reason)

    def _give_up(self, now: float) -> News | None:
        """Gives up what still runs of the search, once only the least final phases fit."""
        if self._is_given_up or self._least() < self._left(SEARCH_LIMIT, now):
            return None
        return StopRequested(_OVER, waits=False)

    def _least(self) -> float:
        """Seconds of the least final phases."""
        return self._seconds_of(list(self._shrinking())[-1])

    def _shrinking(self) -> Iterator[FinalsSize]:
        """Final phases that leave the search its share, then smaller ones; the least at last."""
        *larger, least = self._all_finals()
        yield from (finals for finals in larger if self._seconds_of(finals) <= self._most)
        yield least

    def _all_finals(self) -> Iterator[FinalsSize]:
        """The final phases as they are wished, then smaller and smaller ones."""
        finals = self._task.size.finals
        yield finals
        for seeds in range(finals.seeds - 1, FIRST_LOOK - 1, -1):
            yield replace(finals, seeds=seeds)
        if finals.seeds and finals.candidates > 1:
            yield replace(finals, seeds=min(finals.seeds, FIRST_LOOK), candidates=1)

    def _seconds_of(self, finals: FinalsSize) -> float:
        return finals.seconds(self._watch.paces, self._watch.factor(_WINNER))

    # --- the comparison -----------------------------------------------------------------------

    def _correct_comparison(self, now: float) -> News | None:
        given, seeds = self._task.given, self._plan.comparison_seeds
        if given.folds:
            return None
        most = MOST_SEEDS if given.seeds is None else given.seeds
        ends = {count: self._end_of(count, now) for count in range(1, max(most, seeds) + 1)}
        if ends[seeds] > self._left(LIMIT, now):
            fits = [count for count, end in ends.items() if end <= self._left(LIMIT, now)]
            seeds = max(min(FIRST_LOOK, seeds), max(fits, default=0))
        else:
            grown = [count for count, end in ends.items() if end <= self._left(AIM, now)]
            seeds = max([seeds, *grown])
        return self._changed(comparison_seeds=seeds)

    def _end_of(self, seeds: int, now: float) -> float:
        """Seconds until a comparison with so many seeds has ended."""
        watch, epochs = self._watch, self._plan.comparison_epochs or 0.0
        pair = ((epochs, watch.factor(_DEFAULT)), (epochs, watch.factor(_WINNER)))
        begun = watch.begun_of(COMPARISON_BRACKET)
        left = max(0, 2 * seeds - begun)
        jobs = [pair[number % 2] for number in range(left)]
        return all_done(watch.paces, jobs, watch.busy(now))

    # ------------------------------------------------------------------------------------------

    def _left(self, share: float, now: float) -> float:
        return share * self._task.seconds - now

    def _changed(self, **values: Any) -> News | None:
        """News of the plan with other values; None if they are those that it has."""
        plan = replace(self._plan, **values)
        return None if plan == self._plan else PlanChanged(plan, self._reason(plan))

    def _reason(self, plan: Plan) -> str:
        """The plan in words, with the speeds from which it follows."""
        paces = self._watch.paces.values()
        epoch = statistics.median(pace.epoch for pace in paces) * self._watch.pacing.factor
        workers = "1 worker" if len(paces) == 1 else f"{len(paces)} workers"
        size = replace(
            self._task.size,
            brackets=plan.n_iterations,
            candidates=plan.candidates,
            seeds=plan.comparison_seeds if plan.comparison_epochs else 0,
        )
        return f"{workers}, {epoch:.3g} s an epoch: {size.text()}"


def _wish(finals: FinalsSize) -> Mapping[str, int]:
    """Fields of a plan that follow from final phases."""
    if not finals.seeds:
        return {}
    return {"comparison_seeds": finals.seeds, "candidates": finals.candidates}


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
