"""Checks that hold for every run, whatever happened to it, made on its run directory.

Every configuration that was drawn has exactly one counted result per rung it reached; none is bad
because of a fault; in runoff and comparison every arm has every seed; nothing that was settled was
ordered again; HpBandSter's live log is what counted in the search; the journal replays to the end
it has; no checkpoint is left.
"""

import itertools
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.cluster import checkpoints

from bohb_seg.master.run_setup import assemble
from bohb_seg.search import hyperband
from bohb_seg.search.events import Evaluate, Evaluated, Finish, PlanChanged, Settled
from bohb_seg.settings import SearchSettings, merge
from bohb_seg.storage import journal, resume
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.trials import (
    CHECKPOINTS,
    COMPARISON_BRACKET,
    RUNOFF_BRACKET,
    Attempt,
    Configuration,
    EvaluationId,
    TrialId,
)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a search, without times, workers and attempts.

    Args:
        configurations: Configurations that were drawn.
        losses: Losses that counted; None if an evaluation diverged or failed.
        best: Loss of the search's best trial, and the trials that have it.
    """

    configurations: Mapping[TrialId, Configuration]
    losses: Mapping[EvaluationId, float | None]
    best: tuple[float, frozenset[TrialId]]


@dataclass(frozen=True)
class Audit:
    """A run that passed all checks.

    Args:
        entries: Journal of the run.
        outcome: Outcome of the search.
    """

    entries: Sequence[Entry]
    outcome: Outcome


def audit(run_dir: Path, bad: Collection[str] = ()) -> Audit:
    """Checks a run that ended by itself.

    Args:
        run_dir: Directory of the run.
        bad: Outcomes that are due to the objective itself: ``diverged``, ``crashed``.

    Raises:
        AssertionError: a check failed; the message says which.
    """
    entries = journal.read(run_dir / journal.FILE_NAME)
    events = [entry.event for entry in entries]
    counted = _counted(events)
    _nothing_is_missing(events, counted, bad)
    _nothing_twice(events)
    _nobody_is_bad(counted, bad)
    _the_live_log_is_what_counted(run_dir, counted)
    _it_replays(run_dir, events)
    assert not checkpoints(run_dir), "checkpoints are left"
    assert not (run_dir / CHECKPOINTS).exists(), "a late worker could write checkpoints"
    return Audit(entries, _outcome(events, counted))


def _counted(events: Sequence[object]) -> list[Evaluated]:
    """The news that were settled, in this order; each must stand right before its order."""
    counted: list[Evaluated] = []
    for before, event in itertools.pairwise(events):
        if isinstance(event, Settled):
            assert isinstance(before, Evaluated), f"{event} follows on {before}"
            assert _attempt(before) == _attempt(event), f"{event} follows on {before}"
            counted.append(before)
    return counted


def _nothing_is_missing(
    events: Sequence[object], counted: Sequence[Evaluated], bad: Collection[str]
) -> None:
    """One result for each place of each rung and each arm, and for all that was ever ordered."""
    times = Counter(news.evaluation for news in counted)
    assert set(times.values()) == {1}, "an evaluation was counted twice"
    ordered = {event.evaluation for event in events if isinstance(event, Evaluate)}
    missing = {each for each in ordered - set(times) if each.trial.bracket != COMPARISON_BRACKET}
    assert not missing, f"ordered, never settled: {missing}"
    for final in (RUNOFF_BRACKET, COMPARISON_BRACKET):
        trials = [e.trial for e in times if e.trial.bracket == final]
        lacking = {arm for _, arm, _ in trials} - {arm for _, arm, seed in trials if seed == 0}
        assert not lacking, "an arm lacks its first seed"
    if not bad:
        places = Counter((e.trial.bracket, e.budget) for e in times if e.trial.bracket >= 0)
        assert places == _places(events), "a rung is not as Hyperband has it"


def _places(events: Sequence[object]) -> Counter[tuple[int, float]]:
    start, plans = events[0], [each.plan for each in events if isinstance(each, PlanChanged)]
    assert isinstance(start, RunStarted)
    settings = SearchSettings.model_validate(start.settings)
    brackets = plans[-1].n_iterations if plans else settings.n_iterations
    ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
    return Counter(
        {
            (bracket, rung.budget): rung.trials
            for bracket in range(brackets)
            for rung in hyperband.bracket(ladder, bracket)
        }
    )


def _nothing_twice(events: Sequence[object]) -> None:
    """Attempts are numbered from 1 without a gap, and end when one is settled."""
    latest: Counter[EvaluationId] = Counter()
    settled: set[EvaluationId] = set()
    for event in events:
        if isinstance(event, Evaluate):
            assert event.evaluation not in settled, f"ordered again after it was settled: {event}"
            latest[event.evaluation] += 1
            assert event.attempt == latest[event.evaluation], f"misnumbered: {event}"
        if isinstance(event, Settled):
            settled.add(event.evaluation)


def _nobody_is_bad(counted: Sequence[Evaluated], bad: Collection[str]) -> None:
    for news in counted:
        assert news.outcome in {"finished", *bad}, f"counts as bad: {news}"


def _the_live_log_is_what_counted(run_dir: Path, counted: Sequence[Evaluated]) -> None:
    lines = [json.loads(line) for line in (run_dir / "results.json").read_text().splitlines()]
    logged = [
        (EvaluationId(TrialId(*trial), budget), result and result["loss"], error)
        for trial, budget, _, result, error in lines
    ]
    assert logged == [(n.evaluation, n.loss, n.error) for n in counted if _is_searched(n)]


def _it_replays(run_dir: Path, events: Sequence[object]) -> None:
    """A master fed with the news gives the recorded orders, and knows the same incumbent."""
    finishes = [event for event in events if isinstance(event, Finish)]
    changes = [event for event in events if isinstance(event, PlanChanged)]
    assert 1 <= len(finishes) <= 1 + len(changes), f"finished {len(finishes)} times"
    flags = {"resume": True, "run_dir": run_dir}
    past = journal.read(run_dir / journal.FILE_NAME)
    settings = resume.resumed(merge(SearchSettings, flags, environment={}), flags, past)
    run = assemble(settings, past)
    assert (run.due, run.changes) == ([], ())
    assert run.scheduler.finished
    incumbent = run.scheduler.progress.incumbent
    if incumbent is not None:
        kept = json.loads((run_dir / "incumbent.json").read_text())
        now = json.loads(json.dumps(asdict(incumbent)))
        assert {name: kept[name] for name in now} == now


def _outcome(events: Sequence[object], counted: Sequence[Evaluated]) -> Outcome:
    orders = [event for event in events if isinstance(event, Evaluate)]
    return Outcome(
        {order.evaluation.trial: order.configuration for order in orders},
        {news.evaluation: news.loss for news in counted},
        _best(counted),
    )


def _best(counted: Sequence[Evaluated]) -> tuple[float, frozenset[TrialId]]:
    searched = filter(_is_searched, counted)
    finished = [(news.evaluation, news.loss) for news in searched if news.loss is not None]
    ranks = {e: (-e.budget, loss) for e, loss in finished}
    first = min(ranks.values(), default=(0.0, 0.0))
    return first[1], frozenset(e.trial for e, rank in ranks.items() if rank == first)


def _is_searched(news: Evaluated) -> bool:
    return news.evaluation.trial.bracket >= 0


def _attempt(event: Any) -> tuple[Attempt, str]:
    return Attempt(event.evaluation, event.attempt), event.worker
