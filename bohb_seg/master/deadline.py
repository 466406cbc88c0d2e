"""``--hours``: a run is planned from what was measured, and its plan corrected as it goes on.

The hours count from the moment at which the first master's process began, and time without a master
counts, too (:mod:`bohb_seg.storage.run_clock`). A part of them is kept for the report. What was
measured and what was given lie in the first entry of the journal, each correction as news in it: a
replay asks no clock.
"""

import dataclasses
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

from bohb_seg.errors import SettingsError
from bohb_seg.search.deadline import Given, Layout, NoRoomError, Planner, RunSize
from bohb_seg.search.events import News, Order
from bohb_seg.search.forecast import Pace
from bohb_seg.search.pacing import Pacing
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Phase
from bohb_seg.search.timekeeper import AIM, Task, Timekeeper
from bohb_seg.settings import SearchSettings, flag_of
from bohb_seg.storage import resume, run_clock
from bohb_seg.storage.journal_entries import Entry, RulesChanged, RunResumed, RunStarted

SHORTEST_REPORT: Final = 30.0
LONGEST_REPORT: Final = 120.0
"""Seconds that are kept for the end: workers that leave, results, figures, report."""
REPORT_SHARE: Final = 0.02
MOST_OF_SHORT_RUN: Final = 0.2
"""Shares of the whole time that are kept; of a very short one not more than the second."""

_CHOSEN: Mapping[str, str] = {
    "min_budget": "min_budget",
    "max_budget": "max_budget",
    "n_iterations": "brackets",
    "final_candidates": "candidates",
    "final_seeds": "seeds",
    "final_epochs": "final_epochs",
}
"""Settings that are chosen unless they are given, and their names in a size."""


def given(settings: SearchSettings) -> Given:
    """The part of a run's size that is kept because it was given."""
    said = settings.model_fields_set
    kept = {own: getattr(settings, name) for name, own in _CHOSEN.items() if name in said}
    return Given(
        **kept,
        eta=settings.eta,
        comparison=settings.comparison,
        folds=settings.final_folds,
        continuing=settings.continue_,
    )


def reserve(seconds: float) -> float:
    """Seconds of a whole run that are kept for its end."""
    least = min(SHORTEST_REPORT, MOST_OF_SHORT_RUN * seconds)
    return min(LONGEST_REPORT, max(least, REPORT_SHARE * seconds))


def size_of(settings: SearchSettings) -> RunSize:
    """The size of a run with these settings."""
    return RunSize(
        min_budget=settings.min_budget,
        max_budget=settings.max_budget,
        brackets=settings.n_iterations,
        candidates=settings.final_candidates,
        seeds=settings.final_seeds if settings.comparison else 0,
        final_epochs=settings.comparison_epochs or settings.max_budget,
        folds=settings.final_folds if settings.comparison else 0,
    )


def planned(
    settings: SearchSettings, paces: Mapping[str, Pace], layout: Layout, elapsed: float
) -> tuple[SearchSettings, str]:
    """Chooses what was not given, and says so.

    Args:
        settings: Settings as they were given; without ``--hours`` nothing is chosen.
        paces: What was measured, by worker.
        layout: The rungs that the optimizer lays out on a ladder.
        elapsed: Seconds since the run began.

    Returns:
        The whole settings, and the plan in words.

    Raises:
        SettingsError: nothing that was asked for ends in time; says what would.
    """
    planner = Planner(paces, given(settings), layout)
    if settings.hours is None:
        return settings, told(planner, size_of(settings), elapsed)
    try:
        size = planner.choose(_aim(settings.hours) - elapsed)
    except NoRoomError as error:
        raise SettingsError(_refusal(settings, planner, error, elapsed)) from None
    values = {name: getattr(size, own) for name, own in _CHOSEN.items()}
    if not settings.comparison:
        values = {n: v for n, v in values.items() if not n.startswith("final_")}
    return settings.model_copy(update=values), told(planner, size, elapsed)


def told(planner: Planner, size: RunSize, elapsed: float) -> str:
    """A plan in words: workers, speed, size, and how long it will all take."""
    seconds = elapsed + planner.forecast(size)
    whole = seconds + reserve(seconds)
    return f"{_workers(planner.paces)}: {size.text()}: {duration(whole)}"


def _aim(hours: float) -> float:
    """Seconds for search and final phases of a run of so many hours."""
    whole = 3600 * hours
    return AIM * (whole - reserve(whole))


def duration(seconds: float) -> str:
    """A duration in words, e.g. ``3 h 40 min``."""
    if seconds < 600:
        return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _workers(paces: Mapping[str, Pace]) -> str:
    speeds = sorted(pace.epoch for pace in paces.values())
    count = "1 worker" if len(speeds) == 1 else f"{len(speeds)} workers"
    if speeds[-1] < 1.2 * speeds[0]:
        return f"{count}, {statistics.median(speeds):.3g} s an epoch"
    return f"{count}, {speeds[0]:.3g} to {speeds[-1]:.3g} s an epoch"


