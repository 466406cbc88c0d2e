"""A run put together from its settings and its journal."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from bohb_seg import machine, optimizers, plugins
from bohb_seg.master import plugin_check, recipes
from bohb_seg.master.data_check import check_data, refuse_folds
from bohb_seg.master.dispatcher import Terms
from bohb_seg.master.replay import replay
from bohb_seg.master.transport import Transport
from bohb_seg.search import hyperband
from bohb_seg.search.data_facts import Facts
from bohb_seg.search.events import Evaluate, Order, PlanChanged
from bohb_seg.search.forecast import RungsOf
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.settings import SearchSettings, TrainingSettings, flag_of
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.storage import resume, warm_start
from bohb_seg.storage.journal import FILE_NAME
from bohb_seg.storage.journal_entries import Entry, Event, RunStarted
from bohb_seg.trials import Attempt

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run as far as its journal goes.

    Args:
        settings: All settings of the run.
        past: Its journal; empty for a new run.
        start: The first entry of the journal.
        scheduler: Has been told all news of the past.
        due: Orders that follow from the news, but that a crash kept from the journal.
        changes: Entries that the journal must have before them.
        growth: News that the run is larger from this start on.
    """

    settings: SearchSettings
    past: Sequence[Entry]
    start: RunStarted
    scheduler: Scheduler
    due: Sequence[Order]
    changes: Sequence[Event] = ()
    growth: PlanChanged | None = None

    @property
    def workers(self) -> Mapping[str, Evaluate | None]:
        """Names of the workers that the scheduler knows, with the order that each has."""
        running = {Attempt(order.evaluation, order.attempt): order for order in self._evaluates}
        return {
            name: running[attempt] if attempt else None
            for name, attempt in self.scheduler.workers.items()
        }

    @property
    def _evaluates(self) -> Iterator[Evaluate]:
        events = [*(entry.event for entry in self.past), *self.due]
        return (event for event in events if isinstance(event, Evaluate))


def assemble(
    settings: SearchSettings, past: Sequence[Entry], start: RunStarted | None = None
) -> Run:
    """A new run, or one that goes on where its journal ends.

    Args:
        settings: All settings of the run.
        past: The journal so far; empty for a new run.
        start: Its first entry, if it was made already.

    Raises:
        BohbSegError: the settings or the data must be changed.
        JournalError: the recorded orders contradict each other.
    """
    start = start or resume.started(past) or new_start(settings)
    journal = settings.run_dir / FILE_NAME
    found = replay(lambda: new_scheduler(settings, start), past, journal)
    growth = _growth(settings, found.scheduler.plan, start) if past else None
    return Run(settings, past, start, found.scheduler, found.due, found.changes, growth)


def new_start(settings: SearchSettings) -> RunStarted:
    """The first entry of a new run's journal; looks at the data, which may take minutes.

    Raises:
        BohbSegError: the settings or the data must be changed.
    """
    runs, given = warm_start.read(settings.warm_start), recipes.read(settings)
    others = warm_start.read(settings.prior, "--prior")
    data = check_data(settings) if plugins.needs_data(settings.worker) else {}
    facts = Facts.of(data, settings.patch_size) if data else None
    space = loading.load(settings.space, facts)
    plugin_check.check_space(space, settings)  # a second time, for it may follow from the facts
    begins = recipes.beginning(given, space, settings)
    start = RunStarted(
        settings=recorded(settings),
        space=configspace.to_json(space),
        data=data,
        default=begins.default,
        worker=plugins.digest("workers", settings.worker),
        baseline=begins.baseline,
        first=begins.first,
        unsearched=begins.unsearched,
    )
    if begins.why_not:
        _log.info(
            "--baseline %s lies outside the search space (%s): the search does not try it, the"
            " comparison does",
            *(begins.baseline, begins.why_not),
        )
    return dataclasses.replace(
        start,
        earlier=warm_start.comparable(runs, start),
        prior=warm_start.expected(others, start),
    )


def recorded(settings: SearchSettings) -> Mapping[str, Any]:
    """Settings as the first entry of a journal has them."""
    return settings.model_dump(mode="json", exclude={"cache_dir"})


def layout(settings: SearchSettings, start: RunStarted) -> Callable[[hyperband.Ladder], RungsOf]:
    """The rungs that a run's optimizer lays out on a ladder."""
    space = configspace.read(start.space, f"the space in {settings.run_dir / FILE_NAME}")

    @cache
    def rungs(ladder: hyperband.Ladder) -> RungsOf:
        return optimizers.build(settings.optimizer, space, ladder, settings.seed).rungs

    return rungs


