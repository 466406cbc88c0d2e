"""Marks that several figures share: failed and collapsed evaluations."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bohb_seg.report.analysis.records import EvaluationRecord
from bohb_seg.report.style import FAILED

COLLAPSED: Any = {
    "linestyle": "",
    "marker": "D",
    "color": FAILED,
    "markerfacecolor": "white",
    "markersize": 5.5,
    "zorder": 5,
}
AT_THE_TOP = 0.96
"""Height of the cross of a failure, as a share of the axis: it has no loss."""


def has_collapsed(evaluations: Iterable[EvaluationRecord]) -> bool:
    """Whether the network of one of these evaluations collapsed."""
    return any(each.attempt.stopped == "collapsed" for each in evaluations)


def collapsed_key(evaluations: Iterable[EvaluationRecord]) -> list[Line2D]:
    """Legend entry for collapsed evaluations; none if there are none."""
    label = "ended early: collapsed"
    return [Line2D([], [], **COLLAPSED, label=label)] if has_collapsed(evaluations) else []


def crosses(ax: Axes, xs: Sequence[float]) -> None:
    """Marks failures at the top of the axes."""
    place: Any = {"transform": ax.get_xaxis_transform(), "color": FAILED}
    ax.plot(xs, [AT_THE_TOP] * len(xs), "x", markersize=7, markeredgewidth=2, **place)


def cross_key() -> Line2D:
    """Legend entry for crosses."""
    return Line2D([], [], color=FAILED, linestyle="", marker="x", label="failed (at the top)")
