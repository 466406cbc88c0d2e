"""Figure of the runoff: losses in the search beside those with further seeds."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bohb_seg.report.analysis.runoff import Candidate
from bohb_seg.report.figures.marks import cross_key, crosses
from bohb_seg.report.style import ARM_LOOKS, FADED, Limits, loss_axis, new_figure, styled
from bohb_seg.report.wording import in_epochs
from bohb_seg.trials import trial_name

NARROWEST, WIDEST, PER_CANDIDATE = 6.0, 9.0, 1.3
"""Widths of the figure, and of each candidate in it, in inches."""
BESIDE = 0.16
"""Distance of the search's loss, and of the others, from a candidate's place on the axis."""
HEADROOM = 0.12
"""Share of the axis that is added at the top for crosses."""


@styled
def runoff(found: Sequence[Candidate]) -> Figure:
    """The loss of each candidate in the search and, beside it, those with further seeds."""
    width = min(WIDEST, max(NARROWEST, PER_CANDIDATE * len(found) + 1))
    figure = new_figure(3.6, width)
    ax = figure.subplots()
    again = [loss for each in found for loss in each.losses if loss is not None]
    ends = loss_axis(ax, [*(each.search_loss for each in found), *again])
    for place, each in enumerate(found):
        _candidate(ax, place, each, ends)
    if any(each.failed for each in found):
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + HEADROOM * (high - low))
    ax.set_xticks(range(len(found)), [_label(each) for each in found])
    ax.set_xlim(-0.5, len(found) - 0.5)
    ax.grid(axis="x", visible=False)
    ax.set_title(f"Runoff after {in_epochs(found[0].search.budget)}")
    figure.legend(handles=_keys(found), loc="outside lower center", ncols=4)
    return figure


def _candidate(ax: Axes, place: int, each: Candidate, ends: Limits) -> None:
    colour = ARM_LOOKS["incumbent"].colour if each.won else FADED
    left, right = place - BESIDE, place + BESIDE
    if each.mean is not None:
        low, high = ends.within((each.search_loss, each.mean))
        ax.plot((left, right), (low, high), color=colour, linewidth=1.2, zorder=1)
        ax.plot((right - 0.1, right + 0.1), (high, high), color="black", linewidth=2.5, zorder=2)
    ax.plot(left, ends.within([each.search_loss]), "o", color=colour, markerfacecolor="white", ms=8)
    known = [loss for loss in each.losses if loss is not None]
    ax.plot([right] * len(known), ends.within(known), "o", color=colour, markersize=6, zorder=3)
    if each.failed:
        crosses(ax, [right])


def _label(each: Candidate) -> str:
    name = f"trial {trial_name(each.search.id.trial)}"
    return f"{name}\nwinner" if each.won else name


def _keys(found: Sequence[Candidate]) -> list[Line2D]:
    dot: Any = {"linestyle": "", "marker": "o", "color": "#555555"}
    keys = [
        Line2D([], [], **dot, markerfacecolor="white", markersize=8, label="in the search"),
        Line2D([], [], **dot, markersize=6, label="with further seeds"),
        Line2D([], [], color="black", linewidth=2.5, label="their mean"),
    ]
    return [*keys, cross_key()] if any(each.failed for each in found) else keys