def new_scheduler(settings: SearchSettings, start: RunStarted) -> Scheduler:
    """The scheduler of a run, which has heard no news yet.

    Space and observations of earlier runs come from the journal, so that a run goes on in its own
    space if the file has changed since, and does not need the directories of earlier runs again.
    """
    ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
    space = configspace.read(start.space, f"the space in {settings.run_dir / FILE_NAME}")
    optimizer = optimizers.build(settings.optimizer, space, ladder, settings.seed)
    for observation in start.earlier:
        optimizer.observe(*observation)
    if start.prior:
        optimizer.expect(start.prior)
    return Scheduler(optimizer, plan_of(settings, start), start.default)


def outlook(settings: SearchSettings, start: RunStarted) -> str:
    """Says who proposes configurations in a run, and when a model does."""
    ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
    space = configspace.read(start.space, f"the space in {settings.run_dir / FILE_NAME}")
    return optimizers.outlook(settings.optimizer, space, ladder)


def without_place(settings: SearchSettings, start: RunStarted) -> int:
    """Number of recipes that a new run has no trial for; 0 if all are tried."""
    ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
    rungs, places = layout(settings, start)(ladder), 0
    for bracket in range(settings.n_iterations):
        if places >= len(start.first):
            break
        places += rungs(bracket)[0].trials
    return max(0, len(start.first) - places)


def new_transport(settings: SearchSettings) -> Transport:
    """The transport of a run, which has not taken its port yet."""
    return Transport(
        run_id=settings.run_id,
        host=settings.host,
        port=settings.port,
        external=machine.split_location(settings.nameserver) if settings.nameserver else None,
        working_directory=str(settings.run_dir.resolve()),
        heartbeat=settings.heartbeat,
        minutes=settings.max_minutes_per_evaluation,
    )


def terms(settings: SearchSettings, start: RunStarted, token: str) -> Terms:
    """Terms on which workers take part in a run.

    Args:
        settings: All settings of the run.
        start: The first entry of its journal.
        token: Lies in the run directory.
    """
    told = settings.model_dump(mode="json", include=set(TrainingSettings.model_fields))
    told["data"] = plugins.absolute_data(settings.data)
    del told["log_level"], told["cache_dir"]
    for name in chosen_later(settings):
        del told[name]
    hashes = {name: str(start.data.get(name, "")) for name in ("fingerprint", "split_hash")}
    facts = {"version": version("bohb-seg"), **hashes}
    facts["model"] = plugins.digest("models", settings.model)
    return Terms(told, settings.heartbeat, token, facts)


def chosen_later(settings: SearchSettings) -> dict[str, Any]:
    """Settings that may have been chosen after workers joined, by name: orders bring them."""
    folds = {"final_folds": settings.final_folds} if settings.final_folds else {}
    return folds if settings.hours is None else {**folds, "max_budget": settings.max_budget}


def plan_of(settings: SearchSettings, start: RunStarted) -> Plan:
    """The plan with which the run began; a run of an earlier version knows no ``final_delta``."""
    began = settings.model_copy(update=resume.began_with(start))
    return Plan(
        n_iterations=began.n_iterations,
        max_attempts=settings.max_attempts,
        comparison_epochs=settings.comparison_epochs,
        comparison_seeds=began.final_seeds,
        folds=began.final_folds,
        delta=settings.final_delta,
        candidates=settings.final_candidates,
        max_evaluations=settings.max_evaluations,
        max_epochs=settings.max_epochs,
        target_loss=settings.target_loss,
        continuing=settings.continue_,
        adaptive="final_delta" in start.settings,
        first=tuple(start.first),
    )


def _growth(settings: SearchSettings, plan: Plan, start: RunStarted) -> PlanChanged | None:
    """The news that the run is larger from this start on; None if it is not.

    Raises:
        SettingsError: the data cannot be dealt out in so many folds.
    """
    now = settings.n_iterations, settings.final_seeds, settings.final_folds
    before = plan.n_iterations, plan.comparison_seeds, plan.folds
    if now == before:
        return None
    brackets, seeds, folds = now
    if folds != plan.folds and plugins.needs_data(settings.worker):
        # Runs of earlier versions do not know how many folds their data have.
        refuse_folds(folds, start.data if "most_folds" in start.data else check_data(settings))
    larger = dataclasses.replace(
        plan, n_iterations=brackets, comparison_seeds=seeds, folds=folds, adaptive=True
    )
    words = zip(resume.GROWING, now, before, strict=True)
    told = [f"{flag_of(name)} {new} instead of {old}" for name, new, old in words if new != old]
    return PlanChanged(larger, ", ".join(told))