def _refusal(settings: SearchSettings, planner: Planner, error: NoRoomError, elapsed: float) -> str:
    """Why nothing fits, and what would."""
    hours = settings.hours or 0.0
    problem = (
        f"--hours {hours:g} has no room: with {_workers(planner.paces)}, the least is"
        f" {error.least.text()}, which needs --hours {_hours_for(error.seconds + elapsed):g}"
    )
    said = [flag_of(name) for name in _CHOSEN if name in settings.model_fields_set]
    given = planner.given
    free = Given(
        eta=given.eta, comparison=given.comparison, folds=given.folds, continuing=given.continuing
    )
    ways = [(said, free)] if said else []
    if given.folds:
        ways.append(([*said, "--final-folds"], dataclasses.replace(free, folds=0)))
    for left_out, rest in ways:
        try:
            size = dataclasses.replace(planner, given=rest).choose(_aim(hours) - elapsed)
        except NoRoomError:
            continue
        return f"{problem}; or leave out {' and '.join(left_out)}: {size.text()} would fit"
    if ways:
        return f"{problem}; or give more workers and leave out {' and '.join(ways[-1][0])}"
    return f"{problem}; or give more workers, or smaller patches (--downscale 2)"


def _hours_for(seconds: float) -> float:
    """Hours in which so many seconds of search and final phases have room, rounded up."""
    whole = seconds
    while _aim(whole / 3600) < seconds:
        whole *= 1.01
    hours = whole / 3600
    digits = 10 ** (1 if hours >= 1 else 3)
    return -(-hours * digits // 1) / digits


def record(
    began: Mapping[str, Any], settings: SearchSettings, paces: Mapping[str, Pace], plan: str
) -> Mapping[str, Any]:
    """The field ``deadline`` of a run's first entry.

    Args:
        began: Moment at which the run began, see :mod:`bohb_seg.storage.run_clock`.
        settings: Settings as they were given.
        paces: What was measured.
        plan: The plan in words.
    """
    return {
        "began": began,
        "paces": {name: [pace.epoch, pace.fixed] for name, pace in paces.items()},
        "given": dataclasses.asdict(given(settings)),
        "plan": plan,
    }


def _grown(asked: Given, most: Mapping[str, int]) -> Given:
    """Sizes asked for at the first start or since then: a correction takes no growth back.

    Args:
        asked: What was given at the first start.
        most: The growing settings at their largest.
    """
    return dataclasses.replace(
        asked,
        brackets=None if asked.brackets is None else most["n_iterations"],
        seeds=None if asked.seeds is None else most["final_seeds"],
        folds=most["final_folds"],
    )


@final
class Deadline:
    """The end of a run that has ``--hours``.

    Args:
        settings: All settings of the run.
        start: The first entry of its journal.
        past: The journal so far.
        plan: The plan with which the run began.
        layout: The rungs that the optimizer lays out on a ladder.

    Raises:
        SettingsError: the run was begun without ``--hours``.
    """

    def __init__(
        self,
        settings: SearchSettings,
        start: RunStarted,
        past: Sequence[Entry],
        plan: Plan,
        layout: Layout,
    ) -> None:
        if not start.deadline:
            raise SettingsError(
                "--hours: the run was begun without it, so nothing was measured; leave it out, or"
                " give --max-hours"
            )
        known = start.deadline
        self._whole = 3600 * (settings.hours or 0.0)
        self._last = self._whole - reserve(self._whole)
        self._before = run_clock.seconds_since(known["began"])
        self._since = time.monotonic()
        paces = {name: Pace(*pace) for name, pace in known["paces"].items()}
        began = resume.began_with(start)
        most = {name: max(had, getattr(settings, name)) for name, had in began.items()}
        size = size_of(settings.model_copy(update=most))
        task = Task(self._last, size, _grown(Given(**known["given"]), most), layout)
        self._keeper = Timekeeper(task, plan, Pacing(paces))
        happened = (each.event for each in past)
        self._keeper.follow(
            (e for e in happened if not isinstance(e, RunStarted | RunResumed | RulesChanged)), None
        )

    @property
    def left(self) -> float:
        """Seconds until the whole run should have ended."""
        return self._whole - self._now

    @property
    def is_over(self) -> bool:
        """Whether only the time for the report is left."""
        return self._now >= self._last

    def follow(self, events: Iterable[News | Order]) -> None:
        """Takes note of news and orders."""
        self._keeper.follow(events, self._now)

    def correction(self, phase: Phase) -> list[News]:
        """The correction of the plan that is due, if there is one."""
        found = self._keeper.correct(self._now, phase)
        return [found] if found else []

    @property
    def _now(self) -> float:
        """Seconds since the run began."""
        return self._before + time.monotonic() - self._since
