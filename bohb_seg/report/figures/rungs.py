"""Figure of the rungs: how far each trial of a bracket went."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord, by_trial
from bohb_seg.report.figures.marks import (
    COLLAPSED,
    collapsed_key,
    cross_key,
    crosses,
    has_collapsed,
)
from bohb_seg.report.style import (
    ARM_LOOKS,
    Limits,
    epoch_axis,
    grid_of_axes,
    limits,
    loss_axis,
    new_figure,
    styled,
)

MOST_BRACKETS = 12
"""Panels in the figure, for the latest brackets; the table has all of them."""
HEADROOM = 0.1
"""Share of the axis that is added at the top for crosses."""
COLOUR = ARM_LOOKS["incumbent"].colour

Point = tuple[float, float]
"""Budget and loss."""


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
        _trials(ax, brackets[bracket], limits(losses))
        ax.set_title(f"bracket {bracket}")
        epoch_axis(ax, budgets, "budget (epochs)")
    for ax in axes[::columns]:
        loss_axis(ax, losses, "loss")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high + HEADROOM * (high - low))
    keys = _keys() + collapsed_key(run.evaluations)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


def _trials(ax: Axes, trials: Sequence[Sequence[EvaluationRecord]], ends: Limits) -> None:
    """Draws the ways of trials through their rungs: filled where promoted, hollow at the end.

    Everything of a kind is drawn at once, because the library takes a millisecond for each call.
    """
    promoted: list[Point] = []
    stopped: list[Point] = []
    collapsed: list[Point] = []
    ways: list[list[Point]] = []
    for evaluations in trials:
        known = [(each.budget, each.loss) for each in evaluations if each.loss is not None]
        points = list(zip((x for x, _ in known), ends.within([y for _, y in known]), strict=True))
        ways += [list(step) for step in pairwise(points)]
        promoted += points[:-1]
        (collapsed if has_collapsed(evaluations) else stopped).extend(points[-1:])
    ax.add_collection(LineCollection(ways, colors=COLOUR, linewidths=1.1))
    _points(ax, promoted, linestyle="", marker="o", color=COLOUR, markersize=5)
    hollow: Any = {"color": "#555555", "markerfacecolor": "white", "markersize": 5}
    _points(ax, stopped, linestyle="", marker="o", **hollow)
    _points(ax, collapsed, **COLLAPSED)
    failed = [
        each.budget
        for evaluations in trials
        for each in evaluations
        if each.attempt.fate in ("diverged", "crashed")
    ]
    if failed:
        crosses(ax, failed)


def _points(ax: Axes, points: Sequence[Point], **look: Any) -> None:
    if points:
        ax.plot(*zip(*points, strict=True), **look)


def _keys() -> list[Line2D]:
    dot: Any = {"linestyle": "", "marker": "o"}
    return [
        Line2D([], [], color=COLOUR, **dot, label="went on to the next budget"),
        Line2D([], [], color="#555555", markerfacecolor="white", **dot, label="stopped here"),
        cross_key(),
    ]
