"""Configurations that the optimizer's model picked, beside random ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from bohb_seg.report.analysis.averages import median
from bohb_seg.report.analysis.budgets import evaluations_by_budget, losses_of
from bohb_seg.report.analysis.configuration import picked_by
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.wording import decimals

FEW_PICKS = 3
"""With fewer picks of a kind at a budget their median says nothing."""


@dataclass(frozen=True)
class Picks:
    """Losses at one budget, of trials that the model picked and of trials drawn at random."""

    budget: float
    model: tuple[float, ...]
    random: tuple[float, ...]


def picks(run: RunRecord) -> tuple[Picks, ...]:
    """Losses of model-based and of random picks at every budget, budgets in rising order.

    A promoted trial counts as it was picked at first. Configurations that
    somebody gave, such as the default, are left out.
    """
    found = []
    for budget, evaluations in evaluations_by_budget(run).items():
        model = [each for each in evaluations if picked_by(run, each) == "model"]
        random = [each for each in evaluations if picked_by(run, each) == "random"]
        found.append(Picks(budget, losses_of(model), losses_of(random)))
    return tuple(found)


def picks_sentence(found: Iterable[Picks]) -> str:
    """Comparison of the medians at the largest budget that has enough picks of both kinds."""
    found = list(found)
    if not any(pick.model for pick in found):
        return (
            "No configuration was picked by the model: it starts once one budget has enough"
            " results (two more than the space has hyperparameters)."
        )
    both = [pick for pick in found if min(len(pick.model), len(pick.random)) >= FEW_PICKS]
    if not both:
        return f"No budget has {FEW_PICKS} picks of each kind, so they cannot be compared yet."
    last = both[-1]
    model, random = median(last.model), median(last.random)
    word = "lower" if model < random else "not lower"
    return (
        f"At {last.budget:g} epochs the median loss of the {len(last.model)} model-based picks is"
        f" {decimals(model)}, {word} than the {decimals(random)} of the {len(last.random)} random"
        " ones."
    )
