"""Figure of the rungs: how far each trial of a bracket went."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord, by_trial
from bohb_seg.report.figures.marks import (
    COLLAPSED,
    collapsed_key,
    cross,
    cross_key,
    has_collapsed,
)
from bohb_seg.report.style import (
    ARM_LOOKS,
    ceiling,
    epoch_axis,
    grid_of_axes,
    loss_axis,
    new_figure,
    styled,
)

MOST_BRACKETS = 12
"""Panels in the figure, for the latest brackets; the table has all of them."""
HEADROOM = 0.1
"""Share of the axis that is added at the top for crosses."""


@styled
def rungs(run: RunRecord) -> Figure:
    """A panel per bracket: each trial's losses over the budgets it reached."""
    brackets: dict[int, list[list[EvaluationRecord]]] = {}
    for trial, evaluations in by_trial(run.evaluations).items():
        brackets.setdefault(trial.bracket, []).append(evaluations)
    shown = sorted(brackets)[-MOST_BRACKETS:]
    columns = min(4, len(shown))
    figure = new_figure(0.6 + 2.9 * -(-len(shown) // columns))
    axes = grid_of_axes(figure, len(shown), columns, sharey=True, sharex=True)
    losses = [each.loss for each in run.evaluations if each.loss is not None]
    budgets = sorted({each.budget for each in run.evaluations})
    for ax, bracket in zip(axes, shown, strict=True):
        for evaluations in brackets[bracket]:
            _trial(ax, evaluations, ceiling(losses))
        ax.set_title(f"bracket {bracket}")
        epoch_axis(ax, budgets, "budget (epochs)")
    for ax in axes[::columns]:
        loss_axis(ax, losses, "loss")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high + HEADROOM * (high - low))
    keys = _keys() + collapsed_key(run.evaluations)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


def _trial(ax: Axes, evaluations: Sequence[EvaluationRecord], top: float) -> None:
    """Draws a trial's way through its rungs: filled where promoted, hollow where it stopped."""
    points = [(each.budget, min(each.loss, top)) for each in evaluations if each.loss is not None]
    for (x, y), (next_x, next_y) in pairwise(points):
        ax.plot((x, next_x), (y, next_y), color=ARM_LOOKS["incumbent"].colour, linewidth=1.1)
        ax.plot(x, y, "o", color=ARM_LOOKS["incumbent"].colour, markersize=5)
    if points and has_collapsed(evaluations):
        ax.plot(*points[-1], **COLLAPSED)
    elif points:
        ax.plot(*points[-1], "o", color="#555555", markerfacecolor="white", markersize=5)
    for each in evaluations:
        if each.attempt.fate in ("diverged", "crashed"):
            cross(ax, each.budget)


def _keys() -> list[Line2D]:
    dot: Any = {"linestyle": "", "marker": "o"}
    colour = ARM_LOOKS["incumbent"].colour
    return [
        Line2D([], [], color=colour, **dot, label="went on to the next budget"),
        Line2D([], [], color="#555555", markerfacecolor="white", **dot, label="stopped here"),
        cross_key(),
    ]
