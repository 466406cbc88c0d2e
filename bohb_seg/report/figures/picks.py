"""Figure of model-based picks beside random ones."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bohb_seg.report.analysis.averages import median
from bohb_seg.report.analysis.picks import Picks
from bohb_seg.report.style import Limits, Look, loss_axis, new_figure, styled
from bohb_seg.report.wording import in_epochs

MODEL, RANDOM = Look("#00568C", marker="^"), Look("#E69F00", marker="o")
BESIDE = 0.2
"""Distance of either kind from the place of its budget on the axis."""


@styled
def picks(found: Sequence[Picks]) -> Figure:
    """Losses of model-based and of random picks beside each other, at each budget."""
    figure = new_figure(4.2)
    ax = figure.subplots()
    losses = [loss for each in found for loss in (*each.model, *each.random)]
    ends = loss_axis(ax, losses)
    for place, each in enumerate(found):
        _cloud(ax, place - BESIDE, each.random, RANDOM, "white", ends)
        _cloud(ax, place + BESIDE, each.model, MODEL, MODEL.colour, ends)
    ax.set_xticks(range(len(found)), [_label(each) for each in found])
    ax.set_xlim(-0.6, len(found) - 0.4)
    ax.grid(axis="x", visible=False)
    ax.set_title("Model-based against random picks")
    figure.legend(handles=_keys(), loc="outside lower center", ncols=3)
    return figure


def _cloud(
    ax: Axes, place: float, losses: Sequence[float], look: Look, face: str, ends: Limits
) -> None:
    """Draws losses, and their median as a bar."""
    if not losses:
        return
    xs = [place + 0.04 * ((3 * index) % 7 - 3) for index in range(len(losses))]
    ax.plot(
        xs,
        ends.within(losses),
        look.marker,
        color=look.colour,
        markerfacecolor=face,
        markersize=5.5,
        linestyle="",
    )
    middle = ends.within([median(losses)] * 2)
    ax.plot((place - 0.16, place + 0.16), middle, color="black", linewidth=2.5)


def _label(each: Picks) -> str:
    return f"{in_epochs(each.budget)}\n{len(each.random)} random, {len(each.model)} by model"


def _keys() -> list[Line2D]:
    hollow: Any = {"color": RANDOM.colour, "marker": "o", "markerfacecolor": "white"}
    return [
        Line2D([], [], **hollow, linestyle="", label="drawn at random"),
        Line2D([], [], color=MODEL.colour, marker="^", linestyle="", label="picked by model"),
        Line2D([], [], color="black", linewidth=2.5, label="median"),
    ]
