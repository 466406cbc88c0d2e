"""Results of a run's comparison, out of its journal, in the form in which the verdict is judged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bohb_seg.search.events import Evaluate, Evaluated, IncumbentChosen, PlanChanged
from bohb_seg.search.plan import Plan
from bohb_seg.search.sequence import judge_in_order
from bohb_seg.search.verdict import Retrained, Terms, Verdict
from bohb_seg.storage.journal_entries import Entry, RunStarted, counted
from bohb_seg.trials import (
    ARMS_BRACKETS,
    COMPARISON_BRACKET,
    DEFAULT_ARM,
    FOLDS_BRACKET,
    INCUMBENT_ARM,
    RUNOFF_BRACKET,
    TrialId,
    seed_and_fold,
)

DELTA, SEEDS = 0.01, 3
"""Delta, and pairs of seeds, of runs of earlier versions that do not tell them."""


@dataclass(frozen=True)
class Compared:
    """All from which the verdict of a run follows.

    Args:
        comparison: Retrainings of default and present incumbent that are settled.
        runoff: Those of the runoff.
        terms: Terms that were agreed beforehand.
        arm: ``TrialId.rung`` of the present incumbent; a run that grew may have had others before.
        incumbent: Its trial in the search; None before it was chosen, and in runs of earlier
            versions, whose journals do not name it.
    """

    comparison: tuple[Retrained, ...]
    runoff: tuple[Retrained, ...]
    terms: Terms
    arm: int
    incumbent: TrialId | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict on what is settled so far."""
        return judge_in_order(self.comparison, self.runoff, self.terms)


def compared(entries: Sequence[Entry]) -> Compared:
    """Reads results and terms of the comparison out of a journal.

    Args:
        entries: The journal, or as much of it as there is.
    """
    chosen = [each.event for each in entries if isinstance(each.event, IncumbentChosen)]
    terms, arm = _terms(entries), chosen[-1].arm if chosen else INCUMBENT_ARM
    settled = [news for news, _ in counted(entries)]
    runoff = [news for news in settled if news.evaluation.trial.bracket == RUNOFF_BRACKET]
    return Compared(
        comparison=tuple(_arms(settled, arm, terms.folds)),
        runoff=tuple(_retrained(news, news.evaluation.trial.rung) for news in runoff),
        terms=terms,
        arm=arm,
        incumbent=chosen[-1].trial if chosen else None,
    )


def best_model(entries: Sequence[Entry]) -> tuple[TrialId | None, str]:
    """The retraining whose model is worth keeping.

    Returns:
        The best seed of the arm to be preferred: of the incumbent, unless the verdict says that it
        is worse or equivalent; of the other arm, if that has none. None without a retraining. And
        a reason, if it is not the incumbent's because of the verdict; else "".
    """
    found = compared(entries)
    answer = found.verdict.answer
    arm = DEFAULT_ARM if answer in ("worse", "equivalent") else found.arm
    losses = {
        news.evaluation.trial: news.loss
        for news, _ in counted(entries)
        if news.evaluation.trial.bracket == COMPARISON_BRACKET and news.loss is not None
    }
    preferred = {trial: loss for trial, loss in losses.items() if trial.rung == arm}
    several = preferred or losses
    best = min(several, key=lambda trial: several[trial], default=None)
    if arm != DEFAULT_ARM or not preferred:
        return best, ""
    if all(trial.rung == DEFAULT_ARM for trial in losses):
        return best, "the search found nothing better"
    return best, f"by the verdict the incumbent is {answer}"


def _arms(settled: Iterable[Evaluated], arm: int, folds: int) -> Iterable[Retrained]:
    """Retrainings of the default and of the present incumbent; those of earlier ones are not."""
    arms = {arm: INCUMBENT_ARM, DEFAULT_ARM: DEFAULT_ARM}
    for news in settled:
        bracket, rung, number = news.evaluation.trial
        if rung in arms and bracket == COMPARISON_BRACKET:
            yield _retrained(news, arms[rung])
        elif rung in arms and bracket == FOLDS_BRACKET and folds >= 1:
            seed, fold = seed_and_fold(number, folds)
            yield Retrained(arms[rung], seed, news.loss, news.facts, fold)


def _retrained(news: Evaluated, arm: int) -> Retrained:
    return Retrained(arm, news.evaluation.trial.number, news.loss, news.facts)


def _terms(entries: Sequence[Entry]) -> Terms:
    start = entries[0].event if entries else None
    settings = start.settings if isinstance(start, RunStarted) else {}
    first = Plan(
        n_iterations=1,
        comparison_seeds=max(1, int(_number(settings, "final_seeds", SEEDS))),
        folds=max(0, int(_number(settings, "final_folds", 0))),
        delta=max(0.0, _number(settings, "final_delta", DELTA)),
    )
    begun = latest_plan(entries[: _beginning(entries)])
    return Terms.of(latest_plan(entries) or first, begun or first)


def _number(settings: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = settings.get(name)
    return float(value) if isinstance(value, int | float) else otherwise


def latest_plan(entries: Iterable[Entry]) -> Plan | None:
    """The plan since it was changed last; None if it never was."""
    plans = [entry.event.plan for entry in entries if isinstance(entry.event, PlanChanged)]
    return plans[-1] if plans else None


def _beginning(entries: Sequence[Entry]) -> int:
    """Index of the first order of the comparison, up to which nobody has looked at it."""
    for index, entry in enumerate(entries):
        order = entry.event
        if isinstance(order, Evaluate) and order.evaluation.trial.bracket in ARMS_BRACKETS:
            return index
    return len(entries)
